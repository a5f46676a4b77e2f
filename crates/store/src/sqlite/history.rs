//! Which revisions belong to which epoch (guarantee 4).

use matchbook_core::tag::{Epoch, Revision, Version};

/// The openings of one file, oldest first. It does not change while the store is
/// open: the last one is this opening's.
#[derive(Debug)]
pub(super) struct History {
    /// First revision and name, in ascending order; the first begins at 0.
    epochs: Box<[(Revision, Epoch)]>,
    creation: Epoch,
    current: Epoch,
}

impl History {
    /// Takes the rows of the table in order; `None` if there are none, or if the first
    /// does not begin at 0.
    pub(super) fn new(epochs: Vec<(Revision, Epoch)>) -> Option<Self> {
        let &(begin, creation) = epochs.first()?;
        let &(_, current) = epochs.last()?;
        (begin == Revision::ZERO).then(|| Self {
            epochs: epochs.into(),
            creation,
            current,
        })
    }

    /// The epoch of this opening.
    pub(super) fn current(&self) -> Epoch {
        self.current
    }

    /// The version that a revision of this history has.
    pub(super) fn version(&self, revision: Revision) -> Version {
        // Nearly always asked about a write of this very opening.
        let epoch = match self.epochs.last() {
            Some(&(first, epoch)) if first <= revision => epoch,
            _ => {
                let after = self.epochs.partition_point(|(first, _)| *first <= revision);
                let at = self.epochs.get(after.wrapping_sub(1));
                at.map_or(self.creation, |(_, epoch)| *epoch)
            }
        };
        Version { epoch, revision }
    }

    /// Whether the version is one of this history.
    pub(super) fn holds(&self, version: Version) -> bool {
        self.version(version.revision) == version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_belongs_to_the_last_opening_before_it() {
        let [a, b, c] = [1, 2, 3].map(Epoch::from_bits);
        let revision = |number| Revision::new(number).unwrap();
        let openings = vec![(revision(0), a), (revision(1), b), (revision(7), c)];
        let history = History::new(openings).unwrap();
        let cases = [(0, a), (1, b), (6, b), (7, c), (1_000, c)];
        for (number, epoch) in cases {
            let version = history.version(revision(number));
            assert_eq!(version.epoch, epoch, "{number}");
            assert!(history.holds(version));
        }
        assert!(!history.holds(Version {
            epoch: c,
            revision: revision(6)
        }));
        assert!(History::new(Vec::new()).is_none());
        assert!(History::new(vec![(revision(1), a)]).is_none());
    }
}
