//! Applying one batch within the writer's transaction (guarantees 2, 3 and 6).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use matchbook_core::json::Pointer;
use matchbook_core::name::DocumentPath;
use matchbook_core::tag::{Revision, Version};
use rusqlite::{Connection, OptionalExtension, Statement};

use super::entries::Entries;
use super::indexes::{Indexes, Known};
use super::row::{APPEND, Content, JSON, LogRow, number, revision};
use super::usage::{Counted, Counts};
use crate::{Batch, Effect, Excess, Expected, OperationId, Receipt, Rejection, Taken, Write};

/// The prepared statements of the writer.
pub(super) struct Statements<'c> {
    append: Statement<'c>,
    current: Statement<'c>,
    create: Statement<'c>,
    replace: Statement<'c>,
    remove: Statement<'c>,
    entries: Entries<'c>,
    savepoint: Savepoint<'c>,
    counts: Counts<'c>,
}

/// So that a batch that comes to nothing half-way leaves nothing.
struct Savepoint<'c> {
    set: Statement<'c>,
    undo: Statement<'c>,
    release: Statement<'c>,
}

/// What a batch came to.
#[derive(Debug)]
pub(super) enum Verdict {
    /// All of it applies.
    Applied(Applied),
    /// None of it does.
    Rejected(Vec<Rejection>),
    /// None of it does: these writes' documents would have values that others have.
    Taken(Vec<Taken>),
    /// Nor here: a collection would hold too much.
    Exceeded(Vec<Excess>),
}

/// What a batch that applies made.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// Of each write, and of the receipt behind the last.
    pub(super) places: Vec<Place>,
    /// The receipt's bytes.
    pub(super) receipt: Option<Bytes>,
}

/// Where a write stands in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) revision: Revision,
    /// What it took the place of.
    pub(super) previous: Option<Revision>,
}

/// Why a batch could be neither applied nor rejected. Nothing of the whole
/// transaction may be committed after that.
#[derive(Debug)]
pub(super) enum Fault {
    Sqlite(rusqlite::Error),
    /// The revisions are used up, or the index says one thing and then another.
    Inconsistent(&'static str),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl<'c> Statements<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            append: connection.prepare(APPEND)?,
            current: connection
                .prepare("SELECT revision FROM documents WHERE collection = ?1 AND id = ?2")?,
            create: connection
                .prepare("INSERT INTO documents VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?,
            replace: connection.prepare(
                "UPDATE documents SET revision = ?3 \
                 WHERE collection = ?1 AND id = ?2 AND revision = ?4",
            )?,
            remove: connection.prepare(
                "DELETE FROM documents WHERE collection = ?1 AND id = ?2 AND revision = ?3",
            )?,
            entries: Entries::prepare(connection)?,
            savepoint: Savepoint {
                set: connection.prepare("SAVEPOINT batch")?,
                undo: connection.prepare("ROLLBACK TO batch")?,
                release: connection.prepare("RELEASE batch")?,
            },
            counts: Counts::prepare(connection)?,
        })
    }

    /// What a piece of building an index needs.
    pub(super) const fn entries(&mut self) -> &mut Entries<'c> {
        &mut self.entries
    }

    /// Applies all of a batch or nothing; `last` is the last revision in use, and
    /// `version` names the epoch of a new one.
    pub(super) fn apply(
        &mut self,
        operation: OperationId,
        batch: &Batch,
        last: &mut Revision,
        indexes: &Indexes,
        version: impl Fn(Revision) -> Version,
    ) -> Result<Verdict, Fault> {
        let indexed = Indexed::by(batch, indexes);
        if is_single(batch) && !indexed.refuse() {
            return self.apply_indexed(operation, batch, last, &indexed, version);
        }
        self.savepoint.set.execute([])?;
        let verdict = self.apply_indexed(operation, batch, last, &indexed, version)?;
        if !matches!(verdict, Verdict::Applied(_)) {
            self.savepoint.undo.execute([])?;
        }
        self.savepoint.release.execute([])?;
        match verdict {
            Verdict::Rejected(unknown) if unknown.is_empty() => {
                let rejections = self.check(batch)?;
                if rejections.is_empty() {
                    return Err(Fault::Inconsistent("an expectation failed and then held"));
                }
                Ok(Verdict::Rejected(rejections))
            }
            verdict => Ok(verdict),
        }
    }

    /// As [`Self::apply`], but for what was done of a batch that comes to nothing; and if
    /// that was seen while it was done, without the rejections.
    fn apply_indexed(
        &mut self,
        operation: OperationId,
        batch: &Batch,
        last: &mut Revision,
        indexed: &Indexed<'_>,
        version: impl Fn(Revision) -> Version,
    ) -> Result<Verdict, Fault> {
        // The statement of each write checks what is expected of its document itself; where
        // something is counted, or only looked at, all must be known to hold before.
        let counts = self.counts.concern(batch);
        if counts || !batch.untouched.is_empty() || !is_coherent(batch) {
            let rejections = self.check(batch)?;
            if !rejections.is_empty() {
                return Ok(Verdict::Rejected(rejections));
            }
        }
        let counted = if counts {
            self.counts.of(batch)?
        } else {
            Counted::default()
        };
        // A value that is taken comes before a collection that is full (contract §3).
        if !counted.excesses.is_empty() && !indexed.refuse() {
            return Ok(Verdict::Exceeded(counted.excesses));
        }
        let mut next = *last;
        let mut applied = match self.write_all(operation, batch, &mut next, indexed)? {
            Verdict::Applied(applied) => applied,
            refused => return Ok(refused),
        };
        if !counted.excesses.is_empty() {
            return Ok(Verdict::Exceeded(counted.excesses));
        }
        if let Some(receipt) = &batch.receipt {
            next = following(next)?;
            let versions = applied.places.iter().map(|place| version(place.revision));
            let body = receipt.body(versions);
            applied.places.push(Place {
                revision: next,
                previous: None,
            });
            if !self.keep_receipt(operation, batch, receipt, &body, next)? {
                return Ok(Verdict::Rejected(Vec::new()));
            }
            applied.receipt = Some(body);
        }
        self.counts.keep(counted)?;
        *last = next;
        Ok(Verdict::Applied(applied))
    }

    /// Applies the writes of a batch, one after the other, up to the first whose expectation
    /// does not hold. `next` becomes the last revision of them.
    fn write_all(
        &mut self,
        operation: OperationId,
        batch: &Batch,
        next: &mut Revision,
        indexed: &Indexed<'_>,
    ) -> Result<Verdict, Fault> {
        let mut applied = Applied::default();
        let mut taken = Vec::new();
        let mut out = HashSet::new();
        for (index, write) in batch.writes.iter().enumerate() {
            *next = following(*next)?;
            let previous = standing(batch, &applied.places, write.expected);
            let place = Place {
                revision: *next,
                previous,
            };
            applied.places.push(place);
            if matches!(write.expected, Expected::After(before) if out.contains(&before)) {
                out.insert(index);
                continue;
            }
            if !self.point(write, previous, *next)? {
                return Ok(Verdict::Rejected(self.only_rejection(batch)?));
            }
            if let Some(known) = indexed.of(write)
                && let Some(field) = self.index(known, write, previous)?
            {
                let path = write.path.clone();
                taken.push(Taken { index, path, field });
                out.insert(index);
                continue;
            }
            row(operation, batch, write, *next, previous).append(&mut self.append)?;
        }
        Ok(if taken.is_empty() {
            Verdict::Applied(applied)
        } else {
            Verdict::Taken(taken)
        })
    }

    /// The rejection of the only write of a batch; none if there are more, which are to be
    /// looked at when all that was done is undone.
    fn only_rejection(&mut self, batch: &Batch) -> rusqlite::Result<Vec<Rejection>> {
        if is_single(batch) {
            self.check(batch)
        } else {
            Ok(Vec::new())
        }
    }

    /// Writes the document that tells what the batch made; false if there is one already.
    fn keep_receipt(
        &mut self,
        operation: OperationId,
        batch: &Batch,
        receipt: &Receipt,
        body: &Bytes,
        next: Revision,
    ) -> Result<bool, Fault> {
        let write = Write {
            path: receipt.path.clone(),
            expected: Expected::Absent,
            effect: Effect::Put {
                content_type: Receipt::CONTENT_TYPE.into(),
                body: body.clone(),
                patch: None,
            },
        };
        let is_first = self.point(&write, None, next)?;
        if is_first {
            row(operation, batch, &write, next, None).append(&mut self.append)?;
        }
        Ok(is_first)
    }

    /// Brings indexes up to date, unless the write gives its document a value that another
    /// has in this field.
    fn index(
        &mut self,
        known: &[Known],
        write: &Write,
        previous: Option<Revision>,
    ) -> rusqlite::Result<Option<Pointer>> {
        let id = write.path.id();
        let changes = self.entries.changes(known, write, previous)?;
        let taken = self.entries.taken(&changes, id)?;
        if taken.is_none() {
            self.entries.keep(&changes, id)?;
        }
        Ok(taken)
    }

    /// The expectations that do not hold.
    fn check(&mut self, batch: &Batch) -> rusqlite::Result<Vec<Rejection>> {
        let mut seen = HashMap::with_capacity(batch.writes.len());
        let mut rejections = Vec::new();
        for (index, write) in batch.writes.iter().enumerate() {
            let before = seen.insert(write.path.as_str(), index);
            let holds = match (write.expected, before) {
                (Expected::After(expected), Some(before)) => expected == before,
                (Expected::After(_), None) | (_, Some(_)) => false,
                (expected, None) => Expected::from(self.current(&write.path)?) == expected,
            };
            if !holds {
                let current = self.current(&write.path)?;
                rejections.push(Rejection { index, current });
            }
        }
        for (path, expected) in &batch.untouched {
            let current = self.current(path)?;
            if Expected::from(current) != *expected {
                let index = batch.writes.len();
                rejections.push(Rejection { index, current });
            }
        }
        if let Some(receipt) = &batch.receipt {
            let current = self.current(&receipt.path)?;
            if current.is_some() || seen.contains_key(receipt.path.as_str()) {
                let index = batch.writes.len();
                rejections.push(Rejection { index, current });
            }
        }
        Ok(rejections)
    }

    fn current(&mut self, path: &DocumentPath) -> rusqlite::Result<Option<Revision>> {
        let path = (path.collection(), path.id());
        let current: Option<i64> = self.current.query_row(path, |row| row.get(0)).optional()?;
        Ok(current.map(revision))
    }

    /// Lets the index point to the new entry, if the document stands at `expected`.
    fn point(
        &mut self,
        write: &Write,
        expected: Option<Revision>,
        next: Revision,
    ) -> rusqlite::Result<bool> {
        let (collection, id) = (write.path.collection(), write.path.id());
        let changed = match (&write.effect, expected) {
            (Effect::Put { .. }, None) => self.create.execute((collection, id, number(next)))?,
            (Effect::Put { .. }, Some(expected)) => {
                let parameters = (collection, id, number(next), number(expected));
                self.replace.execute(parameters)?
            }
            (Effect::Delete, Some(expected)) => {
                self.remove.execute((collection, id, number(expected)))?
            }
            (Effect::Delete, None) => usize::from(self.current(&write.path)?.is_none()),
        };
        Ok(changed == 1)
    }
}

/// The indexes of the collections that a batch writes to.
#[derive(Debug)]
struct Indexed<'a>(BTreeMap<&'a str, Arc<[Known]>>);

impl<'a> Indexed<'a> {
    fn by(batch: &'a Batch, indexes: &Indexes) -> Self {
        let mut all = BTreeMap::new();
        for write in &batch.writes {
            let collection = write.path.collection();
            if let Some(known) = indexes.of(collection) {
                all.insert(collection, known);
            }
        }
        Self(all)
    }

    fn of(&self, write: &Write) -> Option<&[Known]> {
        self.0.get(write.path.collection()).map(|known| &**known)
    }

    /// Whether any of them refuses values.
    fn refuse(&self) -> bool {
        let mut all = self.0.values().flat_map(|known| known.iter());
        all.any(Known::refuses)
    }
}

/// Whether a batch is one write, so that it changes nothing unless its expectation holds.
fn is_single(batch: &Batch) -> bool {
    batch.writes.len() == 1 && batch.receipt.is_none() && batch.untouched.is_empty()
}

/// Whether the writes of a batch expect of each other what they do: each knows of the one
/// before it to the same document, and of no other.
fn is_coherent(batch: &Batch) -> bool {
    if let [write] = &batch.writes[..] {
        return !matches!(write.expected, Expected::After(_));
    }
    let mut seen = HashMap::with_capacity(batch.writes.len());
    let mut writes = batch.writes.iter().enumerate();
    writes.all(
        |(index, write)| match (write.expected, seen.insert(write.path.as_str(), index)) {
            (Expected::After(expected), before) => before == Some(expected),
            (_, before) => before.is_none(),
        },
    )
}

fn following(revision: Revision) -> Result<Revision, Fault> {
    let next = revision.get().checked_add(1).and_then(Revision::new);
    next.ok_or(Fault::Inconsistent("the revisions are used up"))
}

/// The revision that an expectation means, when the writes before it have their places.
fn standing(batch: &Batch, places: &[Place], expected: Expected) -> Option<Revision> {
    match expected {
        Expected::Absent => None,
        Expected::At(revision) => Some(revision),
        Expected::After(index) => match batch.writes.get(index)?.effect {
            Effect::Put { .. } => places.get(index).map(|place| place.revision),
            Effect::Delete => None,
        },
    }
}

fn row<'a>(
    operation: OperationId,
    batch: &'a Batch,
    write: &'a Write,
    revision: Revision,
    previous: Option<Revision>,
) -> LogRow<'a> {
    let content = match &write.effect {
        Effect::Put {
            content_type,
            body,
            patch,
        } => Some(Content {
            content_type: Some(&**content_type).filter(|name| *name != JSON),
            patch: patch.as_deref(),
            body,
        }),
        Effect::Delete => None,
    };
    LogRow {
        revision,
        previous,
        collection: write.path.collection(),
        id: write.path.id(),
        operation,
        modified: batch.at,
        principal: batch.principal.as_deref(),
        content,
    }
}
