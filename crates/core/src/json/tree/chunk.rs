//! A run of entries in a container: a slice of text until one of them is touched.

use std::borrow::Cow;
use std::rc::Rc;

use super::{Height, Node};
use crate::json::scan::{Entries, Entry, name_of};

/// An expanded member or element: [`Entry`], but the value can be edited.
#[derive(Clone, Debug)]
pub(super) struct Slot<'a> {
    pub(super) lead: &'a str,
    pub(super) label: Cow<'a, str>,
    pub(super) value: Node<'a>,
    pub(super) after: &'a str,
}

impl<'a> Slot<'a> {
    pub(super) fn size_bytes(&self) -> usize {
        self.lead.len() + self.label.len() + self.value.size_bytes() + self.after.len()
    }

    /// The name as spelled, with its quotes.
    pub(super) fn name(&self) -> &str {
        name_of(&self.label)
    }

    fn write(&self, out: &mut String) {
        out.push_str(self.lead);
        out.push_str(&self.label);
        self.value.write(out);
        out.push_str(self.after);
    }
}

impl<'a> From<Entry<'a>> for Slot<'a> {
    fn from(entry: Entry<'a>) -> Self {
        Self {
            lead: entry.lead,
            label: Cow::Borrowed(entry.label),
            value: Node::new(entry.value),
            after: entry.after,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Chunk<'a> {
    run: Run<'a>,
    /// Of the highest value in it.
    height: Height,
}

#[derive(Clone, Debug)]
enum Run<'a> {
    /// So many entries, joined by commas.
    Text(&'a str, usize),
    Open(Rc<Vec<Slot<'a>>>),
}

impl<'a> Chunk<'a> {
    pub(super) const fn unopened(text: &'a str, count: usize) -> Self {
        Self {
            run: Run::Text(text, count),
            height: Height::unknown(),
        }
    }

    pub(super) fn opened(slots: Vec<Slot<'a>>) -> Self {
        Self {
            run: Run::Open(Rc::new(slots)),
            height: Height::unknown(),
        }
    }

    /// How many entries it has.
    pub(super) fn len(&self) -> usize {
        match &self.run {
            Run::Text(_, count) => *count,
            Run::Open(slots) => slots.len(),
        }
    }

    pub(super) fn height(&self) -> usize {
        self.height.get_or(|| match &self.run {
            Run::Text(text, _) => crate::json::scan::height(text),
            Run::Open(slots) => slots
                .iter()
                .map(|slot| slot.value.height())
                .max()
                .unwrap_or(0),
        })
    }

    /// The entries, to be edited.
    pub(super) fn open(&mut self, labelled: bool) -> Option<&mut Vec<Slot<'a>>> {
        self.height.forget();
        if let Run::Text(text, _) = self.run {
            let slots = Entries::joined(text, labelled).map(Slot::from).collect();
            self.run = Run::Open(Rc::new(slots));
        }
        match &mut self.run {
            Run::Open(slots) => Some(Rc::make_mut(slots)),
            Run::Text(..) => None,
        }
    }

    /// Appends its entries, joined by commas.
    pub(super) fn write(&self, out: &mut String) {
        match &self.run {
            Run::Text(text, _) => out.push_str(text),
            Run::Open(slots) => {
                for (place, slot) in slots.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    slot.write(out);
                }
            }
        }
    }
}
