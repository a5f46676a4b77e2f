//! Collections and their documents.

use matchbook_core::limits::DOCUMENT_BYTES;
use serde_json::{Map, Value, json};

use super::fields::{self, field, parameter};
use super::operation::{Operation, json_of};
use super::schemas::{self, Schemas};
use super::view::{Place, View};
use super::writes;

/// Events. What they are, no schema says.
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// What the documents of a place are, by media type.
#[derive(Debug)]
pub(super) struct Kept {
    /// In requests.
    pub(super) sent: Value,
    /// In answers.
    pub(super) stored: Value,
}

/// Adds the paths and the schemas of a place.
pub(super) fn describe(
    view: &View,
    place: &Place,
    paths: &mut Map<String, Value>,
    schemas: &mut Schemas,
) {
    let name = schemas.name(place.title());
    let kept = kept(place, &name, schemas);
    let collection = json!({
        "parameters": path_parameters(place, false),
        "get": list(view, place, &name).value(),
        "post": writes::post(view, place, &name, &kept),
    });
    let document = json!({
        "parameters": path_parameters(place, true),
        "get": get(view, place, &name, &kept),
        "put": writes::put(view, place, &name, &kept),
        "patch": writes::patch(view, place, &name, &kept),
        "delete": writes::delete(view, place, &name),
    });
    paths.insert(place.collection(), collection);
    paths.insert(place.document(), document);
}

/// What the documents are, with their schemas.
fn kept(place: &Place, name: &str, schemas: &mut Schemas) -> Kept {
    if place.is_own() {
        return own(place);
    }
    let milk = json!({"title": "Milk", "litres": 1});
    let Some(schema) = &place.schema else {
        return Kept {
            sent: json!({
                "application/json": {"schema": {}, "example": milk},
                "text/plain": {"schema": {"type": "string"}, "example": "Milk"},
            }),
            stored: json!({"application/json": {"schema": {}}, "*/*": {"schema": {}}}),
        };
    };
    let mut sent = json_of(name);
    if let Some(to_send) = schemas::to_send(schema, &place.set) {
        let other = schemas.name(format!("{name}ToSend"));
        schemas.embed(&to_send, &other);
        sent = json_of(&other);
    }
    if let (Some(example), Some(Value::Object(media))) =
        (schemas::example(schema), sent.get_mut("application/json"))
    {
        media.insert("example".to_owned(), example.clone());
    }
    schemas.embed(schema, name);
    Kept {
        sent,
        stored: json_of(name),
    }
}

/// Of the server's own collections.
fn own(place: &Place) -> Kept {
    let (schema, example) = match place.collection().as_str() {
        "/_/policies" => {
            let text = json!({"schema": {"type": "string"}, "example": "permit (principal is User, action, resource);"});
            return Kept {
                sent: json!({"text/plain": text}),
                stored: json!({"text/*": {"schema": {}}}),
            };
        }
        "/_/keys" => (
            "ApiKey",
            json!({
                "name": "backup",
                "hash": "sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
                "created": "2026-01-31T12:00:00.000Z",
            }),
        ),
        _ => (
            "Settings",
            json!({"preconditions": "required", "set": {"modified": "now"}}),
        ),
    };
    let mut sent = json_of(schema);
    if let Some(Value::Object(media)) = sent.get_mut("application/json") {
        media.insert("example".to_owned(), example);
    }
    Kept {
        sent,
        stored: json_of(schema),
    }
}

/// What stands for any segment of the path.
fn path_parameters(place: &Place, is_document: bool) -> Value {
    let example = |name: &str| match name {
        "collection" => "notes",
        name if name.starts_with("collection") => "parts",
        _ => "7",
    };
    let mut parameters: Vec<_> = place
        .parameters()
        .map(|name| fields::segment(&name, example(&name)))
        .collect();
    if is_document {
        parameters.push(match place.collection().as_str() {
            "/_/collections" => fields::pattern(),
            _ => fields::segment("id", "1"),
        });
    }
    parameters.into()
}

fn get(view: &View, place: &Place, name: &str, kept: &Kept) -> Value {
    let mut about = String::from(
        "The document as it was stored, with its tag in `ETag`. With `Accept: text/event-stream` \
         its changes from now on, as events; with `_since` those after a cursor, as `/_/changes` \
         has them.",
    );
    if place.schema.is_some() {
        about.push_str(" What was stored before the schema was set may not be valid by it.");
    }
    let id = format!("get{name}");
    let tag = place.collection();
    read(view, id, &tag, "Read a document", &kept.stored)
        .about(about)
        .value()
}

/// What is there is read: whole, in part, or not again.
pub(super) fn read(view: &View, id: String, tag: &str, summary: &str, stored: &Value) -> Operation {
    let parts = stored.as_object().into_iter().flatten();
    // A stream has no end that ranges could count to.
    let parts = parts.filter(|(media_type, _)| *media_type != EVENT_STREAM);
    let part: Map<_, _> = parts
        .map(|(media_type, _)| (media_type.clone(), json!({})))
        .collect();
    let media = field("Accept-Ranges", false, "`bytes`.");
    let range = field("Content-Range", true, "Which bytes, and of how many.");
    let whole = [fields::etag(true), fields::last_modified(true), media];
    let partly = [fields::etag(true), fields::last_modified(true), range];
    let unchanged = [fields::etag(true), fields::last_modified(true)];
    Operation::new(view, id, tag, summary)
        .takes([
            parameter("If-None-Match"),
            fields::if_match(false),
            parameter("Range"),
        ])
        .answers(200, "The document.", whole, Some(stored.clone()))
        .answers(
            206,
            "The bytes that `Range` asks for.",
            partly,
            Some(part.into()),
        )
        .answers(304, "The client has it already.", unchanged, None)
        .refuses(may(view))
        .refuses(&[404, 406, 412, 416])
}

/// One page of a collection, or its changes.
pub(super) fn list(view: &View, place: &Place, name: &str) -> Operation {
    let about = "One page of the collection. Any field of the documents is a filter: \
                 `field=value`, or `field:op=value` with the operators `eq ne lt lte gt gte in \
                 contains prefix exists`; nested fields with `.`, and names that this cannot spell \
                 as `_where./json/pointer:op=value`. With `Accept: application/x-ndjson` the whole \
                 collection, one item a line, the last line `{\"cursor\"}`.\n\nWith `_since`, in \
                 place of a list, the changes after that cursor (`Prefer: wait=N` waits for some; \
                 204: none came), and with `Accept: text/event-stream` all changes as they are made; \
                 `_snapshot=true` puts all documents before them. Filters then make a live query.";
    let page = [
        field(
            "ETag",
            false,
            "Of a list: weak, and the same until a document of the collection changes.",
        ),
        fields::link(),
        fields::preference_applied(),
    ];
    let unchanged = [field("ETag", true, "The weak tag of the list.")];
    let none = [fields::link(), fields::preference_applied()];
    Operation::new(
        view,
        format!("list{name}"),
        &place.collection(),
        "List a collection, or follow it",
    )
    .about(about)
    .takes(["_sort", "_fields", "_limit", "_after", "_count", "_since"].map(parameter))
    .takes(filters(place))
    .takes(["If-None-Match", "Prefer"].map(parameter))
    .answers(200, "A page, or changes.", page, Some(found()))
    .answers(
        204,
        "With `_since` and `Prefer: wait=N`: nothing new in time.",
        none,
        None,
    )
    .answers(304, "Nothing has changed since.", unchanged, None)
    .refuses(may(view))
    .refuses(&[406, 410, 412])
}

fn found() -> Value {
    let any_of = ["List", "Changes"].map(|name| {
        let target = format!("#/components/schemas/{name}");
        json!({"$ref": target})
    });
    json!({
        "application/json": {"schema": {"anyOf": any_of}},
        "application/x-ndjson": {"schema": {}},
        EVENT_STREAM: {"schema": {}},
    })
}

/// What the schema names can be asked for by its name.
fn filters(place: &Place) -> Vec<Value> {
    /// Most of them: the others are filters as well.
    const FILTERS: usize = 32;
    let properties = place.schema.as_ref();
    let properties = properties.and_then(|schema| schema.get("properties")?.as_object());
    let names = properties.into_iter().flat_map(Map::keys);
    let plain = names.filter(|name| {
        !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric())
    });
    let filter = |name: &String| {
        let about = format!("Only where `{name}` is this: the value read as JSON, or as a string.");
        json!({"name": name, "in": "query", "description": about, "schema": {"type": "string"}})
    };
    plain.take(FILTERS).map(filter).collect()
}

/// Where policies may forbid it.
pub(super) const fn may(view: &View) -> &'static [u16] {
    if view.authenticates { &[403] } else { &[] }
}

/// What holds for writes of a place, beside the precondition.
pub(super) fn rules(place: &Place) -> String {
    let mut text = String::new();
    if !place.set.is_empty() {
        let names: Vec<_> = place.set.iter().map(|name| format!("`{name}`")).collect();
        text.push_str(&format!(
            "\n\nThe server sets {} itself, and then answers with the document as it was stored.",
            names.join(", ")
        ));
    }
    if place.max_document_bytes != DOCUMENT_BYTES {
        let bytes = place.max_document_bytes;
        text.push_str(&format!("\n\nAt most {bytes} bytes: otherwise 413."));
    }
    text
}
