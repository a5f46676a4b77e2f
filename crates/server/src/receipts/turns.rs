//! Requests with the same key run one after the other: a repeat waits for the first, as
//! long as that runs (contract §5.2). That is a courtesy; that nothing is done twice is
//! seen to by the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use matchbook_core::name::DocumentPath;
use tokio::sync::Notify;

/// The requests with a key that run now. There are no more than connections allow.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<DocumentPath, Arc<Notify>>>);

/// The right to run, until it is dropped.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    name: DocumentPath,
}

impl Turns {
    /// Waits until no other request of this name runs.
    pub(crate) async fn take(&self, name: &DocumentPath) -> Turn<'_> {
        loop {
            let done = {
                let mut running = self.lock();
                let Some(done) = running.get(name) else {
                    running.insert(name.clone(), Arc::default());
                    return Turn {
                        turns: self,
                        name: name.clone(),
                    };
                };
                // It counts from here on whether somebody is told, polled or not.
                Arc::clone(done).notified_owned()
            };
            done.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DocumentPath, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(done) = self.turns.lock().remove(&self.name) {
            done.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    #[tokio::test]
    async fn one_runs_at_a_time_and_all_have_their_turn() {
        let turns = Arc::new(Turns::default());
        let (running, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks = (0..32).map(|number| {
            let (turns, running, done) = (turns.clone(), running.clone(), done.clone());
            tokio::spawn(async move {
                let name = DocumentPath::receipt(if number % 2 == 0 { "a" } else { "b" }).unwrap();
                let turn = turns.take(&name).await;
                assert!(running.fetch_add(1, SeqCst) < 2, "one of each name");
                tokio::task::yield_now().await;
                running.fetch_sub(1, SeqCst);
                done.fetch_add(1, SeqCst);
                drop(turn);
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        assert_eq!(done.load(SeqCst), 32);
        assert!(turns.lock().is_empty());
    }
}
