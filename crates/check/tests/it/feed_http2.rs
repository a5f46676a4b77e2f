//! Streams over HTTP/2, many to a connection, and over TLS (contract §7).

use std::fmt::Write as _;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::harness::Server;
use crate::harness::random::Random;
use crate::protocols::{certificate, run, tls, tls_server};

type Http2 = http2::SendRequest<Empty<Bytes>>;

/// More than a server reads, or a browser opens, at a time.
const STREAMS: usize = 1_000;

/// A connection whose streams take so much without being read.
pub(crate) async fn connect(server: &Server, window: u32) -> Http2 {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(window)
        .initial_connection_window_size(64 * 1_024 * 1_024)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

pub(crate) fn request(uri: String) -> http::Request<Empty<Bytes>> {
    let builder = http::Request::get(uri).header("accept", "text/event-stream");
    builder.body(Empty::new()).unwrap()
}

/// The events of a stream: each its type and its data.
struct Stream {
    body: Incoming,
    text: String,
}

impl Stream {
    async fn open(sender: &Http2, server: &Server, target: &str) -> Self {
        let mut sender = sender.clone();
        sender.ready().await.unwrap();
        let uri = format!("http://{}{target}", server.host());
        Self::of(sender.send_request(request(uri)).await.unwrap())
    }

    fn of(answer: http::Response<Incoming>) -> Self {
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self {
            body: answer.into_body(),
            text: String::new(),
        }
    }

    /// `None` is the end.
    async fn next(&mut self) -> Option<(String, String)> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let rest = self.text.split_off(end + 2);
                let block = std::mem::replace(&mut self.text, rest);
                let field = |name: &str| {
                    let mut lines = block.lines();
                    let value = lines.find_map(|line| line.strip_prefix(name));
                    value.unwrap_or_default().to_owned()
                };
                return Some((field("event: "), field("data: ")));
            }
            let frame = self.body.frame().await?.unwrap();
            let data = frame.into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    async fn synced(mut self) -> Self {
        let (name, _) = self.next().await.unwrap();
        assert_eq!(name, "synced");
        self
    }
}

#[test]
fn many_streams_on_a_connection_are_all_told() {
    let server = Server::start();
    run(async {
        let sender = connect(&server, 64 * 1_024).await;
        let mut streams = Vec::new();
        for n in 0..STREAMS {
            let target = if n % 2 == 0 { "/c" } else { "/c/1" };
            let stream = Stream::open(&sender, &server, target).await;
            streams.push(stream.synced().await);
        }
        for round in 0..3 {
            let body = format!("\"{round}\"");
            let put = server.put("/c/1", body);
            let put = if round == 0 { put } else { put.if_match("*") };
            let tag = put.send().tag();
            for stream in &mut streams {
                let (name, data) = stream.next().await.unwrap();
                assert_eq!(name, "put");
                let data: serde_json::Value = serde_json::from_str(&data).unwrap();
                assert_eq!(data["etag"], tag);
            }
        }
        server.signal(Signal::TERM);
        for stream in &mut streams {
            let (name, data) = stream.next().await.unwrap();
            assert_eq!((&*name, &*data), ("end", "{\"reason\":\"draining\"}"));
            assert!(stream.next().await.is_none());
        }
    });
    let mut server = server;
    assert_eq!(server.ended().code(), Some(0));
}

/// Each room has a reader; documents go from room to room.
#[test]
fn section_7_2_a_thousand_live_queries_each_see_what_is_theirs() {
    let server = Server::start();
    let mut random = Random::new(3);
    let mut rooms: Vec<Option<usize>> = vec![None; 30];
    let mut expected = vec![String::new(); STREAMS];
    run(async {
        let sender = connect(&server, 64 * 1_024).await;
        let mut streams = Vec::new();
        for room in 0..STREAMS {
            let stream = Stream::open(&sender, &server, &format!("/c?room={room}")).await;
            streams.push(stream.synced().await);
        }
        let mut connection = server.connect();
        for n in 0..600 {
            let document = random.below(rooms.len());
            let (path, room) = (format!("/c/{document}"), random.below(STREAMS));
            let before = rooms[document];
            let put = connection.put(&path, format!("{{\"room\":{room},\"n\":{n}}}"));
            let put = match before {
                None => put,
                Some(_) => put.if_match("*"),
            };
            put.send();
            rooms[document] = Some(room);
            match before {
                Some(before) if before == room => writeln!(expected[room], "put {path}").unwrap(),
                Some(before) => {
                    writeln!(expected[before], "leave {path}").unwrap();
                    writeln!(expected[room], "put {path} entered").unwrap();
                }
                None => writeln!(expected[room], "put {path} entered").unwrap(),
            }
        }
        // One document goes through all rooms, and so every reader hears of the end.
        for (room, expected) in expected.iter_mut().enumerate() {
            let put = connection.put("/c/last", format!("{{\"room\":{room}}}"));
            let put = if room == 0 { put } else { put.if_match("*") };
            put.send();
            expected.push_str("put /c/last entered\n");
        }
        for (room, stream) in streams.iter_mut().enumerate() {
            let mut told = String::new();
            while !told.ends_with("put /c/last entered\n") {
                let (name, data) = stream.next().await.unwrap();
                let data: serde_json::Value = serde_json::from_str(&data).unwrap();
                let path = data["path"].as_str().unwrap();
                let entered = if data["entered"] == true {
                    " entered"
                } else {
                    ""
                };
                writeln!(told, "{name} {path}{entered}").unwrap();
            }
            assert_eq!(told, expected[room], "room {room}");
        }
    });
}

/// What one stream does not take does not hold up the others of its connection.
#[test]
fn section_7_8_a_stream_that_is_not_read_holds_up_no_other() {
    const WRITES: usize = 200;
    let server = Server::start();
    run(async {
        let sender = connect(&server, 64 * 1_024).await;
        let mut slow = Stream::open(&sender, &server, "/c").await.synced().await;
        let mut fast = Stream::open(&sender, &server, "/c").await.synced().await;
        let mut connection = server.connect();
        for n in 0..WRITES {
            let letter = char::from(b'a' + u8::try_from(n % 26).unwrap());
            let body = format!("\"{}\"", String::from(letter).repeat(64 * 1_024));
            let put = connection.put("/c/1", body);
            let put = if n == 0 { put } else { put.if_match("*") };
            put.send();
            let (name, _) = fast.next().await.unwrap();
            assert_eq!(name, "put");
        }
        let mut told = 0;
        let last = loop {
            let (name, data) = slow.next().await.unwrap();
            if name != "put" {
                break (name, data);
            }
            told += 1;
        };
        assert_eq!(last, ("end".to_owned(), "{\"reason\":\"slow\"}".to_owned()));
        assert!(told < WRITES);
        assert!(slow.next().await.is_none());
        let again = Stream::open(&sender, &server, "/c").await;
        drop(again.synced().await);
    });
}

#[test]
fn section_7_a_stream_over_tls() {
    let certificate = certificate();
    let server = tls_server(&certificate);
    run(async {
        let stream = tls(&server, &certificate, &[b"http/1.1"]).await;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut get = request("/c".to_owned());
        let host = format!("localhost:{}", server.address().port());
        get.headers_mut().insert("host", host.parse().unwrap());
        let answer = sender.send_request(get).await.unwrap();
        let mut events = Stream::of(answer).synced().await;

        let stream = tls(&server, &certificate, &[b"h2"]).await;
        let io = TokioIo::new(stream);
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        let uri = |target: &str| format!("https://{host}{target}");
        let answer = sender.send_request(request(uri("/c"))).await.unwrap();
        let mut others = Stream::of(answer).synced().await;
        for n in 0..3 {
            let body = format!("\"{}\"", "x".repeat(100_000));
            let put = http::Request::put(uri(&format!("/c/{n}")));
            let put = put.header("content-type", "application/json");
            let stream = tls(&server, &certificate, &[b"h2"]).await;
            let io = TokioIo::new(stream);
            let (mut writer, connection) =
                http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            let put = put
                .body(http_body_util::Full::new(Bytes::from(body)))
                .unwrap();
            let made = writer.send_request(put).await.unwrap();
            assert_eq!(made.status(), 201);
            for stream in [&mut events, &mut others] {
                let (name, data) = stream.next().await.unwrap();
                assert_eq!((&*name, data.len() > 100_000), ("put", true));
            }
        }
        server.signal(Signal::TERM);
        for stream in [&mut events, &mut others] {
            assert_eq!(stream.next().await.unwrap().0, "end");
            assert!(stream.next().await.is_none());
        }
    });
}
