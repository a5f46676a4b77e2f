//! What a hostile page can do with a browser on this machine: nothing (contract §2, §3
//! lines 1 and 5, §11 open mode).

use crate::harness::{Answer, Server};

const EVIL: &str = "https://evil.example";

/// Asserts that a browser neither runs this nor takes it for something else.
#[track_caller]
fn is_inert(answer: &Answer) {
    answer
        .has("content-security-policy", "sandbox; default-src 'none'")
        .has("x-content-type-options", "nosniff")
        .has("content-disposition", "attachment");
}

/// A page that somebody stored, with a script that would write with the rights of
/// whoever looks at it.
#[test]
fn section_2_a_stored_page_does_not_run_in_our_origin() {
    let server = Server::start();
    let page = "<script>fetch('/a/2',{method:'PUT',body:'1'})</script>";
    for (n, content_type) in [
        "text/html",
        "text/html; charset=utf-7",
        "TEXT/HTML",
        "image/svg+xml",
        "application/xhtml+xml",
        "application/xml",
        "text/xml",
        "application/javascript",
        "text/javascript",
    ]
    .into_iter()
    .enumerate()
    {
        let target = format!("/pages/{n}");
        let put = server.request("PUT", &target).content(content_type, page);
        let made = put.field("Prefer", "return=representation").send();
        is_inert(made.status(201));
        let tag = made.tag();
        let get = || server.get(&target).field("Sec-Fetch-Dest", "document");
        is_inert(get().send().status(200).is_body(page));
        is_inert(server.head(&target).send().status(200));
        is_inert(get().if_none_match(&tag).send().status(304));
        is_inert(get().field("Range", "bytes=0-7").send().status(206));
        is_inert(
            get()
                .field("Accept-Encoding", "gzip, br")
                .send()
                .status(200),
        );
    }
    // If it runs after all, the sandbox gives it an origin of its own.
    let write = server.put("/a/2", "1").field("Origin", "null");
    write.send().status(403).problem("foreign-site");
    server.get("/a/2").send().status(404);
}

/// The types that a form or a `fetch` without a preflight can send.
#[test]
fn section_3_line_5_a_simple_request_of_a_foreign_page_writes_nothing() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json",
    ] {
        for (name, value) in [
            ("Origin", EVIL),
            ("Origin", "null"),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
        ] {
            for (method, target) in [("POST", "/a"), ("PUT", "/a/1"), ("PUT", "/a/2")] {
                let request = server.request(method, target).if_match("*");
                let answer = request.content(content_type, "2").field(name, value).send();
                answer.status(403).problem("foreign-site");
                answer.no_field("access-control-allow-origin");
            }
        }
    }
    server.holds("/a/1", "1", &tag);
    let list = server.get("/a").send();
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 1, "{list}");
}

/// A page of `evil.example`, whose name points here by now: for the browser it is the
/// same origin.
#[test]
fn section_3_line_1_dns_rebinding_reads_and_writes_nothing() {
    let server = Server::start();
    let tag = server.create("/a/1", "\"secret\"");
    let port = server.address().port();
    for name in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
    ] {
        let host = format!("{name}:{port}");
        for request in [
            server.get("/a/1"),
            server.get("/a"),
            server.get("/"),
            server.get("/_/metrics"),
            server.put("/a/1", "2").if_match("*"),
            server.delete("/a/1").if_match("*"),
            server.post("/a", "2"),
        ] {
            let request = request.without("host").field("Host", &host);
            let request = request.field("Sec-Fetch-Site", "same-origin");
            let answer = request.field("Origin", &format!("http://{host}")).send();
            answer.status(421).problem("misdirected");
            assert!(!String::from_utf8_lossy(&answer.body).contains("secret"));
        }
    }
    server.holds("/a/1", "\"secret\"", &tag);
}
