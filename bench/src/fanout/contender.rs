//! Who sends events to many, how each is started, and what is asked of it.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::contender::{Programs, nginx_command, temporary_paths};
use crate::server::Server;

/// Where Debian and others put the module.
const NCHAN_MODULES: [&str; 3] = [
    "/usr/lib/nginx/modules/ngx_nchan_module.so",
    "/usr/lib64/nginx/modules/ngx_nchan_module.so",
    "/usr/share/nginx/modules/ngx_nchan_module.so",
];

/// A server that sends what is published to all who follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Broadcaster {
    /// A bare hyper server with a broadcast channel of tokio; keeps nothing
    BareBroadcast,
    /// Matchbook
    Matchbook,
    /// nginx with the nchan module, in memory
    Nchan,
}

impl fmt::Display for Broadcaster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::BareBroadcast => "bare-broadcast",
            Self::Matchbook => "matchbook",
            Self::Nchan => "nchan",
        })
    }
}

impl Broadcaster {
    /// In the order of the table.
    pub(crate) const ALL: [Self; 3] = [Self::BareBroadcast, Self::Matchbook, Self::Nchan];

    /// What a subscriber asks for.
    pub(crate) fn follow_path(self) -> &'static str {
        match self {
            Self::BareBroadcast | Self::Matchbook => "/bench",
            Self::Nchan => "/follow",
        }
    }

    /// Whether a subscriber is told by an event that it follows from now on. With the
    /// others the head of the answer has to do.
    pub(crate) fn greets(self) -> bool {
        self == Self::Matchbook
    }

    /// The statuses that tell that an event was published.
    pub(crate) fn accepts_with(self, status: u16) -> bool {
        match self {
            Self::BareBroadcast | Self::Matchbook => status == 204,
            // Nobody follows yet, or somebody does.
            Self::Nchan => matches!(status, 201 | 202),
        }
    }

    /// Starts it with its files in `directory`, ready for `subscribers`.
    ///
    /// # Errors
    /// It cannot be started or does not become ready.
    pub(crate) fn start(
        self,
        programs: &Programs,
        directory: &Path,
        subscribers: usize,
    ) -> anyhow::Result<Server> {
        let log = directory.join(format!("{self}.log"));
        let started = match self {
            Self::BareBroadcast => {
                let program = std::env::current_exe()?;
                let command = |address| Ok(bare_broadcast(&program, address));
                Server::start(command, &log, "/ready", false)
            }
            Self::Matchbook => return programs.start_matchbook(directory),
            Self::Nchan => {
                let command = |address| nginx(directory, address, subscribers);
                Server::start(command, &log, "/ready", true)
            }
        };
        started.with_context(|| format!("{self} does not run"))
    }
}

/// The module of nginx.
///
/// # Errors
/// Why nchan cannot be measured here.
pub(crate) fn prepare_nchan() -> anyhow::Result<PathBuf> {
    Command::new("nginx")
        .arg("-v")
        .stderr(Stdio::null())
        .status()
        .context("cannot run nginx")?;
    let mut modules = NCHAN_MODULES.into_iter().map(PathBuf::from);
    modules
        .find(|path| path.exists())
        .context("nginx has no nchan module (Debian: libnginx-mod-nchan)")
}

fn bare_broadcast(program: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command
        .arg("bare-broadcast")
        .arg("--listen")
        .arg(address.to_string());
    command
}

fn nginx(directory: &Path, address: SocketAddr, subscribers: usize) -> anyhow::Result<Command> {
    // One of a relative path would be sought below nginx's own prefix.
    let directory = fs::canonicalize(directory)?;
    let module = prepare_nchan()?;
    let file = directory.join("nginx.conf");
    fs::write(
        &file,
        configuration(&directory, &module, address, subscribers),
    )?;
    Ok(nginx_command(Path::new("nginx"), &directory, &file))
}

/// What the manual of nchan says for event streams, with room for all subscribers. The
/// buffer holds far more messages than are ever under way.
fn configuration(
    directory: &Path,
    module: &Path,
    address: SocketAddr,
    subscribers: usize,
) -> String {
    let temporary = temporary_paths(directory);
    let (directory, module) = (directory.display(), module.display());
    // Any worker may get all of them; each has some connections of its own.
    let connections = subscribers + 1_000;
    format!(
        "load_module {module};
daemon off;
worker_processes auto;
worker_rlimit_nofile {connections};
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
{temporary}    nchan_shared_memory_size 128M;
    server {{
        listen {address};
        location = /ready {{ return 200; }}
        location = /publish {{
            nchan_publisher;
            nchan_channel_id bench;
            nchan_message_buffer_length 1024;
            nchan_message_timeout 1m;
        }}
        location = /follow {{
            nchan_subscriber eventsource;
            nchan_channel_id bench;
            nchan_subscriber_first_message newest;
        }}
    }}
}}
"
    )
}
