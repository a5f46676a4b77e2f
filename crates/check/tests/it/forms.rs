//! HTML forms that save (contract §4.4).

use serde_json::{Value, json};

use crate::harness::request::Request;
use crate::harness::token::{Guarded, authorization};
use crate::harness::{Answer, Server};

const FORM: &str = "application/x-www-form-urlencoded";

fn settings() -> Value {
    json!({
        "forms": true,
        "schema": {"type": "object", "properties": {
            "title": {"type": "string"},
            "litres": {"type": ["number", "null"]},
            "done": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
        }},
    })
}

/// A server whose notes can be saved by forms, and the tag of the only one.
fn with_note(settings: &Value) -> (Server, String) {
    let server = Server::start();
    server.create("/_/collections/notes", settings.to_string());
    let tag = server.create(
        "/notes/1",
        r#"{"title":"Milk","litres":1.0,"tags":["dairy"]}"#,
    );
    (server, tag)
}

/// What a browser sends for a form of a page of ours.
fn form(server: &Server, target: &str, content: &str) -> Request<'static> {
    let origin = format!("http://{}", server.host());
    let request = server.request("POST", target).content(FORM, content);
    request
        .field("Origin", &origin)
        .field("Sec-Fetch-Site", "same-origin")
}

/// The tag as it stands in a form: HTML has a use for quotes.
fn bare(tag: &str) -> &str {
    tag.trim_matches('"')
}

#[track_caller]
fn detail(answer: &Answer, kind: &str) -> String {
    answer.problem(kind)["detail"].as_str().unwrap().to_owned()
}

#[test]
fn section_4_4_a_form_merges_its_fields() {
    let (server, tag) = with_note(&settings());
    let content = format!(
        "title=Oat+milk%0D%0A%26c.&litres=.5&done=false&done=true&tags=&tags=a&tags=b&_etag={}",
        bare(&tag)
    );
    let saved = form(&server, "/notes/1", &content).send();
    saved
        .status(204)
        .is_body("")
        .has("cache-control", "no-store");
    let tag = saved.tag();
    let expected = r#"{"title":"Oat milk\n&c.","litres":0.5,"tags":["a","b"],"done":true}"#;
    server.holds("/notes/1", expected, &tag);
    // The same again changes nothing; quotes do no harm.
    let again = format!("title=Oat+milk%0D%0A%26c.&_etag=%22{}%22", bare(&tag));
    form(&server, "/notes/1", &again)
        .send()
        .status(204)
        .has("etag", &tag);
    // A number that was emptied goes.
    let emptied = format!("litres=&tags=&_etag={}", bare(&tag));
    let tag = form(&server, "/notes/1", &emptied).send().status(204).tag();
    let expected = r#"{"title":"Oat milk\n&c.","tags":[],"done":true}"#;
    server.holds("/notes/1", expected, &tag);
}

#[test]
fn section_4_4_the_tag_is_the_precondition() {
    let (server, tag) = with_note(&settings());
    let send = |content: &str| form(&server, "/notes/1", content).send();
    send("title=x").status(428).problem("precondition-required");
    let stale = send("title=x&_etag=aaaaaaaa-1");
    let problem = stale.status(412).problem("stale");
    assert_eq!(problem["current"], tag);
    for bad in ["title=x&_etag=", "title=x&_etag=%22", "_etag=a&_etag=a"] {
        let refused = send(bad);
        refused.status(400).problem("malformed");
    }
    let header = form(
        &server,
        "/notes/1",
        &format!("title=x&_etag={}", bare(&tag)),
    );
    header.if_match("\"aaaaaaaa-1\"").send().status(412);
    let body = r#"{"title":"Milk","litres":1.0,"tags":["dairy"]}"#;
    server.holds("/notes/1", body, &tag);
    // What came compressed may be saved with the tag that it came with.
    let coded = format!("title=x&_etag={}%2Bgzip", bare(&tag));
    send(&coded).status(204);
    send("title=y&_etag=*").status(204);
    let (server, _) = with_note(&json!({"forms": true, "preconditions": "optional"}));
    form(&server, "/notes/1", "litres=2").send().status(204);
    let stored = server.get("/notes/1").send().json();
    // Nothing says that it is a number.
    assert_eq!(stored["litres"], "2");
}

#[test]
fn section_4_4_what_cannot_be_saved() {
    let (server, tag) = with_note(&settings());
    let send = |content: &str| form(&server, "/notes/1", content).send();
    let etag = format!("_etag={}", bare(&tag));
    let invalid = send(&format!("litres=two&{etag}"));
    let problem = invalid.status(422).problem("invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/litres");
    for bad in [format!("_next=x&{etag}"), format!("title=%ff&{etag}")] {
        send(&bad).status(400).problem("malformed");
    }
    let none = form(&server, "/notes/none", "title=x&_etag=*").send();
    none.status(404).problem("not-found");
    for content_type in [
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/json",
    ] {
        let request = form(&server, "/notes/1", "{}").content(content_type, "{}");
        let refused = request.send();
        refused
            .status(415)
            .has("accept-post", FORM)
            .problem("unsupported-content");
    }
    server
        .request("PUT", "/others/1")
        .content("text/plain", "x")
        .send()
        .status(201);
    server.create("/_/collections/others", r#"{"forms":true}"#);
    form(&server, "/others/1", "a=1&_etag=*").send().status(415);
    let long = format!("title={}&{etag}", "x".repeat(5_000_000));
    send(&long).status(413);
    let body = r#"{"title":"Milk","litres":1.0,"tags":["dairy"]}"#;
    server.holds("/notes/1", body, &tag);
}

#[test]
fn section_4_4_forms_are_for_those_collections_that_take_them() {
    let (server, _) = with_note(&settings());
    server.create("/others/1", "{}");
    let refused = form(&server, "/others/1", "a=1&_etag=*").send();
    refused
        .status(405)
        .has("allow", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    form(&server, "/notes/1/parts/1", "a=1&_etag=*")
        .send()
        .status(405);
    let options = |target| server.request("OPTIONS", target).send();
    options("/others/1")
        .lists("allow", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS")
        .no_field("accept-post");
    options("/notes/1")
        .lists("allow", "GET, HEAD, PUT, PATCH, DELETE, POST, OPTIONS")
        .has("accept-post", FORM);
    // A batch is no browser.
    let batch = json!({"requests": [{
        "method": "POST", "path": "/notes/1", "body": "title=x&_etag=*",
        "headers": {"content-type": FORM, "origin": format!("http://{}", server.host())},
    }]});
    server
        .post("/_/batch", batch.to_string())
        .send()
        .status(405);
    // A form to a collection makes nothing.
    form(&server, "/notes", "title=x").send().status(415);
}

#[test]
fn section_3_line_5_only_our_own_pages_save() {
    let (server, tag) = with_note(&settings());
    let own = format!("http://{}", server.host());
    let content = format!("title=x&_etag={}", bare(&tag));
    let send = |fields: &[(&str, &str)]| {
        let request = server.request("POST", "/notes/1").content(FORM, &content);
        let request = fields
            .iter()
            .fold(request, |request, (name, value)| request.field(name, value));
        request.send()
    };
    let foreign: [&[(&str, &str)]; 6] = [
        &[],
        &[("Origin", "https://evil.example")],
        &[("Origin", "null")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "none")],
    ];
    for fields in foreign {
        let refused = send(fields);
        assert_eq!(refused.code, 403, "{fields:?} {refused}");
        assert!(!detail(&refused, "foreign-site").is_empty());
    }
    send(&[("Origin", &own)]).status(204);
    // That of before was used up.
    send(&[("Sec-Fetch-Site", "same-origin")]).status(412);
}

#[test]
fn section_4_4_the_page_stays_whatever_the_server_sets() {
    let mut settings = settings();
    settings["set"] = json!({"modified": "now"});
    let server = Server::start();
    server.create("/_/collections/notes", settings.to_string());
    let made = server.put("/notes/1", r#"{"title":"Milk"}"#).send();
    let tag = made.status(201).field("matchbook-version").to_owned();
    let mut events = server.events("/notes/1");
    events.next().is("synced");
    let request = form(
        &server,
        "/notes/1",
        &format!("title=x&_etag={}", bare(&tag)),
    );
    let saved = request.field("Prefer", "return=representation").send();
    saved.status(204).is_body("").no_field("content-type");
    assert_eq!(events.next().text("etag"), saved.tag());
    let stored = server.get("/notes/1").send();
    assert_eq!(stored.tag(), saved.tag());
    assert_eq!(stored.json()["title"], "x");
}

#[test]
fn section_7_6_a_cookie_saves_nothing() {
    let Guarded { server, .. } = &Guarded::start();
    let good = authorization();
    let with = |request: Request<'static>| request.field("Authorization", &good);
    with(server.put("/_/collections/notes", r#"{"forms":true}"#))
        .send()
        .status(201);
    with(server.put("/notes/1", "{}")).send().status(201);
    let session = with(server.request("POST", "/_/session")).send();
    let cookie = session
        .status(204)
        .field("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let save = || form(server, "/notes/1", "title=x&_etag=*");
    save().field("Cookie", &cookie).send().status(401);
    save().send().status(401);
    with(save()).send().status(204);
}
