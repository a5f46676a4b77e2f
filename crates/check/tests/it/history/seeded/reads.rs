//! What was never there is seen, or no longer, or not yet.

use super::super::fault::Kind;
use super::super::record::{Answer, Asked, History, Listed, Operation, Refusal};
use super::{Superseded, Way, answer, are_found, is_stale, pick, place, superseded};
use crate::harness::random::Random;

const WAYS: [Way; 14] = [
    Way {
        name: "a read after a save sees what was before",
        spoil: |history, random| {
            let (old, place) = read_after(history, random)?;
            let head = is_head(&history.operations[place]);
            set_unless(history, place, None);
            let value = (!head).then_some(old.value);
            answer(
                history,
                place,
                Answer::Found {
                    tag: old.old,
                    value,
                },
            )
        },
        found: &[Kind::Stale],
    },
    Way {
        name: "what was superseded is not modified",
        spoil: |history, random| {
            let (old, place) = read_after(history, random)?;
            set_unless(history, place, Some(old.old.clone()));
            answer(history, place, Answer::NotModified { tag: old.old })
        },
        found: &[Kind::Stale],
    },
    Way {
        name: "a read before a save sees what it makes",
        spoil: |history, random| {
            let all = superseded(history).into_iter();
            let places = all.filter_map(|new| {
                let is_before = |operation: &Operation| {
                    reads(operation, &new.path) && ended(operation) < Some(new.began)
                };
                let place = history.operations.iter().position(is_before)?;
                Some((new, place))
            });
            let (new, place) = pick(random, places.collect())?;
            let head = is_head(&history.operations[place]);
            set_unless(history, place, None);
            let value = (!head).then_some(new.new_value);
            answer(
                history,
                place,
                Answer::Found {
                    tag: new.new,
                    value,
                },
            )
        },
        found: &[Kind::Early, Kind::Stale],
    },
    Way {
        name: "a save begins after it was seen",
        spoil: |history, random| {
            let last = history.operations.iter().filter_map(ended).max()?;
            let seen = |tag: &str| {
                let found = |operation: &Operation| matches!(operation.answer(), Some(Answer::Found { tag: found, .. }) if found == tag);
                history.operations.iter().any(found)
            };
            let all = superseded(history).into_iter();
            let new = pick(random, all.filter(|new| seen(&new.new)).collect())?;
            let mut operations = history.operations.iter_mut();
            let save = operations.find(|operation| operation.began == new.began)?;
            save.began = last + 1;
            save.ended.as_mut()?.0 = last + 2;
            Some(())
        },
        found: &[Kind::Early],
    },
    Way {
        name: "content that was refused is read under a tag of its own",
        spoil: |history, random| refused_content(history, random, Some("\"epoch0-999999\"")),
        found: &[Kind::Content],
    },
    Way {
        name: "content that was refused is read under a tag that was given",
        spoil: |history, random| refused_content(history, random, None),
        found: &[Kind::Content],
    },
    Way {
        name: "a tag stands for another's content",
        spoil: |history, random| {
            let other = pick(random, superseded(history))?;
            let place = place(
                history,
                random,
                |operation| matches!(operation.answer(), Some(Answer::Found { tag, value: Some(_) }) if *tag != other.new),
            )?;
            match &mut history.operations[place].ended.as_mut()?.1 {
                Answer::Found { value, .. } => *value = Some(other.new_value),
                _ => return None,
            }
            Some(())
        },
        found: &[Kind::Content],
    },
    Way {
        name: "a document is missing that was not deleted since",
        spoil: |history, random| {
            let (old, place) = read_after(history, random)?;
            let mut since = history
                .log
                .iter()
                .skip_while(|told| told.tag.as_ref() != Some(&old.new));
            if since.any(|told| told.path == old.path && told.tag.is_none()) {
                return None;
            }
            set_unless(history, place, None);
            answer(history, place, Answer::Missing)
        },
        found: &[Kind::Stale],
    },
    Way {
        name: "a list shows a half of a batch",
        spoil: half_listed,
        found: &[Kind::Never],
    },
    Way {
        name: "a list leaves a document out",
        spoil: |history, random| {
            listed(history, random, |items| {
                items.pop();
            })
        },
        found: &[Kind::Never],
    },
    Way {
        name: "a list has a document twice",
        spoil: |history, random| listed(history, random, |items| items.push(items[0].clone())),
        found: &[Kind::Answer],
    },
    Way {
        name: "a 412 tells a tag that had gone",
        spoil: |history, random| {
            let (old, place) = after(history, random, |operation, old| {
                let mut items = operation.items().iter();
                is_stale(operation)
                    && items.len() == 1
                    && items.all(|item| item.path == old.path)
                    && match operation.answer() {
                        Some(Answer::Refused {
                            why: Refusal::Stale { current, .. },
                            ..
                        }) => current.is_some(),
                        _ => false,
                    }
            })?;
            let why = Refusal::Stale {
                current: Some(old.old),
                changes: None,
                same: false,
            };
            answer(history, place, Answer::Refused { at: 0, why })
        },
        // It may be the very tag that was asked for.
        found: &[Kind::Stale, Kind::Answer],
    },
    Way {
        name: "changes since a cursor leave out what was acknowledged",
        spoil: |history, random| {
            let (_, place) = after(history, random, |operation, old| match operation.answer() {
                Some(Answer::Changed { told, .. }) => {
                    told.iter().any(|told| told.tag.as_ref() == Some(&old.new))
                }
                _ => false,
            })?;
            let Asked::Changes { since, .. } = &history.operations[place].asked else {
                return None;
            };
            let (told, at) = (Vec::new(), since.clone());
            let more = false;
            answer(history, place, Answer::Changed { told, at, more })
        },
        found: &[Kind::Stale],
    },
    Way {
        name: "changes since a cursor end too early",
        spoil: |history, random| {
            let place = place(
                history,
                random,
                |operation| matches!(operation.answer(), Some(Answer::Changed { told, .. }) if !told.is_empty()),
            )?;
            match &mut history.operations[place].ended.as_mut()?.1 {
                Answer::Changed { told, .. } => drop(told.pop()),
                _ => return None,
            }
            Some(())
        },
        found: &[Kind::FeedSkips],
    },
];

fn ended(operation: &Operation) -> Option<u64> {
    operation.ended.as_ref().map(|(tick, _)| *tick)
}

fn reads(operation: &Operation, read: &str) -> bool {
    operation.ended.is_some()
        && matches!(&operation.asked, Asked::Read { path, .. } if path == read)
}

fn is_head(operation: &Operation) -> bool {
    matches!(operation.asked, Asked::Read { head: true, .. })
}

fn set_unless(history: &mut History, place: usize, tag: Option<String>) {
    if let Asked::Read { unless, .. } = &mut history.operations[place].asked {
        *unless = tag;
    }
}

/// An operation that began when a version had gone.
fn after(
    history: &History,
    random: &mut Random,
    holds: impl Fn(&Operation, &Superseded) -> bool,
) -> Option<(Superseded, usize)> {
    let all = superseded(history).into_iter();
    let places = all.filter_map(|old| {
        let is_after = |operation: &Operation| {
            operation.began > old.ended && operation.ended.is_some() && holds(operation, &old)
        };
        let place = history.operations.iter().position(is_after)?;
        Some((old, place))
    });
    pick(random, places.collect())
}

fn read_after(history: &History, random: &mut Random) -> Option<(Superseded, usize)> {
    after(history, random, |operation, old| {
        reads(operation, &old.path)
    })
}

fn refused_content(history: &mut History, random: &mut Random, tag: Option<&str>) -> Option<()> {
    let refused = place(history, random, |operation| {
        is_stale(operation) && operation.items()[0].effect.value().is_some()
    })?;
    let content = history.operations[refused].items()[0]
        .effect
        .value()
        .cloned();
    let read = place(history, random, |operation| {
        matches!(
            operation.answer(),
            Some(Answer::Found { value: Some(_), .. })
        )
    })?;
    match &mut history.operations[read].ended.as_mut()?.1 {
        Answer::Found { tag: known, value } => {
            *known = tag.unwrap_or(known).to_owned();
            *value = content;
        }
        _ => return None,
    }
    Some(())
}

/// Changes a list that has something.
fn listed(history: &mut History, random: &mut Random, change: fn(&mut Vec<Listed>)) -> Option<()> {
    let place = place(
        history,
        random,
        |operation| matches!(operation.answer(), Some(Answer::Listed { items, at: Some(_) }) if !items.is_empty()),
    )?;
    match &mut history.operations[place].ended.as_mut()?.1 {
        Answer::Listed { items, .. } => change(items),
        _ => return None,
    }
    Some(())
}

/// Of two documents that a batch wrote, one as before and one as after.
fn half_listed(history: &mut History, random: &mut Random) -> Option<()> {
    let log = super::Log::read(&history.log).unwrap();
    let mut halves = Vec::new();
    for (place, operation) in history.operations.iter().enumerate() {
        let Some(Answer::Listed { items, .. }) = operation.answer() else {
            continue;
        };
        let has =
            |tag: &Option<String>| items.iter().position(|item| Some(&item.1) == tag.as_ref());
        for group in log.groups.iter().filter(|group| group.entries.len() > 1) {
            let listed = group.entries.iter().filter_map(|entry| {
                let old = entry.previous.clone()?;
                let value = log.value(&old)?.clone();
                Some((has(&entry.tag)?, old, value))
            });
            let listed: Vec<_> = listed.collect();
            let all = group
                .entries
                .iter()
                .filter(|entry| has(&entry.tag).is_some());
            if all.count() > 1 && !listed.is_empty() {
                halves.push((place, listed[0].clone()));
            }
        }
    }
    let (place, (item, old, old_value)) = pick(random, halves)?;
    match &mut history.operations[place].ended.as_mut()?.1 {
        Answer::Listed { items, at } => {
            (items[item].1, items[item].2) = (old, old_value);
            *at = None;
        }
        _ => return None,
    }
    Some(())
}

#[test]
fn what_was_seen_wrongly_is_found() {
    are_found(&WAYS);
}
