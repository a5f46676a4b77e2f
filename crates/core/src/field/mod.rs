//! Request header fields as types: one wire concept a file.
//!
//! Each type's `parse` takes the lines of one field, in order, as raw bytes (what
//! `http::HeaderMap::get_all` yields), and answers `Ok(None)` when there are none.
//! Lists follow RFC 9110 §5.6.1: several lines are one list, and empty elements are
//! skipped. The types borrow from the lines. Nothing is allocated for a list of one
//! entity tag or one media range, nor for any other field.
//!
//! The `headers` and `mime` crates are not used. They serve clients and servers that
//! skip what they cannot read; what each gets wrong for one that answers 400 stands
//! in the module that does it otherwise.

use std::fmt;

mod cursor;

pub mod accept;
pub mod accept_encoding;
pub mod coding;
pub mod content_encoding;
pub mod content_length;
pub mod entity_tag;
pub mod host;
pub mod http_date;
pub mod idempotency_key;
pub mod if_range;
pub mod media_type;
pub mod origin;
pub mod prefer;
pub mod quality;
pub mod range;
pub mod sec_fetch_site;
pub mod www_authenticate;

/// A header field that does not parse: answered 400 (contract §3, line 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldFault {
    /// The field's name, as it is usually written.
    pub field: &'static str,
    /// What to send instead, as half a sentence.
    pub detail: &'static str,
}

impl fmt::Display for FieldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.detail)
    }
}

impl std::error::Error for FieldFault {}

/// The only line of a field that is no list; several are a fault, since nobody can
/// know which of them counts (RFC 9110 §5.3).
fn single<'a>(
    field: &'static str,
    mut lines: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<&'a [u8]>, FieldFault> {
    let first = lines.next();
    if lines.next().is_some() {
        let detail = "the field must be sent once only";
        return Err(FieldFault { field, detail });
    }
    Ok(first)
}

/// The bytes of a field's values, for `parse`.
///
/// ```
/// use matchbook_core::field::{entity_tag::TagList, lines};
/// let mut fields = http::HeaderMap::new();
/// fields.append("if-match", http::HeaderValue::from_static("\"a\""));
/// let tags = TagList::parse("If-Match", lines(&fields, &http::header::IF_MATCH));
/// assert!(tags.is_ok_and(|tags| tags.is_some()));
/// ```
pub fn lines<'a>(
    fields: &'a http::HeaderMap,
    name: &http::HeaderName,
) -> impl Iterator<Item = &'a [u8]> {
    fields.get_all(name).iter().map(http::HeaderValue::as_bytes)
}
