//! A page without scripts, in a browser: its form saves, and it stays (contract §4.4).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use serde_json::json;

use crate::harness::Server;
use crate::harness::browser::Browser;
use crate::harness::programs::PATIENCE;

/// What is before the server: it has a page of its own, and passes all else on.
struct Proxy {
    address: SocketAddr,
    page: Arc<Mutex<String>>,
    /// The method of what was passed on and what came of it.
    passed: mpsc::Receiver<(String, u16)>,
}

impl Proxy {
    fn before(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let page = Arc::new(Mutex::new(String::new()));
        let (sender, passed) = mpsc::channel();
        let (shown, server) = (Arc::clone(&page), server.address());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shown, sender) = (Arc::clone(&shown), sender.clone());
                // Browsers open connections that they do not use yet.
                thread::spawn(move || serve(stream, server, &shown, &sender));
            }
        });
        Self {
            address,
            page,
            passed,
        }
    }

    /// The page that it has from now on: a form for this document.
    fn show(&self, action: &str, tag: &str) {
        let page = include_str!("../../clients/form.html");
        let page = page.replace("ACTION", action);
        *self.page.lock().unwrap() = page.replace("ETAG", tag.trim_matches('"'));
    }

    /// The status of the next POST that was passed on.
    fn posted(&self) -> u16 {
        loop {
            let (method, status) = self.passed.recv_timeout(PATIENCE).unwrap();
            if method == "POST" {
                return status;
            }
        }
    }
}

/// Answers one request.
fn serve(
    mut stream: TcpStream,
    server: SocketAddr,
    page: &Mutex<String>,
    passed: &mpsc::Sender<(String, u16)>,
) -> Option<()> {
    let (head, body) = read_request(&mut stream)?;
    let method = head.split(' ').next()?.to_owned();
    if head.split(' ').nth(1)? == "/form" {
        let page = page.lock().unwrap().clone();
        let fields = "Content-Type: text/html\r\nCache-Control: no-store\r\nConnection: close";
        let length = page.len();
        let answer =
            format!("HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: {length}\r\n\r\n{page}");
        return stream.write_all(answer.as_bytes()).ok();
    }
    let mut lines = head.split_inclusive("\r\n");
    let is_kept = |line: &&str| !line.to_ascii_lowercase().starts_with("connection:");
    let head = lines.by_ref().filter(is_kept).collect::<String>();
    let mut onwards = TcpStream::connect(server).ok()?;
    let message = format!("{head}Connection: close\r\n\r\n");
    onwards.write_all(message.as_bytes()).ok()?;
    onwards.write_all(&body).ok()?;
    let mut answer = Vec::new();
    onwards.read_to_end(&mut answer).ok()?;
    let status = String::from_utf8_lossy(answer.get(9..12)?).parse().ok()?;
    stream.write_all(&answer).ok()?;
    passed.send((method, status)).ok()
}

/// The header section without its last, empty line, and the content.
fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8(bytes[..end + 2].to_vec()).ok()?;
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.trim().parse::<usize>().ok())?
            });
            let body = bytes.split_off(end + 4);
            if body.len() >= length.unwrap_or(0) {
                return Some((head, body));
            }
            bytes.extend_from_slice(&body);
        }
        let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
    }
}

#[test]
fn section_4_4_a_page_without_scripts_saves_and_stays() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let server = Server::start();
    let settings = json!({"forms": true, "schema": {"properties": {
        "litres": {"type": "number"},
        "done": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
    }}});
    server.create("/_/collections/notes", settings.to_string());
    let tag = server.create("/notes/1", r#"{"title":"Milk","litres":1,"shop":"x"}"#);
    let proxy = Proxy::before(&server);
    let (port, own) = (
        proxy.address.port(),
        format!("http://{}/form", proxy.address),
    );

    proxy.show("/notes/1", &tag);
    browser.go_to(&own);
    browser.type_into("input[name=title]", "Oat milk");
    browser.press_enter();
    assert_eq!(proxy.posted(), 204);
    let stored = server.get("/notes/1").send();
    let expected =
        r#"{"title":"Oat milk","litres":2,"shop":"x","done":true,"tags":["dairy","white"]}"#;
    stored.status(200).is_body(expected);
    // It stays, with what was typed.
    assert_eq!(browser.look("location.href"), json!(own));
    assert_eq!(
        browser.look("document.forms[0].title.value"),
        json!("Oat milk")
    );
    // It still holds the tag of before.
    browser.type_into("input[name=title]", "!");
    browser.press_enter();
    assert_eq!(proxy.posted(), 412);
    server.holds("/notes/1", expected, &stored.tag());

    // The same page at another site: 'localhost' is not '127.0.0.1'.
    proxy.show(&format!("http://{}/notes/1", proxy.address), &stored.tag());
    browser.go_to(&format!("http://localhost:{port}/form"));
    browser.type_into("input[name=title]", "From elsewhere");
    browser.press_enter();
    assert_eq!(proxy.posted(), 403);
    server.holds("/notes/1", expected, &stored.tag());
}
