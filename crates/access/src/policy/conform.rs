//! From JSON to what Cedar can spell, as far as it has the declared types.
//!
//! What is not declared, or has another type than declared, is absent. So policies that
//! were validated never meet a value of a type that they do not expect. Of a document only
//! the members that policies look at are read, and nothing behind the last of them.

use std::collections::BTreeMap;

use cedar_policy::RestrictedExpression;
use matchbook_core::json::select::members_in;
use matchbook_core::json::text::unescape;
use serde_json::value::RawValue;

use super::types::{Record, Type};

/// The members of an object that are declared and have the declared type; `None` if a
/// required one is missing, or this is no object.
pub(super) fn record(text: &str, declared: &Record) -> Option<Vec<(String, RestrictedExpression)>> {
    if !text.starts_with('{') {
        return None;
    }
    let mut members = Vec::with_capacity(declared.members.len());
    let found = members_of(text.as_bytes(), &declared.members);
    for (name, member) in &declared.members {
        let raw = found.iter().find(|(found, _)| found == name);
        match raw.and_then(|(_, raw)| value(raw, &member.value)) {
            Some(value) => members.push((name.clone(), value)),
            None if member.required => return None,
            None => {}
        }
    }
    Some(members)
}

/// A value, if it has the type.
pub(super) fn value(text: &str, declared: &Type) -> Option<RestrictedExpression> {
    match declared {
        Type::String => Some(RestrictedExpression::new_string(string(text)?)),
        Type::Integer => text.parse().ok().map(RestrictedExpression::new_long),
        Type::Boolean => text.parse().ok().map(RestrictedExpression::new_bool),
        Type::Set(element) => {
            let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            let elements: Option<Vec<_>> = elements
                .iter()
                .map(|raw| value(raw.get(), element))
                .collect();
            Some(RestrictedExpression::new_set(elements?))
        }
        Type::Record(declared) => RestrictedExpression::new_record(record(text, declared)?).ok(),
    }
}

/// A string, if it is one.
pub(super) fn string(text: &str) -> Option<String> {
    if text.starts_with('"') {
        serde_json::from_str(text).ok()
    } else {
        None
    }
}

/// The members of an object with these names, as they are written; none of them if it is
/// no object.
pub(super) fn members_of<'w, 'a, T>(
    text: &'a [u8],
    wanted: &'w BTreeMap<String, T>,
) -> Vec<(&'w str, &'a str)> {
    let mut found = Vec::with_capacity(wanted.len());
    if wanted.is_empty() {
        return found;
    }
    for (name, raw) in members_in(text) {
        let name = std::str::from_utf8(name).map(unescape);
        let name = name.ok().and_then(|name| wanted.get_key_value(&*name));
        if let (Some((name, _)), Ok(raw)) = (name, std::str::from_utf8(raw)) {
            found.push((name.as_str(), raw));
        }
        if found.len() == wanted.len() {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn conformed(text: &str, schema: &Value) -> Option<String> {
        let declared = Type::declared(schema).unwrap();
        value(text, &declared).map(|value| value.as_ref().to_string())
    }

    #[test]
    fn a_value_has_the_declared_type_or_is_absent() {
        let of = |kind: &str| json!({"type": kind});
        for (text, schema, expected) in [
            (r#""a\n\u00e9""#, of("string"), Some(r#""a\né""#)),
            ("1", of("string"), None),
            ("null", of("string"), None),
            ("1", of("integer"), Some("1")),
            (
                "-9223372036854775808",
                of("integer"),
                Some("(-9223372036854775808)"),
            ),
            ("9223372036854775808", of("integer"), None),
            ("1.0", of("integer"), None),
            ("1e400", of("integer"), None),
            ("\"1\"", of("integer"), None),
            ("true", of("boolean"), Some("true")),
            ("0", of("boolean"), None),
        ] {
            assert_eq!(
                conformed(text, &schema).as_deref(),
                expected,
                "{text} {schema}"
            );
        }
        let numbers = json!({"type": "array", "items": {"type": "integer"}});
        assert_eq!(conformed("[1, 2]", &numbers).as_deref(), Some("[1, 2]"));
        assert_eq!(conformed("[1, \"2\"]", &numbers), None);
        assert_eq!(conformed("{}", &numbers), None);
        let object = json!({
            "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]
        });
        let with = |text| conformed(text, &object);
        assert_eq!(
            with(r#"{"a":1,"b":2,"c":1e999}"#).as_deref(),
            Some("{a: 1}")
        );
        assert_eq!(with(r#"{"b":"x"}"#), None);
        assert_eq!(with("[]"), None);
    }

    #[test]
    fn members_are_found_and_the_rest_is_not_looked_at() {
        let wanted = BTreeMap::from([("a".to_owned(), ()), ("é\"".to_owned(), ())]);
        let found = |text: &str| -> Vec<(String, String)> {
            members_of(text.as_bytes(), &wanted)
                .into_iter()
                .map(|(name, raw)| (name.to_owned(), raw.to_owned()))
                .collect()
        };
        let both = [("a", "[1,{}]"), ("é\"", "1e999")];
        let both = both.map(|(name, raw)| (name.to_owned(), raw.to_owned()));
        let spelled = r#"{"z":{"a":0},"a":[1,{}],"\u00e9\"":1e999,"rest":"#;
        assert_eq!(found(spelled), both);
        assert_eq!(found(r#"{"a":1}"#).len(), 1);
        for text in ["", "[1]", "7", "\u{0}"] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
