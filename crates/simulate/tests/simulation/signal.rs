//! Something that becomes true once, and those who wait for it.

use std::cell::Cell;

use tokio::sync::Notify;

/// Those who wait are woken in the order in which they came. (`tokio::sync::watch` wakes in
/// another order each time.)
#[derive(Debug, Default)]
pub(crate) struct Signal {
    is_given: Cell<bool>,
    waiting: Notify,
}

impl Signal {
    pub(crate) fn give(&self) {
        self.is_given.set(true);
        self.waiting.notify_waiters();
    }

    pub(crate) fn is_given(&self) -> bool {
        self.is_given.get()
    }

    pub(crate) async fn given(&self) {
        if !self.is_given() {
            self.waiting.notified().await;
        }
    }
}
