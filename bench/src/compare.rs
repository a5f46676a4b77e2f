//! The comparison: all contenders run at once, and each cell is measured on one after
//! the other, so that what the machine does meanwhile befalls all of them alike.

use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::cell::{self, Cell, Subject, Times, median, ratio};
use crate::contender::{Contender, Programs};
use crate::corpus::Corpus;
use crate::dialect::Ability;
use crate::fill;
use crate::guard;
use crate::interrupt;
use crate::lead::{self, Lead};
use crate::sync::{self, SyncCost};
use crate::work::Work;

/// The least that is ever written durably.
const PAGE_BYTES: usize = 4 * 1024;

/// What a durable append is measured with: a page, and a full group of documents.
const APPEND_BYTES: [usize; 2] = [PAGE_BYTES, 64 * 1024];

/// What to compare.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) contenders: Vec<Contender>,
    pub(crate) work: Vec<Work>,
    pub(crate) connections: Vec<usize>,
    pub(crate) documents: u64,
    pub(crate) rounds: usize,
    pub(crate) times: Times,
}

/// A cell and where it stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) round: usize,
    pub(crate) contender: Contender,
    pub(crate) work: Work,
    pub(crate) connections: usize,
    #[serde(flatten)]
    pub(crate) cell: Cell,
    /// The sync of a page measured just before, where the cell is compared with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sync_before: Option<SyncCost>,
}

/// The medians of one cell over all rounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) contender: Contender,
    pub(crate) work: Work,
    pub(crate) connections: usize,
    pub(crate) requests_per_second: f64,
    /// Median of the ratios within each round.
    pub(crate) ratio_to_bare: f64,
    /// How many times as many Matchbook answers; median of the ratios within each round.
    pub(crate) matchbook_ratio: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    pub(crate) answers_per_server_cpu_second: f64,
    pub(crate) answers_per_generator_cpu_second: f64,
    pub(crate) resident_bytes: f64,
    pub(crate) refused_share: f64,
    pub(crate) faults: u64,
}

/// A server that was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) contender: Contender,
    pub(crate) version: String,
}

/// One durable write against the least that it can cost: with one connection, the
/// median PUT over (median sync of 4 KiB + median PUT of the bare server), in the
/// same round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WriteFloor {
    pub(crate) contender: Contender,
    pub(crate) ratio: f64,
}

/// The memory of a contender.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) contender: Contender,
    pub(crate) at_start_bytes: u64,
    pub(crate) peak_bytes: u64,
}

/// All that a comparison measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Comparison {
    pub(crate) documents: u64,
    pub(crate) rounds: usize,
    pub(crate) measured_seconds: f64,
    pub(crate) contenders: Vec<Entry>,
    /// Who was left out, and why.
    pub(crate) skipped: Vec<String>,
    pub(crate) work: Vec<Work>,
    pub(crate) connections: Vec<usize>,
    pub(crate) rows: Vec<Row>,
    pub(crate) leads: Vec<Lead>,
    pub(crate) write_floor: Vec<WriteFloor>,
    pub(crate) memory: Vec<Memory>,
    /// By round, each append size.
    pub(crate) syncs: Vec<Vec<SyncCost>>,
    /// Cells that could not be measured, and why.
    pub(crate) failures: Vec<String>,
    #[serde(default)]
    pub(crate) records: Vec<Record>,
}

impl Comparison {
    /// All unexpected answers, failed connections and failed cells.
    pub(crate) fn fault_count(&self) -> u64 {
        let of_rows: u64 = self.rows.iter().map(|row| row.faults).sum();
        of_rows + self.failures.len() as u64
    }

    /// What one contender did, unless it cannot do that.
    pub(crate) fn row(&self, work: Work, connections: usize, contender: Contender) -> Option<&Row> {
        self.rows.iter().find(|row| {
            (row.work, row.connections, row.contender) == (work, connections, contender)
        })
    }
}

/// Runs the whole comparison with its data in `directory`.
///
/// # Errors
/// A contender does not run, or the generator gave up on one.
pub(crate) fn run(
    plan: &Plan,
    programs: &Programs,
    directory: &Path,
) -> anyhow::Result<Comparison> {
    let most = plan.connections.iter().copied().max().unwrap_or_default();
    if plan.documents < most as u64 {
        bail!("--documents must be at least the largest number of connections ({most})");
    }
    let (contenders, skipped) = available(plan, programs)?;
    // Declared before the servers, so that they end before their files go.
    let mut directories = Vec::new();
    let mut subjects = Vec::new();
    let mut memory = Vec::new();
    for &Entry { contender, .. } in &contenders {
        eprintln!("starting and filling {contender}");
        let own = tempfile::Builder::new()
            .prefix(&format!("{contender}-"))
            .tempdir_in(directory)
            .context("cannot make a directory for the data")?;
        let subject = start(plan, programs, contender, &own, &mut memory)?;
        directories.push(own);
        subjects.push(subject);
    }
    let (records, syncs, failures) = measure(plan, &mut subjects, directory)?;
    for (memory, subject) in memory.iter_mut().zip(&subjects) {
        let of_cells = records
            .iter()
            .filter(|record: &&Record| record.contender == subject.contender)
            .map(|record| record.cell.resident_bytes);
        // One that is gone has been a failure already.
        let now = subject.server.peak_resident_bytes().unwrap_or_default();
        let seen = of_cells.chain([now, memory.at_start_bytes]);
        memory.peak_bytes = seen.max().unwrap_or_default();
    }
    drop(subjects);
    drop(directories);
    Ok(Comparison {
        documents: plan.documents,
        rounds: plan.rounds,
        measured_seconds: plan.times.measured.as_secs_f64(),
        contenders,
        skipped,
        work: plan.work.clone(),
        connections: plan.connections.clone(),
        rows: rows(plan, &records),
        leads: lead::leads(plan, &records),
        write_floor: write_floor(&records),
        memory,
        syncs,
        failures,
        records,
    })
}

/// Those that can be started here, and why the others cannot. Without Matchbook there is
/// nothing to compare.
fn available(plan: &Plan, programs: &Programs) -> anyhow::Result<(Vec<Entry>, Vec<String>)> {
    let mut contenders = plan.contenders.clone();
    contenders.sort_unstable();
    contenders.dedup();
    let (mut found, mut skipped) = (Vec::new(), Vec::new());
    for contender in contenders {
        match programs.prepare(contender) {
            Ok(version) => found.push(Entry { contender, version }),
            Err(error) if contender == Contender::Matchbook => return Err(error),
            Err(error) => {
                interrupt::check()?;
                eprintln!("skipped: {contender} ({error:#})");
                skipped.push(format!("{contender}: {error:#}"));
            }
        }
    }
    Ok((found, skipped))
}

fn start(
    plan: &Plan,
    programs: &Programs,
    contender: Contender,
    directory: &TempDir,
    memory: &mut Vec<Memory>,
) -> anyhow::Result<Subject> {
    let server = programs.start(contender, directory.path())?;
    memory.push(Memory {
        contender,
        at_start_bytes: server.resident_bytes()?,
        peak_bytes: 0,
    });
    let mut corpus = Corpus::new(plan.documents, plan.documents);
    corpus.host = server.address().to_string();
    if let Some((name, value)) = contender.dialect().common_field() {
        corpus.with_field(name, value);
    }
    if contender.stores() {
        let filled = fill::fill(contender, &server, &mut corpus, "fill")
            .and_then(|()| fill::learn(contender, &server, &mut corpus))
            .and_then(|()| guard::check(contender, &server, &mut corpus));
        filled.with_context(|| format!("{contender} cannot be filled; {}", server.last_words()))?;
    }
    Ok(Subject {
        contender,
        server,
        corpus,
    })
}

/// Cells, syncs by round, and cells that could not be measured.
type Measured = (Vec<Record>, Vec<Vec<SyncCost>>, Vec<String>);

fn measure(plan: &Plan, subjects: &mut [Subject], directory: &Path) -> anyhow::Result<Measured> {
    let (mut records, mut syncs, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        let costs = APPEND_BYTES
            .iter()
            .map(|&append_bytes| sync::measure(directory, append_bytes, plan.times.warm_up));
        syncs.push(costs.collect::<anyhow::Result<Vec<_>>>()?);
        for &work in &plan.work {
            for &connections in &plan.connections {
                eprintln!(
                    "round {} of {}: {work}, {connections}",
                    round + 1,
                    plan.rounds
                );
                let able = subjects
                    .iter_mut()
                    .filter(|subject| subject.contender.dialect().ability(work) != Ability::None);
                for subject in able {
                    match measure_one(plan, subject, work, connections, directory) {
                        Ok(record) => records.push(Record { round, ..record }),
                        Err(error) => failures.push(failed(subject, &error)?),
                    }
                }
            }
        }
    }
    Ok((records, syncs, failures))
}

/// Goes on after a cell that could not be measured, so that one server does not cost the
/// others an hour. What its last writes came to is not known: the tags are learnt anew.
fn failed(subject: &mut Subject, error: &anyhow::Error) -> anyhow::Result<String> {
    interrupt::check()?;
    let mut failure = format!("{error:#}");
    if subject.contender.stores()
        && let Err(error) = fill::learn(subject.contender, &subject.server, &mut subject.corpus)
    {
        interrupt::check()?;
        failure = format!("{failure}; nor can its documents be read: {error:#}");
    }
    eprintln!("FAULT {failure}");
    Ok(failure)
}

/// One cell on one server, as a record of round 0.
fn measure_one(
    plan: &Plan,
    subject: &mut Subject,
    work: Work,
    connections: usize,
    directory: &Path,
) -> anyhow::Result<Record> {
    let contender = subject.contender;
    let compares_with_sync = contender.stores() && is_single_put(work, connections);
    let sync_before = compares_with_sync
        .then(|| sync::measure(directory, PAGE_BYTES, plan.times.warm_up))
        .transpose()?;
    let cell = cell::measure(subject, work, connections, plan.times).with_context(|| {
        let log = subject.server.last_words();
        format!("{contender}, {work}, {connections} connections; {log}")
    })?;
    Ok(Record {
        round: 0,
        contender,
        work,
        connections,
        cell,
        sync_before,
    })
}

/// Whether a cell is compared with the least that a durable write can cost.
fn is_single_put(work: Work, connections: usize) -> bool {
    (work, connections) == (Work::Put, 1)
}

fn rows(plan: &Plan, records: &[Record]) -> Vec<Row> {
    let mut rows = Vec::new();
    for &work in &plan.work {
        for &connections in &plan.connections {
            for contender in Contender::ALL {
                let of_cell = |record: &&Record| {
                    (record.contender, record.work, record.connections)
                        == (contender, work, connections)
                };
                let found: Vec<&Record> = records.iter().filter(of_cell).collect();
                if !found.is_empty() {
                    rows.push(row(&found, records));
                }
            }
        }
    }
    rows
}

/// `found` are the records of one cell, one a round.
fn row(found: &[&Record], records: &[Record]) -> Row {
    let middle = |value: fn(&Cell) -> f64| median(found.iter().map(|record| value(&record.cell)));
    let ratio_to = |other: Contender| {
        median(found.iter().filter_map(|record| {
            let peer = same_round(records, record, other)?;
            Some(ratio(
                record.cell.requests_per_second,
                peer.cell.requests_per_second,
            ))
        }))
    };
    let (contender, work, connections) = found
        .first()
        .map_or((Contender::Bare, Work::Get, 0), |record| {
            (record.contender, record.work, record.connections)
        });
    #[expect(clippy::cast_precision_loss, reason = "bytes far below 2^53")]
    let resident_bytes = middle(|cell| cell.resident_bytes as f64);
    Row {
        contender,
        work,
        connections,
        requests_per_second: middle(|cell| cell.requests_per_second),
        ratio_to_bare: ratio_to(Contender::Bare),
        matchbook_ratio: inverse(ratio_to(Contender::Matchbook)),
        p50_us: middle(|cell| cell.p50_us),
        p99_us: middle(|cell| cell.p99_us),
        max_us: middle(|cell| cell.max_us),
        answers_per_server_cpu_second: middle(|cell| cell.answers_per_server_cpu_second),
        answers_per_generator_cpu_second: middle(|cell| cell.answers_per_generator_cpu_second),
        resident_bytes,
        refused_share: middle(|cell| cell.refused_share),
        faults: found
            .iter()
            .flat_map(|record| record.cell.faults.values())
            .sum(),
    }
}

/// The ratio the other way round; 0 where there is none.
fn inverse(value: f64) -> f64 {
    ratio(1.0, value)
}

/// The record of the same cell and round for another contender.
fn same_round<'a>(records: &'a [Record], record: &Record, other: Contender) -> Option<&'a Record> {
    records.iter().find(|candidate| {
        candidate.contender == other
            && (candidate.round, candidate.work, candidate.connections)
                == (record.round, record.work, record.connections)
    })
}

fn write_floor(records: &[Record]) -> Vec<WriteFloor> {
    let stores = Contender::ALL
        .into_iter()
        .filter(|contender| contender.is_durable());
    let floors = stores.map(|contender| {
        let single_puts = records.iter().filter(|record| {
            record.contender == contender && is_single_put(record.work, record.connections)
        });
        let ratios: Vec<f64> = single_puts
            .filter_map(|record| {
                let bare = same_round(records, record, Contender::Bare)?;
                let sync = record.sync_before?;
                Some(ratio(record.cell.p50_us, sync.p50_us + bare.cell.p50_us))
            })
            .collect();
        (contender, ratios)
    });
    floors
        .filter(|(_, ratios)| !ratios.is_empty())
        .map(|(contender, ratios)| WriteFloor {
            contender,
            ratio: median(ratios),
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A cell of PUTs over one connection.
    pub(crate) fn record(round: usize, contender: Contender, rate: f64, p50_us: f64) -> Record {
        let cell = Cell {
            requests_per_second: rate,
            p50_us,
            p99_us: 0.0,
            max_us: 0.0,
            server_cpu_seconds: 0.0,
            answers_per_server_cpu_second: 0.0,
            answers_per_generator_cpu_second: 0.0,
            resident_bytes: 0,
            refused_share: 0.0,
            faults: BTreeMap::new(),
        };
        let sync = SyncCost {
            append_bytes: 4096,
            syncs_per_second: 1.0,
            p50_us: 100.0,
            p99_us: 0.0,
        };
        Record {
            round,
            contender,
            work: Work::Put,
            connections: 1,
            cell,
            sync_before: Some(sync),
        }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let records = [
            record(0, Contender::Bare, 100.0, 10.0),
            record(0, Contender::Matchbook, 50.0, 220.0),
            record(1, Contender::Bare, 10.0, 100.0),
            record(1, Contender::Matchbook, 9.0, 400.0),
        ];
        let found: Vec<&Record> = records
            .iter()
            .filter(|record| record.contender == Contender::Matchbook)
            .collect();
        let row = row(&found, &records);
        assert!((row.ratio_to_bare - 0.7).abs() < 1e-9);
        assert!((row.matchbook_ratio - 1.0).abs() < 1e-9);

        let floors = write_floor(&records);
        assert_eq!(floors.len(), 1);
        assert!((floors[0].ratio - 2.0).abs() < 1e-9);
    }
}
