//! The thread that writes: all commits pass through it, in groups that share one
//! sync.
//!
//! A group's life: its batches are applied in order within one transaction, the
//! transaction is committed (that is the sync), the documents in memory are replaced,
//! the position is published, and only then is each commit answered. Rejections wait
//! for the commit too: what they tell may be the work of a predecessor in the group.
//!
//! When something fails before the commit, or the disk is full, nothing was applied:
//! the transaction is rolled back and each batch is tried on its own, so that one bad
//! batch takes no other with it. When the commit itself fails, its fate is unknown and
//! nothing is written again (guarantee 7).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::tag::{Revision, Version};
use rusqlite::{Connection, ErrorCode, Statement};
use tokio::sync::{mpsc, oneshot};

use super::apply::{Applied, Fault, Place, Statements, Verdict};
use super::build;
use super::checkpoint::{WalKeeper, count_free};
use super::error::WRONG_PAGE;
use super::shared::Shared;
use super::trim::{self, Trimmed};
use crate::{
    Batch, Built, CommitError, Derived, Document, Effect, Entry, Index, OperationId, Receipt,
};

/// Commits that wait for the writer. More wait for a place here, which bounds nothing
/// but the queue: their bodies are in memory already.
pub(super) const QUEUE: usize = 1_024;

/// Writes that share one sync. More would gain little, as the sync is then a small
/// part of the whole, and let the first wait longer.
const GROUP_WRITES: usize = 1_024;

/// Bytes of bodies that share one sync: about what the disk takes in the time of a
/// few syncs.
const GROUP_BYTES: usize = 4 * 1_024 * 1_024;

/// Where the answer to who asked goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, CommitError>>;

/// What the writer is asked to do.
pub(super) enum Job {
    Commit(Commit),
    /// One piece of trimming up to the revision; answers how long it took.
    Trim(Revision, Reply<(Trimmed, Duration)>),
    /// To change which indexes a collection is to have.
    Alter(CollectionPath, [Vec<Index>; 2], Reply<()>),
    /// One piece of the work on a collection's indexes; answers how long it took.
    Build(CollectionPath, Reply<(Built, Duration)>),
    /// To take no more, and to end when the queue is empty.
    Close,
}

/// A commit and who waits for it.
pub(super) struct Commit {
    pub(super) operation: OperationId,
    pub(super) batch: Batch,
    pub(super) reply: Reply<Vec<Version>>,
}

impl Commit {
    fn answer(self, answer: Result<Vec<Version>, CommitError>) {
        // Who asked may have gone away.
        let _ = self.reply.send(answer);
    }

    fn bytes(&self) -> usize {
        self.batch
            .writes
            .iter()
            .map(|write| write.effect.bytes())
            .sum()
    }
}

/// Why a group was not committed.
enum Failure {
    /// Nothing was applied.
    Nothing(CommitError),
    /// Nobody knows.
    Unknown(String),
}

pub(super) struct Writer<'c> {
    connection: &'c Connection,
    statements: Statements<'c>,
    begin: Statement<'c>,
    commit: Statement<'c>,
    last: Revision,
    shared: &'c Shared,
    wal: WalKeeper,
}

impl<'c> Writer<'c> {
    pub(super) fn new(
        connection: &'c Connection,
        shared: &'c Shared,
        wal: WalKeeper,
    ) -> rusqlite::Result<Self> {
        count_free(shared, connection);
        Ok(Self {
            connection,
            statements: Statements::prepare(connection)?,
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            last: shared.applied(),
            shared,
            wal,
        })
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self, jobs: &mut mpsc::Receiver<Job>) {
        let mut left_over = None;
        while let Some(job) = left_over.take().or_else(|| jobs.blocking_recv()) {
            match job {
                Job::Commit(first) => {
                    let group;
                    (group, left_over) = gather(first, jobs);
                    self.commit_group(group);
                }
                Job::Trim(before, reply) => {
                    let began = Instant::now();
                    let trimmed = self.trim(before);
                    let _ = reply.send(trimmed.map(|trimmed| (trimmed, began.elapsed())));
                }
                Job::Alter(collection, [add, take], reply) => {
                    let _ = reply.send(self.alter(&collection, &add, &take));
                }
                Job::Build(collection, reply) => {
                    let began = Instant::now();
                    let built = self.build(&collection);
                    let _ = reply.send(built.map(|built| (built, began.elapsed())));
                }
                Job::Close => jobs.close(),
            }
            self.wal.tend(self.connection, self.shared);
        }
    }

    fn commit_group(&mut self, mut group: Vec<Commit>) {
        if !self.shared.writable.load(Ordering::Acquire) {
            return refuse(group);
        }
        match self.try_group(&group) {
            Ok(verdicts) => self.acknowledge(group, verdicts),
            Err(Failure::Nothing(error)) if group.len() == 1 => {
                for commit in group.drain(..) {
                    commit.answer(Err(error.clone()));
                }
            }
            Err(Failure::Nothing(_)) => {
                for commit in group {
                    self.commit_group(vec![commit]);
                }
            }
            Err(Failure::Unknown(text)) => {
                self.stop(&text);
                for commit in group {
                    commit.answer(Err(CommitError::Indeterminate(text.clone())));
                }
            }
        }
    }

    /// Applies and commits a group; nothing is visible or acknowledged yet.
    fn try_group(&mut self, group: &[Commit]) -> Result<Vec<Verdict>, Failure> {
        let mut last = self.last;
        let mut verdicts = Vec::with_capacity(group.len());
        if let Err(error) = self.begin.execute([]) {
            return Err(self.roll_back(&error.into()));
        }
        for Commit {
            operation, batch, ..
        } in group
        {
            let version = |revision| self.shared.history.version(revision);
            let indexes = &self.shared.indexes;
            match self
                .statements
                .apply(*operation, batch, &mut last, indexes, version)
            {
                Ok(verdict) => verdicts.push(verdict),
                Err(fault) => return Err(self.roll_back(&fault)),
            }
        }
        let began = Instant::now();
        if let Err(error) = self.commit.execute([]) {
            return Err(self.commit_failed(error));
        }
        if last != self.last {
            let bytes = group.iter().map(Commit::bytes).sum();
            let writes = usize::try_from(last.get() - self.last.get()).unwrap_or_default();
            self.shared
                .observer
                .committed(writes, bytes, began.elapsed());
            self.last = last;
        }
        Ok(verdicts)
    }

    /// Ends a transaction that cannot be committed.
    fn roll_back(&mut self, fault: &Fault) -> Failure {
        // SQLite has rolled back by itself after some errors.
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            self.stop(&format!("a roll-back failed: {error}"));
        }
        Failure::Nothing(match fault {
            Fault::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                CommitError::Full
            }
            Fault::Sqlite(error) if matchbook_pages::is_damage(error) => {
                CommitError::Unavailable(WRONG_PAGE.to_owned())
            }
            Fault::Sqlite(error) => CommitError::Unavailable(error.to_string()),
            Fault::Inconsistent(what) => CommitError::Unavailable((*what).to_owned()),
        })
    }

    fn commit_failed(&mut self, error: rusqlite::Error) -> Failure {
        // A full disk shows while frames are written, the last of which makes the
        // commit; a failed sync is another error.
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            self.roll_back(&Fault::Sqlite(error))
        } else {
            let failure = Failure::Unknown(format!("a commit failed: {error}"));
            self.roll_back(&Fault::Sqlite(error));
            failure
        }
    }

    fn stop(&self, why: &str) {
        self.shared.writable.store(false, Ordering::Release);
        self.shared.observer.failed(why);
    }

    /// Makes the group visible, then answers it.
    fn acknowledge(&self, group: Vec<Commit>, verdicts: Vec<Verdict>) {
        for (commit, verdict) in group.iter().zip(&verdicts) {
            if let Verdict::Applied(applied) = verdict {
                self.remember(&commit.batch, applied);
            }
        }
        let before = self.shared.applied();
        if self.last != before {
            if self.shared.tail.is_wanted(before) {
                self.shared.tail.push(self.entries(&group, &verdicts));
            } else {
                self.shared.tail.skip_to(self.last);
            }
            self.shared.publish(self.last);
        }
        let history = &self.shared.history;
        for (commit, verdict) in group.into_iter().zip(verdicts) {
            let writes = commit.batch.writes.len();
            commit.answer(match verdict {
                Verdict::Applied(applied) => {
                    let places = applied.places.into_iter().take(writes);
                    Ok(places
                        .map(|place| history.version(place.revision))
                        .collect())
                }
                Verdict::Rejected(rejections) => Err(CommitError::Rejected(rejections)),
                Verdict::Taken(taken) => Err(CommitError::Taken(taken)),
                Verdict::Exceeded(excesses) => Err(CommitError::Exceeded(excesses)),
            });
        }
        // Last: who follows may tell thousands, and would have whoever wrote wait for it.
        if self.last != before {
            self.shared.announce();
        }
    }

    /// Brings what is in memory up to date with a batch that is durable.
    fn remember(&self, batch: &Batch, applied: &Applied) {
        for (path, effect, place) in made(batch, applied) {
            let version = self.shared.history.version(place.revision);
            let document = document(batch, &effect, version);
            self.shared.cache.write(path, document.as_ref());
            let touched = std::iter::once((path.collection(), place.revision));
            self.shared.touched.note(touched);
        }
    }

    /// The group's part of the log, as it is read again.
    fn entries(&self, group: &[Commit], verdicts: &[Verdict]) -> Vec<Arc<Entry>> {
        let history = &self.shared.history;
        let mut entries = Vec::with_capacity(group.len());
        for (commit, verdict) in group.iter().zip(verdicts) {
            let Verdict::Applied(applied) = verdict else {
                continue;
            };
            let batch = &commit.batch;
            for (path, effect, place) in made(batch, applied) {
                entries.push(Arc::new(Entry {
                    version: history.version(place.revision),
                    operation: commit.operation,
                    path: path.clone(),
                    previous: place.previous.map(|previous| history.version(previous)),
                    modified: batch.at,
                    principal: batch.principal.clone(),
                    effect,
                }));
            }
        }
        entries
    }

    fn trim(&mut self, before: Revision) -> Result<Trimmed, CommitError> {
        let before = before.min(self.last);
        let trimmed = self.work(|writer| Ok(trim::piece(writer.connection, before)?))?;
        self.shared.set_horizon(before);
        count_free(self.shared, self.connection);
        Ok(trimmed)
    }

    fn alter(
        &mut self,
        collection: &CollectionPath,
        add: &[Index],
        take: &[Index],
    ) -> Result<(), CommitError> {
        let name = collection.as_str();
        let known = self.work(|writer| Ok(build::alter(writer.connection, name, add, take)?))?;
        self.shared.indexes.set(name, known);
        Ok(())
    }

    fn build(&mut self, collection: &CollectionPath) -> Result<Built, CommitError> {
        let (built, known) = self.work(|writer| {
            let entries = writer.statements.entries();
            Ok(build::piece(writer.connection, entries, collection)?)
        })?;
        self.shared.indexes.set(collection.as_str(), known);
        Ok(built)
    }

    /// Does what is no commit of a client's, in a transaction of its own.
    fn work<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, CommitError> {
        if !self.shared.writable.load(Ordering::Acquire) {
            return Err(stopped());
        }
        if let Err(error) = self.begin.execute([]) {
            return self.refused(&error.into());
        }
        let done = match work(self) {
            Ok(done) => done,
            Err(fault) => return self.refused(&fault),
        };
        match self
            .commit
            .execute([])
            .map_err(|error| self.commit_failed(error))
        {
            Ok(_) => Ok(done),
            Err(Failure::Nothing(error)) => Err(error),
            Err(Failure::Unknown(text)) => {
                self.stop(&text);
                Err(CommitError::Indeterminate(text))
            }
        }
    }

    fn refused<T>(&mut self, fault: &Fault) -> Result<T, CommitError> {
        Err(match self.roll_back(fault) {
            Failure::Nothing(error) => error,
            Failure::Unknown(text) => CommitError::Indeterminate(text),
        })
    }
}

/// Takes what waits, up to a group's bounds, and the job that ended the gathering.
fn gather(first: Commit, jobs: &mut mpsc::Receiver<Job>) -> (Vec<Commit>, Option<Job>) {
    let (mut writes, mut bytes) = (first.batch.writes.len(), first.bytes());
    let mut group = vec![first];
    while writes < GROUP_WRITES && bytes < GROUP_BYTES {
        match jobs.try_recv() {
            Ok(Job::Commit(commit)) => {
                writes += commit.batch.writes.len();
                bytes += commit.bytes();
                group.push(commit);
            }
            Ok(other) => return (group, Some(other)),
            Err(_) => break,
        }
    }
    (group, None)
}

fn refuse(group: Vec<Commit>) {
    for commit in group {
        commit.answer(Err(stopped()));
    }
}

fn stopped() -> CommitError {
    CommitError::Unavailable(
        "the fate of an earlier commit is not known; restart to write again".to_owned(),
    )
}

/// What a batch made of which documents, the receipt included.
fn made<'a>(
    batch: &'a Batch,
    applied: &'a Applied,
) -> impl Iterator<Item = (&'a DocumentPath, Effect, Place)> {
    let writes = batch.writes.iter();
    let writes = writes.map(|write| (&write.path, write.effect.clone()));
    let receipt = batch.receipt.iter().zip(&applied.receipt);
    let receipt = receipt.map(|(receipt, body)| {
        let effect = Effect::Put {
            content_type: Receipt::CONTENT_TYPE.into(),
            body: body.clone(),
            patch: None,
        };
        (&receipt.path, effect)
    });
    let places = applied.places.iter().copied();
    let made = writes.chain(receipt).zip(places);
    made.map(|((path, effect), place)| (path, effect, place))
}

fn document(batch: &Batch, effect: &Effect, version: Version) -> Option<Arc<Document>> {
    match effect {
        Effect::Put {
            content_type, body, ..
        } => Some(Arc::new(Document {
            version,
            modified: batch.at,
            content_type: Arc::clone(content_type),
            body: body.clone(),
            derived: Derived::default(),
        })),
        Effect::Delete => None,
    }
}
