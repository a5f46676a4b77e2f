//! Waking the readers of a worker from that very worker.
//!
//! To wake a task from another thread takes a lock and a write to a pipe, each time;
//! from its own it is a push to a list. So whoever has news for thousands tells one task
//! of each worker, which wakes the others.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use tokio::sync::Notify;

use super::channel::Channel;

/// Readers that are woken at a time: half a millisecond of a worker's time.
const SOME: usize = 64;

#[derive(Default)]
pub(super) struct Relay {
    news: Mutex<Vec<Arc<Channel>>>,
    told: Notify,
}

impl Relay {
    /// There is something to take in this channel.
    pub(super) fn tell(&self, channel: &Arc<Channel>) {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        if !news.iter().any(|known| Arc::ptr_eq(known, channel)) {
            news.push(Arc::clone(channel));
        }
        drop(news);
        self.told.notify_one();
    }

    /// Wakes those of the worker that this runs on, for ever.
    pub(super) async fn run(&self, worker: usize) {
        loop {
            self.told.notified().await;
            let news = {
                let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *news)
            };
            for channel in news {
                for some in channel.take_waiting(worker).chunks(SOME) {
                    some.iter().for_each(Waker::wake_by_ref);
                    // Others have their turn before all of these have theirs: whoever made
                    // the change waits for an answer.
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}
