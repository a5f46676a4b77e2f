//! Too much of something: each limit has its answer, and none costs the server more
//! memory than it allows.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::harness::Server;

const KIB: usize = 1_024;
const MIB: usize = 1_024 * KIB;

/// How much the server's memory may grow over a request that is refused: the largest
/// document in a few copies, and what the allocator keeps of them. Far less than what is sent.
const GROWTH_KIB: usize = 64 * KIB;

/// A head of a PUT that would replace `/a/1`.
fn head(server: &Server, fields: &str) -> String {
    format!(
        "PUT /a/1 HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nIf-Match: *\r\n{fields}\r\n\r\n",
        server.host()
    )
}

#[test]
fn section_3_line_1_fields_over_the_limit() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let long = |bytes: usize| {
        server
            .put("/a/1", "2")
            .if_match("*")
            .field("X", &"x".repeat(bytes))
    };
    for bytes in [32 * KIB, 60 * KIB] {
        long(bytes).send().status(431).problem("fields-too-large");
    }
    for bytes in [64 * KIB, MIB] {
        let mut connection = server.connect();
        connection.send(long(bytes).bytes());
        connection.read("PUT").status(431);
        assert!(connection.is_closed());
    }
    let many = |count: usize| {
        let begin = server.put("/a/1", "2").if_match("*");
        (0..count).fold(begin, |request, n| request.field(&format!("X-{n}"), "x"))
    };
    for count in [101, 150] {
        many(count).send().status(431).problem("fields-too-large");
    }
    for count in [300, 3_000] {
        let mut connection = server.connect();
        connection.send(many(count).bytes());
        connection.read("PUT").status(431);
        assert!(connection.is_closed());
    }
    server.holds("/a/1", "1", &tag);
    long(31 * KIB).send().status(204);
    many(90).send().status(204);
}

#[test]
fn section_3_line_1_a_target_over_the_limit() {
    let server = Server::start();
    let long = |bytes: usize| server.get(&format!("/a?{}", "x".repeat(bytes)));
    for bytes in [16 * KIB, 60_000] {
        long(bytes).send().status(414).problem("target-too-long");
    }
    // Over what is read of a head at all, the target is not told from the fields.
    for bytes in [64 * KIB, MIB] {
        let mut connection = server.connect();
        connection.send(long(bytes).bytes());
        let code = connection.read("GET").code;
        assert!([414, 431].contains(&code), "{code}");
        assert!(connection.is_closed());
    }
    server.get("/a?b=1").send().status(200);
}

#[test]
fn section_2_json_of_any_depth_is_refused_without_harm() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let deep = |open: &str, close: &str| {
        let depth = 100_000;
        [open.repeat(depth), "1".to_owned(), close.repeat(depth)].concat()
    };
    let bodies = [
        deep("[", "]"),
        deep("{\"a\":", "}"),
        deep("[{\"a\":", "}]"),
        "[".repeat(4 * MIB),
    ];
    for body in bodies {
        for request in [
            server.put("/a/1", &body),
            server.merge("/a/1", &body),
            server.patch("/a/1", &body),
            server.patch(
                "/a/1",
                format!("[{{\"op\":\"add\",\"path\":\"\",\"value\":{body}}}]"),
            ),
        ] {
            let code = request.if_match("*").send().code;
            // What wraps the largest body is over the other limit.
            assert!([400, 413].contains(&code), "{code}");
        }
        server
            .post("/a", &body)
            .send()
            .status(400)
            .problem("malformed");
    }
    server.holds("/a/1", "1", &tag);
}

#[test]
fn section_3_line_12_2_gib_are_refused_before_they_are_sent() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    for fields in [
        "Content-Length: 2147483648",
        "Content-Length: 2147483648\r\nExpect: 100-continue",
        "Content-Length: 9223372036854775807",
        "Content-Length: 4194305",
    ] {
        let mut connection = server.connect();
        connection.send(head(&server, fields));
        let answer = connection.read_any("PUT");
        answer.status(413).problem("content-too-large");
        assert!(connection.is_closed());
    }
    server.holds("/a/1", "1", &tag);
}

#[test]
fn section_3_2_gib_in_chunks_are_refused_at_the_limit() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let before = server.peak_kib();
    let mut connection = server.connect();
    connection.send(head(&server, "Transfer-Encoding: chunked"));
    let chunk = format!("10000\r\n{}\r\n", "1".repeat(64 * KIB));
    let sent = (0..2 * KIB * MIB / (64 * KIB))
        .take_while(|_| connection.try_send(&chunk).is_ok())
        .count();
    assert!(sent < KIB, "{sent} chunks were taken");
    connection
        .read("PUT")
        .status(413)
        .problem("content-too-large");
    assert!(connection.is_closed());
    let grown = server.peak_kib() - before;
    assert!(grown < GROWTH_KIB, "the memory grew by {grown} KiB");
    server.holds("/a/1", "1", &tag);
}

#[test]
fn section_2_a_gzip_bomb_is_refused_at_the_limit() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let mut mebibyte = GzEncoder::new(Vec::new(), Compression::best());
    mebibyte.write_all(&vec![b'1'; MIB]).unwrap();
    // RFC 1952 §2.2: members one after the other are one content.
    let bomb = mebibyte.finish().unwrap().repeat(1_024);
    assert!(bomb.len() < 4 * MIB);
    let before = server.peak_kib();
    let request = server.put("/a/1", &bomb).if_match("*");
    let answer = request.field("Content-Encoding", "gzip").send();
    answer.status(413).problem("content-too-large");
    let grown = server.peak_kib() - before;
    assert!(grown < GROWTH_KIB, "the memory grew by {grown} KiB");
    server.holds("/a/1", "1", &tag);
}

#[test]
fn connections_over_the_limit_are_told_so() {
    let server = Server::with(&["--max-connections", "2"]);
    let mut first = server.connect();
    first.put("/a/1", "1").send().status(201);
    let mut second = server.connect();
    second.get("/a/1").send().status(200);
    for _ in 0..10 {
        let mut third = server.connect();
        let refused = third.read("GET");
        refused
            .status(503)
            .has("connection", "close")
            .has("cache-control", "no-store");
        assert!(refused.maybe("retry-after").is_some());
        refused.problem("unavailable");
        assert!(third.is_closed());
    }
    second.get("/a/1").send().status(200);
    drop(first);
    // The server notices the free place when it notices the end.
    while server.get("/a/1").send().code != 200 {}
    second.get("/a/1").send().status(200);
}
