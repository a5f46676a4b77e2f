//! Where the members of a wide object are.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::json::scan::Entries;
use crate::json::text::unescape;

/// The chunk in which each name is, or was: a removed member's name stays, so whoever
/// asks looks whether it is still there. Chunks of an object keep their places.
#[derive(Clone, Debug, Default)]
pub(super) struct Names<'a> {
    /// Those of the text that the object was expanded from, in order.
    first: Rc<[(Cow<'a, str>, usize)]>,
    later: Rc<BTreeMap<String, usize>>,
}

impl<'a> Names<'a> {
    /// Reads the names in chunks of text.
    pub(super) fn read(chunks: impl Iterator<Item = &'a str>) -> Self {
        let mut first = Vec::new();
        for (chunk, text) in chunks.enumerate() {
            let entries = Entries::joined(text, true);
            first.extend(entries.map(|entry| (unescape(entry.name()), chunk)));
        }
        first.sort_unstable();
        Self {
            first: first.into(),
            later: Rc::default(),
        }
    }

    pub(super) fn insert(&mut self, name: String, chunk: usize) {
        Rc::make_mut(&mut self.later).insert(name, chunk);
    }

    /// The chunks in which the name may be.
    pub(super) fn chunks(&self, name: &str) -> [Option<usize>; 2] {
        let first = self
            .first
            .binary_search_by(|(other, _)| other.as_ref().cmp(name));
        let first = first.ok().and_then(|at| self.first.get(at));
        [
            self.later.get(name).copied(),
            first.map(|(_, chunk)| *chunk),
        ]
    }
}
