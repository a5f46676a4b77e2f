//! Reading a collection through an index.
//!
//! An index says which documents to look at. Each of them is then read, checked and put
//! before the query as a scan does, so that the page is the same but for the time that it
//! takes (guarantee 8). What no index narrows enough is left to the scan.

use std::ops::ControlFlow;

use matchbook_core::json::Pointer;
use matchbook_core::query::{Keys, Place};
use matchbook_core::tag::Revision;
use rusqlite::Connection;

use super::indexes::{Known, Stage, of_collection};
use super::page::{Best, Items};
use super::read::{Read, at_most, last, one, prepared, snapshot};
use super::row::{LogRow, columns, failed};
use super::scan::{PIECE_ROWS, best_page, selected};
use super::shared::Shared;
use super::walk;
use crate::{Page, ReadError, Scan};

/// Documents that an index may come to without an order that the page can use. To look
/// each of them up costs more than to pass a row in a scan; so many cost as much as a scan
/// that finds a page's worth among a million.
pub(super) const CANDIDATES: usize = 16_384;

/// Entries that are counted to tell which of several indexes narrows most.
const PROBE: usize = 1_024;

/// Entries of one value that are read at a time.
const CHUNK: usize = 512;

/// A page, if an index helps to find it.
pub(super) fn page(
    connection: &Connection,
    shared: &Shared,
    scan: &Scan,
) -> Result<Option<Read<Page>>, ReadError> {
    let lookup = Lookup {
        connection,
        shared,
        scan,
    };
    if !lookup.may_help() {
        return Ok(None);
    }
    let _snapshot = snapshot(connection)?;
    let position = last(connection)?;
    let found = lookup.page(position)?;
    Ok(found.map(|found| Read { found, position }))
}

/// How many match in all, if an index helps to count them.
pub(super) fn count(
    connection: &Connection,
    shared: &Shared,
    scan: &Scan,
) -> Result<Option<u64>, ReadError> {
    let lookup = Lookup {
        connection,
        shared,
        scan,
    };
    if !lookup.may_help() || scan.query.filter.is_empty() {
        return Ok(None);
    }
    let _snapshot = snapshot(connection)?;
    let ready = lookup.ready()?;
    let narrow = lookup.narrowest(&ready)?;
    let ids = narrow.map(|narrow| lookup.all(&narrow)).transpose()?;
    let Some(ids) = ids.flatten() else {
        return Ok(None);
    };
    let mut count = 0;
    for id in ids {
        let is_selected = lookup.visit(&id, |row| Ok(selected(scan, row)?.is_some()))?;
        count += u64::from(is_selected == Some(true));
    }
    Ok(Some(count))
}

/// One question to the indexes of a collection.
pub(super) struct Lookup<'a> {
    pub(super) connection: &'a Connection,
    pub(super) shared: &'a Shared,
    pub(super) scan: &'a Scan,
}

/// What an index is asked for.
struct Narrow<'a> {
    number: i64,
    field: &'a Pointer,
    keys: Keys,
}

/// Ids in order, and the one up to which all are here, if more follow.
struct Chunk {
    ids: Vec<String>,
    until: Option<String>,
}

impl Lookup<'_> {
    fn may_help(&self) -> bool {
        let query = &self.scan.query;
        (!query.filter.is_empty() || query.sort.len() == 1)
            && self.shared.indexes.of(self.collection()).is_some()
    }

    fn collection(&self) -> &str {
        self.scan.collection.as_str()
    }

    /// The indexes that all members are in, as of this snapshot.
    fn ready(&self) -> Result<Vec<Known>, ReadError> {
        let known = of_collection(self.connection, self.collection());
        let mut known = known.map_err(|error| failed(&error))?;
        known.retain(|known| known.stage == Stage::Ready);
        Ok(known)
    }

    fn page(&self, position: Revision) -> Result<Option<Page>, ReadError> {
        let ready = self.ready()?;
        let sort = self.scan.query.sort.as_slice();
        if let Some(narrow) = self.narrowest(&ready)? {
            let found = if sort.is_empty() {
                self.in_key_order(&narrow, position)?
            } else {
                self.in_order(&narrow, position)?
            };
            if let Some(mut page) = found {
                page.index = Some(narrow.field.clone());
                return Ok(Some(page));
            }
        }
        let [key] = sort else {
            return Ok(None);
        };
        let mut ready = ready.iter();
        match ready.find(|known| known.index.field == key.field) {
            Some(known) => walk::page(self, known.number, key, position),
            None => Ok(None),
        }
    }

    /// The index that leaves the least to look at.
    fn narrowest<'k>(&self, ready: &'k [Known]) -> Result<Option<Narrow<'k>>, ReadError> {
        let narrow = ready.iter().filter_map(|known| {
            let field = &known.index.field;
            let keys = self.scan.query.keys(field)?;
            Some(Narrow {
                number: known.number,
                field,
                keys,
            })
        });
        let mut narrow: Vec<_> = narrow.collect();
        if narrow.len() > 1 {
            let mut sized = Vec::with_capacity(narrow.len());
            for narrow in narrow {
                let size = self
                    .some(&narrow, PROBE)?
                    .map_or(usize::MAX, |ids| ids.len());
                sized.push((size, narrow));
            }
            sized.sort_by_key(|(size, _)| *size);
            narrow = sized.into_iter().map(|(_, narrow)| narrow).collect();
        }
        Ok(narrow.into_iter().next())
    }

    /// In order of path: of single values, entries are in this order already.
    fn in_key_order(
        &self,
        narrow: &Narrow<'_>,
        position: Revision,
    ) -> Result<Option<Page>, ReadError> {
        let scan = self.scan;
        let mut items = Items::new(scan);
        let mut after = scan.after.as_ref().map_or("", |place| &place.id).to_owned();
        let mut examined = 0;
        let next = loop {
            let Some(chunk) = self.chunk(narrow, &after)? else {
                return Ok(None);
            };
            let mut is_full = false;
            for id in &chunk.ids {
                let added = self.visit(id, |row| match selected(scan, row)? {
                    Some(_) => items.add(row, self.shared),
                    None => Ok(ControlFlow::Continue(())),
                })?;
                is_full = added.is_some_and(|added| added.is_break());
                if is_full {
                    break;
                }
            }
            examined += chunk.ids.len();
            match chunk.until {
                _ if is_full => break items.last_id(),
                None => break None,
                Some(until) if examined >= PIECE_ROWS => break Some(until),
                Some(until) => after = until,
            }
        };
        let place = |id| Place {
            key: Vec::new(),
            id,
        };
        Ok(Some(items.page(self.shared, position, next.map(place))))
    }

    /// In another order: of all candidates, the best.
    fn in_order(&self, narrow: &Narrow<'_>, position: Revision) -> Result<Option<Page>, ReadError> {
        let Some(ids) = self.all(narrow)? else {
            return Ok(None);
        };
        let query = &self.scan.query;
        let mut best = Best::after(self.scan);
        for id in ids {
            self.visit(&id, |row| {
                if let Some(json) = selected(self.scan, row)? {
                    best.offer(query.place(json, row.id), row.revision);
                }
                Ok(())
            })?;
        }
        best_page(self.connection, self.shared, self.scan, best, position).map(Some)
    }

    /// The next ids after this one; `None` if they are too many to be put in order.
    fn chunk(&self, narrow: &Narrow<'_>, after: &str) -> Result<Option<Chunk>, ReadError> {
        let Keys::Points(points) = &narrow.keys else {
            let all = self.all(narrow)?;
            return Ok(all.map(|mut ids| {
                ids.retain(|id| id.as_str() > after);
                Chunk { ids, until: None }
            }));
        };
        let limit = CHUNK.min(CANDIDATES / points.len().max(1)).max(1);
        let (mut ids, mut until) = (Vec::new(), None);
        for point in points {
            let of_point = self.point(narrow.number, point, after, limit)?;
            if of_point.len() >= limit {
                let end = of_point.last().cloned();
                until = end.into_iter().chain(until).min();
            }
            ids.extend(of_point);
        }
        if let Some(until) = &until {
            ids.retain(|id| id <= until);
        }
        Ok(Some(Chunk {
            ids: in_order(ids),
            until,
        }))
    }

    /// All ids; `None` if they are more than are worth it.
    fn all(&self, narrow: &Narrow<'_>) -> Result<Option<Vec<String>>, ReadError> {
        self.some(narrow, CANDIDATES)
    }

    /// All ids, if they are at most so many.
    fn some(&self, narrow: &Narrow<'_>, most: usize) -> Result<Option<Vec<String>>, ReadError> {
        let mut ids = Vec::new();
        match &narrow.keys {
            Keys::Points(points) => {
                for point in points {
                    let limit = most + 1 - ids.len();
                    ids.extend(self.point(narrow.number, point, "", limit)?);
                    if ids.len() > most {
                        return Ok(None);
                    }
                }
            }
            Keys::Range(from, until) => {
                // To step over entries costs far less than to take their ids.
                const BEYOND: &str = "SELECT 1 FROM entries \
                     WHERE number = ?1 AND key >= ?2 AND key < ?3 LIMIT 1 OFFSET ?4";
                const RANGE: &str = "SELECT id FROM entries \
                     WHERE number = ?1 AND key >= ?2 AND key < ?3";
                let most = (narrow.number, from, until, at_most(most));
                let beyond = one(self.connection, BEYOND, most, |_| Ok(()))?;
                if beyond.is_some() {
                    return Ok(None);
                }
                ids = ids_of(self.connection, RANGE, (narrow.number, from, until))?;
            }
        }
        Ok(Some(in_order(ids)))
    }

    /// The ids of one value, after this one.
    pub(super) fn point(
        &self,
        number: i64,
        key: &[u8],
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>, ReadError> {
        const POINT: &str = "SELECT id FROM entries \
             WHERE number = ?1 AND key = ?2 AND id > ?3 ORDER BY id LIMIT ?4";
        ids_of(self.connection, POINT, (number, key, after, at_most(limit)))
    }

    /// Shows a member to a visitor, if it is there.
    pub(super) fn visit<T>(
        &self,
        id: &str,
        visitor: impl FnOnce(&LogRow<'_>) -> Result<T, ReadError>,
    ) -> Result<Option<T>, ReadError> {
        const ROW: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM documents AS d LEFT JOIN log AS l ON l.revision = d.revision \
             WHERE d.collection = ?1 AND d.id = ?2"
        );
        one(self.connection, ROW, (self.collection(), id), |row| {
            visitor(&LogRow::read(row)?)
        })
    }
}

fn ids_of(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<String>, ReadError> {
    let mut select = prepared(connection, sql)?;
    let ids = select.query_map(parameters, |row| row.get(0));
    ids.and_then(Iterator::collect)
        .map_err(|error| failed(&error))
}

fn in_order(mut ids: Vec<String>) -> Vec<String> {
    ids.sort_unstable();
    ids.dedup();
    ids
}
