//! A store that fails when told to, around one that does not.
//!
//! A test plans faults; each commit or read takes the next one planned for its kind,
//! and goes through if there is none. [`Gate`] holds an operation until the test lets
//! it go, so that no test needs to sleep.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::tag::{Revision, Version};
use tokio::sync::{Notify, watch};

use crate::{
    Batch, Changes, ChangesError, CommitError, Document, OperationId, Page, ReadError, Scan,
    Status, Store,
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

    async fn load(
        &self,
        path: &DocumentPath,
        at_least: Revision,
    ) -> Result<Option<Arc<Document>>, ReadError> {
        self.read(self.store.load(path, at_least)).await
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

    async fn changes(&self, from: Version, limit: usize) -> Result<Changes, ChangesError> {
        self.read(async { Ok(self.store.changes(from, limit).await) })
            .await?
    }

    async fn commit(
        &self,
        operation: OperationId,
        batch: Batch,
    ) -> Result<Vec<Version>, CommitError> {
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
                self.store.commit(operation, batch).await?;
                return Err(self.stop());
            }
        }
        self.store.commit(operation, batch).await
    }

    async fn trim(&self, before: Revision) -> Result<(), CommitError> {
        self.store.trim(before).await
    }
}
