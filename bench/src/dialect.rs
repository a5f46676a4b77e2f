//! How a server is asked for each kind of work, and which answers are right. Most speak
//! the same: a document is a resource, its validator an `ETag`, a save is guarded by
//! `If-Match`.

use std::io::Write;
use std::ops::RangeInclusive;

use crate::document::DOCUMENT_BYTES;
use crate::response::Response;
use crate::work::{Work, content, field, head};

/// How many documents a page of a list has.
pub(crate) const PAGE_DOCUMENTS: usize = 100;

/// What a server can do of a kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ability {
    /// All of it.
    Whole,
    /// The write, but it ignores the condition: it may overwrite what it should not.
    Blind,
    /// Nothing.
    None,
}

/// Which answers tell the validator of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tells {
    Nothing,
    Reads,
    ReadsAndWrites,
}

/// One request.
pub(crate) struct Ask<'a> {
    pub(crate) work: Work,
    /// Of the document, or the value of the filter.
    pub(crate) number: u64,
    /// The value of `Host`, with the fields that are in every request after it.
    pub(crate) host: &'a str,
    /// The validator that the client knows.
    pub(crate) tag: &'a [u8],
    /// The document or the patch.
    pub(crate) body: &'a [u8],
}

/// How a server is spoken to.
pub(crate) trait Dialect: Sync {
    fn ability(&self, _work: Work) -> Ability {
        Ability::Whole
    }

    fn tells(&self) -> Tells {
        Tells::ReadsAndWrites
    }

    /// A field that every request has.
    fn common_field(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Appends the request to `wire`.
    fn request(&self, ask: &Ask<'_>, wire: &mut Vec<u8>);

    fn status(&self, work: Work) -> u16;

    /// Whether an answer of the right status says that the condition held.
    fn has_held(&self, _work: Work, _response: &Response<'_>) -> bool {
        true
    }

    /// Whether the server did nothing for a reason that is not the client's: the client
    /// has to ask again.
    fn is_refusal(&self, _response: &Response<'_>) -> bool {
        false
    }

    /// The validator that the answer tells.
    fn tag<'a>(&self, _work: Work, response: &Response<'a>) -> Option<&'a [u8]> {
        response.etag
    }

    /// How many bytes of content one document takes in the answer to a GET.
    fn document_bytes(&self) -> RangeInclusive<usize> {
        DOCUMENT_BYTES..=DOCUMENT_BYTES
    }

    /// How many bytes of content one document takes in a list.
    fn item_bytes(&self) -> RangeInclusive<usize> {
        DOCUMENT_BYTES..=2 * DOCUMENT_BYTES
    }
}

/// A resource for each document, and answers without what was saved.
pub(crate) struct Plain;

impl Dialect for Plain {
    fn request(&self, ask: &Ask<'_>, wire: &mut Vec<u8>) {
        match ask.work {
            Work::List => list(wire, ask.host, ""),
            Work::Filter => list(wire, ask.host, &format!("&priority={}", ask.number)),
            _ => resource(ask, wire),
        }
    }

    fn status(&self, work: Work) -> u16 {
        match work {
            Work::Get | Work::List | Work::Filter => 200,
            Work::NotModified => 304,
            Work::Create => 201,
            Work::Put | Work::Patch => 204,
        }
    }
}

fn list(wire: &mut Vec<u8>, host: &str, filter: &str) {
    // Writing to a vector cannot fail.
    let _ = write!(
        wire,
        "GET /bench?_limit={PAGE_DOCUMENTS}{filter} HTTP/1.1\r\nHost: {host}\r\n\r\n"
    );
}

/// A request for one document at `/bench/{number}`.
fn resource(ask: &Ask<'_>, wire: &mut Vec<u8>) {
    head(wire, method(ask.work), ask.number, ask.host);
    condition(ask, wire);
    match ask.work {
        Work::Patch => content(wire, "application/merge-patch+json", ask.body),
        Work::Put | Work::Create => content(wire, "application/json", ask.body),
        _ => wire.extend_from_slice(b"\r\n"),
    }
}

pub(crate) fn method(work: Work) -> &'static str {
    match work {
        Work::Get | Work::NotModified | Work::List | Work::Filter => "GET",
        Work::Put | Work::Create => "PUT",
        Work::Patch => "PATCH",
    }
}

/// The precondition as a field of HTTP.
pub(crate) fn condition(ask: &Ask<'_>, wire: &mut Vec<u8>) {
    match ask.work {
        Work::Put | Work::Patch => field(wire, b"If-Match", ask.tag),
        Work::Create => field(wire, b"If-None-Match", b"*"),
        Work::NotModified => field(wire, b"If-None-Match", ask.tag),
        Work::Get | Work::List | Work::Filter => {}
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The request as text.
    pub(crate) fn asked(dialect: &dyn Dialect, work: Work) -> String {
        let mut wire = Vec::new();
        let ask = Ask {
            work,
            number: 7,
            host: "h",
            tag: b"\"t\"",
            body: b"{}",
        };
        dialect.request(&ask, &mut wire);
        String::from_utf8(wire).unwrap()
    }

    #[test]
    fn a_save_is_guarded_and_a_list_is_not() {
        let put = asked(&Plain, Work::Put);
        assert!(put.starts_with("PUT /bench/7 HTTP/1.1\r\nHost: h\r\nIf-Match: \"t\"\r\n"));
        assert!(put.ends_with("\r\n\r\n{}"));
        let create = asked(&Plain, Work::Create);
        assert!(create.contains("\r\nIf-None-Match: *\r\n"));
        let filter = asked(&Plain, Work::Filter);
        assert!(filter.starts_with("GET /bench?_limit=100&priority=7 HTTP/1.1\r\n"));
        assert!(filter.ends_with("h\r\n\r\n"));
    }
}
