//! `export`: the documents of a collection, one a line.

use std::sync::Arc;

use matchbook_core::problem::{Kind, Problem, Violation};
use matchbook_core::query::{self, ListQuery, Query};
use matchbook_core::tag::Revision;
use matchbook_store::{Page, Scan, Store};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::id::Id;
use super::step::{Piece, Stop, with_files};
use super::work::{collection, refuse, violation};
use crate::app::App;
use crate::list::{SORTED_PIECE, SORTED_PIECE_BYTES, document_into, item_into};

/// Documents that are read at a time; each piece is synced to the disk.
const PIECE: usize = 1_024;

/// Bodies that are read at a time.
const PIECE_BYTES: usize = 1_024 * 1_024;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) collection: String,
    /// Filters, order and projection, as a list has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    /// Whether each line has path, tag and time around the document.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    items: bool,
}

/// Where an export goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Place {
    /// The last item that was written, as lists write it.
    after: Option<String>,
    /// How much of the file is good.
    bytes: u64,
    /// Documents that are not JSON.
    left_out: u64,
    /// The changes from here bring the whole to one state.
    cursor: Option<String>,
}

impl Asked {
    pub(super) fn check(&self) -> Vec<Violation> {
        let collection = collection(&self.collection).map(drop);
        let query = self.query().map(drop);
        [collection, query]
            .into_iter()
            .filter_map(Result::err)
            .collect()
    }

    fn query(&self) -> Result<Query, Violation> {
        let list = ListQuery::parse(self.query.as_deref());
        let list = list.map_err(|fault| violation("/query", fault))?;
        if list.is_paged || list.count {
            let whole = "an export is the whole: leave _limit, _after and _count out";
            return Err(violation("/query", whole));
        }
        Ok(list.query)
    }

    fn scan(&self, place: &Place, count: bool) -> Result<Scan, Problem> {
        let refused = |violation| refuse(vec![violation]);
        let collection = collection(&self.collection).map_err(refused)?;
        let query = self.query().map_err(refused)?;
        let after = place.after.as_deref().map(query::Place::from_token);
        let after = after.transpose();
        let after = after.map_err(|_| Kind::Internal.because("the place cannot be read"))?;
        let (limit, max_bytes) = match query.sort.is_empty() {
            true => (PIECE, PIECE_BYTES),
            false => (SORTED_PIECE, SORTED_PIECE_BYTES),
        };
        Ok(Scan {
            collection,
            query: Arc::new(query),
            after: after.map(|(place, _)| place),
            limit,
            max_bytes,
            count,
            at_least: Revision::ZERO,
            only: None,
        })
    }

    /// The lines of a page, and how many documents have none.
    fn lines(&self, page: &Page, query: &Query) -> (String, u64) {
        let mut text = String::new();
        let mut left_out = 0;
        for (path, document) in &page.items {
            let is_written = match self.items {
                true => item_into(&mut text, path, document, query, true),
                false => document_into(&mut text, document, query, true),
            };
            left_out += u64::from(!is_written);
            if is_written || self.items {
                text.push('\n');
            }
        }
        (text, left_out)
    }
}

pub(super) async fn step<S: Store>(
    app: &App<S>,
    id: Id,
    asked: &Asked,
    place: &mut Place,
    (done, total): (&mut u64, &mut Option<u64>),
) -> Result<Piece, Stop> {
    let scan = asked.scan(place, total.is_none())?;
    let query = Arc::clone(&scan.query);
    let page = app.store.scan(scan).await?;
    *total = total.or(page.count);
    place
        .cursor
        .get_or_insert_with(|| page.position.to_string());
    let (text, left_out) = asked.lines(&page, &query);
    let (files, after) = (app.operations.files.clone(), place.bytes);
    let bytes = text.len() as u64;
    with_files(move || files.append(&files.result(id), after, text.as_bytes())).await?;
    place.bytes += bytes;
    place.left_out += left_out;
    *done += page.items.len() as u64;
    let next = page.next.as_ref();
    place.after = next.map(|next| next.token(query.fingerprint(None)));
    let result = place.after.is_none().then(|| {
        json!({
            "content": id.result(),
            "documents": if asked.items { *done } else { *done - place.left_out },
            "left_out": if asked.items { 0 } else { place.left_out },
            "bytes": place.bytes,
            "cursor": place.cursor,
        })
    });
    Ok(Piece {
        writes: Vec::new(),
        result,
    })
}
