//! The checker is checked: it accepts what a right store does, and finds what is wrong with
//! a history that was spoilt in one place. Every way to spoil one makes something that no
//! right store does, and says how it is to be found.

mod feeds;
mod reads;
mod writes;

use proptest::prelude::*;

use super::check::check;
use super::fault::Kind;
use super::log::Log;
use super::model::history;
use super::record::{
    Answer, Condition, Effect, History, Item, Operation, Refusal, Tag, Tick, Value,
};
use crate::harness::random::Random;

/// Histories that are spoilt in each way.
const TRIES: u64 = 25;

/// A way to spoil a history.
struct Way {
    name: &'static str,
    /// Whether the history had a place for it.
    spoil: fn(&mut History, &mut Random) -> Option<()>,
    /// As what it may be found: what is wrong in one place often is in another.
    found: &'static [Kind],
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_a_right_store_does_is_accepted(
        seed in any::<u64>(),
        clients in 1_usize..9,
        steps in 0_usize..900,
    ) {
        if let Err(fault) = check(&history(seed, clients, steps)) {
            panic!("{fault}");
        }
    }
}

/// Spoils histories in each way, and looks whether that is found.
#[track_caller]
fn are_found(ways: &[Way]) {
    for way in ways {
        let mut tried = 0;
        for seed in 0..TRIES {
            let mut random = Random::new(seed);
            let mut history = history(seed, 6, 700);
            if (way.spoil)(&mut history, &mut random).is_none() {
                continue;
            }
            tried += 1;
            match check(&history) {
                Err(fault) if way.found.contains(&fault.kind) => {}
                Err(fault) => panic!("{}, seed {seed}: another fault: {fault}", way.name),
                Ok(_) => panic!("{}, seed {seed}: not found", way.name),
            }
        }
        assert!(
            tried >= 3,
            "{}: only {tried} histories had a place",
            way.name
        );
    }
}

/// A write that is known to have taken the place of a version.
struct Superseded {
    path: String,
    /// The version that went.
    old: Tag,
    value: Value,
    /// The version that came, and its content.
    new: Tag,
    new_value: Value,
    began: Tick,
    ended: Tick,
}

fn superseded(history: &History) -> Vec<Superseded> {
    let log = Log::read(&history.log).unwrap();
    let operations = history.operations.iter();
    let found = operations.filter_map(|operation| {
        let (ended, Answer::Done(done)) = operation.ended.as_ref()? else {
            return None;
        };
        let [item] = operation.items() else {
            return None;
        };
        let (Condition::Tag(old), Effect::Put(new_value)) = (&item.condition, &item.effect) else {
            return None;
        };
        Some(Superseded {
            path: item.path.clone(),
            old: old.clone(),
            value: log.value(old)?.clone(),
            new: done[0].tag.clone()?,
            new_value: new_value.clone(),
            began: operation.began,
            ended: *ended,
        })
    });
    found.collect()
}

/// One of those for which there is something.
fn pick<T>(random: &mut Random, mut found: Vec<T>) -> Option<T> {
    if found.is_empty() {
        return None;
    }
    let place = random.below(found.len());
    Some(found.swap_remove(place))
}

/// The place of an operation of which this holds.
fn place(
    history: &History,
    random: &mut Random,
    holds: impl Fn(&Operation) -> bool,
) -> Option<usize> {
    let operations = history.operations.iter().enumerate();
    let places = operations.filter(|(_, operation)| holds(operation));
    pick(random, places.map(|(place, _)| place).collect())
}

/// Gives an operation another answer.
fn answer(history: &mut History, place: usize, answer: Answer) -> Option<()> {
    history.operations[place].ended.as_mut()?.1 = answer;
    Some(())
}

fn is_single(operation: &Operation) -> Option<&Item> {
    match operation.items() {
        [item] => Some(item),
        _ => None,
    }
}

fn is_stale(operation: &Operation) -> bool {
    let stale = |why: &Refusal| matches!(why, Refusal::Stale { .. });
    matches!(operation.answer(), Some(Answer::Refused { why, .. }) if stale(why))
}
