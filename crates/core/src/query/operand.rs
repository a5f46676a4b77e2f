//! The values that filters compare with (contract §6).
//!
//! Both kinds hold untruncated keys ([`crate::json::key`]) and look at one byte more of
//! a document's value than they hold. No key is the beginning of another, so that is
//! enough for an exact answer, whatever the size of the value.

use std::cmp::Ordering;

use crate::json::key::{self, Kind, key};
use crate::json::{check, text};

/// A set of values to be equal to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    /// In order.
    keys: Vec<Vec<u8>>,
    longest_bytes: usize,
}

impl Values {
    /// What the spellings stand for: each read as JSON, where it is JSON, and as a
    /// string. So `42` stands for 42 and for `"42"`.
    pub(super) fn read<'a>(spellings: impl IntoIterator<Item = &'a str>) -> Self {
        let mut keys = Vec::new();
        for spelling in spellings {
            keys.push(key::of_text(spelling));
            keys.extend(read_json(spelling));
        }
        keys.sort_unstable();
        keys.dedup();
        let longest_bytes = keys.iter().map(Vec::len).max().unwrap_or(0);
        Self {
            keys,
            longest_bytes,
        }
    }

    /// Whether the value, given by its JSON text, is one of them.
    #[must_use]
    pub fn contains(&self, raw: &str) -> bool {
        let key = key(Some(raw), self.longest_bytes + 1);
        self.keys.binary_search(&key).is_ok()
    }

    /// Their untruncated keys, ascending: for an engine that has an index on keys.
    #[must_use]
    pub fn keys(&self) -> &[Vec<u8>] {
        &self.keys
    }
}

/// A number, string or boolean that values of its own type lie below or above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    key: Vec<u8>,
}

impl Bound {
    /// What the spelling stands for: a number, string or boolean in JSON, or else
    /// itself as a string.
    pub(super) fn read(spelling: &str) -> Self {
        let ordered =
            |key: &Vec<u8>| matches!(key::kind(key), Kind::Number | Kind::String | Kind::Boolean);
        let json = read_json(spelling).filter(ordered);
        Self {
            key: json.unwrap_or_else(|| key::of_text(spelling)),
        }
    }

    /// How the value, given by its JSON text, compares with this one; `None` if it is of
    /// another type.
    #[must_use]
    pub fn order_of(&self, raw: &str) -> Option<Ordering> {
        let key = key(Some(raw), self.key.len() + 1);
        (key::kind(&key) == key::kind(&self.key)).then(|| key.cmp(&self.key))
    }

    /// Its untruncated key: for an engine that has an index on keys.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

/// The key of a spelling that is a JSON text.
fn read_json(spelling: &str) -> Option<Vec<u8>> {
    let raw = check(spelling.as_bytes()).ok()?;
    Some(key(Some(raw), usize::MAX))
}

/// The text of a value that is a string.
pub(super) fn string(raw: &str) -> Option<std::borrow::Cow<'_, str>> {
    raw.starts_with('"').then(|| text::unescape(raw))
}
