//! What a refusal says (contract §10, RFC 9457).

use crate::harness::Server;

#[test]
fn section_10_every_problem_is_whole_and_its_type_can_be_read() {
    let server = Server::start();
    let tag = server.create("/a/1", "{}");
    let problems = [
        ("bad-target", 400, server.get("/a/%00")),
        ("bad-field", 400, server.get("/a/1").if_none_match("x")),
        ("bad-query", 400, server.get("/a?_x=1")),
        (
            "misdirected",
            421,
            server
                .get("/a")
                .without("host")
                .field("Host", "evil.example"),
        ),
        ("target-too-long", 414, server.get(&"/abc".repeat(300))),
        ("unknown-method", 501, server.request("BREW", "/a/1")),
        ("method-not-allowed", 405, server.post("/a/1", "1")),
        (
            "foreign-site",
            403,
            server.put("/a/1", "1").field("Origin", "null"),
        ),
        ("not-found", 404, server.get("/a/2")),
        (
            "unsupported-content",
            415,
            server.put("/a/1", "1").without("content-type"),
        ),
        (
            "partial-put",
            400,
            server
                .put("/a/1", "1")
                .field("Content-Range", "bytes 0-0/1"),
        ),
        (
            "not-acceptable",
            406,
            server.get("/a/1").field("Accept", "text/html"),
        ),
        ("precondition-required", 428, server.put("/a/1", "1")),
        ("stale", 412, server.put("/a/1", "1").if_match("\"x\"")),
        ("malformed", 400, server.put("/a/1", "{").if_match(&tag)),
        (
            "patch-conflict",
            409,
            server
                .patch("/a/1", r#"[{"op":"remove","path":"/x"}]"#)
                .if_match(&tag),
        ),
        (
            "range-not-satisfiable",
            416,
            server.get("/a/1").field("Range", "bytes=9-"),
        ),
    ];
    for (name, code, request) in problems {
        let body = request.send().status(code).problem(name);
        let page = server.get(body["type"].as_str().unwrap()).send();
        let page = page.status(200).json();
        assert_eq!(page["title"], body["title"], "{name}");
        assert_eq!(page["status"], code, "{name}");
    }
    server.holds("/a/1", "{}", &tag);
}

#[test]
fn section_10_a_refused_head_has_the_fields_and_no_content() {
    let server = Server::start();
    let mut connection = server.connect();
    let refused = connection.request("HEAD", "/a/1").send();
    refused
        .status(404)
        .has("content-type", "application/problem+json");
    // Nothing is left over on the connection.
    connection.get("/a").send().status(200);
}

#[test]
fn section_10_a_detail_holds_no_paths_of_the_machine() {
    let server = Server::start();
    let data = server.data().to_str().unwrap().to_owned();
    for request in [
        server.get("/a/1"),
        server.put("/a/1", "{"),
        server.get("/_/none"),
    ] {
        let refused = request.send();
        let text = String::from_utf8(refused.body).unwrap();
        assert!(!text.contains(&data), "{text}");
    }
}

#[test]
fn section_10_what_a_request_holds_is_quoted_safely() {
    let server = Server::start();
    let refused = server.get("/a?_%22%5C%0A%3Cscript%3E=1").send();
    let problem = refused.status(400).problem("bad-query");
    assert!(problem["detail"].is_string());
    refused.has("content-type", "application/problem+json");
}

#[test]
fn section_10_what_is_no_http_is_a_problem_too() {
    let server = Server::start();
    let host = server.host();
    let messages = [
        "GARBAGE\r\n\r\n".to_owned(),
        format!("GET /a b HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nbad name: x\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nX: a\r\n folded\r\n\r\n"),
        format!("PUT /a/1 HTTP/1.1\r\nHost: {host}\r\nContent-Length: +1\r\n\r\n1"),
        format!(
            "PUT /a/1 HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12"
        ),
    ];
    for message in messages {
        let mut connection = server.connect();
        connection.send(&message);
        let refused = connection.read("GET");
        assert_eq!(refused.code, 400, "{message}: {refused}");
        refused.has("connection", "close").problem("bad-framing");
        assert!(connection.is_closed());
    }
}
