//! Feeds that leave something out, tell it twice, in another order, or wrongly.

use serde_json::json;

use super::super::fault::Kind;
use super::super::record::{Content, History, Tick, Told};
use super::{Way, are_found, pick};
use crate::harness::random::Random;

type Events = Vec<(Tick, Told)>;

const WAYS: [Way; 13] = [
    Way {
        name: "a change is left out",
        spoil: |history, random| {
            let (events, place) = alone(history, random, 0)?;
            events.remove(place);
            Some(())
        },
        found: &[Kind::FeedSkips],
    },
    Way {
        name: "a change of a batch is left out",
        spoil: |history, random| {
            let (events, place) = event(history, random, |told| told.more)?;
            events.remove(place);
            Some(())
        },
        found: &[Kind::FeedSkips],
    },
    Way {
        name: "all after a change is left out",
        spoil: |history, random| {
            let (events, place) = alone(history, random, 0)?;
            events.truncate(place);
            Some(())
        },
        found: &[Kind::FeedSkips],
    },
    Way {
        name: "a change is told twice",
        spoil: |history, random| {
            let (events, place) = alone(history, random, 0)?;
            events.insert(place + 1, events[place].clone());
            Some(())
        },
        found: &[Kind::FeedRepeats],
    },
    Way {
        name: "a change is told again much later",
        spoil: |history, random| {
            let (events, place) = alone(history, random, 1)?;
            let again = events[place].clone();
            events.push(again);
            Some(())
        },
        found: &[Kind::FeedRepeats],
    },
    Way {
        name: "a change of a batch is told twice",
        spoil: |history, random| {
            let (events, place) = event(history, random, |told| told.more)?;
            events.insert(place + 1, events[place].clone());
            Some(())
        },
        found: &[Kind::FeedRepeats],
    },
    Way {
        name: "two changes are told the other way round",
        spoil: |history, random| {
            let (events, place) = alone(history, random, 1)?;
            events.swap(place, place + 1);
            Some(())
        },
        found: &[Kind::FeedSkips],
    },
    Way {
        name: "a change has another tag",
        spoil: |history, random| {
            let (events, place) = event(history, random, |told| told.tag.is_some())?;
            events[place].1.tag = Some("\"epoch0-999999\"".to_owned());
            Some(())
        },
        found: &[Kind::FeedInvents],
    },
    Way {
        name: "a patch makes something else",
        spoil: |history, random| {
            let patches = |told: &Told| matches!(told.content, Content::Patch(_));
            let (events, place) = event(history, random, patches)?;
            let patch = json!([{"op": "add", "path": "/more", "value": 1}]);
            events[place].1.content = Content::Patch(patch);
            Some(())
        },
        found: &[Kind::FeedContent],
    },
    Way {
        name: "a patch does not fit",
        spoil: |history, random| {
            let patches = |told: &Told| matches!(told.content, Content::Patch(_));
            let (events, place) = event(history, random, patches)?;
            let patch = json!([{"op": "remove", "path": "/none"}]);
            events[place].1.content = Content::Patch(patch);
            Some(())
        },
        found: &[Kind::FeedContent],
    },
    Way {
        name: "a batch is told as if it ended in the middle",
        spoil: |history, random| {
            let (events, place) = event(history, random, |told| told.more)?;
            events[place].1.more = false;
            Some(())
        },
        found: &[Kind::FeedTorn],
    },
    Way {
        name: "the id of a batch's first change is past the batch",
        spoil: |history, random| {
            let (events, place) = event(history, random, |told| told.more)?;
            let last = events[place..].iter().find(|(_, told)| !told.more)?.1.id;
            events[place].1.id = last;
            Some(())
        },
        found: &[Kind::FeedTorn],
    },
    Way {
        name: "a change is told before anybody asked for it",
        spoil: |history, random| {
            for operation in &mut history.operations {
                operation.began += 1;
                if let Some((ended, _)) = &mut operation.ended {
                    *ended += 1;
                }
            }
            let (events, place) = alone(history, random, 0)?;
            events[place].0 = 0;
            Some(())
        },
        found: &[Kind::Early, Kind::Stale],
    },
];

/// A follower's events, and the place of one of which this holds.
fn event<'a>(
    history: &'a mut History,
    random: &mut Random,
    holds: impl Fn(&Told) -> bool,
) -> Option<(&'a mut Events, usize)> {
    let mut found = Vec::new();
    for (stream, events) in history.streams.iter().enumerate() {
        let places = events.told.iter().enumerate();
        let places = places.filter(|(_, (_, told))| holds(told));
        found.extend(places.map(|(place, _)| (stream, place)));
    }
    let (stream, place) = pick(random, found)?;
    Some((&mut history.streams[stream].told, place))
}

/// A follower's events, and the place of one that is part of no batch, as are so many
/// after it.
fn alone<'a>(
    history: &'a mut History,
    random: &mut Random,
    after: usize,
) -> Option<(&'a mut Events, usize)> {
    let mut found = Vec::new();
    for (stream, events) in history.streams.iter().enumerate() {
        let first = events.told.first().is_some_and(|(_, told)| !told.more);
        let begins = first.then_some(0).into_iter();
        let more = events.told.windows(2).enumerate();
        let more = more.filter(|(_, pair)| pair.iter().all(|(_, told)| !told.more));
        for place in begins.chain(more.map(|(place, _)| place + 1)) {
            let rest = events.told.get(place..=place + after);
            if rest.is_some_and(|rest| rest.iter().all(|(_, told)| !told.more)) {
                found.push((stream, place));
            }
        }
    }
    let (stream, place) = pick(random, found)?;
    Some((&mut history.streams[stream].told, place))
}

#[test]
fn what_was_told_wrongly_is_found() {
    are_found(&WAYS);
}
