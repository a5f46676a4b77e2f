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

/// Entries looked at in a piece: about a millisecond, so that a commit that waits
/// behind it does not notice.
const PIECE_ENTRIES: i64 = 256;

/// How long a piece looks for what to drop: longer than usual, but what was superseded
/// may be anywhere, and each such page may have to come from a slow disk.
const PIECE_TIME: Duration = Duration::from_millis(2);

/// Bytes of bodies dropped in a piece: each page of a large body is freed by itself.
const PIECE_BYTES: i64 = 1_024 * 1_024;

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
    let mut next = connection.prepare_cached(
        "SELECT revision, previous, kind FROM log \
         WHERE revision > ?1 AND revision < ?2 ORDER BY revision LIMIT ?3",
    )?;
    let entries: Vec<(i64, Option<i64>, i64)> = next
        .query_map((swept, before, PIECE_ENTRIES), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut all = i64::try_from(entries.len()).unwrap_or(i64::MAX) < PIECE_ENTRIES;
    let mut drop = connection.prepare_cached(
        "DELETE FROM log WHERE revision = ?1 RETURNING coalesce(length(body), 0)",
    )?;
    let mut bytes = 0;
    for (revision, previous, kind) in entries {
        if bytes >= PIECE_BYTES || began.elapsed() >= PIECE_TIME {
            all = false;
            break;
        }
        let gone = [previous, (kind == 0).then_some(revision)];
        for revision in gone.into_iter().flatten() {
            let length: Option<i64> = drop.query_row([revision], |row| row.get(0)).optional()?;
            bytes += length.unwrap_or_default();
        }
        swept = revision;
    }
    connection
        .prepare_cached("UPDATE state SET swept = ?1")?
        .execute([swept])?;
    Ok(if all { Trimmed::All } else { Trimmed::Part })
}
