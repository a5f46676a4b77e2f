//! Opening a store: the lock, the file's format, a new epoch, the threads.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use matchbook_core::tag::{Epoch, Revision};
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::mpsc;

use super::checkpoint::{WalKeeper, measure};
use super::connection::BUSY_WAIT;
use super::directory::Directory;
use super::error::OpenError;
use super::history::History;
use super::indexes;
use super::points::Points;
use super::readers::Readers;
use super::row::{number, revision};
use super::schema;
use super::shared::Shared;
use super::upgrade::upgrade;
use super::wal;
use super::writer::{QUEUE, Writer};
use super::{Options, SqliteStore, connection};
use crate::Observer;

/// The first SQLite without the fault that could corrupt a database when its
/// write-ahead log was started over.
const OLDEST_SQLITE: i32 = 3_051_003;

/// Reads of single documents that wait for a thread. More wait for a place.
const POINT_PLACES: usize = 1_024;

/// Reads of lists and of the log that wait for a thread.
const SCAN_PLACES: usize = 64;

impl SqliteStore {
    /// Opens the store in a data directory, which is made if it is not there, and
    /// begins a new epoch, which is durable before this returns. Blocks.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        directory: &Path,
        options: Options,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, OpenError> {
        check_sqlite()?;
        let directory = Directory::lock(directory)?;
        let database = directory.database();
        wal::check(&directory.log())?;
        upgrade(&directory)?;
        let fail = |error: rusqlite::Error| OpenError::from_sqlite(&database, &error);
        let mut writer = connection::writer(&database).map_err(fail)?;
        check_format(&mut writer, &database)?;
        connection::recover(&writer).map_err(fail)?;
        if let Some(bytes) = options.max_bytes {
            connection::limit(&writer, bytes).map_err(fail)?;
        }
        let opening = begin_epoch(&mut writer).map_err(fail)?;
        let history = History::new(opening.epochs).ok_or_else(|| OpenError::Damaged {
            file: database.clone(),
            detail: "its table of epochs is malformed".to_owned(),
        })?;
        let shared = Arc::new(Shared::new(
            history,
            opening.applied,
            opening.horizon,
            options,
            observer,
        ));
        indexes::load(&writer, &shared.indexes).map_err(fail)?;
        measure(&shared, &database);
        let connections = |count: usize, wait: Duration| -> Result<Vec<_>, OpenError> {
            let connections: rusqlite::Result<_> = (0..count.max(1))
                .map(|_| connection::reader(&database, wait))
                .collect();
            connections.map_err(fail)
        };
        let readers = |name, count: usize, places| -> Result<_, OpenError> {
            Readers::start(name, connections(count, BUSY_WAIT)?, places)
                .map_err(|error| OpenError::from_io(&database, &error))
        };
        let here = thread::available_parallelism().map_or(1, usize::from);
        let points = Points::new(
            connections(here, Duration::ZERO)?,
            readers("matchbook-load", options.point_readers, POINT_PLACES)?,
        );
        let scans = readers("matchbook-scan", options.scan_readers, SCAN_PLACES)?;
        let (jobs, receiver) = mpsc::channel(QUEUE);
        let writer = start_writer(writer, directory, Arc::clone(&shared), receiver)
            .map_err(|error| OpenError::from_io(&database, &error))?;
        Ok(Self {
            shared,
            jobs,
            points,
            scans,
            writer: Mutex::new(Some(writer)),
        })
    }
}

fn check_sqlite() -> Result<(), OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(OpenError::OldSqlite {
            version: rusqlite::version(),
        });
    }
    Ok(())
}

/// Refuses what is no store of this format; makes an empty file one.
fn check_format(writer: &mut Connection, file: &Path) -> Result<(), OpenError> {
    let fail = |error: rusqlite::Error| OpenError::from_sqlite(file, &error);
    let ours = schema::identify(writer).map_err(fail)?.is_ours(file)?;
    // A backup is not in this mode until it is opened.
    connection::prepare_file(writer).map_err(fail)?;
    if !ours {
        let creation = random_epoch().map_err(|error| OpenError::from_io(file, &error))?;
        schema::create(writer, creation.as_str()).map_err(fail)?;
    }
    Ok(())
}

struct Opening {
    epochs: Vec<(Revision, Epoch)>,
    applied: Revision,
    horizon: Revision,
}

/// Begins the epoch of this opening (invariant 4 of the schema).
fn begin_epoch(writer: &mut Connection) -> rusqlite::Result<Opening> {
    let transaction = writer.transaction()?;
    let applied: Option<i64> =
        transaction.query_row("SELECT max(revision) FROM log", [], |row| row.get(0))?;
    let applied = revision(applied.unwrap_or_default());
    let first = number(applied).saturating_add(1);
    let epoch = loop {
        let epoch = random_epoch()
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        let known = transaction
            .query_row(
                "SELECT 1 FROM epochs WHERE name = ?1",
                [epoch.as_str()],
                |_| Ok(()),
            )
            .optional()?;
        if known.is_none() {
            break epoch;
        }
    };
    transaction.execute(
        "INSERT OR REPLACE INTO epochs VALUES (?1, ?2)",
        (first, epoch.as_str()),
    )?;
    let horizon = transaction.query_row("SELECT horizon FROM state", [], |row| row.get(0))?;
    let epochs = {
        let mut select =
            transaction.prepare("SELECT first_revision, name FROM epochs ORDER BY 1")?;
        let rows = select.query_map([], |row| {
            Ok((revision(row.get(0)?), row.get::<_, String>(1)?))
        })?;
        rows.map(|row| {
            let (first, name) = row?;
            let name = name.parse().map_err(|_| rusqlite::Error::InvalidQuery)?;
            Ok((first, name))
        })
        .collect::<rusqlite::Result<_>>()?
    };
    transaction.commit()?;
    Ok(Opening {
        epochs,
        applied,
        horizon: revision(horizon),
    })
}

fn random_epoch() -> io::Result<Epoch> {
    getrandom::u64()
        .map(Epoch::from_bits)
        .map_err(io::Error::other)
}

/// Starts the writing thread, which holds the directory's lock until it ends.
fn start_writer(
    mut connection: Connection,
    directory: Directory,
    shared: Arc<Shared>,
    mut jobs: mpsc::Receiver<super::Job>,
) -> io::Result<thread::JoinHandle<Directory>> {
    let (wal, copier) = WalKeeper::start(&mut connection, &directory.database(), &shared)?;
    thread::Builder::new()
        .name("matchbook-write".to_owned())
        .spawn(move || {
            match Writer::new(&connection, &shared, wal) {
                Ok(writer) => writer.run(&mut jobs),
                Err(error) => shared.observer.failed(&error.to_string()),
            }
            let _ = copier.join();
            finish(connection, &shared);
            directory
        })
}

/// Leaves the file without a write-ahead log, unless a commit's fate is unknown: then
/// the log may be the only good copy of what was acknowledged.
fn finish(connection: Connection, shared: &Shared) {
    use rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE as NO_COPY;
    if shared.writable.load(Ordering::Acquire)
        && let Err(error) = connection.set_db_config(NO_COPY, false)
    {
        shared.observer.failed(&error.to_string());
    }
    if let Err((_, error)) = connection.close() {
        shared.observer.failed(&error.to_string());
    }
}
