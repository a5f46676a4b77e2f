//! The file format: tables, the numbers that identify the file, and what always holds.
//!
//! The log is the store: bodies are appended to `log` in the order of their revisions,
//! so that writing fills pages from left to right, and `documents` is a small index to
//! the entry that each document stands at.
//!
//! Invariants, each kept by the writer's transactions:
//! 1. An entry's `revision` is its predecessor's and 1, and the entry with the largest
//!    one is never deleted. It is the applied position: written by the very insertion
//!    that it describes, so that the two cannot disagree after a crash.
//! 2. `documents` has a row for each document that exists, and none else; its
//!    `revision` is an entry of `log` with `kind` 1 and the same path.
//! 3. An entry's `previous` is the revision that `documents` held just before it. No
//!    two entries have the same one, so whoever drops an entry's `previous` drops only
//!    what that entry superseded.
//! 4. `epochs` has a row for each opening that could write, with the first revision
//!    that was free then, and one for the creation of the file, at 0. The epoch of a
//!    revision is the last row that is not later. Rows are never changed, but for an
//!    opening that wrote nothing, whose place its successor takes.
//! 5. `state.swept` <= `state.horizon` <= the applied position. Every entry after
//!    `horizon` is there; of the entries up to `swept`, deletions and what they and
//!    others superseded are gone.
//! 6. `log.checksum` covers all other columns of its row.
//! 7. Of each index that is wanted, `entries` has a row for each member of its collection
//!    whose id is not after `built` (for each, if that is NULL), and none else: its `key`
//!    is `matchbook_core::query::index_key` of the document. Where a key of a unique index
//!    is cut, another row, under the negative number, has the SHA-256 of the whole key, so
//!    that equal rows mean equal values.
//! 8. `indexes.duplicates` of a unique index counts the rows for a value in it but the
//!    first one of each value; none if they are of absent values.
//! 9. A row of `usage` holds the number of the collection's rows in `documents`, and the
//!    sum of the lengths of their bodies.
//! 10. Each page ends in a checksum of it and its number (`matchbook_pages`).
//!
//! With 1 and 4 no version is ever given twice, not even by a copy of the file that is
//! put back after more was written.

use std::path::Path;

use rusqlite::Connection;

use super::error::OpenError;

/// `application_id` of the file's header: `Mbk1`. Lets `file` and this program tell
/// it from other SQLite databases.
pub(super) const APPLICATION_ID: i32 = 0x4d_62_6b_31;

/// The version of the format that this program writes, in `user_version`.
pub(super) const FORMAT: i32 = 4;

/// The first version that this program reads: opening brings it to [`FORMAT`].
pub(super) const OLDEST_FORMAT: i32 = 1;

/// Bytes of a page. Measured against 8,192: a single commit dirties a page of each
/// table, so that twice the size writes 1.7 times the bytes, for a sixth more time on
/// the processor; in groups of 64 and more they are equal in time.
pub(super) const PAGE_BYTES: u32 = 4_096;
const _: () = assert!(PAGE_BYTES as usize == matchbook_pages::PAGE_BYTES);

const TABLES: &str = "
CREATE TABLE log (
    revision INTEGER PRIMARY KEY,
    previous INTEGER,               -- NULL: the document came into being
    kind INTEGER NOT NULL,          -- 1: put, 0: delete
    collection TEXT NOT NULL,       -- canonical, with its leading slash
    id TEXT NOT NULL,               -- canonical last segment
    operation BLOB NOT NULL,        -- 16 bytes: the commit that it was part of
    modified INTEGER NOT NULL,      -- milliseconds since 1970
    principal TEXT,
    content_type TEXT,              -- NULL: application/json
    checksum INTEGER NOT NULL,      -- CRC-32 of all the others
    patch BLOB,                     -- JSON Patch from previous to this, if smaller
    body BLOB                       -- as sent; NULL: a deletion
) STRICT;
CREATE TABLE documents (
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (collection, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE epochs (
    first_revision INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    horizon INTEGER NOT NULL,       -- changes can be told from here on
    swept INTEGER NOT NULL          -- entries up to here were looked at by trimming
) STRICT;
INSERT INTO state VALUES (1, 0, 0);
";

/// What version 2 added: what collections hold that have, or had, a quota.
const USAGE: &str = "
CREATE TABLE IF NOT EXISTS usage (
    collection TEXT PRIMARY KEY,
    documents INTEGER NOT NULL,
    bytes INTEGER NOT NULL          -- of their bodies
) STRICT, WITHOUT ROWID;
";

/// What version 3 added. Version 4 added no table, but the checksums of pages.
const INDEXES: &str = "
CREATE TABLE IF NOT EXISTS indexes (
    number INTEGER PRIMARY KEY,     -- whose the entries are
    collection TEXT NOT NULL,
    field TEXT NOT NULL,            -- a JSON Pointer
    is_unique INTEGER NOT NULL,
    is_wanted INTEGER NOT NULL,     -- 0: its entries are about to go, and then itself
    built TEXT,                     -- members up to this id have entries; NULL: all have
    duplicates INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS indexes_of_collection ON indexes (collection);
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER NOT NULL,
    key BLOB NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (number, key, id)
) STRICT, WITHOUT ROWID;
";

/// What a file's header says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Nothing was written yet.
    Empty,
    /// A store of this format version.
    Store(i32),
    /// A database of something else.
    Foreign,
}

impl Identity {
    /// Whether it is a store of a format that we read; not if nothing was written yet.
    pub(super) fn is_ours(self, file: &Path) -> Result<bool, OpenError> {
        let file = || file.to_owned();
        match self {
            Self::Store(OLDEST_FORMAT..=FORMAT) => Ok(true),
            Self::Empty => Ok(false),
            Self::Store(found) => Err(OpenError::UnknownFormat {
                file: file(),
                found,
            }),
            Self::Foreign => Err(OpenError::NotAStore { file: file() }),
        }
    }
}

/// Reads what the file is.
pub(super) fn identify(connection: &Connection) -> rusqlite::Result<Identity> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let application = number("application_id")?;
    let format = number("user_version")?;
    if application == APPLICATION_ID {
        return Ok(Identity::Store(format));
    }
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(if application == 0 && format == 0 && tables == 0 {
        Identity::Empty
    } else {
        Identity::Foreign
    })
}

/// Makes an empty file a store, in one transaction. `epoch` names its position 0.
pub(super) fn create(connection: &mut Connection, epoch: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.execute_batch(USAGE)?;
    transaction.execute_batch(INDEXES)?;
    transaction.execute("INSERT INTO epochs VALUES (0, ?1)", [epoch])?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Gives an older file the tables of this format, in one transaction. Its pages must have
/// checksums already.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(USAGE)?;
    transaction.execute_batch(INDEXES)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}
