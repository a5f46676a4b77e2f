//! What the members of a collection's documents are, as far as its schema says it of each
//! by itself: so that forms, which send nothing but text, can save numbers.

use std::collections::HashMap;

use matchbook_core::form::{FieldType, Scalar};
use serde_json::Value;

/// References that are followed from one member: a schema may refer to itself.
const REFERENCES: usize = 8;

/// The members by name.
pub(super) type Fields = HashMap<String, FieldType>;

/// The members that a schema tells the types of, where it is not that of any text.
pub(super) fn fields(schema: &Value) -> Fields {
    let properties = resolve(schema, schema).get("properties");
    let properties = properties.and_then(Value::as_object).into_iter().flatten();
    let typed = properties.filter_map(|(name, member)| {
        let field = field(schema, resolve(schema, member))?;
        Some((name.clone(), field))
    });
    typed.collect()
}

fn field(schema: &Value, member: &Value) -> Option<FieldType> {
    let names = type_names(member);
    if names.is_empty() || names.contains(&"string") {
        return None;
    }
    if !names.contains(&"array") {
        return Some(FieldType::One(scalar(&names)));
    }
    let items = member.get("items").map(|items| resolve(schema, items));
    let names = items.map(type_names).unwrap_or_default();
    Some(FieldType::Many(match names.as_slice() {
        [] => Scalar::TEXT,
        names => scalar(names),
    }))
}

fn scalar(names: &[&str]) -> Scalar {
    Scalar {
        string: names.contains(&"string"),
        number: names.contains(&"number") || names.contains(&"integer"),
        boolean: names.contains(&"boolean"),
    }
}

/// What `type` says: one name, or several.
fn type_names(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// What a schema is that may refer to another place in the whole.
fn resolve<'a>(whole: &'a Value, mut schema: &'a Value) -> &'a Value {
    for _ in 0..REFERENCES {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let pointer = reference.and_then(|reference| reference.strip_prefix('#'));
        match pointer.and_then(|pointer| whole.pointer(pointer)) {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn section_4_4_the_schema_says_what_members_are() {
        let schema = json!({
            "$ref": "#/$defs/note",
            "$defs": {
                "count": {"type": "integer"},
                "self": {"$ref": "#/$defs/self"},
                "note": {"properties": {
                    "text": {"type": "string"},
                    "any": {},
                    "maybe": {"type": ["string", "integer"]},
                    "count": {"$ref": "#/$defs/count"},
                    "price": {"type": ["number", "null"]},
                    "done": {"type": "boolean"},
                    "tags": {"type": "array"},
                    "counts": {"type": "array", "items": {"$ref": "#/$defs/count"}},
                    "self": {"$ref": "#/$defs/self"},
                    "none": {"$ref": "#/$defs/none"},
                    "false": false
                }}
            }
        });
        let number = Scalar {
            number: true,
            ..Scalar::default()
        };
        let boolean = Scalar {
            boolean: true,
            ..Scalar::default()
        };
        let expected = [
            ("count", FieldType::One(number)),
            ("price", FieldType::One(number)),
            ("done", FieldType::One(boolean)),
            ("tags", FieldType::Many(Scalar::TEXT)),
            ("counts", FieldType::Many(number)),
        ];
        let expected = expected.map(|(name, field)| (name.to_owned(), field));
        assert_eq!(fields(&schema), Fields::from(expected));
        for other in [json!(true), json!({}), json!({"properties": []})] {
            assert_eq!(fields(&other), Fields::new(), "{other}");
        }
    }
}
