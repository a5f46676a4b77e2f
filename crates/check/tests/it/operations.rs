//! Work that takes long (contract §9): each kind.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::harness::operations::{Told, count, done, import, start, state, succeeded};
use crate::harness::{Server, binary};

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
