//! `delete-collection`: the direct members of a collection, in order of path. What comes
//! into being behind the place where it is stays.

use matchbook_core::problem::Violation;
use matchbook_core::query;
use matchbook_core::tag::Revision;
use matchbook_store::{Effect, Expected, Scan, Store, Write};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::step::{Piece, Stop};
use super::work::{collection, refuse};
use crate::app::App;

/// Documents that are deleted at a time: a commit that holds up others for some
/// milliseconds.
const PIECE: usize = 256;

/// Their bytes, which are read.
const PIECE_BYTES: usize = 4 * 1_024 * 1_024;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) collection: String,
}

/// Where it goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Place {
    /// The id of the last document that was looked at.
    after: Option<String>,
}

impl Asked {
    pub(super) fn check(&self) -> Vec<Violation> {
        collection(&self.collection).err().into_iter().collect()
    }
}

pub(super) async fn step<S: Store>(
    app: &App<S>,
    asked: &Asked,
    place: &mut Place,
    (done, total): (&mut u64, &mut Option<u64>),
) -> Result<Piece, Stop> {
    let collection = collection(&asked.collection).map_err(|fault| refuse(vec![fault]))?;
    let after = place.after.take().map(|id| query::Place {
        key: Vec::new(),
        id,
    });
    let scan = Scan {
        count: total.is_none(),
        at_least: Revision::ZERO,
        ..Scan::members(collection, after, PIECE, PIECE_BYTES)
    };
    let page = app.store.scan(scan).await?;
    *total = total.or(page.count);
    let writes: Vec<_> = page
        .items
        .iter()
        .map(|(path, document)| Write {
            path: path.clone(),
            expected: Expected::At(document.version.revision),
            effect: Effect::Delete,
        })
        .collect();
    *done += writes.len() as u64;
    place.after = page.next.map(|next| next.id);
    let result = place.after.is_none().then(|| json!({"deleted": *done}));
    Ok(Piece { writes, result })
}
