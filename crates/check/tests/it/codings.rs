//! Which representation is sent (contract §1, §3 line 13; RFC 9110 §12).

use std::io::Read;

use flate2::read::GzDecoder;

use crate::harness::Server;

fn body() -> String {
    format!("[{}1]", "\"again and again\",".repeat(300))
}

#[test]
fn section_3_line_13_accept_admits_the_stored_type_or_nothing() {
    let server = Server::start();
    server.create("/a/1", "1");
    let ask = |accept: &str| server.get("/a/1").field("Accept", accept).send();
    let good = [
        "application/json",
        "Application/JSON",
        "application/*",
        "*/*",
        "text/html, */*;q=0.1",
        "text/html;q=0.9, application/json;q=0.1",
        "application/*;q=0, application/json",
        "",
    ];
    for accept in good {
        let answer = ask(accept);
        assert_eq!(answer.code, 200, "{accept}: {answer}");
    }
    let bad = [
        "text/html",
        "text/*",
        "application/json;q=0",
        "*/*, application/json;q=0",
        "application/*;q=0.0",
        "application/problem+json",
    ];
    for accept in bad {
        let answer = ask(accept);
        assert_eq!(answer.code, 406, "{accept}: {answer}");
        let problem = answer.problem("not-acceptable");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("application/json"), "{detail}");
    }
}

#[test]
fn section_1_each_coding_is_a_representation_with_its_own_tag() {
    let server = Server::start();
    let plain = server.create("/a/1", body());
    for coding in ["gzip", "br", "zstd"] {
        let read = server.get("/a/1").field("Accept-Encoding", coding).send();
        read.status(200).has("content-encoding", coding);
        let expected = format!("{}+{coding}\"", plain.trim_end_matches('"'));
        read.has("etag", &expected);
        read.has("content-length", &read.body.len().to_string());
        assert!(read.body.len() < body().len());
        let fields = read.members("vary");
        assert!(fields.contains(&"accept-encoding".to_owned()));
    }
    let coded = server.get("/a/1").field("Accept-Encoding", "gzip").send();
    let mut text = String::new();
    GzDecoder::new(&coded.body[..])
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, body());
}

#[test]
fn section_3_line_13_accept_encoding_chooses() {
    let server = Server::start();
    server.create("/a/1", body());
    let cases = [
        ("gzip", Some("gzip")),
        ("x-gzip", Some("gzip")),
        ("GZIP", Some("gzip")),
        ("gzip;q=0", None),
        ("gzip;q=0.5, br;q=0.9", Some("br")),
        ("zstd;q=0.1, gzip;q=0.2", Some("gzip")),
        ("identity, gzip;q=0.5", None),
        ("deflate", None),
        ("", None),
        ("gzip, *;q=0", Some("gzip")),
        ("br;q=0, zstd;q=0, *", Some("gzip")),
    ];
    for (accepted, coding) in cases {
        let read = server.get("/a/1").field("Accept-Encoding", accepted).send();
        assert_eq!(
            read.status(200).maybe("content-encoding"),
            coding,
            "{accepted}"
        );
    }
    for accepted in ["identity;q=0", "*;q=0", "deflate, *;q=0"] {
        let read = server.get("/a/1").field("Accept-Encoding", accepted).send();
        assert_eq!(read.code, 406, "{accepted}: {read}");
    }
}

#[test]
fn section_2_a_short_document_is_sent_as_it_is() {
    let server = Server::start();
    let tag = server.create("/a/1", "[1]");
    let read = server
        .get("/a/1")
        .field("Accept-Encoding", "gzip, br")
        .send();
    read.status(200)
        .no_field("content-encoding")
        .has("etag", &tag);
}

#[test]
fn section_3_line_1_malformed_negotiation_fields() {
    let server = Server::start();
    server.create("/a/1", body());
    for (name, value) in [
        ("Accept", "application"),
        ("Accept", "*/json"),
        ("Accept", "application/json;q=2"),
        ("Accept-Encoding", "gzip;q=x"),
        ("Accept-Encoding", "gzip br"),
    ] {
        let read = server.get("/a/1").field(name, value).send();
        assert_eq!(read.code, 400, "{name}: {value}: {read}");
        read.problem("bad-field");
    }
}

#[test]
fn section_3_line_11_a_malformed_content_type_is_refused() {
    let server = Server::start();
    for value in [
        "json",
        "application/",
        "/json",
        "application/json; x",
        "a/b c",
    ] {
        let refused = server.request("PUT", "/a/1").content(value, "1").send();
        assert!(matches!(refused.code, 400 | 415), "{value}: {refused}");
    }
    let twice = server
        .put("/a/1", "1")
        .field("Content-Type", "text/plain")
        .send();
    twice.status(400).problem("bad-field");
    server.get("/a/1").send().status(404);
}

#[test]
fn section_6_a_list_is_sent_in_the_coding_asked_for() {
    let server = Server::start();
    for number in 0..40 {
        server.create(&format!("/a/{number}"), body());
    }
    let plain = server.get("/a").send();
    let coded = server.get("/a").field("Accept-Encoding", "gzip").send();
    coded.status(200).has("content-encoding", "gzip");
    let mut text = Vec::new();
    GzDecoder::new(&coded.body[..])
        .read_to_end(&mut text)
        .unwrap();
    plain.is_body(&text);
}
