//! `build-index`: an index of a collection's field.

use matchbook_core::problem::{Kind, Violation};
use matchbook_store::Store;
use serde::{Deserialize, Serialize};

use super::step::{Piece, Stop};
use super::work::{collection, violation};
use crate::app::App;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) collection: String,
    field: String,
}

impl Asked {
    pub(super) fn check(&self) -> Vec<Violation> {
        let none = violation("/kind", "the store of this server has no indexes yet");
        let collection = collection(&self.collection).err();
        collection.into_iter().chain([none]).collect()
    }
}

/// One piece of the work on an index.
pub(super) async fn step<S: Store>(
    _: &App<S>,
    asked: &Asked,
    _: (&mut u64, &mut Option<u64>),
) -> Result<Piece, Stop> {
    let Asked { collection, field } = asked;
    let detail = format!("there is no index of '{field}' in {collection}");
    Err(Kind::Internal.because(detail).into())
}
