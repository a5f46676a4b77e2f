//! The data directory: its files, its lock, and who may enter it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::error::OpenError;

/// The database, in the data directory.
pub(super) const DATABASE: &str = "matchbook.db";

/// A complete copy that a restore has decided to put in the database's place.
const INCOMING: &str = "matchbook.db.restoring";

const LOCK: &str = "matchbook.lock";

/// The right to be the only process that uses a data directory; ends when dropped.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes the directory if it is not there, for its owner only, and locks it.
    pub(super) fn lock(path: &Path) -> Result<Self, OpenError> {
        make(path).map_err(|error| OpenError::from_io(path, &error))?;
        let lock_path = path.join(LOCK);
        let fail = |error| OpenError::from_io(&lock_path, &error);
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Who it is informs only; the lock itself is what counts.
                let _ = lock.read_to_string(&mut text);
                return Err(OpenError::InUse {
                    directory: path.to_owned(),
                    process: text.trim().parse().ok(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        write_process_id(&mut lock).map_err(fail)?;
        let directory = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        directory.finish_restore()?;
        Ok(directory)
    }

    /// Where the database is.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// Where the database's write-ahead log is.
    pub(super) fn log(&self) -> PathBuf {
        self.path.join(format!("{DATABASE}-wal"))
    }

    /// Where a restore puts its complete copy.
    pub(super) fn incoming(&self) -> PathBuf {
        self.path.join(INCOMING)
    }

    /// Puts a restore's copy in the database's place, if there is one. A crash at any
    /// point is repaired by the next one who locks the directory.
    pub(super) fn finish_restore(&self) -> Result<(), OpenError> {
        let incoming = self.incoming();
        let steps = || -> io::Result<()> {
            if !incoming.try_exists()? {
                return Ok(());
            }
            // The old log must go before the new file has its name: SQLite would
            // replay it.
            for suffix in ["-wal", "-shm", "-journal"] {
                remove_if_there(&self.path.join(format!("{DATABASE}{suffix}")))?;
            }
            sync_directory(&self.path)?;
            fs::rename(&incoming, self.database())?;
            sync_directory(&self.path)
        };
        steps().map_err(|error| OpenError::from_io(&incoming, &error))
    }
}

fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    sync_directory(path.parent().unwrap_or(Path::new("")))
}

fn write_process_id(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes the names in a directory durable. The empty path is where we are, as it is
/// the parent of a bare name.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let here = path.as_os_str().is_empty();
        File::open(if here { Path::new(".") } else { path })?.sync_all()?;
    }
    Ok(())
}
