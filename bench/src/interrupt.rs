//! Ctrl-C, SIGTERM and SIGHUP end the run in order: every wait of this program looks
//! here at least ten times a second and returns an error, and on the way out the
//! guards end the servers and remove the files.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Listens for the signals from now on.
///
/// # Errors
/// The handler cannot be installed.
pub(crate) fn listen() -> anyhow::Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))?;
    Ok(())
}

/// Whether to go on.
///
/// # Errors
/// A signal has arrived.
pub(crate) fn check() -> anyhow::Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// Asks `done` every `every` until it is so; false if it is not within `at_most`.
///
/// # Errors
/// A signal has arrived, or `done` failed.
pub(crate) fn wait_until(
    at_most: Duration,
    every: Duration,
    mut done: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<bool> {
    let deadline = Instant::now() + at_most;
    loop {
        check()?;
        if done()? {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        std::thread::sleep(every);
    }
}
