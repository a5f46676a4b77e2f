//! A store that fails when told to, around one that does not.
//!
//! A test plans faults; each commit (of indexes too) or read takes the next one planned for its kind,
//! and goes through if there is none. [`Gate`] holds an operation until the test lets
//! it go, so that no test needs to sleep.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use matchbook_core::clock::Timestamp;
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::tag::{Revision, Version};
use tokio::sync::{Notify, watch};

use crate::{
    Batch, Built, Changes, ChangesError, CommitError, Document, Index, IndexState, OperationId,
    Page, ReadError, Scan, Scope, Status, Store,
};

/// What becomes of a commit.
#[derive(Clone, Debug)]
pub enum CommitFault {
    /// It goes through.
    Pass,
    /// It goes through when the gate opens.
    Held(Gate),
    /// The disk is full.
    Full,
    /// The store takes no writes just now.
    Unavailable,
    /// Its fate is unknown, and it was not applied. The store stops (guarantee 7).
    Lost,
    /// Its fate is unknown, and it was applied. The store stops (guarantee 7).
    Unacknowledged,
}

/// What becomes of a read.
#[derive(Clone, Debug)]
pub enum ReadFault {
    /// It goes through.
    Pass,
    /// It goes through when the gate opens.
    Held(Gate),
    /// It fails so.
    Fails(ReadError),
}

/// Holds one operation until it is opened.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Signals>);

#[derive(Debug, Default)]
struct Signals {
    reached: Notify,
    opened: Notify,
}

impl Gate {
    /// Waits until an operation stands before the gate.
    pub async fn reached(&self) {
        self.0.reached.notified().await;
    }

    /// Lets it through.
    pub fn open(&self) {
        self.0.opened.notify_one();
    }

    async fn pass(&self) {
        self.0.reached.notify_one();
        self.0.opened.notified().await;
    }
}

/// The wrapper.
#[derive(Debug)]
pub struct Faulty<S> {
    store: S,
    commits: Mutex<VecDeque<CommitFault>>,
    reads: Mutex<VecDeque<ReadFault>>,
    stopped: AtomicBool,
}

impl<S: Store> Faulty<S> {
    /// Wraps a store; without a plan nothing changes.
    pub fn new(store: S) -> Self {
        Self {
            store,
            commits: Mutex::default(),
            reads: Mutex::default(),
            stopped: AtomicBool::new(false),
        }
    }

    /// Plans the fate of the next commit that has none yet.
    pub fn plan_commit(&self, fault: CommitFault) {
        push(&self.commits, fault);
    }

    /// Plans the fate of the next read that has none yet; reads are all that answer a
    /// [`ReadError`].
    pub fn plan_read(&self, fault: ReadFault) {
        push(&self.reads, fault);
    }

    /// The store within.
    pub const fn inner(&self) -> &S {
        &self.store
    }

    async fn read<T>(
        &self,
        read: impl Future<Output = Result<T, ReadError>>,
    ) -> Result<T, ReadError> {
        match pop(&self.reads) {
            None | Some(ReadFault::Pass) => {}
            Some(ReadFault::Held(gate)) => gate.pass().await,
            Some(ReadFault::Fails(error)) => return Err(error),
        }
        read.await
    }

    async fn commit_as_planned<T>(
        &self,
        commit: impl Future<Output = Result<T, CommitError>>,
    ) -> Result<T, CommitError> {
        if self.stopped.load(Ordering::Acquire) {
            let stopped = "an earlier answer was lost".to_owned();
            return Err(CommitError::Unavailable(stopped));
        }
        match pop(&self.commits) {
            None | Some(CommitFault::Pass) => {}
            Some(CommitFault::Held(gate)) => gate.pass().await,
            Some(CommitFault::Full) => return Err(CommitError::Full),
            Some(CommitFault::Unavailable) => {
                return Err(CommitError::Unavailable("planned".to_owned()));
            }
            Some(CommitFault::Lost) => return Err(self.stop()),
            Some(CommitFault::Unacknowledged) => {
                commit.await?;
                return Err(self.stop());
            }
        }
        commit.await
    }

    fn stop(&self) -> CommitError {
        self.stopped.store(true, Ordering::Release);
        CommitError::Indeterminate("planned: the answer was lost".to_owned())
    }
}

fn push<F>(plan: &Mutex<VecDeque<F>>, fault: F) {
    let mut plan = plan.lock().unwrap_or_else(PoisonError::into_inner);
    plan.push_back(fault);
}

fn pop<F>(plan: &Mutex<VecDeque<F>>) -> Option<F> {
    plan.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .pop_front()
}

impl<S: Store> Store for Faulty<S> {
    fn status(&self) -> Status {
        let status = self.store.status();
        Status {
            writable: status.writable && !self.stopped.load(Ordering::Acquire),
            ..status
        }
    }

    fn applied(&self) -> watch::Receiver<Revision> {
        self.store.applied()
    }

    /// Nothing, so that every read goes where faults are.
    fn peek(&self, _: &DocumentPath) -> Option<Arc<Document>> {
        None
    }

    async fn load(
        &self,
        path: &DocumentPath,
        at_least: Revision,
    ) -> Result<Option<Arc<Document>>, ReadError> {
        self.read(self.store.load(path, at_least)).await
    }

    async fn load_all(
        &self,
        paths: Vec<DocumentPath>,
        max_bytes: usize,
    ) -> Result<Vec<Option<Arc<Document>>>, ReadError> {
        self.read(self.store.load_all(paths, max_bytes)).await
    }

    async fn load_version(
        &self,
        path: &DocumentPath,
        version: Version,
    ) -> Result<Option<Arc<Document>>, ReadError> {
        self.read(self.store.load_version(path, version)).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page, ReadError> {
        self.read(self.store.scan(scan)).await
    }

    async fn collections(
        &self,
        after: Option<CollectionPath>,
        limit: usize,
    ) -> Result<Vec<CollectionPath>, ReadError> {
        self.read(self.store.collections(after, limit)).await
    }

    fn touched(&self, collection: &CollectionPath) -> Version {
        self.store.touched(collection)
    }

    async fn changes(
        &self,
        from: Version,
        scope: &Scope,
        limit: usize,
    ) -> Result<Changes, ChangesError> {
        self.read(async { Ok(self.store.changes(from, scope, limit).await) })
            .await?
    }

    async fn commit(
        &self,
        operation: OperationId,
        batch: Batch,
    ) -> Result<Vec<Version>, CommitError> {
        self.commit_as_planned(self.store.commit(operation, batch))
            .await
    }

    async fn before(&self, at: Timestamp, keep: u64) -> Result<Revision, ReadError> {
        self.read(self.store.before(at, keep)).await
    }

    async fn trim(&self, before: Revision) -> Result<(), CommitError> {
        self.store.trim(before).await
    }

    fn indexes(&self, collection: &CollectionPath) -> Vec<IndexState> {
        self.store.indexes(collection)
    }

    fn indexed(&self) -> Vec<CollectionPath> {
        self.store.indexed()
    }

    fn unfinished(&self) -> Vec<CollectionPath> {
        self.store.unfinished()
    }

    async fn alter_indexes(
        &self,
        collection: &CollectionPath,
        add: Vec<Index>,
        take: Vec<Index>,
    ) -> Result<(), CommitError> {
        self.commit_as_planned(self.store.alter_indexes(collection, add, take))
            .await
    }

    async fn build_indexes(&self, collection: &CollectionPath) -> Result<Built, CommitError> {
        self.commit_as_planned(self.store.build_indexes(collection))
            .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempfile::TempDir;

    use super::*;
    use crate::Unobserved;
    use crate::contract::{batch, load, operation, put, run, try_write, write};
    use crate::sqlite::{Options, SqliteStore};

    fn faulty() -> (TempDir, Arc<Faulty<SqliteStore>>) {
        let place = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(place.path(), Options::default(), Arc::new(Unobserved));
        (place, Arc::new(Faulty::new(store.unwrap())))
    }

    #[test]
    fn faults_come_in_the_order_of_their_plan() {
        run(async {
            let (_place, store) = faulty();
            store.plan_commit(CommitFault::Full);
            store.plan_commit(CommitFault::Pass);
            store.plan_commit(CommitFault::Unavailable);
            store.plan_read(ReadFault::Fails(ReadError::NotYet));
            let full = try_write(&*store, put("/c/1", None, "x")).await;
            assert_eq!(full, Err(CommitError::Full));
            let first = write(&*store, put("/c/1", None, "x")).await;
            let refused = try_write(&*store, put("/c/1", Some(first), "y")).await;
            assert!(matches!(refused, Err(CommitError::Unavailable(_))));
            let changes = store.changes(first, &Scope::All, 1).await;
            assert_eq!(changes.unwrap_err(), ChangesError::Read(ReadError::NotYet));
            assert_eq!(load(&*store, "/c/1").await.unwrap().version, first);
        });
    }

    #[test]
    fn a_lost_answer_stops_the_store_whether_or_not_it_was_applied() {
        run(async {
            for (fault, applied) in [
                (CommitFault::Lost, false),
                (CommitFault::Unacknowledged, true),
            ] {
                let (_place, store) = faulty();
                store.plan_commit(fault);
                let lost = try_write(&*store, put("/c/1", None, "x")).await;
                assert!(matches!(lost, Err(CommitError::Indeterminate(_))));
                assert!(!store.status().writable);
                let refused = try_write(&*store, put("/c/2", None, "x")).await;
                assert!(matches!(refused, Err(CommitError::Unavailable(_))));
                assert_eq!(load(store.inner(), "/c/1").await.is_some(), applied);
            }
        });
    }

    #[test]
    fn a_gate_holds_one_operation() {
        run(async {
            let (_place, store) = faulty();
            let gate = Gate::default();
            store.plan_commit(CommitFault::Held(gate.clone()));
            let held = {
                let store = Arc::clone(&store);
                let batch = batch(vec![put("/c/1", None, "held")]);
                tokio::spawn(async move { store.commit(operation(), batch).await })
            };
            gate.reached().await;
            let faster = write(&*store, put("/c/1", None, "faster")).await;
            gate.open();
            let late = held.await.unwrap();
            assert!(matches!(late, Err(CommitError::Rejected(_))));
            assert_eq!(load(&*store, "/c/1").await.unwrap().version, faster);
        });
    }
}
