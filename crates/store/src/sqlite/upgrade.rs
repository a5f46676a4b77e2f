//! Bringing a file of an older format to this one.
//!
//! Up to format 3 pages had no checksums, and no room for any. Such a file is written anew
//! beside the old one, which stays as it was until the new one is whole and durable and takes
//! its place in the way of a restore ([`Directory::finish_restore`]).

use std::path::Path;

use rusqlite::Connection;

use super::backup::make_durable;
use super::connection;
use super::directory::Directory;
use super::error::OpenError;
use super::schema::{self, FORMAT, Identity};

/// Brings the database to this format, if it is older. Takes as much space as the documents
/// do, and for each gigabyte some seconds.
pub(super) fn upgrade(directory: &Directory) -> Result<(), OpenError> {
    let file = directory.database();
    let fail_io = |error| OpenError::from_io(&file, &error);
    if matchbook_pages::are_sealed(&file).map_err(fail_io)? {
        return Ok(());
    }
    let fail = |error| OpenError::from_sqlite(&file, &error);
    let old = connection::unsealed(&file).map_err(fail)?;
    let identity = schema::identify(&old).map_err(fail)?;
    identity.is_ours(&file)?;
    if identity == Identity::Store(FORMAT) {
        return Err(OpenError::Damaged {
            file,
            detail: "its header says that its pages have no checksums".to_owned(),
        });
    }
    let is_store = identity != Identity::Empty;
    make_durable(&directory.incoming(), |partial| {
        write_anew(&old, partial, is_store)
    })?;
    drop(old);
    directory.finish_restore()
}

fn write_anew(old: &Connection, to: &Path, is_store: bool) -> Result<(), OpenError> {
    let fail = |error| OpenError::from_sqlite(to, &error);
    matchbook_pages::reserve(old).map_err(fail)?;
    // A path need not be text.
    let name = to.as_os_str().as_encoded_bytes();
    old.execute("VACUUM INTO CAST(?1 AS TEXT)", [name])
        .map_err(fail)?;
    matchbook_pages::seal(to).map_err(|error| OpenError::from_io(to, &error))?;
    let mut new = connection::partial(to, true).map_err(fail)?;
    if is_store {
        schema::migrate(&mut new).map_err(fail)?;
    }
    new.close().map_err(|(_, error)| fail(error))
}
