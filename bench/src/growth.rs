//! Growth: how Matchbook with many documents compares with Matchbook with few.
//!
//! Two data directories are filled, both servers run at once, and each cell is
//! measured on the one and then on the other. Reads are uniform over all documents;
//! writes walk through a random sample whose tags are learnt before the restart, so
//! that no cache of the server still holds what is then written.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::cell::{self, Subject, Times, median, ratio};
use crate::compare::Record;
use crate::contender::{Contender, Programs};
use crate::corpus::Corpus;
use crate::fill;
use crate::work::Work;

/// Written beside the data once the filling is complete.
const FILLED: &str = "filled";

/// Leaves room for the edits of the run itself below the width of an edit's number.
const EDITS_START_BELOW: u64 = 8_000_000_000;

/// What to compare.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Few documents, then many.
    pub(crate) sizes: [u64; 2],
    pub(crate) sample: u64,
    pub(crate) work: Vec<Work>,
    pub(crate) connections: Vec<usize>,
    pub(crate) rounds: usize,
    pub(crate) restarts: usize,
    /// Whether the operating system may have the files on the disk only.
    pub(crate) cold: bool,
    pub(crate) times: Times,
}

/// One start on existing data.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Start {
    /// From the start of the process to the first 200 of `GET /_/ready`.
    pub(crate) ready_ms: f64,
    /// The same, with the orderly end of the process before.
    pub(crate) restart_ms: f64,
    /// Right after it was ready.
    pub(crate) resident_bytes: u64,
}

/// The starts on one data directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Starts {
    pub(crate) documents: u64,
    pub(crate) ready_ms: f64,
    pub(crate) restart_ms: f64,
    pub(crate) resident_bytes: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) all: Vec<Start>,
}

/// One kind of work, few documents against many.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) work: Work,
    pub(crate) connections: usize,
    /// By size.
    pub(crate) requests_per_second: [f64; 2],
    pub(crate) p50_us: [f64; 2],
    pub(crate) p99_us: [f64; 2],
    /// Median of the ratios, many over few, within each round.
    pub(crate) p50_ratio: f64,
    pub(crate) p99_ratio: f64,
    pub(crate) faults: u64,
}

/// All that was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Growth {
    pub(crate) sizes: [u64; 2],
    pub(crate) rounds: usize,
    pub(crate) measured_seconds: f64,
    pub(crate) starts: Vec<Starts>,
    pub(crate) rows: Vec<Row>,
    /// By size.
    #[serde(default)]
    pub(crate) records: [Vec<Record>; 2],
}

impl Growth {
    /// All unexpected answers and failed connections.
    pub(crate) fn fault_count(&self) -> u64 {
        self.rows.iter().map(|row| row.faults).sum()
    }
}

/// Runs it with the data in `directory`, using what an earlier run filled there.
///
/// # Errors
/// Matchbook does not run, or the generator gave up.
pub(crate) fn run(plan: &Plan, programs: &Programs, directory: &Path) -> anyhow::Result<Growth> {
    if plan.work.contains(&Work::Create) {
        bail!("the sizes must stay as they are: growth has no create");
    }
    let mut starts = Vec::new();
    let [few, many] = plan.sizes;
    let mut few = prepare(plan, programs, directory, few, &mut starts)?;
    let mut many = prepare(plan, programs, directory, many, &mut starts)?;
    if !plan.cold {
        for size in plan.sizes {
            let data = directory.join(format!("matchbook-{size}")).join("data");
            eprintln!("reading the files of {size} documents into the system's memory");
            read_files(&data)?;
        }
    }
    let mut records = [Vec::new(), Vec::new()];
    for round in 0..plan.rounds {
        for &work in &plan.work {
            for &connections in &plan.connections {
                eprintln!(
                    "round {} of {}: {work}, {connections}",
                    round + 1,
                    plan.rounds
                );
                for (subject, records) in [&mut few, &mut many].into_iter().zip(&mut records) {
                    let cell = cell::measure(subject, work, connections, plan.times)
                        .with_context(|| subject.server.last_words())?;
                    let contender = subject.contender;
                    let sync_before = None;
                    records.push(Record {
                        round,
                        contender,
                        work,
                        connections,
                        cell,
                        sync_before,
                    });
                }
            }
        }
    }
    Ok(Growth {
        sizes: plan.sizes,
        rounds: plan.rounds,
        measured_seconds: plan.times.measured.as_secs_f64(),
        starts,
        rows: rows(plan, &records),
        records,
    })
}

/// Fills a data directory unless it is filled, learns the sample, and restarts.
fn prepare(
    plan: &Plan,
    programs: &Programs,
    directory: &Path,
    size: u64,
    starts: &mut Vec<Starts>,
) -> anyhow::Result<Subject> {
    let own = directory.join(format!("matchbook-{size}"));
    fs::create_dir_all(&own)?;
    let mut server = programs.start(Contender::Matchbook, &own)?;
    let mut corpus = Corpus::new(size, plan.sample);
    // Kept data holds the edits of an earlier run; the same edits would change nothing.
    corpus.edits = fastrand::u64(..EDITS_START_BELOW);
    corpus.host = server.address().to_string();
    let filled = own.join(FILLED);
    if !filled.exists() {
        let label = format!("fill {size}");
        fill::fill(Contender::Matchbook, &server, &mut corpus, &label)
            .with_context(|| server.last_words())?;
        fs::write(&filled, format!("{size}\n"))?;
    }
    eprintln!("learning the tags of {} documents", corpus.sample_size());
    fill::learn(Contender::Matchbook, &server, &mut corpus).with_context(|| server.last_words())?;
    let mut all = Vec::new();
    for _ in 0..plan.restarts.max(1) {
        let before = Instant::now();
        drop(server);
        let stopped = before.elapsed();
        server = programs.start(Contender::Matchbook, &own)?;
        all.push(Start {
            ready_ms: milliseconds(server.time_to_ready()),
            restart_ms: milliseconds(stopped + server.time_to_ready()),
            resident_bytes: server.resident_bytes()?,
        });
    }
    corpus.host = server.address().to_string();
    let resident = all
        .iter()
        .map(|start| start.resident_bytes)
        .max()
        .unwrap_or_default();
    starts.push(Starts {
        documents: size,
        ready_ms: median(all.iter().map(|start| start.ready_ms)),
        restart_ms: median(all.iter().map(|start| start.restart_ms)),
        resident_bytes: resident,
        disk_bytes: disk_bytes(&own.join("data"))?,
        all,
    });
    Ok(Subject {
        contender: Contender::Matchbook,
        server,
        corpus,
    })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Reads all files, so that the operating system has them in its memory, if they fit:
/// what is compared is the work of the server, not that of the disk.
fn read_files(directory: &Path) -> anyhow::Result<()> {
    let mut space = vec![0; 1_024 * 1_024];
    for entry in fs::read_dir(directory)? {
        let mut file = fs::File::open(entry?.path())?;
        while file.read(&mut space)? > 0 {}
    }
    Ok(())
}

/// The length of all files below `directory`.
pub(crate) fn disk_bytes(directory: &Path) -> anyhow::Result<u64> {
    let mut waiting: Vec<PathBuf> = vec![directory.to_owned()];
    let mut total = 0;
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                waiting.push(entry.path());
            } else {
                total += metadata.len();
            }
        }
    }
    Ok(total)
}

fn rows(plan: &Plan, records: &[Vec<Record>; 2]) -> Vec<Row> {
    let mut rows = Vec::new();
    for &work in &plan.work {
        for &connections in &plan.connections {
            let [few, many] = records.each_ref().map(|records| {
                let of_cell =
                    |record: &&Record| (record.work, record.connections) == (work, connections);
                records.iter().filter(of_cell).collect::<Vec<_>>()
            });
            rows.push(row(work, connections, &few, &many));
        }
    }
    rows
}

/// `few` and `many` are the records of one cell, one a round.
fn row(work: Work, connections: usize, few: &[&Record], many: &[&Record]) -> Row {
    let middle = |value: fn(&Record) -> f64| {
        [few, many].map(|records| median(records.iter().map(|record| value(record))))
    };
    let ratios = |value: fn(&Record) -> f64| {
        median(
            few.iter()
                .zip(many)
                .map(|(few, many)| ratio(value(many), value(few))),
        )
    };
    Row {
        work,
        connections,
        requests_per_second: middle(|record| record.cell.requests_per_second),
        p50_us: middle(|record| record.cell.p50_us),
        p99_us: middle(|record| record.cell.p99_us),
        p50_ratio: ratios(|record| record.cell.p50_us),
        p99_ratio: ratios(|record| record.cell.p99_us),
        faults: few
            .iter()
            .chain(many)
            .flat_map(|record| record.cell.faults.values())
            .sum(),
    }
}
