//! The report.

use std::path::PathBuf;

use clap::Args;

use super::{CompareOptions, own_directory};
use crate::fanout::contender::Broadcaster;
use crate::figures::{self, Part};
use crate::options::{CatchupOptions, WireOptions};
use crate::work::Work;
use crate::{catchup, fanout, growth};

/// The measurements, in the order in which they are made.
const ALL_PARTS: [Part; 5] = [
    Part::Compare,
    Part::Fanout,
    Part::Wire,
    Part::Catchup,
    Part::Growth,
];

/// All measurements and what is published of them.
#[derive(Debug, Args)]
pub(crate) struct ReportOptions {
    #[command(flatten)]
    pub(crate) compare: CompareOptions,
    /// Only these measurements; of the others the figures stay as they are
    #[arg(long, value_delimiter = ',', default_values_t = ALL_PARTS)]
    #[arg(value_enum, hide_default_value = true)]
    parts: Vec<Part>,
    /// Measure nothing: make the page and the pictures again of the figures that are there
    #[arg(long)]
    redraw: bool,
    /// The directory of benchmarks.md and plots/ [default: docs; of a tiny run, one beside this
    /// program]
    #[arg(long, value_name = "DIR")]
    docs: Option<PathBuf>,
    /// The sizes that are compared with 10,000 documents
    #[arg(long, value_delimiter = ',', default_value = "100000,1000000,10000000")]
    grow: Vec<u64>,
    /// Editing traces, or a directory of them
    #[arg(long, value_name = "PATH")]
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/editing-traces"))]
    #[arg(hide_default_value = true)]
    traces: Vec<PathBuf>,
}

/// Few documents.
const FEW: u64 = 10_000;

impl ReportOptions {
    /// # Errors
    /// A directory cannot be read, or this program's own is unknown.
    pub(crate) fn plan(&self) -> anyhow::Result<figures::Plan> {
        let common = &self.compare.common;
        let smoke = common.smoke;
        let docs = match &self.docs {
            Some(directory) => directory.clone(),
            None if smoke => own_directory()?.join("bench-report"),
            None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs")),
        };
        let parts = if self.redraw {
            Vec::new()
        } else {
            self.parts.clone()
        };
        Ok(figures::Plan {
            parts,
            compare: self.compare.plan(),
            fanout: fanout::Plan {
                contenders: Broadcaster::ALL.to_vec(),
                subscribers: if smoke { 50 } else { 5_000 },
                writes_per_second: 20,
                idle: if smoke { 20 } else { 1_000 },
                rounds: common.rounds(),
                times: common.times(),
            },
            wire: WireOptions::plan_of(&self.traces, smoke)?,
            catchup: self.catchup(),
            growth: self.growth(),
            docs,
        })
    }

    fn catchup(&self) -> catchup::Plan {
        let (smoke, rounds) = (self.compare.common.smoke, self.compare.common.rounds());
        CatchupOptions::plan_of(smoke, rounds)
    }

    fn growth(&self) -> Vec<growth::Plan> {
        let common = &self.compare.common;
        let smoke = common.smoke;
        let pairs: Vec<[u64; 2]> = if smoke {
            vec![[500, 1_000]]
        } else {
            self.grow.iter().map(|&many| [FEW, many.max(1)]).collect()
        };
        let plan = |sizes: [u64; 2]| growth::Plan {
            cold: false,
            sizes,
            sample: if smoke { 500 } else { 1_000_000 },
            work: vec![Work::Get, Work::Put],
            connections: if smoke { vec![16] } else { vec![1, 16] },
            rounds: common.rounds(),
            restarts: if smoke { 1 } else { 5 },
            times: common.times(),
        };
        pairs.into_iter().map(plan).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::options::{Options, Task};

    fn plan(arguments: &[&str]) -> figures::Plan {
        let line = ["matchbook-bench", "report"].iter().chain(arguments);
        let Some(Task::Report(options)) = Options::parse_from(line).command else {
            unreachable!("the command is report");
        };
        options.plan().unwrap()
    }

    #[test]
    fn a_tiny_run_is_not_published() {
        let smoke = plan(&["--smoke"]);
        assert!(smoke.docs.ends_with("bench-report"));
        assert_eq!(smoke.parts, ALL_PARTS);
        assert!(plan(&[]).docs.ends_with("docs"));
        assert!(plan(&["--redraw"]).parts.is_empty());
    }

    #[test]
    fn each_size_is_compared_with_few() {
        let sizes = plan(&["--grow", "20000,30000"]).growth;
        let sizes: Vec<_> = sizes.iter().map(|plan| plan.sizes).collect();
        assert_eq!(sizes, [[FEW, 20_000], [FEW, 30_000]]);
    }
}
