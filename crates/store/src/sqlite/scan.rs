//! Reading a collection: filtered, ordered, in pages.
//!
//! Rows are read in key order, each is checked and then put before the query, so that
//! no row is left out for a fault of the disk, and no filter or order has a second
//! meaning in SQL. An order other than that of the keys keeps the best of all rows in
//! a heap of one page; only their bodies are read again.
//!
//! No read transaction examines more than [`PIECE_ROWS`]: while one is open, the
//! write-ahead log cannot be started over. In key order the page then ends early, with
//! a place to go on. In another order, and for a count, the next piece is read in a
//! transaction of its own, and the page's position is that of the first: what changed
//! since is found in the changes from there.

use std::ops::ControlFlow;

use matchbook_core::feed::Content;
use matchbook_core::query::Place;
use matchbook_core::tag::Revision;
use rusqlite::Connection;

use super::lookup;
use super::page::{Best, Items};
use super::read::{Read, last, one, prepared, snapshot};
use super::row::{LogRow, columns, failed, number};
use super::shared::Shared;
use crate::{Page, ReadError, Scan};

/// Rows that one read transaction examines: some hundred milliseconds.
pub(super) const PIECE_ROWS: usize = 100_000;

/// Reads one page, and a position that holds all of it.
pub(super) fn page(
    connection: &Connection,
    shared: &Shared,
    scan: &Scan,
) -> Result<Read<Page>, ReadError> {
    let collection = Collection {
        connection,
        name: scan.collection.as_str(),
        piece_rows: PIECE_ROWS,
    };
    let by_index = lookup::page(connection, shared, scan)?;
    let mut read = match by_index {
        Some(read) => read,
        None if scan.query.sort.is_empty() => collection.in_key_order(shared, scan)?,
        None => collection.in_order(shared, scan)?,
    };
    if scan.count {
        let by_index = lookup::count(connection, shared, scan)?;
        read.found.count = Some(match by_index {
            Some(count) => count,
            None => collection.count(scan)?,
        });
        read.position = last(connection)?;
    }
    Ok(read)
}

struct Collection<'a> {
    connection: &'a Connection,
    name: &'a str,
    piece_rows: usize,
}

/// Where a piece of a collection ended.
enum End {
    /// The visitor had enough.
    Enough,
    /// The rows that a piece may examine are used up; go on after this id.
    Piece(String),
    /// No row is left.
    Collection,
}

impl Collection<'_> {
    /// Shows the rows after an id to a visitor, in key order, up to a piece.
    fn visit(
        &self,
        after: &str,
        mut visitor: impl FnMut(&LogRow<'_>) -> Result<ControlFlow<()>, ReadError>,
    ) -> Result<End, ReadError> {
        const ROWS: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM documents AS d LEFT JOIN log AS l ON l.revision = d.revision \
             WHERE d.collection = ?1 AND d.id > ?2 ORDER BY d.id"
        );
        let mut statement = prepared(self.connection, ROWS)?;
        let mut rows = statement
            .query((self.name, after))
            .map_err(|error| failed(&error))?;
        let mut examined = 0;
        while let Some(row) = rows.next().map_err(|error| failed(&error))? {
            let row = LogRow::read(row)?;
            if visitor(&row)?.is_break() {
                return Ok(End::Enough);
            }
            examined += 1;
            if examined >= self.piece_rows {
                return Ok(End::Piece(row.id.to_owned()));
            }
        }
        Ok(End::Collection)
    }

    fn in_key_order(&self, shared: &Shared, scan: &Scan) -> Result<Read<Page>, ReadError> {
        let _snapshot = snapshot(self.connection)?;
        let position = last(self.connection)?;
        let mut items = Items::new(scan);
        let after = scan.after.as_ref().map_or("", |place| &place.id);
        let end = self.visit(after, |row| {
            if selected(scan, row)?.is_some() {
                items.add(row, shared)
            } else {
                Ok(ControlFlow::Continue(()))
            }
        })?;
        let next = match end {
            End::Enough => items.last_id(),
            End::Piece(id) => Some(id),
            End::Collection => None,
        };
        let place = |id| Place {
            key: Vec::new(),
            id,
        };
        let found = items.page(shared, position, next.map(place));
        Ok(Read { found, position })
    }

    fn in_order(&self, shared: &Shared, scan: &Scan) -> Result<Read<Page>, ReadError> {
        let mut best = Best::after(scan);
        let mut first = None;
        self.pieces(|after| {
            if first.is_none() {
                first = Some(last(self.connection)?);
            }
            self.visit(after, |row| {
                if let Some(json) = selected(scan, row)? {
                    best.offer(scan.query.place(json, row.id), row.revision);
                }
                Ok(ControlFlow::Continue(()))
            })
        })?;
        let first = first.unwrap_or(Revision::ZERO);
        let found = best_page(self.connection, shared, scan, best, first)?;
        let position = last(self.connection)?;
        Ok(Read { found, position })
    }

    fn count(&self, scan: &Scan) -> Result<u64, ReadError> {
        if scan.query.filter.is_empty() && scan.only.is_none() {
            return self.count_all();
        }
        let mut count = 0;
        self.pieces(|after| {
            self.visit(after, |row| {
                count += u64::from(selected(scan, row)?.is_some());
                Ok(ControlFlow::Continue(()))
            })
        })?;
        Ok(count)
    }

    fn count_all(&self) -> Result<u64, ReadError> {
        const COUNT: &str = "SELECT count(*) FROM documents WHERE collection = ?1";
        let count: i64 = prepared(self.connection, COUNT)?
            .query_row([self.name], |row| row.get(0))
            .map_err(|error| failed(&error))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Reads the whole collection, each piece in a transaction of its own.
    fn pieces(
        &self,
        mut piece: impl FnMut(&str) -> Result<End, ReadError>,
    ) -> Result<(), ReadError> {
        let mut after = String::new();
        loop {
            let _snapshot = snapshot(self.connection)?;
            match piece(&after)? {
                End::Piece(id) => after = id,
                End::Enough | End::Collection => return Ok(()),
            }
        }
    }
}

/// The page of the best rows, as of a position.
pub(super) fn best_page(
    connection: &Connection,
    shared: &Shared,
    scan: &Scan,
    best: Best<'_>,
    position: Revision,
) -> Result<Page, ReadError> {
    let mut items = Items::new(scan);
    let mut end = None;
    let mut more = false;
    for (place, revision) in best.in_order() {
        let document = load_at(connection, revision, |row| items.add(row, shared))?;
        // It may have been superseded and trimmed since: the changes tell.
        if document.is_some_and(|added| added.is_break()) {
            more = true;
            break;
        }
        end = Some(place);
    }
    Ok(items.page(shared, position, end.filter(|_| more)))
}

/// Shows a row of the log to a visitor, if it is there.
fn load_at<T>(
    connection: &Connection,
    revision: Revision,
    visitor: impl FnOnce(&LogRow<'_>) -> Result<T, ReadError>,
) -> Result<Option<T>, ReadError> {
    const ROW: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM log AS l WHERE l.revision = ?1"
    );
    one(connection, ROW, [number(revision)], |row| {
        visitor(&LogRow::read(row)?)
    })
}

/// The row's JSON, `None` within if it has none, if the scan selects the row.
pub(super) fn selected<'a>(
    scan: &Scan,
    row: &LogRow<'a>,
) -> Result<Option<Option<&'a str>>, ReadError> {
    let query = &scan.query;
    if query.filter.is_empty() && query.sort.is_empty() && scan.only.is_none() {
        return Ok(Some(None));
    }
    let json = row.json();
    if !query.matches(json) {
        return Ok(None);
    }
    if let Some(only) = &scan.only {
        let content = json.map_or_else(
            || Content::Other {
                content_type: "",
                length_bytes: row.content.map_or(0, |content| content.body.len()),
            },
            |json| Content::Json(json.into()),
        );
        if !only.admits(&row.path()?, &content) {
            return Ok(None);
        }
    }
    Ok(Some(json))
}
