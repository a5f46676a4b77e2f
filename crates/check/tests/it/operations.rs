//! Work that takes long (contract §9): each kind, and how it is asked for.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::operations::{Told, count, done, import, start, state, succeeded};
use crate::harness::request::Request;
use crate::harness::token::{Guarded, admin, bearer};
use crate::harness::{Events, Server, binary};

/// A document with a string, one with a line end and a number to be kept, and one that is
/// not JSON.
fn fill(server: &Server) {
    server.create("/a/1", r#"{"n": 1.0, "t": "x"}"#);
    server.create("/a/2", "{\"n\": 1e400,\n \"t\": \"y\"}");
    let text = server
        .request("PUT", "/a/3")
        .content("text/plain", "no JSON");
    text.send().status(201);
}

#[test]
fn section_9_an_export_is_a_file() {
    let server = Server::start();
    fill(&server);
    let location = start(&server, &json!({"kind": "export", "collection": "/a"}));
    let last = succeeded(&server, &location);
    assert_eq!(last["kind"], "export");
    assert_eq!((&last["done"], &last["total"]), (&json!(3), &json!(3)));
    let result = &last["result"];
    assert_eq!(result["documents"], 2);
    assert_eq!(result["left_out"], 1);
    let content = result["content"].as_str().unwrap();
    assert_eq!(content, format!("{location}/result"));
    let lines = "{\"n\": 1.0, \"t\": \"x\"}\n{\"n\":1e400,\"t\":\"y\"}\n";
    let length = lines.len().to_string();
    let file = server.get(content).send();
    file.status(200)
        .is_body(lines)
        .has("content-type", "application/x-ndjson")
        .has("cache-control", "no-store")
        .has("x-content-type-options", "nosniff");
    let head = server.head(content).send();
    head.status(200).has("content-length", &length).is_body("");
    server
        .put(content, "1")
        .send()
        .status(405)
        .has("allow", "GET, HEAD, OPTIONS");
    // The changes since its cursor bring it up to date.
    let since = format!("/a?_since={}", result["cursor"].as_str().unwrap());
    server.create("/a/4", "4");
    let changes = server.get(&since).send().json();
    assert_eq!(changes["changes"][0]["path"], "/a/4");
    let few =
        json!({"kind": "export", "collection": "/a", "query": "n:exists=true&_sort=-t&_fields=t"});
    let few = done(&server, &few);
    assert_eq!((&few["done"], &few["total"]), (&json!(2), &json!(2)));
    let file = server
        .get(few["result"]["content"].as_str().unwrap())
        .send();
    file.status(200).is_body("{\"t\":\"y\"}\n{\"t\":\"x\"}\n");
    let none = done(&server, &json!({"kind": "export", "collection": "/none"}));
    let file = server
        .get(none["result"]["content"].as_str().unwrap())
        .send();
    file.status(200).is_body("");
}

#[test]
fn section_9_an_export_is_what_the_command_imports() {
    let server = Server::start();
    fill(&server);
    let export = done(&server, &json!({"kind": "export", "collection": "/a"}));
    let lines = server
        .get(export["result"]["content"].as_str().unwrap())
        .send()
        .body;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.ndjson");
    fs::write(&file, &lines).unwrap();
    let ended = Command::new(binary::path())
        .args(["import", "/b", "--id", "/t"])
        .arg(&file)
        .args(["--server", &format!("http://{}", server.address())])
        .status()
        .unwrap();
    assert!(ended.success());
    let again = server.get("/b/x").send();
    again.status(200).is_body(r#"{"n": 1.0, "t": "x"}"#);
    assert_eq!(count(&server, "/b"), 2);
}

#[test]
fn section_9_an_import_takes_each_line_by_itself() {
    let server = Server::start();
    let schema =
        json!({"schema": {"properties": {"n": {"type": "number"}}}, "set": {"by": "principal"}});
    server.create("/a/old", r#"{"id":"old"}"#);
    server.create("/_/collections/a", schema.to_string());
    let lines = [
        r#"{"id": "é 1", "n": 1.50}"#,
        "",
        r#"{"id":7}"#,
        r#"{"id":7,"n":2}"#,
        r#"{"id":"bad","n":"x"}"#,
        r#"{"n":1}"#,
        "nonsense",
        r#"{"id":"old","n":1}"#,
        r#"{"id":"last"}"#,
    ];
    let asked = json!({"kind": "import", "collection": "/a", "id": "/id"});
    let location = import(&server, &asked, &lines.join("\n"));
    let last = succeeded(&server, &location);
    assert_eq!((&last["done"], &last["total"]), (&json!(8), &json!(8)));
    let result = &last["result"];
    assert_eq!(result["created"], 3);
    assert_eq!(result["failed"], 5);
    let failed: Vec<_> = result["errors"].as_array().unwrap().iter().collect();
    let numbers: Vec<_> = failed
        .iter()
        .map(|error| error["line"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [4, 5, 6, 7, 8]);
    for (error, part) in failed
        .iter()
        .zip(["differs", "/n", "/id", "byte 1", "differs"])
    {
        assert!(error["detail"].as_str().unwrap().contains(part), "{error}");
    }
    // What the server sets is added, and nothing else.
    server
        .get("/a/%C3%A9%201")
        .send()
        .is_body(r#"{"id": "é 1", "n": 1.50, "by": ""}"#);
    // Where it is allowed to, it overwrites.
    let asked = json!({"kind": "import", "collection": "/b", "id": "/id", "replace": true});
    server.create("/b/1", r#"{"id":1}"#);
    server.create("/b/2", r#"{"id":2}"#);
    let location = import(
        &server,
        &asked,
        "{\"id\":1}\n{\"id\":2,\"n\":1}\n{\"id\":3}\n{\"id\":2,\"n\":2}\n",
    );
    let result = &succeeded(&server, &location)["result"];
    let counts = ["created", "replaced", "same", "failed"].map(|name| result[name].as_u64());
    assert_eq!(counts, [Some(1), Some(2), Some(1), Some(0)]);
    server.get("/b/2").send().is_body("{\"id\":2,\"n\":2}");
}

#[test]
fn section_9_content_is_taken_once() {
    let server = Server::start();
    let asked = json!({"kind": "import", "collection": "/a"});
    let location = start(&server, &asked);
    let content = format!("{location}/content");
    let put = |lines: &[u8]| {
        server
            .request("PUT", &content)
            .content("application/x-ndjson", lines)
    };
    assert_eq!(state(&server, &location)["status"], "running");
    server.put(&content, "1\n").send().status(415);
    put(b"1\n")
        .field("Content-Encoding", "br")
        .send()
        .status(415);
    let answer = put(b"no gzip").field("Content-Encoding", "gzip").send();
    answer.status(400).problem("malformed");
    server
        .get(&content)
        .send()
        .status(405)
        .has("allow", "PUT, OPTIONS");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, b"1\n2\n").unwrap();
    let coded = encoder.finish().unwrap();
    put(&coded)
        .field("Content-Encoding", "gzip")
        .send()
        .status(204);
    // An answer that was lost is asked for again, before the end and after it.
    put(b"1\n2\n").send().status(204);
    let last = succeeded(&server, &location);
    assert_eq!(last["content"]["bytes"], 4);
    assert_eq!(last["result"]["created"], 2);
    put(b"1\n2\n").send().status(204);
    put(b"1\n3\n").send().status(400).problem("not-waiting");
    assert_eq!(count(&server, "/a"), 2);
    let export = start(&server, &json!({"kind": "export", "collection": "/a"}));
    for none in [export, "/_/operations/1".to_owned()] {
        let request = server.request("PUT", &format!("{none}/content"));
        request
            .content("application/x-ndjson", "1")
            .send()
            .status(404);
    }
    let cancelled = start(&server, &asked);
    server.delete(&cancelled).send().status(204);
    let request = server.request("PUT", &format!("{cancelled}/content"));
    let answer = request.content("application/x-ndjson", "1").send();
    answer.status(400).problem("not-waiting");
}

#[test]
fn section_9_an_export_can_be_imported_where_it_lies() {
    let server = Server::start();
    fill(&server);
    let export = start(
        &server,
        &json!({"kind": "export", "collection": "/a", "items": true}),
    );
    succeeded(&server, &export);
    let asked = json!({"kind": "import", "collection": "/b/1/c", "source": export});
    let last = done(&server, &asked);
    assert_eq!((&last["done"], &last["total"]), (&json!(3), &json!(3)));
    assert_eq!(last["result"]["created"], 2);
    assert_eq!(last["result"]["failed"], 1);
    server
        .get("/b/1/c/1")
        .send()
        .is_body(r#"{"n": 1.0, "t": "x"}"#);
    assert_eq!(done(&server, &asked)["result"]["same"], 2);
    // The result is still there.
    server.get(&format!("{export}/result")).send().status(200);
    for bad in [
        json!({"kind": "import", "collection": "/b", "source": export, "id": "/t"}),
        json!({"kind": "import", "collection": "/b", "source": "/_/operations/1"}),
        json!({"kind": "import", "collection": "/b", "source": "/_/operations/01999999-0000-7000-8000-000000000000"}),
    ] {
        let answer = server.post("/_/operations", bad.to_string()).send();
        answer.status(422).problem("bad-operation");
    }
}

#[test]
fn section_9_a_collection_is_deleted() {
    let server = Server::start();
    server.create("/a/1", "1");
    server.create("/a/2", "2");
    server.create("/a/1/parts/1", "3");
    server.create("/b/1", "4");
    let mut events = server.events("/a");
    events.until("synced");
    let last = done(
        &server,
        &json!({"kind": "delete-collection", "collection": "/a"}),
    );
    assert_eq!(last["result"], json!({"deleted": 2}));
    for path in ["/a/1", "/a/2"] {
        assert_eq!(events.next().is("delete").text("path"), path);
        server.get(path).send().status(404);
    }
    // Neither what lies below nor what lies beside.
    server.get("/a/1/parts/1").send().status(200);
    server.get("/b/1").send().status(200);
    let again = done(
        &server,
        &json!({"kind": "delete-collection", "collection": "/a"}),
    );
    assert_eq!((&again["done"], &again["total"]), (&json!(0), &json!(0)));
}

#[test]
fn section_9_a_backup_can_be_restored() {
    let server = Server::start();
    let tag = server.create("/a/1", "1");
    let last = done(&server, &json!({"kind": "backup"}));
    server.replace("/a/1", "2");
    let name = last["result"]["name"].as_str().unwrap();
    assert!(!name.contains('/'), "{name}");
    let file = server.data().join("backups").join(name);
    let bytes = fs::metadata(&file).unwrap().len();
    assert_eq!(last["result"]["bytes"], bytes);
    assert_eq!(
        (&last["done"], &last["total"]),
        (&json!(bytes), &json!(bytes))
    );
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("restored");
    let restored = Command::new(binary::path())
        .arg("restore")
        .arg(&file)
        .arg("--data")
        .arg(&data)
        .status()
        .unwrap();
    assert!(restored.success());
    let restored = Server::on(&data, &[]);
    restored.holds("/a/1", "1", &tag);
    // What was under way is not: it may be what the backup is to undo.
    let copied = restored.get("/_/operations").send().json();
    let copied = copied["items"][0]["path"].as_str().unwrap();
    let last = Told::of(&restored, copied).rest().pop().unwrap();
    assert_eq!(last["status"], "cancelled");
}

#[test]
fn section_9_operations_are_documents() {
    let server = Server::start();
    let mut all = server.events("/_/operations");
    all.until("synced");
    let location = start(&server, &json!({"kind": "import", "collection": "/a"}));
    assert_eq!(all.next().is("put").text("path"), location);
    let list = server.get("/_/operations?kind=import").send().json();
    assert_eq!(list["items"][0]["path"], location.as_str());
    let answer = server.get(&location).send();
    let tag = answer.status(200).tag();
    let shown = answer.json();
    assert_eq!(shown["kind"], "import");
    assert_eq!(shown["done"], 0);
    assert_eq!(
        (&shown["total"], &shown["creator"]),
        (&Value::Null, &Value::Null)
    );
    assert!(shown.get("result").is_none() && shown.get("place").is_none());
    server.get(&location).if_none_match(&tag).send().status(304);
    server.head(&location).send().status(200).has("etag", &tag);
    for method in ["PUT", "PATCH", "POST"] {
        let answer = server.request(method, &location).json("{}").send();
        answer
            .status(405)
            .has("allow", "GET, HEAD, DELETE, OPTIONS");
    }
    server.request("OPTIONS", &location).send().status(204);
    let listed = server.request("OPTIONS", "/_/operations").send();
    listed.status(204).has("allow", "GET, HEAD, POST, OPTIONS");
    server.get(&format!("{location}/result")).send().status(404);
    server
        .delete(&location)
        .if_match("\"x\"")
        .send()
        .status(412);
    server
        .delete(&location)
        .if_match(&tag)
        .send()
        .status(204)
        .is_body("");
    let now = state(&server, &location);
    assert_eq!(now["status"], "cancelled");
    server.delete(&location).send().status(204);
    assert_eq!(state(&server, &location), now);
    // They are not among the clients' documents, and how they go on is nobody's.
    assert_eq!(server.get("/").send().json()["items"], json!([]));
    let changes = server.get("/_/changes?_since=").send();
    assert!(!changes.json().to_string().contains("operations"));
    for hidden in ["/_/marks", "/_/operations/1", "/_/operations/1/result"] {
        server.get(hidden).send().status(404);
    }
    server.delete("/_/operations/1").send().status(404);
    for (method, path) in [
        ("POST", "/_/operations"),
        ("DELETE", &*location),
        ("PUT", &*location),
    ] {
        let batch =
            json!({"requests": [{"method": method, "path": path, "body": {"kind": "backup"}}]});
        let answer = server.post("/_/batch", batch.to_string()).send();
        answer.status(400).problem("malformed");
    }
}

#[test]
fn section_9_what_cannot_be_done_is_refused() {
    let server = Server::start();
    let post = |body: &str| server.post("/_/operations", body).send();
    post("{").status(400).problem("malformed");
    post(r#"{"kind":"backup","kind":"backup"}"#).status(400);
    for bad in [
        json!({}),
        json!([]),
        json!({"kind": "nothing"}),
        json!({"kind": "backup", "to": "/tmp/x"}),
        json!({"kind": "export"}),
        json!({"kind": "export", "collection": "/a/1"}),
        json!({"kind": "export", "collection": "/_/operations"}),
        json!({"kind": "export", "collection": "/a", "query": "n:like=1"}),
        json!({"kind": "delete-collection", "collection": "/_/collections"}),
        json!({"kind": "import", "collection": "/a", "id": "n"}),
    ] {
        let problem = post(&bad.to_string()).status(422).problem("bad-operation");
        assert!(problem["errors"][0]["pointer"].is_string(), "{problem}");
    }
    let text = server
        .request("POST", "/_/operations")
        .content("text/plain", "{}");
    text.send().status(415);
    let large = format!("{{\"kind\":\"{}\"}}", "x".repeat(70_000));
    post(&large).status(413);
    let list = server.get("/_/operations").send().json();
    assert_eq!(list["items"], json!([]));
}

#[test]
fn section_5_2_an_operation_is_started_once() {
    let mut server = Server::start();
    fill(&server);
    let asked = json!({"kind": "export", "collection": "/a"}).to_string();
    let post = |server: &Server, body: &str| {
        let request = server.post("/_/operations", body);
        request.field("Idempotency-Key", "k").send()
    };
    let first = post(&server, &asked);
    let location = first.status(202).field("location").to_owned();
    post(&server, &asked).status(202).has("location", &location);
    post(&server, r#"{"kind":"backup"}"#)
        .status(422)
        .problem("key-reused");
    succeeded(&server, &location);
    server.kill();
    server.start_again();
    post(&server, &asked).status(202).has("location", &location);
    let list = server.get("/_/operations?_count=true").send().json();
    assert_eq!(list["count"], 1);
    let waiting = start(&server, &json!({"kind": "import", "collection": "/a"}));
    let cancel = || server.delete(&waiting).field("Idempotency-Key", "c").send();
    cancel().status(204);
    cancel().status(204);
}

const ADMINS_OF_COLLECTIONS: &str = r#"
    permit (principal == User::"ann", action == Action::"admin", resource in Collection::"/a");
    permit (principal == User::"bob", action == Action::"admin", resource in Collection::"/b");
"#;

#[test]
fn section_9_an_operation_is_for_its_creator_and_admins() {
    let Guarded { server, .. } = &Guarded::with(&["--policy", "owner"]);
    let policy = server.request("PUT", "/_/policies/collections");
    let policy = policy.content("text/plain", ADMINS_OF_COLLECTIONS);
    policy.field("Authorization", &admin()).send().status(201);
    let (ann, bob) = (bearer("ann", &json!({})), bearer("bob", &json!({})));
    let ask = |request: Request<'static>, who: &str| request.field("Authorization", who).send();
    let post = |who: &str, asked: Value| {
        let request = server.post("/_/operations", asked.to_string());
        ask(request, who)
    };
    let import = |collection: &str| json!({"kind": "import", "collection": collection});
    let anonymous = server.post("/_/operations", import("/a").to_string());
    anonymous.send().status(401);
    let refused = post(&ann, import("/b"));
    let problem = refused.status(403).problem("forbidden");
    assert!(
        problem["detail"].as_str().unwrap().contains("admin"),
        "{problem}"
    );
    post(&ann, json!({"kind": "backup"})).status(403);
    post(&admin(), json!({"kind": "backup"})).status(202);
    let import = post(&ann, import("/a"))
        .status(202)
        .field("location")
        .to_owned();
    let shown = ask(server.get(&import), &ann).status(200).json();
    assert_eq!(shown["creator"], json!({"kind": "user", "id": "ann"}));
    ask(server.get(&import), &admin()).status(200);
    let content = format!("{import}/content");
    let put = || {
        server
            .request("PUT", &content)
            .content("application/x-ndjson", "1\n")
    };
    for request in [server.get(&import), server.delete(&import), put()] {
        ask(request, &bob).status(403).problem("forbidden");
    }
    server.get(&import).send().status(401);
    ask(server.get("/_/operations"), &ann).status(403);
    let all = ask(server.get("/_/operations"), &admin())
        .status(200)
        .json();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    let mut told = Events::open(server.address(), &import, &[("Authorization", &ann)]);
    told.next().is("synced");
    ask(put(), &ann).status(204);
    let mut state = shown;
    while state["status"] == "running" {
        state = told.next().is("put").json()["document"].clone();
    }
    assert_eq!(state["result"]["created"], 1);
    let export = post(&ann, json!({"kind": "export", "collection": "/a"}));
    let export = export.status(202).field("location").to_owned();
    let result = || server.get(&format!("{export}/result"));
    while ask(result(), &ann).code == 404 {}
    ask(result(), &ann).status(200).is_body("1\n");
    ask(result(), &bob).status(403);
    let source = json!({"kind": "import", "collection": "/b", "source": export});
    post(&bob, source).status(422).problem("bad-operation");
}

#[test]
fn section_9_those_that_wait_have_their_turn() {
    let server = Server::start();
    fill(&server);
    let export = json!({"kind": "export", "collection": "/a"});
    let all: Vec<_> = (0..8).map(|_| start(&server, &export)).collect();
    for location in &all {
        assert_eq!(
            Told::of(&server, location).rest().pop().unwrap()["status"],
            "succeeded"
        );
    }
}

#[test]
fn section_9_only_so_many_wait() {
    let server = Server::start();
    let mut connection = server.connect();
    let import = json!({"kind": "import", "collection": "/a"}).to_string();
    let mut post = || {
        connection
            .request("POST", "/_/operations")
            .json(&import)
            .send()
    };
    let first = post().status(202).field("location").to_owned();
    for _ in 1..256 {
        post().status(202);
    }
    let refused = post();
    refused.status(503).problem("unavailable");
    refused.field("retry-after");
    server.delete(&first).send().status(204);
    post().status(202);
    post().status(503);
}
