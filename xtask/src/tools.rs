//! What the tests need besides a Rust toolchain, installed where it is missing.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::child;

/// Programs that the documents' commands use. Debian's packages have the same names.
const PROGRAMS: [&str; 3] = ["bash", "curl", "openssl"];

/// Parts of the toolchain, with the cargo command that each brings.
const COMPONENTS: [(&str, &str); 2] = [("rustfmt", "fmt"), ("clippy", "clippy")];

/// Commands that install what is missing.
pub(crate) fn missing() -> Vec<Command> {
    let mut commands = Vec::new();
    for (component, subcommand) in COMPONENTS {
        let probe = child::cargo()
            .args([subcommand, "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !probe.is_ok_and(|status| status.success()) {
            let mut install = Command::new("rustup");
            install.args(["component", "add", component]);
            commands.push(install);
        }
    }
    let absent = PROGRAMS.into_iter().filter(|name| find(name).is_none());
    let absent: Vec<&str> = absent.collect();
    if !absent.is_empty() {
        commands.push(apt_get(&["update"]));
        let mut install = apt_get(&["install", "--yes", "--no-install-recommends"]);
        install.args(&absent);
        commands.push(install);
    }
    let mut fetch = child::cargo();
    fetch.args(["fetch", "--locked"]);
    commands.push(fetch);
    commands
}

/// `apt-get`, by `sudo` for whoever is not root.
fn apt_get(words: &[&str]) -> Command {
    let id = Command::new("id").arg("-u").output();
    let is_root = id.is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    let mut command = if is_root || find("sudo").is_none() {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["--non-interactive", "apt-get"]);
        sudo
    };
    command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}
