//! One row of the log: its columns, its checksum, and how it becomes a document or an
//! entry.

use std::sync::Arc;

use bytes::Bytes;
use matchbook_core::clock::Timestamp;
use matchbook_core::field::media_type::MediaType;
use matchbook_core::name::DocumentPath;
use matchbook_core::tag::Revision;
use rusqlite::types::ValueRef;
use rusqlite::{Row, Statement, params};

use super::error::WRONG_PAGE;
use super::shared::Shared;
use crate::{Derived, Document, Effect, Entry, OperationId, ReadError};

/// The media type that is stored as NULL: nearly all documents have it.
pub(super) const JSON: &str = "application/json";

/// The columns that [`LogRow::read`] reads, in its order, of a table named `l`.
macro_rules! columns {
    () => {
        "l.revision, l.previous, l.kind, l.collection, l.id, l.operation, l.modified, \
         l.principal, l.content_type, l.checksum, l.patch, l.body"
    };
}
pub(super) use columns;

/// How many columns those are.
pub(super) const COLUMNS: usize = 12;

pub(super) const APPEND: &str =
    "INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// A row, borrowed from where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogRow<'a> {
    pub(super) revision: Revision,
    pub(super) previous: Option<Revision>,
    pub(super) collection: &'a str,
    pub(super) id: &'a str,
    pub(super) operation: OperationId,
    pub(super) modified: Timestamp,
    pub(super) principal: Option<&'a str>,
    pub(super) content: Option<Content<'a>>,
}

/// What a put stores; a deletion has none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content<'a> {
    /// `None`: [`JSON`].
    pub(super) content_type: Option<&'a str>,
    pub(super) patch: Option<&'a [u8]>,
    pub(super) body: &'a [u8],
}

/// The text of a document that is JSON, by its media type; none is [`JSON`].
pub(super) fn json<'a>(content_type: Option<&str>, body: &'a [u8]) -> Option<&'a str> {
    let is_json = content_type.is_none_or(|name| {
        name == JSON || MediaType::read(name).is_some_and(|media| media.is_json())
    });
    std::str::from_utf8(body).ok().filter(|_| is_json)
}

impl<'a> LogRow<'a> {
    /// The document's text, if it is JSON.
    pub(super) fn json(&self) -> Option<&'a str> {
        let content = self.content?;
        json(content.content_type, content.body)
    }

    /// Appends the row to the log.
    pub(super) fn append(&self, statement: &mut Statement<'_>) -> rusqlite::Result<()> {
        let content = self.content;
        statement
            .execute(params![
                number(self.revision),
                self.previous.map(number),
                i64::from(content.is_some()),
                self.collection,
                self.id,
                self.operation.0.to_be_bytes().as_slice(),
                i64::try_from(self.modified.as_millis()).unwrap_or(i64::MAX),
                self.principal,
                content.and_then(|content| content.content_type),
                i64::from(self.checksum()),
                content.and_then(|content| content.patch),
                content.map(|content| content.body),
            ])
            .map(drop)
    }

    /// Reads the row from the first columns of a result, and checks it (invariant 6
    /// of the schema).
    pub(super) fn read(row: &'a Row<'_>) -> Result<Self, ReadError> {
        let fields = Fields(row);
        let revision = fields
            .revision(0)?
            .ok_or_else(|| corrupt("a document's entry is not in the log"))?;
        let content = match (fields.number(2)?, fields.bytes(11)?) {
            (Some(1), Some(body)) => Some(Content {
                content_type: fields.text(8)?,
                patch: fields.bytes(10)?,
                body,
            }),
            (Some(0), None) => None,
            _ => return Err(corrupt_at(revision)),
        };
        let operation: Option<[u8; 16]> = fields.bytes(5)?.and_then(|id| id.try_into().ok());
        let row = Self {
            revision,
            previous: fields.revision(1)?,
            collection: fields.text(3)?.unwrap_or_default(),
            id: fields.text(4)?.unwrap_or_default(),
            operation: OperationId(operation.map_or(0, u128::from_be_bytes)),
            modified: Timestamp::from_millis(fields.unsigned(6)?.unwrap_or_default()),
            principal: fields.text(7)?,
            content,
        };
        if fields.number(9)? == Some(i64::from(row.checksum())) {
            Ok(row)
        } else {
            Err(corrupt_at(revision))
        }
    }

    /// Whether the row is about this document.
    pub(super) fn is_of(&self, path: &DocumentPath) -> bool {
        self.id == path.id() && self.collection == path.collection()
    }

    /// Bytes of what its content copies.
    pub(super) fn bytes(&self) -> usize {
        self.content.map_or(0, |content| {
            content.body.len() + content.patch.map_or(0, <[u8]>::len)
        })
    }

    /// The document that the row made; `None` for a deletion.
    pub(super) fn document(&self, shared: &Shared) -> Option<Document> {
        let content = self.content?;
        Some(Document {
            version: shared.history.version(self.revision),
            modified: self.modified,
            content_type: shared.content_type(content.content_type),
            body: Bytes::copy_from_slice(content.body),
            derived: Derived::default(),
        })
    }

    /// The name that the row has.
    pub(super) fn path(&self) -> Result<DocumentPath, ReadError> {
        let mut text = String::with_capacity(self.collection.len() + 1 + self.id.len());
        text.push_str(self.collection);
        text.push('/');
        text.push_str(self.id);
        DocumentPath::parse(&text).map_err(|_| corrupt_at(self.revision))
    }

    /// The row as an entry of the log.
    pub(super) fn entry(&self, shared: &Shared) -> Result<Entry, ReadError> {
        let effect = match self.content {
            None => Effect::Delete,
            Some(content) => Effect::Put {
                content_type: shared.content_type(content.content_type),
                body: Bytes::copy_from_slice(content.body),
                patch: content.patch.map(Bytes::copy_from_slice),
            },
        };
        Ok(Entry {
            version: shared.history.version(self.revision),
            operation: self.operation,
            path: self.path()?,
            previous: self
                .previous
                .map(|revision| shared.history.version(revision)),
            modified: self.modified,
            principal: self.principal.map(Arc::from),
            effect,
        })
    }

    fn checksum(&self) -> u32 {
        let mut sum = crc32fast::Hasher::new();
        let previous = self.previous.map_or(u64::MAX, Revision::get);
        sum.update(&self.revision.get().to_le_bytes());
        sum.update(&previous.to_le_bytes());
        sum.update(&self.modified.as_millis().to_le_bytes());
        sum.update(&self.operation.0.to_le_bytes());
        let content = self.content;
        let parts = [
            Some(self.collection.as_bytes()),
            Some(self.id.as_bytes()),
            self.principal.map(str::as_bytes),
            content
                .and_then(|content| content.content_type)
                .map(str::as_bytes),
            content.and_then(|content| content.patch),
            content.map(|content| content.body),
        ];
        // The lengths keep what is moved from one column to the next from going
        // unseen.
        for part in parts {
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            sum.update(&length.to_le_bytes());
            sum.update(part.unwrap_or_default());
        }
        sum.finalize()
    }
}

/// A result's columns, by their expected type.
struct Fields<'a, 'stmt>(&'a Row<'stmt>);

impl<'a> Fields<'a, '_> {
    fn value(&self, column: usize) -> Result<ValueRef<'a>, ReadError> {
        self.0.get_ref(column).map_err(|error| failed(&error))
    }

    fn number(&self, column: usize) -> Result<Option<i64>, ReadError> {
        match self.value(column)? {
            ValueRef::Integer(number) => Ok(Some(number)),
            ValueRef::Null => Ok(None),
            _ => Err(corrupt("a column holds a value of another type")),
        }
    }

    fn unsigned(&self, column: usize) -> Result<Option<u64>, ReadError> {
        let number = self.number(column)?.map(u64::try_from).transpose();
        number.map_err(|_| corrupt("a column holds a negative number"))
    }

    fn revision(&self, column: usize) -> Result<Option<Revision>, ReadError> {
        Ok(self.unsigned(column)?.and_then(Revision::new))
    }

    fn text(&self, column: usize) -> Result<Option<&'a str>, ReadError> {
        match self.value(column)? {
            ValueRef::Text(text) => std::str::from_utf8(text)
                .map(Some)
                .map_err(|_| corrupt("a column holds text that is not UTF-8")),
            ValueRef::Null => Ok(None),
            _ => Err(corrupt("a column holds a value of another type")),
        }
    }

    fn bytes(&self, column: usize) -> Result<Option<&'a [u8]>, ReadError> {
        match self.value(column)? {
            ValueRef::Blob(bytes) => Ok(Some(bytes)),
            ValueRef::Null => Ok(None),
            _ => Err(corrupt("a column holds a value of another type")),
        }
    }
}

/// A revision as SQLite takes it.
pub(super) fn number(revision: Revision) -> i64 {
    // Revision::MAX is what an i64 holds.
    i64::try_from(revision.get()).unwrap_or(i64::MAX)
}

/// A revision as SQLite gives it.
pub(super) fn revision(number: i64) -> Revision {
    u64::try_from(number)
        .ok()
        .and_then(Revision::new)
        .unwrap_or(Revision::ZERO)
}

pub(super) fn corrupt(what: &str) -> ReadError {
    ReadError::Corrupt(what.to_owned())
}

fn corrupt_at(revision: Revision) -> ReadError {
    ReadError::Corrupt(format!("entry {revision} is not what was written"))
}

/// What a reader makes of SQLite's error.
pub(super) fn failed(error: &rusqlite::Error) -> ReadError {
    if matchbook_pages::is_damage(error) {
        return corrupt(WRONG_PAGE);
    }
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
            ReadError::Corrupt(error.to_string())
        }
        _ => ReadError::Failed(error.to_string()),
    }
}
