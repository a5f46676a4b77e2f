//! Checksums for the pages of an SQLite database.
//!
//! SQLite verifies the frames of its write-ahead log, but not the pages of the database: a
//! bit that a disk returns wrong may change a value, or leave a tree that looks sound and
//! lacks rows. A database that is opened here keeps the last [`CHECKSUM_BYTES`] of each page
//! for a checksum of the page and its number. It is computed when the page is written to the
//! database file and verified when it is read from there; a page that is not what was
//! written fails the statement that needs it ([`is_damage`]).
//!
//! What this does not find: a write that the disk acknowledged and never made, because what
//! was there before is sound; and bits that change in memory.

mod page;
#[expect(
    unsafe_code,
    reason = "SQLite calls its file systems with C's pointers; there is no safe way to be one"
)]
mod vfs;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

pub use page::{CHECKSUM_BYTES, PAGE_BYTES};
use rusqlite::{Connection, Error, OpenFlags, ffi};

/// Where the header of a database says how many bytes at the end of each page are not
/// SQLite's (<https://www.sqlite.org/fileformat.html#the_database_header>, offset 20).
const RESERVED_AT: usize = 20;

/// What each database begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Opens a database whose pages have checksums, or makes an empty file one.
///
/// # Errors
/// Those of [`Connection::open_with_flags`].
pub fn open(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags_and_vfs(path, flags, vfs::register()?)?;
    reserve(&connection)?;
    Ok(connection)
}

/// Lets SQLite leave room for checksums in the pages of a file that it makes: an empty one
/// that is opened, or the target of `VACUUM INTO`.
///
/// # Errors
/// Those of SQLite.
pub fn reserve(connection: &Connection) -> rusqlite::Result<()> {
    vfs::reserve(connection)
}

/// Whether the pages of a database have checksums. A file that SQLite has not begun yet will
/// have; what is no database has none.
///
/// # Errors
/// Those of reading the file.
pub fn are_sealed(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        file => file?,
    };
    let mut header = Vec::new();
    file.take(RESERVED_AT as u64 + 1).read_to_end(&mut header)?;
    // The first page may still be in the write-ahead log alone.
    let is_begun = header.iter().any(|byte| *byte != 0);
    let is_database = header.starts_with(MAGIC);
    let reserved = header.get(RESERVED_AT).copied().map(usize::from);
    Ok(!is_begun || is_database && reserved == Some(CHECKSUM_BYTES))
}

/// Gives the pages of a closed database their checksums, for which room must have been left.
/// Nothing of it is synced.
///
/// # Errors
/// Those of reading and writing the file.
pub fn seal(path: &Path) -> io::Result<()> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let pages = file.metadata()?.len() / PAGE_BYTES as u64;
    let mut page = [0; PAGE_BYTES];
    for index in 0..pages {
        let at = SeekFrom::Start(index * PAGE_BYTES as u64);
        file.seek(at)?;
        file.read_exact(&mut page)?;
        page::seal(page::number(index), &mut page);
        file.seek(at)?;
        file.write_all(&page)?;
    }
    Ok(())
}

/// Whether a statement failed because a page is not what was written.
#[must_use]
pub fn is_damage(error: &Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    code == Some(ffi::SQLITE_IOERR_DATA)
}

#[cfg(test)]
mod tests;
