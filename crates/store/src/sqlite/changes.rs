//! Reading the log, a piece at a time, of which only what is in a scope is copied.
//!
//! Each piece ends where a batch ends: first it is decided how far a piece goes at
//! most, then it is moved to the end of a batch, and again when the piece is full.

use std::sync::Arc;

use matchbook_core::name::is_own;
use matchbook_core::tag::{Revision, Version};
use rusqlite::Connection;

use super::read::{one, prepared, snapshot};
use super::row::{LogRow, columns, corrupt, failed, number, revision};
use super::shared::Shared;
use crate::{Changes, ChangesError, Entry, ReadError, Scope};

/// Entries that a piece passes over or takes: five to twenty milliseconds of a reader's
/// time, however few are in the scope.
pub(super) const EXAMINED: u64 = 16_384;

/// Bytes of bodies and patches after which a piece ends: what a reader holds in memory
/// at once.
const PIECE_BYTES: usize = 8 * 1_024 * 1_024;

/// What is to be read, as far as that is known without a look at the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// What comes after this.
    pub(super) from: Revision,
    /// Nothing in the scope comes after this and up to `last`.
    pub(super) reach: Revision,
    /// The position that readers may see; the end of a batch.
    pub(super) last: Revision,
    /// At least 1.
    pub(super) limit: usize,
}

impl Span {
    /// # Errors
    /// [`ChangesError`], if the position is none to go on from.
    pub(super) fn new(
        shared: &Shared,
        from: Version,
        scope: &Scope,
        limit: usize,
    ) -> Result<Self, ChangesError> {
        // Read before `touched`, where a write is noted before it is published: what is
        // noted there holds all up to here.
        let last = shared.applied();
        if from.revision > last || !shared.history.holds(from) {
            return Err(ChangesError::OtherHistory);
        }
        if from.revision < shared.horizon() {
            return Err(ChangesError::Compacted);
        }
        shared.tail.want(last);
        let touched = scope.collection().map(|name| shared.touched.get(name));
        Ok(Self {
            from: from.revision,
            reach: touched.map_or(last, |touched| touched.min(last)),
            last,
            limit: limit.max(1),
        })
    }

    /// Whether nothing in the scope was written.
    pub(super) fn is_empty(&self) -> bool {
        self.reach <= self.from
    }

    /// The piece that ends at `end`.
    pub(super) fn changes(
        &self,
        shared: &Shared,
        entries: Vec<Arc<Entry>>,
        end: Revision,
    ) -> Changes {
        Changes {
            entries,
            position: shared.history.version(end),
            more: end < self.last,
        }
    }

    /// Reads a piece from the disk.
    ///
    /// # Errors
    /// [`ChangesError`].
    pub(super) fn read(
        &self,
        connection: &Connection,
        shared: &Shared,
        scope: &Scope,
    ) -> Result<Changes, ChangesError> {
        // The columns behind the condition, and so the pages of a large body, are read
        // only where it holds.
        const BETWEEN: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM log AS l WHERE l.revision > ?1 AND l.revision <= ?2 \
             AND (?3 IS NULL OR l.collection = ?3) AND (?4 IS NULL OR l.id = ?4) \
             ORDER BY l.revision"
        );
        let _snapshot = snapshot(connection)?;
        if self.from < horizon(connection)? {
            return Err(ChangesError::Compacted);
        }
        let examined = Revision::new(self.from.get().saturating_add(EXAMINED));
        let mut end = self.end_at(connection, examined.unwrap_or(Revision::MAX))?;
        let id = match scope {
            Scope::Document(path) => Some(path.id()),
            Scope::Log | Scope::All | Scope::Collection(_) => None,
        };
        let mut between = prepared(connection, BETWEEN)?;
        let until = number(end.min(self.reach));
        let mut rows = between
            .query((number(self.from), until, scope.collection(), id))
            .map_err(|error| failed(&error))?;
        let mut entries = Vec::new();
        let (mut at, mut bytes, mut full) = (self.from, 0, false);
        while at < end
            && let Some(row) = rows.next().map_err(|error| failed(&error))?
        {
            let row = LogRow::read(row)?;
            // What followed in the batch was not in the scope.
            if row.revision > end {
                break;
            }
            at = row.revision;
            if *scope == Scope::All && is_own(row.collection) {
                continue;
            }
            bytes += row.bytes();
            entries.push(Arc::new(row.entry(shared)?));
            if !full && (entries.len() >= self.limit || bytes >= PIECE_BYTES) {
                full = true;
                end = self.end_at(connection, at)?;
            }
        }
        Ok(self.changes(shared, entries, end))
    }

    /// Where a piece ends that reaches to `at`: where the batch of this entry does.
    fn end_at(&self, connection: &Connection, at: Revision) -> Result<Revision, ReadError> {
        const FROM: &str =
            "SELECT revision, operation FROM log WHERE revision >= ?1 ORDER BY revision";
        if at >= self.reach {
            return Ok(self.last);
        }
        let mut from = prepared(connection, FROM)?;
        let mut rows = from.query([number(at)]).map_err(|error| failed(&error))?;
        let mut end = None;
        let mut operation = Vec::new();
        while let Some(row) = rows.next().map_err(|error| failed(&error))? {
            let column = |column| row.get_ref(column).map_err(|error| failed(&error));
            let found = column(1)?.as_bytes().unwrap_or_default();
            if end.is_none() {
                operation.extend_from_slice(found);
            } else if operation != found {
                break;
            }
            end = Some(revision(column(0)?.as_i64().unwrap_or_default()));
        }
        let end = end.ok_or_else(|| corrupt("the log ends before its end"))?;
        Ok(end.min(self.last))
    }
}

fn horizon(connection: &Connection) -> Result<Revision, ReadError> {
    let horizon = one(connection, "SELECT horizon FROM state", [], |row| {
        row.get(0).map_err(|error| failed(&error))
    })?;
    horizon
        .map(revision)
        .ok_or_else(|| corrupt("the table of the store's state is empty"))
}
