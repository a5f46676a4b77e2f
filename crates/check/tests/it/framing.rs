//! Where one request ends and the next begins (RFC 9112 §6, §11.2): where that is in
//! doubt, nothing is done, and the connection is closed.

use crate::harness::Server;
use crate::harness::client::Connection;

/// A head to which framing fields and content are added, and which would replace.
fn head(server: &Server) -> String {
    format!(
        "PUT /a/1 HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nIf-Match: *\r\n",
        server.host()
    )
}

/// What must never be run when it follows what is in doubt.
fn smuggled(server: &Server) -> Vec<u8> {
    server.put("/a/smuggled", "666").bytes()
}

/// The codes of all answers until the server closes.
fn answers_until_closed(connection: &mut Connection) -> Vec<u16> {
    let mut codes = Vec::new();
    loop {
        if connection.is_closed() {
            return codes;
        }
        codes.push(connection.read_any("PUT").code);
    }
}

/// Each message is refused with `code`, alone and with a request behind it, in one
/// piece and with a cut behind the head.
#[track_caller]
fn refused_and_closed(code: u16, messages: &[(&str, &str)]) {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    for (fields, content) in messages {
        let begin = format!("{}{fields}\r\n\r\n", head(&server));
        let mut end = content.as_bytes().to_vec();
        end.extend(smuggled(&server));
        for pieces in [1, 2] {
            let mut connection = server.connect();
            if pieces == 1 {
                connection.send([begin.as_bytes(), &end].concat());
            } else {
                connection.send(&begin);
                connection.send(&end);
            }
            let codes = answers_until_closed(&mut connection);
            assert!(codes == [code], "{codes:?} to {fields:?} {content:?}");
        }
    }
    server.holds("/a/1", "1", &tag);
    server.get("/a/smuggled").send().status(404);
}

#[test]
fn section_3_line_1_doubtful_framing_is_refused() {
    let chunks = "1\r\n2\r\n0\r\n\r\n";
    let cases = [
        ("Content-Length: 1\r\nTransfer-Encoding: chunked", chunks),
        ("Transfer-Encoding: chunked\r\nContent-Length: 1", chunks),
        ("Content-Length: 0\r\ntransfer-encoding: chunked", chunks),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            chunks,
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            chunks,
        ),
        ("Transfer-Encoding: chunked, chunked", chunks),
        ("Transfer-Encoding: gzip, chunked", chunks),
        ("Transfer-Encoding: chunked, gzip", chunks),
        ("Transfer-Encoding: gzip", chunks),
        ("Transfer-Encoding: identity", chunks),
        ("Transfer-Encoding: xchunked", chunks),
        ("Transfer-Encoding: chunked;q=1", chunks),
        ("Transfer-Encoding: \u{b}chunked", chunks),
        ("Transfer-Encoding:", chunks),
        ("Content-Length: 1\r\nContent-Length: 1", "2"),
        ("Content-Length: 1\r\nContent-Length: 2", "2"),
        ("Content-Length: 1, 1", "2"),
        ("Content-Length: +1", "2"),
        ("Content-Length: -1", "2"),
        ("Content-Length: 0x1", "2"),
        ("Content-Length: 1e0", "2"),
        ("Content-Length: 1 1", "2"),
        ("Content-Length: one", "2"),
        ("Content-Length:", "2"),
        ("Content-Length: 99999999999999999999999", "2"),
    ];
    refused_and_closed(400, &cases);
}

#[test]
fn section_3_line_1_malformed_field_lines_are_refused() {
    let cases = [
        ("Content-Length : 1", "2"),
        ("Content-Length\t: 1", "2"),
        (" Content-Length: 1", "2"),
        ("X: a\r\n b\r\nContent-Length: 1", "2"),
        ("X: a\r\n\tb\r\nContent-Length: 1", "2"),
        (
            "X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 1",
            "2",
        ),
        ("X: a\0b\r\nContent-Length: 1", "2"),
        ("X: a\rb\r\nContent-Length: 1", "2"),
        ("X: a\u{7f}b\r\nContent-Length: 1", "2"),
        ("Content-Length: 1\0", "2"),
        (": a\r\nContent-Length: 1", "2"),
        ("X\r\nContent-Length: 1", "2"),
        ("X y: a\r\nContent-Length: 1", "2"),
        ("X(y): a\r\nContent-Length: 1", "2"),
        ("Xé: a\r\nContent-Length: 1", "2"),
    ];
    refused_and_closed(400, &cases);
}

#[test]
fn section_3_line_1_malformed_chunks_are_refused() {
    let chunked = "Transfer-Encoding: chunked";
    let contents = [
        "zz\r\n2\r\n0\r\n\r\n",
        "-1\r\n2\r\n0\r\n\r\n",
        "+1\r\n2\r\n0\r\n\r\n",
        "0x1\r\n2\r\n0\r\n\r\n",
        " 1\r\n2\r\n0\r\n\r\n",
        "\r\n2\r\n0\r\n\r\n",
        ";a=b\r\n2\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n2\r\n0\r\n\r\n",
        "1\n2\r\n0\r\n\r\n",
        "1\r2\r\n0\r\n\r\n",
        "1;a\n2\r\n0\r\n\r\n",
        "1;a\rb\r\n2\r\n0\r\n\r\n",
        "1\r\n2\n0\r\n\r\n",
        "1\r\n23\r\n0\r\n\r\n",
        "2\r\n2\r\n0\r\n\r\n",
        "1\r\n2\r\n0\n\r\n",
        "1\r\n2\r\n0\r\n\n",
        "1\r\n2\r\n0\r\nX y\r\n\r\n",
        "1\r\n2\r\n0\r\nX: a\nY: b\r\n\r\n",
        "1\r\n2\r\n0\r\nX: a\n\nGET /a/1 HTTP/1.1\r\n\r\n",
    ];
    refused_and_closed(400, &contents.map(|content| (chunked, content)));
}

/// RFC 9112 §7.1.1, §7.1.2: extensions and trailers mean nothing here, and are no fault.
#[test]
fn rfc_9112_7_1_extensions_and_trailers_are_ignored() {
    let server = Server::start();
    server.create("/a/1", "1");
    let mut connection = server.connect();
    let contents = [
        ("2;a=b;c=\"d\"\r\n10\r\n0;x\r\n\r\n", "10"),
        ("2\t\r\n11\r\n0\r\n\r\n", "11"),
        ("1\r\n1\r\n0000001\r\n2\r\n00\r\n\r\n", "12"),
        (
            "2\r\n13\r\n0\r\nContent-Length: 9\r\nHost: evil.example\r\n\r\n",
            "13",
        ),
        (
            "000000000000000000000000A\r\n\"four\\\"een\r\n1\r\n\"\r\n0\r\n\r\n",
            "\"four\\\"een\"",
        ),
    ];
    for (content, stored) in contents {
        let head = head(&server);
        connection.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n{content}"));
        let tag = connection.read("PUT").status(204).tag();
        server.holds("/a/1", stored, &tag);
    }
}

/// RFC 9112 §2.2: empty lines before a request, and lines that end in LF alone.
#[test]
fn rfc_9112_2_2_what_may_be_tolerated_is() {
    let server = Server::start();
    server.create("/a/1", "1");
    let mut connection = server.connect();
    let head = head(&server);
    connection.send(format!("\r\n\r\n{head}Content-Length: 2\r\n\r\n10"));
    connection.read("PUT").status(204);
    connection.send(format!("{head}Content-Length: 2\n\n11").replace("\r\n", "\n"));
    let tag = connection.read("PUT").status(204).tag();
    server.holds("/a/1", "11", &tag);
}

#[test]
fn a_good_request_before_a_doubtful_one_is_answered() {
    let server = Server::start();
    server.create("/a/1", "1");
    let mut connection = server.connect();
    let head = head(&server);
    let good = format!("{head}Content-Length: 1\r\n\r\n2");
    let doubtful = "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n3\r\n0\r\n\r\n";
    connection.send(
        [
            good.as_bytes(),
            head.as_bytes(),
            doubtful.as_bytes(),
            &smuggled(&server),
        ]
        .concat(),
    );
    let tag = connection.read("PUT").status(204).tag();
    connection
        .read("PUT")
        .status(400)
        .has("connection", "close")
        .problem("bad-framing");
    assert!(connection.is_closed());
    server.holds("/a/1", "2", &tag);
    server.get("/a/smuggled").send().status(404);
}

#[test]
fn what_follows_a_whole_body_is_another_request() {
    let server = Server::start();
    server.create("/a/1", "1");
    let mut connection = server.connect();
    let head = head(&server);
    connection.send(format!(
        "{head}Content-Length: 1\r\n\r\n2345 garbage\r\n\r\n"
    ));
    let tag = connection.read("PUT").status(204).tag();
    connection.read("PUT").status(400);
    assert!(connection.is_closed());
    server.holds("/a/1", "2", &tag);
}

#[test]
fn a_body_that_nobody_wants_is_no_request() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let content = smuggled(&server);
    for refused in [
        server
            .request("PUT", "/a/1")
            .content("application/json", &content),
        server
            .request("GET", "/a/1")
            .content("application/json", &content),
        server
            .request("DELETE", "/a/2")
            .content("application/json", &content),
        server
            .request("PUT", "/a//1")
            .content("application/json", &content),
        server
            .request("POST", "/a/1")
            .content("application/json", &content),
    ] {
        let mut connection = server.connect();
        connection.send(refused.bytes());
        connection.read("GET");
        // The connection goes on or ends, but what comes next is never the content.
        connection.send(server.get("/a/1").bytes());
        if let Ok(next) = connection.try_read("GET") {
            next.status(200).is_body("1");
        }
    }
    server.holds("/a/1", "1", &tag);
    server.get("/a/smuggled").send().status(404);
}

#[test]
fn a_body_shorter_than_announced_stores_nothing() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    for content in [
        "Content-Length: 3\r\n\r\n22",
        "Content-Length: 3\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\n22",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n22\r\n",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n22\r\n0\r\n",
        "Transfer-Encoding: chunked\r\n\r\n",
    ] {
        let message = format!("{}{content}", head(&server));
        let mut half_closed = server.connect();
        half_closed.send(&message);
        half_closed.finish_sending();
        half_closed.read("PUT").status(400).problem("incomplete");
        assert!(half_closed.is_closed());
        let mut gone = server.connect();
        gone.send(&message);
        drop(gone);
    }
    server.holds("/a/1", "1", &tag);
}

#[test]
fn a_client_that_sends_no_more_is_still_answered() {
    let server = Server::start();
    server.create("/a/1", "1");
    let mut connection = server.connect();
    connection.send(format!("{}Content-Length: 1\r\n\r\n2", head(&server)));
    connection.finish_sending();
    let tag = connection.read("PUT").status(204).tag();
    assert!(connection.is_closed());
    server.holds("/a/1", "2", &tag);
}
