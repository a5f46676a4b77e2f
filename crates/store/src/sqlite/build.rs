//! Building indexes and taking them down, a piece at a time, within the writer's
//! transaction.
//!
//! What a piece comes to depends on the state of the store alone, on no clock: a replicated
//! log of pieces does the same everywhere.

use matchbook_core::name::CollectionPath;
use rusqlite::{Connection, OptionalExtension};

use super::entries::{Entries, Standing};
use super::indexes::{Known, Stage, of_collection};
use super::read::at_most;
use super::row::{LogRow, columns};
use crate::{Built, Duplicates, Index, ReadError};

/// Members that a piece brings into an index, in a few milliseconds, so that a commit that
/// waits behind it hardly notices.
const PIECE_MEMBERS: u64 = 256;

/// Bytes of their bodies, after which a piece ends.
const PIECE_BYTES: usize = 1_024 * 1_024;

/// Entries that a piece takes down.
const PIECE_ENTRIES: usize = 1_024;

/// Changes which indexes a collection is to have; what it has then.
pub(super) fn alter(
    connection: &Connection,
    collection: &str,
    add: &[Index],
    take: &[Index],
) -> rusqlite::Result<Vec<Known>> {
    let known = of_collection(connection, collection)?;
    let wanted = || known.iter().filter(|known| known.stage != Stage::Dropped);
    for known in wanted().filter(|known| take.contains(&known.index)) {
        connection
            .prepare_cached("UPDATE indexes SET is_wanted = 0 WHERE number = ?1")?
            .execute([known.number])?;
    }
    let first: Option<String> = connection
        .prepare_cached("SELECT id FROM documents WHERE collection = ?1 LIMIT 1")?
        .query_row([collection], |row| row.get(0))
        .optional()?;
    // All of no members are in it.
    let built = first.map(|_| "");
    let stays =
        |index: &Index| !take.contains(index) && wanted().any(|known| known.index == *index);
    for index in add.iter().filter(|index| !stays(index)) {
        connection
            .prepare_cached("INSERT INTO indexes VALUES (NULL, ?1, ?2, ?3, 1, ?4, 0)")?
            .execute((collection, index.field.to_string(), index.unique, built))?;
    }
    of_collection(connection, collection)
}

/// Does one piece of the work on a collection's indexes; what it has then.
pub(super) fn piece(
    connection: &Connection,
    entries: &mut Entries<'_>,
    collection: &CollectionPath,
) -> rusqlite::Result<(Built, Vec<Known>)> {
    let collection = collection.as_str();
    let known = of_collection(connection, collection)?;
    let mut unfinished = known.iter().filter(|known| known.stage != Stage::Ready);
    let built = match unfinished.next() {
        None => Built::All(duplicates(connection, collection)?),
        Some(known) => match &known.stage {
            Stage::Building(after) => {
                let members = build(connection, entries, collection, known, after)?;
                Built::Part { members }
            }
            Stage::Ready | Stage::Dropped => {
                take_down(connection, known.number)?;
                Built::Part { members: 0 }
            }
        },
    };
    Ok((built, of_collection(connection, collection)?))
}

/// Brings the next members into an index; how many.
fn build(
    connection: &Connection,
    entries: &mut Entries<'_>,
    collection: &str,
    known: &Known,
    after: &str,
) -> rusqlite::Result<u64> {
    const MEMBERS: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM documents AS d LEFT JOIN log AS l ON l.revision = d.revision \
         WHERE d.collection = ?1 AND d.id > ?2 ORDER BY d.id"
    );
    let mut select = connection.prepare_cached(MEMBERS)?;
    let mut rows = select.query((collection, after))?;
    let (mut members, mut bytes) = (0, 0);
    let mut built = None;
    while let Some(row) = rows.next()? {
        if members >= PIECE_MEMBERS || bytes >= PIECE_BYTES {
            connection
                .prepare_cached("UPDATE indexes SET built = ?2 WHERE number = ?1")?
                .execute((known.number, built))?;
            return Ok(members);
        }
        let row = LogRow::read(row).map_err(unreadable)?;
        let standing = Standing::of(&known.index, row.json());
        entries.add(known, &standing, row.id)?;
        members += 1;
        bytes += row.content.map_or(0, |content| content.body.len());
        built = Some(row.id.to_owned());
    }
    connection
        .prepare_cached("UPDATE indexes SET built = NULL WHERE number = ?1")?
        .execute([known.number])?;
    Ok(members)
}

fn unreadable(error: ReadError) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

/// Takes the next entries of an index that is not wanted away, and at last itself.
fn take_down(connection: &Connection, number: i64) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM entries WHERE (number, key, id) IN \
         (SELECT number, key, id FROM entries WHERE number = ?1 LIMIT ?2)",
    )?;
    for number in [number, -number] {
        if delete.execute((number, at_most(PIECE_ENTRIES)))? >= PIECE_ENTRIES {
            return Ok(());
        }
    }
    connection
        .prepare_cached("DELETE FROM indexes WHERE number = ?1")?
        .execute([number])
        .map(drop)
}

/// What unique indexes found that they would not have let be.
fn duplicates(connection: &Connection, collection: &str) -> rusqlite::Result<Vec<Duplicates>> {
    let mut found = Vec::new();
    for known in of_collection(connection, collection)? {
        let members: i64 = connection
            .prepare_cached("SELECT duplicates FROM indexes WHERE number = ?1")?
            .query_row([known.number], |row| row.get(0))?;
        let members = u64::try_from(members).unwrap_or_default();
        if known.index.unique && members > 0 {
            let field = known.index.field;
            found.push(Duplicates { field, members });
        }
    }
    Ok(found)
}
