//! Copies of a store: made while it is in use, and put back.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ffi};

use super::connection;
use super::directory::{DATABASE, Directory, remove_if_there, sync_directory};
use super::error::OpenError;
use super::schema;

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// Bytes of the copy.
    pub size_bytes: u64,
}

/// Copies the store in `directory` to the file `destination`, as it stands at one
/// moment, while this or another process uses it. Blocks. The copy gets its name when
/// it is whole and durable; an existing file is replaced.
///
/// While it runs the store's write-ahead log cannot be started over, so that it takes
/// about as much space as is written meanwhile.
///
/// # Errors
/// [`OpenError`].
pub fn backup(directory: &Path, destination: &Path) -> Result<BackedUp, OpenError> {
    let source_path = directory.join(DATABASE);
    // The write-ahead log of a process that crashed is recovered by the reader, who
    // must be able to write for that.
    let source = Existing::open(&source_path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let size_bytes = source.copy(destination)?;
    Ok(BackedUp { size_bytes })
}

/// Puts a backup into a data directory that holds no data, or whose data are to be
/// replaced. Blocks. The backup is checked as a whole first; after a crash the next
/// opening finds either the old data or the new.
///
/// # Errors
/// [`OpenError`].
pub fn restore(backup: &Path, directory: &Path, replace: bool) -> Result<(), OpenError> {
    let source = Existing::open(backup, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    source.check(backup)?;
    let directory_path = directory;
    let directory = Directory::lock(directory_path)?;
    let holds_data = fs::metadata(directory.database()).is_ok_and(|file| file.len() > 0);
    if holds_data && !replace {
        return Err(OpenError::HoldsData {
            directory: directory_path.to_owned(),
        });
    }
    // From the moment that the copy has its name, whoever locks the directory next
    // finishes this.
    source.copy(&directory.incoming())?;
    directory.finish_restore()
}

/// A store's file, as it is; it may be of an older format.
struct Existing {
    connection: Connection,
    /// Whether its pages have checksums, as those of copies then must.
    is_sealed: bool,
}

impl Existing {
    /// Refuses what is no store of a format that is known.
    fn open(file: &Path, access: OpenFlags) -> Result<Self, OpenError> {
        let fail_io = |error| OpenError::from_io(file, &error);
        // SQLite says of all that it cannot open only that it cannot.
        File::open(file).map_err(fail_io)?;
        let is_sealed = matchbook_pages::are_sealed(file).map_err(fail_io)?;
        let fail = |error: rusqlite::Error| OpenError::from_sqlite(file, &error);
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = connection::any(file, flags, is_sealed).map_err(fail)?;
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .map_err(fail)?;
        if schema::identify(&connection).map_err(fail)?.is_ours(file)? {
            Ok(Self {
                connection,
                is_sealed,
            })
        } else {
            Err(OpenError::NotAStore {
                file: file.to_owned(),
            })
        }
    }

    /// Makes a durable copy, which gets its name when it is whole. Returns its bytes.
    fn copy(&self, to: &Path) -> Result<u64, OpenError> {
        make_durable(to, |partial| {
            self.copy_pages(partial)
                .map_err(|error| OpenError::from_sqlite(to, &error))
        })
    }

    /// Copies in one step: with several, each write to the source would start it over.
    fn copy_pages(&self, to: &Path) -> rusqlite::Result<()> {
        let mut target = connection::partial(to, self.is_sealed)?;
        let copy = Backup::new(&self.connection, &mut target)?;
        let done = copy.step(-1)?;
        drop(copy);
        if done != StepResult::Done {
            let busy = ffi::Error::new(ffi::SQLITE_BUSY);
            return Err(rusqlite::Error::SqliteFailure(busy, None));
        }
        // One file without companions, whatever opens it.
        target.pragma_update(None, "journal_mode", "DELETE")?;
        target.close().map_err(|(_, error)| error)
    }

    /// Looks at all of it.
    fn check(&self, file: &Path) -> Result<(), OpenError> {
        let found: String = self
            .connection
            .pragma_query_value(None, "quick_check", |row| row.get(0))
            .map_err(|error| OpenError::from_sqlite(file, &error))?;
        if found == "ok" {
            return Ok(());
        }
        Err(OpenError::Damaged {
            file: file.to_owned(),
            detail: found,
        })
    }
}

/// Makes a file that has its name when it is whole and durable. `fill` is given the empty
/// file that becomes it, and need not sync what it writes. Returns its bytes.
pub(super) fn make_durable(
    to: &Path,
    fill: impl FnOnce(&Path) -> Result<(), OpenError>,
) -> Result<u64, OpenError> {
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let name = || -> io::Result<u64> {
        let file = File::open(&partial)?;
        file.sync_all()?;
        fs::rename(&partial, to)?;
        sync_directory(to.parent().unwrap_or(Path::new("")))?;
        Ok(file.metadata()?.len())
    };
    let made = make_private(&partial)
        .map_err(|error| OpenError::from_io(&partial, &error))
        .and_then(|()| fill(&partial))
        .and_then(|()| name().map_err(|error| OpenError::from_io(to, &error)));
    if made.is_err() {
        // What is left serves nobody; that it could not be removed is not the news.
        let _ = fs::remove_file(&partial);
    }
    made
}

/// Makes an empty file for its owner only; what was broken off earlier may be there.
fn make_private(path: &Path) -> io::Result<()> {
    remove_if_there(path)?;
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
