//! Event streams in gzip: the same events, in fewer bytes (contract §1, §7).

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use rustix::process::Signal;

use crate::feed_http2::{connect, request};
use crate::harness::gzip::Gunzip;
use crate::harness::random::Random;
use crate::harness::{Answer, Event, Events, Server};
use crate::protocols::run;

const GZIP: (&str, &str) = ("Accept-Encoding", "gzip");

/// Texts that are edited.
const TEXTS: usize = 5;

/// The same events twice: as they are, and in gzip.
struct Pair {
    plain: Events,
    coded: Events,
}

impl Pair {
    fn open(server: &Server, target: &str, id: &str) -> Self {
        let open = |coding| {
            let mut fields = vec![("Accept-Encoding", coding)];
            if !id.is_empty() {
                fields.push(("Last-Event-ID", id));
            }
            Events::open(server.address(), target, &fields)
        };
        let pair = Self {
            plain: open("identity"),
            coded: open("gzip"),
        };
        pair.plain.head.no_field("content-encoding");
        pair.coded.head.has("content-encoding", "gzip");
        pair
    }

    fn until(&mut self, name: &str) -> Vec<Event> {
        let plain = self.plain.until(name);
        assert_eq!(self.coded.until(name), plain);
        plain
    }

    fn take(&mut self, count: usize) -> Vec<Event> {
        let plain = self.plain.take(count);
        assert_eq!(self.coded.take(count), plain);
        plain
    }

    fn rest(&mut self) -> Vec<Event> {
        // Each reader is told another time to come back.
        let forget = |mut events: Vec<Event>| {
            events.iter_mut().for_each(|event| event.retry = None);
            events
        };
        let plain = forget(self.plain.rest());
        assert_eq!(forget(self.coded.rest()), plain);
        plain
    }

    fn both(&self) -> [usize; 2] {
        [self.plain.coded_bytes, self.coded.coded_bytes]
    }
}

/// A text of long lines.
fn text(edit: usize) -> String {
    let line = |n: usize| {
        let words: Vec<_> = (0..80).map(|m| (n * n + m * m * 7).to_string()).collect();
        words.join(" ")
    };
    let lines: Vec<_> = (0..6).map(|n| format!("\"{}\"", line(n))).collect();
    format!("{{\"edit\":{edit},\"lines\":[{}]}}", lines.join(","))
}

fn path(number: usize) -> String {
    format!("/texts/{}", number % TEXTS)
}

/// Changes one line in the middle of a text.
fn edit(server: &Server, number: usize) {
    let text = text(0);
    let line = text.split('"').nth(3).unwrap();
    let (one, other) = line.split_at(line.len() / 2);
    let patch =
        format!(r#"[{{"op":"replace","path":"/lines/1","value":"{one} {number} {other}"}}]"#);
    let edited = server
        .request("PATCH", &path(number))
        .content("application/json-patch+json", patch)
        .if_match("*");
    edited.send().status(204);
}

fn filled() -> Server {
    let server = Server::start();
    for number in 0..TEXTS {
        server.create(&path(number), text(0));
    }
    server
}

#[test]
fn section_7_readers_of_gzip_see_the_same_events() {
    let mut server = filled();
    let mut live = Pair::open(&server, "/texts", "");
    live.until("synced");
    let mut whole = Pair::open(&server, "/texts?_snapshot=true", "");
    let mut positions = vec![whole.until("synced").pop().unwrap().id];
    let before = live.both();
    for number in 0..60 {
        edit(&server, number);
        positions.push(live.take(1).pop().unwrap().id);
    }
    let [plain, coded] = live.both();
    let (plain, coded) = (plain - before[0], coded - before[1]);
    assert!(coded * 4 < plain, "{coded} of {plain}");
    whole.take(60);
    // Those that come later, from where nobody is any more, and go on with the others.
    let mut later: Vec<_> = [0, 30, 59]
        .map(|at| Pair::open(&server, "/texts", &positions[at]))
        .into();
    for pair in &mut later {
        pair.until("synced");
    }
    for number in 0..20 {
        edit(&server, number);
        for pair in &mut later {
            pair.take(1);
        }
    }
    server.create("/texts/large", format!("\"{}\"", "x y ".repeat(50_000)));
    edit(&server, 0);
    server.signal(Signal::TERM);
    for pair in [&mut live, &mut whole].into_iter().chain(&mut later) {
        assert_eq!(pair.rest().last().unwrap().name, "end");
    }
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn section_7_6_a_stop_ends_a_member_in_the_middle_of_a_snapshot() {
    let mut server = Server::with(&["--drain-seconds", "3600"]);
    let mut random = Random::new(5);
    for number in 0..150 {
        let letters = (0..50_000).map(|_| char::from(b'a' + random.below(26) as u8));
        let text: String = letters.collect();
        server.create(&format!("/c/{number:03}"), format!("\"{text}\""));
    }
    let fields = [GZIP];
    let mut events = Events::open(server.address(), "/c?_snapshot=true", &fields);
    events.next().is("reset");
    server.signal(Signal::TERM);
    // The member is whole, or this would fail.
    let rest = events.rest();
    assert_eq!(rest.last().unwrap().is("end").text("reason"), "draining");
    assert_eq!(server.ended().code(), Some(0));
}

fn fields(answer: &Answer) -> Vec<(String, String)> {
    let fields = answer.fields.iter().cloned();
    let fields = fields.map(|(name, value)| (name.to_lowercase(), value));
    let mut fields: Vec<_> = fields
        .filter(|(name, _)| {
            !["date", "request-id", "transfer-encoding", "connection"].contains(&&**name)
        })
        .collect();
    fields.sort();
    fields
}

#[test]
fn section_1_a_stream_is_in_gzip_where_that_is_preferred() {
    let server = filled();
    for (accepted, coding) in [
        ("gzip, deflate, br, zstd", Some("gzip")),
        ("*", Some("gzip")),
        ("gzip;q=0.5, identity;q=0.5", Some("gzip")),
        ("gzip;q=0.5, identity", None),
        ("br, zstd", None),
        ("identity", None),
        ("gzip;q=0", None),
        ("*;q=0", None),
    ] {
        let accept = [("Accept-Encoding", accepted)];
        let mut events = Events::open(server.address(), "/texts", &accept);
        let head = events.head.has("vary", "Accept, Accept-Encoding");
        assert_eq!(head.maybe("content-encoding"), coding, "{accepted}");
        let asked = server
            .request("HEAD", "/texts")
            .field("Accept-Encoding", accepted);
        let told = asked.field("Accept", "text/event-stream").send();
        assert_eq!(fields(&told), fields(&events.head), "{accepted}");
        events.next().is("synced");
    }
    let mut events = Events::open(server.address(), "/texts", &[]);
    events.head.no_field("content-encoding");
    events.next().is("synced");
}

/// All of the content of an answer.
async fn collected(mut body: Incoming) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(frame) = body.frame().await {
        content.extend(frame.unwrap().into_data().unwrap());
    }
    content
}

fn in_gzip(uri: String) -> http::Request<Empty<Bytes>> {
    let mut request = request(uri);
    let headers = request.headers_mut();
    headers.insert("accept-encoding", "gzip".parse().unwrap());
    request
}

/// Each reader is told another time to come back.
fn without_retry(stream: &[u8]) -> String {
    let text = String::from_utf8_lossy(stream);
    let lines = text.lines().filter(|line| !line.starts_with("retry:"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn section_7_readers_of_gzip_over_http2() {
    const WRITES: usize = 40;
    let mut server = filled();
    run(async {
        let mut sender = connect(&server, 1_024 * 1_024).await;
        let uri = format!("http://{}/texts", server.host());
        let mut bodies = Vec::new();
        for number in 0..WRITES {
            for request in [in_gzip(uri.clone()), request(uri.clone())] {
                sender.ready().await.unwrap();
                let answer = sender.send_request(request).await.unwrap();
                assert_eq!(answer.status(), 200);
                bodies.push(answer.into_body());
            }
            edit(&server, number);
        }
        server.signal(Signal::TERM);
        let mut contents = Vec::new();
        for body in bodies {
            contents.push(collected(body).await);
        }
        for pair in contents.chunks(2) {
            let mut gunzip = Gunzip::new();
            let coded = gunzip.more(&pair[0]).unwrap();
            gunzip.end().unwrap();
            assert!(coded.ends_with(b"data: {\"reason\":\"draining\"}\n\n"));
            assert_eq!(without_retry(&coded), without_retry(&pair[1]));
        }
    });
    assert_eq!(server.ended().code(), Some(0));
}
