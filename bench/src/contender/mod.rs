//! Who is compared: how each is made ready, started and spoken to.

mod bare;
mod django;
mod etcd;
mod express;
mod granian;
mod install;
mod kinto;
mod nginx;
mod own;
mod postgres;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::dialect::{Dialect, Plain};
use crate::server::Server;

pub(crate) use self::install::version_of;
pub(crate) use self::nginx::{nginx_command, temporary_paths};

/// A server under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Contender {
    /// A bare hyper server that answers a constant: the ceiling
    Bare,
    /// Matchbook
    Matchbook,
    /// nginx with dav: files, not synced, saved without a condition
    Nginx,
    /// Express 5 + better-sqlite3 with synchronous=FULL
    Express,
    /// Django REST Framework + SQLite with synchronous=FULL
    Django,
    /// Kinto + PostgreSQL
    Kinto,
    /// etcd's JSON gateway
    Etcd,
}

impl fmt::Display for Contender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Bare => "bare",
            Self::Matchbook => "matchbook",
            Self::Nginx => "nginx",
            Self::Express => "express",
            Self::Django => "django",
            Self::Kinto => "kinto",
            Self::Etcd => "etcd",
        })
    }
}

impl Contender {
    /// In the order of the table.
    pub(crate) const ALL: [Self; 7] = [
        Self::Bare,
        Self::Matchbook,
        Self::Nginx,
        Self::Express,
        Self::Django,
        Self::Kinto,
        Self::Etcd,
    ];

    /// For people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Bare => "bare hyper",
            Self::Matchbook => "Matchbook",
            Self::Nginx => "nginx dav",
            Self::Express => "Express + SQLite",
            Self::Django => "Django REST + SQLite",
            Self::Kinto => "Kinto + PostgreSQL",
            Self::Etcd => "etcd, JSON gateway",
        }
    }

    /// Whether it keeps what it is sent.
    pub(crate) fn stores(self) -> bool {
        self != Self::Bare
    }

    /// Whether what it has answered survives a loss of power.
    pub(crate) fn is_durable(self) -> bool {
        !matches!(self, Self::Bare | Self::Nginx)
    }

    /// Whether somebody would choose it in place of Matchbook: it saves durably, and
    /// under a condition.
    pub(crate) fn is_peer(self) -> bool {
        self.is_durable() && self != Self::Matchbook
    }

    /// How it is spoken to.
    pub(crate) fn dialect(self) -> &'static dyn Dialect {
        match self {
            Self::Bare => &bare::Constant,
            Self::Matchbook | Self::Express | Self::Django => &Plain,
            Self::Nginx => &nginx::Dav,
            Self::Kinto => &kinto::Records,
            Self::Etcd => &etcd::Gateway,
        }
    }
}

/// Where the programs are, and whether those that are missing may be installed.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) matchbook: PathBuf,
    pub(crate) express: PathBuf,
    /// The code and the settings of the other servers.
    pub(crate) peers: PathBuf,
    /// Where they are installed.
    pub(crate) installed: PathBuf,
    pub(crate) may_install: bool,
}

impl Programs {
    /// Makes `contender` ready to start, and tells its version. What is missing is
    /// installed.
    ///
    /// # Errors
    /// Why it cannot be started here.
    pub(crate) fn prepare(&self, contender: Contender) -> anyhow::Result<String> {
        match contender {
            Contender::Bare => Ok("hyper 1.x, tokio".to_owned()),
            Contender::Matchbook => own::prepare(self),
            Contender::Nginx => nginx::prepare(self),
            Contender::Express => express::prepare(self),
            Contender::Django => django::prepare(self),
            Contender::Kinto => kinto::prepare(self),
            Contender::Etcd => etcd::prepare(self),
        }
    }

    /// Starts `contender` with its data in `directory`.
    ///
    /// # Errors
    /// It cannot be started or does not become ready.
    pub(crate) fn start(&self, contender: Contender, directory: &Path) -> anyhow::Result<Server> {
        let started = match contender {
            Contender::Bare => bare::start(directory),
            Contender::Matchbook => return self.start_matchbook(directory),
            Contender::Nginx => nginx::start(self, directory),
            Contender::Express => express::start(self, directory),
            Contender::Django => django::start(self, directory),
            Contender::Kinto => kinto::start(self, directory),
            Contender::Etcd => etcd::start(self, directory),
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
        own::start(self, directory, flags).context("matchbook does not run")
    }

    /// # Errors
    /// There is no Matchbook.
    pub(crate) fn require_matchbook(&self) -> anyhow::Result<()> {
        own::require(self)
    }
}
