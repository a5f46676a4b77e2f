//! Keeping the write-ahead log short.
//!
//! A thread of its own copies the log into the database, so that no commit waits for
//! that. But SQLite starts the log over only when every frame is copied and nobody
//! reads from it, and under constant writes that never comes about by itself: the log
//! grew to gigabytes, and reads through it became slow. So when little is left, the
//! writer, who alone can make new frames, copies the rest between two groups and
//! starts the log over. Where the writer is faster than the copying, it waits.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use rusqlite::Connection;
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;

use super::connection::{self, BUSY_WAIT};
use super::shared::Shared;

/// Pages of the log after which it is copied: 32 MiB. A page that is written again
/// before that is copied once: at 64 MiB a write took a tenth less of the processor than
/// at 16 MiB. But the recovery after a crash takes as long as the log is.
const BEGIN_PAGES: u64 = 8_192;

/// Pages of the log at which the writer waits for what is being copied: 64 MiB. Without that
/// it would be the speed of the disk that bounds the log.
const MOST_PAGES: u64 = 2 * BEGIN_PAGES;

/// Pages that may be left for the writer to copy: about two milliseconds.
const REST_PAGES: i32 = 512;

/// Rounds of copying before the writer takes what is left, however much that is: the
/// log must end some time, also when the disk can only just keep up.
const ROUNDS: usize = 8;

/// How long the writer waits for readers to leave the log, before it tries again
/// after the next round. Single reads leave in microseconds.
const RESTART_WAIT: Duration = Duration::from_millis(5);

/// How long both sides leave the log alone after somebody's long read, such as a
/// backup's, kept them from it: each attempt costs the more the longer the log is.
const PAUSE: Duration = Duration::from_millis(250);

/// The writer's side.
pub(super) struct WalKeeper {
    wake: Sender<()>,
    /// The other side has copied nearly all: the writer is to do the rest.
    finish: Arc<AtomicBool>,
    copying: Arc<Copying>,
    /// No earlier than this is the log to be started over.
    not_before: Instant,
}

impl WalKeeper {
    /// Starts the thread and hooks into the writer's commits.
    pub(super) fn start(
        writer: &mut Connection,
        database: &Path,
        shared: &Arc<Shared>,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let connection = connection::checkpointer(database).map_err(io::Error::other)?;
        let counted = Arc::clone(shared);
        let count = move |_: &mut Wal, pages| {
            let pages = u64::try_from(pages).unwrap_or_default();
            counted.wal_pages.store(pages, Ordering::Relaxed);
            Ok(())
        };
        writer.wal_hook(Some(count)).map_err(io::Error::other)?;
        let finish = Arc::new(AtomicBool::new(false));
        let copying = Arc::<Copying>::default();
        let (wake, woken) = bounded(1);
        let copier = Copier {
            connection,
            finish: Arc::clone(&finish),
            copying: Arc::clone(&copying),
            shared: Arc::clone(shared),
            database: database.to_owned(),
        };
        let thread = thread::Builder::new()
            .name("matchbook-copy".to_owned())
            .spawn(move || copier.run(&woken))?;
        let keeper = Self {
            wake,
            finish,
            copying,
            not_before: Instant::now(),
        };
        Ok((keeper, thread))
    }

    /// To be called between groups.
    pub(super) fn tend(&mut self, connection: &Connection, shared: &Shared) {
        if shared.wal_pages.load(Ordering::Relaxed) >= MOST_PAGES {
            self.copying.wait();
        }
        if self.finish.load(Ordering::Acquire) {
            if Instant::now() >= self.not_before {
                self.restart(connection, shared);
                self.finish.store(false, Ordering::Release);
            }
        } else if shared.wal_pages.load(Ordering::Relaxed) >= BEGIN_PAGES {
            // Full: it is awake already. Disconnected: it has told why.
            let _ = self.wake.try_send(());
        }
    }

    fn restart(&mut self, connection: &Connection, shared: &Shared) {
        let began = Instant::now();
        let restarted = connection
            .busy_timeout(RESTART_WAIT)
            .and_then(|()| connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::RESTART));
        let reset = connection.busy_timeout(BUSY_WAIT);
        match restarted.and_then(|copied| reset.map(|()| copied)) {
            Ok((_, copied)) => {
                shared.wal_pages.store(0, Ordering::Relaxed);
                let copied = usize::try_from(copied).unwrap_or_default();
                shared.observer.checkpointed(copied, began.elapsed());
            }
            Err(error) => {
                self.not_before = Instant::now() + PAUSE;
                report(shared, &error);
            }
        }
    }
}

/// Whether pages are being copied.
#[derive(Default)]
struct Copying {
    now: Mutex<bool>,
    ended: Condvar,
}

/// Ends when it is dropped, however that comes about: the writer may wait for it.
struct Attempt<'a>(&'a Copying);

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Copying {
    fn begin(&self) -> Attempt<'_> {
        self.set(true);
        Attempt(self)
    }

    fn set(&self, now: bool) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
        self.ended.notify_all();
    }

    /// Until they are not. With nobody writing that is soon; and where a reader is in the
    /// way, the attempt ends without success.
    fn wait(&self) {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.ended.wait_while(now, |now| *now));
    }
}

/// The thread's side.
struct Copier {
    connection: Connection,
    finish: Arc<AtomicBool>,
    copying: Arc<Copying>,
    shared: Arc<Shared>,
    database: PathBuf,
}

impl Copier {
    fn run(self, woken: &Receiver<()>) {
        while woken.recv().is_ok() {
            let copying = self.copying.begin();
            let is_copied = self.copy();
            if is_copied {
                self.finish.store(true, Ordering::Release);
            }
            drop(copying);
            if !is_copied {
                let end = Instant::now() + PAUSE;
                while woken.recv_deadline(end).is_ok() {}
            }
            measure(&self.shared, &self.database);
            count_free(&self.shared, &self.connection);
        }
    }

    /// Copies until little is left; false if a reader or the disk is in the way.
    fn copy(&self) -> bool {
        let mut before = -1;
        for _ in 0..ROUNDS {
            let copied = self
                .connection
                .wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE);
            match copied {
                Ok((pages, copied)) if pages.saturating_sub(copied) <= REST_PAGES => return true,
                Ok((_, copied)) if copied == before => return false,
                Ok((_, copied)) => before = copied,
                Err(error) => {
                    report(&self.shared, &error);
                    return false;
                }
            }
        }
        true
    }
}

/// Tells of a checkpoint that failed. A lock that is held is nothing to tell of; a
/// failed sync of the database is the end of writing, since the next sync would
/// succeed without the pages that this one lost (guarantee 7).
fn report(shared: &Shared, error: &rusqlite::Error) {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull};
    match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => {}
        Some(DiskFull) => shared.observer.failed("no space is left for a checkpoint"),
        _ => {
            shared.writable.store(false, Ordering::Release);
            shared
                .observer
                .failed(&format!("a checkpoint failed: {error}"));
        }
    }
}

/// Looks at the length of the database.
pub(super) fn measure(shared: &Shared, database: &Path) {
    if let Ok(metadata) = std::fs::metadata(database) {
        let length = metadata.len();
        shared.database_bytes.store(length, Ordering::Relaxed);
    }
}

/// Looks at how much of the database holds nothing.
pub(super) fn count_free(shared: &Shared, connection: &Connection) {
    let count = connection
        .prepare_cached("PRAGMA freelist_count")
        .and_then(|mut count| count.query_row([], |row| row.get::<_, u32>(0)));
    if let Ok(pages) = count {
        shared.free_pages.store(pages.into(), Ordering::Relaxed);
    }
}
