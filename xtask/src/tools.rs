//! What the tests need besides a Rust toolchain, installed where it is missing.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::child;

/// Programs that the tests and the documents' commands use, and Debian's packages of them.
const PROGRAMS: [(&str, &str); 9] = [
    ("bash", "bash"),
    ("chromium", "chromium"),
    ("curl", "curl"),
    ("haproxy", "haproxy"),
    ("nginx", "nginx"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("openssl", "openssl"),
    ("varnishd", "varnish"),
];

/// Where a daemon is that is not on the path of everybody.
const SYSTEM_DIRECTORIES: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

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
    let absent = PROGRAMS.into_iter();
    let absent = absent.filter(|(program, _)| find(program).is_none());
    let mut absent: Vec<&str> = absent.map(|(_, package)| package).collect();
    if !has_python() {
        absent.push("python3-venv");
    }
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

/// Whether there is a Python that makes environments with packages of their own.
fn has_python() -> bool {
    let mut probe = Command::new("python3");
    probe.args(["-c", "import ensurepip, venv"]);
    let probe = probe.stdout(Stdio::null()).stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success())
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
        .chain(SYSTEM_DIRECTORIES.iter().map(PathBuf::from))
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}
