//! A PostgreSQL cluster of a server's own, with the settings that `initdb` makes: every
//! commit is synced.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use super::install::{find, run, version_of};
use crate::server::{Probe, Server};

/// Where Debian has a directory for each version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The user that Debian makes.
const USER: &str = "postgres";

/// Making a cluster on a slow disk.
const INITDB_AT_MOST: Duration = Duration::from_mins(2);

/// A running cluster.
pub(super) struct Cluster {
    pub(super) server: Server,
    pub(super) url: String,
}

/// # Errors
/// There is no PostgreSQL.
pub(super) fn version() -> anyhow::Result<String> {
    // As "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)".
    let printed = version_of(Command::new(programs()?.join("postgres")).arg("--version"))?;
    let version = printed.split(' ').nth(2).unwrap_or_default();
    Ok(format!("PostgreSQL {version}"))
}

/// The directory of `initdb` and `postgres`, of the newest version.
fn programs() -> anyhow::Result<PathBuf> {
    let versions = fs::read_dir(DEBIAN).into_iter().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, directory)| directory.join("initdb").is_file())
        .collect();
    found.sort_unstable();
    if let Some((_, directory)) = found.pop() {
        return Ok(directory);
    }
    let initdb = find("initdb").context("there is no PostgreSQL (Debian: postgresql)")?;
    Ok(fs::canonicalize(initdb)?
        .parent()
        .context("initdb is nowhere")?
        .to_owned())
}

/// Makes a cluster below `directory` whose superuser is `name`, and starts it.
///
/// # Errors
/// There is no PostgreSQL, or it does not run.
pub(super) fn start(directory: &Path, name: &str) -> anyhow::Result<Cluster> {
    let programs = programs()?;
    let data = directory.join("postgres");
    fs::create_dir(&data)?;
    let user = Owner::of_servers()?;
    if let Some(user) = user {
        // The owner of a cluster has to reach it, and nobody else may.
        fs::set_permissions(directory, fs::Permissions::from_mode(0o711))?;
        chown(&data, Some(user.user), Some(user.group))?;
    }
    let as_user = |command: &mut Command| {
        command.current_dir(directory);
        if let Some(user) = user {
            command.uid(user.user).gid(user.group);
        }
    };
    let mut initdb = Command::new(programs.join("initdb"));
    initdb
        .arg("-D")
        .arg(&data)
        .arg(format!("--username={name}"))
        .args(["--auth=trust", "--encoding=UTF8", "--locale=C"])
        // Of the cluster's own making; what it is for is synced.
        .arg("--no-sync");
    as_user(&mut initdb);
    run(&mut initdb, INITDB_AT_MOST)?;
    let command = |address: SocketAddr| {
        let mut command = Command::new(programs.join("postgres"));
        command.arg("-D").arg(&data);
        for setting in [
            format!("listen_addresses={}", address.ip()),
            format!("port={}", address.port()),
            "unix_socket_directories=".to_owned(),
            "timezone=UTC".to_owned(),
        ] {
            command.arg("-c").arg(setting);
        }
        as_user(&mut command);
        Ok(command)
    };
    let probe = Probe::Program {
        program: programs.join("pg_isready"),
    };
    let log = directory.join("postgres.log");
    let server = Server::start_until(command, &log, &probe).context("PostgreSQL")?;
    let url = format!("postgresql://{name}@{}/postgres", server.address());
    Ok(Cluster { server, url })
}

/// Whom the cluster belongs to, where this program is root, which PostgreSQL refuses to
/// be.
#[derive(Debug, Clone, Copy)]
struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    fn of_servers() -> anyhow::Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        Ok(Some(Self {
            user: number("-u")?,
            group: number("-g")?,
        }))
    }
}

fn number(of: &str) -> anyhow::Result<u32> {
    let printed = version_of(Command::new("id").args([of, USER]))?;
    match printed.parse() {
        Ok(number) => Ok(number),
        Err(_) => bail!("there is no user {USER}, and root cannot run PostgreSQL"),
    }
}
