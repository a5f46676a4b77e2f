//! Operations tell how far they are, can be cancelled, and survive the end of the server
//! (contract §9).

use std::collections::HashSet;

use serde_json::json;

use crate::harness::Server;
use crate::harness::operations::{Told, count, import, start, state, succeeded};

/// Enough that an operation is seen in the middle.
const MANY: u64 = 5_000;

fn lines() -> String {
    (0..MANY).map(|n| format!("{{\"n\":{n}}}\n")).collect()
}

fn filled() -> Server {
    let server = Server::start();
    let asked = json!({"kind": "import", "collection": "/a", "id": "/n"});
    let location = import(&server, &asked, &lines());
    succeeded(&server, &location);
    server
}

#[test]
fn section_9_progress_is_told() {
    let server = filled();
    let location = start(
        &server,
        &json!({"kind": "delete-collection", "collection": "/a"}),
    );
    let states = Told::of(&server, &location).rest();
    let done: Vec<_> = states
        .iter()
        .map(|state| state["done"].as_u64().unwrap())
        .collect();
    assert!(done.is_sorted(), "{done:?}");
    assert!(
        done.iter().any(|done| *done > 0 && *done < MANY),
        "{done:?}"
    );
    let last = states.last().unwrap();
    assert_eq!(last["result"], json!({"deleted": MANY}));
    assert_eq!(
        (&last["done"], &last["total"]),
        (&json!(MANY), &json!(MANY))
    );
    assert_eq!(count(&server, "/a"), 0);
}

#[test]
fn section_9_what_is_done_before_a_cancellation_stays_done() {
    let server = filled();
    let location = start(
        &server,
        &json!({"kind": "delete-collection", "collection": "/a"}),
    );
    let mut told = Told::of(&server, &location);
    told.middle();
    server.delete(&location).send().status(204);
    let last = told.rest().pop().unwrap();
    assert_eq!(last["status"], "cancelled");
    let done = last["done"].as_u64().unwrap();
    assert!(done > 0 && done < MANY, "{last}");
    assert_eq!(count(&server, "/a"), MANY - done);
    // Another one begins with what is left.
    let again = start(
        &server,
        &json!({"kind": "delete-collection", "collection": "/a"}),
    );
    assert_eq!(succeeded(&server, &again)["total"], MANY - done);
    assert_eq!(state(&server, &location), last);
}

#[test]
fn section_9_an_import_goes_on_after_kill_9() {
    let mut server = Server::start();
    let location = import(
        &server,
        &json!({"kind": "import", "collection": "/a"}),
        &lines(),
    );
    Told::of(&server, &location).middle();
    server.kill();
    server.start_again();
    let last = succeeded(&server, &location);
    assert_eq!(
        (&last["done"], &last["total"]),
        (&json!(MANY), &json!(MANY))
    );
    assert_eq!(last["result"]["created"], MANY);
    // Though the server makes the ids, no line came twice.
    assert_eq!(count(&server, "/a"), MANY);
    let one = server.get("/a?n=17").send().json();
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
}

#[test]
fn section_9_an_export_goes_on_after_kill_9() {
    let mut server = filled();
    let asked = json!({"kind": "export", "collection": "/a"});
    let location = start(&server, &asked);
    Told::of(&server, &location).middle();
    server.kill();
    server.start_again();
    let last = succeeded(&server, &location);
    assert_eq!(last["result"]["documents"], MANY);
    let file = server.get(&format!("{location}/result")).send().body;
    let file = String::from_utf8(file).unwrap();
    let documents: HashSet<_> = file.lines().collect();
    assert_eq!(documents.len() as u64, MANY);
    assert_eq!(file.lines().count() as u64, MANY);
}

#[test]
fn section_9_a_deletion_goes_on_after_a_stop() {
    let mut server = filled();
    let location = start(
        &server,
        &json!({"kind": "delete-collection", "collection": "/a"}),
    );
    let waiting = start(&server, &json!({"kind": "import", "collection": "/b"}));
    Told::of(&server, &location).middle();
    server.restart();
    let last = succeeded(&server, &location);
    assert_eq!(
        (&last["done"], &last["total"]),
        (&json!(MANY), &json!(MANY))
    );
    assert_eq!(count(&server, "/a"), 0);
    let content = server.request("PUT", &format!("{waiting}/content"));
    content
        .content("application/x-ndjson", "1")
        .send()
        .status(204);
    succeeded(&server, &waiting);
}
