//! What a document is, as lists and feeds show it (contract §6, §7).
//!
//! JSON is shown itself, as it was sent: number spelling, member order and escapes are
//! kept. Of any other type only media type and length are told.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::clock::Timestamp;
use crate::field::media_type::MediaType;
use crate::json::compact;
use crate::json::text::quote_into;
use crate::name::DocumentPath;
use crate::query::Projection;
use crate::tag::Version;

/// The content of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// JSON text that [`check`](crate::json::check()) accepted, or a projection of one.
    Json(Cow<'a, str>),
    /// Any other type.
    Other {
        /// The media type, as it was sent.
        content_type: &'a str,
        /// The length in bytes.
        length_bytes: usize,
    },
}

/// Whether the white space between the tokens of a document is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As it was sent.
    Kept,
    /// Without what would end the line: where a line is an item or an event.
    OneLine,
}

impl<'a> Content<'a> {
    /// The content of a stored document.
    #[must_use]
    pub fn of(content_type: &'a str, body: &'a [u8]) -> Self {
        let is_json = MediaType::read(content_type).is_some_and(|media| media.is_json());
        match std::str::from_utf8(body) {
            Ok(text) if is_json => Self::Json(Cow::Borrowed(text)),
            _ => Self::Other {
                content_type,
                length_bytes: body.len(),
            },
        }
    }

    /// The text, if it is JSON: what filters look at.
    #[must_use]
    pub fn json(&self) -> Option<&str> {
        match self {
            Self::Json(text) => Some(text),
            Self::Other { .. } => None,
        }
    }

    /// What is shown of it where only some fields were asked for.
    #[must_use]
    pub fn shown(&self, fields: Option<&Projection>) -> Content<'_> {
        match (self, fields) {
            (Self::Json(text), Some(fields)) => {
                Content::Json(Cow::Owned(compact(&fields.apply(text))))
            }
            (Self::Json(text), None) => Content::Json(Cow::Borrowed(text)),
            (
                &Self::Other {
                    content_type,
                    length_bytes,
                },
                _,
            ) => Content::Other {
                content_type,
                length_bytes,
            },
        }
    }

    /// Appends `,"document":…`, or `,"contentType":…,"length":…`.
    pub(super) fn members_into(&self, json: &mut String, layout: Layout) {
        match self {
            Self::Json(text) => {
                json.push_str(",\"document\":");
                match layout {
                    Layout::Kept => json.push_str(text.trim_ascii()),
                    Layout::OneLine => one_line_into(json, text),
                }
            }
            Self::Other {
                content_type,
                length_bytes,
            } => {
                json.push_str(",\"contentType\":");
                quote_into(json, content_type);
                let _ = write!(json, ",\"length\":{length_bytes}");
            }
        }
    }
}

/// A document as an item of a list or of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// Its name.
    pub path: &'a DocumentPath,
    /// The write that made it so.
    pub version: Version,
    /// When that was.
    pub modified: Timestamp,
    /// What is shown of it.
    pub content: Content<'a>,
}

impl Item<'_> {
    /// Appends it as a JSON object: `path`, `etag`, `modified`, and the content.
    pub fn object_into(&self, json: &mut String, layout: Layout) {
        json.push('{');
        self.members_into(json, layout);
        json.push('}');
    }

    pub(super) fn members_into(&self, json: &mut String, layout: Layout) {
        path_into(json, self.path);
        tag_into(json, "etag", Some(self.version));
        modified_into(json, self.modified);
        self.content.members_into(json, layout);
    }
}

/// Appends `"path":…`, which is always the first member. A canonical path holds nothing
/// that a JSON string escapes.
pub(super) fn path_into(json: &mut String, path: &DocumentPath) {
    for part in ["\"path\":\"", path.as_str(), "\""] {
        json.push_str(part);
    }
}

/// Appends an entity tag with its quotes, ready for `If-Match` (contract §1).
pub(super) fn tag_into(json: &mut String, name: &str, version: Option<Version>) {
    for part in [",\"", name, "\":"] {
        json.push_str(part);
    }
    let Some(version) = version else {
        json.push_str("null");
        return;
    };
    for part in ["\"\\\"", version.text().opaque(), "\\\"\""] {
        json.push_str(part);
    }
}

/// Appends `,"modified":…`.
pub(super) fn modified_into(json: &mut String, modified: Timestamp) {
    // Writing to a string does not fail.
    let _ = write!(json, ",\"modified\":\"{modified}\"");
}

/// Appends JSON text without the line ends that stand between its tokens; inside of
/// strings they are always escaped (RFC 8259 §7).
pub(super) fn one_line_into(json: &mut String, text: &str) {
    let text = text.trim_ascii();
    let bytes = text.as_bytes();
    if bytes.contains(&b'\n') || bytes.contains(&b'\r') {
        json.push_str(&compact(text));
    } else {
        json.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Pointer;

    fn object(content: Content<'_>, layout: Layout) -> String {
        let path = DocumentPath::parse("/c/caf%C3%A9").unwrap();
        let item = Item {
            path: &path,
            version: "k3v4q2ab-17".parse().unwrap(),
            modified: Timestamp::from_millis(951_782_400_123),
            content,
        };
        let mut json = String::new();
        item.object_into(&mut json, layout);
        json
    }

    #[test]
    fn section_6_an_item_tells_name_tag_time_and_content() {
        const HEAD: &str = r#"{"path":"/c/caf%C3%A9","etag":"\"k3v4q2ab-17\"","modified":"2000-02-29T00:00:00.123Z","#;
        let json = "application/json; charset=utf-8";
        let spread = b" {\"b\" : 1.0,\r\n\"a\":[ 1e400 ]}\n";
        let cases: &[(&str, &[u8], Layout, &str)] = &[
            (json, b"{ }", Layout::OneLine, r#""document":{ }}"#),
            (
                json,
                spread,
                Layout::Kept,
                "\"document\":{\"b\" : 1.0,\r\n\"a\":[ 1e400 ]}}",
            ),
            (
                json,
                spread,
                Layout::OneLine,
                r#""document":{"b":1.0,"a":[1e400]}}"#,
            ),
            (
                "application/geo+JSON",
                b"1",
                Layout::Kept,
                r#""document":1}"#,
            ),
            (
                "text/plain",
                b"1",
                Layout::Kept,
                r#""contentType":"text/plain","length":1}"#,
            ),
            (
                "text/x; q=\"\\\"\"",
                b"",
                Layout::OneLine,
                r#""contentType":"text/x; q=\"\\\"\"","length":0}"#,
            ),
        ];
        for (content_type, body, layout, tail) in cases {
            let object = object(Content::of(content_type, body), *layout);
            assert_eq!(object, format!("{HEAD}{tail}"));
        }
    }

    #[test]
    fn section_6_only_the_fields_that_were_asked_for_are_shown() {
        let fields = Projection::new(&[Pointer::parse("/a").unwrap()]);
        let document = Content::of("application/json", b"{\n\"b\":1, \"a\": [ 1.0,\n2 ]}");
        let shown = document.shown(Some(&fields));
        assert_eq!(shown.json(), Some(r#"{"a":[1.0,2]}"#));
        assert_eq!(document.shown(None), document);
        let other = Content::of("image/png", b"{}");
        assert_eq!(other.shown(Some(&fields)), other);
        assert_eq!(other.json(), None);
    }
}
