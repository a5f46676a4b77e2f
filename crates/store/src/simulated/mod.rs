//! An engine of which a seed decides everything: when a commit becomes durable, in which
//! order reads answer, which commits fail and with what fate, and what a crash leaves.
//!
//! It is small, lives in memory, has no threads, and keeps no indexes. On a runtime of one
//! thread whose time is virtual, a run of it can be repeated exactly. A commit goes
//! through four steps, with a wait before each: it is applied, it is on the disk, readers
//! see it, it is acknowledged. A crash may come between any two; of what was applied and
//! is not on the disk, some of the first batches may survive it, as with any log.

mod disk;
mod documents;
mod live;
mod random;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use matchbook_core::clock::Timestamp;
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::tag::{Revision, Version};
use tokio::sync::watch;

pub use self::disk::Disk;
use self::live::{Live, State};
pub use self::random::Random;
use crate::{
    Batch, Built, Changes, ChangesError, CommitError, Document, Index, IndexState, OperationId,
    Page, ReadError, Scan, Scope, Status, Store,
};

/// How long a read waits for a position that is to come.
const PATIENCE: Duration = Duration::from_secs(1);

/// Entries that are looked at for a piece of the log, where nothing is left to chance.
const EXAMINED: usize = 16_384;

/// What may happen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Each step of each operation takes up to so long, and sometimes longer; 0: none
    /// waits, and nothing is left to chance.
    pub most_wait_ms: u64,
    /// Of a thousand commits, those that find the disk full.
    pub full_per_mille: u64,
    /// Of a thousand commits, those whose fate is unknown; the store stops.
    pub lost_per_mille: u64,
    /// Of a thousand reads, those that fail.
    pub unread_per_mille: u64,
    /// What the engine does wrong on purpose.
    pub mistake: Option<Mistake>,
}

/// What an engine must never do: a test that does not find it proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A crash takes a commit away that was on the disk.
    ForgetsAtCrash,
    /// A batch applies whatever stands there.
    ComparesNothing,
    /// Readers see what is not on the disk.
    PublishesEarly,
    /// A crash leaves a part of a batch.
    TearsBatches,
    /// A read may answer with the document as it was one write before.
    ReadsThePast,
}

/// The engine, open.
#[derive(Clone)]
pub struct Simulated(Arc<Inner>);

struct Inner {
    disk: Disk,
    options: Options,
    live: Mutex<Live>,
    applied: watch::Sender<Revision>,
}

impl fmt::Debug for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Simulated")
    }
}

impl Simulated {
    /// Opens what is on a disk. An engine that had it open before writes no more.
    #[must_use]
    pub fn open(disk: &Disk, options: Options) -> Self {
        let live = Live::open(&mut disk.image());
        Self(Arc::new(Inner {
            disk: disk.clone(),
            options,
            applied: watch::Sender::new(live.applied),
            live: Mutex::new(live),
        }))
    }

    /// The machine stops at this moment. What was not on the disk may be, or not.
    pub fn crash(&self) {
        let mut live = self.0.live();
        let mut image = self.0.disk.image();
        live.state = State::Crashed;
        if image.openings != live.opening {
            return;
        }
        let most = live.unsynced.len();
        let survivors = live.random.place(most + 1);
        for batch in live.unsynced.drain(..).take(survivors) {
            image.write(&batch);
        }
        match self.0.options.mistake {
            Some(Mistake::ForgetsAtCrash) => image.forget_last(),
            Some(Mistake::TearsBatches) => image.tear_last(),
            _ => {}
        }
    }
}

impl Inner {
    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait(&self) {
        let most_ms = self.options.most_wait_ms;
        if most_ms > 0 {
            let wait = self.live().random.wait(most_ms);
            tokio::time::sleep(wait).await;
        }
    }

    /// What `look` sees at one moment of the read.
    async fn read<T>(&self, look: impl FnOnce(&mut Live) -> T) -> Result<T, ReadError> {
        self.wait().await;
        let found = {
            let mut live = self.live();
            if live.state == State::Crashed {
                return Err(ReadError::Failed("the machine is gone".to_owned()));
            }
            if live.random.happens(self.options.unread_per_mille) {
                return Err(ReadError::Failed("by chance".to_owned()));
            }
            look(&mut live)
        };
        self.wait().await;
        Ok(found)
    }

    async fn until(&self, at_least: Revision) -> Result<(), ReadError> {
        let mut applied = self.applied.subscribe();
        let come = applied.wait_for(|applied| *applied >= at_least);
        match tokio::time::timeout(PATIENCE, come).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(ReadError::NotYet),
        }
    }

    async fn commit(
        &self,
        operation: OperationId,
        batch: &Batch,
    ) -> Result<Vec<Version>, CommitError> {
        self.wait().await;
        let (versions, last) = self.apply(operation, batch)?;
        let Some(last) = last else {
            return Ok(versions);
        };
        if self.options.mistake == Some(Mistake::PublishesEarly) {
            self.publish(last);
        }
        self.wait().await;
        self.sync(last)?;
        self.wait().await;
        self.publish(last);
        self.wait().await;
        // Guarantee 7 counts for what is on the disk as well.
        match self.live().state {
            State::Running => Ok(versions),
            State::Stopped | State::Crashed => Err(unknown()),
        }
    }

    /// The versions of a batch's writes, and its last revision if it wrote something.
    fn apply(
        &self,
        operation: OperationId,
        batch: &Batch,
    ) -> Result<(Vec<Version>, Option<Revision>), CommitError> {
        let mut live = self.live();
        if live.state != State::Running {
            let stopped = "an earlier commit's fate is unknown".to_owned();
            return Err(CommitError::Unavailable(stopped));
        }
        if live.random.happens(self.options.full_per_mille) {
            return Err(CommitError::Full);
        }
        let compares = self.options.mistake != Some(Mistake::ComparesNothing);
        let mut last = live.last;
        let history = live.history.clone();
        let version = |revision| history.version(revision);
        let entries = live
            .written
            .apply(operation, batch, compares, &mut last, version)?;
        live.last = last;
        let versions = entries.iter().map(|entry| entry.version);
        let versions = versions.take(batch.writes.len()).collect();
        let last = (!entries.is_empty()).then(|| live.take(entries));
        Ok((versions, last))
    }

    fn sync(&self, until: Revision) -> Result<(), CommitError> {
        let mut live = self.live();
        if live.random.happens(self.options.lost_per_mille) && live.state == State::Running {
            live.state = State::Stopped;
        }
        if live.state != State::Running {
            return Err(unknown());
        }
        live.sync(until, &mut self.disk.image());
        Ok(())
    }

    fn publish(&self, until: Revision) {
        let mut live = self.live();
        if live.state != State::Crashed && live.publish(until) {
            self.applied.send_replace(live.applied);
        }
    }
}

fn unknown() -> CommitError {
    CommitError::Indeterminate("the disk did not say".to_owned())
}

fn no_indexes() -> CommitError {
    CommitError::Unavailable("this engine keeps no indexes".to_owned())
}

impl Store for Simulated {
    fn status(&self) -> Status {
        let live = self.0.live();
        let applied = live.version(live.applied);
        Status {
            epoch: live.epoch(),
            applied,
            horizon: live.horizon,
            size_bytes: live.size_bytes(),
            free_bytes: 0,
            writable: live.state == State::Running,
        }
    }

    fn applied(&self) -> watch::Receiver<Revision> {
        self.0.applied.subscribe()
    }

    fn peek(&self, path: &DocumentPath) -> Option<Arc<Document>> {
        let mut live = self.0.live();
        let is_left_to_chance = self.0.options.most_wait_ms > 0;
        if live.state == State::Crashed || (is_left_to_chance && live.random.happens(500)) {
            return None;
        }
        live.document(path)
    }

    async fn load(
        &self,
        path: &DocumentPath,
        at_least: Revision,
    ) -> Result<Option<Arc<Document>>, ReadError> {
        self.0.until(at_least).await?;
        let looks_back = self.0.options.mistake == Some(Mistake::ReadsThePast);
        let look = |live: &mut Live| match live.document(path) {
            Some(document) if looks_back && live.random.happens(100) => {
                live.document_before(path).or(Some(document))
            }
            found => found,
        };
        self.0.read(look).await
    }

    async fn load_all(
        &self,
        paths: Vec<DocumentPath>,
        max_bytes: usize,
    ) -> Result<Vec<Option<Arc<Document>>>, ReadError> {
        self.0.read(|live| live.documents(&paths, max_bytes)).await
    }

    async fn load_version(
        &self,
        path: &DocumentPath,
        version: Version,
    ) -> Result<Option<Arc<Document>>, ReadError> {
        self.0.read(|live| live.document_at(path, version)).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page, ReadError> {
        self.0.until(scan.at_least).await?;
        let is_left_to_chance = self.0.options.most_wait_ms > 0;
        self.0
            .read(|live| {
                let mut limit = scan.limit;
                if is_left_to_chance && live.random.happens(300) {
                    limit = limit.min(1 + live.random.place(3));
                }
                live.page(&scan, limit)
            })
            .await
    }

    async fn collections(
        &self,
        after: Option<CollectionPath>,
        limit: usize,
    ) -> Result<Vec<CollectionPath>, ReadError> {
        self.0
            .read(|live| live.collections(after.as_ref(), limit))
            .await
    }

    fn touched(&self, collection: &CollectionPath) -> Version {
        self.0.live().touched(collection)
    }

    async fn changes(
        &self,
        from: Version,
        scope: &Scope,
        limit: usize,
    ) -> Result<Changes, ChangesError> {
        let is_left_to_chance = self.0.options.most_wait_ms > 0;
        self.0
            .read(|live| {
                let examined = if is_left_to_chance {
                    1 + live.random.place(64)
                } else {
                    EXAMINED
                };
                live.changes(from, scope, limit, examined)
            })
            .await?
    }

    /// On a task of its own: whoever asked may go, and what was begun goes on.
    async fn commit(
        &self,
        operation: OperationId,
        batch: Batch,
    ) -> Result<Vec<Version>, CommitError> {
        let inner = Arc::clone(&self.0);
        let commit = tokio::spawn(async move { inner.commit(operation, &batch).await });
        commit.await.unwrap_or_else(|_| Err(unknown()))
    }

    async fn before(&self, at: Timestamp, keep: u64) -> Result<Revision, ReadError> {
        self.0
            .read(|live| live.before(|entry| entry.modified < at, keep))
            .await
    }

    async fn trim(&self, before: Revision) -> Result<(), CommitError> {
        self.0.wait().await;
        let mut live = self.0.live();
        if live.state != State::Running {
            return Err(CommitError::Unavailable("the store has stopped".to_owned()));
        }
        live.trim(before, &mut self.0.disk.image());
        Ok(())
    }

    fn indexes(&self, _: &CollectionPath) -> Vec<IndexState> {
        Vec::new()
    }

    fn indexed(&self) -> Vec<CollectionPath> {
        Vec::new()
    }

    fn unfinished(&self) -> Vec<CollectionPath> {
        Vec::new()
    }

    async fn alter_indexes(
        &self,
        _: &CollectionPath,
        _: Vec<Index>,
        _: Vec<Index>,
    ) -> Result<(), CommitError> {
        Err(no_indexes())
    }

    async fn build_indexes(&self, _: &CollectionPath) -> Result<Built, CommitError> {
        Err(no_indexes())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;
    use crate::contract::Engine;

    struct OfChance(AtomicU64);

    impl OfChance {
        fn seed(&self) -> u64 {
            self.0.fetch_add(1, Relaxed)
        }
    }

    static ENGINE: OfChance = OfChance(AtomicU64::new(1));

    impl Engine for OfChance {
        type Store = Simulated;
        type Place = Disk;

        fn place(&self) -> Disk {
            Disk::new(self.seed())
        }

        fn open(&self, place: &Disk) -> Simulated {
            Simulated::open(place, Options::default())
        }

        fn copy(&self, place: &Disk) -> Disk {
            place.copy(self.seed())
        }
    }

    crate::contract_suite!(ENGINE, without indexes);
}
