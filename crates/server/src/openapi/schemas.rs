//! The schemas of what the server makes, and of what collections hold.

use std::collections::BTreeSet;

use matchbook_core::limits::BATCH_REQUESTS;
use matchbook_core::problem::Kind;
use serde_json::{Map, Value, json};

use super::work;

/// Names that `get` and others make operations of the server's own of, and no schema has.
const RESERVED: [&str; 7] = [
    "Health",
    "Metrics",
    "Openapi",
    "OperationContent",
    "OperationResult",
    "Operations",
    "Ready",
];

/// All schemas of the document, and the names that are taken.
pub(super) struct Schemas {
    all: Map<String, Value>,
    names: BTreeSet<String>,
}

impl Schemas {
    /// Those that no collection has a part in.
    pub(super) fn common() -> Self {
        let schemas = [
            ("Problem", problem()),
            ("Collections", collections()),
            ("List", list()),
            ("Changes", changes()),
            ("JsonPatch", json_patch()),
            ("Batch", batch()),
            ("BatchAnswer", batch_answer()),
            ("Settings", settings()),
            ("ApiKey", api_key()),
        ];
        let schemas = schemas.map(|(name, schema)| (name.to_owned(), schema));
        let all: Map<_, _> = schemas.into_iter().chain(work::schemas()).collect();
        let reserved = RESERVED.map(str::to_owned);
        Self {
            names: all.keys().cloned().chain(reserved).collect(),
            all,
        }
    }

    /// A name that was not given before: this one, or one like it.
    pub(super) fn name(&mut self, wanted: String) -> String {
        let mut name = wanted.clone();
        let mut count = 1;
        while !self.names.insert(name.clone()) {
            count += 1;
            name = format!("{wanted}{count}");
        }
        name
    }

    /// Adds a collection's schema: what refers to the schema itself refers to where it
    /// stands now.
    pub(super) fn embed(&mut self, schema: &Value, name: &str) {
        let has_own_base = schema.get("$id").is_some();
        let mut schema = schema.clone();
        if !has_own_base {
            point_into(&mut schema, &format!("#/components/schemas/{name}"));
        }
        self.all.insert(name.to_owned(), schema);
    }

    /// As the document has them.
    pub(super) fn value(self) -> Value {
        Value::Object(self.all)
    }
}

fn problem() -> Value {
    let types: Vec<_> = Kind::ALL
        .iter()
        .map(|kind| format!("/_/problems/{}", kind.name()))
        .collect();
    let violation = json!({
        "type": "object", "required": ["pointer", "detail"],
        "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
    });
    json!({
        "type": "object",
        "description": "A refusal (RFC 9457).",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": {"enum": types, "description": "The address of a page that says what it means and how to mend it."},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What to do, with this request's values."},
            "instance": {"type": "string", "format": "uri", "description": "`urn:uuid:` and the `Request-Id`."},
            "errors": {"type": "array", "items": violation, "description": "With 422: what is not valid, and where (RFC 6901)."},
            "current": {"type": "string", "description": "With 412: the tag that stands now, ready for `If-Match`."},
            "same": {"type": "boolean", "description": "With 412: the document already is what the request would have made it."},
            "changes": {"$ref": "#/components/schemas/JsonPatch", "description": "With 412: from the version in `If-Match` to the current one."},
            "failed": {"type": "integer", "minimum": 0, "description": "With an atomic batch: which of its requests failed."},
        },
    })
}

fn collections() -> Value {
    let item =
        json!({"type": "object", "required": ["path"], "properties": {"path": {"type": "string"}}});
    json!({
        "type": "object", "required": ["items"],
        "properties": {"items": {"type": "array", "items": item}, "next": {"type": "string"}},
    })
}

fn list() -> Value {
    json!({
        "type": "object",
        "required": ["items", "cursor"],
        "properties": {
            "items": {"type": "array", "items": {
                "type": "object",
                "required": ["path", "etag", "modified"],
                "properties": {
                    "path": {"type": "string"},
                    "etag": {"type": "string", "description": "As `ETag` has it, ready for `If-Match`."},
                    "modified": {"type": "string", "format": "date-time"},
                    "document": {"description": "The document, or what `_fields` names of it."},
                    "contentType": {"type": "string", "description": "Of a document that is not JSON, in its place."},
                    "length": {"type": "integer"},
                },
            }},
            "cursor": {"type": "string", "description": "Where the list stands: the changes since then are to be had with `_since`."},
            "count": {"type": "integer", "description": "All that match, where `_count=true` asked."},
            "next": {"type": "string", "description": "For `_after`; only where there are more."},
        },
    })
}

fn changes() -> Value {
    json!({
        "type": "object",
        "required": ["changes", "cursor", "more"],
        "properties": {
            "changes": {"type": "array", "items": {
                "type": "object",
                "required": ["event", "path"],
                "properties": {
                    "event": {"enum": ["put", "patch", "delete", "leave"]},
                    "path": {"type": "string"},
                    "etag": {"type": "string"},
                    "previous": {"type": ["string", "null"]},
                    "modified": {"type": "string", "format": "date-time"},
                    "document": {},
                    "patch": {"$ref": "#/components/schemas/JsonPatch"},
                    "entered": {"type": "boolean"},
                    "contentType": {"type": "string"},
                    "length": {"type": "integer"},
                },
            }},
            "cursor": {"type": "string", "description": "For `_since`."},
            "more": {"type": "boolean", "description": "Whether more is there at once."},
        },
    })
}

fn json_patch() -> Value {
    let pointer = json!({"type": "string", "pattern": "^(/([^~/]|~[01])*)*$"});
    // The whole document is not to be removed.
    let below = json!({"type": "string", "pattern": "^(/([^~/]|~[01])*)+$"});
    let operation = |names: &[&str], path: &Value, more: Option<(&str, &Value)>| {
        let mut required = vec!["op", "path"];
        let mut members = json!({"op": {"enum": names}, "path": path});
        if let (Some((name, schema)), Some(members)) = (more, members.as_object_mut()) {
            required.push(name);
            members.insert(name.to_owned(), schema.clone());
        }
        json!({"type": "object", "required": required, "properties": members})
    };
    let (any, from) = (json!({}), Some(("from", &pointer)));
    json!({
        "type": "array",
        "description": "RFC 6902. All of it is done, or nothing.",
        "items": {"anyOf": [
            operation(&["add", "replace", "test"], &pointer, Some(("value", &any))),
            operation(&["remove"], &below, None),
            operation(&["move", "copy"], &pointer, from),
        ]},
    })
}

fn batch() -> Value {
    json!({
        "type": "object",
        "required": ["requests"],
        "additionalProperties": false,
        "properties": {
            "atomic": {"type": "boolean", "default": true, "description": "All or none."},
            "requests": {"type": "array", "maxItems": BATCH_REQUESTS, "items": {
                "type": "object",
                "required": ["method", "path"],
                "additionalProperties": false,
                "properties": {
                    "method": {"enum": ["PUT", "PATCH", "DELETE", "POST"]},
                    "path": {"type": "string", "pattern": "^/[A-Za-z0-9/]+$"},
                    "headers": {
                        "type": "object",
                        "description": "As they would come alone, `If-Match` above all.",
                        "additionalProperties": {"type": "string", "pattern": "^[ -~]*$"},
                    },
                    "body": {"description": "JSON; of another media type, a string."},
                },
            }},
        },
    })
}

fn batch_answer() -> Value {
    json!({
        "type": "object",
        "required": ["responses"],
        "properties": {"responses": {"type": "array", "items": {
            "type": "object",
            "required": ["status", "headers"],
            "properties": {
                "status": {"type": "integer"},
                "headers": {"type": "object", "additionalProperties": {"type": "string"}},
                "body": {},
            },
        }}},
    })
}

fn settings() -> Value {
    let fields = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "schema": {"type": ["object", "boolean", "null"], "description": "A JSON Schema 2020-12 for each document that is written from now on."},
            "preconditions": {"enum": ["required", "optional", null], "description": "Whether a write to an existing document needs a precondition."},
            "max_document_bytes": {"type": ["integer", "null"], "minimum": 1},
            "max_documents": {"type": ["integer", "null"], "minimum": 0, "description": "How many documents the collection may hold."},
            "max_bytes": {"type": ["integer", "null"], "minimum": 0, "description": "How many bytes all of them together."},
            "retention": {
                "type": ["object", "null"],
                "description": "How long changes of its documents are kept at least, where that is longer than the server keeps all.",
                "required": ["seconds"],
                "properties": {"seconds": {"type": "integer", "minimum": 0}},
                "additionalProperties": false,
            },
            "forms": {"type": "boolean", "description": "Whether HTML forms may save."},
            "unique": fields, "indexes": fields,
            "set": {
                "type": "object",
                "description": "Members that the server sets with each write.",
                "additionalProperties": {"enum": ["now", "principal"]},
            },
        },
    })
}

fn api_key() -> Value {
    let pattern = "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{3}Z$";
    let time = json!({"type": "string", "pattern": pattern});
    json!({
        "type": "object",
        "description": "What is kept of an API key. `matchbook key create` makes them.",
        "required": ["name", "hash", "created"],
        "additionalProperties": false,
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 255},
            "hash": {"type": "string", "pattern": "^sha256:[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"},
            "created": time,
            "expires": time,
            "claims": {"type": "object"},
        },
    })
}

/// Members that hold any JSON, and no schema.
const DATA: [&str; 4] = ["const", "default", "enum", "examples"];

fn point_into(schema: &mut Value, place: &str) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| point_into(item, place)),
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(target) if name == "$ref" => {
                        if let Some(rest) = target.strip_prefix('#')
                            && (rest.is_empty() || rest.starts_with('/'))
                        {
                            *target = format!("{place}{rest}");
                        }
                    }
                    value if !DATA.contains(&name.as_str()) => point_into(value, place),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// What a client has to send. What the server sets itself need not be sent, and may be
/// anything. `None`: the same as is stored.
pub(super) fn to_send(schema: &Value, set: &[String]) -> Option<Value> {
    if set.is_empty() {
        return None;
    }
    let mut schema = schema.clone();
    let members = schema.as_object_mut()?;
    if let Some(Value::Array(required)) = members.get_mut("required") {
        required.retain(|name| !set.iter().any(|set| name == set));
    }
    if let Some(Value::Object(properties)) = members.get_mut("properties") {
        for (name, property) in properties {
            if set.contains(name) {
                *property = json!({"description": "The server sets it."});
            }
        }
    }
    Some(schema)
}

/// A document that the schema gives as an example.
pub(super) fn example(schema: &Value) -> Option<&Value> {
    schema.get("examples")?.get(0)
}
