//! Dropping what was superseded from the log, a piece at a time.
//!
//! Each entry before the horizon is looked at once, in order: the entry that it
//! superseded goes, and a deletion goes itself. What an entry after the horizon
//! superseded stays, so that the change it made can still be told as one from a
//! document to another.

use std::time::{Duration, Instant};

use matchbook_core::tag::Revision;
use rusqlite::{Connection, OptionalExtension};

use super::row::number;

/// How long a piece looks for what to drop: some hundred entries, in about the time of
/// a sync, so that a commit that waits behind it hardly notices. Entries are no measure,
/// as each may be on a page that has to come from a slow disk.
const PIECE_TIME: Duration = Duration::from_millis(2);

/// Bytes of bodies dropped in a piece: each page of a large body is freed by itself.
const PIECE_BYTES: i64 = 1_024 * 1_024;

/// Entries found at once.
const FOUND: i64 = 128;

/// How far a piece came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trimmed {
    All,
    Part,
}

/// Does one piece within the caller's transaction.
pub(super) fn piece(connection: &Connection, before: Revision) -> rusqlite::Result<Trimmed> {
    let began = Instant::now();
    let before = number(before);
    connection
        .prepare_cached("UPDATE state SET horizon = max(horizon, ?1)")?
        .execute([before])?;
    let mut swept: i64 = connection
        .prepare_cached("SELECT swept FROM state")?
        .query_row([], |row| row.get(0))?;
    let mut bytes = 0;
    let mut trimmed = Trimmed::Part;
    while trimmed == Trimmed::Part && bytes < PIECE_BYTES && began.elapsed() < PIECE_TIME {
        let found = find(connection, swept, before)?;
        if found.is_empty() {
            trimmed = Trimmed::All;
        }
        for entry in found {
            bytes += entry.clear(connection)?;
            swept = entry.revision;
            if bytes >= PIECE_BYTES || began.elapsed() >= PIECE_TIME {
                break;
            }
        }
    }
    connection
        .prepare_cached("UPDATE state SET swept = ?1")?
        .execute([swept])?;
    Ok(trimmed)
}

/// An entry before the horizon.
struct Old {
    revision: i64,
    previous: Option<i64>,
    is_deletion: bool,
}

fn find(connection: &Connection, swept: i64, before: i64) -> rusqlite::Result<Vec<Old>> {
    let mut next = connection.prepare_cached(
        "SELECT revision, previous, kind FROM log \
         WHERE revision > ?1 AND revision < ?2 ORDER BY revision LIMIT ?3",
    )?;
    let rows = next.query_map((swept, before, FOUND), |row| {
        Ok(Old {
            revision: row.get(0)?,
            previous: row.get(1)?,
            is_deletion: row.get::<_, i64>(2)? == 0,
        })
    })?;
    rows.collect()
}

impl Old {
    /// Drops what it superseded, and itself if it is a deletion; the bytes of bodies
    /// that went.
    fn clear(&self, connection: &Connection) -> rusqlite::Result<i64> {
        let mut drop = connection.prepare_cached(
            "DELETE FROM log WHERE revision = ?1 RETURNING coalesce(length(body), 0)",
        )?;
        let mut bytes = 0;
        let gone = [self.previous, self.is_deletion.then_some(self.revision)];
        for revision in gone.into_iter().flatten() {
            let length: Option<i64> = drop.query_row([revision], |row| row.get(0)).optional()?;
            bytes += length.unwrap_or_default();
        }
        Ok(bytes)
    }
}
