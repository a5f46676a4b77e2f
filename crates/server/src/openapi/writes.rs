//! What changes documents: the rules of contract §3, §4 and §5 in words, for each method.

use serde_json::{Value, json};

use super::documents::{Kept, rules};
use super::fields::{self, field, parameter};
use super::operation::Operation;
use super::view::{Place, View};

pub(super) const REPEATED: &str = "\n\nIf the answer was lost, send the request again with the same \
`Idempotency-Key`: it is done once, and the first answer comes again.";

const STALE: &str = "\n\nA 412 means that somebody saved first: nothing was changed, `current` is \
the tag that stands now, and `changes`, where the log reaches back, what has happened since your \
version. Apply your change to that, and save again.";

/// Refusals of all that has content.
const CONTENT: [u16; 4] = [408, 413, 415, 422];

/// What all unsafe methods take.
fn common() -> [Value; 2] {
    ["Idempotency-Key", "Prefer"].map(parameter)
}

/// Whether a write to what is there names its version.
fn guard(place: &Place) -> &'static str {
    if place.preconditions_required {
        "`If-Match` says which version the save was made from; without it, or `If-None-Match: *`, \
         an existing document is not changed (428)."
    } else {
        "`If-Match` says which version the save was made from. Here it may be left out: then the \
         save overwrites what it has not seen."
    }
}

pub(super) fn put(view: &View, place: &Place, name: &str, kept: &Kept) -> Value {
    let about = format!(
        "Makes the document, or replaces it. {} `If-None-Match: *` makes only. Equal to what is \
         stored: 204 with the same tag.{STALE}{REPEATED}{}",
        guard(place),
        rules(place)
    );
    let tags = || {
        [
            fields::etag(false),
            fields::last_modified(false),
            fields::matchbook_version(),
            fields::preference_applied(),
        ]
    };
    let [etag, modified, version, applied] = tags();
    let made = [etag, modified, version, applied, location()];
    Operation::new(view, format!("put{name}"), &place.collection(), "Make or replace a document")
        .about(about)
        .takes([fields::if_match(false), parameter("If-None-Match")])
        .takes(common())
        .content(kept.sent.clone())
        .answers(200, "Saved; the content is what is stored, where the server set something or `Prefer: return=representation` asked.", tags(), Some(kept.stored.clone()))
        .answers(201, "Made, durably. It has content where a 200 would have been sent for a document that was there.", made, None)
        .answers(204, "Saved, durably. `ETag` is the tag for the next save; where what is stored is not byte for byte what was sent, `Matchbook-Version` is.", tags(), None)
        .refuses(&CONTENT)
        .refuses(&[403, 412, 428, 507])
        .value()
}

pub(super) fn patch(view: &View, place: &Place, name: &str, kept: &Kept) -> Value {
    let about = format!(
        "Changes a part of the document and leaves the rest as it is, byte for byte; never makes \
         one. {} Nothing changed: 204 with the same tag. A JSON Patch that does not fit is a 409.\
         {STALE}{REPEATED}{}",
        guard(place),
        rules(place)
    );
    let changed = || {
        [
            fields::etag(true),
            fields::last_modified(true),
            fields::preference_applied(),
        ]
    };
    let mut merge = json!({"schema": {}});
    let mut steps = json!({"schema": {"$ref": "#/components/schemas/JsonPatch"}});
    // What any document may become.
    if place.schema.is_none() && !place.is_own() {
        add_example(&mut merge, json!({"title": "Oat milk"}));
        add_example(
            &mut steps,
            json!([{"op": "add", "path": "/done", "value": true}]),
        );
    }
    Operation::new(view, format!("patch{name}"), &place.collection(), "Change a part of a document")
        .about(about)
        .takes([fields::if_match(place.preconditions_required)])
        .takes(common())
        .content(json!({
            "application/merge-patch+json": merge,
            "application/json-patch+json": steps,
        }))
        .answers(200, "Changed; the content is what is stored, where the server set something or `Prefer: return=representation` asked.", changed(), Some(kept.stored.clone()))
        .answers(204, "Changed, durably. `ETag` is the tag for the next save.", changed(), None)
        .refuses(&CONTENT)
        .refuses(&[403, 404, 409, 412, 428, 507])
        .value()
}

fn add_example(media: &mut Value, example: Value) {
    if let Some(media) = media.as_object_mut() {
        media.insert("example".to_owned(), example);
    }
}

pub(super) fn delete(view: &View, place: &Place, name: &str) -> Value {
    let about = format!(
        "Deletes the document. {} A document that is made anew under this name never has an old \
         tag again.{STALE}{REPEATED}",
        guard(place)
    );
    Operation::new(
        view,
        format!("delete{name}"),
        &place.collection(),
        "Delete a document",
    )
    .about(about)
    .takes([fields::if_match(place.preconditions_required)])
    .takes(common())
    .answers(
        204,
        "Deleted, durably.",
        [fields::preference_applied()],
        None,
    )
    .refuses(&[403, 404, 412, 422, 428, 507])
    .value()
}

pub(super) fn post(view: &View, place: &Place, name: &str, kept: &Kept) -> Value {
    let about = format!(
        "Makes a document with a name that the server gives it: `Location` has its path, `ETag` \
         its tag.{REPEATED}{}",
        rules(place)
    );
    let made = [
        fields::etag(true),
        fields::last_modified(true),
        location(),
        fields::preference_applied(),
    ];
    Operation::new(view, format!("create{name}"), &place.collection(), "Make a document")
        .about(about)
        .takes(common())
        .content(kept.sent.clone())
        .answers(201, "Made, durably. Its content is what is stored, where the server set something or `Prefer: return=representation` asked.", made, None)
        .refuses(&CONTENT)
        .refuses(&[403, 412, 507])
        .value()
}

fn location() -> (&'static str, Value) {
    field("Location", true, "The path of the new document.")
}
