//! How work that takes long is asked for, and by whom (contract §9).

use serde_json::{Value, json};

use crate::harness::operations::{Told, start, state, succeeded};
use crate::harness::request::Request;
use crate::harness::token::{Guarded, admin, bearer};
use crate::harness::{Events, Server};

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
    server.create("/a/1", "1");
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
    server.create("/a/1", "1");
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
