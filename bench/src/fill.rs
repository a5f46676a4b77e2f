//! Puts the documents of a corpus into a server and learns the tags of its sample,
//! over HTTP like all else.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::contender::Contender;
use crate::corpus::Corpus;
use crate::dialect::{Ask, Dialect};
use crate::load::{Pool, Source};
use crate::response::Response;
use crate::server::Server;
use crate::work::Work;

/// Enough that every durable commit holds many documents.
const FILL_CONNECTIONS: usize = 256;

/// Ten million documents at a thousand a second.
const FILL_AT_MOST: Duration = Duration::from_secs(10_000);

/// Fewer than this are filled without a word.
const TALK_FROM: u64 = 50_000;

/// Stores documents `0..size` and learns the tags of the sample. Documents that are
/// there already, from a filling that was cut short, are left as they are.
///
/// # Errors
/// Any answer is not the expected one.
pub(crate) fn fill(
    contender: Contender,
    server: &Server,
    corpus: &mut Corpus,
    label: &str,
) -> anyhow::Result<()> {
    let mut pool = Pool::open(server.address(), FILL_CONNECTIONS)?;
    let mut stores = Stores {
        dialect: contender.dialect(),
        corpus,
        next: 0,
        refused: Vec::new(),
        progress: Progress::new(label),
    };
    let outcome = pool.run(&mut stores, FILL_AT_MOST)?;
    let stored = outcome.answers_in_all;
    if stored != corpus.size {
        bail!(
            "filled {stored} of {} documents: {:?}",
            corpus.size,
            outcome.faults
        );
    }
    Ok(())
}

/// Learns the current tags of the sample.
///
/// # Errors
/// Any answer is not the expected one.
pub(crate) fn learn(
    contender: Contender,
    server: &Server,
    corpus: &mut Corpus,
) -> anyhow::Result<()> {
    let mut pool = Pool::open(server.address(), FILL_CONNECTIONS)?;
    let size = corpus.sample_size() as u64;
    let mut learns = Learns {
        dialect: contender.dialect(),
        corpus,
        next: 0,
    };
    let outcome = pool.run(&mut learns, FILL_AT_MOST)?;
    refuse_faults(&outcome.faults)?;
    if outcome.answers_in_all != size {
        bail!("learnt {} of {size} tags", outcome.answers_in_all);
    }
    Ok(())
}

fn refuse_faults(faults: &BTreeMap<String, u64>) -> anyhow::Result<()> {
    if faults.is_empty() {
        Ok(())
    } else {
        bail!("unexpected answers: {faults:?}")
    }
}

struct Stores<'a> {
    dialect: &'static dyn Dialect,
    corpus: &'a mut Corpus,
    next: u64,
    /// Asked for in vain, to be asked for again.
    refused: Vec<u64>,
    progress: Progress,
}

impl Source for Stores<'_> {
    fn next(&mut self, _connection: usize, wire: &mut Vec<u8>) -> Option<u64> {
        let number = match self.refused.pop() {
            Some(number) => number,
            None if self.next < self.corpus.size => {
                self.next += 1;
                self.next - 1
            }
            None => return None,
        };
        let ask = Ask {
            work: Work::Create,
            number,
            host: &self.corpus.host,
            tag: b"*",
            body: self.corpus.templates.document(number, 0),
        };
        self.dialect.request(&ask, wire);
        self.progress.show(number, self.corpus.size);
        Some(number)
    }

    fn answered(&mut self, _number: u64, response: &Response<'_>) -> Result<(), String> {
        let expected = self.dialect.status(Work::Create);
        match response.status {
            412 => Ok(()),
            status if status == expected => Ok(()),
            status => Err(format!("fill: {status} instead of {expected}")),
        }
    }

    fn refused(&mut self, number: u64, response: &Response<'_>) -> bool {
        let is_refusal = self.dialect.is_refusal(response);
        if is_refusal {
            self.refused.push(number);
        }
        is_refusal
    }
}

struct Learns<'a> {
    dialect: &'static dyn Dialect,
    corpus: &'a mut Corpus,
    next: usize,
}

impl Source for Learns<'_> {
    fn next(&mut self, _connection: usize, wire: &mut Vec<u8>) -> Option<u64> {
        let slot = self.next;
        if slot >= self.corpus.sample_size() {
            return None;
        }
        self.next += 1;
        let ask = Ask {
            work: Work::Get,
            number: self.corpus.number(slot),
            host: &self.corpus.host,
            tag: b"*",
            body: &[],
        };
        self.dialect.request(&ask, wire);
        Some(slot as u64)
    }

    fn answered(&mut self, slot: u64, response: &Response<'_>) -> Result<(), String> {
        if response.status != 200 {
            return Err(format!("learn: {} instead of 200", response.status));
        }
        let slot = usize::try_from(slot).unwrap_or(usize::MAX);
        let tag = self.dialect.tag(Work::Get, response);
        let learnt = self.corpus.learn(slot, tag);
        if learnt {
            Ok(())
        } else {
            Err("learn: no usable ETag".to_owned())
        }
    }
}

/// Says how far a long filling is, once a second.
pub(crate) struct Progress {
    label: String,
    started: Instant,
    said: Instant,
}

impl Progress {
    pub(crate) fn new(label: &str) -> Self {
        let now = Instant::now();
        Self {
            label: label.to_owned(),
            started: now,
            said: now,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    pub(crate) fn show(&mut self, done: u64, total: u64) {
        if total < TALK_FROM || !done.is_multiple_of(1024) || self.said.elapsed().as_secs() < 1 {
            return;
        }
        self.said = Instant::now();
        let per_second = done as f64 / self.started.elapsed().as_secs_f64();
        let left_s = (total - done) as f64 / per_second.max(1.0);
        eprintln!(
            "{}: {done} of {total}, {per_second:.0}/s, {left_s:.0} s left",
            self.label
        );
    }
}
