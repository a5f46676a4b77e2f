//! Header fields and other parameters, of requests and of answers.

use matchbook_core::limits::{PAGE_DEFAULT, PAGE_MAX, SEGMENT_BYTES};
use serde_json::{Value, json};

/// A list of entity tags (RFC 9110 §13.1.1).
const TAGS: &str = r##"^(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*$"##;

/// `Idempotency-Key`, with or without its quotes.
const KEY: &str = r##"^("[!#-+\--\[\]-~]{1,255}"|[!#-+\--\[\]-~]{1,255})$"##;

/// A segment of a path, decoded. The first one does not begin with `_`.
const SEGMENT: &str = r"^[^\u0000-\u001F\u007F/]+$";
const FIRST_SEGMENT: &str = r"^[^\u0000-\u001F\u007F/_][^\u0000-\u001F\u007F/]*$";

/// A field of an answer, with its name.
pub(super) fn field(name: &'static str, required: bool, about: &str) -> (&'static str, Value) {
    let field = json!({"description": about, "required": required, "schema": {"type": "string"}});
    (name, field)
}

/// The tag of the version that an answer is about.
pub(super) fn etag(required: bool) -> (&'static str, Value) {
    let about = "The strong entity tag of the version that the answer is about. Send it in \
                 `If-Match` with the next save.";
    field("ETag", required, about)
}

/// The time of that version.
pub(super) fn last_modified(required: bool) -> (&'static str, Value) {
    field("Last-Modified", required, "When that version was written.")
}

/// The tag, where `ETag` would stand for other bytes than were sent.
pub(super) fn matchbook_version() -> (&'static str, Value) {
    let about = "In place of `ETag`, where what is stored is not byte for byte what was PUT \
                 (RFC 9110 §9.3.4): the tag of the new version.";
    field("Matchbook-Version", false, about)
}

/// What was done of `Prefer`.
pub(super) fn preference_applied() -> (&'static str, Value) {
    let about = "Which preference was honoured.";
    field("Preference-Applied", false, about)
}

/// Where the next page, or the changes to come, are.
pub(super) fn link() -> (&'static str, Value) {
    field("Link", false, "`rel=\"next\"`: where to go on.")
}

/// Fields of answers that are described once.
pub(super) fn of_answers() -> Value {
    json!({"Request-Id": {
        "description": "The request's name: in the log, and in a problem's `instance`.",
        "required": true,
        "schema": {"type": "string", "format": "uuid"},
    }})
}

/// A reference to a parameter that is described once.
pub(super) fn parameter(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

/// `If-Match` of a write that nothing but this field guards.
pub(super) fn if_match(required: bool) -> Value {
    let about = "The tag of the version that the save was made from, as `ETag` had it. Another \
                 one stands now: 412. `*`: whatever is there.";
    json!({
        "name": "If-Match", "in": "header", "required": required, "description": about,
        "schema": tags(), "example": "*",
    })
}

/// Tags, or `*`.
fn tags() -> Value {
    json!({"anyOf": [{"const": "*"}, {"type": "string", "pattern": TAGS}]})
}

/// A segment of a path.
pub(super) fn segment(name: &str, example: &str) -> Value {
    let pattern = match name {
        "collection" => FIRST_SEGMENT,
        _ => SEGMENT,
    };
    json!({
        "name": name, "in": "path", "required": true,
        "description": "1 to 255 bytes of UTF-8, without control characters and '/'; not '.' or '..'.",
        "schema": {"type": "string", "minLength": 1, "maxLength": SEGMENT_BYTES, "pattern": pattern},
        "example": example,
    })
}

fn query(name: &str, about: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "query", "description": about, "schema": schema})
}

fn header(name: &str, about: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "header", "description": about, "schema": schema})
}

/// Parameters that are described once.
pub(super) fn of_requests() -> Value {
    let text = json!({"type": "string"});
    let names = json!({"type": "string", "examples": ["title"]});
    let tags = tags();
    json!({
        "If-None-Match": header("If-None-Match", "Tags that the client has: 304 if one of them stands. `*` in a write: only if nothing is there, else 412.", &tags),
        "Idempotency-Key": header("Idempotency-Key", "A new name for each new request, such as a UUID, so that it can be sent again when its answer was lost: a repeat gets the first answer, and is not done twice. With another request the same key is a 422. Kept for 24 hours.", &json!({"type": "string", "pattern": KEY})),
        "Prefer": header("Prefer", "`return=representation`: answer with what the write made (200, or 201), in place of 204. `return=minimal` is the default. `wait=N`: wait up to N seconds for changes. What is not known is ignored.", &text),
        "Range": {
            "name": "Range", "in": "header", "description": "Bytes of the document, such as `bytes=0-99`.",
            "schema": text, "example": "bytes=0-99",
        },
        "_sort": query("_sort", "Fields to sort by, with `-` before one for the other direction: `-changed,title`. Nested ones with `.`.", &names),
        "_fields": query("_fields", "The fields of each document that are wanted: `title,author.name`. The tags are those of the whole documents.", &names),
        "_limit": query("_limit", "Most items on the page.", &json!({"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_DEFAULT})),
        "_after": query("_after", "`next` of the page before, with the same filters and order.", &text),
        "_count": query("_count", "Whether to count all that match.", &json!({"type": "boolean", "default": false})),
        "_since": query("_since", "In place of a list: the changes after this cursor. `_sort`, `_after` and `_count` do not go with it.", &text),
    })
}

/// The name of settings: a pattern of collections.
pub(super) fn pattern() -> Value {
    const NAME: &str = r"(\*|[^\u0000-\u001F\u007F/.*]+)";
    json!({
        "name": "id", "in": "path", "required": true,
        "description": "The segments of a collection's path with '.' between them, and '*' for any: `notes`, `projects.*.tasks`.",
        "schema": {"type": "string", "maxLength": SEGMENT_BYTES, "pattern": format!(r"^{NAME}(\.{NAME}\.{NAME})*$")},
        "example": "drafts",
    })
}
