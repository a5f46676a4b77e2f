//! A 412 helps to go on (contract §5.3).

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::harness::Server;

const FIRST: &str = r#"{"title":"one","tags":["a","b"],"n":1.0}"#;

#[test]
fn section_5_3_a_stale_save_learns_the_tag_and_the_changes() {
    let server = Server::start();
    let old = server.create("/a/1", FIRST);
    let now = r#"{"title":"two","tags":["a","x","b"],"n":1.0}"#;
    let tag = server.replace("/a/1", now);
    let mut requests = vec![
        server.put("/a/1", "1"),
        server.merge("/a/1", r#"{"title":"three"}"#),
        server.patch("/a/1", r#"[{"op":"remove","path":"/n"}]"#),
        server.delete("/a/1"),
    ];
    for request in requests.drain(..) {
        let problem = request.if_match(&old).send().status(412).problem("stale");
        assert_eq!(problem["current"], tag.as_str());
        assert_ne!(problem["same"], json!(true));
        let changes = problem["changes"].to_string();
        // Applied by the server to the old version, they give the new one.
        let copy = server.put("/copies/1", FIRST).send();
        let copy = match copy.code {
            201 => copy.tag(),
            _ => server.replace("/copies/1", FIRST),
        };
        let patched = server.patch("/copies/1", changes).if_match(&copy).send();
        patched.status(204);
        assert_eq!(
            server.get("/copies/1").send().json(),
            serde_json::from_str::<serde_json::Value>(now).unwrap()
        );
    }
    server.holds("/a/1", now, &tag);
}

#[test]
fn section_5_3_one_round_trip_is_enough_to_save_again() {
    let server = Server::start();
    let old = server.create("/a/1", r#"{"a":1,"b":1}"#);
    server
        .merge("/a/1", r#"{"a":2}"#)
        .if_match(&old)
        .send()
        .status(204);
    let edit = |tag: &str| server.merge("/a/1", r#"{"b":2}"#).if_match(tag).send();
    let problem = edit(&old).status(412).problem("stale");
    let current = problem["current"].as_str().unwrap();
    let saved = edit(current);
    server.holds("/a/1", r#"{"a":2,"b":2}"#, &saved.status(204).tag());
}

#[test]
fn section_5_3_a_lost_acknowledgement_of_a_put_is_seen() {
    let server = Server::start();
    let old = server.create("/a/1", "1");
    let put = || server.put("/a/1", "2").if_match(&old).send();
    let tag = put().status(204).tag();
    let problem = put().status(412).problem("stale");
    assert_eq!(problem["same"], true);
    assert_eq!(problem["current"], tag.as_str());
    server.holds("/a/1", "2", &tag);
}

#[test]
fn section_5_3_a_lost_acknowledgement_of_a_creation_is_seen() {
    let server = Server::start();
    let put = |body: &str| server.put("/a/1", body).if_none_match("*").send();
    let tag = put("1").status(201).tag();
    let again = put("1").status(412).problem("stale");
    assert_eq!(again["same"], true);
    assert_eq!(again["current"], tag.as_str());
    let other = put("2").status(412).problem("stale");
    assert_ne!(other["same"], json!(true));
}

#[test]
fn section_5_3_a_lost_acknowledgement_of_a_patch_is_seen() {
    let server = Server::start();
    let patches = [
        ("application/merge-patch+json", r#"{"n":null}"#),
        ("application/json", r#"{"n":null}"#),
        (
            "application/json-patch+json",
            r#"[{"op":"remove","path":"/n"}]"#,
        ),
        (
            "application/json-patch+json",
            r#"[{"op":"add","path":"/tags/-","value":1}]"#,
        ),
    ];
    for (index, (content_type, patch)) in patches.iter().enumerate() {
        let target = format!("/a/{index}");
        let old = server.create(&target, FIRST);
        let save = || {
            let request = server.request("PATCH", &target);
            request.content(content_type, patch).if_match(&old).send()
        };
        let tag = save().status(204).tag();
        let problem = save().status(412).problem("stale");
        assert_eq!(problem["same"], true, "{patch}");
        assert_eq!(problem["current"], tag.as_str());
        // Somebody else saved since: it is no longer the same.
        server
            .merge(&target, r#"{"z":1}"#)
            .if_match("*")
            .send()
            .status(204);
        let problem = save().status(412).problem("stale");
        assert_ne!(problem["same"], json!(true), "{patch}");
    }
}

#[test]
fn section_5_3_same_needs_equal_bytes_and_type() {
    let server = Server::start();
    let old = server.create("/a/1", "[1]");
    server.replace("/a/1", "[2]");
    let spelt = server.put("/a/1", "[ 2]").if_match(&old).send();
    assert_ne!(spelt.status(412).problem("stale")["same"], json!(true));
    let typed = server
        .request("PUT", "/a/1")
        .content("application/x+json", "[2]")
        .if_match(&old)
        .send();
    assert_ne!(typed.status(412).problem("stale")["same"], json!(true));
}

#[test]
fn section_5_3_changes_are_left_out_where_they_would_be_long_or_nothing_is_known() {
    let server = Server::start();
    let old = server.create("/a/1", "\"short\"");
    let long = format!("\"{}\"", "x".repeat(70_000));
    let tag = server.replace("/a/1", long);
    let refused = server.put("/a/1", "1").if_match(&old).send();
    let problem = refused.status(412).problem("stale");
    assert!(problem.get("changes").is_none());
    assert_eq!(problem["current"], tag.as_str());
    server.replace("/a/1", "2");
    for tags in [
        "\"x\"".to_owned(),
        format!("{old}, \"x\""),
        "\"zzzzzzzz-1\"".to_owned(),
    ] {
        let refused = server.put("/a/1", "1").if_match(&tags).send();
        let problem = refused.status(412).problem("stale");
        assert!(problem.get("changes").is_none(), "{tags}: {problem}");
    }
}

#[test]
fn section_5_3_changes_reach_back_over_many_saves_and_a_restart() {
    let mut server = Server::start();
    let old = server.create("/a/1", r#"{"n":0}"#);
    for number in 1..20 {
        server.replace("/a/1", format!("{{\"n\":{number}}}"));
    }
    server.restart();
    let refused = server.put("/a/1", "1").if_match(&old).send();
    let problem = refused.status(412).problem("stale");
    let expected = json!([{"op": "replace", "path": "/n", "value": 19}]);
    assert_eq!(problem["changes"], expected);
}

#[test]
fn section_5_3_a_tag_from_before_a_deletion_has_changes_too() {
    let server = Server::start();
    let old = server.create("/a/1", r#"{"n":0}"#);
    server.delete("/a/1").if_match("*").send().status(204);
    let tag = server.create("/a/1", r#"{"n":1}"#);
    let refused = server.put("/a/1", "1").if_match(&old).send();
    let problem = refused.status(412).problem("stale");
    assert_eq!(problem["current"], tag.as_str());
    if let Some(changes) = problem.get("changes") {
        let expected = json!([{"op": "replace", "path": "/n", "value": 1}]);
        assert_eq!(changes, &expected);
    }
}

#[test]
fn section_5_3_a_coded_tag_has_changes_too() {
    let server = Server::start();
    let body = |last: u32| format!("[{}{last}]", "\"again\",".repeat(500));
    server.create("/a/1", body(1));
    let coded = server.get("/a/1").field("Accept-Encoding", "gzip").send();
    server.replace("/a/1", body(2));
    let refused = server.put("/a/1", "1").if_match(&coded.tag()).send();
    let problem = refused.status(412).problem("stale");
    let expected = json!([{"op": "replace", "path": "/500", "value": 2}]);
    assert_eq!(problem["changes"], expected);
}

#[test]
fn section_5_3_a_lost_acknowledgement_of_a_compressed_put_is_seen() {
    let server = Server::start();
    let old = server.create("/a/1", "1");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"[2]").unwrap();
    let coded = encoder.finish().unwrap();
    let put = || {
        let request = server.put("/a/1", &coded).if_match(&old);
        request.field("Content-Encoding", "gzip").send()
    };
    put().status(204);
    assert_eq!(put().status(412).problem("stale")["same"], true);
}

#[test]
fn section_5_3_what_is_too_large_or_malformed_is_first_of_all_stale() {
    let server = Server::start();
    let old = server.create("/a/1", "1");
    let tag = server.replace("/a/1", "2");
    let malformed = server.put("/a/1", "{").if_match(&old).send();
    let problem = malformed.status(412).problem("stale");
    assert_eq!(problem["current"], tag.as_str());
    let conflict = server.patch("/a/1", r#"[{"op":"remove","path":"/x"}]"#);
    conflict.if_match(&old).send().status(412).problem("stale");
    let mut connection = server.connect();
    connection.send(format!(
        "PUT /a/1 HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain\r\nIf-Match: {old}\r\nTransfer-Encoding: chunked\r\n\r\n",
        server.host()
    ));
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
    for _ in 0..5 {
        connection.send(&chunk);
    }
    connection.send("0\r\n\r\n");
    connection.read("PUT").status(412).problem("stale");
}
