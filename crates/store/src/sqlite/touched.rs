//! When each collection was last touched, in memory (contract §6: an unchanged
//! collection is a 304 without a scan).
//!
//! Only this opening's writes are held, and only for so many collections. For any
//! other the answer is the *floor*: not earlier than the last write to any collection
//! that is not held. That errs towards 'touched', which costs a scan and no more.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use matchbook_core::tag::Revision;

/// Collections held. At about 100 bytes each, 6 MiB.
const HELD: usize = 64 * 1_024;

#[derive(Debug)]
pub(super) struct Touched(RwLock<Held>);

#[derive(Debug)]
struct Held {
    last: HashMap<Box<str>, Revision>,
    floor: Revision,
    most: usize,
}

impl Touched {
    pub(super) fn new(opening: Revision) -> Self {
        Self::holding(opening, HELD)
    }

    fn holding(floor: Revision, most: usize) -> Self {
        Self(RwLock::new(Held {
            last: HashMap::new(),
            floor,
            most,
        }))
    }

    /// A revision not earlier than the last write to a member of the collection.
    pub(super) fn get(&self, collection: &str) -> Revision {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        held.last.get(collection).copied().unwrap_or(held.floor)
    }

    /// Notes writes, in ascending order of revision.
    pub(super) fn note<'a>(&self, writes: impl Iterator<Item = (&'a str, Revision)>) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (collection, revision) in writes {
            match held.last.get_mut(collection) {
                Some(last) => *last = revision,
                None => held.add(collection, revision),
            }
        }
    }
}

impl Held {
    fn add(&mut self, collection: &str, revision: Revision) {
        if self.last.len() >= self.most {
            self.forget_the_older_half();
        }
        self.last.insert(collection.into(), revision);
    }

    fn forget_the_older_half(&mut self) {
        let mut revisions: Vec<_> = self.last.values().copied().collect();
        let middle = revisions.len() / 2;
        let (_, &mut floor, _) = revisions.select_nth_unstable(middle);
        self.floor = self.floor.max(floor);
        self.last.retain(|_, revision| *revision > floor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn never_earlier_than_the_last_write_and_never_back(
            writes in proptest::collection::vec(0_u8..20, 1..200),
        ) {
            let touched = Touched::holding(Revision::new(5).unwrap(), 8);
            let mut last = HashMap::new();
            let mut answers = HashMap::new();
            for (revision, collection) in (6..).zip(writes) {
                let revision = Revision::new(revision).unwrap();
                let name = collection.to_string();
                touched.note([(name.as_str(), revision)].into_iter());
                last.insert(name.clone(), revision);
                proptest::prop_assert_eq!(touched.get(&name), revision);
                for (name, written) in &last {
                    let answer = touched.get(name);
                    proptest::prop_assert!(answer >= *written && answer <= revision);
                    let before = answers.insert(name.clone(), answer);
                    proptest::prop_assert!(before.is_none_or(|before| before <= answer));
                }
            }
            proptest::prop_assert!(touched.0.read().unwrap().last.len() <= 8);
        }
    }

    #[test]
    fn what_was_not_written_since_the_opening_answers_the_opening() {
        let opening = Revision::new(5).unwrap();
        assert_eq!(Touched::new(opening).get("/never"), opening);
    }
}
