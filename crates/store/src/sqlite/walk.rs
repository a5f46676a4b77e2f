//! A page in the order of one field, along the index on it.
//!
//! Entries stand in the order of keys and ids. Descending, the keys are taken from the last
//! to the first, and the ids of each as ever: ties are ordered by path in both directions.

use matchbook_core::query::{Place, SortKey};
use matchbook_core::tag::Revision;

use super::lookup::{CANDIDATES, Lookup};
use super::page::Items;
use super::read::{at_most, one, prepared};
use super::row::failed;
use super::scan::selected;
use crate::{Page, ReadError};

/// Entries that are read at a time.
const CHUNK: usize = 256;

/// Greater than all keys.
const BEYOND: &[u8] = &[u8::MAX];

/// A page along the index of this number; `None` if too few of the documents match the
/// filter for that to be worth it.
pub(super) fn page(
    lookup: &Lookup<'_>,
    number: i64,
    order: &SortKey,
    position: Revision,
) -> Result<Option<Page>, ReadError> {
    let (scan, shared) = (lookup.scan, lookup.shared);
    let mut walk = Walk::after(lookup, number, order.descending);
    let mut items = Items::new(scan);
    let mut last = None;
    let mut examined = 0;
    let mut is_full = false;
    while !is_full {
        let entries = walk.next()?;
        if entries.is_empty() {
            break;
        }
        examined += entries.len();
        if examined > CANDIDATES.saturating_add(scan.limit) {
            return Ok(None);
        }
        for (key, id) in entries {
            let added = lookup.visit(&id, |row| {
                let json = selected(scan, row)?;
                let place = json.map(|json| scan.query.place(json, row.id));
                // What is not where its value is would come twice.
                let place = place.filter(|place| place.key == directed(&key, order.descending));
                let added = place.map(|place| Ok((items.add(row, shared)?, place)));
                added.transpose()
            })?;
            match added.flatten() {
                Some((added, _)) if added.is_break() => {
                    is_full = true;
                    break;
                }
                Some((_, place)) => last = Some(place),
                None => {}
            }
        }
    }
    let mut page = items.page(shared, position, last.filter(|_| is_full));
    page.index = Some(order.field.clone());
    Ok(Some(page))
}

/// A key as places have it.
fn directed(key: &[u8], descending: bool) -> Vec<u8> {
    let mask = if descending { u8::MAX } else { 0 };
    key.iter().map(|byte| byte ^ mask).collect()
}

/// A way along the entries.
struct Walk<'a> {
    lookup: &'a Lookup<'a>,
    number: i64,
    descending: bool,
    key: Vec<u8>,
    id: String,
}

type Entry = (Vec<u8>, String);

impl<'a> Walk<'a> {
    /// From the place where the page before ended.
    fn after(lookup: &'a Lookup<'a>, number: i64, descending: bool) -> Self {
        let place = lookup.scan.after.clone().unwrap_or(Place {
            key: directed(if descending { BEYOND } else { &[] }, descending),
            id: String::new(),
        });
        Self {
            lookup,
            number,
            descending,
            key: directed(&place.key, descending),
            id: place.id,
        }
    }

    /// The next entries; none at the end.
    fn next(&mut self) -> Result<Vec<Entry>, ReadError> {
        let entries = if self.descending {
            self.down()?
        } else {
            self.up()?
        };
        if let Some((key, id)) = entries.last() {
            self.key.clone_from(key);
            self.id.clone_from(id);
        }
        Ok(entries)
    }

    fn up(&self) -> Result<Vec<Entry>, ReadError> {
        const UP: &str = "SELECT key, id FROM entries \
             WHERE number = ?1 AND (key, id) > (?2, ?3) ORDER BY key, id LIMIT ?4";
        let mut select = prepared(self.lookup.connection, UP)?;
        let parameters = (self.number, &self.key, &self.id, at_most(CHUNK));
        let entries = select.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)));
        let entries = entries.and_then(Iterator::collect);
        entries.map_err(|error| failed(&error))
    }

    fn down(&self) -> Result<Vec<Entry>, ReadError> {
        let mut entries = Vec::new();
        let (mut key, mut after) = (self.key.clone(), self.id.as_str());
        loop {
            let room = CHUNK - entries.len();
            let ids = self.lookup.point(self.number, &key, after, room)?;
            let is_all = ids.len() < room;
            entries.extend(ids.into_iter().map(|id| (key.clone(), id)));
            if !is_all {
                return Ok(entries);
            }
            match self.below(&key)? {
                Some(below) => (key, after) = (below, ""),
                None => return Ok(entries),
            }
        }
    }

    /// The next smaller key.
    fn below(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        const BELOW: &str = "SELECT max(key) FROM entries WHERE number = ?1 AND key < ?2";
        let below = one(self.lookup.connection, BELOW, (self.number, key), |row| {
            row.get(0).map_err(|error| failed(&error))
        })?;
        Ok(below.flatten())
    }
}
