//! What a collection is set to (contract §12; §3, lines 14, 18 and 22).

use serde_json::{Value, json};

use crate::harness::{Answer, Server};

fn set(server: &Server, pattern: &str, settings: &Value) -> Answer {
    let target = format!("/_/collections/{pattern}");
    server
        .put(&target, settings.to_string())
        .if_match("*")
        .send()
}

fn create(server: &Server, pattern: &str, settings: &Value) -> String {
    let target = format!("/_/collections/{pattern}");
    server.create(&target, settings.to_string())
}

#[test]
fn section_12_settings_are_documents() {
    let server = Server::start();
    let settings = json!({"preconditions": "optional"});
    let tag = create(&server, "notes", &settings);
    server.holds("/_/collections/notes", settings.to_string(), &tag);
    let target = "/_/collections/notes";
    server.put(target, "{}").send().status(428);
    server
        .put(target, "{}")
        .if_match("\"x\"")
        .send()
        .status(412);
    server
        .merge(target, r#"{"max_document_bytes":10}"#)
        .if_match(&tag)
        .send()
        .status(204);
    let list = server.get("/_/collections").send().json();
    assert_eq!(list["items"][0]["path"], target);
    let mut events = server.events("/_/collections?_snapshot=true");
    assert_eq!(events.until("synced")[1].json()["path"], target);
    server.delete(target).if_match("*").send().status(204);
    assert_eq!(events.next().name, "delete");
    // They are not among the clients' documents.
    create(&server, "*", &json!({}));
    let all = server.get("/").send().json();
    assert_eq!(all["items"], json!([]));
    let changes = server.get("/_/changes?_since=").send();
    assert!(!changes.json().to_string().contains("collections/"));
    server.get("/_/changes?_snapshot=true");
}

#[test]
fn section_12_settings_that_cannot_hold_are_refused() {
    let server = Server::start();
    let bad = [
        (json!([]), ""),
        (json!({"shcema": {}}), ""),
        (json!({"preconditions": "maybe"}), ""),
        (json!({"max_document_bytes": -1}), ""),
        (json!({"max_document_bytes": 0}), "/max_document_bytes"),
        (json!({"set": {"at": "tomorrow"}}), ""),
        (json!({"schema": {"type": "strnig"}}), "/schema/type"),
        (json!({"indexes": "n"}), ""),
        (json!({"indexes": ["a", "a..b"]}), "/indexes/1"),
        (json!({"unique": ["/~2"]}), "/unique/0"),
        (
            json!({"indexes": (0..17).map(|n| n.to_string()).collect::<Vec<_>>()}),
            "",
        ),
        (
            json!({"schema": {"properties": {"a": {"pattern": "("}}}}),
            "/schema/properties/a/pattern",
        ),
        (
            json!({"schema": {"$ref": "http://127.0.0.1:9/x"}}),
            "/schema",
        ),
    ];
    for (settings, pointer) in bad {
        let answer = server
            .put("/_/collections/notes", settings.to_string())
            .send();
        let problem = answer.status(422).problem("invalid");
        assert_eq!(
            problem["errors"][0]["pointer"], pointer,
            "{settings} {problem}"
        );
    }
    for name in ["a.b", "a..b", "a*"] {
        let target = format!("/_/collections/{name}");
        server
            .put(&target, "{}")
            .send()
            .status(400)
            .problem("bad-target");
    }
    let text = server
        .request("PUT", "/_/collections/notes")
        .content("text/plain", "{}");
    text.send().status(415);
    server.get("/_/collections/notes").send().status(404);
    server.create("/notes/1", "[]");
}

#[test]
fn section_3_line_18_a_schema_binds_later_writes() {
    let mut server = Server::start();
    let old = server.create("/notes/old", "[]");
    let schema = json!({
        "type": "object",
        "required": ["title"],
        "properties": {"title": {"type": "string"}, "n": {"maximum": 10}},
    });
    create(&server, "notes", &json!({"schema": schema}));
    for _ in 0..2 {
        let problem = server.put("/notes/1", r#"{"title":1,"n":11}"#).send();
        let problem = problem.status(422).problem("invalid");
        let pointers: Vec<_> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["pointer"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(pointers.len(), 2);
        assert!(pointers.contains(&"/title".to_owned()) && pointers.contains(&"/n".to_owned()));
        server.post("/notes", "{}").send().status(422);
        let text = server.request("PUT", "/notes/2").content("text/plain", "x");
        text.send().status(422);
        server.get("/notes/1").send().status(404);
        // It holds after a restart as well.
        server.kill();
        server.start_again();
    }
    let tag = server.create("/notes/1", r#"{"title":"a"}"#);
    server
        .merge("/notes/1", r#"{"n":11}"#)
        .if_match(&tag)
        .send()
        .status(422);
    server
        .merge("/notes/1", r#"{"n":10}"#)
        .if_match(&tag)
        .send()
        .status(204);
    // Line 17 comes before, and what was there before stays.
    let patch = server.patch("/notes/1", r#"[{"op":"remove","path":"/none"}]"#);
    patch.if_match("*").send().status(409);
    server.holds("/notes/old", "[]", &old);
    let batch = json!({"requests": [
        {"method": "PUT", "path": "/notes/3", "body": {"title": "b"}},
        {"method": "PUT", "path": "/notes/4", "body": {}},
    ]});
    let problem = server
        .post("/_/batch", batch.to_string())
        .send()
        .status(422)
        .problem("invalid");
    assert_eq!(problem["failed"], 1);
    server.get("/notes/3").send().status(404);
    // Other collections are free, and so is this one without the schema.
    server.create("/others/1", "[]");
    set(&server, "notes", &json!({})).status(204);
    server.create("/notes/5", "[]");
}

#[test]
fn section_12_each_collection_has_its_own_rules() {
    let server = Server::start();
    create(
        &server,
        "projects.*.tasks",
        &json!({"preconditions": "optional", "max_document_bytes": 8}),
    );
    create(
        &server,
        "projects.7.tasks",
        &json!({"preconditions": "required"}),
    );
    for (path, code) in [
        ("/projects/1/tasks/1", 204),
        ("/projects/7/tasks/1", 428),
        ("/tasks/1", 428),
    ] {
        server.create(path, "1");
        server.put(path, "2").send().status(code);
    }
    server
        .put("/projects/1/tasks/2", r#""123456""#)
        .send()
        .status(201);
    server
        .put("/projects/1/tasks/3", r#""1234567""#)
        .send()
        .status(413);
    server
        .put("/projects/7/tasks/3", r#""1234567""#)
        .send()
        .status(201);
    let patch = server.merge("/projects/1/tasks/2", r#"{"a":12345}"#);
    patch.send().status(413);
}

#[test]
fn section_3_line_22_what_the_server_sets_comes_back() {
    let server = Server::start();
    create(
        &server,
        "notes",
        &json!({"set": {"modified": "now", "by": "principal"}}),
    );
    let long = "text ".repeat(50);
    let first = format!(r#"{{ "title": "a", "modified": "never", "text": "{long}" }}"#);
    let answer = server.put("/notes/1", &first).send();
    let document = answer.status(201).json();
    answer
        .has("location", "/notes/1")
        .has("content-location", "/notes/1")
        .no_field("etag");
    let time = document["modified"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.starts_with("20"), "{time}");
    assert_eq!(document["by"], "");
    let stored = server.get("/notes/1").send();
    stored.is_body(&answer.body);
    assert_eq!(stored.tag(), answer.field("matchbook-version"));
    // A PATCH may carry the tag.
    let tag = stored.tag();
    let answer = server
        .merge("/notes/1", r#"{"title":"b"}"#)
        .if_match(&tag)
        .send();
    let tag = answer.status(200).tag();
    assert_eq!(answer.json()["title"], "b");
    server.holds(
        "/notes/1",
        String::from_utf8(answer.body.clone()).unwrap(),
        &tag,
    );
    // What changes nothing sets nothing.
    let answer = server
        .merge("/notes/1", r#"{"title":"b"}"#)
        .if_match(&tag)
        .send();
    assert_eq!(answer.status(204).tag(), tag);
    // What is no object has no members.
    server.put("/notes/2", "[]").send().status(201).is_body("");
    let mut events = server.events("/notes");
    events.next();
    server
        .merge("/notes/1", r#"{"title":"c"}"#)
        .if_match(&tag)
        .send()
        .status(200);
    let event = events.next();
    assert_eq!(event.name, "patch");
    assert_eq!(event.json()["patch"].as_array().unwrap().len(), 2);
}

#[test]
fn section_12_documents_that_a_schema_does_not_allow_are_reported() {
    let server = &Server::start();
    for number in 0..600 {
        let title = if number % 200 == 7 { "7" } else { "\"a\"" };
        server.create(
            &format!("/notes/{number}"),
            format!("{{\"title\":{title}}}"),
        );
    }
    server.create("/other/1", "{}");
    let text = server
        .request("PUT", "/notes/text")
        .content("text/plain", "x");
    let tag = text.send().status(201).tag();
    let report = |pattern: &str| {
        let answer = server
            .get(&format!("/_/collections/{pattern}/violations"))
            .send();
        answer
            .status(200)
            .has("content-type", "application/x-ndjson");
        let text = String::from_utf8(answer.body).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect::<Vec<Value>>()
    };
    let schema = json!({"required": ["title"], "properties": {"title": {"type": "string"}}});
    create(server, "notes", &json!({"schema": schema}));
    let lines = report("notes");
    let paths: Vec<_> = lines
        .iter()
        .filter_map(|line| line["path"].as_str())
        .collect();
    assert_eq!(
        paths,
        ["/notes/207", "/notes/407", "/notes/7", "/notes/text"]
    );
    assert_eq!(lines[0]["errors"][0]["pointer"], "/title");
    assert!(lines[0]["errors"][0]["detail"].is_string());
    assert_eq!(lines[3]["etag"], tag);
    assert_eq!(lines[4], json!({"violations": 4, "documents": 601}));
    // The operator learns of it without asking.
    while !server
        .log()
        .contains("stored documents that the schema does not allow")
    {
        std::thread::yield_now();
    }
    // Rules of another pattern are not those of /notes.
    create(server, "*", &json!({"schema": {"required": ["n"]}}));
    assert_eq!(
        report("*").last(),
        Some(&json!({"violations": 1, "documents": 1}))
    );
    create(server, "rooms", &json!({}));
    assert_eq!(report("rooms"), [json!({"violations": 0, "documents": 0})]);
    server
        .get("/_/collections/nothing/violations")
        .send()
        .status(404);
    let post = server.post("/_/collections/notes/violations", "{}").send();
    post.status(405).has("allow", "GET, HEAD, OPTIONS");
}

/// There is one log for all: it goes back as far as any collection is set to keep.
#[test]
fn section_12_retention_keeps_changes_for_longer() {
    let flags = ["--retention-seconds", "0", "--retention-changes", "1"];
    let filled = |settings: Option<&Value>| {
        let server = Server::with(&flags);
        if let Some(settings) = settings {
            create(&server, "notes", settings);
        }
        let begun = server.events("/notes?_snapshot=true").until("synced");
        let since = begun.last().unwrap().id.clone();
        for number in 0..20 {
            server.create(&format!("/notes/{number}"), "1");
        }
        (server, format!("/notes?_since={since}"))
    };
    let (keeps, since) = filled(Some(&json!({"retention": {"seconds": 3_600}})));
    // The other one begins later, so that both have looked at their logs when it has.
    let (trims, old) = filled(None);
    while trims.get(&old).send().code == 200 {}
    trims.get(&old).send().status(410);
    keeps.get(&since).send().status(200);
    for bad in [
        json!({"seconds": -1}),
        json!({}),
        json!({"days": 1}),
        json!(7),
    ] {
        let settings = json!({"retention": bad}).to_string();
        keeps
            .put("/_/collections/rooms", settings)
            .send()
            .status(422);
    }
}
