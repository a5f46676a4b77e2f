//! Policies (contract §11, §3 lines 7 and 19 and its last rule, §7.7).

use serde_json::{Value, json};

use crate::harness::token::{Guarded, admin, bearer};
use crate::harness::{Answer, Events, Server};

/// A server under some policies of the ready-made set `owner`.
fn owners() -> Guarded {
    Guarded::with(&["--policy", "owner"])
}

fn named(name: &str) -> String {
    bearer(name, &json!({}))
}

fn get(server: &Server, target: &str, who: &str) -> Answer {
    server.get(target).field("Authorization", who).send()
}

fn put(server: &Server, target: &str, who: &str, body: &Value) -> Answer {
    let request = server.put(target, body.to_string()).if_match("*");
    request.field("Authorization", who).send()
}

#[track_caller]
fn make(server: &Server, target: &str, who: &str, body: &Value) -> String {
    let request = server.put(target, body.to_string());
    let made = request.field("Authorization", who).send();
    made.status(201).tag()
}

fn set_policy(server: &Server, text: &str) -> Answer {
    let request = server.request("PUT", "/_/policies/main");
    let request = request.content("text/plain", text).if_match("*");
    let answer = request.field("Authorization", &admin()).send();
    if answer.code != 412 {
        return answer;
    }
    let request = server.request("PUT", "/_/policies/main");
    let request = request.content("text/plain", text);
    request.field("Authorization", &admin()).send()
}

fn paths(answer: &Answer) -> Vec<String> {
    let list = answer.status(200).json();
    let items = list["items"].as_array().unwrap();
    let path = |item: &Value| item["path"].as_str().unwrap().to_owned();
    items.iter().map(path).collect()
}

fn events(server: &Server, target: &str, who: &str) -> Events {
    Events::open(server.address(), target, &[("Authorization", who)])
}

const ADMINS: &str = "permit (principal, action, resource) \
    when { principal has claims.admin && principal.claims.admin };";

#[test]
fn section_11_a_document_is_for_its_owner() {
    let Guarded { server, .. } = &owners();
    let (ann, bob) = (named("ann"), named("bob"));
    make(server, "/notes/1", &ann, &json!({"owner": "ann", "n": 1}));
    make(server, "/notes/2", &bob, &json!({"owner": "bob", "n": 2}));
    get(server, "/notes/1", &ann).status(200);
    get(server, "/notes/1", &bob)
        .status(403)
        .problem("forbidden");
    // Line 19: nobody makes what is not theirs, or gives theirs away.
    let theft = server.put("/notes/3", r#"{"owner":"bob"}"#);
    let answer = theft.field("Authorization", &ann).send();
    answer.status(403).problem("forbidden");
    put(server, "/notes/1", &ann, &json!({"owner": "bob"})).status(403);
    let post = server.post("/notes", r#"{"owner":"bob"}"#);
    post.field("Authorization", &ann).send().status(403);
    // Lists, counts and pages show what may be read.
    assert_eq!(paths(&get(server, "/notes", &ann)), ["/notes/1"]);
    assert_eq!(paths(&get(server, "/notes?_sort=-n", &bob)), ["/notes/2"]);
    assert_eq!(paths(&get(server, "/notes", &admin())).len(), 2);
    let counted = get(server, "/notes?_count=true", &ann).json();
    assert_eq!(counted["count"], 1);
    let lines = server.get("/notes").field("Accept", "application/x-ndjson");
    let lines = lines.field("Authorization", &bob).send();
    assert_eq!(String::from_utf8_lossy(&lines.body).lines().count(), 2);
}

#[test]
fn section_6_what_is_seen_is_part_of_a_lists_tag_and_of_its_tokens() {
    let Guarded { server, .. } = &owners();
    let (ann, bob) = (named("ann"), named("bob"));
    for number in 0..3 {
        let body = json!({"owner": "ann"});
        make(server, &format!("/notes/{number}"), &ann, &body);
    }
    let first = get(server, "/notes?_limit=1", &ann);
    let tag = first.tag();
    let again = |who: &str| {
        let request = server.get("/notes?_limit=1").if_none_match(&tag);
        request.field("Authorization", who).send()
    };
    again(&ann).status(304);
    again(&bob).status(200);
    let next = first.json()["next"].as_str().unwrap().to_owned();
    let target = format!("/notes?_limit=1&_after={next}");
    get(server, &target, &ann).status(200);
    get(server, &target, &bob).status(400).problem("bad-query");
}

#[test]
fn section_1_only_what_may_be_listed_is_in_the_list_of_collections() {
    let Guarded { server, .. } = &Guarded::start();
    let root = admin();
    for name in ["a", "b", "c"] {
        make(server, &format!("/{name}/1"), &root, &json!({}));
    }
    let text = format!("{ADMINS} permit (principal, action, resource in Collection::\"/b\");");
    set_policy(server, &text).status(201);
    assert_eq!(paths(&get(server, "/", &named("ann"))), ["/b"]);
    assert_eq!(paths(&get(server, "/", &root)), ["/a", "/b", "/c"]);
    assert_eq!(paths(&server.get("/").send()), ["/b"]);
}

/// The policies of those who may write and not read.
fn blind() -> Guarded {
    let guarded = Guarded::start();
    let text = format!(
        "{ADMINS} permit (principal is User, action in \
         [Action::\"create\", Action::\"update\", Action::\"delete\"], resource);"
    );
    set_policy(&guarded.server, &text).status(201);
    guarded
}

#[test]
fn section_3_who_may_not_read_learns_nothing() {
    let Guarded { server, .. } = &blind();
    let (root, ann) = (admin(), named("ann"));
    let secret = "the-secret-value";
    let old = make(server, "/notes/1", &root, &json!({"a": secret, "n": 1}));
    let now = put(server, "/notes/1", &root, &json!({"a": secret, "n": 2})).tag();
    let silent = |answer: &Answer| {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(
            !text.contains(secret) && !text.contains(now.trim_matches('"')),
            "{text}"
        );
    };
    let body = json!({"a": secret, "n": 2}).to_string();
    // Neither the tag that stands, nor what has changed, nor whether it is the same.
    let stale = server.put("/notes/1", &body).if_match(&old);
    let answer = stale.field("Authorization", &ann).send();
    let problem = answer.status(412).problem("stale");
    silent(&answer);
    for member in ["current", "changes", "same"] {
        assert_eq!(problem[member], Value::Null, "{member}");
    }
    let answer = server
        .put("/notes/1", "{}")
        .field("Authorization", &ann)
        .send();
    answer.status(428);
    silent(&answer);
    // No representation.
    let asked = server.merge("/notes/1", r#"{"n":3}"#).if_match("*");
    let asked = asked.field("Prefer", "return=representation");
    let answer = asked.field("Authorization", &ann).send();
    answer
        .status(204)
        .is_body("")
        .no_field("preference-applied");
    // No patch that takes something out of the document or compares with it.
    for patch in [
        json!([{"op": "test", "path": "/a", "value": secret}]),
        json!([{"op": "copy", "from": "/a", "path": "/b"}]),
        json!([{"op": "move", "from": "/a", "path": "/b"}]),
    ] {
        let request = server.patch("/notes/1", patch.to_string()).if_match("*");
        let answer = request.field("Authorization", &ann).send();
        answer.status(403).problem("forbidden");
        assert!(answer.field("www-authenticate").contains("scope=\"read\""));
    }
    let patch = json!([{"op": "replace", "path": "/n", "value": 4}]);
    let request = server.patch("/notes/1", patch.to_string()).if_match("*");
    request.field("Authorization", &ann).send().status(204);
    // No violation by what is stored.
    let schema = json!({"schema": {"properties": {"a": {"maxLength": 3}}}});
    make(server, "/_/collections/notes", &root, &schema);
    let request = server.merge("/notes/1", r#"{"n":5}"#).if_match("*");
    let answer = request.field("Authorization", &ann).send();
    let problem = answer.status(422).problem("invalid");
    silent(&answer);
    assert_eq!(problem["errors"], Value::Null);
}

#[test]
fn section_3_line_22_only_for_those_who_may_read() {
    let Guarded { server, .. } = &blind();
    let set = json!({"set": {"by": "principal"}});
    make(server, "/_/collections/notes", &admin(), &set);
    let request = server.put("/notes/1", r#"{"a":1}"#);
    let answer = request.field("Authorization", &named("ann")).send();
    answer.status(201).is_body("").no_field("etag");
    assert!(!answer.field("matchbook-version").is_empty());
    let stored = get(server, "/notes/1", &admin());
    stored.is_body(r#"{"a":1,"by":"ann"}"#);
}

#[test]
fn section_5_2_a_repeat_is_authorised_anew() {
    let Guarded { server, .. } = &owners();
    let ann = named("ann");
    make(server, "/notes/1", &ann, &json!({"owner": "ann", "n": 1}));
    let save = || {
        let request = server.merge("/notes/1", r#"{"n":2}"#).if_match("*");
        let request = request.field("Prefer", "return=representation");
        let request = request.field("Idempotency-Key", "\"k\"");
        request.field("Authorization", &ann).send()
    };
    let saved = json!({"owner": "ann", "n": 2});
    assert_eq!(save().status(200).json(), saved);
    assert_eq!(save().status(200).json(), saved);
    put(server, "/notes/1", &admin(), &json!({"owner": "bob"})).status(204);
    save().status(403).problem("forbidden");
}

#[test]
fn section_5_2_a_repeated_batch_shows_what_may_still_be_read() {
    let Guarded { server, .. } = &owners();
    let ann = named("ann");
    let batch = || {
        let prefer = json!({"Prefer": "return=representation"});
        let body = json!({"requests": [
            {"method": "PUT", "path": "/notes/1", "headers": prefer, "body": {"owner": "ann"}},
            {"method": "PUT", "path": "/notes/2", "headers": prefer, "body": {"owner": "ann"}},
        ]});
        let request = server.post("/_/batch", body.to_string());
        let request = request.field("Idempotency-Key", "\"b\"");
        let answers = request
            .field("Authorization", &ann)
            .send()
            .status(200)
            .json();
        let shown = answers["responses"].as_array().unwrap().iter();
        shown
            .map(|answer| answer["body"].clone())
            .collect::<Vec<_>>()
    };
    let own = json!({"owner": "ann"});
    assert_eq!(batch(), [own.clone(), own.clone()]);
    put(server, "/notes/1", &admin(), &json!({"owner": "bob"})).status(204);
    assert_eq!(batch(), [Value::Null, own]);
}

#[test]
fn section_8_each_request_of_a_batch_is_authorised() {
    let Guarded { server, .. } = &owners();
    let ann = named("ann");
    let batch = |atomic: bool| {
        let body = json!({"atomic": atomic, "requests": [
            {"method": "PUT", "path": "/notes/1", "body": {"owner": "ann"}},
            {"method": "PUT", "path": "/notes/2", "body": {"owner": "bob"}},
        ]});
        let request = server.post("/_/batch", body.to_string());
        request.field("Authorization", &ann).send()
    };
    let answer = batch(true);
    assert_eq!(answer.status(403).problem("forbidden")["failed"], 1);
    get(server, "/notes/1", &admin()).status(404);
    let answers = batch(false).status(200).json();
    let codes = answers["responses"].as_array().unwrap().iter();
    let codes: Vec<_> = codes.map(|answer| answer["status"].clone()).collect();
    assert_eq!(codes, [201, 403]);
    let body = r#"{"requests":[{"method":"PUT","path":"/n/1","body":{}}]}"#;
    server.post("/_/batch", body).send().status(401);
}

#[test]
fn section_7_7_what_may_not_be_read_is_not_sent() {
    let Guarded { server, .. } = &owners();
    let (ann, bob) = (named("ann"), named("bob"));
    make(server, "/notes/1", &ann, &json!({"owner": "ann"}));
    make(server, "/notes/2", &bob, &json!({"owner": "bob"}));
    let mut feed = events(server, "/notes?_snapshot=true", &ann);
    feed.next().is("reset");
    assert_eq!(feed.next().is("put").text("path"), "/notes/1");
    feed.next().is("synced");
    let mut all = events(server, "/_/changes", &ann);
    all.next().is("synced");
    // What becomes somebody's enters, and leaves when it becomes somebody else's.
    put(server, "/notes/2", &admin(), &json!({"owner": "ann"})).status(204);
    put(server, "/notes/1", &admin(), &json!({"owner": "bob"})).status(204);
    put(server, "/notes/1", &bob, &json!({"owner": "bob", "n": 1})).status(204);
    put(server, "/notes/2", &ann, &json!({"owner": "ann", "n": 2})).status(204);
    for feed in [&mut feed, &mut all] {
        let entered = feed.next();
        assert_eq!(entered.is("put").text("path"), "/notes/2");
        assert_eq!(entered.json()["entered"], true);
        assert_eq!(feed.next().is("leave").text("path"), "/notes/1");
        assert_eq!(feed.next().text("path"), "/notes/2");
    }
    // The same from the log.
    let changes = get(server, "/notes?_since=x", &ann);
    changes.status(410);
    let list = get(server, "/notes", &ann).json();
    let cursor = list["cursor"].as_str().unwrap();
    put(server, "/notes/1", &bob, &json!({"owner": "bob", "n": 2})).status(204);
    put(server, "/notes/2", &ann, &json!({"owner": "ann", "n": 3})).status(204);
    let changes = get(server, &format!("/notes?_since={cursor}"), &ann).json();
    let changes = changes["changes"].as_array().unwrap().clone();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0]["path"], "/notes/2");
    // Somebody else's view is another.
    let foreign = get(server, &format!("/notes?_since={cursor}"), &bob);
    foreign.status(410).problem("cursor-gone");
}

#[test]
fn section_7_7_a_feed_of_a_document_ends_in_leave() {
    let Guarded { server, .. } = &owners();
    let (ann, bob) = (named("ann"), named("bob"));
    make(server, "/notes/1", &ann, &json!({"owner": "ann"}));
    let refused = server.get("/notes/1").field("Accept", "text/event-stream");
    refused.field("Authorization", &bob).send().status(403);
    let mut feed = events(server, "/notes/1", &ann);
    feed.next().is("synced");
    put(server, "/notes/1", &admin(), &json!({"owner": "bob"})).status(204);
    assert_eq!(feed.next().is("leave").text("path"), "/notes/1");
}

#[test]
fn section_11_policies_are_saved_under_the_rules_of_a_document() {
    let Guarded { server, .. } = &Guarded::start();
    let ann = named("ann");
    // Without policies, good credentials are enough.
    make(server, "/notes/1", &ann, &json!({}));
    let bad =
        format!("{ADMINS}\npermit (principal, action, resource)\nwhen {{ resource.colour == 1 }};");
    let answer = set_policy(server, &bad);
    let problem = answer.status(422).problem("invalid");
    let detail = problem["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("/_/policies/main:3:"), "{detail}");
    get(server, "/_/policies/main", &admin()).status(404);
    get(server, "/notes/1", &ann).status(200);
    // Whoever would lock themselves out is told so.
    let locked = "permit (principal == User::\"ann\", action, resource);";
    set_policy(server, locked).status(422).problem("invalid");
    // It holds for each request that begins after the answer.
    set_policy(server, ADMINS).status(201);
    get(server, "/notes/1", &ann).status(403);
    get(server, "/_/policies", &ann).status(403);
    get(server, "/_/policies/main", &ann)
        .status(403)
        .problem("forbidden");
    get(server, "/_/metrics", &ann).status(403);
    get(server, "/_/metrics", &admin()).status(200);
    let read = get(server, "/_/policies/main", &admin());
    read.status(200)
        .is_body(ADMINS)
        .has("content-type", "text/plain");
    let json = server
        .put("/_/policies/other", "{}")
        .field("Authorization", &admin());
    json.send().status(415);
    let gone = server.delete("/_/policies/main").if_match("*");
    gone.field("Authorization", &admin()).send().status(204);
    get(server, "/notes/1", &ann).status(200);
}

#[test]
fn section_11_policies_outlast_a_restart() {
    let mut guarded = Guarded::start();
    set_policy(&guarded.server, ADMINS).status(201);
    guarded.server.restart();
    get(&guarded.server, "/notes/1", &named("ann")).status(403);
    get(&guarded.server, "/notes/1", &admin()).status(404);
}

#[test]
fn section_12_a_schema_keeps_the_members_that_policies_use() {
    let Guarded { server, .. } = &Guarded::start();
    let schema = json!({"schema": {"properties": {"colour": {"type": "string"}}}});
    make(server, "/_/collections/notes", &admin(), &schema);
    let text = format!(
        "{ADMINS} permit (principal, action == Action::\"read\", resource) \
         when {{ resource has document.colour && resource.document.colour == \"red\" }};"
    );
    set_policy(server, &text).status(201);
    let without = put(server, "/_/collections/notes", &admin(), &json!({}));
    let problem = without.status(422).problem("invalid");
    let detail = problem["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("colour"), "{detail}");
    make(server, "/notes/1", &admin(), &json!({"colour": "red"}));
    make(server, "/notes/2", &admin(), &json!({"colour": "blue"}));
    server.get("/notes/1").send().status(200);
    server.get("/notes/2").send().status(401);
}

#[test]
fn section_7_7_streams_end_when_policies_change_and_another_view_is_a_reset() {
    let Guarded { server, .. } = &Guarded::start();
    let ann = named("ann");
    make(server, "/notes/1", &ann, &json!({"owner": "ann"}));
    make(server, "/notes/2", &ann, &json!({"owner": "bob"}));
    let mut feed = events(server, "/notes?_snapshot=true", &ann);
    feed.until("synced");
    let id = feed.last_id.clone();
    let owner = format!(
        "{ADMINS} permit (principal, action == Action::\"list\", resource); \
         permit (principal is User, action == Action::\"read\", resource) \
         when {{ resource has owner && resource.owner == principal.id }};"
    );
    set_policy(server, &owner).status(201);
    let end = feed.rest();
    assert_eq!(end.last().unwrap().is("end").json()["reason"], "policy");
    let again = [("Authorization", ann.as_str()), ("Last-Event-ID", &id)];
    let mut feed = Events::open(server.address(), "/notes", &again);
    assert_eq!(feed.next().is("reset").json()["reason"], "view");
    assert_eq!(feed.next().is("put").text("path"), "/notes/1");
    feed.next().is("synced");
    // The same view again: no reset.
    let id = feed.last_id.clone();
    let again = [("Authorization", ann.as_str()), ("Last-Event-ID", &id)];
    let mut feed = Events::open(server.address(), "/notes", &again);
    feed.next().is("synced");
    // What says the same ends nothing.
    make(server, "/_/collections/other", &admin(), &json!({}));
    put(
        server,
        "/notes/1",
        &admin(),
        &json!({"owner": "ann", "n": 1}),
    )
    .status(204);
    assert_eq!(feed.next().text("path"), "/notes/1");
}

#[test]
fn section_11_what_a_balancer_asks_is_for_anybody() {
    let Guarded { server, .. } = &owners();
    for target in ["/_/health", "/_/ready", "/_/problems/forbidden"] {
        server.get(target).send().status(200);
        get(server, target, &named("ann")).status(200);
        get(server, target, "Bearer bad").status(401);
    }
    get(server, "/_/metrics", &named("ann")).status(403);
    get(server, "/_/metrics", &admin()).status(200);
    let violations = "/_/collections/notes/violations";
    let request = server.put("/_/collections/notes", "{}");
    request.field("Authorization", &admin()).send().status(201);
    get(server, violations, &named("ann")).status(403);
    get(server, violations, &admin()).status(200);
    server.get(violations).send().status(401);
}
