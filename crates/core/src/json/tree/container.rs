//! An expanded object or array, and how an edit finds its layout.
//!
//! A new entry looks like its neighbours: in a document with one member a line it gets
//! a line of its own, in a compact one it gets no white space.

use std::borrow::Cow;

use super::chunk::{Chunk, Slot};
use super::names::Names;
use super::{Height, Node};
use crate::json::pointer::array_index;
use crate::json::scan::{self, Entries};
use crate::json::text;

/// Members in a chunk, which are searched one after the other; and the entries of a
/// container that is expanded at once.
const MEMBERS: usize = 128;

/// Elements in a chunk: about the root of the two million that the largest document
/// holds, since an edit walks along the chunks and then shifts the elements of one.
const ELEMENTS: usize = 512;

/// Bytes after which a chunk of a wide container ends, to bound the cost of expanding
/// one.
const CHUNK_BYTES: usize = 4_096;

/// Where an entry is: its chunk, and its place in that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::json) struct Place {
    chunk: usize,
    at: usize,
}

/// An expanded object or array.
#[derive(Clone, Debug)]
pub(in crate::json) struct Container<'a> {
    labelled: bool,
    /// The white space between the brackets while there is no entry.
    blank: &'a str,
    chunks: Vec<Chunk<'a>>,
    count: usize,
    size_bytes: usize,
    height: Height,
    /// For an object with more than one chunk.
    names: Option<Names<'a>>,
}

impl<'a> Container<'a> {
    /// Expands a text; `None` if it is neither an object nor an array.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let labelled = scan::is_object(text);
        if !labelled && !scan::is_array(text) {
            return None;
        }
        let inner = scan::inside(text);
        let mut entries = Entries::of(text);
        let slots: Vec<Slot<'a>> = entries.by_ref().take(MEMBERS).map(Slot::from).collect();
        let mut container = Self {
            labelled,
            blank: if slots.is_empty() { inner } else { "" },
            count: slots.len(),
            chunks: Vec::new(),
            size_bytes: text.len(),
            height: Height::unknown(),
            names: None,
        };
        if entries.is_done() {
            container.chunks.push(Chunk::opened(slots));
            return Some(container);
        }
        container.cut(inner, entries, slots.len());
        Some(container)
    }

    /// Cuts the text of a wide container into chunks; `entries` has read the first of
    /// them.
    fn cut(&mut self, inner: &'a str, mut entries: Entries<'a>, first: usize) {
        let mut texts = Vec::new();
        let most = if self.labelled { MEMBERS } else { ELEMENTS };
        let (mut from, mut pending) = (0, first);
        loop {
            let to = entries.reached();
            if pending >= most || to - from >= CHUNK_BYTES || entries.is_done() {
                let text = inner.get(from..to).unwrap_or_default();
                self.chunks.push(Chunk::unopened(text, pending));
                texts.push(text);
                (from, pending) = (to + 1, 0);
            }
            if entries.next().is_none() {
                break;
            }
            self.count += 1;
            pending += 1;
        }
        self.names = self.labelled.then(|| Names::read(texts.into_iter()));
    }

    pub(in crate::json) const fn is_object(&self) -> bool {
        self.labelled
    }

    /// How many members or elements it has.
    pub(in crate::json) const fn len(&self) -> usize {
        self.count
    }

    pub(super) const fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    pub(super) fn height(&self) -> usize {
        let inner = || self.chunks.iter().map(Chunk::height).max().unwrap_or(0);
        self.height.get_or(|| 1 + inner())
    }

    pub(super) fn write(&self, out: &mut String) {
        out.push(if self.labelled { '{' } else { '[' });
        out.push_str(self.blank);
        let full = self.chunks.iter().filter(|chunk| chunk.len() > 0);
        for (place, chunk) in full.enumerate() {
            if place > 0 {
                out.push(',');
            }
            chunk.write(out);
        }
        out.push(if self.labelled { '}' } else { ']' });
    }

    /// Where the entry is that a pointer's token names.
    pub(in crate::json) fn place(&mut self, token: &str) -> Option<Place> {
        if self.labelled {
            self.place_of_name(token)
        } else {
            self.place_of_index(array_index(token)?)
        }
    }

    /// Where the member is that has this name.
    pub(in crate::json) fn place_of_name(&mut self, name: &str) -> Option<Place> {
        let [one, other] = match &self.names {
            Some(names) => names.chunks(name),
            None => [Some(0), None],
        };
        one.and_then(|chunk| self.place_in(chunk, name))
            .or_else(|| other.and_then(|chunk| self.place_in(chunk, name)))
    }

    fn place_in(&mut self, chunk: usize, name: &str) -> Option<Place> {
        let slots = self.slots(chunk)?;
        let named = |slot: &Slot<'_>| {
            let spelled = slot.name();
            let long_enough = spelled.len() >= name.len() + 2;
            long_enough && text::is(spelled, name)
        };
        let at = slots.iter().position(named)?;
        Some(Place { chunk, at })
    }

    fn place_of_index(&self, index: usize) -> Option<Place> {
        let mut at = index;
        for (chunk, entries) in self.chunks.iter().enumerate() {
            if at < entries.len() {
                return Some(Place { chunk, at });
            }
            at -= entries.len();
        }
        None
    }

    fn last(&self) -> Option<Place> {
        let chunk = self.chunks.iter().rposition(|chunk| chunk.len() > 0)?;
        let at = self.chunks.get(chunk)?.len().checked_sub(1)?;
        Some(Place { chunk, at })
    }

    fn slots(&mut self, chunk: usize) -> Option<&mut Vec<Slot<'a>>> {
        self.height.forget();
        let labelled = self.labelled;
        self.chunks.get_mut(chunk)?.open(labelled)
    }

    fn slot(&mut self, place: Place) -> Option<&mut Slot<'a>> {
        self.slots(place.chunk)?.get_mut(place.at)
    }

    /// The value there, for reading: its size must stay what it is.
    pub(super) fn value_mut(&mut self, place: Place) -> Option<&mut Node<'a>> {
        self.slot(place).map(|slot| &mut slot.value)
    }

    /// Changes the value there.
    pub(in crate::json) fn change<R>(
        &mut self,
        place: Place,
        change: impl FnOnce(&mut Node<'a>) -> R,
    ) -> Option<R> {
        self.relay(place, |slot| change(&mut slot.value))
    }

    /// Changes an entry, and keeps count of the size.
    fn relay<R>(&mut self, place: Place, change: impl FnOnce(&mut Slot<'a>) -> R) -> Option<R> {
        let slot = self.slot(place)?;
        let before = slot.size_bytes();
        let result = change(slot);
        let after = slot.size_bytes();
        self.size_bytes = self.size_bytes - before + after;
        Some(result)
    }

    /// Adds a member whose name no member has, given decoded and as spelled.
    pub(in crate::json) fn add_member(&mut self, name: &str, spelled: &str, value: Node<'a>) {
        let colon = match self.last().and_then(|last| self.slot(last)) {
            Some(last) => last.label.get(last.name().len()..).unwrap_or(":"),
            None => ":",
        };
        let label = format!("{spelled}{colon}");
        let chunk = self.append(Cow::Owned(label), value);
        if self.names.is_none() && chunk > 0 {
            self.names = Some(self.all_names());
        }
        if let Some(names) = &mut self.names {
            names.insert(name.to_owned(), chunk);
        }
    }

    fn all_names(&mut self) -> Names<'a> {
        let mut names = Names::default();
        for chunk in 0..self.chunks.len() {
            for slot in self.slots(chunk).into_iter().flatten() {
                names.insert(text::unescape(slot.name()).into_owned(), chunk);
            }
        }
        names
    }

    /// Adds an element behind the last one.
    pub(in crate::json) fn push(&mut self, value: Node<'a>) {
        self.append(Cow::Borrowed(""), value);
    }

    /// Adds an element in front of the one that has this index.
    pub(in crate::json) fn insert(&mut self, index: usize, value: Node<'a>) -> Option<()> {
        let place = self.place_of_index(index)?;
        let after = self.inner_after();
        let lead = self.slot(place)?.lead;
        // `[1, 2]`: the first stands directly behind the bracket, the others do not.
        let second = self.place_of_index(1).filter(|_| index == 0);
        if let Some(between) = second
            .and_then(|second| self.slot(second))
            .map(|slot| slot.lead)
        {
            self.relay(place, |slot| slot.lead = between);
        }
        let slot = Slot {
            lead,
            label: Cow::Borrowed(""),
            value,
            after,
        };
        self.size_bytes += slot.size_bytes() + 1;
        self.count += 1;
        let slots = self.slots(place.chunk)?;
        slots.insert(place.at, slot);
        if slots.len() > 2 * ELEMENTS {
            let upper = slots.split_off(ELEMENTS);
            self.chunks.insert(place.chunk + 1, Chunk::opened(upper));
        }
        Some(())
    }

    /// Adds an entry behind the last one, and returns its chunk.
    fn append(&mut self, label: Cow<'a, str>, value: Node<'a>) -> usize {
        let (mut lead, mut after) = ("", "");
        let last = self.last();
        if let Some(last) = last {
            let inner_after = self.inner_after();
            let only = self.count == 1;
            self.relay(last, |slot| {
                lead = slot.lead;
                after = std::mem::replace(&mut slot.after, inner_after);
                if only && lead.is_empty() && slot.label.ends_with(' ') {
                    lead = " ";
                }
            });
            self.size_bytes += 1;
        }
        self.size_bytes -= self.blank.len();
        self.blank = "";
        let slot = Slot {
            lead,
            label,
            value,
            after,
        };
        self.size_bytes += slot.size_bytes();
        self.count += 1;
        let mut chunk = self.chunks.len().saturating_sub(1);
        if self
            .chunks
            .get(chunk)
            .is_none_or(|last| last.len() >= MEMBERS)
        {
            self.chunks.push(Chunk::opened(Vec::new()));
            chunk = self.chunks.len() - 1;
        }
        if let Some(slots) = self.slots(chunk) {
            slots.push(slot);
        }
        chunk
    }

    /// The white space between a value and the comma behind it.
    fn inner_after(&mut self) -> &'a str {
        let first = self.place_of_index(0).filter(|_| self.count > 1);
        first
            .and_then(|first| self.slot(first))
            .map_or("", |slot| slot.after)
    }

    /// Takes an entry out. Its neighbour takes over the white space at the bracket.
    pub(in crate::json) fn remove(&mut self, place: Place) -> Option<Node<'a>> {
        let was_first = self.place_of_index(0) == Some(place);
        let was_last = self.last() == Some(place);
        self.slot(place)?;
        let slot = self.slots(place.chunk)?.remove(place.at);
        self.count -= 1;
        self.size_bytes -= slot.size_bytes() + usize::from(self.count > 0);
        if let Some(first) = self.place_of_index(0).filter(|_| was_first) {
            self.relay(first, |next| next.lead = slot.lead);
        }
        if let Some(last) = self.last().filter(|_| was_last) {
            self.relay(last, |previous| previous.after = slot.after);
        }
        Some(slot.value)
    }
}
