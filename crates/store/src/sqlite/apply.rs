//! Applying one batch within the writer's transaction (guarantees 2, 3 and 6).

use std::collections::HashSet;

use matchbook_core::tag::Revision;
use rusqlite::{Connection, OptionalExtension, Statement};

use super::row::{APPEND, Content, JSON, LogRow, number, revision};
use crate::{Batch, Effect, OperationId, Rejection, Write};

/// The prepared statements of the writer.
pub(super) struct Statements<'c> {
    append: Statement<'c>,
    current: Statement<'c>,
    create: Statement<'c>,
    replace: Statement<'c>,
    remove: Statement<'c>,
}

/// What a batch came to.
#[derive(Debug)]
pub(super) enum Verdict {
    /// All of it applies, under these revisions.
    Applied(Vec<Revision>),
    /// None of it does.
    Rejected(Vec<Rejection>),
}

impl Verdict {
    /// The revisions of what applies.
    pub(super) fn revisions(&self) -> &[Revision] {
        match self {
            Self::Applied(revisions) => revisions,
            Self::Rejected(_) => &[],
        }
    }
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
        })
    }

    /// Applies all of a batch or nothing; `last` is the last revision in use.
    pub(super) fn apply(
        &mut self,
        operation: OperationId,
        batch: &Batch,
        last: &mut Revision,
    ) -> Result<Verdict, Fault> {
        // The statement of a single write checks its expectation itself; several must
        // all be known to hold before the first is applied.
        let single = batch.writes.len() == 1;
        if !single {
            let rejections = self.check(batch)?;
            if !rejections.is_empty() {
                return Ok(Verdict::Rejected(rejections));
            }
        }
        let mut revisions = Vec::with_capacity(batch.writes.len());
        let mut next = *last;
        for write in &batch.writes {
            next = next
                .get()
                .checked_add(1)
                .and_then(Revision::new)
                .ok_or(Fault::Inconsistent("the revisions are used up"))?;
            if !self.point(write, next)? {
                if single {
                    let current = self.current(write)?;
                    return Ok(Verdict::Rejected(vec![Rejection { index: 0, current }]));
                }
                return Err(Fault::Inconsistent("an expectation held and then did not"));
            }
            row(operation, batch, write, next).append(&mut self.append)?;
            revisions.push(next);
        }
        *last = next;
        Ok(Verdict::Applied(revisions))
    }

    /// The writes whose expectation does not hold. A path that comes a second time
    /// cannot stand at what its writer saw.
    fn check(&mut self, batch: &Batch) -> rusqlite::Result<Vec<Rejection>> {
        let mut seen = HashSet::with_capacity(batch.writes.len());
        let mut rejections = Vec::new();
        for (index, write) in batch.writes.iter().enumerate() {
            let current = self.current(write)?;
            if current != write.expected || !seen.insert(write.path.as_str()) {
                rejections.push(Rejection { index, current });
            }
        }
        Ok(rejections)
    }

    fn current(&mut self, write: &Write) -> rusqlite::Result<Option<Revision>> {
        let path = (write.path.collection(), write.path.id());
        let current: Option<i64> = self.current.query_row(path, |row| row.get(0)).optional()?;
        Ok(current.map(revision))
    }

    /// Lets the index point to the new entry, if the document stands at what is
    /// expected.
    fn point(&mut self, write: &Write, next: Revision) -> rusqlite::Result<bool> {
        let (collection, id) = (write.path.collection(), write.path.id());
        let changed = match (&write.effect, write.expected) {
            (Effect::Put { .. }, None) => self.create.execute((collection, id, number(next)))?,
            (Effect::Put { .. }, Some(expected)) => {
                let parameters = (collection, id, number(next), number(expected));
                self.replace.execute(parameters)?
            }
            (Effect::Delete, Some(expected)) => {
                self.remove.execute((collection, id, number(expected)))?
            }
            (Effect::Delete, None) => usize::from(self.current(write)?.is_none()),
        };
        Ok(changed == 1)
    }
}

fn row<'a>(
    operation: OperationId,
    batch: &'a Batch,
    write: &'a Write,
    revision: Revision,
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
        previous: write.expected,
        collection: write.path.collection(),
        id: write.path.id(),
        operation,
        modified: batch.at,
        principal: batch.principal.as_deref(),
        content,
    }
}
