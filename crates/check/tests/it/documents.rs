//! The life of a document (contract §4).

use crate::harness::Server;

#[test]
fn section_4_a_document_lives_and_dies() {
    let server = Server::start();
    let made = server.put("/notes/1", r#"{"a": 1}"#).send();
    made.status(201).has("location", "/notes/1");
    server.holds("/notes/1", r#"{"a": 1}"#, &made.tag());
    let saved = server
        .merge("/notes/1", r#"{"a":2}"#)
        .if_match(&made.tag())
        .send();
    saved.status(204);
    server.holds("/notes/1", r#"{"a": 2}"#, &saved.tag());
    let gone = server.delete("/notes/1").if_match(&saved.tag()).send();
    gone.status(204).no_field("etag").is_body("");
    let none = server.get("/notes/1").send();
    none.status(404).problem("not-found");
}

#[test]
fn section_4_1_put_creates_then_replaces() {
    let server = Server::start();
    let made = server.put("/notes/1", "1").send();
    made.status(201).is_body("");
    let replaced = server.put("/notes/1", "2").if_match(&made.tag()).send();
    replaced.status(204).no_field("location");
    assert_ne!(made.tag(), replaced.tag());
    server.holds("/notes/1", "2", &replaced.tag());
}

#[test]
fn section_3_line_23_a_save_is_a_204_with_validators_and_nothing_else() {
    let server = Server::start();
    let tag = server.create("/notes/1", "{}");
    let saves = [
        server.put("/notes/1", r#"{"a":1}"#),
        server.merge("/notes/1", r#"{"b":2}"#),
        server.patch("/notes/1", r#"[{"op":"remove","path":"/b"}]"#),
    ];
    let mut last = tag;
    for save in saves {
        let answer = save.if_match(&last).send();
        answer.status(204).has("cache-control", "no-store");
        answer.no_field("content-type").no_field("content-length");
        answer.no_field("transfer-encoding");
        let modified = answer.field("last-modified");
        httpdate::parse_http_date(modified).unwrap();
        last = answer.tag();
    }
    let gone = server.delete("/notes/1").if_match(&last).send();
    gone.status(204).no_field("content-type");
    gone.no_field("content-length").no_field("last-modified");
}

#[test]
fn section_4_1_an_equal_put_keeps_the_tag() {
    let server = Server::start();
    let tag = server.create("/notes/1", r#"{"a": 1}"#);
    let same = server.put("/notes/1", r#"{"a": 1}"#).if_match(&tag).send();
    same.status(204).has("etag", &tag);
    let spelt_otherwise = server.replace("/notes/1", r#"{"a":1}"#);
    assert_ne!(spelt_otherwise, tag, "equal means equal bytes");
    let typed_otherwise = server
        .put("/notes/1", "")
        .content("application/vnd.note+json", r#"{"a":1}"#)
        .if_match("*")
        .send();
    typed_otherwise.status(204);
    assert_ne!(typed_otherwise.tag(), spelt_otherwise, "and equal types");
    let read = server.get("/notes/1").send();
    read.has("content-type", "application/vnd.note+json");
}

#[test]
fn section_4_1_if_none_match_star_only_creates() {
    let server = Server::start();
    let made = server.put("/notes/1", "1").if_none_match("*").send();
    made.status(201);
    let again = server.put("/notes/1", "2").if_none_match("*").send();
    again.status(412).problem("stale");
    server.holds("/notes/1", "1", &made.tag());
}

#[test]
fn section_4_1_if_match_star_only_replaces() {
    let server = Server::start();
    let none = server.put("/notes/1", "1").if_match("*").send();
    none.status(412).problem("stale");
    server.get("/notes/1").send().status(404);
    server.create("/notes/1", "1");
    let tag = server.replace("/notes/1", "2");
    server.holds("/notes/1", "2", &tag);
}

#[test]
fn section_4_3_a_document_made_anew_never_has_an_old_tag_again() {
    let server = Server::start();
    let mut tags = Vec::new();
    for _ in 0..3 {
        tags.push(server.create("/notes/1", "1"));
        let gone = server.delete("/notes/1").if_match("*").send();
        gone.status(204);
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3);
    server.create("/notes/1", "1");
    let late = server.put("/notes/1", "2").if_match(&tags[0]).send();
    late.status(412);
}

#[test]
fn section_4_3_delete_of_nothing_is_404_also_with_a_precondition() {
    let server = Server::start();
    server.delete("/notes/1").send().status(404);
    server.delete("/notes/1").if_match("*").send().status(404);
    let merge = server.merge("/notes/1", "{}").if_match("*").send();
    merge.status(404).problem("not-found");
}

#[test]
fn section_1_deleting_a_document_leaves_what_lies_below_it() {
    let server = Server::start();
    let below = server.create("/projects/7/tasks/3", "3");
    server.create("/projects/7", "7");
    let gone = server.delete("/projects/7").if_match("*").send();
    gone.status(204);
    server.holds("/projects/7/tasks/3", "3", &below);
}

#[test]
fn section_4_4_post_gives_ids_in_the_order_of_time() {
    let server = Server::start();
    let mut locations = Vec::new();
    for number in 0..20 {
        let body = format!("{{\"number\": {number}}}");
        let made = server.post("/notes", &body).send();
        let location = made.status(201).field("location").to_owned();
        server.holds(&location, &body, &made.tag());
        made.field("last-modified");
        locations.push(location);
    }
    for location in &locations {
        let id = location.strip_prefix("/notes/").unwrap();
        assert_eq!(id.len(), 36, "{id} is no UUID");
        assert_eq!(id.as_bytes()[14], b'7', "{id} is not of version 7");
        assert!(b"89ab".contains(&id.as_bytes()[19]), "{id} is no UUID");
    }
    // Their times have milliseconds; within one, any order is right.
    let times: Vec<_> = locations.iter().map(|path| &path[..20]).collect();
    assert!(times.is_sorted());
    locations.sort();
    locations.dedup();
    assert_eq!(locations.len(), 20);
}

#[test]
fn section_4_4_post_below_a_document_makes_a_member_of_that_collection() {
    let server = Server::start();
    let made = server.post("/projects/7/tasks", "1").send();
    let location = made.status(201).field("location");
    assert!(location.starts_with("/projects/7/tasks/"));
    server.get("/projects/7").send().status(404);
}

#[test]
fn section_4_6_the_representation_comes_along_if_preferred() {
    let server = Server::start();
    let made = server
        .put("/notes/1", r#"{"a": 1}"#)
        .field("Prefer", "return=representation")
        .send();
    made.status(201).is_body(r#"{"a": 1}"#);
    made.has("preference-applied", "return=representation")
        .has("content-location", "/notes/1")
        .has("location", "/notes/1")
        .has("content-type", "application/json")
        .has("cache-control", "no-store");
    let saved = server
        .merge("/notes/1", r#"{"b":2}"#)
        .if_match(&made.tag())
        .field("Prefer", "return=representation, return=minimal")
        .send();
    saved.status(200).has("content-location", "/notes/1");
    saved.has("preference-applied", "return=representation");
    let now = server.get("/notes/1").send();
    saved.is_body(&now.body);
    assert_eq!(saved.tag(), now.tag());
    let posted = server
        .post("/notes", "[1]")
        .field("prefer", "RETURN=\"representation\"; x=1")
        .send();
    posted.status(201).is_body("[1]");
    posted.has("content-location", posted.field("location"));
}

#[test]
fn section_4_6_the_first_of_a_repeated_preference_counts_and_unknown_ones_do_not() {
    let server = Server::start();
    let made = server
        .put("/notes/1", "1")
        .field("Prefer", "nonsense; a=b, return=minimal")
        .field("Prefer", "return=representation")
        .send();
    made.status(201).is_body("");
    made.has("preference-applied", "return=minimal");
    let gone = server
        .delete("/notes/1")
        .if_match("*")
        .field("Prefer", "return=representation")
        .send();
    gone.status(204).is_body("");
    gone.no_field("preference-applied");
}

#[test]
fn section_4_6_an_equal_save_with_the_representation_is_a_200() {
    let server = Server::start();
    let tag = server.create("/notes/1", "1");
    let same = server
        .put("/notes/1", "1")
        .if_match(&tag)
        .field("Prefer", "return=representation")
        .send();
    same.status(200).has("etag", &tag).is_body("1");
}

#[test]
fn section_4_5_head_has_the_fields_of_get() {
    let server = Server::start();
    let body = format!("\"{}\"", "head ".repeat(1_000));
    server.create("/notes/1", &body);
    server.create("/notes/2", "2");
    let targets = [
        "/notes/1",
        "/notes/2",
        "/notes",
        "/",
        "/none/1",
        "/_/health",
    ];
    for target in targets {
        for coding in ["identity", "gzip", "br", "zstd"] {
            let ask = |method| {
                let request = server.request(method, target);
                let answer = request.field("Accept-Encoding", coding).send();
                let mut fields = answer.fields.clone();
                fields.retain(|(name, _)| !matches!(name.as_str(), "date" | "request-id"));
                // An instance is part of a problem's length, and always as long.
                (answer.code, fields)
            };
            assert_eq!(ask("GET"), ask("HEAD"), "{target} in {coding}");
        }
    }
}

#[test]
fn section_4_5_head_has_the_fields_of_get_of_a_stream() {
    let server = Server::start();
    server.create("/notes/1", "1");
    let ask = |method| {
        let request = server.request(method, "/notes");
        request.field("Accept", "application/x-ndjson").send()
    };
    let (get, head) = (ask("GET"), ask("HEAD"));
    head.status(200).has("content-type", "application/x-ndjson");
    head.has("etag", get.field("etag"));
    head.has("vary", get.field("vary"));
}

#[test]
fn section_5_4_a_save_is_seen_by_every_later_read() {
    let server = Server::start();
    let mut reader = server.connect();
    let mut tag = server.create("/notes/1", "0");
    for number in 1..50 {
        let body = number.to_string();
        let saved = server.put("/notes/1", &body).if_match(&tag).send();
        tag = saved.status(204).tag();
        let read = reader.get("/notes/1").send();
        read.status(200).has("etag", &tag).is_body(&body);
        let list = reader.get("/notes").send();
        assert_eq!(list.json()["items"][0]["etag"], tag.as_str());
    }
}

#[test]
fn section_5_1_what_was_acknowledged_survives_a_kill() {
    let mut server = Server::start();
    let mut tags = Vec::new();
    for number in 0..50 {
        tags.push(server.create(&format!("/notes/{number}"), number.to_string()));
    }
    server.kill();
    server.start_again();
    for (number, tag) in tags.iter().enumerate() {
        server.holds(&format!("/notes/{number}"), number.to_string(), tag);
    }
}
