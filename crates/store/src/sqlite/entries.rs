//! Keeping the entries of indexes as the documents are, within the writer's transaction
//! (invariants 7 and 8 of the schema).
//!
//! Which value a document had before is read from the log, so that what is written depends
//! on the state of the store alone.

use matchbook_core::json::Pointer;
use matchbook_core::json::key::{Kind, key, kind};
use matchbook_core::json::select::select;
use matchbook_core::limits::SORT_KEY_BYTES;
use matchbook_core::query::index_key;
use matchbook_core::tag::Revision;
use rusqlite::{Connection, Statement};
use sha2::{Digest, Sha256};

use super::indexes::Known;
use super::row::{LogRow, columns, json, number};
use crate::{Effect, Index, Write};

/// Where a document stands in an index.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Standing {
    key: Vec<u8>,
    /// In a unique index, what a key that is cut was cut from.
    whole: Option<[u8; 32]>,
}

impl Standing {
    /// The standing of a document. `None` is one that is not JSON: it has no fields.
    pub(super) fn of(index: &Index, json: Option<&str>) -> Self {
        let key = index_key(&index.field, json);
        let is_cut = index.unique && key.len() >= SORT_KEY_BYTES;
        let whole = is_cut.then(|| whole_key(index, json)).flatten();
        Self { key, whole }
    }

    /// Whether it stands there for a value.
    fn is_value(&self) -> bool {
        kind(&self.key) != Kind::Absent
    }

    /// The rows whose equality means equal values: the index's number, and the key.
    fn exactly(&self, number: i64) -> (i64, &[u8]) {
        match &self.whole {
            Some(whole) => (-number, whole),
            None => (number, &self.key),
        }
    }
}

/// The hash of a key that is longer than an index holds.
fn whole_key(index: &Index, json: Option<&str>) -> Option<[u8; 32]> {
    let raw = select(json?, index.field.tokens());
    let whole = key(raw, usize::MAX);
    (whole.len() > SORT_KEY_BYTES).then(|| Sha256::digest(&whole).into())
}

/// What a write makes of the entries of one index.
pub(super) struct Change<'k> {
    known: &'k Known,
    /// Where the document stood; `Err` if that can no longer be read.
    old: Result<Option<Standing>, Unreadable>,
    new: Option<Standing>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unreadable;

/// The statements on entries.
pub(super) struct Entries<'c> {
    insert: Statement<'c>,
    delete: Statement<'c>,
    forget: Statement<'c>,
    another: Statement<'c>,
    count: Statement<'c>,
    document: Statement<'c>,
}

impl<'c> Entries<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        const DOCUMENT: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM log AS l WHERE l.revision = ?1"
        );
        Ok(Self {
            insert: connection
                .prepare("INSERT INTO entries VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?,
            delete: connection
                .prepare("DELETE FROM entries WHERE number = ?1 AND key = ?2 AND id = ?3")?,
            forget: connection
                .prepare("DELETE FROM entries WHERE number IN (?1, -?1) AND id = ?2")?,
            another: connection.prepare(
                "SELECT 1 FROM entries WHERE number = ?1 AND key = ?2 AND id <> ?3 LIMIT 1",
            )?,
            count: connection
                .prepare("UPDATE indexes SET duplicates = duplicates + ?2 WHERE number = ?1")?,
            document: connection.prepare(DOCUMENT)?,
        })
    }

    /// What a write that takes the place of `previous` makes of the entries.
    pub(super) fn changes<'k>(
        &mut self,
        indexes: &'k [Known],
        write: &Write,
        previous: Option<Revision>,
    ) -> rusqlite::Result<Vec<Change<'k>>> {
        let id = write.path.id();
        let covering = || indexes.iter().filter(|known| known.covers(id));
        let mut old: Vec<_> = covering().map(|_| Ok(None)).collect();
        if let Some(previous) = previous {
            old = self.standings(covering(), previous)?;
        }
        let after = match &write.effect {
            Effect::Delete => None,
            Effect::Put {
                content_type, body, ..
            } => Some(json(Some(content_type), body)),
        };
        let changes = covering().zip(old).map(|(known, old)| Change {
            known,
            old,
            new: after.map(|json| Standing::of(&known.index, json)),
        });
        let differ = |change: &Change<'_>| change.old.as_ref() != Ok(&change.new);
        Ok(changes.filter(differ).collect())
    }

    /// The field in which another member has the value, if a unique index refuses one.
    pub(super) fn taken(
        &mut self,
        changes: &[Change<'_>],
        id: &str,
    ) -> rusqlite::Result<Option<Pointer>> {
        for Change { known, new, .. } in changes {
            if let Some(new) = new
                && known.refuses()
                && self.is_with_another(known, new, id)?
            {
                return Ok(Some(known.index.field.clone()));
            }
        }
        Ok(None)
    }

    /// Brings the entries up to date.
    pub(super) fn keep(&mut self, changes: &[Change<'_>], id: &str) -> rusqlite::Result<()> {
        for Change { known, old, new } in changes {
            match old {
                Ok(Some(old)) => self.remove(known, old, id)?,
                Ok(None) => {}
                Err(Unreadable) => drop(self.forget.execute((known.number, id))?),
            }
            if let Some(new) = new {
                self.add(known, new, id)?;
            }
        }
        Ok(())
    }

    /// Adds an entry, and counts it if another member has an equal value.
    pub(super) fn add(
        &mut self,
        known: &Known,
        standing: &Standing,
        id: &str,
    ) -> rusqlite::Result<()> {
        if !known.refuses() && self.is_with_another(known, standing, id)? {
            self.count.execute((known.number, 1))?;
        }
        self.insert.execute((known.number, &standing.key, id))?;
        if let Some(whole) = &standing.whole {
            self.insert.execute((-known.number, whole.as_slice(), id))?;
        }
        Ok(())
    }

    fn remove(&mut self, known: &Known, standing: &Standing, id: &str) -> rusqlite::Result<()> {
        if self.is_with_another(known, standing, id)? {
            self.count.execute((known.number, -1))?;
        }
        self.delete.execute((known.number, &standing.key, id))?;
        if let Some(whole) = &standing.whole {
            self.delete.execute((-known.number, whole.as_slice(), id))?;
        }
        Ok(())
    }

    /// Whether another member has an equal value in a unique index.
    fn is_with_another(
        &mut self,
        known: &Known,
        standing: &Standing,
        id: &str,
    ) -> rusqlite::Result<bool> {
        if !known.index.unique || !standing.is_value() {
            return Ok(false);
        }
        let (number, key) = standing.exactly(known.number);
        self.another.exists((number, key, id))
    }

    /// Where the document that an entry of the log made stands.
    fn standings<'k>(
        &mut self,
        indexes: impl Iterator<Item = &'k Known>,
        revision: Revision,
    ) -> rusqlite::Result<Vec<Result<Option<Standing>, Unreadable>>> {
        let mut rows = self.document.query([number(revision)])?;
        let row = rows.next()?.and_then(|row| LogRow::read(row).ok());
        let standings = indexes.map(|known| match &row {
            Some(row) => Ok(Some(Standing::of(&known.index, row.json()))),
            None => Err(Unreadable),
        });
        Ok(standings.collect())
    }
}
