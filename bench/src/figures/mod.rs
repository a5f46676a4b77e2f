//! The report: all measurements one after the other, and what is published of them.
//!
//! The figures go through a file, so that the page and the plots can be made again
//! without measuring, and a part can be measured again without the others.

mod machine;
mod page;
mod plots;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use self::machine::Machine;
use crate::catchup::{self, Catchup};
use crate::compare::{self, Comparison};
use crate::contender::Programs;
use crate::fanout::{self, Fanout};
use crate::growth::{self, Growth};
use crate::report;
use crate::wire::{self, Wire};

/// The page, of which the part between two lines is written.
const PAGE: &str = "benchmarks.md";

/// The directory of the pictures, beside the page.
pub(crate) const PLOTS: &str = "plots";

/// The figures, among the pictures that are made of them.
const FIGURES: &str = "figures.json";

/// A measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// All servers, all work
    Compare,
    /// One writer and thousands of subscribers
    Fanout,
    /// Bytes to one subscriber while real texts are edited
    Wire,
    /// A long log read again
    Catchup,
    /// Matchbook with few documents and with many
    Growth,
}

/// What to measure and where to write.
pub(crate) struct Plan {
    pub(crate) parts: Vec<Part>,
    pub(crate) compare: compare::Plan,
    pub(crate) fanout: fanout::Plan,
    pub(crate) wire: wire::Plan,
    pub(crate) catchup: catchup::Plan,
    /// One for each size that is compared with the smallest.
    pub(crate) growth: Vec<growth::Plan>,
    /// The directory of the page.
    pub(crate) docs: PathBuf,
}

/// One measurement, with when and where.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Measured<T> {
    /// As `2026-11-21`.
    pub(crate) date: String,
    pub(crate) machine: Machine,
    pub(crate) of: T,
}

/// All figures. A part that was not measured is not there.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) compare: Option<Measured<Comparison>>,
    pub(crate) fanout: Option<Measured<Fanout>>,
    pub(crate) wire: Option<Measured<Wire>>,
    pub(crate) catchup: Option<Measured<Catchup>>,
    pub(crate) growth: Option<Measured<Vec<Growth>>>,
}

/// Measures what the plan has, writes the figures, the pictures and the page, and tells
/// how many faults there were. Each part is written as soon as it is there.
///
/// # Errors
/// A measurement fails, or something cannot be written.
pub(crate) fn run(plan: &Plan, programs: &Programs, work_dir: &Path) -> anyhow::Result<u64> {
    let mut figures = Figures::read(&plan.docs)?;
    let mut faults = 0;
    for part in &plan.parts {
        faults += measure(*part, plan, programs, work_dir, &mut figures)?;
        publish(&figures, &plan.docs)?;
    }
    if plan.parts.is_empty() {
        draw(&plan.docs)?;
    }
    Ok(faults)
}

fn measure(
    part: Part,
    plan: &Plan,
    programs: &Programs,
    work_dir: &Path,
    figures: &mut Figures,
) -> anyhow::Result<u64> {
    let machine = Machine::look(work_dir)?;
    let (faults, table) = match part {
        Part::Compare => {
            let mut of = compare::run(&plan.compare, programs, work_dir)?;
            let (faults, table) = (of.fault_count(), report::comparison(&of));
            of.records.clear();
            figures.compare = Some(machine.measured(of)?);
            (faults, table)
        }
        Part::Fanout => {
            let mut of = fanout::run(&plan.fanout, programs, work_dir)?;
            let (faults, table) = (of.fault_count(), fanout::table(&of));
            of.records.clear();
            of.idle_records.clear();
            figures.fanout = Some(machine.measured(of)?);
            (faults, table)
        }
        Part::Wire => {
            let of = wire::run(&plan.wire, programs, work_dir)?;
            let (faults, table) = (of.fault_count(), wire::table(&of));
            figures.wire = Some(machine.measured(of)?);
            (faults, table)
        }
        Part::Catchup => {
            let mut of = catchup::run(&plan.catchup, programs, work_dir)?;
            let (faults, table) = (of.fault_count(), catchup::table(&of));
            of.records.clear();
            figures.catchup = Some(machine.measured(of)?);
            (faults, table)
        }
        Part::Growth => {
            let (faults, table, of) = measure_growth(&plan.growth, programs, work_dir)?;
            figures.growth = Some(machine.measured(of)?);
            (faults, table)
        }
    };
    println!("{table}");
    Ok(faults)
}

fn measure_growth(
    plans: &[growth::Plan],
    programs: &Programs,
    work_dir: &Path,
) -> anyhow::Result<(u64, String, Vec<Growth>)> {
    let (mut faults, mut table, mut all) = (0, String::new(), Vec::new());
    for plan in plans {
        // Of its own for each size: what is not needed any more takes no room.
        let own = tempfile::Builder::new()
            .prefix("growth-")
            .tempdir_in(work_dir)?;
        let mut of = growth::run(plan, programs, own.path())?;
        faults += of.fault_count();
        table.push_str(&report::growth(&of));
        of.records = Default::default();
        all.push(of);
    }
    Ok((faults, table, all))
}

impl Figures {
    /// What was measured before; nothing if there is no file.
    ///
    /// # Errors
    /// The file is not one of figures.
    fn read(docs: &Path) -> anyhow::Result<Self> {
        let path = docs.join(PLOTS).join(FIGURES);
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text)
            .with_context(|| format!("{} is of another form; remove it", path.display()))
    }
}

/// Writes the figures, and draws them.
fn publish(figures: &Figures, docs: &Path) -> anyhow::Result<()> {
    let plots = docs.join(PLOTS);
    fs::create_dir_all(&plots).with_context(|| format!("cannot make {}", plots.display()))?;
    let mut text = serde_json::to_string_pretty(figures)?;
    text.push('\n');
    write(&plots.join(FIGURES), &text)?;
    draw(docs)
}

/// Writes the pictures and the page. They are made of what the file has, so that drawing
/// again makes the same to the last digit.
fn draw(docs: &Path) -> anyhow::Result<()> {
    let figures = &Figures::read(docs)?;
    for plot in plots::all(figures) {
        write(&docs.join(PLOTS).join(&plot.file), &plot.svg)?;
    }
    let page = docs.join(PAGE);
    let before = fs::read_to_string(&page).unwrap_or_default();
    write(&page, &page::with_measured(&before, &tables::all(figures)))?;
    eprintln!("wrote {} and {PLOTS}/ beside it", page.display());
    Ok(())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Entry, Row};
    use crate::contender::Contender;
    use crate::lead::Lead;
    use crate::work::Work;

    /// Two kinds of work at 64 connections on some servers.
    pub(super) fn sample() -> Figures {
        let rates = [
            (Contender::Matchbook, 12_000.0),
            (Contender::Nginx, 7_000.0),
            (Contender::Express, 2_000.0),
        ];
        let row = |(contender, requests_per_second): (Contender, f64)| Row {
            contender,
            work: Work::Put,
            connections: 64,
            requests_per_second,
            ratio_to_bare: 0.0,
            matchbook_ratio: 1.0,
            p50_us: 1_000.0,
            p99_us: 2_000.0,
            max_us: 3_000.0,
            answers_per_server_cpu_second: 10_000.0,
            answers_per_generator_cpu_second: 100_000.0,
            resident_bytes: 1e7,
            refused_share: 0.0,
            faults: 0,
        };
        let contenders = [
            Contender::Matchbook,
            Contender::Nginx,
            Contender::Express,
            Contender::Etcd,
        ];
        let entry = |contender| Entry {
            contender,
            version: "1".to_owned(),
        };
        let lead = Lead {
            work: Work::Put,
            connections: 64,
            best: Contender::Express,
            ratio: 6.0,
            target: Some(5.0),
        };
        let of = Comparison {
            documents: 10_000,
            rounds: 1,
            measured_seconds: 1.0,
            contenders: contenders.map(entry).to_vec(),
            skipped: vec!["kinto: not installed".to_owned()],
            work: vec![Work::Put, Work::Patch],
            connections: vec![64],
            rows: rates.map(row).to_vec(),
            leads: vec![lead],
            write_floor: Vec::new(),
            memory: Vec::new(),
            syncs: Vec::new(),
            failures: Vec::new(),
            records: Vec::new(),
        };
        let machine = Machine::look(Path::new(".")).unwrap();
        Figures {
            compare: Some(machine.measured(of).unwrap()),
            ..Figures::default()
        }
    }

    /// The directory of the published page.
    fn docs() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
    }

    #[test]
    fn the_published_page_and_pictures_are_those_of_the_figures() {
        let figures = Figures::read(&docs()).unwrap();
        for plot in plots::all(&figures) {
            let published = fs::read_to_string(docs().join(PLOTS).join(&plot.file)).unwrap();
            assert!(published == plot.svg, "{} is of other figures", plot.file);
        }
        let page = fs::read_to_string(docs().join(PAGE)).unwrap();
        if figures.compare.is_some() {
            let made = page::with_measured(&page, &tables::all(&figures));
            assert!(made == page, "the page is of other figures");
        }
    }

    #[test]
    fn figures_come_back_as_they_were() {
        let directory = tempfile::tempdir().unwrap();
        publish(&sample(), directory.path()).unwrap();
        let again = Figures::read(directory.path()).unwrap();
        let value = |figures: &Figures| serde_json::to_value(figures).unwrap();
        assert_eq!(value(&sample()), value(&again));
        let drawn = fs::read_to_string(directory.path().join("plots/put.svg")).unwrap();
        assert!(drawn.contains("Express + SQLite"));
        assert!(again.growth.is_none());
    }
}
