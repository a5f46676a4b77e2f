//! Why a store could not be opened, backed up or restored: texts that say what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

use super::schema::{FORMAT, OLDEST_FORMAT};

/// What is said of a page whose checksum does not match, in place of SQLite's 'disk I/O error'.
pub(super) const WRONG_PAGE: &str = "a page is not what was written";

/// Why a data directory could not be used.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it open; its id, where that is known.
    InUse {
        /// The data directory.
        directory: PathBuf,
        /// The process that wrote the lock file last.
        process: Option<u32>,
    },
    /// The file has a format version that this program does not know.
    UnknownFormat {
        /// The file.
        file: PathBuf,
        /// The version in the file.
        found: i32,
    },
    /// The file is no store of ours.
    NotAStore {
        /// The file.
        file: PathBuf,
    },
    /// The directory already holds data, and replacing them was not asked for.
    HoldsData {
        /// The data directory.
        directory: PathBuf,
    },
    /// The file is damaged.
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The operating system does not let us.
    Permission {
        /// The file or directory.
        path: PathBuf,
    },
    /// No space is left.
    Full {
        /// The file or directory.
        path: PathBuf,
    },
    /// The SQLite that was linked corrupts data under load.
    OldSqlite {
        /// Its version.
        version: &'static str,
    },
    /// Anything else.
    Failed {
        /// The file or directory.
        path: PathBuf,
        /// What was said.
        detail: String,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { directory, process } => {
                write!(
                    f,
                    "the data directory {} is in use by another process",
                    directory.display()
                )?;
                if let Some(process) = process {
                    write!(f, " (id {process})")?;
                }
                f.write_str("; stop that one first, or choose another directory")
            }
            Self::UnknownFormat { file, found } => write!(
                f,
                "{} has format version {found}, and this program knows versions {OLDEST_FORMAT} to \
                 {FORMAT} only; use the version of the program that wrote it",
                file.display()
            ),
            Self::NotAStore { file } => write!(
                f,
                "{} is not a Matchbook file; choose another data directory",
                file.display()
            ),
            Self::HoldsData { directory } => write!(
                f,
                "the data directory {} already holds data; choose an empty one, or say that they are to be replaced",
                directory.display()
            ),
            Self::Damaged { file, detail } => write!(
                f,
                "{} is damaged ({detail}); restore a backup",
                file.display()
            ),
            Self::Permission { path } => write!(
                f,
                "no permission to read and write {}; give it to the user that runs this program",
                path.display()
            ),
            Self::Full { path } => write!(
                f,
                "no space is left for {}; free some and try again",
                path.display()
            ),
            Self::OldSqlite { version } => write!(
                f,
                "this program was linked with SQLite {version}, which can corrupt data; \
                 build it with 3.51.3 or later"
            ),
            Self::Failed { path, detail } => write!(f, "{}: {detail}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}

impl OpenError {
    pub(super) fn from_io(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Permission { path }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Failed {
                path,
                detail: error.to_string(),
            },
        }
    }

    pub(super) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        // The index of the log is the one file that SQLite cannot make longer without
        // calling that a failed disk.
        if error.sqlite_error().map(|error| error.extended_code) == Some(SQLITE_IOERR_SHMSIZE) {
            return Self::Full { path };
        }
        if matchbook_pages::is_damage(error) {
            return Self::Damaged {
                file: path,
                detail: WRONG_PAGE.to_owned(),
            };
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotAStore { file: path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged {
                file: path,
                detail: error.to_string(),
            },
            Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
                Self::Permission { path }
            }
            Some(ErrorCode::DiskFull) => Self::Full { path },
            _ => Self::Failed {
                path,
                detail: error.to_string(),
            },
        }
    }
}
