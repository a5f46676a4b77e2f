//! Which connections are open, to look them over and to end them.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;

use super::state::{CoarseClock, ConnectionState};

/// How often it is looked whether all requests are answered, when the server stops. A
/// count of them would cost each request two writes to memory that all processors
/// share.
const DRAIN_LOOK: Duration = Duration::from_millis(10);

/// The connections that are open.
#[derive(Debug, Default)]
pub(super) struct Registry {
    pub(super) clock: Arc<CoarseClock>,
    pub(super) next: AtomicU64,
    connections: Mutex<HashMap<u64, (Arc<ConnectionState>, AbortHandle)>>,
    emptied: tokio::sync::Notify,
}

/// A connection's place in the registry and in the limit.
pub(super) struct Entry {
    pub(super) registry: Arc<Registry>,
    pub(super) id: u64,
    #[allow(dead_code, reason = "held for as long as the connection is open")]
    pub(super) place: OwnedSemaphorePermit,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut connections = self.registry.lock();
        connections.remove(&self.id);
        if connections.is_empty() {
            self.registry.emptied.notify_waiters();
        }
    }
}

impl Registry {
    pub(super) fn lock(
        &self,
    ) -> std::sync::MutexGuard<'_, HashMap<u64, (Arc<ConnectionState>, AbortHandle)>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sweep(&self) {
        self.clock.tick();
        for (state, task) in self.lock().values() {
            if state.is_overdue() {
                task.abort();
            }
        }
    }

    pub(super) fn finish_all(&self) {
        for (state, _) in self.lock().values() {
            state.finish.notify_one();
        }
    }

    pub(super) fn abort_all(&self) {
        for (_, task) in self.lock().values() {
            task.abort();
        }
    }

    /// Completes when no request is without its answer.
    pub(super) async fn answered(&self) {
        let mut look = tokio::time::interval(DRAIN_LOOK);
        loop {
            look.tick().await;
            if self.lock().values().all(|(state, _)| state.is_answered()) {
                return;
            }
        }
    }

    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.lock().is_empty() {
                return;
            }
            emptied.await;
        }
    }
}
