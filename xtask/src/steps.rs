//! `cargo xtask test`: one step after the other, one line for each.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::tally::Tally;
use crate::{child, clients, docs, files, tidy, tools};

/// Lines of a failed step's or test's output that are shown; all are in the step's log,
/// in `xtask/` of the target directory.
const SHOWN_LINES: usize = 80;

/// One step.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    work: fn(&mut Run) -> Result<(), String>,
}

/// All steps: what is quick to tell comes first. The release build comes before the
/// tests, so that those that start the server need no build of their own.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "tools",
        about: "install what is missing, and the dependencies",
        work: |run| {
            for mut command in tools::missing() {
                run.command(&mut command)?;
            }
            // With what was installed just now.
            for mut command in clients::missing()? {
                run.command(&mut command)?;
            }
            Ok(())
        },
    },
    Step {
        name: "fmt",
        about: "cargo fmt --check",
        work: |run| run.cargo(&["fmt", "--all", "--check"]),
    },
    Step {
        name: "tidy",
        about: "rules of style that no other tool checks",
        work: |_| tidy::check(&files::root()),
    },
    Step {
        name: "clippy",
        about: "cargo clippy, warnings denied",
        work: |run| {
            run.cargo(&[
                "clippy",
                "--locked",
                "--workspace",
                "--all-targets",
                "--",
                "--deny=warnings",
            ])
        },
    },
    Step {
        name: "doc",
        about: "cargo doc, warnings denied",
        work: |run| {
            let mut command = child::cargo();
            command
                .args(["doc", "--locked", "--workspace", "--no-deps"])
                .env("RUSTDOCFLAGS", "--deny=warnings");
            run.command(&mut command)
        },
    },
    Step {
        name: "build",
        about: "cargo build --release",
        work: build_server,
    },
    Step {
        name: "test",
        about: "unit, property and integration tests",
        work: |run| {
            build_server(run)?;
            let mut command = child::cargo();
            command
                .args(["test", "--locked", "--workspace", "--no-fail-fast"])
                .args(["--", "--show-output"])
                .env("MATCHBOOK_BIN", files::target()?.join("release/matchbook"))
                .env("MATCHBOOK_TEST_PROGRAMS", "required");
            run.command(&mut command)
        },
    },
    Step {
        name: "docs",
        about: "the commands in README.md and docs/",
        work: |run| {
            build_server(run)?;
            docs::run(&[], &mut |line| run.say(line))
        },
    },
    Step {
        name: "bench",
        about: "the benchmark, a tiny run",
        work: |run| {
            build_server(run)?;
            run.cargo(&["build", "--locked", "--release", "-p", "matchbook-bench"])?;
            for measurement in ["report", "rules", "soak", "abuse"] {
                let mut command = Command::new(files::target()?.join("release/matchbook-bench"));
                command.args([measurement, "--smoke"]);
                run.command(command.current_dir(files::root()))?;
            }
            Ok(())
        },
    },
];

/// Nothing to do where it is built already, so that a step alone never looks at an old
/// one.
fn build_server(run: &mut Run) -> Result<(), String> {
    run.cargo(&["build", "--locked", "--release"])
}

/// All steps, up to the first that fails. The last line tells how many tests there
/// were.
pub(crate) fn run_all() -> Result<(), String> {
    let logs = files::target()?.join("xtask");
    fs::create_dir_all(&logs).map_err(|error| format!("{}: {error}", logs.display()))?;
    let begun = Instant::now();
    let mut tally = Tally::default();
    for step in STEPS {
        print!("{:<7} {:<46} ", step.name, step.about);
        let _ = io::stdout().flush();
        let mut run = Run::logged(&logs.join(format!("{}.log", step.name)))?;
        let done = run.step(step);
        tally = add(tally, run.tally);
        let seconds = run.begun.elapsed().as_secs_f64();
        match done {
            Ok(()) => println!("ok {seconds:>7.1} s"),
            Err(fault) => {
                println!("FAILED after {seconds:.1} s\n");
                return Err(failure(step, &run, &fault, tally));
            }
        }
    }
    println!("\nall steps took {:.1} s", begun.elapsed().as_secs_f64());
    print!("{}", summary(tally));
    Ok(())
}

/// One step, with its output.
pub(crate) fn run_one(step: &Step) -> Result<(), String> {
    let mut run = Run::shown();
    let done = run.step(step);
    if run.tally != Tally::default() {
        print!("\n{}", summary(run.tally));
    }
    done
}

fn add(a: Tally, b: Tally) -> Tally {
    Tally {
        passed: a.passed + b.passed,
        failed: a.failed + b.failed,
        ignored: a.ignored + b.ignored,
        skipped: a.skipped + b.skipped,
    }
}

fn summary(tally: Tally) -> String {
    let mut text = String::new();
    if tally.skipped > 0 {
        text.push_str(&format!(
            "{} of these found nothing to test: `cargo xtask test --only test` says why\n",
            tally.skipped
        ));
    }
    text.push_str(&format!("{} passed, {} failed", tally.passed, tally.failed));
    if tally.ignored > 0 {
        text.push_str(&format!(", {} ignored", tally.ignored));
    }
    text.push('\n');
    text
}

/// The lines that tell why a step failed: what the failed tests printed, or else the
/// last lines.
fn telling(lines: &[String]) -> Vec<&str> {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let failed = lines.iter().filter_map(|line| {
        let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
        Some(format!("---- {name} stdout ----"))
    });
    let mut found = Vec::new();
    for title in failed {
        let section = lines.iter().copied().skip_while(|line| *line != title);
        let is_more =
            |line: &&str| *line == title || !line.starts_with("---- ") && *line != "failures:";
        found.extend(section.take_while(is_more).take(SHOWN_LINES));
    }
    if found.is_empty() {
        found.extend(
            lines
                .get(lines.len().saturating_sub(SHOWN_LINES)..)
                .unwrap_or_default(),
        );
    }
    found
}

fn failure(step: &Step, run: &Run, fault: &str, tally: Tally) -> String {
    let mut text = String::new();
    for line in telling(&run.lines) {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(&format!("{fault}\n\n"));
    text.push_str(&format!(
        "To run this step alone: cargo xtask test --only {}\n",
        step.name
    ));
    if tally != Tally::default() {
        text.push_str(&summary(tally));
    }
    text.trim_end().to_owned()
}

/// A step at work.
pub(crate) struct Run {
    begun: Instant,
    /// Where its output goes; nowhere else than to the terminal if there is none.
    log: Option<File>,
    lines: Vec<String>,
    tally: Tally,
}

impl Run {
    fn logged(path: &Path) -> Result<Self, String> {
        let log = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self {
            log: Some(log),
            ..Self::shown()
        })
    }

    fn shown() -> Self {
        Self {
            begun: Instant::now(),
            log: None,
            lines: Vec::new(),
            tally: Tally::default(),
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        (step.work)(self)
    }

    fn cargo(&mut self, words: &[&str]) -> Result<(), String> {
        self.command(child::cargo().args(words))
    }

    fn command(&mut self, command: &mut Command) -> Result<(), String> {
        let (mut child, lines) = child::start(command)?;
        for line in lines {
            self.tally.read(&line);
            self.say(&line);
        }
        let status = child.wait().map_err(|error| error.to_string())?;
        if status.success() {
            return Ok(());
        }
        let program = Path::new(command.get_program()).file_name();
        let mut words = vec![program.unwrap_or_default().to_string_lossy()];
        words.extend(command.get_args().map(|word| word.to_string_lossy()));
        Err(format!("`{}` failed: {status}", words.join(" ")))
    }

    fn say(&mut self, line: &str) {
        match &mut self.log {
            Some(log) => {
                // A log that cannot be written must not fail the tests.
                let _ = writeln!(log, "{line}");
                self.lines.push(line.to_owned());
            }
            None => println!("{line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_tests_printed_is_told() {
        let lines = [
            "test good ... ok",
            "test bad ... FAILED",
            "successes:",
            "---- good stdout ----",
            "nothing of interest",
            "failures:",
            "",
            "---- bad stdout ----",
            "the reason",
            "",
            "failures:",
            "    bad",
            "error: 1 target failed:",
        ];
        let lines = lines.map(str::to_owned);
        assert_eq!(telling(&lines), ["---- bad stdout ----", "the reason", ""]);
        let lines = ["error: it does not build".to_owned()];
        assert_eq!(telling(&lines), ["error: it does not build"]);
    }
}
