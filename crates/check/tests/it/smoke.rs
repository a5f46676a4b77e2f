//! The whole way once: made, read, changed, deleted, made anew.

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
    saved.status(204).no_field("content-type").is_body("");
    server.holds("/notes/1", r#"{"a": 2}"#, &saved.tag());
    let late = server.put("/notes/1", "3").if_match(&made.tag()).send();
    late.status(412).problem("stale");
    let gone = server.delete("/notes/1").if_match(&saved.tag()).send();
    gone.status(204).no_field("etag");
    server
        .get("/notes/1")
        .send()
        .status(404)
        .problem("not-found");
}

#[test]
fn section_1_data_survives_a_restart() {
    let mut server = Server::start();
    let tag = server.create("/notes/1", "[1, 2]");
    server.restart();
    server.holds("/notes/1", "[1, 2]", &tag);
    server.kill();
    server.start_again();
    server.holds("/notes/1", "[1, 2]", &tag);
}
