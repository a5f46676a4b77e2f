//! `import`: each document of a file becomes a document of a collection.
//!
//! A thread reads and splits the file; several connections save. Between them is a
//! bounded amount of memory. Documents with the same id go over the same connection,
//! so that they are saved in the order of the file.

mod input;
mod ledger;
mod reader;
mod resume;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use clap::Args;
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use self::ledger::Ledger;
use self::reader::{Job, READ_AHEAD_BYTES, Reader};
use self::worker::Worker;
use super::ClientArgs;
use super::client::Client;
use super::exit::{Exit, Failure, Outcome, say};
use super::pointer::Pointer;
use super::progress::{DRAW_EVERY, Progress};
use super::split::{Layout, Splitter};
use super::target::Target;

/// Documents that may wait for one connection.
const QUEUE_DOCUMENTS: usize = 64;

/// Most connections: more only wait for the same disk.
const CONNECTIONS_MAX: u16 = 256;

const EXAMPLES: &str = "\
The file holds one document a line (NDJSON) or one JSON array, plain or gzip. Each document is
saved exactly as it stands in the file. With --id an import can be repeated: what is already
there and equal is left alone, what differs is an error, or is overwritten with --replace.
Without --id the server makes up ids, and a repeated import makes new documents.

A line that fails is reported with its number, and the rest goes on.

Examples:
  matchbook import /countries countries.ndjson --id /cca3
  curl -s https://example.org/all.json | matchbook import /things --id /id
  matchbook import /countries countries.ndjson --id /cca3 --replace --from 1201";

/// Save each document of a file in a collection
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportArgs {
    /// A collection such as /notes, or a full URL
    collection: String,

    /// The file to read; '-' is stdin
    #[arg(default_value = "-")]
    file: String,

    /// Where in each document its id is: a JSON pointer to a string or a number
    #[arg(long, value_name = "POINTER")]
    id: Option<Pointer>,

    /// Overwrite documents that differ
    #[arg(long, requires = "id")]
    replace: bool,

    /// Begin at this line or element; the first is 1
    #[arg(long, value_name = "N", default_value_t = 1)]
    from: u64,

    /// How the documents stand in the file; without it, what begins with '[' is an array
    #[arg(long, value_name = "LAYOUT")]
    format: Option<Layout>,

    /// Save over so many connections at once
    #[arg(long, value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u16).range(1..=i64::from(CONNECTIONS_MAX)))]
    connections: u16,

    #[command(flatten)]
    client: ClientArgs,
}

/// What reader, workers and the command itself have in common.
struct Shared {
    client: Client,
    /// What one document is called in messages: `line` or `element`.
    unit: &'static str,
    replace: bool,
    progress: Arc<Progress>,
    tally: Tally,
    ledger: Ledger,
    /// True: finish what is in flight and take nothing more.
    stop: watch::Sender<bool>,
    /// Why the import cannot go on.
    fatal: std::sync::Mutex<Option<Failure>>,
    memory: Arc<Semaphore>,
}

#[derive(Default)]
struct Tally {
    created: AtomicU64,
    replaced: AtomicU64,
    same: AtomicU64,
    failed: AtomicU64,
}

impl Shared {
    fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Stops the import for this reason; the first one counts.
    fn give_up(&self, failure: Failure) {
        if let Ok(mut fatal) = self.fatal.lock() {
            fatal.get_or_insert(failure);
        }
        self.stop.send_replace(true);
    }

    /// Reports a document that was not saved.
    fn refuse(&self, number: u64, why: impl std::fmt::Display) {
        self.tally.failed.fetch_add(1, Ordering::Relaxed);
        self.progress
            .say(format_args!("{} {number}: {why}", self.unit));
    }
}

impl ImportArgs {
    pub(crate) async fn run(self) -> Outcome {
        let target = Target::join(&self.client.server, &self.collection)?;
        let client = Client::new(&target, &self.client)?;
        // A server that is not there should be known before anything is read.
        drop(client.connect().await?);
        let input = input::open(&self.file)?;
        let progress = input.progress;
        let splitter = Splitter::new(input.reader, self.format)?;
        let shared = Arc::new(Shared {
            client,
            unit: splitter.unit(),
            replace: self.replace,
            progress,
            tally: Tally::default(),
            ledger: Ledger::default(),
            stop: watch::Sender::new(false),
            fatal: std::sync::Mutex::default(),
            memory: Arc::new(Semaphore::new(READ_AHEAD_BYTES)),
        });
        let begun = Instant::now();
        let (queues, workers) = self.start_workers(&shared);
        let reader = Reader {
            shared: Arc::clone(&shared),
            collection: target.path.trim_end_matches('/').to_owned(),
            id: self.id.clone(),
            from: self.from,
            queues,
        };
        reader.spawn(splitter)?;
        let is_interrupted = wait(workers, &shared).await;
        shared.progress.finish();
        shared.sum_up(begun);
        self.outcome(&shared, is_interrupted)
    }

    /// Starts a worker for each connection, and returns the queues that feed them:
    /// one each, or one for all where the order of ids does not matter but a resumed
    /// import must not repeat a document.
    fn start_workers(&self, shared: &Arc<Shared>) -> (Vec<mpsc::Sender<Job>>, JoinSet<()>) {
        let count = usize::from(self.connections);
        let queue_count = if self.id.is_some() { count } else { 1 };
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..queue_count)
            .map(|_| mpsc::channel(QUEUE_DOCUMENTS))
            .map(|(sender, receiver)| (sender, Arc::new(Mutex::new(receiver))))
            .unzip();
        let mut workers = JoinSet::new();
        for receiver in receivers.iter().cycle().take(count) {
            let worker = Worker::new(Arc::clone(shared), Arc::clone(receiver));
            workers.spawn(worker.run());
        }
        (senders, workers)
    }

    fn outcome(&self, shared: &Shared, is_interrupted: bool) -> Outcome {
        let fatal = shared.fatal.lock().ok().and_then(|mut fatal| fatal.take());
        if is_interrupted || fatal.is_some() {
            let from = shared.ledger.first_open().max(self.from);
            let command = resume::command(std::env::args(), from);
            say(format_args!("to go on: {command}"));
        }
        if let Some(failure) = fatal {
            return Err(failure);
        }
        Ok(match shared.tally.failed.load(Ordering::Relaxed) {
            _ if is_interrupted => Exit::Interrupted,
            0 => Exit::Done,
            _ => Exit::Refused,
        })
    }
}

/// Waits for the workers, draws, and listens for Ctrl-C. True if it came.
async fn wait(mut workers: JoinSet<()>, shared: &Shared) -> bool {
    let is_interrupted = AtomicBool::new(false);
    let mut tick = tokio::time::interval(DRAW_EVERY);
    loop {
        tokio::select! {
            done = workers.join_next() => match done {
                None => return is_interrupted.load(Ordering::Relaxed),
                Some(Ok(())) => {}
                Some(Err(error)) => shared.give_up(Failure::unreachable(error)),
            },
            _ = tick.tick() => shared.progress.show(),
            Ok(()) = tokio::signal::ctrl_c() => {
                if is_interrupted.swap(true, Ordering::Relaxed) {
                    return true;
                }
                shared.stop.send_replace(true);
                shared.progress.say("finishing what is in flight; Ctrl-C again stops at once");
            }
        }
    }
}

impl Shared {
    fn sum_up(&self, begun: Instant) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        say(format_args!(
            "{} created, {} replaced, {} already there, {} failed ({} in {:.1} s)",
            count(&self.tally.created),
            count(&self.tally.replaced),
            count(&self.tally.same),
            count(&self.tally.failed),
            self.progress.rate(),
            begun.elapsed().as_secs_f64(),
        ));
    }
}

#[cfg(test)]
mod tests;
