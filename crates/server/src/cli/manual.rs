//! `completions` and `man`: what a package puts beside the program.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;
use super::exit::{Exit, Failure, Outcome};

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  matchbook completions bash > ~/.local/share/bash-completion/completions/matchbook
  matchbook completions fish > ~/.config/fish/completions/matchbook.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  matchbook man | man -l -
  matchbook man --dir /usr/local/share/man/man1";

#[derive(Args, Debug)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell to print them for
    shell: Shell,
}

#[derive(Args, Debug)]
#[command(after_help = MAN_EXAMPLES)]
pub(crate) struct ManArgs {
    /// Write a page for each command into this directory instead
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl CompletionsArgs {
    pub(crate) fn run(self) -> Outcome {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "matchbook", &mut text);
        std::io::stdout().write_all(&text)?;
        Ok(Exit::Done)
    }
}

impl ManArgs {
    pub(crate) fn run(self) -> Outcome {
        let command = Cli::command();
        let Some(dir) = self.dir else {
            let mut text = Vec::new();
            clap_mangen::Man::new(command).render(&mut text)?;
            std::io::stdout().write_all(&text)?;
            return Ok(Exit::Done);
        };
        let written =
            std::fs::create_dir_all(&dir).and_then(|()| clap_mangen::generate_to(command, &dir));
        written.map_err(|error| {
            Failure::usage(format!("cannot write pages to {}: {error}", dir.display()))
        })?;
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_each_command() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("man1");
        let args = ManArgs {
            dir: Some(path.clone()),
        };
        assert_eq!(args.run().unwrap(), Exit::Done);
        for page in ["matchbook.1", "matchbook-serve.1", "matchbook-import.1"] {
            let text = std::fs::read_to_string(path.join(page)).unwrap();
            assert!(text.contains(".TH"), "{page}");
        }
    }
}
