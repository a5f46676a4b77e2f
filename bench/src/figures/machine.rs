//! Where a measurement was made, as far as it matters to the figures and tells nothing
//! about whose machine it is.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::Measured;
use crate::contender::version_of;

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processors: usize,
    pub(crate) processor: String,
    pub(crate) memory_gib: u64,
    /// As `Linux 6.1.9`.
    pub(crate) system: String,
    /// Of the data.
    pub(crate) file_system: String,
}

impl Machine {
    /// This machine, with the data in `directory`.
    ///
    /// # Errors
    /// The system does not tell.
    pub(super) fn look(directory: &Path) -> anyhow::Result<Self> {
        let processor = value_in("/proc/cpuinfo", "model name");
        let memory = value_in("/proc/meminfo", "MemTotal");
        let memory_kib: u64 = memory
            .split_ascii_whitespace()
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or_default();
        let mut stat = Command::new("stat");
        stat.args(["--file-system", "--format=%T"]).arg(directory);
        Ok(Self {
            processors: std::thread::available_parallelism()?.get(),
            processor,
            memory_gib: (memory_kib + 512 * 1024) / (1024 * 1024),
            system: system(&version_of(Command::new("uname").args(["-sr"]))?),
            file_system: version_of(&mut stat)?,
        })
    }

    /// What was measured here, today.
    ///
    /// # Errors
    /// The system does not tell the date.
    pub(super) fn measured<T>(self, of: T) -> anyhow::Result<Measured<T>> {
        let date = version_of(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
        Ok(Measured {
            date,
            machine: self,
            of,
        })
    }

    /// For people.
    pub(super) fn about(&self) -> String {
        let Self {
            processors,
            processor,
            memory_gib,
            system,
            file_system,
        } = self;
        let file_system = match file_system.as_str() {
            "ext2/ext3" => "ext4",
            other => other,
        };
        format!(
            "{processors} processors ({processor}) that the load generator shares with the \
             servers, {memory_gib} GiB of memory, {system}, {file_system}"
        )
    }
}

/// The kernel without what its maker adds to the version.
fn system(release: &str) -> String {
    let version = release.split('-').next().unwrap_or_default();
    version.to_owned()
}

/// The value of the first line `name: value`; empty if there is none.
fn value_in(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let values = text.lines().filter_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim().to_owned())
    });
    values.into_iter().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_version_of_a_kernel_is_told() {
        assert_eq!(system("Linux 6.1.9-13-amd64"), "Linux 6.1.9");
    }

    #[test]
    fn this_machine_is_described() {
        let machine = Machine::look(Path::new(".")).unwrap();
        assert!(machine.processors > 0 && !machine.system.is_empty());
        let measured = machine.measured(()).unwrap();
        assert_eq!(measured.date.len(), "2026-11-21".len());
    }
}
