//! What a collection may hold: the store sees to it, since only it knows what stands at the
//! moment of a commit.

use matchbook_core::problem::{Kind, Problem};
use matchbook_store::{Batch, Excess, Measure, Quota};

use super::Rules;

impl Rules {
    /// What this collection, one of those that the rules are for, may hold.
    pub(crate) fn quota(&self, collection: &str) -> Option<Quota> {
        let is_set = self.max_documents.is_some() || self.max_bytes.is_some();
        is_set.then(|| Quota {
            collection: collection.into(),
            max_documents: self.max_documents,
            max_bytes: self.max_bytes,
        })
    }
}

/// Line 20, where it is the collection that is full.
pub(crate) fn full(batch: &Batch, excess: Excess) -> Problem {
    let collection = batch.writes.get(excess.index).map(|w| w.path.collection());
    let collection = collection.unwrap_or_default();
    let mut quotas = batch.quotas.iter();
    let quota = quotas.find(|quota| *quota.collection == *collection);
    let (most, unit) = match excess.measure {
        Measure::Documents => (quota.and_then(|quota| quota.max_documents), "documents"),
        Measure::Bytes => (quota.and_then(|quota| quota.max_bytes), "bytes"),
    };
    let most = most.unwrap_or_default();
    Kind::CollectionFull.because(format!("{collection} may hold {most} {unit}"))
}
