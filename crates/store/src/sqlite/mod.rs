//! The embedded engine: SQLite, written as a log.
//!
//! One thread writes (`writer`), a few read (`readers`), one copies the
//! write-ahead log into the database (`checkpoint`); a cache of recent documents
//! (`cache`) and the end of the log (`tail`) stand in front, and what the cache does not
//! hold but the system's memory does is read on the spot (`points`). The file's format is
//! in `schema`.

mod apply;
mod backup;
mod build;
mod cache;
mod changes;
mod checkpoint;
mod connection;
mod directory;
mod entries;
mod error;
mod history;
mod indexes;
mod lookup;
mod open;
mod page;
mod points;
mod read;
mod readers;
mod retention;
mod row;
mod scan;
mod schema;
mod shared;
mod tail;
#[cfg(test)]
mod tests;
mod touched;
mod trim;
mod upgrade;
mod usage;
mod wal;
mod walk;
mod writer;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use matchbook_core::clock::Timestamp;
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::tag::{Revision, Version};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    Batch, Built, Changes, ChangesError, CommitError, Document, Index, IndexState, OperationId,
    Page, ReadError, Scan, Scope, Status, Store,
};
pub use backup::{BackedUp, backup, restore};
use changes::Span;
use directory::Directory;
pub use error::OpenError;
use indexes::{Known, Stage};
use points::Points;
use readers::Readers;
use shared::Shared;
use trim::Trimmed;
use writer::{Commit, Job, Reply};

/// What can be chosen about the engine.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Memory for recent documents.
    pub cache_bytes: usize,
    /// Memory for the last entries of the log, while somebody follows it. Whoever is
    /// further behind reads from the disk.
    pub tail_bytes: usize,
    /// Threads that read single documents which have to come from the disk.
    pub point_readers: usize,
    /// Threads that read lists and the log.
    pub scan_readers: usize,
    /// How large the database may become, without its write-ahead log. Then the disk
    /// counts as full; `None` leaves it to the disk.
    pub max_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 64 * 1_024 * 1_024,
            tail_bytes: 8 * 1_024 * 1_024,
            point_readers: 2,
            scan_readers: 2,
            max_bytes: None,
        }
    }
}

/// A store in one SQLite file, which this process alone has open.
///
/// Dropping it, or [`SqliteStore::close`], finishes the commits that wait and leaves
/// the file without a write-ahead log.
pub struct SqliteStore {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
    points: Points,
    scans: Readers,
    writer: Mutex<Option<JoinHandle<Directory>>>,
}

impl SqliteStore {
    /// Finishes the commits that wait, and releases the data directory. Blocks; what
    /// is asked of the store afterwards fails. Dropping the store does the same.
    pub fn close(&self) {
        self.points.stop();
        self.scans.stop();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(thread) = writer.take() else { return };
        self.ask_to_close();
        // The lock ends with what the thread returns.
        drop(thread.join());
    }

    /// A load that has to wait: for a position, for a commit to be published, or for the
    /// disk.
    async fn load_slowly(
        &self,
        path: &DocumentPath,
        at_least: Revision,
    ) -> Result<Option<Arc<Document>>, ReadError> {
        self.shared.reached(at_least).await?;
        if let Some(document) = self.shared.cache.get(path) {
            self.shared.observer.loaded(true);
            self.shared.reached(document.version.revision).await?;
            return Ok(Some(document));
        }
        self.shared.observer.loaded(false);
        let (shared, path) = (Arc::clone(&self.shared), path.clone());
        let work = move |connection: &_| read::load(connection, &shared, &path);
        let read = self.points.read(work).await?;
        self.shared.reached(read.position).await?;
        Ok(read.found)
    }

    /// Asks the writer, and waits for its answer.
    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, CommitError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(job(reply)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    fn ask_to_close(&self) {
        let mut job = Job::Close;
        while let Err(mpsc::error::TrySendError::Full(back)) = self.jobs.try_send(job) {
            job = back;
            std::thread::yield_now();
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}

fn closed() -> CommitError {
    CommitError::Unavailable("the store is closed".to_owned())
}

impl Store for SqliteStore {
    fn status(&self) -> Status {
        let shared = &self.shared;
        Status {
            epoch: shared.history.current(),
            applied: shared.history.version(shared.applied()),
            horizon: shared.horizon(),
            size_bytes: shared.size_bytes(),
            free_bytes: shared.free_bytes(),
            writable: shared.writable.load(Ordering::Acquire),
        }
    }

    fn applied(&self) -> watch::Receiver<Revision> {
        self.shared.follow()
    }

    fn peek(&self, path: &DocumentPath) -> Option<Arc<Document>> {
        let applied = self.shared.applied();
        let document = self.shared.cache.get(path)?;
        (document.version.revision <= applied).then(|| {
            self.shared.observer.loaded(true);
            document
        })
    }

    async fn load(
        &self,
        path: &DocumentPath,
        at_least: Revision,
    ) -> Result<Option<Arc<Document>>, ReadError> {
        if at_least <= self.shared.applied()
            && let Some(document) = self.peek(path)
        {
            return Ok(Some(document));
        }
        // Boxed, so that the future of a hit is small.
        Box::pin(self.load_slowly(path, at_least)).await
    }

    async fn load_all(
        &self,
        paths: Vec<DocumentPath>,
        max_bytes: usize,
    ) -> Result<Vec<Option<Arc<Document>>>, ReadError> {
        let shared = Arc::clone(&self.shared);
        let work = move |connection: &_| read::load_all(connection, &shared, &paths, max_bytes);
        let read = self.scans.read(work).await?;
        self.shared.reached(read.position).await?;
        Ok(read.found)
    }

    async fn load_version(
        &self,
        path: &DocumentPath,
        version: Version,
    ) -> Result<Option<Arc<Document>>, ReadError> {
        let revision = version.revision;
        if revision > self.shared.applied() || !self.shared.history.holds(version) {
            return Ok(None);
        }
        let held = self.shared.cache.get(path);
        if let Some(document) = held.filter(|document| document.version == version) {
            return Ok(Some(document));
        }
        let (shared, path) = (Arc::clone(&self.shared), path.clone());
        let work = move |connection: &_| read::load_version(connection, &shared, &path, revision);
        self.points.read(work).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page, ReadError> {
        self.shared.reached(scan.at_least).await?;
        let shared = Arc::clone(&self.shared);
        let work = move |connection: &_| scan::page(connection, &shared, &scan);
        let read = self.scans.read(work).await?;
        self.shared.reached(read.position).await?;
        Ok(read.found)
    }

    async fn collections(
        &self,
        after: Option<CollectionPath>,
        limit: usize,
    ) -> Result<Vec<CollectionPath>, ReadError> {
        let work = move |connection: &_| read::collections(connection, after.as_ref(), limit);
        let read = self.scans.read(work).await?;
        self.shared.reached(read.position).await?;
        Ok(read.found)
    }

    fn touched(&self, collection: &CollectionPath) -> Version {
        let revision = self.shared.touched.get(collection.as_str());
        self.shared.history.version(revision)
    }

    async fn changes(
        &self,
        from: Version,
        scope: &Scope,
        limit: usize,
    ) -> Result<Changes, ChangesError> {
        let span = Span::new(&self.shared, from, scope, limit)?;
        if span.is_empty() {
            return Ok(span.changes(&self.shared, Vec::new(), span.last));
        }
        if let Some((entries, end)) = self.shared.tail.read(&span, scope) {
            return Ok(span.changes(&self.shared, entries, end));
        }
        let (shared, scope) = (Arc::clone(&self.shared), scope.clone());
        let work = move |connection: &_| Ok(span.read(connection, &shared, &scope));
        self.scans.read(work).await?
    }

    async fn commit(
        &self,
        operation: OperationId,
        batch: Batch,
    ) -> Result<Vec<Version>, CommitError> {
        if batch.writes.is_empty() && batch.receipt.is_none() && batch.untouched.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        let job = Job::Commit(Commit {
            operation,
            batch,
            reply,
        });
        self.jobs.send(job).await.map_err(|_| closed())?;
        let lost = "the writing thread ended before it answered";
        answer
            .await
            .map_err(|_| CommitError::Indeterminate(lost.to_owned()))?
    }

    async fn before(&self, at: Timestamp, keep: u64) -> Result<Revision, ReadError> {
        let shared = Arc::clone(&self.shared);
        let work = move |connection: &_| retention::before(connection, &shared, at, keep);
        self.scans.read(work).await
    }

    async fn trim(&self, before: Revision) -> Result<(), CommitError> {
        loop {
            let (trimmed, took) = self.ask(|reply| Job::Trim(before, reply)).await?;
            if trimmed == Trimmed::All {
                return Ok(());
            }
            // So that at most half of the writer's time and of the disk's is taken.
            tokio::time::sleep(took).await;
        }
    }

    fn indexes(&self, collection: &CollectionPath) -> Vec<IndexState> {
        self.shared.indexes.states(collection.as_str())
    }

    fn indexed(&self) -> Vec<CollectionPath> {
        let is_wanted = |known: &Known| known.stage != Stage::Dropped;
        self.shared.indexes.collections(is_wanted)
    }

    fn unfinished(&self) -> Vec<CollectionPath> {
        let is_unfinished = |known: &Known| known.stage != Stage::Ready;
        self.shared.indexes.collections(is_unfinished)
    }

    async fn alter_indexes(
        &self,
        collection: &CollectionPath,
        add: Vec<Index>,
        take: Vec<Index>,
    ) -> Result<(), CommitError> {
        let collection = collection.clone();
        self.ask(|reply| Job::Alter(collection, [add, take], reply))
            .await
    }

    async fn build_indexes(&self, collection: &CollectionPath) -> Result<Built, CommitError> {
        let collection = collection.clone();
        let (built, took) = self.ask(|reply| Job::Build(collection, reply)).await?;
        if matches!(built, Built::Part { .. }) {
            // As for trimming.
            tokio::time::sleep(took).await;
        }
        Ok(built)
    }
}
