//! What the events of a change feed say (contract §7).

use std::fmt;

use matchbook_core::name::DocumentPath;
use matchbook_core::tag::Version;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::parser::Event;

/// What a reader is told.
#[derive(Debug)]
pub(crate) enum Told<'a> {
    /// What it holds changes.
    Change(Change<'a>),
    /// All up to here was sent.
    Synced,
    /// Drop what is held; a snapshot follows.
    Reset(String),
    /// The server closes the stream.
    End(String),
    /// Nothing that this client knows, or nothing to know.
    Nothing,
}

/// One change of what a reader holds.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub(crate) path: DocumentPath,
    /// When, as the server wrote it.
    pub(crate) modified: Option<String>,
    pub(crate) kind: Kind<'a>,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Kind<'a> {
    /// Hold this.
    Put {
        etag: Version,
        /// How it came about.
        origin: Origin,
        content: Content<'a>,
    },
    /// Apply this to the version `previous`.
    Patch {
        etag: Version,
        previous: Version,
        patch: &'a str,
    },
    /// It is no more.
    Delete { previous: Version },
    /// It no longer belongs to what was asked for.
    Leave { previous: Version },
}

/// Why a document is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is part of a snapshot.
    Found,
    /// It came into being.
    Created,
    /// It took the place of another version.
    Replaced,
    /// It newly matches a live query.
    Entered,
}

/// What a document is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    Json(&'a str),
    Other {
        content_type: String,
        length_bytes: u64,
    },
}

/// The data of an event is not what the contract says.
#[derive(Debug)]
pub(crate) struct NotTold(String);

impl fmt::Display for NotTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the stream is none of Matchbook's: {}", self.0)
    }
}

/// The members of all events.
#[derive(Deserialize)]
struct Members<'a> {
    path: Option<String>,
    etag: Option<String>,
    /// The outer is whether it is there, the inner whether it is null.
    #[serde(default, deserialize_with = "present")]
    previous: Option<Option<String>>,
    modified: Option<String>,
    /// `null` is a document.
    #[serde(default, borrow, deserialize_with = "present")]
    document: Option<&'a RawValue>,
    #[serde(rename = "contentType")]
    content_type: Option<String>,
    length: Option<u64>,
    #[serde(default, borrow, deserialize_with = "present")]
    patch: Option<&'a RawValue>,
    #[serde(default)]
    entered: bool,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct More {
    #[serde(default)]
    more: bool,
}

/// What is there, `null` included.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    reader: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(reader).map(Some)
}

impl Event {
    /// What the event says.
    ///
    /// # Errors
    /// It is not of the form that the contract gives it.
    pub(crate) fn told(&self) -> Result<Told<'_>, NotTold> {
        let fault = |why: &dyn fmt::Display| NotTold(format!("'{}': {why}", self.name));
        let members = || -> Result<Members<'_>, NotTold> {
            serde_json::from_str(&self.data).map_err(|error| fault(&error))
        };
        Ok(match self.name.as_str() {
            "put" | "patch" | "delete" | "leave" => {
                let change = members()?.change(&self.name);
                Told::Change(change.map_err(|why| fault(&why))?)
            }
            "synced" => Told::Synced,
            "reset" => Told::Reset(members()?.reason),
            "end" => Told::End(members()?.reason),
            _ => Told::Nothing,
        })
    }

    /// Whether more events of the same batch follow (contract §7.5).
    pub(crate) fn has_more(&self) -> bool {
        // It is the last member, and most events have none.
        self.data.ends_with("\"more\":true}")
            && serde_json::from_str(&self.data).is_ok_and(|More { more }| more)
    }
}

impl<'a> Members<'a> {
    fn change(self, event: &str) -> Result<Change<'a>, &'static str> {
        let path = self.path.as_deref().ok_or("no 'path'")?;
        let path = DocumentPath::parse(path).map_err(|_| "'path' is no document's")?;
        let etag = || self.etag.as_deref().and_then(version).ok_or("no 'etag'");
        let previous = self.previous.as_ref();
        let is_new = previous.is_some_and(Option::is_none);
        let previous = previous.map(|tag| tag.as_deref().and_then(version));
        let is_put_in_place = previous.is_some();
        let previous = previous.flatten().ok_or("no 'previous'");
        let kind = match event {
            "put" => Kind::Put {
                etag: etag()?,
                origin: match () {
                    () if self.entered => Origin::Entered,
                    () if is_new => Origin::Created,
                    () if is_put_in_place => Origin::Replaced,
                    () => Origin::Found,
                },
                content: match (self.document, self.content_type) {
                    (Some(document), _) => Content::Json(document.get()),
                    (None, Some(content_type)) => Content::Other {
                        content_type,
                        length_bytes: self.length.unwrap_or_default(),
                    },
                    (None, None) => return Err("no 'document'"),
                },
            },
            "patch" => Kind::Patch {
                etag: etag()?,
                previous: previous?,
                patch: self.patch.ok_or("no 'patch'")?.get(),
            },
            "delete" => Kind::Delete {
                previous: previous?,
            },
            _ => Kind::Leave {
                previous: previous?,
            },
        };
        Ok(Change {
            path,
            modified: self.modified,
            kind,
        })
    }
}

/// The version that an entity tag names.
pub(crate) fn version(tag: &str) -> Option<Version> {
    let opaque = tag.strip_prefix('"')?.strip_suffix('"')?;
    opaque.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str) -> Event {
        Event {
            name: name.to_owned(),
            id: "a".into(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn section_7_changes_are_read() {
        let head = r#""path":"/c/1","etag":"\"aaaaaaaa-7\"","modified":"m""#;
        let cases = [
            (
                "put",
                format!(r#"{{{head},"document":{{ "x":1.0 }}}}"#),
                "origin: Found, content: Json(\"{ \\\"x\\\":1.0 }\") }",
            ),
            (
                "put",
                format!(r#"{{{head},"previous":null,"document":1}}"#),
                "origin: Created",
            ),
            (
                "put",
                format!(r#"{{{head},"previous":"\"aaaaaaaa-3\"","document":1}}"#),
                "origin: Replaced",
            ),
            (
                "put",
                format!(r#"{{{head},"previous":null,"document":1,"entered":true}}"#),
                "origin: Entered",
            ),
            (
                "put",
                format!(r#"{{{head},"document":null}}"#),
                "Json(\"null\")",
            ),
            (
                "put",
                format!(r#"{{{head},"contentType":"text/plain","length":5}}"#),
                "Other { content_type: \"text/plain\", length_bytes: 5 }",
            ),
            (
                "patch",
                format!(r#"{{{head},"previous":"\"aaaaaaaa-3\"","patch":[]}}"#),
                "patch: \"[]\"",
            ),
            (
                "delete",
                r#"{"path":"/c/1","previous":"\"aaaaaaaa-3\"","modified":"m"}"#.to_owned(),
                "Delete { previous",
            ),
            (
                "leave",
                r#"{"path":"/c/1","previous":"\"aaaaaaaa-3\""}"#.to_owned(),
                "Leave { previous",
            ),
        ];
        for (name, data, expected) in cases {
            let event = event(name, &data);
            let Ok(Told::Change(change)) = event.told() else {
                panic!("{data}");
            };
            assert_eq!(change.path.as_str(), "/c/1");
            let kind = format!("{:?}", change.kind);
            assert!(kind.contains(expected), "{kind}");
        }
    }

    #[test]
    fn section_7_what_is_said_about_the_feed_is_read() {
        let told = |name, data| format!("{:?}", event(name, data).told().unwrap());
        assert_eq!(told("synced", r#"{"cursor":"a"}"#), "Synced");
        assert_eq!(
            told("reset", r#"{"reason":"too-old"}"#),
            "Reset(\"too-old\")"
        );
        assert_eq!(told("end", r#"{"reason":"slow"}"#), "End(\"slow\")");
        assert_eq!(told("heartbeat", "{}"), "Nothing");
        assert_eq!(told("later", "?"), "Nothing");
    }

    #[test]
    fn what_is_not_of_the_contract_is_an_error() {
        let cases = [
            ("put", "", "EOF"),
            ("put", "{}", "no 'path'"),
            ("put", r#"{"path":"/c"}"#, "'path'"),
            ("put", r#"{"path":"/c/../x"}"#, "'path'"),
            ("put", r#"{"path":"/c/1"}"#, "no 'etag'"),
            ("put", r#"{"path":"/c/1","etag":"aaaaaaaa-7"}"#, "no 'etag'"),
            (
                "put",
                r#"{"path":"/c/1","etag":"\"aaaaaaaa-7\""}"#,
                "no 'document'",
            ),
            (
                "patch",
                r#"{"path":"/c/1","etag":"\"aaaaaaaa-7\""}"#,
                "no 'previous'",
            ),
            (
                "delete",
                r#"{"path":"/c/1","previous":null}"#,
                "no 'previous'",
            ),
        ];
        for (name, data, expected) in cases {
            let error = event(name, data).told().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn section_7_5_more_is_a_member_and_nothing_inside_of_one() {
        let cases = [
            (r#"{"path":"/c/1","more":true}"#, true),
            (r#"{"path":"/c/1","document":{"more":true}}"#, false),
            (r#"{"path":"/c/1","document":"\"more\":true}"}"#, false),
            (r#"{"path":"/c/1"}"#, false),
        ];
        for (data, expected) in cases {
            assert_eq!(event("put", data).has_more(), expected, "{data}");
        }
    }
}
