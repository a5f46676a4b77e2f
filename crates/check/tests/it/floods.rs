//! HTTP/2 as an attacker speaks it, frame by frame (RFC 9113 §10.5), and bombs: the
//! connection is given up, the memory stays, and others are served.

use std::io::ErrorKind::{TimedOut, WouldBlock};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::harness::Server;

/// How much the server's memory may grow over one such connection.
const GROWTH_KIB: usize = 64 * 1_024;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// `GET /a/1`, in HPACK without its dynamic table (RFC 7541 §6).
fn get(authority: &str) -> Vec<u8> {
    // `:method: GET` and `:scheme: http` by index, then `:path` and `:authority`.
    let mut block = vec![0x82, 0x86, 0x04, 4];
    block.extend(b"/a/1");
    block.extend([0x01, u8::try_from(authority.len()).unwrap()]);
    block.extend(authority.as_bytes());
    block
}

/// Sends frames until the server has closed, or there are no more; whether it said
/// GOAWAY with a code that is an error.
fn attack(server: &Server, frames: impl Iterator<Item = Vec<u8>>) -> bool {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let mut answers = stream.try_clone().unwrap();
    let reader = thread::spawn(move || {
        let mut received = Vec::new();
        let _ = answers.read_to_end(&mut received);
        received
    });
    let mut open = stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .is_ok()
        && stream.write_all(&frame(SETTINGS, 0, 0, &[])).is_ok();
    for frame in frames {
        open = open && stream.write_all(&frame).is_ok();
        if !open {
            break;
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Write);
    went_away(&reader.join().unwrap())
}

/// Whether a GOAWAY with an error is among these frames.
fn went_away(mut bytes: &[u8]) -> bool {
    while let Some((head, rest)) = bytes.split_at_checked(9) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let Some((payload, rest)) = rest.split_at_checked(length) else {
            return false;
        };
        if head[3] == GOAWAY && payload[4..8] != [0; 4] {
            return true;
        }
        bytes = rest;
    }
    false
}

#[track_caller]
fn bounded(frames: impl Fn(&Server) -> Box<dyn Iterator<Item = Vec<u8>>>) {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let before = server.peak_kib();
    assert!(attack(&server, frames(&server)), "the server bears it");
    let grown = server.peak_kib() - before;
    assert!(grown < GROWTH_KIB, "the memory grew by {grown} KiB");
    server.holds("/a/1", "1", &tag);
}

/// CVE-2023-44487: requests that are taken back at once.
#[test]
fn rapid_reset_is_given_up() {
    bounded(|server| {
        let get = get(&server.host());
        Box::new((0..200_000_u32).map(move |n| {
            let stream = 2 * n + 1;
            let mut both = frame(HEADERS, END_HEADERS | END_STREAM, stream, &get);
            both.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            both
        }))
    });
}

/// CVE-2024-27316: a header section that never ends.
#[test]
fn continuations_without_end_are_given_up() {
    bounded(|server| {
        let begin = frame(HEADERS, END_STREAM, 1, &get(&server.host()));
        // Literal fields, never indexed, with the name `x` and a long value.
        let mut field = vec![0x10, 1, b'x', 0x7f, 0x81, 0x07];
        field.extend([b'a'; 1_024]);
        let more = frame(CONTINUATION, 0, 1, &field.repeat(15));
        Box::new(std::iter::once(begin).chain(std::iter::repeat_n(more, 10_000)))
    });
}

/// A list of fields over the limit that compresses to nothing.
#[test]
fn a_header_bomb_is_refused() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let before = server.peak_kib();
    // One field of 3 KiB goes to the dynamic table, then is named thousands of times.
    let mut block = get(&server.host());
    block.extend([0x40, 1, b'x', 0x7f, 0x81, 0x17]);
    block.extend([b'a'; 3 * 1_024]);
    block.extend([0xbe; 12_000]);
    let bomb = |n: u32| frame(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, &block);
    attack(&server, (0..100).map(bomb));
    let grown = server.peak_kib() - before;
    assert!(grown < GROWTH_KIB, "the memory grew by {grown} KiB");
    server.holds("/a/1", "1", &tag);
}

/// Contents that become a thousand times as large: not all of them at once.
#[test]
fn many_bombs_at_once_take_the_memory_of_a_few() {
    // Each may have four megabytes unpacked, and takes half a one besides.
    const CLIENTS: usize = 32;
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let mut coded = GzEncoder::new(Vec::new(), Compression::best());
    coded.write_all(&vec![b' '; 64 * 1_024 * 1_024]).unwrap();
    let bomb = coded.finish().unwrap();
    let mut request = format!(
        "PUT /a/2 HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        server.host(),
        bomb.len()
    )
    .into_bytes();
    request.extend(bomb);
    let before = server.peak_kib();
    let clients = std::iter::repeat_with(|| TcpStream::connect(server.address()).unwrap());
    let mut clients: Vec<_> = clients.take(CLIENTS).collect();
    for client in &mut clients {
        client.write_all(&request).unwrap();
    }
    for mut client in clients {
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer);
        assert!(answer.starts_with(b"HTTP/1.1 413 "));
    }
    let grown = server.peak_kib() - before;
    assert!(grown < GROWTH_KIB, "the memory grew by {grown} KiB");
    server.holds("/a/1", "1", &tag);
}

/// Contents that are sent but for their last byte, by more clients than there is room for:
/// some are refused, and small saves go on.
#[test]
fn contents_that_never_end_have_a_bound_together() {
    const CLIENTS: usize = 200;
    const CONTENT_BYTES: usize = 4 * 1_024 * 1_024;
    /// How many of them there is room for.
    const ROOM: usize = 128;
    const HELD_KIB: usize = ROOM * CONTENT_BYTES / 1_024 + GROWTH_KIB;
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let large = format!("\"{}\"", "x".repeat(CONTENT_BYTES / 2));
    let repeated = || {
        let request = server.put("/a/4", large.as_str());
        request.field("Idempotency-Key", "\"once\"").send()
    };
    repeated().status(201);
    let before = server.peak_kib();
    let head = format!(
        "PUT /a/2 HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Content-Length: {CONTENT_BYTES}\r\n\r\n",
        server.host(),
    );
    let content = vec![b' '; CONTENT_BYTES - 1];
    let mut held = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = TcpStream::connect(server.address()).unwrap();
        client.write_all(head.as_bytes()).unwrap();
        // Who is refused before all of it was sent may find the connection closed.
        if client.write_all(&content).is_ok() {
            let wait = std::time::Duration::from_millis(1);
            client.set_read_timeout(Some(wait)).unwrap();
            held.push(client);
        }
    }
    for round in 0.. {
        held.retain_mut(|client| {
            let mut answer = [0; 12];
            match client.read(&mut answer) {
                Ok(count) => {
                    assert_eq!(&answer[..count], b"HTTP/1.1 503");
                    false
                }
                Err(error) => matches!(error.kind(), WouldBlock | TimedOut),
            }
        });
        if held.len() <= ROOM {
            break;
        }
        assert!(round < 1_000, "{} contents are held", held.len());
    }
    let grown = server.peak_kib() - before;
    assert!(grown < HELD_KIB, "the memory grew by {grown} KiB");
    server.holds("/a/1", "1", &tag);
    server.replace("/a/1", "2");
    // There is no room for another one, and the client is told when to come back.
    for refused in [server.put("/a/3", large.as_str()).send(), repeated()] {
        refused
            .status(503)
            .has("retry-after", "2")
            .problem("unavailable");
    }
    drop(held);
    while server.put("/a/3", large.as_str()).send().code == 503 {}
    repeated().status(201);
    assert_eq!(server.get("/a/3").send().body.len(), large.len());
}

/// CVE-2019-9512, CVE-2019-9515: frames that must be answered, and nobody reads.
#[test]
fn pings_and_settings_that_nobody_reads_are_bounded() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let before = server.peak_kib();
    let mut streams = Vec::new();
    for kind in [
        frame(PING, 0, 0, &[0; 8]),
        frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]),
    ] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream
            .set_write_timeout(Some(std::time::Duration::from_secs(1)))
            .unwrap();
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .unwrap();
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
        let many = kind.repeat(1_000);
        // Until the server closes, or reads no more.
        if (0..2_000).all(|_| stream.write_all(&many).is_ok()) {
            panic!("the server takes millions of frames and keeps their answers");
        }
        streams.push(stream);
    }
    let grown = server.peak_kib() - before;
    assert!(grown < GROWTH_KIB, "the memory grew by {grown} KiB");
    server.holds("/a/1", "1", &tag);
}
