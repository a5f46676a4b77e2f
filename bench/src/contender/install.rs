//! Makes the programs of other servers available: from Debian, from PyPI, in a directory
//! of this program's own. Nothing is installed into the system.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use super::Programs;
use crate::interrupt;

/// Installing compiles SQLite where no prebuilt one is to be had.
pub(super) const INSTALL_AT_MOST: Duration = Duration::from_mins(10);

/// Where Debian has programs of the system that are not on everybody's path.
const SYSTEM_PROGRAMS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];

/// Runs a helper to its end, quietly.
///
/// # Errors
/// It cannot be run, takes too long, or fails.
pub(super) fn run(command: &mut Command, at_most: Duration) -> anyhow::Result<()> {
    let name = command.get_program().display().to_string();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What it starts itself ends with it.
        .process_group(0);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    let ended = interrupt::wait_until(at_most, Duration::from_millis(50), || {
        Ok(child.try_wait()?.is_some())
    });
    if !matches!(ended, Ok(true)) {
        let _gone = kill_process_group(Pid::from_child(&child), Signal::KILL);
        let _reaped = child.wait();
        ended?;
        bail!("{name} did not end within {at_most:?}");
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{name} ended with {status}");
    }
    Ok(())
}

/// The first line that a program prints about its version, on whichever output.
///
/// # Errors
/// It cannot be run.
pub(crate) fn version_of(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().display().to_string();
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    let line = printed.lines().find(|line| !line.trim().is_empty());
    Ok(line.unwrap_or_default().trim().to_owned())
}

/// A program of the system, if it is there.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(SYSTEM_PROGRAMS.map(PathBuf::from));
    directories
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}

impl Programs {
    /// The Python environment of a server, with exactly the packages of its
    /// `requirements.txt`.
    ///
    /// # Errors
    /// It is not there and cannot be installed.
    pub(super) fn python(&self, name: &str) -> anyhow::Result<PathBuf> {
        let wanted = fs::read(self.peers.join(name).join("requirements.txt"))?;
        let environment = self.environment(name);
        let installed = environment.join("requirements.txt");
        if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
            return Ok(environment);
        }
        self.require_install()?;
        eprintln!("installing the packages of {name} (pip) ...");
        fs::create_dir_all(&self.installed)?;
        let mut create = Command::new("python3");
        create.args(["-m", "venv", "--clear"]).arg(&environment);
        run(&mut create, INSTALL_AT_MOST)?;
        let mut install = Command::new(environment.join("bin/python"));
        install
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "-r"])
            .arg(self.peers.join(name).join("requirements.txt"));
        run(&mut install, INSTALL_AT_MOST)?;
        // Written last: an installation that was cut short is begun again.
        fs::write(installed, wanted)?;
        Ok(environment)
    }

    pub(super) fn environment(&self, name: &str) -> PathBuf {
        self.installed.join(name)
    }

    /// `program` of a Debian package: the system's, or one that is unpacked without
    /// installing it, so that no service begins to run.
    ///
    /// # Errors
    /// It is not there and cannot be fetched.
    pub(super) fn debian(&self, package: &str, program: &str) -> anyhow::Result<PathBuf> {
        let name = Path::new(program).file_name().unwrap_or_default();
        if let Some(found) = find(&name.to_string_lossy()) {
            return Ok(found);
        }
        let directory = self.installed.join(package);
        let unpacked = directory.join("root").join(program);
        if unpacked.is_file() {
            return Ok(unpacked);
        }
        self.require_install()?;
        eprintln!("fetching Debian's {package} (apt-get download) ...");
        fs::create_dir_all(&directory)?;
        let mut download = Command::new("apt-get");
        download.args(["download", package]).current_dir(&directory);
        run(&mut download, INSTALL_AT_MOST)?;
        let files = fs::read_dir(&directory)?;
        let mut files = files.filter_map(|entry| Some(entry.ok()?.path()));
        let file = files.find(|path| path.extension().is_some_and(|ending| ending == "deb"));
        let mut unpack = Command::new("dpkg-deb");
        unpack
            .arg("-x")
            .arg(file.context("apt-get fetched nothing")?)
            .arg(directory.join("root"));
        run(&mut unpack, INSTALL_AT_MOST)?;
        if !unpacked.is_file() {
            bail!("Debian's {package} has no {program}");
        }
        Ok(unpacked)
    }

    fn require_install(&self) -> anyhow::Result<()> {
        if !self.may_install {
            bail!("not installed; --install does it");
        }
        Ok(())
    }

    /// The versions that `requirements.txt` pins of some packages.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn pinned(&self, name: &str, packages: &[&str]) -> anyhow::Result<String> {
        let text = fs::read_to_string(self.peers.join(name).join("requirements.txt"))?;
        Ok(pinned(&text, packages))
    }
}

fn pinned(requirements: &str, packages: &[&str]) -> String {
    let version = |package: &&str| {
        let mut lines = requirements
            .lines()
            .filter_map(|line| line.split_once("=="));
        let (name, version) = lines.find(|(name, _)| package.eq_ignore_ascii_case(name))?;
        Some(format!("{name} {version}"))
    };
    let versions: Vec<String> = packages.iter().filter_map(version).collect();
    versions.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_versions_are_told() {
        let text = "asgiref==3.1\ngranian==2.8.7\nDjango==5.2.19\n";
        assert_eq!(
            pinned(text, &["django", "granian"]),
            "Django 5.2.19, granian 2.8.7"
        );
    }

    #[test]
    fn programs_of_the_system_are_found() {
        assert!(find("sh").is_some());
        assert!(find("no such program").is_none());
    }
}
