//! What the collections hold that have a quota (guarantee 9).
//!
//! A collection is counted once, by the first batch that names a quota of it; from then on
//! each write keeps the count in the transaction that applies it (invariant 9 of the
//! schema), whether or not its batch names the quota. Collections without one cost a look
//! into a set that is mostly empty.

use std::collections::{HashMap, HashSet};

use matchbook_core::tag::Revision;
use rusqlite::{Connection, OptionalExtension, Row, Statement};

use super::row::number;
use crate::quota::Usage;
use crate::{Batch, Effect, Excess, Expected, Quota};

/// The counts, and the statements that read and write them.
pub(super) struct Counts<'c> {
    find: Statement<'c>,
    count: Statement<'c>,
    put: Statement<'c>,
    length: Statement<'c>,
    /// The collections that may have a row: those whose row was rolled back are in it too.
    counted: HashSet<Box<str>>,
}

/// What a batch comes to.
#[derive(Default)]
pub(super) struct Counted<'b> {
    /// The writes that are too much.
    pub(super) excesses: Vec<Excess>,
    changed: Vec<(&'b str, Usage)>,
}

/// A collection in the course of a batch.
struct Running<'b> {
    before: Usage,
    now: Usage,
    quota: Option<&'b Quota>,
}

impl<'c> Counts<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        let mut all = connection.prepare("SELECT collection FROM usage")?;
        let counted = all.query_map([], |row| row.get(0))?;
        Ok(Self {
            counted: counted.collect::<rusqlite::Result<_>>()?,
            find: connection.prepare("SELECT documents, bytes FROM usage WHERE collection = ?1")?,
            // In order of revision, so that the log is read from left to right.
            count: connection.prepare(
                "SELECT count(*), coalesce(sum(length(l.body)), 0) FROM ( \
                     SELECT revision FROM documents WHERE collection = ?1 \
                     ORDER BY revision LIMIT -1 \
                 ) d CROSS JOIN log l ON l.revision = d.revision",
            )?,
            put: connection.prepare("INSERT OR REPLACE INTO usage VALUES (?1, ?2, ?3)")?,
            length: connection.prepare("SELECT length(body) FROM log WHERE revision = ?1")?,
        })
    }

    /// Whether a batch has a quota, or changes what is counted.
    pub(super) fn concern(&self, batch: &Batch) -> bool {
        let is_counted = |collection: &str| self.counted.contains(collection);
        !batch.quotas.is_empty()
            || (!self.counted.is_empty()
                && batch
                    .writes
                    .iter()
                    .any(|write| is_counted(write.path.collection())))
    }

    /// What the writes of a batch come to, whose expectations hold and of which none is
    /// applied yet.
    pub(super) fn of<'b>(&mut self, batch: &'b Batch) -> rusqlite::Result<Counted<'b>> {
        let mut collections: HashMap<&str, Option<Running<'_>>> = HashMap::new();
        let mut excesses: Vec<Excess> = Vec::new();
        for (index, write) in batch.writes.iter().enumerate() {
            let collection = write.path.collection();
            if !collections.contains_key(collection) {
                collections.insert(collection, self.begin(batch, collection)?);
            }
            let Some(Some(running)) = collections.get_mut(collection) else {
                continue;
            };
            let is_left_out = |place| excesses.iter().any(|excess| excess.index == place);
            if matches!(write.expected, Expected::After(place) if is_left_out(place)) {
                continue;
            }
            let before = self.length_before(batch, write.expected)?;
            let next = running.now.with(before, length_after(&write.effect));
            let quota = running.quota;
            match quota.and_then(|quota| quota.exceeded(running.now, next)) {
                Some(measure) => excesses.push(Excess { index, measure }),
                None => running.now = next,
            }
        }
        let changed = collections.into_iter().filter_map(|(collection, running)| {
            let running = running?;
            (running.now != running.before).then_some((collection, running.now))
        });
        Ok(Counted {
            excesses,
            changed: changed.collect(),
        })
    }

    /// Writes down what collections hold after a batch that applies.
    pub(super) fn keep(&mut self, counted: Counted<'_>) -> rusqlite::Result<()> {
        for (collection, usage) in counted.changed {
            self.put(collection, usage)?;
        }
        Ok(())
    }

    /// How a collection stands; `None` where nobody wants to know.
    fn begin<'b>(
        &mut self,
        batch: &'b Batch,
        collection: &str,
    ) -> rusqlite::Result<Option<Running<'b>>> {
        let mut quotas = batch.quotas.iter();
        let quota = quotas.find(|quota| *quota.collection == *collection);
        if quota.is_none() && !self.counted.contains(collection) {
            return Ok(None);
        }
        let found = self.find.query_row([collection], usage).optional()?;
        let before = match (found, quota) {
            (Some(usage), _) => usage,
            (None, None) => return Ok(None),
            (None, Some(_)) => {
                let usage = self.count.query_row([collection], usage)?;
                self.put(collection, usage)?;
                self.counted.insert(collection.into());
                usage
            }
        };
        Ok(Some(Running {
            before,
            now: before,
            quota,
        }))
    }

    fn put(&mut self, collection: &str, usage: Usage) -> rusqlite::Result<()> {
        let [documents, bytes] =
            [usage.documents, usage.bytes].map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        self.put.execute((collection, documents, bytes)).map(drop)
    }

    /// The length of the body that a write takes the place of.
    fn length_before(
        &mut self,
        batch: &Batch,
        expected: Expected,
    ) -> rusqlite::Result<Option<u64>> {
        match expected {
            Expected::Absent => Ok(None),
            Expected::At(revision) => self.length_of(revision),
            Expected::After(place) => {
                let before = batch.writes.get(place);
                Ok(before.and_then(|write| length_after(&write.effect)))
            }
        }
    }

    fn length_of(&mut self, revision: Revision) -> rusqlite::Result<Option<u64>> {
        let length: Option<Option<i64>> = self
            .length
            .query_row([number(revision)], |row| row.get(0))
            .optional()?;
        Ok(length.flatten().and_then(|length| length.try_into().ok()))
    }
}

impl Usage {
    /// With a body of the one length in place of one of the other.
    fn with(self, before: Option<u64>, after: Option<u64>) -> Self {
        let one = |body: Option<u64>| u64::from(body.is_some());
        let documents = self.documents.saturating_sub(one(before));
        let bytes = self.bytes.saturating_sub(before.unwrap_or_default());
        Self {
            documents: documents.saturating_add(one(after)),
            bytes: bytes.saturating_add(after.unwrap_or_default()),
        }
    }
}

fn length_after(effect: &Effect) -> Option<u64> {
    effect.body().map(|body| body.len() as u64)
}

fn usage(row: &Row<'_>) -> rusqlite::Result<Usage> {
    let count = |column| {
        let number = row.get::<_, i64>(column);
        number.map(|number| u64::try_from(number).unwrap_or_default())
    };
    Ok(Usage {
        documents: count(0)?,
        bytes: count(1)?,
    })
}
