//! The schemas of work in the background (contract §9): what can be asked for, and how it
//! is shown. Each kind has two of its own, so that a client in a typed language knows what
//! comes of which.

use matchbook_core::limits::IMPORT_ERRORS;
use serde_json::{Map, Value, json};

/// One kind of work.
struct Work {
    /// `kind`.
    name: &'static str,
    /// What its schemas are called.
    title: &'static str,
    about: &'static str,
    /// What can be asked for besides.
    asks: Value,
    /// What must be.
    needs: &'static [&'static str],
    /// What is counted of it.
    unit: &'static str,
    /// What comes of it: these members, all of them.
    result: Value,
    example: Value,
}

/// All schemas, by their names.
pub(super) fn schemas() -> Vec<(String, Value)> {
    let all = all();
    let mut schemas = vec![
        ("Work".to_owned(), any(&all, "Work")),
        ("Operation".to_owned(), any(&all, "Operation")),
    ];
    for work in &all {
        schemas.push((format!("{}Work", work.title), work.asked()));
        schemas.push((format!("{}Operation", work.title), work.shown()));
    }
    schemas
}

/// An example of each kind.
pub(super) fn examples() -> Value {
    let all = all().into_iter();
    all.map(|work| (work.name.to_owned(), json!({"value": work.example})))
        .collect::<Map<_, _>>()
        .into()
}

/// One of them, told apart by `kind`.
fn any(all: &[Work], what: &str) -> Value {
    let reference = |work: &Work| format!("#/components/schemas/{}{what}", work.title);
    let one_of = all.iter().map(|work| json!({"$ref": reference(work)}));
    let mapping = all
        .iter()
        .map(|work| (work.name.to_owned(), reference(work).into()));
    json!({
        "oneOf": one_of.collect::<Vec<_>>(),
        "discriminator": {"propertyName": "kind", "mapping": mapping.collect::<Map<_, _>>()},
    })
}

impl Work {
    /// As it is asked for.
    fn asked(&self) -> Value {
        let mut properties = self.properties();
        // Of what is sent, anything else is a mistake.
        let mut schema = object(&mut properties, &[&["kind"], self.needs].concat());
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), self.about.into());
            schema.insert("additionalProperties".to_owned(), false.into());
        }
        schema
    }

    /// As it is shown.
    fn shown(&self) -> Value {
        let mut properties = self.properties();
        let mut state = state(self.unit);
        if let Some(state) = state.as_object_mut() {
            properties.append(state);
        }
        if self.name == "import" {
            properties.insert("content".to_owned(), content());
        }
        let mut result = self.result.clone();
        if let Some(result) = result.as_object_mut() {
            let names: Vec<_> = result.keys().cloned().collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let mut schema = object(result, &names);
            if let Some(schema) = schema.as_object_mut() {
                let about = "What came of it, where it has succeeded.";
                schema.insert("description".to_owned(), about.into());
            }
            properties.insert("result".to_owned(), schema);
        }
        let always = ["kind", "status", "done", "total", "created", "creator"];
        object(&mut properties, &[&always, self.needs].concat())
    }

    fn properties(&self) -> Map<String, Value> {
        let mut properties = self.asks.as_object().cloned().unwrap_or_default();
        properties.insert("kind".to_owned(), json!({"const": self.name}));
        properties
    }
}

/// An object of these members.
fn object(properties: &mut Map<String, Value>, required: &[&str]) -> Value {
    let properties = std::mem::take(properties);
    json!({"type": "object", "required": required, "properties": properties})
}

/// What is shown of any.
fn state(unit: &str) -> Value {
    json!({
        "status": {
            "enum": ["running", "succeeded", "failed", "cancelled"],
            "description": "`running` also while it waits for its turn.",
        },
        "done": {"type": "integer", "minimum": 0, "description": format!("How many {unit} are done.")},
        "total": {"type": ["integer", "null"], "minimum": 0, "description": format!("How many {unit} there are to do; null while that is not known.")},
        "created": {"type": "string", "format": "date-time"},
        "creator": {
            "type": ["object", "null"],
            "description": "Who started it; null is whoever sent no credentials.",
            "required": ["kind", "id"],
            "properties": {"kind": {"enum": ["user", "key"]}, "id": {"type": "string"}},
        },
        "problem": {
            "$ref": "#/components/schemas/Problem",
            "description": "Why it has failed, where it has. `instance` has the operation's id.",
        },
    })
}

/// What is shown of what was sent to an import.
fn content() -> Value {
    let properties = json!({
        "bytes": count(), "lines": count(),
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    });
    json!({
        "type": "object", "required": ["bytes", "lines", "sha256"], "properties": properties,
        "description": "What was sent, decoded, where that has come.",
    })
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

/// All kinds.
fn all() -> [Work; 5] {
    [import(), export(), delete(), index(), backup()]
}

fn collection() -> Value {
    json!({
        "type": "string", "pattern": "^/[^/_][^/]*(/[^/]+/[^/]+)*$",
        "description": "The path of a collection, such as `/notes`; none of the server's own.",
    })
}

fn import() -> Work {
    let error = json!({
        "type": "object", "required": ["line", "detail"],
        "properties": {"line": {"type": "integer", "minimum": 1}, "detail": {"type": "string"}},
    });
    Work {
        name: "import",
        title: "Import",
        about: "Each line of a file becomes a document of the collection. Without `source`, the \
                content is to be PUT to `/content` below the operation, within 24 hours. Without \
                `id`, `items` and `source`, the server makes the ids.",
        asks: json!({
            "collection": collection(),
            "source": {"type": "string", "description": "The path of an export of yours that has succeeded: its result is imported. If its lines are items, so are these."},
            "id": {"type": "string", "pattern": "^(/([^~/]|~[01])*)*$", "description": "Where in each document its id is: a JSON Pointer to a string or a number. Not with `items`."},
            "items": {"type": "boolean", "default": false, "description": "Whether each line is an item as lists have it. It keeps its id."},
            "replace": {"type": "boolean", "default": false, "description": "Whether documents that are there and differ are overwritten. Not where the server makes the ids."},
        }),
        needs: &["collection"],
        unit: "lines",
        result: json!({
            "created": count(), "replaced": count(), "same": count(), "failed": count(),
            "errors": {
                "type": "array", "items": error, "maxItems": IMPORT_ERRORS,
                "description": "The first lines that failed, and why.",
            },
        }),
        example: json!({"kind": "import", "collection": "/notes", "id": "/id"}),
    }
}

fn export() -> Work {
    Work {
        name: "export",
        title: "Export",
        about: "The documents of the collection in one file, which is at `/result` below the \
                operation when it has succeeded.",
        asks: json!({
            "collection": collection(),
            "query": {"type": "string", "description": "Filters, `_sort` and `_fields`, as the query of a list has them: `done=true&_sort=-changed`. Without it, all documents."},
            "items": {"type": "boolean", "default": false, "description": "Whether each line is an item as lists have it, with path, tag and time around the document."},
        }),
        needs: &["collection"],
        unit: "documents",
        result: json!({
            "content": {"type": "string", "description": "The path of the file."},
            "documents": count(),
            "left_out": {"type": "integer", "minimum": 0, "description": "Documents that are not JSON."},
            "bytes": count(),
            "cursor": {"type": "string", "description": "For `_since`: the changes from there bring the file up to date."},
        }),
        example: json!({"kind": "export", "collection": "/notes", "query": "_sort=title", "items": true}),
    }
}

fn delete() -> Work {
    Work {
        name: "delete-collection",
        title: "DeleteCollection",
        about: "Deletes all direct members of the collection. What comes into being meanwhile may \
                stay.",
        asks: json!({"collection": collection()}),
        needs: &["collection"],
        unit: "documents",
        result: json!({"deleted": count()}),
        example: json!({"kind": "delete-collection", "collection": "/drafts"}),
    }
}

fn index() -> Work {
    let field = json!({"type": "string", "description": "As the settings spell it."});
    Work {
        name: "build-index",
        title: "BuildIndex",
        about: "Builds an index that the settings of the collection name, or fails where they do \
                not. It would be built without this as well: this is to see it.",
        asks: json!({"collection": collection(), "field": field}),
        needs: &["collection", "field"],
        unit: "documents",
        result: json!({"field": field}),
        example: json!({"kind": "build-index", "collection": "/notes", "field": "title"}),
    }
}

fn backup() -> Work {
    Work {
        name: "backup",
        title: "Backup",
        about: "Copies all data, as they stand at one moment, into one file in the directory \
                `backups` of the server's data directory. It stays there until it is removed by \
                hand; `matchbook restore` makes a data directory of it.",
        asks: json!({}),
        needs: &[],
        unit: "bytes",
        result: json!({"name": {"type": "string", "description": "The name of the file."}, "bytes": count()}),
        example: json!({"kind": "backup"}),
    }
}
