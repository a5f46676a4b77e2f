//! What survives a crash.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use matchbook_core::tag::{Epoch, Revision, Version};

use super::Random;
use crate::{Effect, Entry};

/// A disk. Clones are the same one.
#[derive(Clone)]
pub struct Disk(Arc<Mutex<Image>>);

/// What is on it.
#[derive(Clone)]
pub(super) struct Image {
    pub(super) random: Random,
    /// What is left of the log.
    pub(super) log: Vec<Arc<Entry>>,
    /// All of it, as if nothing had been trimmed.
    pub(super) archive: Vec<Arc<Entry>>,
    pub(super) last: Revision,
    pub(super) horizon: Revision,
    pub(super) history: History,
    /// How often it was opened: only the last opening writes.
    pub(super) openings: u64,
}

/// Which revisions belong to which epoch (guarantee 4).
#[derive(Clone, Default)]
pub(super) struct History(Vec<(Revision, Epoch)>);

impl History {
    /// From after this revision on, it is another epoch.
    pub(super) fn begin(&mut self, last: Revision, epoch: Epoch) {
        let first = if self.0.is_empty() {
            last
        } else {
            following(last)
        };
        self.0.push((first, epoch));
    }

    /// The version that a revision has.
    pub(super) fn version(&self, revision: Revision) -> Version {
        let mut epochs = self.0.iter().rev();
        let found = epochs.find(|(first, _)| *first <= revision);
        Version {
            epoch: found.map_or(Epoch::from_bits(0), |(_, epoch)| *epoch),
            revision,
        }
    }
}

fn following(revision: Revision) -> Revision {
    Revision::new(revision.get() + 1).unwrap_or(Revision::MAX)
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    /// An empty one; the seed decides all that happens on it.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut history = History::default();
        history.begin(Revision::ZERO, Epoch::from_bits(random.number()));
        Self(Arc::new(Mutex::new(Image {
            random,
            log: Vec::new(),
            archive: Vec::new(),
            last: Revision::ZERO,
            horizon: Revision::ZERO,
            history,
            openings: 0,
        })))
    }

    /// Another one with the same on it, and with a chance of its own.
    #[must_use]
    pub fn copy(&self, seed: u64) -> Self {
        let mut image = self.image().clone();
        image.random = Random::new(seed);
        Self(Arc::new(Mutex::new(image)))
    }

    /// The whole log from its beginning, whatever was trimmed: what has happened.
    #[must_use]
    pub fn archive(&self) -> Vec<Arc<Entry>> {
        self.image().archive.clone()
    }

    pub(super) fn image(&self) -> MutexGuard<'_, Image> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Image {
    /// Another opening: its epoch, its number and its numbers.
    pub(super) fn open(&mut self) -> (u64, Random) {
        let epoch = Epoch::from_bits(self.random.number());
        self.history.begin(self.last, epoch);
        self.openings += 1;
        (self.openings, self.random.split())
    }

    /// Writes a batch.
    pub(super) fn write(&mut self, batch: &[Arc<Entry>]) {
        self.log.extend_from_slice(batch);
        self.archive.extend_from_slice(batch);
        if let Some(entry) = batch.last() {
            self.last = entry.version.revision;
        }
    }

    /// Forgets the last batch: no disk should.
    pub(super) fn forget_last(&mut self) {
        if let Some(operation) = self.archive.last().map(|entry| entry.operation) {
            self.keep_if(|entry| entry.operation != operation);
        }
    }

    /// Forgets the last entry of the last batch, if that has more: nor this.
    pub(super) fn tear_last(&mut self) {
        if let [.., before, last] = self.archive.as_slice()
            && before.operation == last.operation
        {
            let torn = last.version;
            self.keep_if(|entry| entry.version != torn);
        }
    }

    fn keep_if(&mut self, is_kept: impl Fn(&Entry) -> bool) {
        self.log.retain(|entry| is_kept(entry));
        self.archive.retain(|entry| is_kept(entry));
        let last = self.archive.last().map(|entry| entry.version.revision);
        self.last = last.unwrap_or_default();
        self.horizon = self.horizon.min(self.last);
    }
}

/// Drops what a log need not have any more when its horizon is here.
pub(super) fn trim(log: &mut Vec<Arc<Entry>>, horizon: Revision) {
    let before = |entry: &Arc<Entry>| entry.version.revision <= horizon;
    let superseded: HashSet<Version> = log
        .iter()
        .filter(|entry| before(entry))
        .filter_map(|entry| entry.previous)
        .collect();
    log.retain(|entry| {
        let is_document = matches!(entry.effect, Effect::Put { .. });
        !before(entry) || (is_document && !superseded.contains(&entry.version))
    });
}
