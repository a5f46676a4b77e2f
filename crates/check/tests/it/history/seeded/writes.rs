//! Saves that are lost, done twice, done wrongly, or in halves.

use super::super::fault::Kind;
use super::super::record::{
    Answer, Condition, Content, Done, Effect, History, Item, Refusal, Told, parsed,
};
use super::{Way, answer, are_found, is_single, is_stale, pick, place, superseded};
use crate::harness::random::Random;
use crate::harness::replica::revision;

const WAYS: [Way; 17] = [
    Way {
        name: "a save overwrites what it has not seen",
        spoil: |history, random| {
            let place = overwriter(history, random)?;
            let tag = append(history, place)?;
            let created = false;
            let done = Done { created, tag };
            answer(history, place, Answer::Done(vec![done]))
        },
        found: &[Kind::Condition],
    },
    Way {
        name: "a save is refused and done",
        spoil: |history, random| {
            let place = overwriter(history, random)?;
            append(history, place).map(drop)
        },
        found: &[Kind::DoneThoughRefused],
    },
    Way {
        name: "a save without an answer overwrites what it has not seen",
        spoil: |history, random| {
            let place = overwriter(history, random)?;
            append(history, place)?;
            history.operations[place].ended = None;
            Some(())
        },
        found: &[Kind::Condition],
    },
    Way {
        name: "a save is acknowledged and was refused",
        spoil: |history, random| {
            let place = overwriter(history, random)?;
            let tag = Some("\"epoch0-999999\"".to_owned());
            let created = false;
            answer(history, place, Answer::Done(vec![Done { created, tag }]))
        },
        found: &[Kind::Lost],
    },
    Way {
        name: "a save that was acknowledged is not in the log",
        spoil: |history, random| {
            let last = |told: &&Told| {
                let mut after = history.log.iter().rev();
                after.find(|other| other.path == told.path) == Some(told)
            };
            let single = history.log.iter().filter(last).filter(|told| !told.more);
            let place = place(history, random, |operation| {
                let Some(Answer::Done(done)) = operation.answer() else {
                    return false;
                };
                done.len() == 1
                    && done[0].tag.is_some()
                    && single.clone().any(|told| told.tag == done[0].tag)
            })?;
            let Some(Answer::Done(done)) = history.operations[place].answer() else {
                return None;
            };
            let tag = done[0].tag.clone();
            history.log.retain(|told| told.tag != tag);
            Some(())
        },
        found: &[Kind::Lost, Kind::Content],
    },
    Way {
        name: "two saves of one version are acknowledged with one tag",
        spoil: |history, random| {
            let winner = pick(random, superseded(history))?;
            let place = place(history, random, |operation| {
                let item = is_single(operation);
                let same = |item: &Item| {
                    item.condition == Condition::Tag(winner.old.clone())
                        && matches!(item.effect, Effect::Put(_) | Effect::Patch(_))
                };
                is_stale(operation) && item.is_some_and(same)
            })?;
            let created = false;
            let tag = Some(winner.new);
            answer(history, place, Answer::Done(vec![Done { created, tag }]))
        },
        found: &[Kind::Lost],
    },
    Way {
        name: "a save is done twice",
        spoil: |history, random| {
            let place = place(history, random, |operation| {
                let done = matches!(operation.answer(), Some(Answer::Done(_)) | None);
                done && is_single(operation).is_some_and(|item| {
                    let mut told = history.log.iter();
                    let made = item.effect.value().map(|value| parsed(value));
                    made.is_some_and(|made| {
                        told.any(|told| told.content == Content::Document(made.clone()))
                    })
                })
            })?;
            append(history, place).map(drop)
        },
        found: &[Kind::DoneTwice],
    },
    Way {
        name: "something is saved that nobody asked for",
        spoil: |history, random| {
            let place = overwriter(history, random)?;
            append(history, place)?;
            history.log.last_mut()?.content = Content::Document(parsed("nobody's"));
            Some(())
        },
        found: &[Kind::Unasked],
    },
    Way {
        name: "a version is gone that nobody deleted",
        spoil: |history, random| {
            let place = overwriter(history, random)?;
            append(history, place)?;
            let last = history.log.last_mut()?;
            let condition = last.previous.clone().map(Condition::Tag)?;
            let deletes =
                |item: &Item| item.effect == Effect::Delete && item.condition == condition;
            if history
                .operations
                .iter()
                .flat_map(|other| other.items())
                .any(deletes)
            {
                return None;
            }
            (last.tag, last.content) = (None, Content::Gone);
            Some(())
        },
        found: &[Kind::Unasked],
    },
    Way {
        name: "a tag comes back",
        spoil: |history, random| {
            let place = overwriter(history, random)?;
            append(history, place)?;
            let tags = history.log.iter().filter_map(|told| told.tag.clone());
            let tags: Vec<_> = tags.collect();
            let old = tags[..tags.len() - 1].to_vec();
            history.log.last_mut()?.tag = pick(random, old);
            Some(())
        },
        found: &[Kind::TagReused],
    },
    Way {
        name: "an answer has the tag of another save",
        spoil: |history, random| {
            let other = pick(random, superseded(history))?;
            let place = place(history, random, |operation| {
                matches!(operation.answer(), Some(Answer::Done(done))
                    if done[0].tag.is_some() && done[0].tag.as_ref() != Some(&other.new))
            })?;
            match &mut history.operations[place].ended.as_mut()?.1 {
                Answer::Done(done) => done[0].tag = Some(other.new),
                _ => return None,
            }
            Some(())
        },
        found: &[Kind::Answer],
    },
    Way {
        name: "a replacement is called a creation",
        spoil: |history, random| {
            let other = pick(random, superseded(history))?;
            let place = place(history, random, |operation| operation.began == other.began)?;
            match &mut history.operations[place].ended.as_mut()?.1 {
                Answer::Done(done) => done[0].created = true,
                _ => return None,
            }
            Some(())
        },
        found: &[Kind::Answer],
    },
    Way {
        name: "a batch is done in two parts",
        spoil: |history, random| {
            let told = history.log.iter().enumerate();
            let parts = told.filter(|(_, told)| told.more && told.tag.is_some());
            let place = pick(random, parts.map(|(place, _)| place).collect())?;
            let part = &mut history.log[place];
            (part.more, part.id) = (false, part.tag.as_deref().map(revision));
            Some(())
        },
        found: &[Kind::Torn],
    },
    Way {
        name: "two saves are done as one",
        spoil: |history, random| {
            let ends = history.log.len().checked_sub(1)?;
            let place = random.below(ends.max(1));
            history.log.get_mut(place).filter(|told| !told.more)?.more = true;
            Some(())
        },
        found: &[Kind::Torn],
    },
    Way {
        name: "the log has two saves the other way round",
        spoil: |history, random| {
            let last = history.log.len().checked_sub(1)?;
            let place = random.below(last.max(1));
            let has_tags = history
                .log
                .get(place..place + 2)?
                .iter()
                .all(|told| told.tag.is_some());
            has_tags.then(|| history.log.swap(place, place + 1))
        },
        found: &[Kind::LogOrder, Kind::LogChain],
    },
    Way {
        name: "a batch is done although what it leaves as it is has changed",
        spoil: |history, random| {
            let old = pick(random, superseded(history))?;
            let place = place(history, random, |operation| {
                let mut items = operation.items().iter();
                operation.began > old.ended
                    && matches!(operation.answer(), Some(Answer::Done(_)))
                    && items.clone().any(|item| item.effect.value().is_some())
                    && items.all(|item| item.path != old.path)
            })?;
            let operation = &mut history.operations[place];
            let super::super::record::Asked::Write(items) = &mut operation.asked else {
                return None;
            };
            items.push(Item {
                path: old.path,
                condition: Condition::Tag(old.old.clone()),
                effect: Effect::Same(old.value),
            });
            match &mut operation.ended.as_mut()?.1 {
                Answer::Done(done) => done.push(Done {
                    created: false,
                    tag: Some(old.old),
                }),
                _ => return None,
            }
            Some(())
        },
        found: &[Kind::Condition],
    },
    Way {
        name: "a batch is refused for its last request when its first was stale already",
        spoil: |history, random| {
            let all = superseded(history);
            let (old, place) = pick(
                random,
                all.into_iter()
                    .filter_map(|old| {
                        let mut operations = history.operations.iter();
                        let place = operations.position(|operation| {
                            let later = |answer: &Answer| {
                                matches!(answer, Answer::Refused { at, .. } if *at > 0)
                            };
                            operation.began > old.ended && operation.answer().is_some_and(later)
                        })?;
                        Some((old, place))
                    })
                    .collect(),
            )?;
            let super::super::record::Asked::Write(items) = &mut history.operations[place].asked
            else {
                return None;
            };
            items[0] = Item {
                path: old.path,
                condition: Condition::Tag(old.old),
                effect: Effect::Delete,
            };
            Some(())
        },
        found: &[Kind::Stale, Kind::Never],
    },
];

/// A save that was refused for a version that does not stand at the end either, where
/// there is a document.
fn overwriter(history: &History, random: &mut Random) -> Option<usize> {
    place(history, random, |operation| {
        let Some(Answer::Refused { why, .. }) = operation.answer() else {
            return false;
        };
        let is_stale = matches!(
            why,
            Refusal::Stale {
                current: Some(_),
                ..
            }
        );
        let item = is_single(operation).filter(|_| is_stale);
        item.is_some_and(|item| item.effect.value().is_some() && standing(history, item).is_some())
    })
}

/// The tag of the document at the end.
fn standing(history: &History, item: &Item) -> Option<String> {
    let told = history.log.iter().rev();
    let mut of_it = told.filter(|told| told.path == item.path);
    of_it.next()?.tag.clone()
}

/// Does a save once more, as the last of all. Gives its tag.
fn append(history: &mut History, place: usize) -> Option<Option<String>> {
    let item = is_single(&history.operations[place])?.clone();
    let value = item.effect.value()?;
    let revision = history.log.last()?.id? + 1;
    let tag = Some(format!("\"epoch99-{revision}\""));
    history.log.push(Told {
        path: item.path.clone(),
        previous: standing(history, &item),
        tag: tag.clone(),
        content: Content::Document(parsed(value)),
        more: false,
        id: Some(revision),
    });
    Some(tag)
}

#[test]
fn what_was_done_wrongly_is_found() {
    are_found(&WAYS);
}
