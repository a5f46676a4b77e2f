//! Other programs, run so that their lines can be read while they run.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Lines that wait to be read.
const LINES_AHEAD: usize = 1_024;

/// Starts a program; the lines of both its outputs come from the receiver, which ends
/// when the program has closed them.
pub(crate) fn start(command: &mut Command) -> Result<(Child, Receiver<String>), String> {
    let started = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|error| {
        let program = command.get_program().to_string_lossy();
        format!("cannot run {program}: {error}")
    })?;
    let (lines, received) = sync_channel(LINES_AHEAD);
    forward(child.stdout.take(), lines.clone());
    forward(child.stderr.take(), lines);
    Ok((child, received))
}

fn forward(output: Option<impl Read + Send + 'static>, lines: SyncSender<String>) {
    let Some(output) = output else { return };
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while matches!(output.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if lines.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
}

/// Cargo itself, at the root of the repository.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    forget_this_package(&mut command);
    command
        .current_dir(crate::files::root())
        .stdin(Stdio::null());
    command
}

/// Takes away what `cargo run` has told this program about its own package: build
/// scripts that look at it (ring's does) would run again, and everything after them.
pub(crate) fn forget_this_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if is_about_this_package(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
}

fn is_about_this_package(name: &str) -> bool {
    let names = [
        "CARGO_BIN_NAME",
        "CARGO_CRATE_NAME",
        "CARGO_PRIMARY_PACKAGE",
    ];
    names.contains(&name) || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}
