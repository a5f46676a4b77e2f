//! Connections to the database, each set up for what it does.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, OpenFlags, ffi};

use super::schema::PAGE_BYTES;

/// How long a connection waits for a lock. Nobody of ours holds one against another:
/// this is for someone who opened the file with another program.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(2);

/// Pages that the writer keeps, in KiB: the largest group of commits, so that SQLite
/// need not write pages out before the commit, and the upper levels of the indexes.
const WRITER_CACHE_KIB: i32 = 16 * 1_024;

/// Bytes that the write-ahead log keeps on disk when it starts over. It becomes longer
/// while a backup reads, and would stay so.
const WAL_KEPT_BYTES: i64 = 64 * 1_024 * 1_024;

/// Pages that each reader keeps, in KiB. Each commit empties them, so more than the
/// upper levels of the indexes does not pay.
const READER_CACHE_KIB: i32 = 2 * 1_024;

/// The connection that writes; makes the file if it is not there.
pub(super) fn writer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = matchbook_pages::open(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    set_up(&connection, WRITER_CACHE_KIB)?;
    Ok(connection)
}

/// Sets what is part of the file: the size of its pages, if it has none yet, and that
/// it has a write-ahead log.
pub(super) fn prepare_file(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    let mode = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", mode)?;
    if mode == "wal" {
        return Ok(());
    }
    let why = "this file system cannot hold a write-ahead log; choose a local one";
    let code = ffi::Error::new(ffi::SQLITE_IOERR);
    Err(rusqlite::Error::SqliteFailure(code, Some(why.to_owned())))
}

/// Brings what a process that crashed has left in the write-ahead log into the
/// database, and syncs it. What a failed sync left may be in the system's memory and
/// not on the disk; no later sync would write it, if it were not written anew.
pub(super) fn recover(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .wal_checkpoint_v2(None::<&str>, CheckpointMode::TRUNCATE)
        .map(drop)
}

/// Lets the database grow to so many bytes and no further.
pub(super) fn limit(connection: &Connection, bytes: u64) -> rusqlite::Result<()> {
    let page_bytes: u64 = connection
        .pragma_query_value(None, "page_size", |row| row.get::<_, u32>(0))?
        .into();
    let pages = i64::try_from(bytes / page_bytes.max(1)).unwrap_or(i64::MAX);
    connection.pragma_update(None, "max_page_count", pages)
}

/// The connection that copies the write-ahead log into the database.
pub(super) fn checkpointer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = matchbook_pages::open(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    set_up(&connection, READER_CACHE_KIB)?;
    Ok(connection)
}

/// A connection that only reads, and waits so long for a lock.
pub(super) fn reader(path: &Path, wait: Duration) -> rusqlite::Result<Connection> {
    let connection = matchbook_pages::open(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    set_up(&connection, READER_CACHE_KIB)?;
    connection.busy_timeout(wait)?;
    Ok(connection)
}

/// A connection as it is, to a file whose pages may have no checksums, as those of format 3
/// had none.
pub(super) fn any(path: &Path, flags: OpenFlags, is_sealed: bool) -> rusqlite::Result<Connection> {
    if is_sealed {
        matchbook_pages::open(path, flags)
    } else {
        Connection::open_with_flags(path, flags)
    }
}

/// The connection to a file of an older format, which is left as it is.
pub(super) fn unsealed(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = any(path, flags, false)?;
    set_up(&connection, WRITER_CACHE_KIB)?;
    Ok(connection)
}

/// The connection to a file that is being made, and synced as a whole before it has its name.
pub(super) fn partial(path: &Path, is_sealed: bool) -> rusqlite::Result<Connection> {
    let connection = any(path, OpenFlags::default(), is_sealed)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    Ok(connection)
}

fn set_up(connection: &Connection, cache_kib: i32) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_WAIT)?;
    // Without it the last to close would write and delete the log, also when a failed
    // sync has left it the only good copy.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // Or else SQLite, which is built with statistics, plans a read anew whenever other
    // values are bound: four times the cost of the read itself.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // On macOS a plain fsync does not reach the disk; elsewhere this does nothing.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES)?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)
}
