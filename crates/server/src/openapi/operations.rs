//! Work in the background (contract §9): where it is started, how far it has come, and the
//! files that belong to it.

use matchbook_core::limits::{DOCUMENT_BYTES, OPERATIONS};
use serde_json::{Map, Value, json};

use super::documents::{self, EVENT_STREAM, may};
use super::fields::{self, field, parameter};
use super::operation::{Operation, json_of};
use super::view::{Place, View};
use super::work;
use super::writes::REPEATED;

/// Their collection, and the name of their group.
pub(super) const WHERE: &str = "/_/operations";

/// What the files of exports and imports are.
const NDJSON: &str = "application/x-ndjson";

/// Adds their paths.
pub(super) fn describe(view: &View, paths: &mut Map<String, Value>) {
    let mut add = |below: &str, item: Value| paths.insert(format!("{WHERE}{below}"), item);
    add("", json!({"get": list(view), "post": start(view)}));
    let id = json!([id()]);
    let one = json!({"parameters": id, "get": get(view), "delete": cancel(view)});
    add("/{id}", one);
    add(
        "/{id}/result",
        json!({"parameters": id, "get": result(view)}),
    );
    add(
        "/{id}/content",
        json!({"parameters": id, "put": content(view)}),
    );
}

fn id() -> Value {
    json!({
        "name": "id", "in": "path", "required": true,
        "description": "As `Location` had it when the operation was started. One that was forgotten, or never was: 404.",
        "schema": {"type": "string", "format": "uuid"},
        "example": "019a9b7e-5f3c-7c1d-8a52-0c3f6f1e2d4b",
    })
}

/// What is only to be said where policies hold.
fn with_policies(view: &View, text: &'static str) -> &'static str {
    if view.has_policies { text } else { "" }
}

fn list(view: &View) -> Value {
    let any = json!({});
    let filters = json!({"properties": {"kind": any, "status": any, "collection": any}});
    let place = Place {
        segments: ["_", "operations"].map(|name| Some(name.to_owned())).into(),
        schema: Some(filters),
        set: Vec::new(),
        preconditions_required: false,
        max_document_bytes: DOCUMENT_BYTES,
    };
    let rights = "\n\nOnly for admins of `/_/operations`: whoever started an operation knows it \
                  by its `Location`.";
    let about = format!(
        "All that have not been forgotten, the oldest first. Filters (`status=running`), pages, \
         changes and event streams are as those of any collection.{}",
        with_policies(view, rights)
    );
    documents::list(view, &place, "Operations")
        .about(about)
        .value()
}

fn start(view: &View) -> Value {
    let rights = "\n\nIt takes the action `admin` on the collection, and for a backup on \
                  `/_/operations`; the work is then done with the rights of the server.";
    let about = format!(
        "For what takes longer than a request should. The answer comes at once: its `Location` is \
         the path of a document that tells how far the work has come, as long as its `status` is \
         `running`, and how it has ended. Some run at a time, and the others wait in the order in \
         which they came; when {OPERATIONS} have not ended, a further one is a 503. An operation \
         survives a restart. A batch starts none.{REPEATED}{}",
        with_policies(view, rights)
    );
    let content = json!({"application/json": {
        "schema": {"$ref": "#/components/schemas/Work"},
        "examples": work::examples(),
    }});
    let location = field("Location", true, "The path of the operation.");
    Operation::new(
        view,
        "startOperation".to_owned(),
        WHERE,
        "Start work in the background",
    )
    .about(about)
    .takes([parameter("Idempotency-Key")])
    .content(content)
    .answers(202, "The operation is kept, durably.", [location], None)
    .refuses(&[403, 408, 412, 413, 415, 422, 507])
    .value()
}

fn get(view: &View) -> Value {
    let rights = "\n\nFor whoever started it, and for admins of `/_/operations`.";
    let about = format!(
        "How far the work has come. `status` is `running`, also while it waits for its turn or \
         for its content, and then `succeeded` (`result` tells what came of it), `failed` \
         (`problem` tells why) or `cancelled`. With `Accept: {EVENT_STREAM}` each change comes \
         as it is made; `_snapshot=true` puts how it stands before them. 24 hours after its end \
         the operation is forgotten, with the file that it made.{}",
        with_policies(view, rights)
    );
    let mut stored = json_of("Operation");
    if let Some(stored) = stored.as_object_mut() {
        stored.insert(EVENT_STREAM.to_owned(), json!({"schema": {}}));
    }
    let id = "getOperation".to_owned();
    documents::read(view, id, WHERE, "How far work has come", &stored)
        .about(about)
        .value()
}

fn cancel(view: &View) -> Value {
    let about = format!(
        "What is done stays done, and the operation stays to be read, with the `status` \
         `cancelled`. One that has ended stays as it is, and the answer is the same. Since it \
         changes all the time, no version need be named.{REPEATED}"
    );
    Operation::new(view, "cancelOperation".to_owned(), WHERE, "Cancel work")
        .about(about)
        .takes([fields::if_match(false), parameter("Idempotency-Key")])
        .answers(204, "It has ended.", [fields::preference_applied()], None)
        .refuses(&[403, 404, 412, 422, 507])
        .value()
}

fn result(view: &View) -> Value {
    let about = "A document a line, or with `items` an item. It is there from when the export has \
                 succeeded, and until the operation is forgotten; before and after, and for any \
                 other kind: 404. It comes as a whole: `Range` is not heeded.";
    let length = field("Content-Length", true, "The `bytes` of the result.");
    let content = json!({NDJSON: {"schema": {"type": "string"}}});
    Operation::new(
        view,
        "getOperationResult".to_owned(),
        WHERE,
        "The file that an export has made",
    )
    .about(about)
    .answers(200, "All of it.", [length], Some(content))
    .refuses(may(view))
    .refuses(&[404])
    .value()
}

fn content(view: &View) -> Value {
    let about = "NDJSON, a document a line, at most 1 GiB when decoded, for an import that has no \
                 `source`; it begins when all has come. Each line is saved under what the \
                 collection is set to. Lines that cannot be saved are told in the `result`, and \
                 are no refusal here.\n\nIf the answer was lost, send the same content again: that \
                 is a 204, as long as the operation is not forgotten. Other content than came \
                 before, or any for an import that is over, is a 400.";
    let coding = json!({
        "name": "Content-Encoding", "in": "header", "description": "How the content is coded.",
        "schema": {"enum": ["gzip", "identity"]},
    });
    let lines = "{\"id\":4,\"title\":\"Milk\"}\n{\"id\":5,\"title\":\"Bread\"}\n";
    Operation::new(
        view,
        "putOperationContent".to_owned(),
        WHERE,
        "The content of an import",
    )
    .about(about)
    .takes([coding])
    .content(json!({NDJSON: {"schema": {"type": "string"}, "example": lines}}))
    .answers(
        204,
        "The content is there, durably.",
        [fields::preference_applied()],
        None,
    )
    .refuses(&[403, 404, 408, 412, 413, 415, 507])
    .value()
}
