//! A document as a tree that is expanded only on the way to what an edit touches.
//!
//! What is not expanded is a slice of the text it came from, and is written back as
//! that slice. So an edit costs little more than reading the containers on its path,
//! and whatever it does not touch stays byte for byte, layout included.
//!
//! Invariants, which bound the cost of a patch with many operations:
//! 1. A node knows its size, so the size of the result is known after each operation.
//! 2. Copies share their containers until one of them is edited.
//! 3. A wide container is a list of chunks; an edit expands only its chunk.
//! 4. Where copies are made, a text is expanded once, however many copies of it are
//!    edited ([`Expansions`]).

mod chunk;
mod container;
mod names;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

pub(super) use container::Container;

use super::scan;

/// The height of a node before anyone asked for it.
const UNKNOWN: u8 = u8::MAX;

/// Length in bytes from which an expansion is remembered: below, doing it again is as
/// fast as looking it up.
const REMEMBERED_BYTES: usize = 1_024;

/// A text so many times as long as another one, and so many bytes longer, is not
/// compared with it for the sake of its layout: a patch with many short values must not
/// read a long text for each of them.
pub(super) const PADDED_TIMES: usize = 8;

/// See [`PADDED_TIMES`]; what an operation reads anyway.
pub(super) const PADDED_BYTES: usize = 4_096;

/// A cached height, forgotten when something below changes.
#[derive(Clone, Debug)]
struct Height(Cell<u8>);

impl Height {
    const fn unknown() -> Self {
        Self(Cell::new(UNKNOWN))
    }

    fn forget(&self) {
        self.0.set(UNKNOWN);
    }

    fn get_or(&self, compute: impl FnOnce() -> usize) -> usize {
        if self.0.get() == UNKNOWN {
            // Checked documents are nested at most 128 deep.
            self.0.set(u8::try_from(compute()).unwrap_or(UNKNOWN - 1));
        }
        usize::from(self.0.get())
    }
}

/// A value of a document.
#[derive(Clone, Debug)]
pub(super) struct Node<'a>(State<'a>);

#[derive(Clone, Debug)]
enum State<'a> {
    Text(&'a str, Height),
    Open(Rc<Container<'a>>),
}

/// The expansions of one tree.
#[derive(Debug)]
pub(super) struct Expansions<'a> {
    /// By address and length of the text, if they are remembered.
    known: Option<BTreeMap<(usize, usize), Rc<Container<'a>>>>,
}

impl<'a> Expansions<'a> {
    /// Remembers expansions if nodes are going to be copied.
    pub(super) fn new(remember: bool) -> Self {
        Self {
            known: remember.then(BTreeMap::new),
        }
    }

    fn of(&mut self, text: &'a str) -> Option<Rc<Container<'a>>> {
        let known = self
            .known
            .as_mut()
            .filter(|_| text.len() >= REMEMBERED_BYTES);
        let Some(known) = known else {
            return Container::parse(text).map(Rc::new);
        };
        let key = (text.as_ptr().addr(), text.len());
        if let Some(container) = known.get(&key) {
            return Some(Rc::clone(container));
        }
        let container = Rc::new(Container::parse(text)?);
        known.insert(key, Rc::clone(&container));
        Some(container)
    }
}

impl<'a> Node<'a> {
    /// The value that this text spells, without white space around it.
    pub(super) const fn new(text: &'a str) -> Self {
        Self(State::Text(text, Height::unknown()))
    }

    /// The length of its text.
    pub(super) fn size_bytes(&self) -> usize {
        match &self.0 {
            State::Text(text, _) => text.len(),
            State::Open(container) => container.size_bytes(),
        }
    }

    /// How many containers lie within each other, itself included.
    pub(super) fn height(&self) -> usize {
        match &self.0 {
            State::Text(text, height) => height.get_or(|| scan::height(text)),
            State::Open(container) => container.height(),
        }
    }

    /// Whether it is nested at most so deep.
    pub(super) fn fits(&self, depth: usize) -> bool {
        // Each level needs two brackets.
        self.size_bytes() / 2 <= depth || self.height() <= depth
    }

    /// Its text, if it was never expanded.
    pub(super) const fn as_text(&self) -> Option<&'a str> {
        match &self.0 {
            State::Text(text, _) => Some(text),
            State::Open(_) => None,
        }
    }

    pub(super) fn is_object(&self) -> bool {
        match &self.0 {
            State::Text(text, _) => scan::is_object(text),
            State::Open(container) => container.is_object(),
        }
    }

    /// Takes the value that a patch spells, unless it is spelled alike already but for
    /// white space: then nothing changes, so that the layout stays too.
    pub(super) fn spell(&mut self, value: &'a str) {
        let alike = |old: &str| {
            let padded = old.len() > PADDED_BYTES + PADDED_TIMES * value.len();
            !padded && scan::same_tokens(old, value)
        };
        if !self.as_text().is_some_and(alike) {
            *self = Self::new(value);
        }
    }

    /// Appends its text.
    pub(super) fn write(&self, out: &mut String) {
        match &self.0 {
            State::Text(text, _) => out.push_str(text),
            State::Open(container) => container.write(out),
        }
    }

    /// The container that it is, to be edited; `None` for any other value.
    pub(super) fn open(&mut self, expansions: &mut Expansions<'a>) -> Option<&mut Container<'a>> {
        if let State::Text(text, _) = self.0 {
            self.0 = State::Open(expansions.of(text)?);
        }
        match &mut self.0 {
            State::Open(container) => Some(Rc::make_mut(container)),
            State::Text(..) => None,
        }
    }

    /// The value at a place below.
    pub(super) fn find(
        &mut self,
        expansions: &mut Expansions<'a>,
        tokens: &[String],
    ) -> Option<&Self> {
        let Some((token, deeper)) = tokens.split_first() else {
            return Some(self);
        };
        let container = self.open(expansions)?;
        let place = container.place(token)?;
        container.value_mut(place)?.find(expansions, deeper)
    }

    /// Changes the container around a place below. The function is given that
    /// container and the place's last token; `None` if there is no such container, or
    /// from the function.
    pub(super) fn edit<R>(
        &mut self,
        expansions: &mut Expansions<'a>,
        tokens: &[String],
        change: impl FnOnce(&mut Container<'a>, &str) -> Option<R>,
    ) -> Option<R> {
        let (token, deeper) = tokens.split_first()?;
        let container = self.open(expansions)?;
        if deeper.is_empty() {
            return change(container, token);
        }
        let place = container.place(token)?;
        container.change(place, |node| node.edit(expansions, deeper, change))?
    }
}

/// A whole document: a value with the white space around it.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    lead: &'a str,
    pub(super) root: Node<'a>,
    after: &'a str,
    pub(super) expansions: Expansions<'a>,
}

impl<'a> Tree<'a> {
    /// Takes a document's text.
    pub(super) fn new(document: &'a str, expansions: Expansions<'a>) -> Self {
        let value = scan::trim(document);
        let begin = scan::space_end(document.as_bytes(), 0);
        let (lead, rest) = document.split_at_checked(begin).unwrap_or_default();
        let after = rest.get(value.len()..).unwrap_or_default();
        Self {
            lead,
            root: Node::new(value),
            after,
            expansions,
        }
    }

    /// The length of its text.
    pub(super) fn size_bytes(&self) -> usize {
        self.lead.len() + self.root.size_bytes() + self.after.len()
    }

    /// Its text.
    pub(super) fn into_text(self) -> String {
        let mut text = String::with_capacity(self.size_bytes());
        text.push_str(self.lead);
        self.root.write(&mut text);
        text.push_str(self.after);
        text
    }
}
