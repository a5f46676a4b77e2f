//! A request with an `Idempotency-Key` is done once, however often it is sent (contract
//! §5.2).

use std::sync::{Arc, Barrier};
use std::thread;

use serde_json::json;

use crate::harness::Server;

#[test]
fn section_5_2_a_repeat_gets_the_first_answer() {
    let mut server = Server::start();
    let tag = server.create("/a/1", r#"{"n":1}"#);
    let put = |server: &Server| {
        let request = server.put("/a/1", r#"{"n":2}"#).if_match(&tag);
        request.field("Idempotency-Key", "\"put\"").send()
    };
    let post = |server: &Server| {
        let request = server.post("/a", "[]").field("Idempotency-Key", "post");
        request.field("Prefer", "return=representation").send()
    };
    let delete = |server: &Server| {
        let request = server.delete("/a/1").field("Idempotency-Key", "delete");
        request.if_match("*").send()
    };
    let batch = |server: &Server| {
        let body = json!({"requests": [{"method": "POST", "path": "/b", "body": 1}]});
        let request = server.post("/_/batch", body.to_string());
        request.field("Idempotency-Key", "batch").send()
    };
    let first = [put(&server), post(&server), delete(&server), batch(&server)];
    let codes = first.each_ref().map(|answer| answer.code);
    assert_eq!(codes, [204, 201, 204, 200]);
    let repeat = |server: &Server| {
        let again = [put(server), post(server), delete(server), batch(server)];
        for (first, again) in first.iter().zip(&again) {
            assert_eq!(again.code, first.code);
            assert_eq!(again.body, first.body);
            for name in [
                "etag",
                "last-modified",
                "location",
                "content-type",
                "preference-applied",
            ] {
                assert_eq!(again.maybe(name), first.maybe(name), "{name}");
            }
        }
    };
    repeat(&server);
    server.get("/a/1").send().status(404);
    assert_eq!(
        server.get("/a").send().json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        server.get("/b").send().json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    server.kill();
    server.start_again();
    repeat(&server);
    assert_eq!(
        server.get("/b").send().json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // What is kept about requests is nobody's document.
    assert_eq!(
        server.get("/").send().json()["items"],
        json!([{"path": "/a"}, {"path": "/b"}])
    );
    let told = server.get("/_/changes?_since=").send();
    assert!(!told.json().to_string().contains("receipts"));
    server.get("/_/receipts").send().status(404);
}

#[test]
fn section_5_2_refusals_that_depend_on_the_state_are_kept() {
    let server = Server::start();
    let old = server.create("/a/1", r#"{"n":1}"#);
    let now = server.replace("/a/1", r#"{"n":2}"#);
    let stale = |key: &str, tag: &str| {
        let request = server.put("/a/1", r#"{"n":3}"#).if_match(tag);
        request.field("Idempotency-Key", key).send()
    };
    let first = stale("stale", &old);
    let problem = first.status(412).problem("stale");
    assert_eq!(problem["current"], now.as_str());
    server.replace("/a/1", r#"{"n":4}"#);
    stale("stale", &old).status(412).is_body(&first.body);
    let test = r#"[{"op":"test","path":"/n","value":5}]"#;
    let conflict = || {
        let request = server.patch("/a/1", test).if_match("*");
        request.field("Idempotency-Key", "conflict").send()
    };
    let first = conflict();
    first.status(409);
    server.replace("/a/1", r#"{"n":5}"#);
    conflict().status(409).is_body(&first.body);
    // What a repeat may well do better is decided anew.
    let patch = || {
        let request = server.merge("/b/1", r#"{"n":6}"#).if_match("*");
        request.field("Idempotency-Key", "missing").send()
    };
    patch().status(404);
    server.create("/b/1", "{}");
    patch().status(204);
    patch().status(204);
}

#[test]
fn section_5_2_a_key_belongs_to_one_request() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let keyed = |target: &str, body: &str| server.put(target, body).field("Idempotency-Key", "k");
    keyed("/a/1", "2").if_match(&tag).send().status(204);
    let others = [
        keyed("/a/1", "3").if_match(&tag),
        keyed("/a/2", "2").if_match(&tag),
        keyed("/a/1", "2").if_match("*"),
        keyed("/a/1", "2"),
        keyed("/a/1", "2")
            .if_match(&tag)
            .field("Prefer", "return=representation"),
        server
            .delete("/a/1")
            .if_match(&tag)
            .field("Idempotency-Key", "k"),
    ];
    for other in others {
        other.send().status(422).problem("key-reused");
    }
    keyed("/a/1", "2").if_match(&tag).send().status(204);
    for bad in ["", "a b", "\"", &"k".repeat(300)] {
        let request = server.put("/a/9", "1").field("Idempotency-Key", bad);
        request.send().status(400).problem("bad-field");
    }
    server.get("/a/9").send().status(404);
}

#[test]
fn section_5_2_equal_content_alone_never_wins_twice() {
    let server = Server::start();
    let tag = server.create("/a/1", r#"{"locked":false}"#);
    let lock = || {
        server
            .merge("/a/1", r#"{"locked":true}"#)
            .if_match(&tag)
            .send()
    };
    lock().status(204);
    let problem = lock().status(412).problem("stale");
    assert_eq!(problem["same"], true);
}

#[test]
fn section_5_2_a_repeat_waits_for_the_first() {
    const AT_ONCE: usize = 8;
    const ROUNDS: usize = 25;
    let server = Arc::new(Server::start());
    let barrier = Arc::new(Barrier::new(AT_ONCE));
    let clients = (0..AT_ONCE).map(|_| {
        let (server, barrier) = (Arc::clone(&server), Arc::clone(&barrier));
        thread::spawn(move || {
            let answers = (0..ROUNDS).map(|round| {
                barrier.wait();
                let request = server.post("/a", round.to_string());
                let answer = request
                    .field("Idempotency-Key", &format!("k{round}"))
                    .send();
                answer.status(201).field("location").to_owned()
            });
            answers.collect::<Vec<_>>()
        })
    });
    let clients: Vec<_> = clients.collect();
    let answers: Vec<_> = clients
        .into_iter()
        .map(|client| client.join().unwrap())
        .collect();
    assert!(answers.iter().all(|locations| *locations == answers[0]));
    let items = server.get("/a").send().json();
    assert_eq!(items["items"].as_array().unwrap().len(), ROUNDS);
}
