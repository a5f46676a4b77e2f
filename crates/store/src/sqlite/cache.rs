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

#[cfg(test)]
mod tests {
    use matchbook_core::clock::Timestamp;
    use matchbook_core::tag::{Epoch, Revision, Version};

    use super::*;
    use crate::Derived;

    fn document(revision: u64, bytes: usize) -> Arc<Document> {
        Arc::new(Document {
            version: Version {
                epoch: Epoch::from_bits(0),
                revision: Revision::new(revision).unwrap(),
            },
            modified: Timestamp::from_millis(0),
            content_type: "application/json".into(),
            body: vec![b'x'; bytes].into(),
            derived: Derived::default(),
        })
    }

    fn path(name: &str) -> DocumentPath {
        DocumentPath::parse(name).unwrap()
    }

    /// What happens to one document: the database and the cache in front of it.
    struct World {
        cache: DocumentCache,
        path: DocumentPath,
        /// The revision in the database; 0 if the document does not exist.
        database: u64,
        /// The last that was acknowledged.
        acknowledged: u64,
    }

    /// A reader that missed, between its steps.
    #[derive(Clone, Copy, Default)]
    struct Reader {
        generation: Option<Generation>,
        found: Option<u64>,
        done: bool,
    }

    impl World {
        fn new() -> Self {
            Self {
                cache: DocumentCache::new(1_024 * 1_024),
                path: path("/c/1"),
                database: 1,
                acknowledged: 1,
            }
        }

        /// Commits revision 2, then deletes by 3, then makes 4.
        fn writer_step(&mut self, step: usize) {
            let revision = 2 + step as u64 / 2;
            let exists = revision != 3;
            if step.is_multiple_of(2) {
                self.database = if exists { revision } else { 0 };
            } else {
                let made = exists.then(|| document(revision, 10));
                self.cache.write(&self.path, made.as_ref());
                self.acknowledged = self.database;
            }
        }

        fn reader_step(&self, reader: &mut Reader) {
            match (reader.generation, reader.found) {
                (None, _) => reader.generation = Some(self.cache.generation(&self.path)),
                (Some(_), None) => reader.found = Some(self.database),
                (Some(generation), Some(found)) => {
                    if found > 0 {
                        self.cache.add(&self.path, generation, &document(found, 10));
                    }
                    reader.done = true;
                }
            }
        }

        fn check(&self, order: &[usize]) {
            if let Some(held) = self.cache.get(&self.path) {
                let revision = held.version.revision.get();
                assert!(
                    revision == self.acknowledged || revision == self.database,
                    "{revision} is held, {} is acknowledged, after {order:?}",
                    self.acknowledged
                );
            }
        }
    }

    const WRITER_STEPS: usize = 6;
    const READER_STEPS: usize = 3;

    /// Every order of the steps of the writer (0) and two readers (1 and 2).
    fn orders(left: [usize; 3], order: &mut Vec<usize>, visit: &mut impl FnMut(&[usize])) {
        if left == [0; 3] {
            return visit(order);
        }
        for (actor, steps) in left.into_iter().enumerate() {
            if steps > 0 {
                let mut left = left;
                left[actor] -= 1;
                order.push(actor);
                orders(left, order, visit);
                order.pop();
            }
        }
    }

    #[test]
    fn nothing_older_than_what_was_acknowledged_is_held_in_any_order_of_steps() {
        let mut tried = 0;
        let steps = [WRITER_STEPS, READER_STEPS, READER_STEPS];
        orders(steps, &mut Vec::new(), &mut |order| {
            let mut world = World::new();
            let mut readers = [Reader::default(); 2];
            let mut written = 0;
            for (at, actor) in order.iter().enumerate() {
                match actor {
                    0 => {
                        world.writer_step(written);
                        written += 1;
                    }
                    reader => world.reader_step(&mut readers[reader - 1]),
                }
                world.check(&order[..=at]);
            }
            assert!(readers.iter().all(|reader| reader.done));
            tried += 1;
        });
        assert_eq!(tried, 18_480);
    }

    #[test]
    fn what_is_too_large_takes_the_place_of_nothing_but_itself() {
        let cache = DocumentCache::new(256 * 1_024);
        let (small, grown) = (path("/c/small"), path("/c/grown"));
        cache.write(&small, Some(&document(1, 10)));
        cache.write(&grown, Some(&document(2, 10)));
        cache.write(&grown, Some(&document(3, 200 * 1_024)));
        assert!(cache.get(&grown).is_none(), "the older version is gone");
        assert!(cache.get(&small).is_some());
        for number in 0..10_000 {
            let name = path(&format!("/c/{number}"));
            cache.write(&name, Some(&document(4, 1_000)));
        }
        assert!(cache.documents.weight() <= 256 * 1_024);
    }
}
