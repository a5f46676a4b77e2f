//! The measurements of the change feed.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::{Common, Places};
use crate::contender::Programs;
use crate::fanout::contender::Broadcaster;
use crate::{catchup, fanout, wire};

/// The fan-out.
#[derive(Debug, Args)]
pub(crate) struct FanoutOptions {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Only these servers
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "bare-broadcast,matchbook,nchan"
    )]
    only: Vec<Broadcaster>,
    /// How many follow the collection that is written to; Matchbook serves 10,000 connections
    #[arg(long, default_value_t = 5_000)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=9_900))]
    subscribers: u16,
    /// How often it is written to
    #[arg(long, default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    writes_per_second: u32,
    /// How many follow another collection while PUTs are counted; 0 leaves this out
    #[arg(long, default_value_t = 1_000)]
    #[arg(value_parser = clap::value_parser!(u16).range(..=9_900))]
    idle: u16,
}

/// The bytes on the wire.
#[derive(Debug, Args)]
pub(crate) struct WireOptions {
    #[command(flatten)]
    pub(crate) places: Places,
    /// Editing traces, or a directory of them
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/editing-traces"))]
    #[arg(hide_default_value = true)]
    traces: Vec<PathBuf>,
    /// How many transactions of each are replayed, at most
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    transactions: usize,
    /// A tiny run that shows that all of it works
    #[arg(long, conflicts_with = "transactions")]
    smoke: bool,
}

/// The entries of a long log.
const ENTRIES: u64 = 1_000_000;

/// How many documents they are about.
const DOCUMENTS: u64 = 100_000;

/// The catch-up.
#[derive(Debug, Args)]
pub(crate) struct CatchupOptions {
    #[command(flatten)]
    pub(crate) places: Places,
    /// How many writes there were
    #[arg(long, default_value_t = ENTRIES, value_parser = clap::value_parser!(u64).range(1..))]
    entries: u64,
    /// How many documents they are about
    #[arg(long, default_value_t = DOCUMENTS, value_parser = clap::value_parser!(u64).range(1..))]
    documents: u64,
    /// How often it is read
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// A tiny run that shows that all of it works; its figures mean nothing
    #[arg(long, conflicts_with_all = ["entries", "documents", "rounds"])]
    smoke: bool,
}

impl FanoutOptions {
    /// # Errors
    /// This program's own directory is unknown.
    pub(crate) fn programs(&self) -> anyhow::Result<Programs> {
        self.common.programs()
    }

    pub(crate) fn plan(&self) -> fanout::Plan {
        let smoke = self.common.smoke;
        fanout::Plan {
            contenders: self.only.clone(),
            subscribers: usize::from(if smoke { 50 } else { self.subscribers }),
            writes_per_second: self.writes_per_second,
            idle: usize::from(if smoke { self.idle.min(20) } else { self.idle }),
            rounds: self.common.rounds(),
            times: self.common.times(),
        }
    }
}

impl WireOptions {
    /// # Errors
    /// A directory cannot be read.
    pub(crate) fn plan(&self) -> anyhow::Result<wire::Plan> {
        let plan = Self::plan_of(&self.traces, self.smoke)?;
        Ok(wire::Plan {
            transactions: plan.transactions.min(self.transactions),
            ..plan
        })
    }

    /// # Errors
    /// A directory cannot be read.
    pub(super) fn plan_of(paths: &[PathBuf], smoke: bool) -> anyhow::Result<wire::Plan> {
        let mut traces = Vec::new();
        for path in paths.iter().filter(|path| path.exists()) {
            if path.is_dir() {
                traces.extend(files_in(path)?);
            } else {
                traces.push(path.clone());
            }
        }
        let transactions = if smoke { 100 } else { usize::MAX };
        Ok(wire::Plan {
            traces,
            transactions,
        })
    }
}

fn files_in(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory)
        .with_context(|| format!("cannot read {}", directory.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path()));
    let mut paths = paths.collect::<anyhow::Result<Vec<_>>>()?;
    paths.sort_unstable();
    Ok(paths)
}

impl CatchupOptions {
    pub(crate) fn plan(&self) -> catchup::Plan {
        if self.smoke {
            return Self::plan_of(true, 1);
        }
        catchup::Plan {
            entries: self.entries,
            documents: self.documents,
            rounds: self.rounds,
        }
    }

    pub(super) fn plan_of(smoke: bool, rounds: usize) -> catchup::Plan {
        let (entries, documents) = if smoke {
            (5_000, 500)
        } else {
            (ENTRIES, DOCUMENTS)
        };
        catchup::Plan {
            entries,
            documents,
            rounds,
        }
    }
}
