//! What may be stored, and that it comes back as it was sent (contract §2).

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::harness::Server;

const LIMIT: usize = 4 * 1_024 * 1_024;

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// A JSON string of so many bytes, quotes included.
fn string_of(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

#[test]
fn section_2_json_is_stored_as_sent() {
    let server = Server::start();
    let documents = [
        " \t\r\n{ \"b\" : 1.0 ,\n\"a\":[ ] } \n",
        r#"{"n":[1.0,1e400,-0,0.10,1E+2,123456789012345678901234567890]}"#,
        r#"{"\u0061":"\u00e9\/\ud83d\ude00","é":"\b\f"}"#,
        "\"\u{2028}\u{10FFFF}\u{7f}\"",
        "null",
        "true",
        "-0.0e-0",
        "\"\"",
        "[]",
        "{\"\":{\"\":{}}}",
        "{\"a\":1,\"A\":2,\"a \":3}",
        "{\"__proto__\":1,\"constructor\":2}",
    ];
    for (index, document) in documents.iter().enumerate() {
        let target = format!("/a/{index}");
        let tag = server.create(&target, document);
        server.holds(&target, document, &tag);
    }
}

#[test]
fn section_2_other_types_are_stored_as_bytes() {
    let server = Server::start();
    let every_byte: Vec<u8> = (0..=255).collect();
    let cases: [(&str, &[u8]); 6] = [
        ("application/octet-stream", &every_byte),
        ("text/plain; charset=utf-8", "é".as_bytes()),
        ("text/plain;charset=\"a b\"", b""),
        ("image/png", b"\x89PNG\r\n\x1a\n"),
        ("application/merge-patch+json", b"{}"),
        ("application/vnd.x+json; profile=\"y\"", b"[1]"),
    ];
    for (index, (content_type, body)) in cases.iter().enumerate() {
        let target = format!("/a/{index}");
        let made = server
            .request("PUT", &target)
            .content(content_type, body)
            .send();
        made.status(201);
        let read = server.get(&target).send();
        read.status(200).is_body(body);
        read.has("content-type", content_type);
        read.has("content-length", &body.len().to_string());
    }
}

#[test]
fn section_2_an_empty_body_is_a_document_of_a_type_that_is_not_json() {
    let server = Server::start();
    let made = server
        .request("PUT", "/a/1")
        .content("text/plain", "")
        .send();
    made.status(201);
    let read = server.get("/a/1").send();
    read.status(200).has("content-length", "0").is_body("");
    let empty = server.put("/a/2", "").send();
    empty.status(400).problem("malformed");
    let unframed = server
        .request("PUT", "/a/3")
        .field("Content-Type", "text/plain")
        .send();
    unframed.status(201);
}

#[test]
fn section_2_a_write_says_what_its_content_is() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let requests = [
        server.put("/a/2", "1"),
        server.put("/a/1", "2").if_match(&tag),
        server.post("/a", "1"),
        server.merge("/a/1", "2").if_match(&tag),
    ];
    for request in requests {
        let refused = request.without("content-type").send();
        let problem = refused.status(415).problem("unsupported-content");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("Content-Type"), "{detail}");
    }
    server.holds("/a/1", "1", &tag);
}

#[test]
fn section_2_form_types_are_refused() {
    let server = Server::start();
    let forms = [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded; charset=utf-8",
        "multipart/form-data; boundary=x",
    ];
    for form in forms {
        for (method, target) in [("PUT", "/a/1"), ("POST", "/a")] {
            let refused = server.request(method, target).content(form, "a=b").send();
            let problem = refused.status(415).problem("unsupported-content");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("application/json"), "{detail}");
        }
    }
    server.get("/a/1").send().status(404);
}

#[test]
fn section_2_what_is_no_json_is_refused_with_the_byte() {
    let server = Server::start();
    let cases: [(&[u8], usize); 10] = [
        (b"{\"a\":1,\"a\":2}", 7),
        (b"{\"a\":1,\"\\u0061\":2}", 7),
        (b"\"\\ud800\"", 1),
        (b"[1,]", 3),
        (b"1 2", 2),
        (b"\xEF\xBB\xBF1", 0),
        (b"\"\xFF\"", 1),
        (b"[01]", 2),
        (b"{\"a\" 1}", 5),
        (b"nul", 3),
    ];
    for (body, offset) in cases {
        let refused = server.put("/a/1", body).send();
        let problem = refused.status(400).problem("malformed");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.contains(&offset.to_string()),
            "{}: {detail}",
            String::from_utf8_lossy(body)
        );
    }
    server.get("/a/1").send().status(404);
}

#[test]
fn section_2_json_is_nested_at_most_128_deep() {
    let server = Server::start();
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    server.create("/a/1", nested(128));
    let refused = server.put("/a/2", nested(129)).send();
    refused.status(400).problem("malformed");
    let far = server.put("/a/2", nested(100_000)).send();
    far.status(400).problem("malformed");
    let objects = "{\"a\":".repeat(129) + "1" + &"}".repeat(129);
    let refused = server.put("/a/2", objects).send();
    refused.status(400).problem("malformed");
}

#[test]
fn section_2_a_document_may_have_4_mib_and_not_a_byte_more() {
    let server = Server::start();
    let just = string_of(LIMIT);
    let tag = server.create("/a/1", &just);
    server.holds("/a/1", &just, &tag);
    let over = server
        .put("/a/1", string_of(LIMIT + 1))
        .if_match(&tag)
        .send();
    over.status(413).problem("content-too-large");
    server.holds("/a/1", &just, &tag);
}

#[test]
fn section_3_line_18_chunks_over_the_limit_are_refused_while_they_are_read() {
    let server = Server::start();
    let mut connection = server.connect();
    connection.send(format!(
        "PUT /a/1 HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n",
        server.host()
    ));
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
    for _ in 0..5 {
        connection.send(&chunk);
    }
    let refused = connection.read("PUT");
    refused.status(413).problem("content-too-large");
    server.get("/a/1").send().status(404);
}

#[test]
fn section_2_a_body_in_chunks_is_stored_decoded() {
    let server = Server::start();
    let made = server.raw(format!(
        "PUT /a/1 HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n3;x=y\r\n, 2\r\n1\r\n]\r\n0\r\nTrailer: 1\r\n\r\n",
        server.host()
    ));
    made.status(201);
    server.holds("/a/1", "[1, 2]", &made.tag());
}

#[test]
fn section_2_gzip_is_undone_before_storing() {
    let server = Server::start();
    let body = format!("[{}1]", "1, ".repeat(10_000));
    let coded = gzip(body.as_bytes());
    let made = server
        .put("/a/1", &coded)
        .field("Content-Encoding", "gzip")
        .send();
    made.status(201);
    let read = server.get("/a/1").send();
    read.status(200).is_body(&body);
    read.no_field("content-encoding");
    for name in ["x-gzip", "GZIP", "identity"] {
        let body = if name == "identity" {
            &b"[1]"[..]
        } else {
            &coded
        };
        let request = server.put("/a/1", body).if_match("*");
        request.field("Content-Encoding", name).send().status(204);
    }
}

#[test]
fn section_3_rfc_9110_9_3_4_a_put_with_a_coding_is_answered_without_validators() {
    let server = Server::start();
    let made = server
        .put("/a/1", gzip(b"[1]"))
        .field("Content-Encoding", "gzip")
        .send();
    made.status(201).no_field("etag").no_field("last-modified");
    let version = made.field("matchbook-version").to_owned();
    server.holds("/a/1", "[1]", &version);
    let saved = server
        .put("/a/1", gzip(b"[2]"))
        .field("Content-Encoding", "gzip")
        .if_match(&version)
        .send();
    saved.status(204).no_field("etag").no_field("last-modified");
    server.holds("/a/1", "[2]", saved.field("matchbook-version"));
    let patched = server
        .merge("/a/1", gzip(b"[3]"))
        .field("Content-Encoding", "gzip")
        .if_match("*")
        .send();
    let tag = patched.status(204).tag();
    server.holds("/a/1", "[3]", &tag);
}

#[test]
fn section_2_what_grows_over_the_limit_is_refused_while_it_is_decoded() {
    let server = Server::start();
    let bomb = gzip(&vec![b' '; 200 * 1_024 * 1_024]);
    assert!(bomb.len() < LIMIT);
    let refused = server
        .put("/a/1", bomb)
        .field("Content-Encoding", "gzip")
        .send();
    refused.status(413).problem("content-too-large");
    let just = server
        .put("/a/1", gzip(string_of(LIMIT).as_bytes()))
        .field("Content-Encoding", "gzip")
        .send();
    just.status(201);
    let over = server
        .put("/a/2", gzip(string_of(LIMIT + 1).as_bytes()))
        .field("Content-Encoding", "gzip")
        .send();
    over.status(413);
}

#[test]
fn section_3_line_11_other_codings_are_refused() {
    let server = Server::start();
    for coding in ["br", "zstd", "deflate", "gzip, gzip", "nonsense"] {
        for (method, target) in [("PUT", "/a/1"), ("POST", "/a")] {
            let request = server.request(method, target).json("1");
            let refused = request.field("Content-Encoding", coding).send();
            refused.status(415).problem("unsupported-content");
            let accepted = refused.members("accept-encoding");
            assert!(accepted.contains(&"gzip".to_owned()), "{refused}");
        }
    }
    server.get("/a/1").send().status(404);
}

#[test]
fn section_3_line_16_what_is_not_gzip_is_malformed() {
    let server = Server::start();
    let mut cut = gzip(b"[1, 2, 3]");
    cut.truncate(cut.len() - 4);
    for body in [&b"plain"[..], &cut, b""] {
        let request = server.put("/a/1", body).field("Content-Encoding", "gzip");
        request.send().status(400).problem("malformed");
    }
    server.get("/a/1").send().status(404);
}

#[test]
fn section_3_line_11_a_part_cannot_be_put() {
    let server = Server::start();
    let tag = server.create("/a/1", "12");
    let refused = server
        .put("/a/1", "3")
        .if_match(&tag)
        .field("Content-Range", "bytes 0-0/2")
        .send();
    refused.status(400).problem("partial-put");
    server.holds("/a/1", "12", &tag);
}
