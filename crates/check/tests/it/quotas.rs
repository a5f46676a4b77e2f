//! What a collection may hold (contract §12; §3, line 20).

use std::thread;

use serde_json::{Value, json};

use crate::harness::{Answer, Server};

fn set(server: &Server, pattern: &str, settings: &Value) {
    let target = format!("/_/collections/{pattern}");
    server.create(&target, settings.to_string());
}

#[track_caller]
fn is_full(answer: &Answer, says: &str) {
    let problem = answer.status(507).problem("collection-full");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(says), "{detail}");
}

#[test]
fn section_12_a_collection_holds_so_many_documents() {
    let mut server = Server::start();
    let tag = server.create("/notes/1", "1");
    set(&server, "notes", &json!({"max_documents": 3}));
    server.create("/notes/2", "2");
    server.post("/notes", "3").send().status(201);
    for _ in 0..2 {
        is_full(
            &server.put("/notes/4", "4").send(),
            "/notes may hold 3 documents",
        );
        is_full(&server.post("/notes", "4").send(), "3 documents");
        server.get("/notes/4").send().status(404);
        // The count is there after a restart.
        server.kill();
        server.start_again();
    }
    server.replace("/notes/2", "22222");
    server.create("/others/1", "1");
    server.create("/notes/1/parts/1", "1");
    server.delete("/notes/1").if_match(&tag).send().status(204);
    server.create("/notes/4", "4");
    is_full(&server.put("/notes/5", "5").send(), "3 documents");
}

#[test]
fn section_12_a_collection_holds_so_many_bytes() {
    let server = Server::start();
    let tag = server.create("/notes/1", r#"{"a":1234567}"#);
    set(&server, "notes", &json!({"max_bytes": 20}));
    is_full(
        &server.put("/notes/2", "12345678").send(),
        "/notes may hold 20 bytes",
    );
    server.create("/notes/2", "1234567");
    let grown = server.merge("/notes/1", r#"{"a":12345678}"#);
    is_full(&grown.if_match(&tag).send(), "20 bytes");
    server.holds("/notes/1", r#"{"a":1234567}"#, &tag);
    // Line 15 comes before.
    let stale = server.put("/notes/1", "\"long enough to be too much\"");
    stale.if_match("\"x\"").send().status(412);
    server
        .merge("/notes/1", r#"{"a":1}"#)
        .if_match(&tag)
        .send()
        .status(204);
    server.replace("/notes/2", "1234567890123");
}

#[test]
fn section_12_each_collection_of_a_pattern_has_its_own() {
    let server = Server::start();
    set(&server, "projects.*.tasks", &json!({"max_documents": 1}));
    for project in 0..3 {
        let target = |task: u32| format!("/projects/{project}/tasks/{task}");
        server.create(&target(0), "0");
        is_full(
            &server.put(&target(1), "1").send(),
            &format!("/projects/{project}/tasks may"),
        );
    }
}

#[test]
fn section_8_a_batch_is_counted() {
    let server = Server::start();
    set(&server, "notes", &json!({"max_documents": 2}));
    let send = |atomic: bool| {
        let requests: Vec<_> = ["/notes/1", "/others/1", "/notes/2", "/notes/3", "/notes/4"]
            .map(|path| json!({"method": "PUT", "path": path, "body": path}))
            .into();
        let batch = json!({"atomic": atomic, "requests": requests});
        server.post("/_/batch", batch.to_string()).send()
    };
    let refused = send(true);
    is_full(&refused, "2 documents");
    assert_eq!(refused.json()["failed"], 3);
    server.get("/others/1").send().status(404);
    let done = send(false).status(200).json();
    let statuses: Vec<_> = done["responses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| answer["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [201, 201, 201, 507, 507]);
    let problem = &done["responses"][3]["body"];
    assert_eq!(problem["type"], "/_/problems/collection-full");
    server.get("/notes/3").send().status(404);
}

#[test]
fn section_12_quotas_are_exact_among_many_writers() {
    const WRITERS: usize = 8;
    const EACH: usize = 10;
    const MOST: usize = 37;
    let server = Server::start();
    set(&server, "notes", &json!({"max_documents": MOST}));
    let made: usize = thread::scope(|scope| {
        let write = |_| {
            scope.spawn(|| {
                let mut connection = server.connect();
                let answers = (0..EACH).map(|_| {
                    let answer = connection.request("POST", "/notes").json("1").send();
                    assert!(matches!(answer.code, 201 | 507), "{answer}");
                    usize::from(answer.code == 201)
                });
                answers.sum::<usize>()
            })
        };
        let writers: Vec<_> = (0..WRITERS).map(write).collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum()
    });
    assert_eq!(made, MOST);
    let list = server.get("/notes?_count=true&_limit=1").send().json();
    assert_eq!(list["count"], MOST);
}
