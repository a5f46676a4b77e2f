//! JSON as values, for who looks at all of a document: read once, with strings borrowed
//! where nothing in them is escaped, and numbers as they are spelled.

use std::borrow::Cow;
use std::slice;

use super::scan::{space_end, string_end, value_end};
use super::text::unescape;

/// From this many members on, they are looked up in the order of their names: a document
/// with many is not to make each look at all of them.
const SORTED_FROM: usize = 32;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// As it is spelled.
    Number(&'a str),
    /// What it stands for.
    String(Cow<'a, str>),
    /// In their order.
    Array(Vec<Value<'a>>),
    /// An object.
    Object(Members<'a>),
}

/// The members of an object, in the order in which they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members<'a> {
    all: Vec<(Cow<'a, str>, Value<'a>)>,
    /// Their places in the order of their names; empty where there are few.
    sorted: Vec<usize>,
}

impl<'a> Value<'a> {
    /// The value of a text that [`check`](super::check()) has accepted, which bounds how deep
    /// this goes.
    ///
    /// ```
    /// use matchbook_core::json::value::Value;
    /// let value = Value::read(r#"{"a": [1.0, "\u00e9"]}"#);
    /// let Value::Object(members) = value else { panic!() };
    /// let a = [Value::Number("1.0"), Value::String("é".into())];
    /// assert_eq!(members.get("a"), Some(&Value::Array(a.into())));
    /// ```
    #[must_use]
    pub fn read(json: &'a str) -> Self {
        let at = space_end(json.as_bytes(), 0);
        Reader { json, at }.value()
    }
}

impl<'a> Members<'a> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The member of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        if self.sorted.is_empty() {
            let mut all = self.iter();
            return all.find_map(|(other, value)| (*other == name).then_some(value));
        }
        let name_at = |&at: &usize| self.all.get(at).map(|(name, _)| name.as_ref());
        let place = self
            .sorted
            .binary_search_by(|at| name_at(at).cmp(&Some(name)));
        let at = self.sorted.get(place.ok()?)?;
        self.all.get(*at).map(|(_, value)| value)
    }

    /// All of them.
    pub fn iter(&self) -> slice::Iter<'_, (Cow<'a, str>, Value<'a>)> {
        self.all.iter()
    }
}

impl<'a> From<Vec<(Cow<'a, str>, Value<'a>)>> for Members<'a> {
    fn from(all: Vec<(Cow<'a, str>, Value<'a>)>) -> Self {
        let mut sorted = Vec::new();
        if all.len() >= SORTED_FROM {
            let name = |at: &usize| all.get(*at).map(|(name, _)| name.as_ref());
            sorted.extend(0..all.len());
            sorted.sort_unstable_by(|a, b| name(a).cmp(&name(b)));
        }
        Self { all, sorted }
    }
}

/// A place in the text, where no white space is.
struct Reader<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Value<'a> {
        match self.peek() {
            Some(b'{') => Value::Object(self.members().into()),
            Some(b'[') => Value::Array(self.elements()),
            Some(b'"') => Value::String(unescape(self.pass(string_end))),
            Some(b't') => self.word(Value::Bool(true)),
            Some(b'f') => self.word(Value::Bool(false)),
            Some(b'n') | None => self.word(Value::Null),
            Some(_) => Value::Number(self.pass(value_end)),
        }
    }

    fn word(&mut self, value: Value<'a>) -> Value<'a> {
        self.pass(value_end);
        value
    }

    fn members(&mut self) -> Vec<(Cow<'a, str>, Value<'a>)> {
        let mut members = Vec::new();
        self.step();
        while self.peek() == Some(b'"') {
            let name = unescape(self.pass(string_end));
            self.step();
            members.push((name, self.value()));
            if self.peek() == Some(b',') {
                self.step();
            }
        }
        self.step();
        members
    }

    fn elements(&mut self) -> Vec<Value<'a>> {
        let mut elements = Vec::new();
        self.step();
        while !matches!(self.peek(), None | Some(b']' | b'}')) {
            elements.push(self.value());
            if self.peek() == Some(b',') {
                self.step();
            }
        }
        self.step();
        elements
    }

    fn peek(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }

    /// Passes one byte of punctuation, and the white space behind it.
    fn step(&mut self) {
        self.at = space_end(self.json.as_bytes(), self.at + 1);
    }

    /// Passes what begins here, and the white space behind it.
    fn pass(&mut self, end: impl Fn(&[u8], usize) -> usize) -> &'a str {
        let end = end(self.json.as_bytes(), self.at);
        let raw = self.json.get(self.at..end).unwrap_or_default();
        self.at = space_end(self.json.as_bytes(), end.max(self.at + 1));
        raw
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Expected;

    use super::*;
    use crate::json::check;

    fn expected(value: &Value<'_>) -> Expected {
        match value {
            Value::Null => Expected::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(text) => serde_json::from_str(text).unwrap(),
            Value::String(text) => text.as_ref().into(),
            Value::Array(elements) => elements.iter().map(expected).collect(),
            Value::Object(members) => {
                let members = members.iter();
                members
                    .map(|(name, value)| (name.to_string(), expected(value)))
                    .collect()
            }
        }
    }

    #[test]
    fn values_are_what_others_read() {
        for text in [
            " { \"a\" : [ ] , \"b\\u0000\\\"\" :\n{ } , \"c\":[ null,true , false,-1.5e+3,\"\" ] }\t",
            "[[[1],[[]]],{\"a\":{\"a\":{}}}]",
            "7",
            "\"\\ud83d\\ude00\"",
            "null",
        ] {
            let other: Expected = serde_json::from_str(text).unwrap();
            assert_eq!(expected(&Value::read(text)), other, "{text}");
        }
    }

    #[test]
    fn members_are_found_by_name_however_many() {
        for count in [0, 1, SORTED_FROM - 1, SORTED_FROM, 1_000] {
            let all = (0..count).map(|n| (format!("m{}", n * 7 % 1_001).into(), Value::Null));
            let members = Members::from(all.collect::<Vec<_>>());
            assert_eq!(members.len(), count);
            for (name, value) in members.iter() {
                assert_eq!(members.get(name), Some(value));
            }
            assert_eq!(members.get("m"), None);
            assert_eq!(members.get("z"), None);
        }
    }

    proptest! {
        #[test]
        fn any_accepted_text_is_read_and_no_other_panics(text in "[\\[\\]{}\":,a1 \\\\\n-]{0,24}|\\PC{0,16}") {
            let value = Value::read(&text);
            if check(text.as_bytes()).is_ok()
                && let Ok(other) = serde_json::from_str::<Expected>(&text)
            {
                prop_assert_eq!(expected(&value), other);
            }
        }
    }
}
