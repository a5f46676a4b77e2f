//! Proxies in front, set up as `docs/proxies.md` says: events pass while the stream stays
//! open, and conditional requests mean what they mean without a proxy.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::client::Connection;
use crate::harness::programs::{self, PATIENCE, Program};
use crate::harness::request::Request;
use crate::harness::{Answer, Events, Server};

/// Where Matchbook is, in the page.
const UPSTREAM: &str = "127.0.0.1:2040";

/// How often is looked whether a proxy listens yet.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The page's block in this language.
fn snippet(language: &str) -> String {
    let page = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/proxies.md"
    ));
    let begin = format!("```{language}\n");
    let (_, block) = page.split_once(&begin).unwrap();
    let (block, _) = block.split_once("```").unwrap();
    block.to_owned()
}

/// The same text with another word in one place.
fn with(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "{old} in {text}");
    text.replace(old, new)
}

/// A proxy in front of a server.
struct Proxy {
    server: Server,
    address: SocketAddr,
    // Both are ended when they are dropped: the proxy first.
    program: Program,
}

impl Proxy {
    /// Starts a server, and before it what `command` makes of a directory, the address to
    /// listen on, and the server's.
    fn start(command: impl FnOnce(&Path, SocketAddr, SocketAddr) -> Command) -> Self {
        let server = Server::start();
        let address = free_address();
        let upstream = server.address();
        let mut program = Program::start(|directory| command(directory, address, upstream));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            program.runs();
            assert!(Instant::now() < deadline, "the proxy does not listen");
            thread::sleep(LOOK_EVERY);
        }
        Self {
            server,
            address,
            program,
        }
    }

    /// What an answer is with the proxy between, and without.
    fn same(&self, request: &dyn Fn(&mut Connection) -> Answer) -> Answer {
        let direct = request(&mut self.server.connect());
        let through = request(&mut Connection::open(self.address));
        assert_eq!(through.code, direct.code);
        assert_eq!(through.body, direct.body);
        for name in ["etag", "cache-control", "content-type", "vary"] {
            assert_eq!(through.maybe(name), direct.maybe(name), "{name}");
        }
        through
    }

    fn passes_conditional_requests(&self) {
        // Long enough that it is worth a content coding.
        let text = "Two litres, and some butter if they have any. ".repeat(50);
        let document = format!(r#"{{"title":"Milk","text":"{text}"}}"#);
        let mut connection = Connection::open(self.address);
        let made = connection.put("/notes/1", &document);
        let first = made.if_none_match("*").send().status(201).tag();
        let read = self.same(&|connection| connection.get("/notes/1").send());
        read.status(200).has("etag", &first).is_body(&document);
        self.same(&|connection| connection.get("/notes/1").if_none_match(&first).send())
            .status(304);
        let merge = |tag: &str| {
            let request = Request::alone(self.address, "PATCH", "/notes/1").if_match(tag);
            let patch = r#"{"title":"Bread"}"#;
            request
                .content("application/merge-patch+json", patch)
                .send()
        };
        let second = merge(&first).status(204).tag();
        merge(&first).status(412);
        let coded = self.same(&|connection| {
            let request = connection.get("/notes/1").field("Accept-Encoding", "gzip");
            request.send()
        });
        let coded = coded.status(200).tag();
        assert_ne!(coded, second, "a content coding has a tag of its own");
        self.server
            .holds("/notes/1", document.replace("Milk", "Bread"), &second);
    }

    /// Each event is waited for before the next write, so that one that is held back is
    /// seen.
    fn passes_events_at_once(&self, collection: &str, coding: &str) {
        let fields = [("Accept-Encoding", coding)];
        let mut events = Events::open(self.address, collection, &fields);
        let applied = events.head.maybe("content-encoding");
        assert_eq!(applied.unwrap_or("identity"), coding);
        events.next().is("synced");
        for number in 0..10 {
            let target = format!("{collection}/{number}");
            let tag = self.server.create(&target, r#"{"a":1}"#);
            assert_eq!(events.next().is("put").text("etag"), tag);
        }
    }

    fn works(self) {
        self.passes_conditional_requests();
        self.passes_events_at_once("/lines", "identity");
        self.passes_events_at_once("/coded", "gzip");
        let Self { mut program, .. } = self;
        program.runs();
    }
}

/// An address that nobody listens at now.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[test]
fn section_7_9_nginx_passes_events_at_once() {
    let Some(nginx) = programs::find("nginx") else {
        return;
    };
    let proxy = Proxy::start(|directory, address, upstream| {
        let server = with(&snippet("nginx"), UPSTREAM, &upstream.to_string());
        let server = with(&server, "listen 80;", &format!("listen {address};"));
        let own = directory.display();
        // A directory of its own, where the system's belongs to somebody else.
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let paths = paths.map(|name| format!("{name}_temp_path {own}/{name};\n"));
        let configuration = format!(
            "daemon off;\npid {own}/pid;\nerror_log stderr;\nevents {{}}\n\
             http {{\naccess_log off;\n{}{server}}}\n",
            paths.concat()
        );
        let file = directory.join("nginx.conf");
        std::fs::write(&file, configuration).unwrap();
        let mut command = Command::new(nginx);
        command.args(["-e", "stderr", "-p"]).arg(directory);
        command.arg("-c").arg(file);
        command
    });
    proxy.works();
}

#[test]
fn section_7_9_haproxy_passes_events_at_once() {
    let Some(haproxy) = programs::find("haproxy") else {
        return;
    };
    let proxy = Proxy::start(|directory, address, upstream| {
        let configuration = with(&snippet("haproxy"), UPSTREAM, &upstream.to_string());
        let bind = format!("bind {address}\n");
        let configuration = with(&configuration, "bind :80\n", &bind);
        let file = directory.join("haproxy.cfg");
        std::fs::write(&file, configuration).unwrap();
        let mut command = Command::new(haproxy);
        command.arg("-db").arg("-f").arg(file);
        command
    });
    proxy.works();
}

#[test]
fn section_7_9_varnish_passes_events_at_once() {
    let Some(varnishd) = programs::find("varnishd") else {
        return;
    };
    let proxy = Proxy::start(|directory, address, upstream| {
        let port = format!("\"{}\"", upstream.port());
        let configuration = with(&snippet("vcl"), "\"2040\"", &port);
        let file = directory.join("matchbook.vcl");
        std::fs::write(&file, configuration).unwrap();
        let mut command = Command::new(varnishd);
        // Without a jail: the directory belongs to whoever runs the test.
        command.args(["-j", "none", "-F", "-s", "malloc,16m", "-a"]);
        command.arg(address.to_string()).arg("-f").arg(file);
        command.arg("-n").arg(directory.join("varnish"));
        command
    });
    proxy.works();
}
