//! The command line. Also used to check the `cargo xtask` lines of the documents
//! without running them.

use std::fmt::Write as _;

use crate::steps::{STEPS, Step};

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Task {
    Help,
    Test { only: Option<&'static Step> },
    Docs { pages: Vec<String> },
    Tidy,
}

/// Reads the words after `cargo xtask`.
pub(crate) fn parse(words: &[String]) -> Result<Task, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["--help" | "-h" | "help", ..] | [_, "--help" | "-h"] => Ok(Task::Help),
        ["test"] => Ok(Task::Test { only: None }),
        ["test", "--only", name] => {
            let step = STEPS.iter().find(|step| step.name == *name);
            let step = step.ok_or_else(|| format!("there is no step {name:?}"))?;
            Ok(Task::Test { only: Some(step) })
        }
        ["docs", pages @ ..] => Ok(Task::Docs {
            pages: pages.iter().map(|page| (*page).to_owned()).collect(),
        }),
        ["tidy"] => Ok(Task::Tidy),
        other => Err(format!("not understood: cargo xtask {}", other.join(" "))),
    }
}

/// The text of `cargo xtask --help`.
pub(crate) fn help() -> String {
    let mut text = String::from(
        "Usage: cargo xtask COMMAND

Commands:
  test              Install what the tests need and run all of them
  test --only STEP  Run one step of it, with its output
  docs [PAGE ...]   Run the commands in the documents and compare what they print
  tidy              Check the rules of style that no other tool checks

Steps of `test`, in their order:
",
    );
    for step in STEPS {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {:<8}{}", step.name, step.about);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Task, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words)
    }

    #[test]
    fn commands_are_understood() {
        assert!(matches!(parsed("test"), Ok(Task::Test { only: None })));
        assert!(matches!(parsed("tidy"), Ok(Task::Tidy)));
        assert!(matches!(parsed("test --help"), Ok(Task::Help)));
        assert!(
            matches!(parsed("docs README.md"), Ok(Task::Docs { pages }) if pages == ["README.md"])
        );
        for step in STEPS {
            let task = parsed(&format!("test --only {}", step.name));
            assert!(
                matches!(task, Ok(Task::Test { only: Some(found) }) if found.name == step.name)
            );
        }
    }

    #[test]
    fn what_is_not_a_command_is_refused() {
        for line in ["tests", "test --only nothing", "test fmt", "tidy now"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
