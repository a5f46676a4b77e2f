//! Several writes at once (contract §8).

use serde_json::{Value, json};

use crate::harness::{Answer, Server};

fn batch(server: &Server, body: &Value) -> Answer {
    server.post("/_/batch", body.to_string()).send()
}

fn item(method: &str, path: &str, if_match: &str, body: Value) -> Value {
    json!({"method": method, "path": path, "headers": {"If-Match": if_match}, "body": body})
}

#[test]
fn section_8_each_request_is_answered_as_if_it_came_alone() {
    let server = Server::start();
    let old = server.create("/a/1", r#"{"n":1}"#);
    let gone = server.create("/a/2", r#"{"n":2}"#);
    let answer = batch(
        &server,
        &json!({"atomic": true, "requests": [
            item("PATCH", "/a/1", &old, json!({"n": 2})),
            item("DELETE", "/a/2", &gone, Value::Null),
            {"method": "PUT", "path": "/a/3", "headers": {"If-None-Match": "*"}, "body": {"n": 3}},
            {"method": "POST", "path": "/b", "body": [1.0]},
            {"method": "PUT", "path": "/a/3", "headers": {"If-Match": "*", "Prefer": "return=representation"}, "body": {"n": 3.0}},
            {"method": "PUT", "path": "/t/1", "headers": {"Content-Type": "text/plain"}, "body": "plain\ntext"},
            item("PATCH", "/a/1", "*", json!({"n": 2})),
            {"method": "PUT", "path": "/t/2", "headers": {"Content-Type": "text/jsonish", "Prefer": "return=representation"}, "body": "not {json"},
        ]}),
    );
    let answers = answer
        .status(200)
        .has("content-type", "application/json")
        .json();
    let answers = answers["responses"].as_array().unwrap();
    let codes: Vec<_> = answers
        .iter()
        .map(|answer| answer["status"].as_u64().unwrap())
        .collect();
    assert_eq!(codes, [204, 204, 201, 201, 200, 201, 204, 201]);
    let tag = |index: usize| answers[index]["headers"]["etag"].as_str().unwrap();
    server.holds("/a/1", r#"{"n":2}"#, tag(0));
    assert_eq!(tag(6), tag(0), "nothing changed");
    server.get("/a/2").send().status(404);
    server.holds("/a/3", r#"{"n":3.0}"#, tag(4));
    assert_eq!(answers[2]["headers"]["location"], "/a/3");
    let made = answers[3]["headers"]["location"].as_str().unwrap();
    server.holds(made, "[1.0]", tag(3));
    assert_eq!(answers[4]["body"], json!({"n": 3.0}));
    assert_eq!(
        answers[4]["headers"]["preference-applied"],
        "return=representation"
    );
    server.get("/t/1").send().is_body("plain\ntext");
    assert_eq!(answers[7]["body"], "not {json");
}

#[test]
fn section_8_an_atomic_batch_is_done_whole_or_not_at_all() {
    let server = Server::start();
    let tag = server.create("/a/1", r#"{"n":1}"#);
    let now = server.replace("/a/1", r#"{"n":2}"#);
    let requests = json!([
        {"method": "PUT", "path": "/a/new", "body": {}},
        item("PUT", "/a/1", &tag, json!({"n": 3})),
        item("PUT", "/a/1", &now, json!({"n": 4})),
    ]);
    let body = json!({"atomic": true, "requests": requests});
    let problem = batch(&server, &body).status(412).problem("stale");
    assert_eq!(problem["failed"], 1);
    assert_eq!(problem["current"], now.as_str());
    server.get("/a/new").send().status(404);
    server.holds("/a/1", r#"{"n":2}"#, &now);
    // Atomic is what a batch is if it does not say.
    batch(&server, &json!({"requests": body["requests"]})).status(412);
    // Otherwise what fails is left out.
    let body = json!({"atomic": false, "requests": requests});
    let answers = batch(&server, &body).status(200).json();
    let codes: Vec<_> = (0..3)
        .map(|at| answers["responses"][at]["status"].clone())
        .collect();
    assert_eq!(codes, [json!(201), json!(412), json!(204)]);
    assert_eq!(answers["responses"][1]["body"]["current"], now.as_str());
    let tag = answers["responses"][2]["headers"]["etag"].as_str().unwrap();
    server.holds("/a/1", r#"{"n":4}"#, tag);
}

#[test]
fn section_8_each_request_sees_what_those_before_it_made() {
    let server = Server::start();
    let first = server.create("/a/1", r#"{"log":[]}"#);
    let add = |value: u32| json!([{"op": "add", "path": "/log/-", "value": value}]);
    let patch = |value: u32, tag: &str| {
        json!({"method": "PATCH", "path": "/a/1", "body": add(value),
            "headers": {"Content-Type": "application/json-patch+json", "If-Match": tag}})
    };
    let body = json!({"requests": [patch(1, &first), patch(2, "*"), patch(3, "*")]});
    batch(&server, &body).status(200);
    server.get("/a/1").send().is_body(r#"{"log":[1,2,3]}"#);
    // The tag from before the batch is stale for the second.
    let now = server.get("/a/1").send().tag();
    let body = json!({"requests": [patch(4, &now), patch(5, &now)]});
    let problem = batch(&server, &body).status(412).problem("stale");
    assert_eq!(problem["failed"], 1);
    // Deleted and made anew; a required precondition is required within a batch too.
    let body = json!({"requests": [
        item("DELETE", "/a/1", "*", Value::Null),
        {"method": "PUT", "path": "/a/1", "body": "again"},
        {"method": "PUT", "path": "/a/1", "body": "and again"},
    ]});
    let problem = batch(&server, &body)
        .status(428)
        .problem("precondition-required");
    assert_eq!(problem["failed"], 2);
    server.holds("/a/1", r#"{"log":[1,2,3]}"#, &now);
}

#[test]
fn section_7_5_a_batch_is_told_in_one_piece() {
    let server = Server::start();
    let mut events = server.events("/a");
    assert_eq!(events.next().name, "synced");
    let requests: Vec<_> = (0..3)
        .map(|id| json!({"method": "PUT", "path": format!("/a/{id}"), "body": id}))
        .collect();
    batch(&server, &json!({"requests": requests})).status(200);
    let told: Vec<_> = (0..3).map(|_| events.next()).collect();
    let more: Vec<_> = told
        .iter()
        .map(|event| event.json()["more"] == true)
        .collect();
    assert_eq!(more, [true, true, false]);
    assert_eq!(told[0].id, told[1].id);
    assert_ne!(told[1].id, told[2].id);
}

#[test]
fn section_8_what_is_no_batch_is_refused() {
    let server = Server::start();
    let put = json!({"method": "PUT", "path": "/a/1", "body": 1});
    server
        .get("/_/batch")
        .send()
        .status(405)
        .has("allow", "POST, OPTIONS");
    let plain = server
        .request("POST", "/_/batch")
        .content("text/plain", "{}");
    plain.send().status(415).problem("unsupported-content");
    server
        .post("/_/batch", "[]")
        .send()
        .status(400)
        .problem("malformed");
    let too_many = json!({"requests": vec![put.clone(); 1_001]});
    batch(&server, &too_many).status(400).problem("malformed");
    for field in ["Authorization", "cookie", "Host", "Idempotency-Key"] {
        let mut item = put.clone();
        item["headers"] = json!({field: "x"});
        let problem = batch(&server, &json!({"requests": [item]}))
            .status(400)
            .problem("malformed");
        assert!(problem["detail"].as_str().unwrap().contains(field));
    }
    let tag = server.create("/b/1", "1");
    let outer = server.post("/_/batch", json!({"requests": [put]}).to_string());
    outer.if_match(&tag).send().status(412).problem("stale");
    server.get("/a/1").send().status(404);
    // What a request of it may not do is said of that request.
    let cases = [
        (
            json!({"method": "PUT", "path": "/a", "body": 1}),
            405,
            "method-not-allowed",
        ),
        (
            json!({"method": "PUT", "path": "/_/health", "body": 1}),
            404,
            "not-found",
        ),
        (
            json!({"method": "PUT", "path": "/a/%2F", "body": 1}),
            400,
            "bad-target",
        ),
        (
            json!({"method": "PUT", "path": "/a/1", "headers": {"if-match": "x"}, "body": 1}),
            400,
            "bad-field",
        ),
        (
            json!({"method": "PATCH", "path": "/none/1", "body": {}}),
            404,
            "not-found",
        ),
        (
            json!({"method": "PUT", "path": "/a/1"}),
            415,
            "unsupported-content",
        ),
    ];
    for (item, code, name) in cases {
        let problem = batch(&server, &json!({"requests": [item]}))
            .status(code)
            .problem(name);
        assert_eq!(problem["failed"], 0);
    }
    batch(&server, &json!({"requests": []}))
        .status(200)
        .is_body("{\"responses\":[]}\n");
}

#[test]
fn section_8_a_slash_too_many_redirects_no_batch() {
    let server = Server::start();
    let requests = json!([
        {"method": "PUT", "path": "/notes/1", "body": 1},
        {"method": "PUT", "path": "/notes/2/", "body": 2},
    ]);
    let sent = json!({"requests": requests}).to_string();
    let answer = server.post("/_/batch", sent).send();
    let problem = answer
        .status(400)
        .no_field("location")
        .problem("bad-target");
    assert_eq!(problem["failed"], 1);
    server.get("/notes/1").send().status(404);
    let sent = json!({"atomic": false, "requests": requests}).to_string();
    let answers = server.post("/_/batch", sent).send().status(200).json();
    assert_eq!(answers["responses"][0]["status"], 201);
    assert_eq!(answers["responses"][1]["status"], 308);
    assert_eq!(answers["responses"][1]["headers"]["location"], "/notes/2");
}
