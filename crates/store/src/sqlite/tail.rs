//! The last entries of the log, in memory, for those who follow it: after each commit
//! all of them ask for the same few.
//!
//! 1. What is held is all of the log after `begin`, up to what was last pushed.
//! 2. Entries are pushed when they are durable and before they are published, so that
//!    all up to a published position are there; those after it are not shown.
//!
//! Nothing is held while nobody asks.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use matchbook_core::tag::Revision;

use super::changes::Span;
use crate::{Effect, Entry, Scope};

/// Entries held: a tenth of a second of the heaviest writing, which is longer than a
/// follower takes to come back. More would only help those who are slow anyway.
const HELD: usize = 4_096;

/// Entries that one reader looks at while it keeps the writer from pushing: some ten
/// microseconds.
const EXAMINED: usize = 1_024;

/// Bytes that an entry takes beside its content and its path.
const ENTRY_BYTES: usize = 320;

#[derive(Debug)]
pub(super) struct Tail {
    held: RwLock<Held>,
    /// Entries up to here are wanted.
    wanted: AtomicU64,
}

#[derive(Debug)]
struct Held {
    entries: VecDeque<Arc<Entry>>,
    begin: Revision,
    bytes: usize,
    most_bytes: usize,
}

impl Tail {
    /// Holds nothing of what was written up to the opening.
    pub(super) fn new(opening: Revision, most_bytes: usize) -> Self {
        Self {
            held: RwLock::new(Held {
                entries: VecDeque::new(),
                begin: opening,
                bytes: 0,
                most_bytes,
            }),
            wanted: AtomicU64::new(0),
        }
    }

    /// Somebody reads, and will have come as far as this. What is written next is wanted,
    /// until so much was written that it would not be held any more.
    pub(super) fn want(&self, applied: Revision) {
        let wanted = applied.get().saturating_add(HELD as u64);
        self.wanted.fetch_max(wanted, Ordering::Relaxed);
    }

    /// Whether to push what was written after this.
    pub(super) fn is_wanted(&self, after: Revision) -> bool {
        after.get() < self.wanted.load(Ordering::Relaxed)
    }

    /// Adds what follows on the last push.
    pub(super) fn push(&self, entries: Vec<Arc<Entry>>) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let forgotten = held.push(entries);
        drop(held);
        // Freed when nobody waits for it.
        drop(forgotten);
    }

    /// Goes on from here, without what was not pushed.
    pub(super) fn skip_to(&self, last: Revision) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.begin = last;
        held.bytes = 0;
        let forgotten = std::mem::take(&mut held.entries);
        drop(held);
        drop(forgotten);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.held.read().unwrap().entries.len()
    }

    /// A piece of the log and where it ends, if what is held reaches back so far.
    pub(super) fn read(&self, span: &Span, scope: &Scope) -> Option<(Vec<Arc<Entry>>, Revision)> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        (held.begin <= span.from).then(|| held.read(span, scope))
    }
}

impl Held {
    /// The entries that had to make room.
    fn push(&mut self, entries: Vec<Arc<Entry>>) -> Vec<Arc<Entry>> {
        self.bytes += entries.iter().map(|entry| bytes(entry)).sum::<usize>();
        self.entries.extend(entries);
        let mut forgotten = Vec::new();
        while (self.bytes > self.most_bytes || self.entries.len() > HELD)
            && let Some(first) = self.entries.pop_front()
        {
            self.bytes -= bytes(&first);
            self.begin = first.version.revision;
            forgotten.push(first);
        }
        forgotten
    }

    fn read(&self, span: &Span, scope: &Scope) -> (Vec<Arc<Entry>>, Revision) {
        let first = self
            .entries
            .partition_point(|entry| entry.version.revision <= span.from);
        let mut found = Vec::new();
        let mut before: Option<&Entry> = None;
        for (examined, entry) in self.entries.range(first..).enumerate() {
            if entry.version.revision > span.reach {
                break;
            }
            let full = found.len() >= span.limit || examined >= EXAMINED;
            if full
                && let Some(before) = before
                && before.operation != entry.operation
            {
                return (found, before.version.revision);
            }
            if scope.holds(&entry.path) {
                found.push(Arc::clone(entry));
            }
            before = Some(entry);
        }
        (found, span.last)
    }
}

fn bytes(entry: &Entry) -> usize {
    ENTRY_BYTES + entry.path.as_str().len() + entry.effect.bytes()
}

impl Effect {
    /// Bytes of its body and its patch.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Put { body, patch, .. } => body.len() + patch.as_ref().map_or(0, |p| p.len()),
            Self::Delete => 0,
        }
    }

    /// The document's bytes, where it is one from then on.
    pub(super) const fn body(&self) -> Option<&Bytes> {
        match self {
            Self::Put { body, .. } => Some(body),
            Self::Delete => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use matchbook_core::clock::Timestamp;
    use matchbook_core::name::DocumentPath;
    use matchbook_core::tag::{Epoch, Version};
    use proptest::prelude::*;

    use super::*;
    use crate::OperationId;

    fn revision(number: u64) -> Revision {
        Revision::new(number).unwrap()
    }

    fn entry(number: u64, operation: u128, document: u8) -> Arc<Entry> {
        Arc::new(Entry {
            version: Version {
                epoch: Epoch::from_bits(1),
                revision: revision(number),
            },
            operation: OperationId(operation),
            path: DocumentPath::parse(&format!("/c/{document}")).unwrap(),
            previous: None,
            modified: Timestamp::from_millis(1),
            principal: None,
            effect: Effect::Delete,
        })
    }

    fn span(from: u64, last: u64, limit: usize) -> Span {
        Span {
            from: revision(from),
            reach: revision(last),
            last: revision(last),
            limit,
        }
    }

    proptest! {
        /// Whatever is pushed, skipped and forgotten, what is told is all that there is.
        #[test]
        fn pieces_are_what_was_pushed(
            groups in proptest::collection::vec((0_u8..6, proptest::collection::vec(0_u8..3, 1..6)), 1..40),
            most_entries in 0_usize..20,
            limit in 1_usize..5,
            scope in 0_u8..4,
        ) {
            let path = DocumentPath::parse(&format!("/c/{scope}")).unwrap();
            let scope = if scope == 3 { Scope::All } else { Scope::Document(path) };
            let tail = Tail::new(revision(10), most_entries * (ENTRY_BYTES + 4));
            let (mut all, mut last, mut begin) = (Vec::new(), 10, 10);
            for (operation, (skip, documents)) in groups.into_iter().enumerate() {
                let numbers = last + 1..;
                let group: Vec<_> = numbers
                    .zip(documents)
                    .map(|(number, document)| entry(number, operation as u128, document))
                    .collect();
                last += group.len() as u64;
                all.extend(group.iter().cloned());
                if skip == 0 {
                    tail.skip_to(revision(last));
                    begin = last;
                } else {
                    tail.push(group);
                    begin = begin.max(last.saturating_sub(most_entries as u64));
                }
                for from in 10..=last {
                    let mut at = from;
                    prop_assert_eq!(tail.read(&span(at, last, limit), &scope).is_some(), at >= begin);
                    if at < begin {
                        continue;
                    }
                    let mut told = Vec::new();
                    while at < last {
                        let (found, end) = tail.read(&span(at, last, limit), &scope).unwrap();
                        prop_assert!(end.get() > at);
                        let next = all.iter().find(|entry| entry.version.revision > end);
                        let ended = all.iter().find(|entry| entry.version.revision == end);
                        prop_assert_ne!(next.map(|e| e.operation), ended.map(|e| e.operation));
                        told.extend(found.iter().map(|entry| entry.version.revision));
                        at = end.get();
                    }
                    let done = all.iter().filter(|entry| entry.version.revision.get() > from);
                    let done = done.filter(|entry| scope.holds(&entry.path));
                    let done: Vec<_> = done.map(|entry| entry.version.revision).collect();
                    prop_assert_eq!(told, done);
                }
            }
        }
    }

    #[test]
    fn what_is_not_published_is_not_told() {
        let tail = Tail::new(revision(0), 1_000_000);
        tail.push(vec![entry(1, 1, 0), entry(2, 2, 0)]);
        let (found, end) = tail.read(&span(0, 1, 10), &Scope::All).unwrap();
        assert_eq!((found.len(), end), (1, revision(1)));
    }

    #[test]
    fn no_reader_looks_at_more_than_so_many_and_the_rest_of_the_batch() {
        let tail = Tail::new(revision(0), 10_000_000);
        let torn = EXAMINED as u64 + 5;
        let singles = EXAMINED as u64 - 5;
        // The last single, the torn batch, one more single.
        let operation = |number| {
            if number <= singles || number > torn {
                number
            } else {
                0
            }
        };
        let entries = (1..=torn + 1).map(|number| entry(number, operation(number).into(), 0));
        tail.push(entries.collect());
        let (found, end) = tail
            .read(&span(0, torn + 1, usize::MAX), &Scope::All)
            .unwrap();
        assert_eq!((found.len() as u64, end), (torn, revision(torn)));
    }

    #[test]
    fn entries_are_wanted_as_long_as_they_would_be_held() {
        let tail = Tail::new(revision(10), 1_000);
        assert!(!tail.is_wanted(revision(10)));
        tail.want(revision(10));
        let last = 10 + HELD as u64;
        assert!(tail.is_wanted(revision(10)) && tail.is_wanted(revision(last - 1)));
        assert!(!tail.is_wanted(revision(last)));
        tail.want(revision(last - 1));
        assert!(tail.is_wanted(revision(last)));
    }
}
