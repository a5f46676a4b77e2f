//! What it costs a writer that others listen to something else: durable PUTs per second
//! of Matchbook with idle subscribers and without.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::Plan;
use super::audience::Audience;
use crate::cell::{self, Cell, Subject, ratio};
use crate::contender::{Contender, Programs};
use crate::corpus::Corpus;
use crate::fill;
use crate::stream;
use crate::work::Work;

/// Enough that commits are shared, few enough that the writer is what is measured.
const CONNECTIONS: usize = 16;

/// Enough that no document is written twice in a commit.
const DOCUMENTS: u64 = 1_000;

/// Nobody writes there.
const OTHER_COLLECTION: &str = "/others";

/// One round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct IdleRecord {
    pub(crate) round: usize,
    pub(crate) without: Cell,
    pub(crate) with: Cell,
}

impl IdleRecord {
    pub(crate) fn ratio(&self) -> f64 {
        ratio(
            self.with.requests_per_second,
            self.without.requests_per_second,
        )
    }

    pub(crate) fn fault_count(&self) -> u64 {
        let cells = [&self.without, &self.with];
        cells.iter().flat_map(|cell| cell.faults.values()).sum()
    }
}

/// Measures all rounds on one server.
///
/// # Errors
/// It does not run, or the generator gave up.
pub(crate) fn measure(
    plan: &Plan,
    programs: &Programs,
    directory: &Path,
) -> anyhow::Result<Vec<IdleRecord>> {
    let own = tempfile::Builder::new()
        .prefix("idle-")
        .tempdir_in(directory)
        .context("cannot make a directory for the data")?;
    let server = programs.start_matchbook(own.path())?;
    let mut corpus = Corpus::new(DOCUMENTS, DOCUMENTS);
    corpus.host = server.address().to_string();
    let filled = fill::fill(Contender::Matchbook, &server, &mut corpus, "fill")
        .and_then(|()| fill::learn(Contender::Matchbook, &server, &mut corpus));
    filled.with_context(|| server.last_words())?;
    let contender = Contender::Matchbook;
    let mut subject = Subject {
        contender,
        server,
        corpus,
    };
    (0..plan.rounds)
        .map(|round| {
            eprintln!("round {} of {}: idle subscribers", round + 1, plan.rounds);
            let measured = measure_round(plan, round, &mut subject);
            measured.with_context(|| subject.server.last_words())
        })
        .collect()
}

/// The order turns in every round, so that neither profits from being the later.
fn measure_round(plan: &Plan, round: usize, subject: &mut Subject) -> anyhow::Result<IdleRecord> {
    let mut puts = |idle: usize| {
        let address = subject.server.address();
        let request = stream::request(OTHER_COLLECTION, &address.to_string());
        let audience = Audience::open(address, &request, idle, 0, true)?;
        let cell = cell::measure(subject, Work::Put, CONNECTIONS, plan.times);
        drop(audience);
        cell
    };
    let (without, with) = if round.is_multiple_of(2) {
        let without = puts(0)?;
        (without, puts(plan.idle)?)
    } else {
        let with = puts(plan.idle)?;
        (puts(0)?, with)
    };
    Ok(IdleRecord {
        round,
        without,
        with,
    })
}
