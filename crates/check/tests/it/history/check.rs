//! Whether a history is linearizable: whether there is one order of all requests, the same
//! for all documents, in which each saw what those before it made, and which agrees with
//! the order in which they were seen to happen.
//!
//! To find such an order among all is hard (Gibbons and Korach, 'Testing shared
//! memories', 1997), and it is what general testers do. `LinearizabilityTester` of
//! `stateright` goes through the interleavings one by one, with a copy of what is left at
//! each step, and takes no more requests of a client whose answer was lost; with it comes
//! a model checker with an HTTP server. Ports of Wing and Gong's search, as in porcupine,
//! remember where they were, and still search. Here nothing is to be searched: the server
//! claims an order, that of its revisions, and every state has a name of its own. So the
//! log is the witness, and three things are left to be shown:
//!
//! 1. The log by itself is right: each entry follows what stood before ([`Log::read`]).
//! 2. Each request agrees with it somewhere: a write is one batch of the log, whole, and
//!    its conditions held just before it; a read or a refusal says what stood at some
//!    position ([`places`]).
//! 3. The places agree with real time: what ended before another began stands before it
//!    (here).
//!
//! For the third, requests are taken in the order in which they began. Each stands at the
//! first position that agrees with it and is not before any position that was seen by a
//! request that had ended. Earlier is always better: it leaves more to those that come
//! later. A write has no choice. If it stands at or before what was seen before it began,
//! somebody saw it too early, or the order of revisions is not that of time.
//!
//! An order is not found only if there is none that agrees with the revisions. This is
//! more than linearizability of each document: since batches write several documents, only
//! one order of all of them shows that batches are atomic. It takes a time of `n log n`.

use super::fault::{Fault, Kind};
use super::feed;
use super::log::Log;
use super::place::{Place, places};
use super::record::{History, Operation, Tick};

/// What was checked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checked {
    pub(super) histories: usize,
    /// Times that a server was killed.
    pub(super) kills: usize,
    /// Requests.
    pub(super) operations: usize,
    /// Those among them whose fate is not known from their answers.
    pub(super) unanswered: usize,
    /// Batches in the log.
    pub(super) batches: usize,
    /// Changes in it.
    pub(super) changes: usize,
    /// Changes that followers were told.
    pub(super) told: usize,
}

impl std::ops::AddAssign for Checked {
    fn add_assign(&mut self, other: Self) {
        self.histories += other.histories;
        self.kills += other.kills;
        self.operations += other.operations;
        self.unanswered += other.unanswered;
        self.batches += other.batches;
        self.changes += other.changes;
        self.told += other.told;
    }
}

/// Checks a history.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(history: &History) -> Result<Checked, Fault> {
    let log = Log::read(&history.log)?;
    let places = places(&log, &history.operations)?;
    let mut moments = Vec::new();
    let mut told = 0;
    for stream in &history.streams {
        told += stream.told.len();
        let seen = feed::follows(&log, stream)?;
        moments.extend(seen.into_iter().map(|(tick, at)| (tick, Moment::Told(at))));
    }
    for (index, operation) in history.operations.iter().enumerate() {
        moments.push((operation.began, Moment::Began(index)));
        let ended = operation.ended.as_ref();
        moments.extend(ended.map(|(tick, _)| (*tick, Moment::Ended(index))));
    }
    moments.sort_by_key(|(tick, _)| *tick);
    Sweep::new(&log, &history.operations, &places).run(&moments)?;
    let operations = history.operations.iter();
    Ok(Checked {
        histories: 1,
        kills: history.kills,
        operations: history.operations.len(),
        unanswered: operations
            .filter(|operation| operation.ended.is_none())
            .count(),
        batches: log.groups.len(),
        changes: history.log.len(),
        told,
    })
}

/// Something that happened at a tick.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Began(usize),
    Ended(usize),
    /// A follower was told all up to a position.
    Told(usize),
}

struct Sweep<'a> {
    log: &'a Log,
    operations: &'a [Operation],
    places: &'a [Place],
    /// Where each request stands that has begun.
    stands: Vec<Option<usize>>,
    /// The last position that is known to have been reached.
    floor: usize,
    /// How it is known.
    by: Option<(Tick, Moment)>,
}

impl<'a> Sweep<'a> {
    fn new(log: &'a Log, operations: &'a [Operation], places: &'a [Place]) -> Self {
        Self {
            log,
            operations,
            places,
            stands: vec![None; operations.len()],
            floor: 0,
            by: None,
        }
    }

    fn run(mut self, moments: &[(Tick, Moment)]) -> Result<(), Fault> {
        for (tick, moment) in moments {
            let reached = match moment {
                Moment::Began(index) => {
                    self.stands[*index] = self.begin(*index)?;
                    None
                }
                Moment::Ended(index) => self.stands[*index],
                Moment::Told(position) => Some(*position),
            };
            if let Some(reached) = reached.filter(|reached| *reached > self.floor) {
                self.floor = reached;
                self.by = Some((*tick, *moment));
            }
        }
        Ok(())
    }

    /// Where a request stands.
    fn begin(&self, index: usize) -> Result<Option<usize>, Fault> {
        let floor = self.floor;
        Ok(match &self.places[index] {
            Place::Nowhere => None,
            Place::Past(position) => Some(*position),
            Place::Makes(position) => {
                Kind::Early.unless(*position > floor, || self.tell(index, Some(*position)))?;
                Some(*position)
            }
            Place::SeesAt(position) => {
                Kind::Stale.unless(*position >= floor, || self.tell(index, Some(*position)))?;
                Some(*position)
            }
            Place::Sees(claims) => {
                let position = self.log.first(claims, floor);
                if position.is_none() {
                    let ever = self.log.first(claims, 0);
                    let kind = if ever.is_some() {
                        Kind::Stale
                    } else {
                        Kind::Never
                    };
                    return Err(kind.of(self.tell(index, ever)));
                }
                position
            }
        })
    }

    fn tell(&self, index: usize, position: Option<usize>) -> String {
        let by = self.by.map(|(tick, moment)| match moment {
            Moment::Began(other) | Moment::Ended(other) => {
                format!("at {tick} by {:?}", self.operations[other])
            }
            Moment::Told(_) => format!("at {tick} by a feed"),
        });
        format!(
            "{:?}\nstands at {position:?}, but position {} was reached before it began, {}",
            self.operations[index],
            self.floor,
            by.unwrap_or_default()
        )
    }
}
