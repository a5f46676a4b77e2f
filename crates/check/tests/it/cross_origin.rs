//! Pages of other origins: who may write, who may read (contract §3 line 5, §11).

use crate::harness::{Answer, Server};

const OURS: &str = "https://app.example";
const EXPOSED: &str = "ETag, Last-Modified, Location, Content-Location, Content-Range, Link, Allow, Accept-Patch, Retry-After, Preference-Applied, WWW-Authenticate, Request-Id, Matchbook-Version, RateLimit, RateLimit-Policy";
const REQUEST_FIELDS: &str = "Authorization, Content-Type, If-Match, If-None-Match, If-Modified-Since, Prefer, Idempotency-Key, Last-Event-ID, Range";

fn server() -> Server {
    Server::with(&[
        "--cors-origin",
        OURS,
        "--cors-origin",
        "http://localhost:5173",
    ])
}

#[track_caller]
fn is_shared(answer: &Answer) {
    answer.has("access-control-allow-origin", OURS);
    answer.lists("access-control-expose-headers", EXPOSED);
    assert!(
        answer.members("vary").contains(&"origin".to_owned()),
        "{answer}"
    );
}

#[test]
fn section_3_line_5_a_foreign_page_may_not_write() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let host = server.host();
    let foreign = [
        ("Origin", "https://evil.example".to_owned()),
        ("Origin", "null".to_owned()),
        ("Origin", "http://127.0.0.1:1".to_owned()),
        ("Origin", "http://localhost".to_owned()),
        ("Origin", format!("ftp://{host}")),
        ("Sec-Fetch-Site", "cross-site".to_owned()),
        ("Sec-Fetch-Site", "same-site".to_owned()),
    ];
    for (name, value) in &foreign {
        let requests = [
            server.put("/a/1", "2").if_match(&tag),
            server.put("/a/2", "2"),
            server.merge("/a/1", "2").if_match(&tag),
            server.delete("/a/1").if_match(&tag),
            server.post("/a", "2"),
        ];
        for request in requests {
            let refused = request.field(name, value).send();
            assert_eq!(refused.code, 403, "{name}: {value}: {refused}");
            refused.problem("foreign-site");
        }
        server.get("/a/1").field(name, value).send().status(200);
    }
    server.holds("/a/1", "1", &tag);
    let list = server.get("/a").send().json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[test]
fn section_3_line_5_our_own_pages_and_no_browser_may_write() {
    let server = Server::start();
    let own = format!("http://{}", server.host());
    let cases = [
        vec![("Origin", own.as_str())],
        vec![("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin")],
        vec![("Sec-Fetch-Site", "same-origin")],
        vec![("Sec-Fetch-Site", "none")],
        vec![],
    ];
    for fields in cases {
        let mut request = server.post("/a", "1");
        for (name, value) in fields {
            request = request.field(name, value);
        }
        request.send().status(201);
    }
}

#[test]
fn section_3_line_5_configured_origins_may_write() {
    let server = server();
    let made = server
        .put("/a/1", "1")
        .field("Origin", OURS)
        .field("Sec-Fetch-Site", "cross-site")
        .send();
    is_shared(made.status(201));
    let near = [
        "https://app.example:8443",
        "http://app.example",
        "https://app.example.evil.example",
        "https://x.app.example",
    ];
    for origin in near {
        let refused = server.put("/a/2", "1").field("Origin", origin).send();
        refused.status(403).problem("foreign-site");
        refused.no_field("access-control-allow-origin");
    }
}

#[test]
fn section_11_a_preflight_is_answered() {
    let server = server();
    for target in ["/a/1", "/a", "/", "/_/health"] {
        let answer = server
            .request("OPTIONS", target)
            .field("Origin", OURS)
            .field("Access-Control-Request-Method", "PUT")
            .field("Access-Control-Request-Headers", "if-match,content-type")
            .send();
        is_shared(answer.status(204));
        answer.lists("access-control-allow-headers", REQUEST_FIELDS);
        let methods = answer.members("access-control-allow-methods");
        for method in ["put", "patch", "delete"] {
            assert!(methods.contains(&method.to_owned()), "{answer}");
        }
        let age: u64 = answer.field("access-control-max-age").parse().unwrap();
        assert!(age > 0);
    }
}

#[test]
fn section_11_a_preflight_of_another_origin_learns_nothing() {
    let server = server();
    for origin in ["https://evil.example", "null", "https://APP.example"] {
        let answer = server
            .request("OPTIONS", "/a/1")
            .field("Origin", origin)
            .field("Access-Control-Request-Method", "PUT")
            .send();
        answer.status(204);
        answer.no_field("access-control-allow-origin");
        answer.no_field("access-control-allow-methods");
        answer.no_field("access-control-allow-headers");
    }
}

#[test]
fn section_11_every_answer_is_exposed() {
    let server = server();
    let body = format!("\"{}\"", "x".repeat(2_000));
    let made = server.put("/a/1", &body).field("Origin", OURS).send();
    let tag = made.tag();
    is_shared(made.status(201));
    let get = |target: &str| server.get(target).field("Origin", OURS);
    let answers = [
        (200, get("/a/1")),
        (200, get("/a/1").field("Accept-Encoding", "gzip")),
        (304, get("/a/1").if_none_match(&tag)),
        (206, get("/a/1").field("Range", "bytes=0-1")),
        (416, get("/a/1").field("Range", "bytes=9999-")),
        (404, get("/a/2")),
        (406, get("/a/1").field("Accept", "image/png")),
        (308, get("/a/")),
        (400, get("/a/%00")),
        (400, get("/a?_x=1")),
        (400, get("/a/1").if_none_match("x")),
        (
            400,
            server.get("/a/1").if_none_match("x").field("Origin", OURS),
        ),
        (400, get("/a/1").without("host").field("Host", "not a host")),
        (
            421,
            get("/a/1").without("host").field("Host", "evil.example"),
        ),
        (200, get("/a")),
        (200, get("/a").field("Accept", "application/x-ndjson")),
        (200, get("/")),
        (200, get("/_/health")),
        (404, get("/_/none")),
        (204, server.request("OPTIONS", "/a").field("Origin", OURS)),
        (501, server.request("BREW", "/a").field("Origin", OURS)),
        (405, server.request("PUT", "/a").field("Origin", OURS)),
        (
            412,
            server
                .put("/a/1", "1")
                .field("Origin", OURS)
                .if_match("\"x\""),
        ),
        (428, server.put("/a/1", "1").field("Origin", OURS)),
        (
            415,
            server
                .put("/a/1", "1")
                .field("Origin", OURS)
                .without("content-type"),
        ),
        (400, server.put("/a/2", "{").field("Origin", OURS)),
        (
            204,
            server.put("/a/1", "1").field("Origin", OURS).if_match(&tag),
        ),
        (
            204,
            server.delete("/a/1").field("Origin", OURS).if_match("*"),
        ),
    ];
    let mut withheld = Vec::new();
    for (code, request) in answers {
        let answer = request.send();
        answer.status(code);
        if answer.maybe("access-control-allow-origin").is_none() {
            withheld.push(answer.to_string());
            continue;
        }
        is_shared(&answer);
    }
    assert!(withheld.is_empty(), "not shared: {}", withheld.concat());
}

#[test]
fn section_2_vary_names_origin_for_everyone_where_cors_is_configured() {
    let server = server();
    server.create("/a/1", "1");
    for target in ["/a/1", "/a", "/a/2"] {
        let answer = server.get(target).send();
        answer.no_field("access-control-allow-origin");
        assert!(
            answer.members("vary").contains(&"origin".to_owned()),
            "{answer}"
        );
        let foreign = server
            .get(target)
            .field("Origin", "https://evil.example")
            .send();
        foreign.no_field("access-control-allow-origin");
        foreign.no_field("access-control-expose-headers");
    }
}

#[test]
fn section_11_without_configuration_no_origin_is_ever_shared_with() {
    let server = Server::start();
    server.create("/a/1", "1");
    for origin in [
        "null",
        "https://evil.example",
        &format!("http://{}", server.host()),
    ] {
        let read = server.get("/a/1").field("Origin", origin).send();
        read.status(200).no_field("access-control-allow-origin");
        read.no_field("access-control-allow-credentials");
    }
}
