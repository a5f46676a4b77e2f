//! Indexes and unique fields of collections (contract §12; §3, line 18; §6).

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::harness::{Answer, Server};
use crate::lists::ids;

fn set(server: &Server, pattern: &str, settings: &Value) -> Answer {
    let target = format!("/_/collections/{pattern}");
    let request = server.put(&target, settings.to_string());
    match server.get(&target).send().code {
        404 => request.send(),
        _ => request.if_match("*").send(),
    }
}

/// Makes documents, a thousand at a time, by a function of their number.
fn fill(server: &Server, collection: &str, count: usize, document: impl Fn(usize) -> Value) {
    let numbers: Vec<_> = (0..count).collect();
    for numbers in numbers.chunks(1_000) {
        let requests = numbers.iter().map(|number| {
            let path = format!("{collection}/{number:05}");
            json!({"method": "PUT", "path": path, "body": document(*number)})
        });
        let requests: Vec<_> = requests.collect();
        let batch = json!({ "requests": requests }).to_string();
        server.post("/_/batch", batch).send().status(200);
    }
}

/// Asks until an index is used.
fn until_indexed(server: &Server, target: &str) -> Answer {
    for _ in 0..100_000 {
        let answer = server.get(target).send();
        answer.status(200);
        if answer.maybe("server-timing").is_some() {
            return answer;
        }
    }
    panic!("no index is used for {target}");
}

#[test]
fn section_12_a_list_says_which_index_it_was_found_by() {
    let server = Server::start();
    let names = json!(["n", "by.name", "/a.b", "x\"y é"]);
    set(&server, "notes", &json!({ "indexes": names })).status(201);
    fill(
        &server,
        "/notes",
        20,
        |at| json!({"n": at % 4, "m": at, "by": {"name": format!("name {at}")}, "a.b": at, "x\"y é": 1}),
    );
    for (query, index) in [
        ("n=1", Some("n")),
        ("n:gt=1&n:lte=2&m:ne=7", Some("n")),
        ("n:in=1,3", Some("n")),
        ("by.name:prefix=name+1", Some("by.name")),
        ("_where./a.b=7", Some("/a.b")),
        ("x%22y+%C3%A9=1", Some(r#"x\"y %C3%A9"#)),
        ("_sort=-n", Some("n")),
        ("_sort=-n&_limit=3&m:gte=2", Some("n")),
        ("n=1&_sort=m", Some("n")),
        ("m=1", None),
        ("n:ne=1", None),
        ("n:contains=1", None),
        ("_sort=m", None),
        ("", None),
    ] {
        let answer = server.get(&format!("/notes?{query}")).send();
        let expected = index.map(|name| format!("index;desc=\"{name}\""));
        let timing = answer.status(200).maybe("server-timing");
        assert_eq!(timing.map(str::to_owned), expected, "{query}");
    }
    let page = server.get("/notes?n=1&_count=true&_limit=2").send().json();
    assert_eq!(
        (ids(&page), &page["count"]),
        (vec!["00001", "00005"], &json!(5))
    );
    let next = page["next"].as_str().unwrap();
    let rest = server.get(&format!("/notes?n=1&_after={next}")).send();
    assert_eq!(ids(&rest.json()), ["00009", "00013", "00017"]);
    let tag = rest.tag();
    let again = server.get("/notes?n=1").field("if-none-match", &tag).send();
    again.status(304).no_field("server-timing");
    // What is saved and deleted is found by it as well.
    server
        .merge("/notes/00001", r#"{"n":7.0}"#)
        .if_match("*")
        .send()
        .status(204);
    server
        .delete("/notes/00005")
        .if_match("*")
        .send()
        .status(204);
    let page = server.get("/notes?n:in=1,7").send().json();
    assert_eq!(ids(&page), ["00001", "00009", "00013", "00017"]);
}

#[test]
fn section_12_an_index_is_built_behind_the_documents_that_are_there() {
    let mut server = Server::start();
    fill(&server, "/notes", 3_000, |at| json!({"n": at % 1_000}));
    let before = server.get("/notes?n=7").send();
    before.no_field("server-timing");
    set(&server, "notes", &json!({"indexes": ["n"]})).status(201);
    server.create("/notes/00007x", r#"{"n":7}"#);
    server.kill();
    server.start_again();
    server.create("/notes/02007x", r#"{"n":7}"#);
    let answer = until_indexed(&server, "/notes?n=7");
    let found = answer.json();
    assert_eq!(ids(&found), ["00007", "00007x", "01007", "02007", "02007x"]);
    set(&server, "notes", &json!({})).status(204);
    loop {
        let answer = server.get("/notes?n=7").send();
        assert_eq!(ids(&answer.json()).len(), 5);
        if answer.maybe("server-timing").is_none() {
            break;
        }
    }
}

#[test]
fn section_3_line_18_a_unique_field_is_given_once() {
    let mut server = Server::start();
    set(&server, "users", &json!({"unique": ["mail", "/n"]})).status(201);
    let secret = server.create("/users/secret", r#"{"mail":"ada@example","n":1}"#);
    for _ in 0..2 {
        let refused = |answer: Answer, field: &str| {
            let problem = answer.status(400).problem("taken");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(&format!("'{field}'")), "{detail}");
            assert!(!problem.to_string().contains("secret"), "{problem}");
            assert!(!problem.to_string().contains("ada@"), "{problem}");
        };
        let mail = r#"{"mail":"\u0061da@example"}"#;
        refused(server.put("/users/2", mail).send(), "mail");
        refused(server.post("/users", r#"{"n":1.0}"#).send(), "n");
        server.get("/users/2").send().status(404);
        let other = server.put("/users/3", r#"{"mail":"bob@example"}"#).send();
        assert!([201, 428].contains(&other.code));
        let patch = server.merge("/users/3", r#"{"n":10e-1}"#).if_match("*");
        refused(patch.send(), "n");
        let stale = server.merge("/users/3", r#"{"n":1}"#).if_match("\"x\"");
        stale.send().status(412);
        let keep = server.merge("/users/secret", r#"{"seen":true}"#);
        keep.if_match("*").send().status(204);
        // It holds after a restart as well.
        server.kill();
        server.start_again();
    }
    assert_ne!(server.get("/users/secret").send().tag(), secret);
    // What has no value takes none; other collections are free.
    server.create("/users/4", "{}");
    server.create("/users/5", "[]");
    server.create("/others/1", r#"{"n":1}"#);
    server.create("/others/2", r#"{"n":1}"#);
    // A value that is given up can be had.
    server
        .merge("/users/secret", r#"{"n":2}"#)
        .if_match("*")
        .send()
        .status(204);
    server.create("/users/6", r#"{"n":1}"#);
    server.delete("/users/6").if_match("*").send().status(204);
    server.create("/users/7", r#"{"n":1}"#);
}

#[test]
fn section_8_a_unique_field_is_given_once_in_a_batch() {
    let server = Server::start();
    set(&server, "users", &json!({"unique": ["n"]})).status(201);
    server.create("/users/1", r#"{"n":1}"#);
    let put = |path: &str, n: u32| json!({"method": "PUT", "path": path, "body": {"n": n}});
    let requests = [
        put("/users/2", 2),
        json!({"method": "DELETE", "path": "/users/none"}),
        put("/users/3", 1),
        put("/users/4", 2),
        put("/others/4", 2),
    ];
    let batch = |atomic: bool, requests: &[Value]| {
        let body = json!({"atomic": atomic, "requests": requests});
        server.post("/_/batch", body.to_string()).send()
    };
    let atomic = [&requests[..1], &requests[2..]].concat();
    let problem = batch(true, &atomic).status(400).problem("taken");
    assert_eq!(problem["failed"], 1);
    server.get("/users/2").send().status(404);
    let answers = batch(false, &requests).status(200).json();
    let answers = answers["responses"].as_array().unwrap();
    let codes: Vec<_> = answers
        .iter()
        .map(|answer| answer["status"].as_u64().unwrap())
        .collect();
    assert_eq!(codes, [201, 404, 400, 400, 201]);
    let tag = answers[0]["headers"]["etag"].as_str().unwrap();
    server.holds("/users/2", r#"{"n":2}"#, tag);
    assert!(
        answers[3]["body"]["type"]
            .as_str()
            .unwrap()
            .ends_with("/taken")
    );
    server.get("/users/4").send().status(404);
    let moved = [
        json!({"method": "PUT", "path": "/users/1", "headers": {"If-Match": "*"}, "body": {"n": 3}}),
        put("/users/5", 1),
    ];
    batch(true, &moved).status(200);
}

#[test]
fn section_12_of_many_clients_one_gets_a_unique_value() {
    let server = Server::start();
    set(&server, "seats.*.taken", &json!({"unique": ["seat"]})).status(201);
    let codes = thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|client| {
                let server = &server;
                scope.spawn(move || {
                    let seats = (0..10).map(|seat| {
                        let body = format!("{{\"seat\":{seat},\"client\":{client}}}");
                        server.post("/seats/7/taken", body).send().code
                    });
                    seats.collect::<Vec<_>>()
                })
            })
            .collect();
        let codes = clients
            .into_iter()
            .flat_map(|client| client.join().unwrap());
        codes.collect::<Vec<_>>()
    });
    assert_eq!(codes.iter().filter(|code| **code == 201).count(), 10);
    assert_eq!(codes.iter().filter(|code| **code == 400).count(), 70);
    let list = server.get("/seats/7/taken?_sort=seat").send();
    assert_eq!(ids(&list.json()).len(), 10);
    list.has("server-timing", "index;desc=\"seat\"");
    server
        .post("/seats/8/taken", r#"{"seat":1}"#)
        .send()
        .status(201);
}

#[test]
fn section_12_unique_fields_that_stored_documents_violate_are_not_saved() {
    let server = Server::start();
    for project in [1, 2] {
        fill(
            &server,
            &format!("/projects/{project}/tasks"),
            400,
            |at| json!({"n": at / 2, "m": at, "k": if at < 3 { json!(null) } else { json!(at) }}),
        );
    }
    let pattern = "projects.*.tasks";
    set(&server, pattern, &json!({"indexes": ["n"]})).status(201);
    let settings = json!({"unique": ["m", "n", "k"], "indexes": ["n"]});
    let problem = set(&server, pattern, &settings)
        .status(422)
        .problem("invalid");
    let mut errors: Vec<_> = problem["errors"].as_array().unwrap().iter().collect();
    errors.sort_by_key(|error| error["pointer"].to_string());
    assert_eq!(errors.len(), 2);
    assert_eq!(
        (&errors[0]["pointer"], &errors[1]["pointer"]),
        (&json!("/unique/1"), &json!("/unique/2"))
    );
    assert!(
        errors[0]["detail"].as_str().unwrap().ends_with(": 400"),
        "{problem}"
    );
    assert!(
        errors[1]["detail"].as_str().unwrap().ends_with(": 4"),
        "{problem}"
    );
    // The old settings hold.
    server.create("/projects/1/tasks/x", r#"{"n":1,"m":1,"k":null}"#);
    until_indexed(&server, "/projects/2/tasks?n=1");
    server
        .delete("/projects/1/tasks/x")
        .if_match("*")
        .send()
        .status(204);
    set(&server, pattern, &json!({"unique": ["m"]})).status(204);
    let taken = server.put("/projects/1/tasks/x", r#"{"m":1}"#).send();
    taken.status(400).problem("taken");
    // Who is not asked for any more refuses nothing, from the answer on.
    server
        .delete(&format!("/_/collections/{pattern}"))
        .if_match("*")
        .send()
        .status(204);
    server.create("/projects/1/tasks/x", r#"{"m":1}"#);
    // Settings that come to hold because others go are no different.
    set(&server, "projects.1.tasks", &json!({})).status(201);
    set(&server, pattern, &json!({"unique": ["m"]})).status(201);
    let gone = server
        .delete("/_/collections/projects.1.tasks")
        .if_match("*")
        .send();
    gone.status(422).problem("invalid");
    server.create("/projects/1/tasks/y", r#"{"m":1}"#);
}

#[test]
fn section_12_a_unique_field_that_is_saved_holds_while_others_write() {
    let server = Server::start();
    fill(&server, "/c", 700, |at| json!({"n": at}));
    let target = "/_/collections/c";
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..3 {
            let (server, is_over) = (&server, &is_over);
            scope.spawn(move || {
                // Numbers that the others give their documents as well.
                for number in 0.. {
                    let body = format!("{{\"n\":{}}}", 700 + (number * (writer + 1)) % 5);
                    let path = format!("/c/writer{writer}");
                    let answer = server.put(&path, body).if_match("*").send();
                    assert!([204, 400, 412].contains(&answer.code), "{answer}");
                    let create = server.put(&path, "{}").field("if-none-match", "*");
                    create.send();
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        let mut saved = 0;
        for _ in 0..25 {
            let answer = server.put(target, r#"{"unique":["n"]}"#).send();
            assert!([201, 422].contains(&answer.code), "{answer}");
            if answer.code == 201 {
                saved += 1;
                for _ in 0..3 {
                    let page = server.get("/c?n:gte=700").send().json();
                    let items = page["items"].as_array().unwrap().iter();
                    let mut values: Vec<_> =
                        items.map(|item| item["document"]["n"].as_u64()).collect();
                    let all = values.len();
                    values.sort();
                    values.dedup();
                    assert_eq!(values.len(), all, "{page}");
                }
                server.delete(target).if_match("*").send().status(204);
            }
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(saved > 0);
    });
}
