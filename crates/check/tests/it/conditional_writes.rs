//! Saves are guarded by tags (contract §3, lines 14 and 15), and what is refused leaves
//! the document as it was.

use std::time::{Duration, SystemTime};

use crate::harness::Server;
use crate::harness::request::Request;

/// Each way to change a document.
fn writes(server: &Server) -> [Request<'static>; 4] {
    [
        server.put("/a/1", "{\"b\":1}"),
        server.merge("/a/1", "{\"b\":1}"),
        server.patch("/a/1", r#"[{"op":"add","path":"/b","value":1}]"#),
        server.delete("/a/1"),
    ]
}

#[test]
fn section_3_line_14_a_write_to_an_existing_document_needs_a_tag() {
    let server = Server::start();
    let tag = server.create("/a/1", "{}");
    let far_off = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(864_000));
    for index in 0..4 {
        let write = || writes(&server).into_iter().nth(index).unwrap();
        let conditions = [
            write(),
            write().if_none_match("\"other\""),
            write().field("If-Unmodified-Since", &far_off),
        ];
        for request in conditions {
            let refused = request.send();
            let problem = refused.status(428).problem("precondition-required");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(&tag), "{detail}");
        }
    }
    server.holds("/a/1", "{}", &tag);
}

#[test]
fn section_3_line_14_the_present_content_needs_a_tag_as_well() {
    let server = Server::start();
    let tag = server.create("/a/1", "{}");
    server.put("/a/1", "{}").send().status(428);
    server.holds("/a/1", "{}", &tag);
}

#[test]
fn section_3_line_15_if_match_compares_strongly() {
    let server = Server::start();
    let old = server.create("/a/1", "{ }");
    let tag = server.replace("/a/1", "{}");
    let stale = [
        old,
        format!("W/{tag}"),
        "\"x\"".to_owned(),
        "\"x\", \"y\"".to_owned(),
        format!("{}\u{a0}\"", tag.trim_end_matches('"')),
    ];
    for value in stale {
        for write in writes(&server) {
            let refused = write.if_match(&value).send();
            assert_eq!(refused.code, 412, "{value}: {refused}");
            refused.problem("stale");
        }
    }
    server.holds("/a/1", "{}", &tag);
}

#[test]
fn section_3_line_15_one_tag_of_a_list_is_enough() {
    let server = Server::start();
    let tag = server.create("/a/1", "{}");
    let saved = server
        .put("/a/1", "1")
        .if_match(&format!("\"x\", {tag}"))
        .send();
    let tag = saved.status(204).tag();
    let saved = server
        .put("/a/1", "2")
        .if_match("\"x\"")
        .if_match(&tag)
        .send();
    server.holds("/a/1", "2", &saved.status(204).tag());
}

#[test]
fn section_3_line_15_if_match_is_looked_at_before_if_none_match() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let both = server
        .put("/a/1", "2")
        .if_match(&tag)
        .if_none_match("*")
        .send();
    both.status(412);
    let both = server
        .put("/a/1", "2")
        .if_match(&tag)
        .if_none_match(&tag)
        .send();
    both.status(412);
    server.holds("/a/1", "1", &tag);
    let both = server
        .put("/a/1", "2")
        .if_match(&tag)
        .if_none_match("\"x\"")
        .send();
    both.status(204);
}

#[test]
fn section_3_line_15_a_tag_for_what_is_not_there_fails() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    server.delete("/a/1").if_match(&tag).send().status(204);
    let refused = server.put("/a/1", "2").if_match(&tag).send();
    let problem = refused.status(412).problem("stale");
    assert!(problem.get("current").is_none(), "{problem}");
    server.get("/a/1").send().status(404);
    // What is not there matches no tag.
    let made = server.put("/a/1", "2").if_none_match("\"x\"").send();
    made.status(201);
}

#[test]
fn section_3_line_15_the_date_counts_besides_a_tag_only_without_if_match() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let long_ago = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(86_400));
    let saved = server
        .put("/a/1", "2")
        .if_match(&tag)
        .field("If-Unmodified-Since", &long_ago)
        .send();
    saved.status(204);
}

#[test]
fn section_3_what_is_refused_leaves_the_store_unchanged() {
    let server = Server::start();
    let tag = server.create("/a/1", r#"{"a":1}"#);
    let list = server.get("/a").send();
    let put = || server.put("/a/1", "2").if_match(&tag);
    let refused = [
        (400, server.put("/a/1", "{").if_match(&tag)),
        (400, server.merge("/a/1", "{").if_match(&tag)),
        (400, server.patch("/a/1", "{}").if_match(&tag)),
        (
            409,
            server
                .patch("/a/1", r#"[{"op":"remove","path":"/b"}]"#)
                .if_match(&tag),
        ),
        (415, put().content("multipart/form-data; boundary=x", "")),
        (415, put().field("Content-Encoding", "br")),
        (400, put().field("Content-Range", "bytes 0-0/1")),
        (403, put().field("Origin", "https://evil.example")),
        (421, put().without("host").field("Host", "evil.example")),
        (400, put().field("Origin", "nonsense")),
        (412, server.put("/a/1", "2").if_match("\"x\"")),
        (428, server.delete("/a/1")),
        (405, server.post("/a/1", "2")),
        (
            415,
            server.post("/a", "a=b").content("multipart/form-data", "x"),
        ),
        (400, server.post("/a", "{")),
    ];
    for (code, request) in refused {
        request.send().status(code);
    }
    server.holds("/a/1", r#"{"a":1}"#, &tag);
    let after = server.get("/a").send();
    after.has("etag", list.field("etag")).is_body(&list.body);
}

#[test]
fn section_3_preconditions_on_a_post_to_a_collection() {
    let server = Server::start();
    server.post("/a", "1").if_match("*").send().status(412);
    server.post("/a", "1").if_match("\"x\"").send().status(412);
    server.post("/a", "1").send().status(201);
    server.post("/a", "2").if_match("\"x\"").send().status(412);
    server.post("/a", "2").if_none_match("*").send().status(412);
    let list = server.get("/a").send().json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}
