//! How long answers took.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Told apart from a microsecond on.
const LEAST_NS: u64 = 1_000;

/// What takes longer than a minute counts as a minute.
const MOST_NS: u64 = 60_000_000_000;

/// Of each latency so many digits are kept.
const DIGITS: u8 = 3;

/// All latencies of a run.
pub(crate) struct Latency(Histogram<u64>);

impl Latency {
    /// None yet.
    ///
    /// # Errors
    /// There is no memory for them.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(LEAST_NS, MOST_NS, DIGITS)?))
    }

    pub(crate) fn record(&mut self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(nanoseconds);
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// What so many of them do not exceed, in microseconds; 1.0 is the longest of all.
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds far below 2^53")]
    pub(crate) fn us(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e3
    }

    /// The same in milliseconds.
    pub(crate) fn ms(&self, quantile: f64) -> f64 {
        self.us(quantile) / 1e3
    }
}
