//! The packages of other languages that the tests use, installed from lock files into
//! the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{child, files};

/// Where the lock files are.
const SOURCE: &str = "crates/check/clients";

/// A copy of the lock file, which is there once all in it is installed.
const INSTALLED: &str = "installed";

/// Commands that install what is missing.
pub(crate) fn missing() -> Result<Vec<Command>, String> {
    let target = files::target()?.join("clients");
    let node = Packages::prepare(&target, "node", &["package.json", "package-lock.json"])?;
    let python = Packages::prepare(&target, "python", &["requirements.txt"])?;
    let mut commands = Vec::new();
    if let Some(packages) = node {
        let mut install = Command::new("npm");
        install.args(["ci", "--no-audit", "--no-fund"]);
        commands.extend(packages.commands([install]));
    }
    if let Some(packages) = python {
        let mut environment = Command::new("python3");
        environment.args(["-m", "venv", "."]);
        let mut install = Command::new(packages.directory.join("bin/python"));
        install.args(["-m", "pip", "install", "--disable-pip-version-check"]);
        install.args(["--require-hashes", "--requirement", "requirements.txt"]);
        commands.extend(packages.commands([environment, install]));
    }
    for command in &mut commands {
        child::forget_this_package(command);
    }
    Ok(commands)
}

/// Packages of one language that are not installed.
struct Packages {
    directory: PathBuf,
    lock: &'static str,
}

impl Packages {
    /// Copies the files that say what is wanted, the lock file last, unless that is
    /// installed.
    fn prepare(target: &Path, name: &str, names: &[&'static str]) -> Result<Option<Self>, String> {
        let (source, directory) = (files::root().join(SOURCE), target.join(name));
        let Some(lock) = names.last() else {
            return Ok(None);
        };
        let read = |path: PathBuf| fs::read(&path).map_err(|error| told(&path, &error));
        let wanted = read(source.join(lock))?;
        if fs::read(directory.join(INSTALLED)).is_ok_and(|installed| installed == wanted) {
            return Ok(None);
        }
        fs::create_dir_all(&directory).map_err(|error| told(&directory, &error))?;
        for name in names {
            let (from, to) = (source.join(name), directory.join(name));
            fs::copy(from, &to).map_err(|error| told(&to, &error))?;
        }
        Ok(Some(Self { directory, lock }))
    }

    /// These commands in the directory, and one that remembers that they were done.
    fn commands<const N: usize>(self, commands: [Command; N]) -> impl Iterator<Item = Command> {
        let mut remember = Command::new("cp");
        remember.args([self.lock, INSTALLED]);
        commands
            .into_iter()
            .chain([remember])
            .map(move |mut command| {
                command.current_dir(&self.directory);
                command
            })
    }
}

fn told(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
