//! The threads that serve connections, each with a scheduler and a poll of its own.
//!
//! A connection stays on its thread, so that no two processors share what it uses, and
//! no task is looked for or stolen: an answer takes about a tenth less of the processor
//! than with one scheduler for all threads. What would hold up the other connections of
//! a thread is done elsewhere (see `content::OFFLOAD_BYTES`).

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// The number of the worker that this runs on; 0 elsewhere.
pub(crate) fn current() -> usize {
    NUMBER.get()
}

/// A thread for each processor.
#[derive(Debug)]
pub struct Workers {
    threads: Vec<Worker>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Worker {
    handle: Handle,
    /// The thread ends when this is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Workers {
    /// Starts them.
    ///
    /// # Errors
    /// That of the operating system.
    pub fn start() -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let threads = (0..count).map(Worker::start).collect::<Result<_, _>>()?;
        Ok(Self {
            threads,
            next: AtomicUsize::new(0),
        })
    }

    /// All of them, in the order of their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = &Handle> {
        self.threads.iter().map(|worker| &worker.handle)
    }

    /// Where the next connection goes: to each in turn.
    pub(super) fn next(&self) -> Option<&Handle> {
        let next = self.next.fetch_add(1, Relaxed) % self.threads.len().max(1);
        self.threads.get(next).map(|worker| &worker.handle)
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("matchbook-serve".to_owned())
            .spawn(move || {
                NUMBER.set(number);
                run(&runtime, stopped);
            })?;
        Ok(Self {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

fn run(runtime: &Runtime, stopped: oneshot::Receiver<()>) {
    runtime.block_on(async {
        // Sent or dropped: both mean the end.
        let _ = stopped.await;
    });
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.threads {
            drop(worker.stop.take());
        }
        for worker in &mut self.threads {
            if let Some(thread) = worker.thread.take() {
                // A thread that panicked has said so itself.
                let _ = thread.join();
            }
        }
    }
}
