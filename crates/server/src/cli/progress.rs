//! How far a long command has come: a bar on a terminal, a line every few seconds
//! in a log.

use std::io::{IsTerminal as _, stderr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::exit::say;

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Between two drawings of the bar.
pub(crate) const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Counts documents, and shows how many, how fast, and how long it still takes.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    total_bytes: Option<u64>,
    begun: Instant,
    documents: AtomicU64,
    bytes: AtomicU64,
    last_shown: Mutex<Instant>,
}

impl Progress {
    /// Starts the clock. With a number of bytes to come, the time left is known.
    pub(crate) fn new(total_bytes: Option<u64>) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(total_bytes, ProgressDrawTarget::stderr());
            let template = match total_bytes {
                Some(_) => "{wide_bar} {percent:>3} %  {msg}  {eta} left",
                None => "{spinner} {msg}  {elapsed}",
            };
            bar.with_style(
                ProgressStyle::with_template(template)
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            )
        });
        Self {
            bar,
            total_bytes,
            begun: Instant::now(),
            documents: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            last_shown: Mutex::new(Instant::now()),
        }
    }

    /// So many documents more are done.
    pub(crate) fn count(&self, documents: u64) {
        self.documents.fetch_add(documents, Ordering::Relaxed);
    }

    /// So many bytes are read in all.
    pub(crate) fn read_to(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Shows the present state, if it is time to.
    pub(crate) fn show(&self) {
        let every = if self.bar.is_some() {
            DRAW_EVERY
        } else {
            LINE_EVERY
        };
        let Ok(mut last) = self.last_shown.lock() else {
            return;
        };
        if last.elapsed() < every {
            return;
        }
        *last = Instant::now();
        let bytes = self.bytes.load(Ordering::Relaxed);
        match &self.bar {
            Some(bar) => {
                bar.set_message(self.rate());
                bar.set_position(bytes);
                bar.tick();
            }
            None => say(format_args!("{}{}", self.rate(), self.time_left(bytes))),
        }
    }

    /// Says a line without spoiling the bar.
    pub(crate) fn say(&self, line: impl std::fmt::Display) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(line)),
            None => say(line),
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// `12,345 documents, 30,112/s`.
    pub(crate) fn rate(&self) -> String {
        let documents = self.documents.load(Ordering::Relaxed);
        let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
        let rate = (documents as f64 / seconds) as u64;
        format!(
            "{} documents, {}/s",
            HumanCount(documents),
            HumanCount(rate)
        )
    }

    fn time_left(&self, bytes: u64) -> String {
        match self.total_bytes {
            Some(total) if bytes > 0 => {
                let left = total.saturating_sub(bytes) as f64 / bytes as f64;
                let left = self.begun.elapsed().mul_f64(left);
                format!(", about {} left", HumanDuration(left))
            }
            _ => String::new(),
        }
    }
}
