//! The order in which everything happened, as the server's log has it: the one witness
//! that the whole history is held against.
//!
//! A *position* is a place between two batches of the log: at position `n`, the first `n`
//! batches were done. Since a batch is one step, nothing can be seen within one.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::fault::{Fault, Kind};
use super::record::{Content, Tag, Told, Value, parsed, value_of};
use crate::harness::replica::revision;

/// One change.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) previous: Option<Tag>,
    /// `None` of a deletion, as is the value.
    pub(super) tag: Option<Tag>,
    pub(super) value: Option<Value>,
}

/// Changes that were done together: a write, or a batch.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) entries: Vec<Entry>,
    /// Its first revision, where one is known.
    pub(super) first: Option<u64>,
    /// Its last revision.
    pub(super) end: u64,
}

/// How a document stands from a position on.
struct Span {
    from: usize,
    tag: Option<Tag>,
}

/// What is said of a document at some position.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stands {
    At(Tag),
    Present,
    Absent,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claim {
    pub(super) path: String,
    pub(super) stands: Stands,
}

impl Claim {
    pub(super) fn new(path: &str, stands: Stands) -> Self {
        Self {
            path: path.to_owned(),
            stands,
        }
    }
}

pub(super) struct Log {
    pub(super) groups: Vec<Group>,
    /// Of each document that ever was, how it stood: first absent.
    documents: HashMap<String, Vec<Span>>,
    /// Of each tag, the document, its place among the document's spans, and the value.
    tags: HashMap<Tag, (String, usize, Value)>,
}

impl Log {
    /// Reads the whole feed of a store that began empty.
    ///
    /// # Errors
    /// What is wrong with it by itself.
    pub(super) fn read(told: &[Told]) -> Result<Self, Fault> {
        let mut log = Self {
            groups: Vec::new(),
            documents: HashMap::new(),
            tags: HashMap::new(),
        };
        let mut group = Group::default();
        for told in told {
            log.entry(&mut group, told)?;
            if !told.more {
                let end = told.id.unwrap_or_default();
                let last = group.end.max(log.end() + 1);
                Kind::LogOrder
                    .unless(end >= last, || format!("the id is before {last}: {told:?}"))?;
                group.end = end;
                log.groups.push(std::mem::take(&mut group));
            }
        }
        Kind::LogOrder.unless(group.entries.is_empty(), || {
            "the log ends within a batch".to_owned()
        })?;
        Ok(log)
    }

    fn entry(&mut self, group: &mut Group, told: &Told) -> Result<(), Fault> {
        let position = self.groups.len() + 1;
        let last = group.end.max(self.end());
        let first = Span { from: 0, tag: None };
        let spans = self.documents.entry(told.path.clone());
        let spans = spans.or_insert_with(|| vec![first]);
        let standing = spans.last().and_then(|span| span.tag.as_ref());
        Kind::LogChain.unless(told.previous.as_ref() == standing, || {
            format!("{standing:?} stood before {told:?}")
        })?;
        let before = standing.and_then(|tag| self.tags.get(tag));
        let after = made(before.map(|(_, _, value)| value.as_str()), &told.content)?;
        Kind::LogContent.unless(after.is_some() == told.tag.is_some(), || {
            format!("a tag without content, or the reverse: {told:?}")
        })?;
        let value = match after {
            Some(json) => {
                let value = value_of(&json);
                let value =
                    value.ok_or_else(|| Kind::LogContent.of(format!("{json}: {told:?}")))?;
                Some(value)
            }
            None => None,
        };
        if let (Some(tag), Some(value)) = (&told.tag, &value) {
            let made = (told.path.clone(), spans.len(), value.clone());
            Kind::TagReused.unless(self.tags.insert(tag.clone(), made).is_none(), || {
                format!("{tag} was given before {told:?}")
            })?;
            let revision = revision(tag);
            Kind::LogOrder.unless(revision > last, || format!("{last} is before {told:?}"))?;
            // One revision each, in a batch.
            let before = group.entries.len() as u64;
            group.first.get_or_insert(revision.saturating_sub(before));
            group.end = revision;
        }
        spans.push(Span {
            from: position,
            tag: told.tag.clone(),
        });
        group.entries.push(Entry {
            path: told.path.clone(),
            previous: told.previous.clone(),
            tag: told.tag.clone(),
            value,
        });
        Ok(())
    }

    /// The last revision.
    pub(super) fn end(&self) -> u64 {
        self.groups.last().map_or(0, |group| group.end)
    }

    /// The position that a revision stands for.
    ///
    /// # Errors
    /// It stands within a batch.
    pub(super) fn position(&self, revision: u64) -> Result<usize, Fault> {
        let position = self.reached(revision);
        let next = self.groups.get(position).and_then(|group| group.first);
        Kind::Never.unless(next.is_none_or(|first| revision < first), || {
            format!("{revision} is within a batch")
        })?;
        Ok(position)
    }

    /// How many batches were done as of a revision.
    pub(super) fn reached(&self, revision: u64) -> usize {
        self.groups.partition_point(|group| group.end <= revision)
    }

    /// The value of a tag.
    pub(super) fn value(&self, tag: &str) -> Option<&Value> {
        self.tags.get(tag).map(|(_, _, value)| value)
    }

    /// The documents of a collection that ever were.
    pub(super) fn members(&self, collection: &str) -> impl Iterator<Item = &str> {
        let paths = self.documents.keys().map(String::as_str);
        paths.filter(move |path| super::record::collection_of(path) == collection)
    }

    /// Whether all that is said holds at a position.
    pub(super) fn holds(&self, claims: &[Claim], position: usize) -> bool {
        self.first(claims, position) == Some(position)
    }

    /// The first position, from one on, at which all that is said holds.
    pub(super) fn first(&self, claims: &[Claim], from: usize) -> Option<usize> {
        let mut position = from;
        loop {
            let mut next = position;
            for claim in claims {
                next = self.next(claim, next)?;
            }
            if next == position {
                return Some(position);
            }
            position = next;
        }
    }

    /// The first position, from one on, at which this holds.
    fn next(&self, claim: &Claim, from: usize) -> Option<usize> {
        let Some(spans) = self.documents.get(&claim.path) else {
            return (claim.stands == Stands::Absent).then_some(from);
        };
        if let Stands::At(tag) = &claim.stands {
            let (path, place, _) = self.tags.get(tag)?;
            let begin = spans.get(*place)?.from;
            let is_here = *path == claim.path && from < self.until(spans, *place);
            return is_here.then(|| from.max(begin));
        }
        let now = spans.partition_point(|span| span.from <= from) - 1;
        let is_wanted = |place: &usize| {
            let is_present = spans[*place].tag.is_some();
            is_present == (claim.stands == Stands::Present)
                && spans[*place].from < self.until(spans, *place)
        };
        let place = (now..spans.len()).find(is_wanted)?;
        Some(from.max(spans[place].from))
    }

    /// The first position at which a span no longer holds.
    fn until(&self, spans: &[Span], place: usize) -> usize {
        let next = spans.get(place + 1);
        next.map_or(self.groups.len() + 1, |next| next.from)
    }
}

/// What a change makes of a document.
///
/// # Errors
/// The patch does not fit.
pub(super) fn made(before: Option<&str>, content: &Content) -> Result<Option<Json>, Fault> {
    match content {
        Content::Document(json) => Ok(Some(json.clone())),
        Content::Gone => Ok(None),
        Content::Patch(patch) => {
            let before = before.ok_or_else(|| Kind::LogContent.of("a patch for nothing"))?;
            let mut json = parsed(before);
            let fits = serde_json::from_value::<json_patch::Patch>(patch.clone())
                .is_ok_and(|patch| json_patch::patch(&mut json, &patch).is_ok());
            Kind::LogContent.unless(fits, || format!("{patch} does not fit {before}"))?;
            Ok(Some(json))
        }
    }
}
