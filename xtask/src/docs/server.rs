//! A server that a page starts.

use std::process::{Child, Command};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::expect;
use crate::child;

/// What it prints when it takes requests.
const LISTENS: &str = "listening on ";

/// Longest time until it listens.
const START: Duration = Duration::from_secs(30);

/// Longest time until it listens if `cargo run` has to build it first.
const BUILD_AND_START: Duration = Duration::from_secs(1_200);

/// Longest time from that line to the last that the page shows.
const GREETING: Duration = Duration::from_secs(5);

/// Longest time from SIGTERM to its end.
const STOP: Duration = Duration::from_secs(20);

/// Between two looks at a process that is to end.
const LOOK: Duration = Duration::from_millis(20);

/// Ended with the page, however the page ends.
pub(crate) struct Server {
    process: Child,
    lines: Receiver<String>,
}

impl Server {
    /// Starts it, and waits until it has printed that it listens, and all that the page
    /// says.
    pub(crate) fn start(
        command: &mut Command,
        is_built: bool,
        expected: Option<&str>,
    ) -> Result<Self, String> {
        let (process, lines) = child::start(command)?;
        let server = Self { process, lines };
        let patience = if is_built { START } else { BUILD_AND_START };
        let mut deadline = Instant::now() + patience;
        let mut printed = String::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = server.lines.recv_timeout(left) else {
                return Err(server.never_listened(&printed, expected));
            };
            printed.push_str(&line);
            printed.push('\n');
            let listens = printed.contains(LISTENS);
            let says_all = expected.is_none_or(|text| expect::compare(text, &printed).is_ok());
            if listens && says_all {
                return Ok(server);
            }
            if line.contains(LISTENS) {
                deadline = Instant::now() + GREETING;
            }
        }
    }

    fn never_listened(&self, printed: &str, expected: Option<&str>) -> String {
        let differs = expected.and_then(|text| expect::compare(text, printed).err());
        let printed = differs.unwrap_or_else(|| printed.to_owned());
        format!("the server did not start as the page says:\n{printed}")
    }

    /// Asks it to end, as a service manager does. It must end well.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        let asked = Command::new("bash")
            .args(["-c", &format!("kill -TERM {}", self.process.id())])
            .status();
        asked.map_err(|error| error.to_string())?;
        let begun = Instant::now();
        while begun.elapsed() < STOP {
            match self.process.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => {
                    let printed: Vec<String> = self.lines.try_iter().collect();
                    let printed = printed.join("\n");
                    return Err(format!("the server ended with {status}:\n{printed}"));
                }
                Ok(None) => std::thread::sleep(LOOK),
                Err(error) => return Err(error.to_string()),
            }
        }
        Err(format!(
            "the server still runs {} s after SIGTERM",
            STOP.as_secs()
        ))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
