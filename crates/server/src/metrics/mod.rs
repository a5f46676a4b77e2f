//! What `/_/metrics` tells (Prometheus text format).

mod tally;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use matchbook_core::request::Method;
use matchbook_store::Observer;
use prometheus_client::encoding::text;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use tally::{Sums, Tallies};

/// Counters and histograms of one server.
pub struct Metrics {
    registry: Registry,
    tallies: Arc<Tallies>,
    batch: Histogram,
    commit: Histogram,
    store_bytes: Gauge,
    revision: Gauge,
    readers: Gauge,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("matchbook");
        let tallies = Arc::new(Tallies::new());
        registry.register_collector(Box::new(Sums(Arc::clone(&tallies))));
        let batch = Histogram::new(exponential_buckets(1.0, 2.0, 11));
        registry.register(
            "commit_writes",
            "Writes that one durable commit acknowledged",
            batch.clone(),
        );
        let commit = Histogram::new(exponential_buckets(50e-6, 2.0, 16));
        registry.register_with_unit(
            "commit_sync",
            "Time that making a commit durable took",
            Unit::Seconds,
            commit.clone(),
        );
        let store_bytes = Gauge::default();
        registry.register_with_unit(
            "store_size",
            "Bytes that the store has on disk",
            Unit::Bytes,
            store_bytes.clone(),
        );
        let revision = Gauge::default();
        registry.register("revision", "The last applied revision", revision.clone());
        let readers = Gauge::default();
        registry.register(
            "feed_readers",
            "Streams that follow changes, and requests that wait for some",
            readers.clone(),
        );
        Self {
            registry,
            tallies,
            batch,
            commit,
            store_bytes,
            revision,
            readers,
        }
    }
}

impl Metrics {
    /// A request was answered.
    pub(crate) fn answered(&self, method: Method, status: StatusCode, took: Duration) {
        self.tallies.answered(method, status, took);
    }

    /// The text that `/_/metrics` answers.
    pub(crate) fn encode(&self, store_bytes: u64, revision: u64, readers: usize) -> String {
        self.readers.set(i64::try_from(readers).unwrap_or(i64::MAX));
        self.store_bytes
            .set(i64::try_from(store_bytes).unwrap_or(i64::MAX));
        self.revision
            .set(i64::try_from(revision).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

impl Observer for Metrics {
    fn committed(&self, writes: usize, _bytes: usize, sync: Duration) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a group is far smaller than 2^52"
        )]
        self.batch.observe(writes as f64);
        self.commit.observe(sync.as_secs_f64());
    }

    fn loaded(&self, hit: bool) {
        self.tallies.loaded(hit);
    }

    fn failed(&self, what: &str) {
        tracing::error!("{what}");
    }
}
