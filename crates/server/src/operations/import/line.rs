//! One line of an import: which document it is, and what becomes of that.

use std::sync::Arc;

use bytes::Bytes;
use matchbook_core::clock::Timestamp;
use matchbook_core::edit::{Before, Edit, Outcome as Edited};
use matchbook_core::field::media_type::MediaType;
use matchbook_core::json::{self, Pointer, select::select, text::unescape};
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::problem::{Kind, Problem};
use matchbook_store::{Document, Effect, Write};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::super::lines::Line;
use super::Asked;
use crate::collections::Rules;

/// How lines are read.
pub(super) struct Reading {
    into: CollectionPath,
    ids: Ids,
}

/// Where ids come from.
enum Ids {
    Made,
    In(Pointer),
    Paths,
}

/// A line that was read.
pub(super) struct Candidate {
    pub(super) number: u64,
    /// How many bytes of the file end with it.
    pub(super) end: u64,
    /// The document that it is, and its text; or why it is none.
    pub(super) document: Result<(DocumentPath, Bytes), NoDocument>,
}

/// Why a line is no document.
pub(super) enum NoDocument {
    /// It is the end of a list.
    Cursor,
    Because(String),
}

/// A line, and what stands where it is to go.
pub(super) struct Found {
    pub(super) candidate: Candidate,
    pub(super) current: Option<Arc<Document>>,
    /// Whether somebody follows the document.
    pub(super) followed: bool,
}

/// What becomes of a line.
pub(super) enum Outcome {
    Write {
        write: Write,
        /// Whether a document comes into being.
        is_new: bool,
    },
    /// It is there already, and equal.
    Same,
    Nothing,
    Refused(String),
}

/// A line of a list.
#[derive(Deserialize)]
struct Item<'a> {
    path: Option<String>,
    #[serde(borrow)]
    document: Option<&'a RawValue>,
    #[serde(borrow)]
    cursor: Option<&'a RawValue>,
}

impl Reading {
    pub(super) fn new(into: CollectionPath, asked: &Asked) -> Result<Self, Problem> {
        let ids = match &asked.id {
            _ if asked.items => Ids::Paths,
            None => Ids::Made,
            Some(id) => Ids::In(
                Pointer::parse(id).map_err(|_| Kind::Internal.because("the id makes no sense"))?,
            ),
        };
        Ok(Self { into, ids })
    }

    /// Which document a line is.
    pub(super) fn read(&self, line: Line) -> Candidate {
        let document = match line.text {
            Some(text) => self.named(&text),
            None => Err(NoDocument::Because("it is too long".to_owned())),
        };
        Candidate {
            number: line.number,
            end: line.end,
            document,
        }
    }

    fn named(&self, text: &Bytes) -> Result<(DocumentPath, Bytes), NoDocument> {
        let because = |why: String| NoDocument::Because(why);
        let id = match &self.ids {
            Ids::Made => Uuid::now_v7().to_string(),
            Ids::In(pointer) => id_in(text, pointer).map_err(because)?,
            Ids::Paths => return self.item(text),
        };
        let path = self.into.member(&id);
        let path = path.map_err(|fault| because(format!("the id '{id}': {fault}")))?;
        Ok((path, text.clone()))
    }

    fn item(&self, text: &Bytes) -> Result<(DocumentPath, Bytes), NoDocument> {
        let because = |why: &str| NoDocument::Because(why.to_owned());
        let item: Item<'_> = serde_json::from_slice(text)
            .map_err(|fault| because(&format!("this is no item of a list: {fault}")))?;
        let Some(path) = item.path else {
            return Err(match item.cursor {
                Some(_) => NoDocument::Cursor,
                None => because("there is no 'path'"),
            });
        };
        let document = item.document;
        let document = document.ok_or_else(|| because("there is no 'document'"))?;
        let path = DocumentPath::parse(&path)
            .and_then(|path| DocumentPath::parse(&format!("{}/{}", self.into, path.id())))
            .map_err(|fault| because(&format!("the path '{path}': {fault}")))?;
        Ok((path, text.slice_ref(document.get().as_bytes())))
    }
}

/// The string at this place, or the number as it is spelled there.
fn id_in(text: &Bytes, pointer: &Pointer) -> Result<String, String> {
    let text = json::check(text).map_err(|fault| fault.to_string())?;
    let raw = select(text, pointer.tokens());
    let raw = raw.ok_or_else(|| format!("there is no {pointer}"))?.trim();
    match raw.as_bytes().first() {
        Some(b'"') => Ok(unescape(raw).into_owned()),
        Some(b'-' | b'0'..=b'9') => Ok(raw.to_owned()),
        _ => Err(format!("{pointer} is neither a string nor a number")),
    }
}

/// How documents are saved.
pub(super) struct Saving {
    pub(super) rules: Option<Arc<Rules>>,
    pub(super) max_bytes: usize,
    pub(super) replace: bool,
    pub(super) at: Timestamp,
    pub(super) principal: String,
}

impl Saving {
    /// What becomes of a line.
    pub(super) fn save(&self, found: Found) -> Outcome {
        let Found {
            candidate,
            current,
            followed,
        } = found;
        let current = current.as_deref();
        let (path, text) = match candidate.document {
            Ok(document) => document,
            Err(NoDocument::Cursor) => return Outcome::Nothing,
            Err(NoDocument::Because(why)) => return Outcome::Refused(why),
        };
        match self.effect(&path, &text, current, followed) {
            Ok(None) => Outcome::Same,
            Ok(Some(effect)) => Outcome::Write {
                write: Write {
                    path,
                    expected: current.map(|document| document.version.revision).into(),
                    effect,
                },
                is_new: current.is_none(),
            },
            Err(problem) => Outcome::Refused(told(&problem)),
        }
    }

    /// `None`: it is so already.
    fn effect(
        &self,
        path: &DocumentPath,
        text: &Bytes,
        current: Option<&Document>,
        followed: bool,
    ) -> Result<Option<Effect>, Problem> {
        if text.len() > self.max_bytes {
            let most = self.max_bytes;
            return Err(Kind::ContentTooLarge.because(format!("at most {most} bytes are allowed")));
        }
        let content_type = MediaType::JSON.as_str();
        let edit = Edit::Replace {
            is_checked: false,
            content_type,
            is_json: true,
            followed,
        };
        let before = current.map(|document| Before {
            content_type: &document.content_type,
            body: &document.body,
        });
        let Edited::Changed { body, patch } = edit.apply(before, text, self.max_bytes)? else {
            return Ok(None);
        };
        if current.is_some() && !self.replace {
            let detail = format!("{path} is there already and differs: 'replace' overwrites it");
            return Err(Kind::Stale.because(detail));
        }
        let effect = Effect::Put {
            content_type: content_type.into(),
            body,
            patch,
        };
        let Some(rules) = &self.rules else {
            return Ok(Some(effect));
        };
        let before = current.map(|document| &document.body[..]);
        let (effect, _) = rules.apply(effect, before, self.at, &self.principal)?;
        Ok(Some(effect))
    }
}

fn told(problem: &Problem) -> String {
    match problem.errors.first() {
        Some(first) => format!("{}: {} {}", problem.detail, first.pointer, first.detail),
        None => problem.detail.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(asked: &str) -> Reading {
        let asked: Asked = serde_json::from_str(asked).unwrap();
        Reading::new(CollectionPath::parse("/c").unwrap(), &asked).unwrap()
    }

    fn read(reading: &Reading, text: &'static str) -> Result<(String, String), String> {
        let line = Line {
            number: 1,
            end: 0,
            text: Some(Bytes::from_static(text.as_bytes())),
        };
        match reading.read(line).document {
            Ok((path, text)) => Ok((path.to_string(), String::from_utf8(text.to_vec()).unwrap())),
            Err(NoDocument::Cursor) => Err("cursor".to_owned()),
            Err(NoDocument::Because(why)) => Err(why),
        }
    }

    fn is(path: &str, text: &str) -> Result<(String, String), String> {
        Ok((path.to_owned(), text.to_owned()))
    }

    #[test]
    fn ids_are_found_in_documents() {
        let by_id = reading(r#"{"collection":"/c","id":"/a/b"}"#);
        let string = r#"{"a": {"b": "\u00e9 1"}}"#;
        assert_eq!(read(&by_id, string), is("/c/%C3%A9%201", string));
        let number = r#"{"a":{"b":1.50}}"#;
        assert_eq!(read(&by_id, number), is("/c/1.50", number));
        for bad in [
            "{}",
            "nonsense",
            r#"{"a":{"b":null}}"#,
            r#"{"a":{"b":"x/y"}}"#,
            r#"{"a":{"b":""}}"#,
        ] {
            assert!(read(&by_id, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn items_keep_their_ids() {
        let items = reading(r#"{"collection":"/c","items":true}"#);
        let item = r#"{"path":"/other/a%20b","etag":"x","document":{"n": 1.0}}"#;
        assert_eq!(read(&items, item), is("/c/a%20b", r#"{"n": 1.0}"#));
        assert_eq!(read(&items, r#"{"cursor":"x"}"#), Err("cursor".to_owned()));
        for bad in [
            "{}",
            "[]",
            "1",
            r#"{"path":"/a/b"}"#,
            r#"{"path":"/a","document":1}"#,
            r#"{"document":1}"#,
        ] {
            assert!(read(&items, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn without_ids_each_line_is_a_new_document() {
        let made = reading(r#"{"collection":"/c"}"#);
        let (one, _) = read(&made, "1").unwrap();
        let (other, _) = read(&made, "1").unwrap();
        assert!(one.starts_with("/c/") && one != other);
    }
}
