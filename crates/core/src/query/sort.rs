//! Order: `_sort=-field,field` (contract §6).

use std::fmt;

use super::condition::dotted;
use super::fault::QueryFault;
use crate::json::Pointer;
use crate::json::key::key;
use crate::json::select::select;
use crate::limits::SORT_KEY_BYTES;

/// One field to order by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// The field.
    pub field: Pointer,
    /// Whether the greatest comes first.
    pub descending: bool,
}

impl SortKey {
    /// Reads one item of `_sort`.
    pub(super) fn parse(text: &str) -> Result<Self, QueryFault> {
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        // A raw '+' is a space in a query, so "+name" would quietly order by " name".
        if name.starts_with(' ') {
            return Err(QueryFault::Field {
                parameter: "_sort".to_owned(),
                reason: "a name must not begin with a space or '+'; ascending is what a name alone means",
            });
        }
        let field = dotted(name, "_sort")?;
        Ok(Self { field, descending })
    }

    /// Bytes that ascend in the direction asked for, at most [`SORT_KEY_BYTES`]. `None`
    /// is a document that is not JSON: it has no fields.
    #[must_use]
    pub fn key(&self, json: Option<&str>) -> Vec<u8> {
        let raw = json.and_then(|json| select(json, self.field.tokens()));
        let mut key = key(raw, SORT_KEY_BYTES);
        if self.descending {
            key.iter_mut().for_each(|byte| *byte = !*byte);
        }
        key
    }
}

/// Direction and pointer.
impl fmt::Display for SortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.descending { "-" } else { "" };
        write!(f, "{sign}{}", self.field)
    }
}
