//! The project's own commands: `cargo xtask --help`.
//!
//! It depends on nothing but the standard library, so that it is built in seconds on a
//! machine that has only a Rust toolchain.

mod args;
mod child;
mod clients;
mod docs;
mod files;
mod steps;
mod tally;
mod tidy;
mod tools;

use std::process::ExitCode;

use args::Task;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match args::parse(&words) {
        Ok(Task::Help) => {
            print!("{}", args::help());
            Ok(())
        }
        Ok(Task::Test { only: None }) => steps::run_all(),
        Ok(Task::Test { only: Some(step) }) => steps::run_one(step),
        Ok(Task::Docs { pages }) => docs::build_and_run(&pages),
        Ok(Task::Tidy) => tidy::check(&files::root()),
        Err(fault) => Err(format!("{fault}\n\n{}", args::help())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}
