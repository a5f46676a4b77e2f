//! What is not a collection: the list of them, batches, the changes of all, the session,
//! and the pages of the server's own.

use matchbook_core::limits::{CHANGES_DEFAULT, CHANGES_MAX};
use matchbook_core::problem::Kind;
use serde_json::{Map, Value, json};

use super::documents::may;
use super::fields::{self, field, parameter};
use super::operation::{Operation, json_of};
use super::view::View;

/// The name of all these operations' group.
const TAG: &str = "server";

/// Adds their paths.
pub(super) fn describe(view: &View, paths: &mut Map<String, Value>) {
    let mut add = |path: &str, item: Value| paths.insert(path.to_owned(), item);
    add("/", json!({"get": root(view)}));
    add("/_/batch", json!({"post": batch(view)}));
    add("/_/changes", json!({"get": changes(view)}));
    if view.authenticates {
        add(
            "/_/session",
            json!({"post": begin(view), "delete": end(view)}),
        );
    }
    let text = json!({"text/plain": {"schema": {"const": "ok\n"}}});
    let health = page(view, "getHealth", "Whether the server lives", &text).public();
    add("/_/health", json!({"get": health.value()}));
    let ready = page(view, "getReady", "Whether it takes writes", &text).public();
    add("/_/ready", json!({"get": ready.value()}));
    let metrics = json!({"application/openmetrics-text": {"schema": {"type": "string"}}});
    let metrics = page(view, "getMetrics", "Metrics, for Prometheus", &metrics);
    add(
        "/_/metrics",
        json!({"get": metrics.refuses(may(view)).value()}),
    );
    add("/_/problems/{name}", problems(view));
    let patterns = view.schemas();
    if let Some(first) = patterns.first() {
        let violations = violations(view, first, &patterns);
        add("/_/collections/{pattern}/violations", violations);
    }
    let this = json!({"application/vnd.oai.openapi+json": {"schema": {
        "type": "object", "required": ["openapi", "info", "paths"],
    }}});
    let this = page(view, "getOpenapi", "This document", &this);
    add("/_/openapi.json", json!({"get": this.value()}));
}

/// A page that can only be read.
fn page(view: &View, id: &str, summary: &str, content: &Value) -> Operation {
    Operation::new(view, id.to_owned(), TAG, summary).answers(
        200,
        "The page.",
        [],
        Some(content.clone()),
    )
}

fn violations(view: &View, example: &str, patterns: &[String]) -> Value {
    let content = json!({"application/x-ndjson": {"schema": {}}});
    let pattern = json!({
        "name": "pattern", "in": "path", "required": true, "schema": {"enum": patterns},
        "description": "The name of settings that have a schema.", "example": example,
    });
    let summary = "Stored documents that a schema does not allow";
    let operation = page(view, "getViolations", summary, &content);
    let operation = operation.about(
        "One line for each document that was there before the schema, with its `path`, `etag` and \
         `errors`; the last line counts them, and all that were looked at.",
    );
    let get = operation.refuses(may(view)).refuses(&[404]).value();
    json!({"parameters": [pattern], "get": get})
}

fn root(view: &View) -> Value {
    Operation::new(view, "listCollections".to_owned(), TAG, "The collections that there are")
        .about("Those that the caller may list, in order of their paths. A collection comes into being with its first document.")
        .takes(["_limit", "_after"].map(parameter))
        .answers(200, "A page.", [fields::link()], Some(json_of("Collections")))
        .value()
}

fn changes(view: &View) -> Value {
    let about = "What has changed in all collections since a cursor, in the order in which it was \
                 made. `Prefer: wait=N` waits for something to come (204: nothing did, and `Link` has \
                 the cursor to go on with). With `Accept: text/event-stream` the changes come as they \
                 are made, as events that a browser's `EventSource` reads; a lost line goes on where \
                 it was with `Last-Event-ID`. Fields are filters, as in lists.";
    let answer = || [fields::link(), fields::preference_applied()];
    let limit = json!({
        "name": "_limit", "in": "query", "description": "Most changes on the page.",
        "schema": {"type": "integer", "minimum": 1, "maximum": CHANGES_MAX, "default": CHANGES_DEFAULT},
    });
    let mut content = json_of("Changes");
    if let Some(content) = content.as_object_mut() {
        for media_type in ["application/x-ndjson", "text/event-stream"] {
            content.insert(media_type.to_owned(), json!({"schema": {}}));
        }
    }
    Operation::new(view, "listChanges".to_owned(), TAG, "What has changed")
        .about(about)
        .takes([parameter("_since"), limit])
        .takes(["_fields", "Prefer"].map(parameter))
        .answers(200, "Changes.", answer(), Some(content))
        .answers(204, "Nothing new in time.", answer(), None)
        .refuses(may(view))
        .refuses(&[406, 410])
        .value()
}

fn batch(view: &View) -> Value {
    let about = "Several writes, as one: they run in order, each seeing what those before it made, \
                 each with its own `If-Match` under the rules of the same request alone, and are \
                 durable together. `atomic` (the default): all or none; the first that is refused \
                 decides the status of the whole, and `failed` is its place. Otherwise 200, with an \
                 answer for each. With `Idempotency-Key` the batch can be sent again when its answer \
                 was lost.";
    let requests = json!([
        {"method": "PUT", "path": "/batch/1", "headers": {"if-none-match": "*"}, "body": {"title": "Milk"}},
        {"method": "PATCH", "path": "/batch/1", "headers": {"if-match": "*"}, "body": {"litres": 2}},
    ]);
    let content = json!({"application/json": {
        "schema": {"$ref": "#/components/schemas/Batch"},
        "example": {"atomic": true, "requests": requests},
    }});
    Operation::new(view, "batch".to_owned(), TAG, "Several writes at once")
        .about(about)
        .takes([parameter("Idempotency-Key")])
        .content(content)
        .answers(
            200,
            "An answer for each request.",
            [],
            Some(json_of("BatchAnswer")),
        )
        .refuses(&[403, 404, 405, 408, 409, 412, 413, 415, 422, 428, 507])
        .value()
}

fn begin(view: &View) -> Value {
    let cookie = field("Set-Cookie", true, "The session: for GET and HEAD only.");
    Operation::new(view, "beginSession".to_owned(), TAG, "Make a cookie of a token")
        .about("For browsers, whose `EventSource` sends no `Authorization`. The cookie is good as long as the token; scripts cannot read it.")
        .answers(204, "The cookie is set.", [cookie], None)
        .refuses(&[403])
        .value()
}

fn end(view: &View) -> Value {
    let cookie = field("Set-Cookie", true, "Removes the session.");
    Operation::new(view, "endSession".to_owned(), TAG, "Take the cookie back")
        .answers(204, "The cookie is gone.", [cookie], None)
        .refuses(&[403])
        .public()
        .value()
}

fn problems(view: &View) -> Value {
    let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    let text = json!({"type": "string"});
    let content = json!({"application/json": {"schema": {
        "type": "object",
        "required": ["type", "title", "status", "help"],
        "properties": {"type": text, "title": text, "status": {"type": "integer"}, "help": text},
    }}});
    let name = json!({
        "name": "name", "in": "path", "required": true,
        "schema": {"enum": names}, "example": "stale",
    });
    let get = page(
        view,
        "getProblem",
        "What a refusal means, and how to mend it",
        &content,
    );
    json!({"parameters": [name], "get": get.refuses(&[404]).public().value()})
}
