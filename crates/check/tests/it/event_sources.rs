//! Clients that others wrote: each follows a collection, the server is killed again and
//! again while it is written to, and each goes on with nothing lost and nothing told
//! twice (contract §7.4).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use serde_json::{Value, json};

use crate::harness::Server;
use crate::harness::browser;
use crate::harness::programs::{self, PATIENCE, Program};

/// How often the server is killed.
const KILLS: u64 = 3;

/// Writes before each kill, and after it.
const WRITES: u64 = 5;

/// Documents that are written to in turn.
const DOCUMENTS: u64 = 3;

/// What a client has been told, and what there is to tell.
struct Story<'a> {
    server: Server,
    next_report: &'a dyn Fn() -> String,
    written: u64,
    told: u64,
}

impl Story<'_> {
    /// The number of the write goes into the document, so that the events can be counted.
    fn write(&mut self) {
        self.written += 1;
        let number = self.written;
        let target = format!("/notes/{}", number % DOCUMENTS);
        if number <= DOCUMENTS {
            let text = "long enough that a patch is shorter than the document".repeat(5);
            let document = json!({"number": number, "text": text});
            self.server.create(&target, document.to_string());
        } else {
            let patch = format!(r#"{{"number":{number}}}"#);
            let saved = self.server.merge(&target, patch).if_match("*").send();
            saved.status(204);
        }
    }

    fn report(&self) -> Value {
        let report = (self.next_report)();
        serde_json::from_str(&report).unwrap_or_else(|error| panic!("{error}: {report}"))
    }

    /// Reads on until the client was told of this write. Each must be the one after the
    /// one before.
    fn read_until(&mut self, number: u64) {
        while self.told < number {
            let report = self.report();
            let data: Value = serde_json::from_str(report["data"].as_str().unwrap()).unwrap();
            let found = match report["type"].as_str().unwrap() {
                "put" => &data["document"]["number"],
                "patch" => &data["patch"][0]["value"],
                "synced" | "heartbeat" => continue,
                other => panic!("{other}: {report}"),
            };
            assert_eq!(*found, self.told + 1, "{report}");
            self.told += 1;
        }
    }
}

/// Tells the story to a client whose reports come from `next_report`.
fn resumes(server: Server, next_report: &dyn Fn() -> String) {
    let mut story = Story {
        server,
        next_report,
        written: 0,
        told: 0,
    };
    assert_eq!(story.report()["type"], "synced");
    for _ in 0..KILLS {
        for _ in 0..WRITES {
            story.write();
        }
        // Some of them are under way when the server goes.
        story.read_until(story.written - WRITES + 1);
        story.server.kill();
        story.server.start_again_there();
        for _ in 0..WRITES {
            story.write();
        }
        story.read_until(story.written);
    }
    story.write();
    story.read_until(story.written);
    assert_eq!(story.told, KILLS * 2 * WRITES + 1);
}

fn url(server: &Server) -> String {
    format!("http://{}/notes", server.address())
}

#[test]
fn section_7_4_the_eventsource_of_npm_resumes() {
    let (Some(node), Some(directory)) = (programs::find("node"), programs::installed("node"))
    else {
        return;
    };
    let server = Server::start();
    let client = Program::start(|_| {
        let mut command = Command::new(node);
        // A module that is not a file finds its packages where it is started.
        command.current_dir(directory);
        command.args(["--input-type=module", "--eval"]);
        command.arg(include_str!("../../clients/follow.mjs"));
        command.arg("--").arg(url(&server));
        command
    });
    resumes(server, &|| client.line());
}

#[test]
fn section_7_4_httpx_sse_resumes() {
    let Some(python) = programs::installed("python/bin/python") else {
        return;
    };
    let server = Server::start();
    let client = Program::start(|_| {
        let mut command = Command::new(python);
        command
            .arg("-c")
            .arg(include_str!("../../clients/follow.py"));
        command.arg(url(&server));
        command
    });
    resumes(server, &|| client.line());
}

#[test]
fn section_7_6_the_event_source_of_a_browser_resumes() {
    let Some(chromium) = programs::find("chromium") else {
        return;
    };
    let (page, reports) = serve_page();
    let server = Server::with(&["--cors-origin", &format!("http://{page}")]);
    let _browser = Program::start(|directory| {
        let mut command = Command::new(chromium);
        command.args(browser::FLAGS);
        let profile = directory.join("profile");
        command.arg(format!("--user-data-dir={}", profile.display()));
        command.arg(format!("http://{page}/?url={}", url(&server)));
        command
    });
    resumes(server, &|| reports.recv_timeout(PATIENCE).unwrap());
}

/// Serves the page for browsers; gives the address, and what is posted there.
fn serve_page() -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, reports) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            // Browsers open connections that they do not use yet.
            thread::spawn(move || serve_connection(stream, &sender));
        }
    });
    (address, reports)
}

/// Answers requests until the connection ends.
fn serve_connection(stream: TcpStream, reports: &mpsc::Sender<String>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut method, mut length) = (None, 0);
        loop {
            let mut line = String::new();
            stream
                .read_line(&mut line)
                .ok()
                .filter(|count| *count > 0)?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            method.get_or_insert(line);
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        let page = if method?.starts_with("post") {
            reports.send(String::from_utf8(body).ok()?).ok()?;
            ""
        } else {
            include_str!("../../clients/follow.html")
        };
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html";
        let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{page}", page.len());
        stream.get_mut().write_all(answer.as_bytes()).ok()?;
    }
}
