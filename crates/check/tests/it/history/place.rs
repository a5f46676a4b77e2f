//! Where in the log a request stands: which batch it made, or what it says of the state
//! that it saw.

use std::collections::HashMap;

use super::fault::{Fault, Kind};
use super::feed;
use super::log::{Claim, Group, Log, Stands, made};
use super::record::{
    Answer, Asked, Condition, Done, Effect, Item, Listed, Operation, Refusal, Value, parsed,
};
use crate::harness::replica::revision;

/// What is known of when a request was done.
#[derive(Debug)]
pub(super) enum Place {
    /// It left no trace.
    Nowhere,
    /// It made this position of the one before.
    Makes(usize),
    /// All this held.
    Sees(Vec<Claim>),
    /// It saw this position.
    SeesAt(usize),
    /// It saw this position, which need not have been the last.
    Past(usize),
}

/// The place of each request.
///
/// # Errors
/// What no order of the requests explains.
pub(super) fn places(log: &Log, operations: &[Operation]) -> Result<Vec<Place>, Fault> {
    let made = made_by(log, operations)?;
    let both = operations.iter().zip(made);
    both.map(|(operation, made)| match made {
        Some(position) => makes(log, operation, position),
        None => sees(log, operation),
    })
    .collect()
}

/// Of each request, the position that it made.
fn made_by(log: &Log, operations: &[Operation]) -> Result<Vec<Option<usize>>, Fault> {
    let makers = Makers::of(operations);
    let mut made = vec![None; operations.len()];
    for (place, group) in log.groups.iter().enumerate() {
        let maker = makers.find(group);
        let maker = maker.ok_or_else(|| Kind::Unasked.of(format!("{group:?}")))?;
        let operation = &operations[maker];
        let tell = || format!("{operation:?}\n{group:?}");
        Kind::DoneTwice.unless(made[maker].is_none(), tell)?;
        Kind::Torn.unless(is_whole(operation, group), tell)?;
        let is_refused = matches!(operation.answer(), Some(Answer::Refused { .. }));
        Kind::DoneThoughRefused.unless(!is_refused, tell)?;
        made[maker] = Some(place + 1);
    }
    Ok(made)
}

/// Who could have made what. Contents are different in each write. A deletion has none, but
/// names the version that it deletes, and no version goes twice. Of several deletions of
/// one version whose answers were lost, the one that began first explains it best, as it
/// could have been done whenever another could.
struct Makers<'a> {
    operations: &'a [Operation],
    values: HashMap<&'a str, usize>,
    deletions: HashMap<(&'a str, &'a str), Vec<usize>>,
}

impl<'a> Makers<'a> {
    fn of(operations: &'a [Operation]) -> Self {
        let mut values = HashMap::new();
        let mut deletions = HashMap::<_, Vec<_>>::new();
        for (index, operation) in operations.iter().enumerate() {
            let items = operation.items();
            let made = items.iter().filter_map(|item| item.effect.value());
            values.extend(made.map(|value| (value.as_str(), index)));
            if let [item] = items
                && let (Effect::Delete, Condition::Tag(tag)) = (&item.effect, &item.condition)
            {
                let known = deletions.entry((item.path.as_str(), tag.as_str()));
                known.or_default().push(index);
            }
        }
        Self {
            operations,
            values,
            deletions,
        }
    }

    fn find(&self, group: &Group) -> Option<usize> {
        let mut values = group
            .entries
            .iter()
            .filter_map(|entry| entry.value.as_deref());
        if let Some(value) = values.next() {
            return self.values.get(value).copied();
        }
        let entry = group.entries.first()?;
        let deletion = (entry.path.as_str(), entry.previous.as_deref()?);
        let asked = self.deletions.get(&deletion)?.iter().copied();
        asked.min_by_key(|index| {
            let operation = &self.operations[*index];
            let trust = match operation.answer() {
                Some(Answer::Done(_)) => 0,
                None => 1,
                Some(_) => 2,
            };
            (trust, operation.began)
        })
    }
}

/// Whether a batch of the log is all that was asked for, and nothing else.
fn is_whole(operation: &Operation, group: &Group) -> bool {
    let items = operation
        .items()
        .iter()
        .filter(|item| item.effect.changes());
    let asked = items.map(|item| (item.path.as_str(), item.effect.value()));
    let entries = group.entries.iter();
    asked.eq(entries.map(|entry| (entry.path.as_str(), entry.value.as_ref())))
}

/// A request that made a position.
fn makes(log: &Log, operation: &Operation, position: usize) -> Result<Place, Fault> {
    let (items, before) = (operation.items(), position - 1);
    let claims: Vec<_> = items.iter().map(condition).collect();
    Kind::Condition.unless(log.holds(&claims, before), || {
        format!("{operation:?}\nwas done at {position}: {claims:?}")
    })?;
    if let Some(Answer::Done(done)) = operation.answer() {
        let mut entries = log.groups[before].entries.iter();
        for (item, done) in items.iter().zip(done) {
            let entry = entries.next_if_changes(item);
            let expected = Done {
                created: matches!(item.effect, Effect::Put(_))
                    && entry.is_some_and(|entry| entry.previous.is_none()),
                tag: match entry {
                    Some(entry) => entry.tag.clone(),
                    None => tag(&item.condition),
                },
            };
            Kind::Answer.unless(*done == expected, || {
                format!("{expected:?} is expected of {operation:?}")
            })?;
        }
    }
    Ok(Place::Makes(position))
}

trait NextIfChanges<'a, T> {
    fn next_if_changes(&mut self, item: &Item) -> Option<&'a T>;
}

impl<'a, T> NextIfChanges<'a, T> for std::slice::Iter<'a, T> {
    fn next_if_changes(&mut self, item: &Item) -> Option<&'a T> {
        item.effect.changes().then(|| self.next()).flatten()
    }
}

/// What has to hold for a write to be done.
fn condition(item: &Item) -> Claim {
    let stands = match &item.condition {
        Condition::Free | Condition::Absent => Stands::Absent,
        Condition::Any => Stands::Present,
        Condition::Tag(tag) => Stands::At(tag.clone()),
    };
    Claim::new(&item.path, stands)
}

fn tag(condition: &Condition) -> Option<String> {
    match condition {
        Condition::Tag(tag) => Some(tag.clone()),
        _ => None,
    }
}

/// A request that changed nothing, as far as the log knows.
fn sees(log: &Log, operation: &Operation) -> Result<Place, Fault> {
    let Some(answer) = operation.answer() else {
        return Ok(Place::Nowhere);
    };
    let wrong = || Kind::Answer.of(format!("{operation:?}"));
    let claims = match (&operation.asked, answer) {
        (Asked::Write(items), Answer::Done(done)) => {
            let is_same = items.iter().all(|item| !item.effect.changes());
            Kind::Lost.unless(is_same, || format!("{operation:?}"))?;
            let told = done.iter().map(|done| (done.created, done.tag.clone()));
            let known = items.iter().map(|item| (false, tag(&item.condition)));
            Kind::Answer.unless(told.eq(known), || format!("{operation:?}"))?;
            items.iter().map(condition).collect()
        }
        (Asked::Write(items), Answer::Refused { at, why }) => {
            let item = items.get(*at).ok_or_else(wrong)?;
            let mut claims: Vec<_> = items[..*at].iter().map(condition).collect();
            claims.push(Claim::new(&item.path, refusal(log, item, why)?));
            claims
        }
        (Asked::Read { path, unless, .. }, answer) => {
            vec![Claim::new(path, found(log, unless.as_deref(), answer)?)]
        }
        (Asked::List { collection }, Answer::Listed { items, at }) => {
            let claims = listed(log, collection, items)?;
            let Some(at) = at else {
                return Ok(Place::Sees(claims));
            };
            let position = log.position(revision(at))?;
            Kind::Never.unless(log.holds(&claims, position), || {
                format!("{operation:?}\nis not what stood at {position}")
            })?;
            return Ok(Place::SeesAt(position));
        }
        (Asked::Changes { scope, since }, Answer::Changed { told, at, more }) => {
            let from = log.position(revision(since))?;
            let position = log.position(revision(at))?;
            feed::tells(log, scope, from..position, told.iter())?;
            return Ok(if *more {
                Place::Past(position)
            } else {
                Place::SeesAt(position)
            });
        }
        (Asked::Follow, Answer::Following { at }) => {
            return Ok(Place::SeesAt(log.position(revision(at))?));
        }
        _ => return Err(wrong()),
    };
    Ok(Place::Sees(claims))
}

/// What an answer to GET or HEAD says.
fn found(log: &Log, unless: Option<&str>, answer: &Answer) -> Result<Stands, Fault> {
    match answer {
        Answer::Missing => Ok(Stands::Absent),
        Answer::NotModified { tag } if unless == Some(tag) => Ok(Stands::At(tag.clone())),
        Answer::Found { tag, value } if unless != Some(tag) => {
            given(log, tag, value.as_ref())?;
            Ok(Stands::At(tag.clone()))
        }
        _ => Err(Kind::Answer.of(format!("{answer:?}, unless it is {unless:?}"))),
    }
}

/// A tag is one of the log, and stands for this.
fn given(log: &Log, tag: &str, value: Option<&Value>) -> Result<(), Fault> {
    let known = log.value(tag);
    let is_known = known.is_some() && value.is_none_or(|value| Some(value) == known);
    Kind::Content.unless(is_known, || {
        format!("{tag} stands for {known:?}, not for {value:?}")
    })
}

/// What a list says of each document that ever was in the collection.
fn listed(log: &Log, collection: &str, items: &[Listed]) -> Result<Vec<Claim>, Fault> {
    let mut claims = HashMap::new();
    for path in log.members(collection) {
        claims.insert(path, Stands::Absent);
    }
    for (path, tag, value) in items {
        given(log, tag, Some(value))?;
        let before = claims.insert(path, Stands::At(tag.clone()));
        let is_once = before == Some(Stands::Absent);
        Kind::Answer.unless(is_once, || format!("{path} in {collection}: {items:?}"))?;
    }
    let claims = claims.into_iter();
    Ok(claims
        .map(|(path, stands)| Claim::new(path, stands))
        .collect())
}

/// What a refusal says of the document.
fn refusal(log: &Log, item: &Item, why: &Refusal) -> Result<Stands, Fault> {
    let patches = matches!(item.effect, Effect::Patch(_) | Effect::Delete);
    let stands = match (why, &item.condition) {
        (Refusal::Missing, _) if patches => Some(Stands::Absent),
        (Refusal::Required, Condition::Free) => Some(Stands::Present),
        (Refusal::Stale { same: true, .. }, _) => None,
        (Refusal::Stale { current: None, .. }, Condition::Tag(_) | Condition::Any) if !patches => {
            Some(Stands::Absent)
        }
        (
            Refusal::Stale {
                current: Some(current),
                changes,
                ..
            },
            condition,
        ) => {
            given(log, current, None)?;
            let base = match condition {
                Condition::Tag(tag) if tag != current => log.value(tag),
                Condition::Absent => None,
                _ => return Err(Kind::Answer.of(format!("{item:?}: {why:?}"))),
            };
            if let Some(changes) = changes {
                let changed = super::record::Content::Patch(changes.clone());
                let changed = made(base.map(String::as_str), &changed);
                let current = log.value(current).map(|value| parsed(value));
                let is_right = changed.is_ok_and(|changed| changed == current);
                Kind::Content.unless(is_right, || format!("{item:?}: {why:?}"))?;
            }
            Some(Stands::At(current.clone()))
        }
        _ => None,
    };
    stands.ok_or_else(|| Kind::Answer.of(format!("{item:?}: {why:?}")))
}
