//! The shell that runs the commands of one page.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::expect;
use crate::child;

/// Longest time for one block.
const PATIENCE: Duration = Duration::from_secs(60);

/// A bash without the settings of whoever runs it.
pub(crate) fn bash(path: &OsStr) -> Command {
    let mut command = Command::new("bash");
    child::forget_this_package(&mut command);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MATCHBOOK_") {
            command.env_remove(name);
        }
    }
    command
        .env("PATH", path)
        .env_remove("BASH_ENV")
        .stdin(Stdio::null());
    command
}

/// One bash, from the first block of a page to the last.
pub(crate) struct Shell {
    bash: Child,
    stdin: Option<ChildStdin>,
    answers: Receiver<String>,
    script: PathBuf,
    output: PathBuf,
}

impl Shell {
    /// `server` is where `matchbook` finds the server, if that is not the default.
    pub(crate) fn start(
        directory: &Path,
        path: &OsStr,
        server: Option<&str>,
    ) -> Result<Self, String> {
        let own = directory.with_extension("shell");
        let made = fs::create_dir_all(&own)
            // On a terminal curl shows no progress; it must not in a file either.
            .and_then(|()| fs::write(own.join(".curlrc"), "silent\nshow-error\n"));
        made.map_err(|error| format!("{}: {error}", own.display()))?;
        let mut command = bash(path);
        command
            .args(["--noprofile", "--norc"])
            .current_dir(directory)
            .env("CURL_HOME", &own)
            .env("HOME", &own)
            .stdin(Stdio::piped());
        if let Some(server) = server {
            command.env("MATCHBOOK_SERVER", server);
        }
        let (mut bash, answers) = child::start(&mut command)?;
        let mut shell = Self {
            stdin: bash.stdin.take(),
            bash,
            answers,
            script: own.join("block"),
            output: own.join("output"),
        };
        shell.tell("set -o pipefail; trap fault=1 ERR")?;
        Ok(shell)
    }

    /// Runs a block. What it prints must be what is expected; if nothing is, all of its
    /// commands must succeed.
    pub(crate) fn run(&mut self, commands: &str, expected: Option<&str>) -> Result<(), String> {
        fs::write(&self.script, commands).map_err(|error| error.to_string())?;
        let line = format!(
            "fault=0; . '{}' </dev/null >'{}' 2>&1; echo $fault",
            self.script.display(),
            self.output.display()
        );
        self.tell(&line)?;
        let answer = self.answers.recv_timeout(PATIENCE);
        let printed = fs::read(&self.output).unwrap_or_default();
        let printed = String::from_utf8_lossy(&printed);
        match (answer.as_deref(), expected) {
            (Ok("0"), None) => Ok(()),
            (Ok(_), Some(expected)) => expect::compare(expected, &printed),
            (Ok(_), None) => Err(format!("a command failed:\n{commands}\n{printed}")),
            (Err(RecvTimeoutError::Timeout), _) => Err(format!(
                "not done after {} s:\n{commands}\n{printed}",
                PATIENCE.as_secs()
            )),
            (Err(RecvTimeoutError::Disconnected), _) => {
                Err(format!("this ended the shell:\n{commands}\n{printed}"))
            }
        }
    }

    fn tell(&mut self, line: &str) -> Result<(), String> {
        let stdin = self.stdin.as_mut().ok_or("the shell takes no input")?;
        writeln!(stdin, "{line}").map_err(|error| format!("the shell has ended: {error}"))
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.bash.kill();
        let _ = self.bash.wait();
    }
}
