//! What the store's handle, its writer and its readers know together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use matchbook_core::tag::Revision;
use tokio::sync::watch;

use super::Options;
use super::cache::DocumentCache;
use super::history::History;
use super::indexes::Indexes;
use super::row::JSON;
use super::schema::PAGE_BYTES;
use super::tail::Tail;
use super::touched::Touched;
use crate::{Observer, ReadError};

/// How long a read waits for a position that the store has not reached. A client
/// that names one got it from a commit, so that it is at most a moment away.
const POSITION_WAIT: Duration = Duration::from_secs(1);

pub(super) struct Shared {
    pub(super) history: History,
    pub(super) cache: DocumentCache,
    pub(super) touched: Touched,
    pub(super) tail: Tail,
    pub(super) indexes: Indexes,
    pub(super) observer: Arc<dyn Observer>,
    /// Length of the database when it was last looked at.
    pub(super) database_bytes: AtomicU64,
    /// Pages of the database that hold nothing, when they were last counted.
    pub(super) free_pages: AtomicU64,
    /// Pages in the write-ahead log, as the last commit left it.
    pub(super) wal_pages: AtomicU64,
    pub(super) writable: AtomicBool,
    horizon: AtomicU64,
    applied: AtomicU64,
    applied_sender: watch::Sender<Revision>,
    json: Arc<str>,
}

impl Shared {
    pub(super) fn new(
        history: History,
        applied: Revision,
        horizon: Revision,
        options: Options,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self {
            history,
            cache: DocumentCache::new(options.cache_bytes),
            touched: Touched::new(applied),
            tail: Tail::new(applied, options.tail_bytes),
            indexes: Indexes::default(),
            observer,
            database_bytes: AtomicU64::new(0),
            free_pages: AtomicU64::new(0),
            wal_pages: AtomicU64::new(0),
            writable: AtomicBool::new(true),
            horizon: AtomicU64::new(horizon.get()),
            applied: AtomicU64::new(applied.get()),
            applied_sender: watch::Sender::new(applied),
            json: JSON.into(),
        }
    }

    /// The last write that readers may see.
    pub(super) fn applied(&self) -> Revision {
        Revision::new(self.applied.load(Ordering::Acquire)).unwrap_or(Revision::MAX)
    }

    /// Lets readers see all up to here.
    pub(super) fn publish(&self, applied: Revision) {
        self.applied.store(applied.get(), Ordering::Release);
    }

    /// Tells those who follow that there is more to see.
    pub(super) fn announce(&self) {
        self.applied_sender.send_replace(self.applied());
    }

    /// What the data take on disk. The write-ahead log's file may be longer than what
    /// is in use of it.
    pub(super) fn size_bytes(&self) -> u64 {
        let wal_bytes = self.wal_pages.load(Ordering::Relaxed) * u64::from(PAGE_BYTES);
        self.database_bytes.load(Ordering::Relaxed) + wal_bytes
    }

    pub(super) fn free_bytes(&self) -> u64 {
        self.free_pages.load(Ordering::Relaxed) * u64::from(PAGE_BYTES)
    }

    pub(super) fn follow(&self) -> watch::Receiver<Revision> {
        self.applied_sender.subscribe()
    }

    pub(super) fn horizon(&self) -> Revision {
        Revision::new(self.horizon.load(Ordering::Acquire)).unwrap_or(Revision::MAX)
    }

    pub(super) fn set_horizon(&self, horizon: Revision) {
        self.horizon.fetch_max(horizon.get(), Ordering::AcqRel);
    }

    /// Waits until readers may see the position. Does not yield if they may.
    ///
    /// Whatever is read is answered only then: between a commit and its publication
    /// some readers would see it and later ones not.
    pub(super) async fn reached(&self, position: Revision) -> Result<(), ReadError> {
        if self.applied() >= position {
            return Ok(());
        }
        let mut applied = self.follow();
        let reached = applied.wait_for(|applied| *applied >= position);
        match tokio::time::timeout(POSITION_WAIT, reached).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(ReadError::NotYet),
        }
    }

    /// A media type as the log holds it, without an allocation for the usual one.
    pub(super) fn content_type(&self, stored: Option<&str>) -> Arc<str> {
        match stored {
            None => Arc::clone(&self.json),
            Some(other) => other.into(),
        }
    }
}
