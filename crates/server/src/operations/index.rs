//! `build-index`: an index that a collection is set to have, built now and watched.

use matchbook_core::problem::{Kind, Violation};
use matchbook_core::query::field;
use matchbook_store::{Built, CommitError, Duplicates, Index, IndexState, Scan, Store};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::step::{Piece, Stop};
use super::work::{collection, refuse, violation};
use crate::app::App;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) collection: String,
    /// Spelled as settings spell it.
    field: String,
}

impl Asked {
    pub(super) fn check(&self) -> Vec<Violation> {
        let collection = collection(&self.collection).err();
        let field = field(&self.field).map_err(|fault| violation("/field", fault));
        collection.into_iter().chain(field.err()).collect()
    }
}

/// One piece of the work. The place to go on is the store's own, so that it does not matter
/// that others build at the same time.
pub(super) async fn step<S: Store>(
    app: &App<S>,
    asked: &Asked,
    (done, total): (&mut u64, &mut Option<u64>),
) -> Result<Piece, Stop> {
    let collection = collection(&asked.collection).map_err(|fault| refuse(vec![fault]))?;
    let field = field(&asked.field);
    let field = field.map_err(|fault| refuse(vec![violation("/field", fault)]))?;
    if total.is_none() {
        let mut scan = Scan::members(collection.clone(), None, 1, 1);
        scan.count = true;
        *total = app.store.scan(scan).await?.count;
    }
    let states = app.store.indexes(&collection);
    let standing = states.iter().find(|state| state.index.field == field);
    let is_ready = match standing {
        Some(IndexState { ready, .. }) => *ready,
        None => {
            let mut wanted = app.wanted(collection.as_str()).into_iter();
            let wanted = wanted.find(|index: &Index| index.field == field);
            let wanted = wanted.ok_or_else(|| {
                let detail = format!("{collection} is not set to have an index of this field");
                refuse(vec![violation("/field", detail)])
            })?;
            let added = app
                .store
                .alter_indexes(&collection, vec![wanted], Vec::new());
            added.await.map_err(failed)?;
            false
        }
    };
    if is_ready {
        *done = total.unwrap_or(*done);
        let result = Some(json!({"field": asked.field}));
        return Ok(Piece {
            writes: Vec::new(),
            result,
        });
    }
    match app.store.build_indexes(&collection).await.map_err(failed)? {
        Built::Part { members } => *done = total.map_or(0, |total| total.min(*done + members)),
        Built::All(duplicates) => unlike(&field, duplicates)?,
    }
    Ok(Piece {
        writes: Vec::new(),
        result: None,
    })
}

/// A unique index never becomes ready while members have equal values.
fn unlike(field: &matchbook_core::json::Pointer, duplicates: Vec<Duplicates>) -> Result<(), Stop> {
    let mut of_field = duplicates.into_iter().filter(|of| of.field == *field);
    match of_field.next() {
        None => Ok(()),
        Some(Duplicates { members, .. }) => {
            let detail = format!("{members} documents have a value that another has");
            Err(Kind::Invalid.because(detail).into())
        }
    }
}

fn failed(error: CommitError) -> Stop {
    if error == CommitError::Full {
        return Stop::Full;
    }
    tracing::error!(%error, "an index cannot be built");
    Kind::StoreUnavailable
        .because("the index cannot be built")
        .into()
}
