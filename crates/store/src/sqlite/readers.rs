//! Threads that read, each with a connection of its own, so that no asynchronous
//! thread ever waits for a disk.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::ReadError;

type Work = Box<dyn FnOnce(&Connection) + Send>;

enum Job {
    Read(Work, OwnedSemaphorePermit),
    Stop,
}

/// A group of reading threads with one bounded queue.
pub(super) struct Readers {
    jobs: Sender<Job>,
    /// One for each place in the queue: who gets one need not wait for a place.
    places: Arc<Semaphore>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    /// Starts a thread for each connection, with a queue of so many places.
    pub(super) fn start(
        name: &str,
        connections: Vec<Connection>,
        places: usize,
    ) -> io::Result<Self> {
        let (sender, receiver) = bounded(places + connections.len());
        let threads = connections
            .into_iter()
            .map(|connection| {
                let jobs = receiver.clone();
                thread::Builder::new()
                    .name(name.to_owned())
                    .spawn(move || serve(&connection, &jobs))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self {
            jobs: sender,
            places: Arc::new(Semaphore::new(places)),
            threads: Mutex::new(threads),
        })
    }

    /// Does the work on one of the threads.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let closed = || ReadError::Failed("the store is closed".to_owned());
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            // Who asked may have gone away.
            let _ = reply.send(work(connection));
        });
        self.jobs
            .try_send(Job::Read(work, place))
            .map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Finishes what was begun and ends the threads.
    pub(super) fn stop(&self) {
        self.places.close();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in threads.iter() {
            // Every thread takes one; a thread that is gone needs none.
            let _ = self.jobs.try_send(Job::Stop);
        }
        for thread in threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, jobs: &Receiver<Job>) {
    while let Ok(Job::Read(work, place)) = jobs.recv() {
        work(connection);
        drop(place);
    }
}
