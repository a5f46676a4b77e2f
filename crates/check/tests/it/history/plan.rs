//! What a client asks for: at random, but with regard to what it has learned, so that
//! conditions are mostly met, narrowly missed by others' writes, or knowingly stale.

use std::collections::HashMap;

use super::record::{
    Answer, Asked, Condition, Cursor, Effect, Item, Refusal, Scope, Tag, Value, collection_of,
};
use crate::harness::random::Random;

/// All documents, the busiest first.
pub(super) const PATHS: [&str; 9] = [
    "/a/0", "/b/1/c/0", "/a/1", "/b/1/c/1", "/a/2", "/a/3", "/b/1/c/2", "/a/4", "/b/1/c/3",
];

/// Their collections.
pub(super) const COLLECTIONS: [&str; 2] = ["/a", "/b/1/c"];

/// States of each document that a client remembers.
const REMEMBERED: usize = 4;

/// How many documents a batch writes at most.
const BATCH: usize = 4;

/// A document as a client saw it. The tag alone is known from HEAD and from refusals.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Absent,
    At(Tag, Option<Value>),
}

/// A client's choices.
pub(super) struct Planner {
    client: usize,
    random: Random,
    /// Of these documents.
    paths: &'static [&'static str],
    /// Contents made so far.
    made: usize,
    /// The last seen is the last.
    seen: HashMap<String, Vec<Seen>>,
    cursors: Vec<Cursor>,
}

impl Planner {
    /// Choices among the first so many documents.
    pub(super) fn new(client: usize, random: Random, documents: usize) -> Self {
        Self {
            client,
            random,
            paths: &PATHS[..documents],
            made: 0,
            seen: HashMap::new(),
            cursors: Vec::new(),
        }
    }

    /// The next request.
    pub(super) fn next(&mut self) -> Asked {
        let path = self.path();
        match self.random.below(100) {
            0..16 => self.read(path, false),
            16..26 => self.read(path, true),
            26..34 => Asked::List {
                collection: collection_of(path).to_owned(),
            },
            34..40 => self.changes(),
            40..56 => self.batch(),
            _ => match self.item(path) {
                Some(item) => Asked::Write(vec![item]),
                None => self.read(path, false),
            },
        }
    }

    /// One of the first is as likely as one of all others.
    fn path(&mut self) -> &'static str {
        let all = self.paths.len();
        let busy = if self.random.percent(50) { 2 } else { all };
        let paths = &self.paths[..busy.min(all)];
        self.random.pick::<&str>(paths)
    }

    fn read(&mut self, path: &str, conditional: bool) -> Asked {
        let unless = match self.last(path) {
            Some(Seen::At(tag, _)) if conditional => Some(tag),
            _ => None,
        };
        Asked::Read {
            path: path.to_owned(),
            unless,
            head: self.random.percent(25),
        }
    }

    fn changes(&mut self) -> Asked {
        let scope = match self.random.below(4) {
            0 => Scope::All,
            1 => Scope::Document(self.path().to_owned()),
            _ => Scope::Collection((*self.random.pick(&COLLECTIONS)).to_owned()),
        };
        if self.cursors.is_empty() {
            return Asked::List {
                collection: COLLECTIONS[0].to_owned(),
            };
        }
        let since = self.random.pick(&self.cursors).clone();
        Asked::Changes { scope, since }
    }

    fn last(&self, path: &str) -> Option<Seen> {
        self.seen.get(path)?.last().cloned()
    }

    /// What the client goes by: mostly the last that it saw, sometimes knowingly not.
    fn believed(&mut self, path: &str) -> Option<Seen> {
        let seen = self.seen.get(path)?;
        if self.random.percent(8) {
            return Some(self.random.pick(seen).clone());
        }
        seen.last().cloned()
    }

    fn value(&mut self) -> Value {
        self.made += 1;
        format!("{}-{}", self.client, self.made)
    }

    /// A write, if the client knows anything of the document.
    fn item(&mut self, path: &str) -> Option<Item> {
        let (condition, effect) = match self.believed(path)? {
            Seen::At(tag, value) => self.change(tag, value),
            Seen::Absent => match self.random.below(10) {
                0..6 => (Condition::Absent, Effect::Put(self.value())),
                6..8 => (Condition::Free, Effect::Put(self.value())),
                8 => (Condition::Any, Effect::Put(self.value())),
                _ => (Condition::Any, Effect::Patch(self.value())),
            },
        };
        Some(Item {
            path: path.to_owned(),
            condition,
            effect,
        })
    }

    fn change(&mut self, tag: Tag, value: Option<Value>) -> (Condition, Effect) {
        match (self.random.below(100), value) {
            (0..44, _) => (Condition::Tag(tag), Effect::Put(self.value())),
            (44..60, _) => (Condition::Tag(tag), Effect::Patch(self.value())),
            (60..74, _) => (Condition::Tag(tag), Effect::Delete),
            (74..84, Some(value)) => (Condition::Tag(tag), Effect::Same(value)),
            (74..90, _) => (Condition::Any, Effect::Put(self.value())),
            (90..96, _) => (Condition::Any, Effect::Patch(self.value())),
            (96..98, _) => (Condition::Free, Effect::Put(self.value())),
            _ => (Condition::Absent, Effect::Put(self.value())),
        }
    }

    /// Writes to several documents. One of them at least makes a content, by which the
    /// batch is known again.
    fn batch(&mut self) -> Asked {
        let size = 2 + self.random.below(BATCH - 1);
        let mut items = Vec::<Item>::new();
        for _ in 0..2 * BATCH {
            let path = self.path();
            if items.len() < size && items.iter().all(|item| item.path != path) {
                items.extend(self.item(path));
            }
        }
        let makes = items.iter().any(|item| item.effect.value().is_some());
        let value = self.value();
        match items.first_mut() {
            Some(first) if !makes => first.effect = Effect::Put(value),
            Some(_) => {}
            None => return self.read(PATHS[0], false),
        }
        Asked::Write(items)
    }

    /// What an answer tells.
    pub(super) fn learn(&mut self, asked: &Asked, answer: &Answer) {
        match (asked, answer) {
            (Asked::Read { path, .. }, Answer::Found { tag, value }) => {
                self.note(path, Seen::At(tag.clone(), value.clone()));
            }
            (Asked::Read { path, .. }, Answer::Missing) => self.note(path, Seen::Absent),
            (Asked::Write(items), Answer::Done(done)) => {
                for (item, done) in items.iter().zip(done) {
                    let value = match &item.effect {
                        Effect::Put(value) | Effect::Patch(value) | Effect::Same(value) => {
                            value.as_str()
                        }
                        Effect::Delete => "",
                    };
                    let at = |tag: &Tag| Seen::At(tag.clone(), Some(value.to_owned()));
                    let seen = done.tag.as_ref().map_or(Seen::Absent, at);
                    self.note(&item.path, seen);
                }
            }
            (Asked::Write(items), Answer::Refused { at, why }) => {
                let path = items[*at].path.clone();
                match why {
                    Refusal::Stale { current, .. } => {
                        let at = |tag: &Tag| Seen::At(tag.clone(), None);
                        self.note(&path, current.as_ref().map_or(Seen::Absent, at));
                    }
                    Refusal::Missing => self.note(&path, Seen::Absent),
                    // It is there, as what is not told.
                    Refusal::Required => drop(self.seen.remove(&path)),
                }
            }
            (Asked::List { collection }, Answer::Listed { items, at }) => {
                for path in self.paths {
                    if collection_of(path) == collection {
                        self.note(path, Seen::Absent);
                    }
                }
                for (path, tag, value) in items {
                    self.note(path, Seen::At(tag.clone(), Some(value.clone())));
                }
                self.cursors.extend(at.clone());
            }
            (_, Answer::Changed { at, .. }) => self.cursors.push(at.clone()),
            _ => {}
        }
        if self.cursors.len() > REMEMBERED {
            self.cursors.remove(0);
        }
    }

    fn note(&mut self, path: &str, seen: Seen) {
        let all = self.seen.entry(path.to_owned()).or_default();
        all.retain(|known| *known != seen);
        all.push(seen);
        if all.len() > REMEMBERED {
            all.remove(0);
        }
    }
}
