//! Header fields about documents (contract §2).

use crate::harness::{Answer, Server};

const SANDBOX: &str = "sandbox; default-src 'none'";

/// All names of fields, in lower case and in order, without those that every answer has.
fn names(answer: &Answer) -> Vec<String> {
    let names = answer.fields.iter().map(|(name, _)| name.to_lowercase());
    let mut names: Vec<_> = names
        .filter(|name| !matches!(name.as_str(), "date" | "request-id"))
        .collect();
    names.sort();
    names
}

#[test]
fn section_2_a_200_has_these_fields_and_no_others() {
    let server = Server::start();
    server.create("/a/1", "{}");
    let read = server.get("/a/1").send();
    read.status(200)
        .has("content-type", "application/json")
        .has("content-length", "2")
        .has("x-content-type-options", "nosniff")
        .has("content-security-policy", SANDBOX)
        .lists("cache-control", "no-cache, no-transform")
        .lists("vary", "Accept, Accept-Encoding");
    httpdate::parse_http_date(read.field("date")).unwrap();
    let expected = [
        "accept-ranges",
        "cache-control",
        "content-length",
        "content-security-policy",
        "content-type",
        "etag",
        "last-modified",
        "vary",
        "x-content-type-options",
    ];
    assert_eq!(names(&read), expected);
}

#[test]
fn section_2_a_304_carries_what_the_200_would() {
    let server = Server::start();
    let tag = server.create("/a/1", "{}");
    let whole = server.get("/a/1").send();
    let same = server.get("/a/1").if_none_match(&tag).send();
    same.status(304).is_body("");
    let kept = [
        "etag",
        "last-modified",
        "cache-control",
        "vary",
        "x-content-type-options",
        "content-security-policy",
    ];
    for name in kept {
        same.has(name, whole.field(name));
    }
    same.no_field("content-type").no_field("content-length");
}

#[test]
fn section_2_a_206_has_the_fields_of_the_200() {
    let server = Server::start();
    server.create("/a/1", "[1,2]");
    let whole = server.get("/a/1").send();
    let part = server.get("/a/1").field("Range", "bytes=1-3").send();
    part.status(206).has("content-range", "bytes 1-3/5");
    part.has("content-length", "3").is_body("1,2");
    let alike = names(&whole);
    for name in alike.iter().filter(|name| *name != "content-length") {
        part.has(name, whole.field(name));
    }
}

#[test]
fn section_2_every_other_answer_must_not_be_stored() {
    let server = Server::start();
    let made = server.put("/a/1", "1").send();
    let tag = made.tag();
    let answers = [
        made,
        server.put("/a/1", "2").if_match(&tag).send(),
        server.put("/a/1", "2").if_match(&tag).send(),
        server.put("/a/1", "2").send(),
        server.get("/a/9").send(),
        server.get("/a/").send(),
        server.get("/a//").send(),
        server.get("/a/1").field("Accept", "text/html").send(),
        server.get("/a/1").field("Range", "bytes=9-").send(),
        server.post("/a/1", "1").send(),
        server.request("BREW", "/a/1").send(),
        server.request("OPTIONS", "/a/1").send(),
        server.post("/a", "1").send(),
        server.put("/a/1", "{").if_match("*").send(),
        server.delete("/a/1").if_match("*").send(),
    ];
    for answer in answers {
        answer.has("cache-control", "no-store");
    }
}

#[test]
fn section_2_types_that_browsers_run_are_attachments() {
    let server = Server::start();
    let run = [
        "text/html",
        "TEXT/HTML; charset=utf-8",
        "image/svg+xml",
        "application/xhtml+xml",
        "text/xml",
        "application/xml",
        "application/atom+xml",
        "text/javascript",
        "application/javascript",
        "application/ecmascript",
        "text/xsl",
    ];
    let harmless = ["text/plain", "application/json", "image/png", "text/css"];
    for (content_type, disposition) in run
        .map(|kind| (kind, Some("attachment")))
        .into_iter()
        .chain(harmless.map(|kind| (kind, None)))
    {
        let target = format!("/a/{}", content_type.replace(['/', ';', ' '], "-"));
        let body = "\"<script>alert(1)</script>\"";
        let request = server.request("PUT", &target).content(content_type, body);
        request.send().status(201);
        let tag = server.get(&target).send().tag();
        let answers = [
            server.get(&target).send(),
            server.head(&target).send(),
            server.get(&target).if_none_match(&tag).send(),
            server.get(&target).field("Range", "bytes=0-1").send(),
            server
                .request("PUT", &target)
                .content(content_type, "\"<script>\"")
                .if_match("*")
                .field("Prefer", "return=representation")
                .send(),
        ];
        for answer in answers {
            answer
                .has("x-content-type-options", "nosniff")
                .has("content-security-policy", SANDBOX);
            assert_eq!(
                answer.maybe("content-disposition"),
                disposition,
                "{content_type}: {answer}"
            );
        }
    }
}

#[test]
fn section_2_last_modified_is_not_in_the_future_and_grows() {
    let server = Server::start();
    let mut last = None;
    server.create("/a/1", "null");
    for number in 0..5 {
        server.replace("/a/1", number.to_string());
        let read = server.get("/a/1").send();
        let modified = httpdate::parse_http_date(read.field("last-modified")).unwrap();
        let date = httpdate::parse_http_date(read.field("date")).unwrap();
        assert!(modified <= date, "{read}");
        assert!(last <= Some(modified));
        last = Some(modified);
    }
}

#[test]
fn section_10_every_answer_has_a_request_id_of_its_own() {
    let server = Server::start();
    server.create("/a/1", "1");
    let tag = server.get("/a/1").send().tag();
    let answers = [
        server.get("/a/1").send(),
        server.get("/a/1").if_none_match(&tag).send(),
        server.get("/a").send(),
        server.get("/").send(),
        server.get("/_/health").send(),
        server.get("/_/none").send(),
        server.request("OPTIONS", "/a").send(),
        server.put("/a/1", "2").if_match(&tag).send(),
        server.get("/a/%00").send(),
    ];
    let mut ids: Vec<_> = answers
        .iter()
        .map(|answer| answer.field("request-id").to_owned())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), answers.len());
    assert!(ids.iter().all(|id| id.len() == 36), "{ids:?}");
}
