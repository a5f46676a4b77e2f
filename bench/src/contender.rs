//! Who is compared, and how each is started.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde::Serialize;

use crate::interrupt;
use crate::server::Server;

/// Installing compiles SQLite where no prebuilt one is to be had.
const INSTALL_AT_MOST: Duration = Duration::from_mins(10);

/// A server under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Contender {
    /// A bare hyper server that answers a constant: the ceiling
    Bare,
    /// Matchbook
    Matchbook,
    /// Express 5 + better-sqlite3 with synchronous=FULL
    Express,
}

impl fmt::Display for Contender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Bare => "bare",
            Self::Matchbook => "matchbook",
            Self::Express => "express",
        })
    }
}

impl Contender {
    /// In the order of the table.
    pub(crate) const ALL: [Self; 3] = [Self::Bare, Self::Matchbook, Self::Express];

    /// Whether it keeps what it is sent. One that does not answers every write with
    /// 204 and knows no tags.
    pub(crate) fn stores(self) -> bool {
        self != Self::Bare
    }
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) matchbook: PathBuf,
    pub(crate) express: PathBuf,
}

impl Programs {
    /// Starts `contender` with its data in `directory`.
    ///
    /// # Errors
    /// It cannot be started or does not become ready.
    pub(crate) fn start(&self, contender: Contender, directory: &Path) -> anyhow::Result<Server> {
        let log = directory.join(format!("{contender}.log"));
        let started = match contender {
            Contender::Bare => {
                let program = std::env::current_exe()?;
                let command = |address| Ok(bare(&program, address));
                Server::start(command, &log, "/bench/0", true)
            }
            Contender::Matchbook => {
                return self.start_matchbook(directory);
            }
            Contender::Express => {
                let data = directory.join("documents.db");
                let command = |address| Ok(express(&self.express, &data, address));
                Server::start(command, &log, "/bench/0", false)
            }
        };
        started.with_context(|| format!("{contender} does not run"))
    }

    /// Starts Matchbook with its data in `directory`.
    ///
    /// # Errors
    /// It cannot be started or does not become ready.
    pub(crate) fn start_matchbook(&self, directory: &Path) -> anyhow::Result<Server> {
        self.start_matchbook_with(directory, &[])
    }

    /// Starts Matchbook with more flags.
    ///
    /// # Errors
    /// It cannot be started or does not become ready.
    pub(crate) fn start_matchbook_with(
        &self,
        directory: &Path,
        flags: &[&str],
    ) -> anyhow::Result<Server> {
        let data = directory.join("data");
        let log = directory.join("matchbook.log");
        let command = |address| {
            let mut command = matchbook(&self.matchbook, &data, address);
            command.args(flags);
            Ok(command)
        };
        Server::start(command, &log, "/_/ready", true).context("matchbook does not run")
    }

    /// # Errors
    /// There is no Matchbook.
    pub(crate) fn require_matchbook(&self) -> anyhow::Result<()> {
        if !self.matchbook.exists() {
            bail!(
                "there is no {}; build it with `cargo build --release -p matchbook`, name it with \
                 --matchbook PATH, or leave it out with --only",
                self.matchbook.display()
            );
        }
        Ok(())
    }

    /// Makes Express ready to start; its packages are installed if they are missing.
    ///
    /// # Errors
    /// Why it cannot be: there is no node, no npm, or no registry.
    pub(crate) fn prepare_express(&self) -> anyhow::Result<()> {
        run(
            Command::new("node").arg("--version"),
            Duration::from_secs(10),
        )?;
        if self
            .express
            .join("node_modules/.package-lock.json")
            .exists()
        {
            return Ok(());
        }
        eprintln!("installing the packages of Express (npm ci) ...");
        let mut install = Command::new("npm");
        install
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(&self.express);
        run(&mut install, INSTALL_AT_MOST)
    }
}

fn bare(program: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command.arg("bare").arg("--listen").arg(address.to_string());
    command
}

fn matchbook(program: &Path, data: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command
        .arg("serve")
        .arg("--data")
        .arg(data)
        .arg("--listen")
        .arg(address.to_string());
    command
}

fn express(directory: &Path, data: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new("node");
    command
        .arg(directory.join("server.js"))
        .arg("--data")
        .arg(data);
    command
        .arg("--port")
        .arg(address.port().to_string())
        .env("NODE_ENV", "production");
    command
}

/// Runs a helper to its end, quietly.
fn run(command: &mut Command, at_most: Duration) -> anyhow::Result<()> {
    let name = command.get_program().display().to_string();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    let ended = interrupt::wait_until(at_most, Duration::from_millis(50), || {
        Ok(child.try_wait()?.is_some())
    });
    if !matches!(ended, Ok(true)) {
        let _gone = child.kill();
        ended?;
        bail!("{name} did not end within {at_most:?}");
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{name} ended with {status}");
    }
    Ok(())
}
