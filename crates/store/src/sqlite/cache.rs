//! Recent documents in memory, in front of the database.
//!
//! Invariants:
//! 1. Only the writer replaces what is held, after the commit is durable and before
//!    it is acknowledged.
//! 2. A reader that found nothing may add what it read from the database, unless the
//!    document was written since its read began: the writer moves on the *generation*
//!    of the document's slot under the lock under which a reader compares and adds.
//!
//! So a document that is held is never older than the last acknowledged write.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use matchbook_core::name::DocumentPath;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::Document;

/// Slots of generations. Two documents that share one only cost a fill that is not
/// made.
const SLOTS: usize = 4_096;

/// Parts with a lock each. Not more with more processors: a document larger than a
/// part is never held.
const SHARDS: usize = 16;

/// What an entry costs beyond its texts and its body: the allocations' headers, the
/// document itself, the table.
const ENTRY_BYTES: usize = 320;

/// Assumed weight of an entry, for the tables' first size.
const TYPICAL_BYTES: usize = 1_024;

#[derive(Debug)]
pub(super) struct DocumentCache {
    documents: Cache<DocumentPath, Arc<Document>, Bytes>,
    slots: Box<[Mutex<u64>]>,
    hasher: RandomState,
    /// More than that is not held.
    largest_bytes: u64,
}

/// A slot's state at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(u64);

#[derive(Clone, Copy, Debug)]
struct Bytes;

impl Weighter<DocumentPath, Arc<Document>> for Bytes {
    fn weight(&self, path: &DocumentPath, document: &Arc<Document>) -> u64 {
        let bytes = ENTRY_BYTES + path.as_str().len() + document.body.len();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

impl DocumentCache {
    /// A cache of at most so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let weight = u64::try_from(bytes).unwrap_or(u64::MAX);
        let mut options = OptionsBuilder::new();
        options
            .shards(SHARDS)
            .estimated_items_capacity(bytes / TYPICAL_BYTES)
            .weight_capacity(weight);
        let documents = match options.build() {
            Ok(options) => Cache::with_options(
                options,
                Bytes,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            Err(_) => Cache::with_weighter(bytes / TYPICAL_BYTES, weight, Bytes),
        };
        Self {
            documents,
            slots: (0..SLOTS).map(|_| Mutex::new(0)).collect(),
            hasher: RandomState::new(),
            largest_bytes: weight / (2 * SHARDS as u64),
        }
    }

    pub(super) fn get(&self, path: &DocumentPath) -> Option<Arc<Document>> {
        self.documents.get(path)
    }

    /// To be noted before the read whose result is to be [added](Self::add).
    pub(super) fn generation(&self, path: &DocumentPath) -> Generation {
        Generation(self.slot(path).map_or(0, |slot| *slot))
    }

    /// Adds what a reader read, unless the document was written since.
    pub(super) fn add(&self, path: &DocumentPath, read: Generation, document: &Arc<Document>) {
        let Some(slot) = self.slot(path) else { return };
        if *slot == read.0 {
            self.put(path, document);
        }
    }

    /// Replaces what is held by what the writer made of the document.
    pub(super) fn write(&self, path: &DocumentPath, document: Option<&Arc<Document>>) {
        let Some(mut slot) = self.slot(path) else {
            return;
        };
        *slot = slot.wrapping_add(1);
        match document {
            Some(document) => self.put(path, document),
            None => drop(self.documents.remove(path)),
        }
    }

    fn put(&self, path: &DocumentPath, document: &Arc<Document>) {
        if Bytes.weight(path, document) <= self.largest_bytes {
            self.documents.insert(path.clone(), Arc::clone(document));
        } else {
            self.documents.remove(path);
        }
    }

    fn slot(&self, path: &DocumentPath) -> Option<MutexGuard<'_, u64>> {
        let hash = self.hasher.hash_one(path.as_str());
        let at = usize::try_from(hash % SLOTS as u64).unwrap_or_default();
        let slot = self.slots.get(at)?;
        Some(slot.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
