//! Which documents are begun and not yet finished: where a stopped import goes on.

use std::collections::BTreeSet;
use std::sync::Mutex;

/// Numbers of documents that were read, and of those that are not finished.
///
/// Invariant: every number below [`Ledger::first_open`] is finished.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Open>);

#[derive(Default)]
struct Open {
    numbers: BTreeSet<u64>,
    last: u64,
}

impl Ledger {
    /// A document was read; numbers grow.
    pub(crate) fn begin(&self, number: u64) {
        if let Ok(mut open) = self.0.lock() {
            open.numbers.insert(number);
            open.last = number;
        }
    }

    /// It is saved, or refused for good.
    pub(crate) fn finish(&self, number: u64) {
        if let Ok(mut open) = self.0.lock() {
            open.numbers.remove(&number);
        }
    }

    /// The first number that is not finished.
    pub(crate) fn first_open(&self) -> u64 {
        let Ok(open) = self.0.lock() else {
            return 1;
        };
        open.numbers.first().copied().unwrap_or(open.last + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_goes_on_at_the_first_unfinished_document() {
        let ledger = Ledger::default();
        assert_eq!(ledger.first_open(), 1);
        for number in [1, 2, 4, 7] {
            ledger.begin(number);
        }
        ledger.finish(4);
        ledger.finish(1);
        assert_eq!(ledger.first_open(), 2);
        ledger.finish(2);
        assert_eq!(ledger.first_open(), 7);
        ledger.finish(7);
        assert_eq!(ledger.first_open(), 8);
    }
}
