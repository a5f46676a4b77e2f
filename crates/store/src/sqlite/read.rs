//! Reads of single documents and of the collections' names, on a reader's thread.

use std::sync::Arc;

use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::tag::Revision;
use rusqlite::{Connection, OptionalExtension, Row};

use super::cache::Generation;
use super::row::{COLUMNS, LogRow, columns, corrupt, failed, number, revision};
use super::shared::Shared;
use crate::{Document, ReadError};

/// What was read, and a position that holds all of it.
pub(super) struct Read<T> {
    pub(super) found: T,
    pub(super) position: Revision,
}

/// The document as it stands.
pub(super) fn load(
    connection: &Connection,
    shared: &Shared,
    path: &DocumentPath,
) -> Result<Read<Option<Arc<Document>>>, ReadError> {
    let generation = shared.cache.generation(path);
    let found = stored(connection, shared, path, generation)?;
    let position = match &found {
        Some(document) => document.version.revision,
        None => last(connection)?,
    };
    Ok(Read { found, position })
}

/// As many of the first documents as have so many bytes, and at least one.
pub(super) fn load_all(
    connection: &Connection,
    shared: &Shared,
    paths: &[DocumentPath],
    max_bytes: usize,
) -> Result<Read<Vec<Option<Arc<Document>>>>, ReadError> {
    // Before the snapshot: whatever changes a document after this keeps what the snapshot has
    // of it out of the cache.
    let generations: Vec<_> = paths
        .iter()
        .map(|path| shared.cache.generation(path))
        .collect();
    let transaction = snapshot(connection)?;
    let mut position = last(&transaction)?;
    let mut found = Vec::with_capacity(paths.len());
    let mut bytes = 0;
    for (path, generation) in paths.iter().zip(generations) {
        let document = match shared.cache.get(path) {
            Some(document) => Some(document),
            None => stored(&transaction, shared, path, generation)?,
        };
        if let Some(document) = &document {
            bytes += document.body.len();
            if bytes > max_bytes && !found.is_empty() {
                break;
            }
            position = position.max(document.version.revision);
        }
        found.push(document);
    }
    Ok(Read { found, position })
}

/// The document as the file has it; the cache gets it too, unless it has changed since its
/// `generation` was read, which is before the transaction that this reads in began.
fn stored(
    connection: &Connection,
    shared: &Shared,
    path: &DocumentPath,
    generation: Generation,
) -> Result<Option<Arc<Document>>, ReadError> {
    const LOAD: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM documents AS d LEFT JOIN log AS l ON l.revision = d.revision \
         WHERE d.collection = ?1 AND d.id = ?2"
    );
    let found = one(connection, LOAD, (path.collection(), path.id()), |row| {
        let row = LogRow::read(row)?;
        if row.is_of(path) {
            row.document(shared)
                .map(Arc::new)
                .ok_or_else(|| corrupt("a document's entry is a deletion"))
        } else {
            Err(corrupt("a document's entry is another document's"))
        }
    })?;
    if let Some(document) = &found {
        shared.cache.add(path, generation, document);
    }
    Ok(found)
}

/// The document as one entry of the log made it.
pub(super) fn load_version(
    connection: &Connection,
    shared: &Shared,
    path: &DocumentPath,
    at: Revision,
) -> Result<Option<Arc<Document>>, ReadError> {
    const LOAD: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM log AS l WHERE l.revision = ?1"
    );
    let found = one(connection, LOAD, [number(at)], |row| {
        let row = LogRow::read(row)?;
        Ok(row.document(shared).filter(|_| row.is_of(path)))
    })?;
    Ok(found.flatten().map(Arc::new))
}

/// The collections that have members, each found by one step in the index.
pub(super) fn collections(
    connection: &Connection,
    after: Option<&CollectionPath>,
    limit: usize,
) -> Result<Read<Vec<CollectionPath>>, ReadError> {
    const STEP: &str = "
        WITH RECURSIVE step (name) AS (
            SELECT min(collection) FROM documents WHERE collection > ?1
            UNION ALL
            SELECT (SELECT min(collection) FROM documents WHERE collection > step.name)
            FROM step WHERE step.name IS NOT NULL
        )
        SELECT name FROM step WHERE name IS NOT NULL AND name NOT GLOB '/_/*' LIMIT ?2";
    let after = after.map_or("", CollectionPath::as_str);
    let limit = at_most(limit);
    let mut step = prepared(connection, STEP)?;
    let mut rows = step.query((after, limit)).map_err(|error| failed(&error))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(|error| failed(&error))? {
        let name = row.get_ref(0).ok().and_then(|name| name.as_str().ok());
        let name = name.and_then(|name| CollectionPath::parse(name).ok());
        found.push(name.ok_or_else(|| corrupt("a collection's name is malformed"))?);
    }
    drop(rows);
    let position = last(connection)?;
    Ok(Read { found, position })
}

/// A read transaction that ends when dropped.
pub(super) fn snapshot(connection: &Connection) -> Result<rusqlite::Transaction<'_>, ReadError> {
    connection
        .unchecked_transaction()
        .map_err(|error| failed(&error))
}

/// The position of the log (invariant 1 of the schema).
pub(super) fn last(connection: &Connection) -> Result<Revision, ReadError> {
    let last = one(connection, "SELECT max(revision) FROM log", [], |row| {
        row.get::<_, Option<i64>>(0).map_err(|error| failed(&error))
    })?;
    Ok(revision(last.flatten().unwrap_or_default()))
}

/// How many rows to read, as SQLite takes it.
pub(super) fn at_most(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

pub(super) fn prepared<'c>(
    connection: &'c Connection,
    sql: &str,
) -> Result<rusqlite::CachedStatement<'c>, ReadError> {
    connection
        .prepare_cached(sql)
        .map_err(|error| failed(&error))
}

/// The first row of a result, if it has one.
pub(super) fn one<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, ReadError>,
) -> Result<Option<T>, ReadError> {
    prepared(connection, sql)?
        .query_row(parameters, |row| Ok(read(row)))
        .optional()
        .map_err(|error| failed(&error))?
        .transpose()
}

const _: () = assert!(COLUMNS == 12, "as many as `columns!` names");
