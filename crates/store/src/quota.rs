//! What a collection may hold, and what it holds (guarantee 9).

use std::sync::Arc;

/// What a collection may hold, in direct members. A write that makes it hold more than
/// this and more than before is refused, so that deletions and shorter documents are
/// always taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The collection, as a canonical path.
    pub collection: Arc<str>,
    /// Most documents.
    pub max_documents: Option<u64>,
    /// Most bytes of all their bodies together.
    pub max_bytes: Option<u64>,
}

/// What a collection holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Documents.
    pub(crate) documents: u64,
    /// Bytes of their bodies.
    pub(crate) bytes: u64,
}

impl Quota {
    /// What there is too much of after a write that leads from the one to the other.
    pub(crate) fn exceeded(&self, before: Usage, after: Usage) -> Option<Measure> {
        let grows_over = |most: Option<u64>, before: u64, after: u64| {
            most.is_some_and(|most| after > most && after > before)
        };
        if grows_over(self.max_documents, before.documents, after.documents) {
            Some(Measure::Documents)
        } else if grows_over(self.max_bytes, before.bytes, after.bytes) {
            Some(Measure::Bytes)
        } else {
            None
        }
    }
}

/// What a quota counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Documents.
    Documents,
    /// Bytes of bodies.
    Bytes,
}

/// A write that would have made its collection hold more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    /// Its place in the batch.
    pub index: usize,
    /// Of what there would have been too much.
    pub measure: Measure,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_grows_over_a_quota_is_refused() {
        let quota = Quota {
            collection: "/c".into(),
            max_documents: Some(2),
            max_bytes: Some(10),
        };
        let usage = |documents, bytes| Usage { documents, bytes };
        let cases = [
            ((1, 5), (2, 10), None),
            ((2, 10), (3, 10), Some(Measure::Documents)),
            ((2, 10), (2, 11), Some(Measure::Bytes)),
            ((2, 5), (3, 11), Some(Measure::Documents)),
            // There was too much before.
            ((9, 90), (8, 80), None),
            ((9, 90), (9, 90), None),
            ((9, 90), (9, 89), None),
            ((9, 90), (9, 91), Some(Measure::Bytes)),
            ((9, 90), (10, 90), Some(Measure::Documents)),
        ];
        for (before, after, expected) in cases {
            let (before, after) = (usage(before.0, before.1), usage(after.0, after.1));
            assert_eq!(
                quota.exceeded(before, after),
                expected,
                "{before:?} {after:?}"
            );
        }
    }
}
