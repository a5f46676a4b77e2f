//! Express 5 with better-sqlite3, `synchronous=FULL` (`bench/express/`).

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use super::Programs;
use super::install::{INSTALL_AT_MOST, run, version_of};
use crate::server::Server;

/// Makes Express ready to start; its packages are installed if they are missing.
///
/// # Errors
/// Why it cannot be: there is no node, no npm, or no registry.
pub(super) fn prepare(programs: &Programs) -> anyhow::Result<String> {
    let directory = &programs.express;
    let mut node = Command::new("node");
    run(node.arg("--version"), Duration::from_secs(10))?;
    if !directory.join("node_modules/.package-lock.json").exists() {
        eprintln!("installing the packages of Express (npm ci) ...");
        let mut install = Command::new("npm");
        install
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(directory);
        run(&mut install, INSTALL_AT_MOST)?;
    }
    let manifest = std::fs::read(directory.join("package.json"))?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    let packages = manifest.get("dependencies").and_then(Value::as_object);
    let packages = packages.context("a package.json without dependencies")?;
    let pinned = packages
        .iter()
        .map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or_default()));
    let pinned = pinned.collect::<Vec<_>>().join(", ");
    Ok(format!("Node {}, {pinned}", version_of(&mut node)?))
}

pub(super) fn start(programs: &Programs, directory: &Path) -> anyhow::Result<Server> {
    let command = |address: SocketAddr| {
        let mut command = Command::new("node");
        command
            .arg(programs.express.join("server.js"))
            .arg("--data")
            .arg(directory.join("documents.db"))
            .arg("--port")
            .arg(address.port().to_string())
            .env("NODE_ENV", "production");
        Ok(command)
    };
    Server::start(command, &directory.join("express.log"), "/bench/0", false)
}
