//! The command line.

mod feed;
mod report;
mod stress;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::cell::Times;
use crate::contender::{Contender, Programs};
use crate::work::Work;
use crate::{compare, growth, rules};

pub(crate) use self::feed::{CatchupOptions, FanoutOptions, WireOptions};
pub(crate) use self::report::ReportOptions;
pub(crate) use self::stress::{AbuseOptions, SoakOptions};

/// Measure Matchbook against what people would pick instead
///
/// Every server is started, filled with 1 KiB documents, measured over loopback in
/// alternation, and ended by this program. Figures of different runs do not compare;
/// the ratios of one run do. The exit code tells of faults (an unexpected answer, a
/// server that does not run), never of speed.
#[derive(Debug, Parser)]
#[command(
    name = "matchbook-bench",
    version,
    args_conflicts_with_subcommands = true
)]
#[command(after_help = "Examples:
  cargo build --release -p matchbook -p matchbook-bench
  target/release/matchbook-bench
  target/release/matchbook-bench --only bare,matchbook --work put --connections 64
  target/release/matchbook-bench growth --keep ./grown --json growth.json
  target/release/matchbook-bench report
  target/release/matchbook-bench report --redraw
  target/release/matchbook-bench fanout --seconds 10 --only matchbook,nchan")]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Task>,
    #[command(flatten)]
    pub(crate) compare: CompareOptions,
}

/// What to do other than to compare.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Compare Matchbook with few documents and with many, and time its start
    Growth(GrowthOptions),
    /// Measure what policies and schemas cost, and what a batch saves
    Rules(RulesOptions),
    /// Compare servers that tell thousands of subscribers of each write
    Fanout(FanoutOptions),
    /// Count the bytes that one subscriber gets while real texts are edited
    Wire(WireOptions),
    /// Read a long log again from its beginning
    Catchup(CatchupOptions),
    /// Watch the memory while thousands listen and some write without a pause
    Soak(SoakOptions),
    /// Watch the memory, and who else is served, while clients are slow, endless or hostile
    Abuse(AbuseOptions),
    /// Measure all speeds and write docs/benchmarks.md with its plots
    Report(ReportOptions),
    /// The bare hyper server (started by the comparison)
    #[command(hide = true)]
    Bare {
        /// Where to listen
        #[arg(long)]
        listen: SocketAddr,
    },
    /// The bare broadcast (started by fanout)
    #[command(hide = true)]
    BareBroadcast {
        /// Where to listen
        #[arg(long)]
        listen: SocketAddr,
    },
}

/// Where everything is.
#[derive(Debug, Args)]
pub(crate) struct Places {
    /// The matchbook program [default: beside this one]
    #[arg(long, value_name = "PATH")]
    matchbook: Option<PathBuf>,
    /// The directory of the Express server
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/express"))]
    #[arg(hide = true)]
    express: PathBuf,
    /// The directory of the code and the settings of the other servers
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/peers"))]
    #[arg(hide = true)]
    peers: PathBuf,
    /// Where other servers are installed [default: beside this program]
    #[arg(long, value_name = "DIR")]
    installed: Option<PathBuf>,
    /// Install what is missing in a tiny run as well; other runs always do
    #[arg(long)]
    install: bool,
    /// Where the data directories are made; must be on a real disk [default: beside this program]
    #[arg(long, value_name = "DIR")]
    work_dir: Option<PathBuf>,
    /// Write all that was measured to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// What all measurements with rounds share.
#[derive(Debug, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) places: Places,
    /// Seconds that each cell is measured
    #[arg(long, default_value = "3", value_parser = seconds)]
    seconds: Duration,
    /// Seconds of the same work before
    #[arg(long, default_value = "0.5", value_parser = seconds)]
    warm_up: Duration,
    /// How often each cell is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// A tiny run that shows that all of it works; its figures mean nothing
    #[arg(long, conflicts_with_all = ["seconds", "warm_up", "rounds"])]
    smoke: bool,
}

/// The comparison.
#[derive(Debug, Args)]
pub(crate) struct CompareOptions {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Only these servers
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "bare,matchbook,nginx,express,django,kinto,etcd"
    )]
    only: Vec<Contender>,
    /// Only this work
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "put,patch,create,get,304,list,filter"
    )]
    work: Vec<Work>,
    /// Numbers of connections, each with one outstanding request
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: Vec<u16>,
    /// How many documents each server is filled with
    #[arg(long, default_value_t = 10_000)]
    documents: u64,
}

/// The growth.
#[derive(Debug, Args)]
pub(crate) struct GrowthOptions {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How many documents are few
    #[arg(long, default_value_t = 10_000)]
    few: u64,
    /// How many are many; ten million take about 30 GB of disk and some minutes
    #[arg(long, default_value_t = 10_000_000)]
    many: u64,
    /// How many of them are written to, at most
    #[arg(long, default_value_t = 1_000_000)]
    sample: u64,
    /// Numbers of connections
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: Vec<u16>,
    /// Work
    #[arg(long, value_delimiter = ',', default_value = "get,put")]
    work: Vec<Work>,
    /// How often the start is timed
    #[arg(long, default_value_t = 5)]
    restarts: usize,
    /// Leave the files where they are, and do not read them into the system's memory first
    #[arg(long)]
    cold: bool,
    /// Keep the filled data here, and use what an earlier run left
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

/// What rules cost.
#[derive(Debug, Args)]
pub(crate) struct RulesOptions {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How many connections, each with one outstanding request
    #[arg(long, default_value_t = 64)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// How many documents each server is filled with
    #[arg(long, default_value_t = 10_000)]
    documents: u64,
}

impl RulesOptions {
    pub(crate) fn plan(&self) -> rules::Plan {
        let smoke = self.common.smoke;
        rules::Plan {
            documents: if smoke { 200 } else { self.documents },
            connections: usize::from(self.connections),
            rounds: self.common.rounds(),
            times: self.common.times(),
        }
    }
}

/// A positive number of seconds, at most an hour.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.01..=3600.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("not between 0.01 and 3600".to_owned())
    }
}

impl Common {
    fn times(&self) -> Times {
        if self.smoke {
            let (warm_up, measured) = (Duration::from_millis(50), Duration::from_millis(200));
            return Times { warm_up, measured };
        }
        Times {
            warm_up: self.warm_up,
            measured: self.seconds,
        }
    }

    /// # Errors
    /// This program's own directory is unknown.
    pub(crate) fn programs(&self) -> anyhow::Result<Programs> {
        self.places.programs(self.smoke)
    }

    fn rounds(&self) -> usize {
        if self.smoke { 1 } else { self.rounds }
    }
}

impl Places {
    /// Where data is made: a directory that exists from now on.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn work_dir(&self) -> anyhow::Result<PathBuf> {
        let directory = match &self.work_dir {
            Some(directory) => directory.clone(),
            None => own_directory()?.join("bench-data"),
        };
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        // Some servers take a relative path for one below a directory of their own.
        std::fs::canonicalize(&directory)
            .with_context(|| format!("cannot find {}", directory.display()))
    }

    /// All programs. In a tiny run nothing is installed unless that is asked for.
    ///
    /// # Errors
    /// This program's own directory is unknown.
    pub(crate) fn programs(&self, smoke: bool) -> anyhow::Result<Programs> {
        let installed = match &self.installed {
            Some(directory) => std::path::absolute(directory)?,
            None => own_directory()?.join("bench-peers"),
        };
        Ok(Programs {
            matchbook: self.matchbook()?,
            express: self.express.clone(),
            peers: std::path::absolute(&self.peers)?,
            installed,
            may_install: self.install || !smoke,
        })
    }

    fn matchbook(&self) -> anyhow::Result<PathBuf> {
        match &self.matchbook {
            Some(path) => Ok(path.clone()),
            None => Ok(own_directory()?.join("matchbook")),
        }
    }
}

/// The directory of this program.
fn own_directory() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program
        .parent()
        .context("this program is nowhere")?
        .to_owned())
}

fn widen(connections: &[u16]) -> Vec<usize> {
    connections.iter().copied().map(usize::from).collect()
}

impl CompareOptions {
    /// # Errors
    /// This program's own directory is unknown.
    pub(crate) fn programs(&self) -> anyhow::Result<Programs> {
        self.common.programs()
    }

    pub(crate) fn plan(&self) -> compare::Plan {
        let smoke = self.common.smoke;
        compare::Plan {
            contenders: self.only.clone(),
            work: self.work.clone(),
            connections: if smoke {
                vec![1, 16]
            } else {
                widen(&self.connections)
            },
            documents: if smoke { 200 } else { self.documents },
            rounds: self.common.rounds(),
            times: self.common.times(),
        }
    }
}

impl GrowthOptions {
    /// # Errors
    /// This program's own directory is unknown.
    pub(crate) fn programs(&self) -> anyhow::Result<Programs> {
        self.common.programs()
    }

    pub(crate) fn plan(&self) -> growth::Plan {
        let smoke = self.common.smoke;
        growth::Plan {
            cold: self.cold,
            sizes: if smoke {
                [1_000, 2_000]
            } else {
                [self.few.max(1), self.many.max(1)]
            },
            sample: if smoke { 500 } else { self.sample.max(1) },
            work: self.work.clone(),
            connections: widen(&self.connections),
            rounds: self.common.rounds(),
            restarts: if smoke { 1 } else { self.restarts },
            times: self.common.times(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_smoke_run_is_tiny() {
        let options = Options::parse_from(["matchbook-bench", "--smoke"]);
        let plan = options.compare.plan();
        assert_eq!(plan.rounds, 1);
        assert!(plan.times.measured < Duration::from_secs(1));
        assert_eq!(plan.contenders, Contender::ALL);
        assert!(!options.compare.programs().unwrap().may_install);
    }
}
