//! The types that Cedar can spell, and which of them a JSON Schema declares.
//!
//! Cedar has strings, integers, booleans, sets and records; no floats and no null. A
//! member that is declared otherwise, or differently by two collections, is left out, and
//! the reason is kept for whoever writes a policy that uses it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// Records in records are read this deep. Cedar works through types by recursion.
const DEPTH: usize = 16;

/// A type that policies can speak of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// A string.
    String,
    /// An integer in 64 bits with a sign.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// An array, as a set: order and repetition are lost.
    Set(Box<Type>),
    /// An object.
    Record(Record),
}

/// The members of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub(super) members: BTreeMap<String, Member>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) value: Type,
    pub(super) required: bool,
}

/// Why members cannot be used, by their names joined with dots.
pub(super) type LeftOut = BTreeMap<String, String>;

impl Type {
    /// What a JSON Schema declares, as for a claim.
    ///
    /// # Errors
    /// Why Cedar cannot spell it.
    pub fn declared(schema: &Value) -> Result<Self, String> {
        let mut left_out = LeftOut::new();
        let read = merged(&[("", schema)], "", 0, &mut left_out);
        let reason = || left_out.into_values().next().unwrap_or_default();
        read.ok_or_else(reason)
    }

    /// As Cedar's schema in JSON has it.
    pub(super) fn cedar(&self) -> Value {
        match self {
            Self::String => json!({"type": "String"}),
            Self::Integer => json!({"type": "Long"}),
            Self::Boolean => json!({"type": "Boolean"}),
            Self::Set(element) => json!({"type": "Set", "element": element.cedar()}),
            Self::Record(record) => record.cedar(),
        }
    }
}

impl Record {
    /// The members that JSON Schemas declare, each with the name of what it is for;
    /// a member is required if all of them require it.
    pub(super) fn merged(schemas: &[(&str, &Value)], left_out: &mut LeftOut) -> Self {
        record(schemas, "", 0, left_out)
    }

    pub(super) fn cedar(&self) -> Value {
        let attributes = self.members.iter().map(|(name, member)| {
            let mut attribute = member.value.cedar();
            if let Value::Object(attribute) = &mut attribute {
                attribute.insert("required".into(), member.required.into());
            }
            (name.clone(), attribute)
        });
        json!({"type": "Record", "attributes": attributes.collect::<Map<_, _>>()})
    }
}

fn record(schemas: &[(&str, &Value)], at: &str, depth: usize, left_out: &mut LeftOut) -> Record {
    let names: BTreeSet<&String> = schemas
        .iter()
        .filter_map(|(_, schema)| schema.get("properties")?.as_object())
        .flat_map(Map::keys)
        .collect();
    let mut members = BTreeMap::new();
    for name in names {
        let declared: Vec<(&str, &Value)> = schemas
            .iter()
            .filter_map(|(of, schema)| Some((*of, schema.get("properties")?.get(name)?)))
            .collect();
        let required = schemas.iter().all(|(_, schema)| requires(schema, name))
            && !declared.iter().any(|(_, schema)| is_nullable(schema));
        let at = if at.is_empty() {
            name.clone()
        } else {
            format!("{at}.{name}")
        };
        if let Some(value) = merged(&declared, &at, depth + 1, left_out) {
            members.insert(name.clone(), Member { value, required });
        }
    }
    Record { members }
}

/// The type on which all agree.
fn merged(
    schemas: &[(&str, &Value)],
    at: &str,
    depth: usize,
    left_out: &mut LeftOut,
) -> Option<Type> {
    match agreed(schemas, depth) {
        Ok("string") => Some(Type::String),
        Ok("integer") => Some(Type::Integer),
        Ok("boolean") => Some(Type::Boolean),
        Ok("array") => {
            let items: Option<Vec<(&str, &Value)>> = schemas
                .iter()
                .map(|(of, schema)| Some((*of, schema.get("items")?)))
                .collect();
            let Some(items) = items else {
                left_out.insert(at.into(), "an array needs `items`, with a type".into());
                return None;
            };
            let items = merged(&items, at, depth + 1, left_out)?;
            Some(Type::Set(Box::new(items)))
        }
        Ok(_) => Some(Type::Record(record(schemas, at, depth, left_out))),
        Err(reason) => {
            left_out.insert(at.into(), reason);
            None
        }
    }
}

fn agreed<'a>(schemas: &[(&str, &'a Value)], depth: usize) -> Result<&'a str, String> {
    if depth > DEPTH {
        return Err(format!("it lies deeper than {DEPTH} levels"));
    }
    let mut first: Option<(&str, &str)> = None;
    for (of, schema) in schemas {
        let kind = kind(schema).map_err(|reason| in_collection(of, reason))?;
        match first {
            None => first = Some((of, kind)),
            Some((other, found)) if found != kind => {
                return Err(format!(
                    "`{other}` declares it as {found}, `{of}` as {kind}"
                ));
            }
            Some(_) => {}
        }
    }
    first.map(|(_, kind)| kind).ok_or_else(String::new)
}

fn in_collection(of: &str, reason: &str) -> String {
    if of.is_empty() {
        reason.into()
    } else {
        format!("in the schema of `{of}`: {reason}")
    }
}

/// One of `string`, `integer`, `boolean`, `array`, `object`.
fn kind(schema: &Value) -> Result<&str, &'static str> {
    let named = match schema.get("type") {
        Some(Value::String(name)) => name.as_str(),
        Some(Value::Array(names)) => {
            let mut names = names
                .iter()
                .filter_map(Value::as_str)
                .filter(|name| *name != "null");
            match (names.next(), names.next()) {
                (Some(name), None) => name,
                _ => return Err("Cedar wants one type"),
            }
        }
        _ => return kind_of_values(schema),
    };
    match named {
        "string" | "integer" | "boolean" | "array" | "object" => Ok(named),
        "number" => Err("Cedar has no numbers with a fraction; `integer` can be used"),
        "null" => Err("Cedar has no null"),
        _ => Err("it has no type that JSON Schema knows"),
    }
}

/// The type of what has no `type`: that of its values.
fn kind_of_values(schema: &Value) -> Result<&'static str, &'static str> {
    if schema.get("properties").is_some() {
        return Ok("object");
    }
    let mut kinds = values(schema)
        .filter(|value| !value.is_null())
        .map(|value| match value {
            Value::String(_) => Ok("string"),
            Value::Bool(_) => Ok("boolean"),
            Value::Number(number) if number.is_i64() => Ok("integer"),
            _ => Err("Cedar cannot spell one of its values"),
        });
    let first = kinds.next().ok_or("it has no `type`")??;
    for kind in kinds {
        if kind? != first {
            return Err("Cedar wants one type");
        }
    }
    Ok(first)
}

fn values(schema: &Value) -> impl Iterator<Item = &Value> {
    let listed = schema.get("enum").and_then(Value::as_array);
    listed.into_iter().flatten().chain(schema.get("const"))
}

fn requires(schema: &Value, name: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|names| names.iter().any(|required| required == name))
}

fn is_nullable(schema: &Value) -> bool {
    match schema.get("type") {
        Some(Value::Array(names)) => names.iter().any(|name| name == "null"),
        Some(_) => false,
        None => values(schema).any(Value::is_null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(schemas: &[(&str, Value)]) -> (Record, LeftOut) {
        let mut left_out = LeftOut::new();
        let schemas: Vec<_> = schemas.iter().map(|(of, schema)| (*of, schema)).collect();
        (Record::merged(&schemas, &mut left_out), left_out)
    }

    #[test]
    fn what_a_json_schema_declares_is_read() {
        let (record, left_out) = merge(&[(
            "notes",
            json!({
                "type": "object",
                "required": ["title", "seen", "level"],
                "properties": {
                    "title": {"type": "string", "maxLength": 10},
                    "seen": {"type": ["boolean", "null"]},
                    "level": {"enum": [1, 2, 3]},
                    "status": {"enum": ["open", "done", null]},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "place": {"properties": {"x": {"type": "integer"}}, "required": ["x"]},
                    "price": {"type": "number"},
                    "any": {},
                    "either": {"type": ["string", "integer"]},
                    "bare": {"type": "array"},
                    "far": {"$ref": "#/$defs/far"}
                }
            }),
        )]);
        let told: Vec<(&str, Value, bool)> = record
            .members
            .iter()
            .map(|(name, member)| (name.as_str(), member.value.cedar(), member.required))
            .collect();
        let place = json!({
            "type": "Record", "attributes": {"x": {"type": "Long", "required": true}}
        });
        let expected = [
            ("level", json!({"type": "Long"}), true),
            ("place", place, false),
            ("seen", json!({"type": "Boolean"}), false),
            ("status", json!({"type": "String"}), false),
            (
                "tags",
                json!({"type": "Set", "element": {"type": "String"}}),
                false,
            ),
            ("title", json!({"type": "String"}), true),
        ];
        assert_eq!(told, expected);
        let names: Vec<&str> = left_out.keys().map(String::as_str).collect();
        assert_eq!(names, ["any", "bare", "either", "far", "price"]);
        assert!(
            left_out["price"].contains("`notes`"),
            "{}",
            left_out["price"]
        );
    }

    #[test]
    fn schemas_of_several_collections_become_one() {
        let of = |kind: &str| {
            json!({
                "required": ["title", "inner"],
                "properties": {
                    "title": {"type": "string"},
                    "code": {"type": kind},
                    "inner": {"type": "object", "properties": {
                        "code": {"type": kind}, (kind): {"type": "boolean"}
                    }}
                }
            })
        };
        let (record, left_out) = merge(&[("a", of("string")), ("b", of("integer"))]);
        assert!(record.members["title"].required);
        assert!(!record.members.contains_key("code"));
        let Type::Record(inner) = &record.members["inner"].value else {
            panic!("not a record");
        };
        let names: Vec<&str> = inner.members.keys().map(String::as_str).collect();
        assert_eq!(names, ["integer", "string"]);
        let reason = "`a` declares it as string, `b` as integer";
        assert_eq!(left_out["code"], reason);
        assert_eq!(left_out["inner.code"], reason);
        let (record, _) = merge(&[("a", of("string")), ("b", json!({}))]);
        assert!(!record.members["title"].required);
    }

    #[test]
    fn a_deep_schema_ends_somewhere() {
        let mut schema = json!({"type": "string"});
        for _ in 0..40 {
            schema = json!({"properties": {"a": schema}});
        }
        let (_, left_out) = merge(&[("deep", schema)]);
        assert_eq!(left_out.len(), 1);
    }
}
