//! What a feed tells, held against the log: all of its scope, each change once, in order,
//! each batch in one piece.

use std::ops::Range;

use super::fault::{Fault, Kind};
use super::log::{Entry, Log, made};
use super::record::{Scope, Stream, Tick, Told, parsed};
use crate::harness::replica::revision;

/// A change that is to be told.
struct Due<'a> {
    entry: &'a Entry,
    /// What its batch makes.
    position: usize,
    is_last: bool,
    /// Its place among all changes.
    place: usize,
}

/// All changes of a scope between two positions.
fn due<'a>(log: &'a Log, scope: &Scope, positions: Range<usize>) -> Vec<Due<'a>> {
    let mut due = Vec::<Due<'_>>::new();
    let mut place = 0;
    for (index, group) in log.groups.iter().enumerate().take(positions.end) {
        let begin = due.len();
        for entry in &group.entries {
            place += 1;
            if scope.holds(&entry.path) && index >= positions.start {
                due.push(Due {
                    entry,
                    position: index + 1,
                    is_last: false,
                    place,
                });
            }
        }
        if let Some(last) = due[begin..].last_mut() {
            last.is_last = true;
        }
    }
    due
}

/// Exactly what is due between two positions was told. Gives the positions that each
/// change showed: those that end a batch show what it made.
///
/// # Errors
/// What is wrong with it.
pub(super) fn tells<'a>(
    log: &Log,
    scope: &Scope,
    positions: Range<usize>,
    told: impl Iterator<Item = &'a Told>,
) -> Result<Vec<usize>, Fault> {
    let mut due = due(log, scope, positions).into_iter();
    let mut shown = Vec::new();
    let (mut last, mut last_id) = (0, 0);
    for told in told {
        let next = due.next();
        match &next {
            Some(due) if is(due.entry, told) => {
                tells_rightly(log, due, told)?;
                has_id(log, due, told, last_id)?;
                (last, last_id) = (due.place, told.id.unwrap_or_default());
                shown.push(due.position - usize::from(told.more));
            }
            _ => {
                let kind = match find(log, told) {
                    None => Kind::FeedInvents,
                    Some((_, place)) if place <= last => Kind::FeedRepeats,
                    Some(_) if next.is_none() => Kind::FeedInvents,
                    Some(_) => Kind::FeedSkips,
                };
                let due = next.map(|due| due.entry);
                return Err(kind.of(format!("{due:?} is due, and not {told:?}")));
            }
        }
    }
    Kind::FeedSkips.unless(due.len() == 0, || {
        let left = due.next().map(|due| due.entry);
        format!("{left:?} was not told, nor what comes after")
    })?;
    Ok(shown)
}

fn is(entry: &Entry, told: &Told) -> bool {
    (&entry.path, &entry.previous, &entry.tag) == (&told.path, &told.previous, &told.tag)
}

fn tells_rightly(log: &Log, due: &Due<'_>, told: &Told) -> Result<(), Fault> {
    let before = due.entry.previous.as_ref().and_then(|tag| log.value(tag));
    let after = made(before.map(String::as_str), &told.content);
    let expected = due.entry.value.as_deref().map(parsed);
    let is_right = after.is_ok_and(|after| after == expected);
    Kind::FeedContent.unless(is_right, || format!("{told:?}, not {expected:?}"))?;
    Kind::FeedTorn.unless(told.more != due.is_last, || format!("{told:?}"))
}

/// Who goes on from the id of a batch's last change is told no more of the batch, and who
/// goes on from another is told all of it. Where other changes of a batch are not in the
/// scope, it does not matter on which side of them an id stands.
fn has_id(log: &Log, due: &Due<'_>, told: &Told, last_id: u64) -> Result<(), Fault> {
    let Some(id) = told.id else {
        return Ok(());
    };
    let group = &log.groups[due.position - 1];
    let is_right = if told.more {
        id >= last_id
            && log.reached(id) < due.position
            && group.first.is_none_or(|first| id < first)
    } else {
        let own = due.entry.tag.as_deref().map_or(0, revision);
        (own..=group.end).contains(&id) && id > last_id && log.reached(id) + 1 >= due.position
    };
    Kind::FeedTorn.unless(is_right, || {
        format!(
            "the id is not that of {}, after {last_id}: {told:?}",
            due.position
        )
    })
}

/// Holds a stream against the log. Gives the positions that it showed, and when.
///
/// # Errors
/// What is wrong with it.
pub(super) fn follows(log: &Log, stream: &Stream) -> Result<Vec<(Tick, usize)>, Fault> {
    let told = || stream.told.iter().map(|(_, told)| told);
    let last = told().next_back().and_then(|told| find(log, told));
    let end = log
        .position(stream.end)?
        .max(last.map_or(0, |(position, _)| position));
    let shown = tells(log, &stream.scope, log.position(stream.start)?..end, told())?;
    let ticks = stream.told.iter().map(|(tick, _)| *tick);
    Ok(ticks.zip(shown).collect())
}

/// What the batch of a change makes, and the change's place among all.
fn find(log: &Log, told: &Told) -> Option<(usize, usize)> {
    let groups = log.groups.iter().enumerate();
    let all =
        groups.flat_map(|(index, group)| group.entries.iter().map(move |entry| (index, entry)));
    let mut found = all.enumerate().filter(|(_, (_, entry))| is(entry, told));
    found
        .next()
        .map(|(place, (index, _))| (index + 1, place + 1))
}
