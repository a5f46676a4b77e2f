//! Documents as the validator of schemas looks at them: [`Value`]s, which are read in a
//! fraction of the time that a tree of maps takes.

use std::borrow::Cow;
use std::slice;

use jsonschema::json::{Array, Json, JsonNumber, Node, NodeIdentity, Object};
use jsonschema::types::JsonType;
use matchbook_core::json::value::{Members, Value};
use serde_json::Number;

/// JSON read from its text.
#[derive(Debug)]
pub(super) struct Text;

impl Json for Text {
    type Node<'a> = &'a Value<'a>;
    type PreparedKey = String;
    type StringBuffer = ();

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(Self::Node<'_>) -> T) -> T {
        f(&Value::String(Cow::Borrowed(string)))
    }
}

impl<'a> Node<'a, Text> for &'a Value<'a> {
    type Object = &'a Members<'a>;
    type Array = &'a [Value<'a>];
    type Number = Spelled<'a>;

    fn as_object(&self) -> Option<&'a Members<'a>> {
        match self {
            Value::Object(members) => Some(members),
            _ => None,
        }
    }

    fn as_array(&self) -> Option<&'a [Value<'a>]> {
        match self {
            Value::Array(elements) => Some(elements),
            _ => None,
        }
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match self {
            Value::String(text) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<Spelled<'a>> {
        match self {
            Value::Number(text) => Some(Spelled(text)),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    fn json_type(&self) -> JsonType {
        match self {
            Value::Null => JsonType::Null,
            Value::Bool(_) => JsonType::Boolean,
            Value::Number(_) => JsonType::Number,
            Value::String(_) => JsonType::String,
            Value::Array(_) => JsonType::Array,
            Value::Object(_) => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &serde_json::Value) -> bool {
        match (self, expected) {
            (Value::String(text), serde_json::Value::String(expected)) => text == expected,
            // 1 is 1.0, also within others.
            (Value::Number(_) | Value::Array(_) | Value::Object(_), _) => {
                jsonschema::json::cmp::equal(&owned(self), expected)
            }
            (Value::Bool(value), expected) => expected.as_bool() == Some(*value),
            (Value::Null, expected) => expected.is_null(),
            (Value::String(_), _) => false,
        }
    }

    fn to_value(&self) -> Cow<'a, serde_json::Value> {
        Cow::Owned(owned(self))
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(
            std::ptr::from_ref::<Value<'_>>(self).addr(),
        ))
    }
}

fn owned(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(text) => serde_json::Value::Number(Spelled(text).number()),
        Value::String(text) => text.as_ref().into(),
        Value::Array(elements) => elements.iter().map(owned).collect(),
        Value::Object(members) => {
            let members = members.iter();
            members
                .map(|(name, value)| (name.as_ref().to_owned(), owned(value)))
                .collect()
        }
    }
}

/// A number.
pub(super) struct Spelled<'a>(&'a str);

impl Spelled<'_> {
    fn number(&self) -> Number {
        serde_json::from_str(self.0).unwrap_or_else(|_| Number::from(0))
    }
}

impl JsonNumber for Spelled<'_> {
    fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }

    fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    fn as_f64(&self) -> Option<f64> {
        self.0.parse().ok().filter(|value: &f64| value.is_finite())
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.0)
    }

    fn to_number(&self) -> Cow<'_, Number> {
        Cow::Owned(self.number())
    }

    fn is_integer(&self) -> bool {
        let is_plain = !self.0.contains(['.', 'e', 'E']);
        is_plain || jsonschema::json::JsonNumber::is_integer(&self.number())
    }
}

impl<'a> Object<'a, Text> for &'a Members<'a> {
    type Node = &'a Value<'a>;
    type MemberName = &'a str;
    type MembersIter = Each<'a>;

    fn len(&self) -> usize {
        Members::len(self)
    }

    fn get(&self, key: &String) -> Option<&'a Value<'a>> {
        Members::get(self, key)
    }

    fn members(&self) -> Each<'a> {
        Each(self.iter())
    }
}

/// All members of an object.
pub(super) struct Each<'a>(slice::Iter<'a, (Cow<'a, str>, Value<'a>)>);

impl<'a> Iterator for Each<'a> {
    type Item = (&'a str, &'a Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (name.as_ref(), value))
    }
}

impl<'a> Array<'a, Text> for &'a [Value<'a>] {
    type Node = &'a Value<'a>;
    type ElementsIter = slice::Iter<'a, Value<'a>>;

    fn len(&self) -> usize {
        <[Value<'_>]>::len(self)
    }

    fn elements(&self) -> slice::Iter<'a, Value<'a>> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use jsonschema::json::conformance;

    use super::*;

    #[test]
    fn the_validator_can_rely_on_it() {
        let text = conformance::document().to_string();
        conformance::assert_conformance::<Text>(&&Value::read(&text));
    }
}
