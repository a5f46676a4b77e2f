//! Which keys of an index a filter asks for (contract §6, §12).
//!
//! An index holds [`index_key`] of each member. A filter narrows what is to be looked at
//! and nothing more: whoever reads so evaluates it on each document all the same, so that
//! a list is the same with an index as without.

use super::Query;
use super::condition::{Comparison, Test, dotted, pointed};
use super::fault::QueryFault;
use crate::json::Pointer;
use crate::json::key::{after, key, kin, of_prefix};
use crate::json::select::select;
use crate::limits::SORT_KEY_BYTES;

/// Keys of an index, among which are those of all documents that pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// These, ascending.
    Points(Vec<Vec<u8>>),
    /// From the first on, and before the second.
    Range(Vec<u8>, Vec<u8>),
}

impl Keys {
    /// Whether a key is one of them.
    #[must_use]
    pub fn hold(&self, key: &[u8]) -> bool {
        match self {
            Self::Points(points) => points.iter().any(|point| point == key),
            Self::Range(from, until) => from.as_slice() <= key && key < until.as_slice(),
        }
    }

    /// Those that are in both.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Points(points), other) | (other, Self::Points(points)) => {
                let both = points.into_iter().filter(|point| other.hold(point));
                Self::Points(both.collect())
            }
            (Self::Range(from, until), Self::Range(other_from, other_until)) => {
                Self::Range(from.max(other_from), until.min(other_until))
            }
        }
    }
}

/// The key of a document in an index on a field. `None` is a document that is not JSON: it
/// has no fields.
#[must_use]
pub fn index_key(field: &Pointer, json: Option<&str>) -> Vec<u8> {
    let raw = json.and_then(|json| select(json, field.tokens()));
    key(raw, SORT_KEY_BYTES)
}

impl Test {
    /// The keys of the values that pass; `None` if these lie anywhere.
    #[must_use]
    pub fn keys(&self) -> Option<Keys> {
        Some(match self {
            Self::OneOf(values) => {
                let points = values.keys().iter().map(|key| cut(key).to_vec());
                let mut points: Vec<_> = points.collect();
                points.dedup();
                Keys::Points(points)
            }
            Self::Compare(comparison, bound) => {
                let (first, end) = kin(bound.key());
                let bound = cut(bound.key());
                match comparison {
                    Comparison::Less | Comparison::LessOrEqual => Keys::Range(first, after(bound)),
                    Comparison::Greater | Comparison::GreaterOrEqual => {
                        Keys::Range(bound.to_vec(), end)
                    }
                }
            }
            Self::Prefix(text) => {
                let prefix = of_prefix(text);
                let prefix = cut(&prefix);
                Keys::Range(prefix.to_vec(), after(prefix))
            }
            Self::Exists(false) => Keys::Points(vec![key(None, SORT_KEY_BYTES)]),
            Self::NoneOf(_) | Self::Contains { .. } | Self::Exists(true) => return None,
        })
    }
}

fn cut(key: &[u8]) -> &[u8] {
    key.get(..SORT_KEY_BYTES).unwrap_or(key)
}

impl Query {
    /// What an index on this field has to be asked for, by all filters on it together;
    /// `None` if they say nothing.
    #[must_use]
    pub fn keys(&self, field: &Pointer) -> Option<Keys> {
        let on_field = self.filter.iter().filter(|filter| filter.field() == field);
        let keys = on_field.filter_map(|filter| filter.test().keys());
        keys.reduce(Keys::and)
    }
}

/// Reads a field as settings name it: as filters do, or as a JSON Pointer, which begins
/// with `/`.
///
/// # Errors
/// What is wrong with it.
pub fn field(text: &str) -> Result<Pointer, QueryFault> {
    if text.starts_with('/') {
        pointed(text, text)
    } else {
        dotted(text, text)
    }
}

/// A field as settings name it.
#[must_use]
pub fn spelled(field: &Pointer) -> String {
    let dotted = field.tokens().join(".");
    match self::field(&dotted) {
        Ok(read) if read == *field => dotted,
        Ok(_) | Err(_) => field.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ListQuery;
    use super::*;

    fn query(raw: &str) -> Query {
        ListQuery::parse(Some(raw)).unwrap().query
    }

    #[test]
    fn a_field_is_spelled_as_it_is_read() {
        for (text, pointer) in [
            ("a", "/a"),
            ("a.b", "/a/b"),
            ("a/b", "/a~1b"),
            ("a:b", "/a:b"),
            ("/a.b", "/a.b"),
            ("/a/", "/a/"),
            ("/~1a", "/~1a"),
            ("/a/b", "/a/b"),
        ] {
            let read = field(text).unwrap();
            assert_eq!(read.to_string(), pointer, "{text}");
            assert_eq!(field(&spelled(&read)).unwrap(), read, "{text}");
        }
        for bad in ["", "a..b", ".", "/~2"] {
            assert!(field(bad).is_err(), "{bad}");
        }
        assert_eq!(spelled(&field("/a/b").unwrap()), "a.b");
    }

    #[test]
    fn filters_on_one_field_narrow_together() {
        let n = field("n").unwrap();
        let key = |json: &str| index_key(&n, Some(json));
        let keys = query("n:gt=1&n:lte=3&m=1").keys(&n).unwrap();
        assert!(keys.hold(&key(r#"{"n":2}"#)) && keys.hold(&key(r#"{"n":3.0}"#)));
        assert!(!keys.hold(&key(r#"{"n":4}"#)) && !keys.hold(&key(r#"{"n":"2"}"#)));
        let keys = query("n:in=1,2,3&n:gt=2").keys(&n).unwrap();
        assert!(!keys.hold(&key(r#"{"n":1}"#)) && keys.hold(&key(r#"{"n":3}"#)));
        assert_eq!(query("n:in=[]").keys(&n), Some(Keys::Points(Vec::new())));
        for open in ["n:ne=1", "n:contains=1", "n:exists=true", "m=1", ""] {
            assert_eq!(query(open).keys(&n), None, "{open}");
        }
    }

    #[test]
    fn a_value_longer_than_a_key_is_among_its_keys() {
        let n = field("n").unwrap();
        let long = "x".repeat(3 * SORT_KEY_BYTES);
        let document = format!("{{\"n\":\"{long}\"}}");
        for operator in ["eq", "in", "lte", "gte", "prefix"] {
            let keys = query(&format!("n:{operator}={long}")).keys(&n).unwrap();
            assert!(keys.hold(&index_key(&n, Some(&document))), "{operator}");
            assert!(!keys.hold(&index_key(&n, Some(r#"{"n":"x"}"#))) || operator == "lte");
        }
    }

    proptest! {
        #[test]
        fn no_document_that_passes_is_left_out(
            value in "(-?[0-3]{1,2}(\\.[0-9])?(e[0-9])?)|(\"[ab0-3\u{e9}]{0,4}\")|true|false|null|\\[1\\]|\\{\\}",
            operator in "eq|ne|lt|lte|gt|gte|in|contains|prefix",
            operand in "(-?[0-3]{1,2}(\\.[0-9])?)|(\"?[ab0-3\u{e9}]{0,3}\"?)|true|false|null|[01],[ab2]",
        ) {
            let n = field("n").unwrap();
            let operand: String = operand.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let query = query(&format!("n:{operator}={operand}"));
            for document in [format!("{{\"n\":{value}}}"), "{}".to_owned()] {
                let json = Some(document.as_str());
                if let Some(keys) = query.keys(&n) && query.matches(json) {
                    prop_assert!(keys.hold(&index_key(&n, json)), "{}", document);
                }
            }
        }
    }
}
