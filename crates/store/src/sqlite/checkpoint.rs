//! Keeping the write-ahead log short.
//!
//! A thread of its own copies the log into the database, so that no commit waits for
//! that. But SQLite starts the log over only when every frame is copied and nobody
//! reads from it, and under constant writes that never comes about by itself: the log
//! grew to gigabytes, and reads through it became slow. So when little is left, the
//! writer, who alone can make new frames, copies the rest between two groups and
//! starts the log over.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rusqlite::Connection;
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;

use super::connection::{self, BUSY_WAIT};
use super::shared::Shared;

/// Pages of the log after which it is copied: 16 MiB. Larger copies each page less
/// often but makes reads and the recovery after a crash slower.
const BEGIN_PAGES: usize = 4_096;

/// Pages that may be left for the writer to copy: about two milliseconds.
const REST_PAGES: usize = 512;

/// Rounds of copying before the writer takes what is left, however much that is: the
/// log must end some time, also when the disk can only just keep up.
const ROUNDS: usize = 8;

/// How long the writer waits for readers to leave the log, before it tries again
/// after the next round. Single reads leave in microseconds.
const RESTART_WAIT: Duration = Duration::from_millis(5);

/// The writer's side.
pub(super) struct WalKeeper {
    /// Pages in the log, as the writer's last commit left it.
    pages: Arc<AtomicUsize>,
    wake: Sender<()>,
    /// The other side has copied nearly all: the writer is to do the rest.
    finish: Arc<AtomicBool>,
}

impl WalKeeper {
    /// Starts the thread and hooks into the writer's commits.
    pub(super) fn start(
        writer: &mut Connection,
        database: &Path,
        shared: &Arc<Shared>,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let connection = connection::checkpointer(database).map_err(io::Error::other)?;
        let pages = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&pages);
        let count = move |_: &mut Wal, pages| {
            let pages = usize::try_from(pages).unwrap_or_default();
            counted.store(pages, Ordering::Relaxed);
            Ok(())
        };
        writer.wal_hook(Some(count)).map_err(io::Error::other)?;
        let finish = Arc::new(AtomicBool::new(false));
        let (wake, woken) = bounded(1);
        let copier = Copier {
            connection,
            finish: Arc::clone(&finish),
            shared: Arc::clone(shared),
            database: database.to_owned(),
        };
        let thread = thread::Builder::new()
            .name("matchbook-copy".to_owned())
            .spawn(move || copier.run(&woken))?;
        let keeper = Self {
            pages,
            wake,
            finish,
        };
        Ok((keeper, thread))
    }

    /// To be called between groups.
    pub(super) fn tend(&self, connection: &Connection, shared: &Shared) {
        if self.finish.swap(false, Ordering::AcqRel) {
            self.restart(connection, shared);
        } else if self.pages.load(Ordering::Relaxed) >= BEGIN_PAGES {
            // Full: it is awake already.
            if let Err(TrySendError::Disconnected(())) = self.wake.try_send(()) {
                self.restart(connection, shared);
            }
        }
    }

    fn restart(&self, connection: &Connection, shared: &Shared) {
        let began = Instant::now();
        let restarted = connection
            .busy_timeout(RESTART_WAIT)
            .and_then(|()| connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::RESTART));
        let reset = connection.busy_timeout(BUSY_WAIT);
        match restarted.and_then(|copied| reset.map(|()| copied)) {
            Ok((_, copied)) => {
                self.pages.store(0, Ordering::Relaxed);
                let copied = usize::try_from(copied).unwrap_or_default();
                shared.observer.checkpointed(copied, began.elapsed());
            }
            Err(error) => report(shared, &error),
        }
    }
}

/// The thread's side.
struct Copier {
    connection: Connection,
    finish: Arc<AtomicBool>,
    shared: Arc<Shared>,
    database: PathBuf,
}

impl Copier {
    fn run(self, woken: &Receiver<()>) {
        while woken.recv().is_ok() {
            if self.copy() {
                self.finish.store(true, Ordering::Release);
            }
            self.measure();
        }
    }

    /// Copies until little is left; false if the disk does not take it.
    fn copy(&self) -> bool {
        for _ in 0..ROUNDS {
            let copied = self
                .connection
                .wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE);
            match copied {
                Ok((pages, copied)) => {
                    let rest = pages.saturating_sub(copied);
                    if usize::try_from(rest).unwrap_or_default() <= REST_PAGES {
                        return true;
                    }
                }
                Err(error) => {
                    report(&self.shared, &error);
                    return false;
                }
            }
        }
        true
    }

    fn measure(&self) {
        let size = size_bytes(&self.database);
        self.shared.size_bytes.store(size, Ordering::Relaxed);
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

/// Bytes of the database and its write-ahead log on disk.
pub(super) fn size_bytes(database: &Path) -> u64 {
    let mut wal = database.as_os_str().to_owned();
    wal.push("-wal");
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    size(database) + size(Path::new(&wal))
}
