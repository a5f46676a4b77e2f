//! `matchbook-bench` measures Matchbook: against a bare hyper server and what people would
//! pick instead, with few documents against many, and its change feed. It speaks HTTP only
//! and shares no code with what it measures.
//!
//! - [`options`]: the command line.
//! - [`contender`], [`server`], [`bare`]: who is measured; processes that start and end.
//! - [`dialect`]: how each of them is asked.
//! - [`document`], [`corpus`], [`work`], [`fill`], [`guard`]: what is sent and what must come back.
//! - [`load`], [`response`], [`latency`]: the load generator.
//! - [`cell`], [`compare`], [`lead`], [`growth`], [`rules`]: what is measured, in which order.
//! - [`fanout`]: one writer, thousands who follow. [`wire`], [`trace`]: how many bytes
//!   one of them gets. [`catchup`]: how fast a log is read again.
//! - [`soak`], [`abuse`]: whether the memory stays, and whether others are served.
//! - [`client`], [`body`], [`stream`]: what these read with.
//! - [`sync`], [`usage`], [`files`]: the disk, the processor, and what the system allows.
//! - [`report`]: the tables. [`figures`], [`svg`]: what is published of them.

mod abuse;
mod bare;
mod body;
mod catchup;
mod cell;
mod client;
mod compare;
mod contender;
mod corpus;
mod dialect;
mod document;
mod fanout;
mod figures;
mod files;
mod fill;
mod growth;
mod guard;
mod interrupt;
mod latency;
mod lead;
mod load;
mod options;
mod report;
mod response;
mod rules;
mod server;
mod soak;
mod stream;
mod svg;
mod sync;
mod trace;
mod usage;
mod wire;
mod work;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use serde::Serialize;

use crate::options::{
    AbuseOptions, CatchupOptions, CompareOptions, FanoutOptions, GrowthOptions, Options,
    ReportOptions, RulesOptions, SoakOptions, Task, WireOptions,
};

fn main() -> ExitCode {
    let options = Options::parse();
    let faults = match options.command {
        Some(Task::Bare { listen }) => bare::serve(listen).map(|()| 0),
        Some(Task::BareBroadcast { listen }) => fanout::broadcast::serve(listen).map(|()| 0),
        Some(Task::Growth(growth)) => run_growth(&growth),
        Some(Task::Rules(rules)) => run_rules(&rules),
        Some(Task::Fanout(fanout)) => run_fanout(&fanout),
        Some(Task::Wire(wire)) => run_wire(&wire),
        Some(Task::Catchup(catchup)) => run_catchup(&catchup),
        Some(Task::Soak(soak)) => run_soak(&soak),
        Some(Task::Abuse(abuse)) => run_abuse(&abuse),
        Some(Task::Report(report)) => run_report(&report),
        None => run_comparison(&options.compare),
    };
    match faults {
        Ok(0) => ExitCode::SUCCESS,
        Ok(count) => {
            eprintln!("{count} faults");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Compares, prints, and answers how many faults there were.
fn run_comparison(options: &CompareOptions) -> anyhow::Result<u64> {
    interrupt::listen()?;
    let work_dir = options.common.places.work_dir()?;
    warn_of_memory(&work_dir);
    let measured = compare::run(&options.plan(), &options.programs()?, &work_dir)?;
    println!("{}", report::comparison(&measured));
    write_json(options.common.places.json.as_deref(), &measured)?;
    Ok(measured.fault_count())
}

/// Compares few documents with many, prints, and answers how many faults there were.
fn run_growth(options: &GrowthOptions) -> anyhow::Result<u64> {
    interrupt::listen()?;
    let (plan, programs) = (options.plan(), options.programs()?);
    let measured = if let Some(keep) = &options.keep {
        fs::create_dir_all(keep).with_context(|| format!("cannot make {}", keep.display()))?;
        warn_of_memory(keep);
        growth::run(&plan, &programs, keep)?
    } else {
        let work_dir = options.common.places.work_dir()?;
        warn_of_memory(&work_dir);
        let own = tempfile::Builder::new()
            .prefix("growth-")
            .tempdir_in(work_dir)?;
        growth::run(&plan, &programs, own.path())?
    };
    println!("{}", report::growth(&measured));
    write_json(options.common.places.json.as_deref(), &measured)?;
    Ok(measured.fault_count())
}

/// Measures what rules cost, prints, and answers how many faults there were.
fn run_rules(options: &RulesOptions) -> anyhow::Result<u64> {
    interrupt::listen()?;
    let places = &options.common.places;
    let work_dir = places.work_dir()?;
    warn_of_memory(&work_dir);
    let measured = rules::run(&options.plan(), &options.common.programs()?, &work_dir)?;
    println!("{}", rules::table(&measured));
    write_json(places.json.as_deref(), &measured)?;
    Ok(measured.fault_count())
}

/// Compares servers with many subscribers, prints, and answers how many faults there were.
fn run_fanout(options: &FanoutOptions) -> anyhow::Result<u64> {
    interrupt::listen()?;
    let work_dir = options.common.places.work_dir()?;
    warn_of_memory(&work_dir);
    let measured = fanout::run(&options.plan(), &options.programs()?, &work_dir)?;
    println!("{}", fanout::table(&measured));
    write_json(options.common.places.json.as_deref(), &measured)?;
    Ok(measured.fault_count())
}

/// Counts bytes, prints, and answers how many faults there were.
fn run_wire(options: &WireOptions) -> anyhow::Result<u64> {
    interrupt::listen()?;
    let places = &options.places;
    let plan = options.plan()?;
    if plan.traces.is_empty() {
        eprintln!("skipped: there are no editing traces");
    }
    let measured = wire::run(&plan, &places.programs(true)?, &places.work_dir()?)?;
    println!("{}", wire::table(&measured));
    write_json(places.json.as_deref(), &measured)?;
    Ok(measured.fault_count())
}

/// Reads a log again, prints, and answers how many faults there were.
fn run_catchup(options: &CatchupOptions) -> anyhow::Result<u64> {
    interrupt::listen()?;
    let places = &options.places;
    let measured = catchup::run(
        &options.plan(),
        &places.programs(true)?,
        &places.work_dir()?,
    )?;
    println!("{}", catchup::table(&measured));
    write_json(places.json.as_deref(), &measured)?;
    Ok(measured.fault_count())
}

/// Writes for minutes, prints, and answers how many faults there were.
fn run_soak(options: &SoakOptions) -> anyhow::Result<u64> {
    interrupt::listen()?;
    let places = &options.places;
    let work_dir = places.work_dir()?;
    warn_of_memory(&work_dir);
    let measured = soak::run(&options.plan(), &places.programs(true)?, &work_dir)?;
    println!("{}", soak::table(&measured));
    write_json(places.json.as_deref(), &measured)?;
    Ok(measured.fault_count())
}

/// Abuses the server, prints, and answers how many faults there were.
fn run_abuse(options: &AbuseOptions) -> anyhow::Result<u64> {
    interrupt::listen()?;
    let places = &options.places;
    let work_dir = places.work_dir()?;
    warn_of_memory(&work_dir);
    let measured = abuse::run(&options.plan(), &places.programs(true)?, &work_dir)?;
    println!("{}", abuse::table(&measured));
    write_json(places.json.as_deref(), &measured)?;
    Ok(measured.fault_count())
}

/// Measures all, publishes it, and answers how many faults there were.
fn run_report(options: &ReportOptions) -> anyhow::Result<u64> {
    interrupt::listen()?;
    let work_dir = options.compare.common.places.work_dir()?;
    warn_of_memory(&work_dir);
    figures::run(&options.plan()?, &options.compare.programs()?, &work_dir)
}

fn warn_of_memory(directory: &Path) {
    if sync::is_in_memory(directory) {
        eprintln!(
            "warning: {} is kept in memory, where durable writes cost nothing; choose a disk",
            directory.display()
        );
    }
}

fn write_json(path: Option<&Path>, measured: &impl Serialize) -> anyhow::Result<()> {
    let Some(path) = path else {
        return Ok(());
    };
    let text = serde_json::to_vec_pretty(measured)?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
