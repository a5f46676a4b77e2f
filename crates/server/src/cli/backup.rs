//! `backup` and `restore`: a data directory as one file, and back.

use std::path::PathBuf;

use clap::Args;
use indicatif::HumanBytes;
use matchbook_store::sqlite::{self, OpenError};

use super::exit::{Exit, Failure, Outcome, say};

const BACKUP_EXAMPLES: &str = "\
The copy is consistent: it holds every write that was acknowledged before it began. The server
may go on running.

Examples:
  matchbook backup monday.matchbook
  matchbook backup --data /var/lib/matchbook /mnt/backups/monday.matchbook";

const RESTORE_EXAMPLES: &str = "\
The server must not run on the directory. Entity tags of the history that is given up match
nothing any more, so no client can overwrite what it has not seen.

Examples:
  matchbook restore monday.matchbook --data ./restored
  matchbook restore monday.matchbook --replace";

/// Copy a data directory into one file, also while the server runs
#[derive(Args, Debug)]
#[command(after_help = BACKUP_EXAMPLES)]
pub(crate) struct BackupArgs {
    /// The file to write; it is replaced if it is there
    file: PathBuf,

    /// The data directory
    #[arg(
        long,
        value_name = "DIR",
        env = "MATCHBOOK_DATA",
        default_value = "./matchbook-data"
    )]
    data: PathBuf,
}

/// Make a data directory from a backup
#[derive(Args, Debug)]
#[command(after_help = RESTORE_EXAMPLES)]
pub(crate) struct RestoreArgs {
    /// The backup
    file: PathBuf,

    /// The data directory to make
    #[arg(
        long,
        value_name = "DIR",
        env = "MATCHBOOK_DATA",
        default_value = "./matchbook-data"
    )]
    data: PathBuf,

    /// Give up what the directory holds now
    #[arg(long)]
    replace: bool,
}

impl BackupArgs {
    pub(crate) fn run(self) -> Outcome {
        let copy = sqlite::backup(&self.data, &self.file).map_err(Failure::usage)?;
        say(format_args!(
            "{} in {}",
            HumanBytes(copy.size_bytes),
            self.file.display()
        ));
        Ok(Exit::Done)
    }
}

impl RestoreArgs {
    pub(crate) fn run(self) -> Outcome {
        let restored = sqlite::restore(&self.file, &self.data, self.replace);
        restored.map_err(|error| match error {
            OpenError::HoldsData { directory } => Failure::usage(format!(
                "{} holds data; --replace gives them up",
                directory.display()
            )),
            error => Failure::usage(error),
        })?;
        say(format_args!("restored to {}", self.data.display()));
        Ok(Exit::Done)
    }
}
