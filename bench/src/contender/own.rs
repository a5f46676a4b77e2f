//! Matchbook itself, as `matchbook serve` on an empty data directory.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::bail;

use super::{Programs, version_of};
use crate::server::Server;

pub(super) fn require(programs: &Programs) -> anyhow::Result<()> {
    if !programs.matchbook.exists() {
        bail!(
            "there is no {}; build it with `cargo build --release -p matchbook`, name it with \
             --matchbook PATH, or leave it out with --only",
            programs.matchbook.display()
        );
    }
    Ok(())
}

pub(super) fn prepare(programs: &Programs) -> anyhow::Result<String> {
    require(programs)?;
    version_of(Command::new(&programs.matchbook).arg("--version"))
}

pub(super) fn start(
    programs: &Programs,
    directory: &Path,
    flags: &[&str],
) -> anyhow::Result<Server> {
    let command = |address: SocketAddr| {
        let mut command = Command::new(&programs.matchbook);
        command
            .args(["serve", "--data"])
            .arg(directory.join("data"))
            .arg("--listen")
            .arg(address.to_string())
            .args(flags);
        Ok(command)
    };
    Server::start(command, &directory.join("matchbook.log"), "/_/ready", true)
}
