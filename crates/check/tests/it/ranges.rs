//! Parts of a document (RFC 9110 §14, contract §1 and §3 line 24).

use crate::harness::Server;

const TEXT: &str = "\"0123456789\"";

#[test]
fn section_3_line_24_one_range_is_a_206() {
    let server = Server::start();
    let tag = server.create("/a/1", TEXT);
    let cases = [
        ("bytes=0-0", "bytes 0-0/12", "\""),
        ("bytes=1-3", "bytes 1-3/12", "012"),
        ("bytes=9-", "bytes 9-11/12", "89\""),
        ("bytes=9-999", "bytes 9-11/12", "89\""),
        ("bytes=-2", "bytes 10-11/12", "9\""),
        ("bytes=-999", "bytes 0-11/12", TEXT),
        ("BYTES=1-1", "bytes 1-1/12", "0"),
    ];
    for (range, content_range, body) in cases {
        let part = server.get("/a/1").field("Range", range).send();
        part.status(206).has("content-range", content_range);
        part.is_body(body).has("etag", &tag);
    }
}

#[test]
fn section_3_line_24_a_range_outside_is_416() {
    let server = Server::start();
    server.create("/a/1", TEXT);
    for range in ["bytes=12-", "bytes=99-100", "bytes=-0"] {
        let refused = server.get("/a/1").field("Range", range).send();
        refused.status(416).has("content-range", "bytes */12");
        refused.problem("range-not-satisfiable");
    }
}

#[test]
fn section_3_line_24_other_units_and_several_ranges_get_the_whole() {
    let server = Server::start();
    server.create("/a/1", TEXT);
    for range in ["lines=1-2", "bytes=0-1,3-4", "bytes=0-1, 3-4, -1"] {
        let whole = server.get("/a/1").field("Range", range).send();
        whole.status(200).is_body(TEXT).no_field("content-range");
    }
}

#[test]
fn section_3_line_1_a_malformed_range_is_refused() {
    let server = Server::start();
    server.create("/a/1", TEXT);
    for range in [
        "bytes=3-1",
        "bytes=a-b",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=1-2x",
    ] {
        let answer = server.get("/a/1").field("Range", range).send();
        assert_eq!(answer.code, 400, "{range}: {answer}");
        answer.problem("bad-field");
    }
}

#[test]
fn rfc_9110_14_2_range_is_for_get_only() {
    let server = Server::start();
    server.create("/a/1", TEXT);
    let head = server.head("/a/1").field("Range", "bytes=1-2").send();
    head.status(200).has("content-length", "12");
    head.no_field("content-range");
    let list = server.get("/a").field("Range", "bytes=1-2").send();
    list.status(200);
}

#[test]
fn section_1_a_range_selects_identity() {
    let server = Server::start();
    let body = format!("\"{}\"", "0123456789".repeat(500));
    let tag = server.create("/a/1", &body);
    let part = server
        .get("/a/1")
        .field("Range", "bytes=1-5")
        .field("Accept-Encoding", "gzip, br")
        .send();
    part.status(206).is_body("01234").has("etag", &tag);
    part.no_field("content-encoding");
    let same = server
        .get("/a/1")
        .field("Range", "bytes=1-5")
        .field("Accept-Encoding", "gzip")
        .if_none_match(&tag)
        .send();
    same.status(304).has("etag", &tag);
}

#[test]
fn section_3_line_24_if_range_compares_strongly() {
    let server = Server::start();
    let old = server.create("/a/1", "1");
    let tag = server.replace("/a/1", TEXT);
    let ask = |condition: &str| {
        let request = server.get("/a/1").field("Range", "bytes=1-2");
        request.field("If-Range", condition).send()
    };
    ask(&tag).status(206).is_body("01");
    ask(&old).status(200).is_body(TEXT);
    ask(&format!("W/{tag}")).status(200);
    ask(&format!("{}+gzip\"", tag.trim_end_matches('"'))).status(200);
    // A date of this very second is no strong validator (RFC 9110 §8.8.2.2).
    let now = server.get("/a/1").send();
    ask(now.field("last-modified")).status(200);
    ask("Thu, 01 Jan 1970 00:00:00 GMT").status(200);
    // Without Range it means nothing.
    let whole = server.get("/a/1").field("If-Range", &tag).send();
    whole.status(200);
}

#[test]
fn section_3_line_24_an_empty_document_has_no_ranges() {
    let server = Server::start();
    let made = server
        .request("PUT", "/a/1")
        .content("text/plain", "")
        .send();
    made.status(201);
    let refused = server.get("/a/1").field("Range", "bytes=0-").send();
    refused.status(416).has("content-range", "bytes */0");
}
