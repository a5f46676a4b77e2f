//! What `/_/metrics` tells (Prometheus text format).

use std::sync::OnceLock;
use std::time::Duration;

use http::StatusCode;
use matchbook_core::request::Method;
use matchbook_store::Observer;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Statuses from 200 up to here have a counter each.
const STATUSES: usize = 400;

/// Methods, by their place in [`Metrics::label`].
const METHODS: [Method; 9] = [
    Method::Get,
    Method::Head,
    Method::Put,
    Method::Patch,
    Method::Post,
    Method::Delete,
    Method::Options,
    Method::Other,
    Method::Unknown,
];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    status: u16,
}

/// Counters and histograms of one server.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    /// The counters of `requests`, found without hashing or locking.
    resolved: Vec<OnceLock<Counter>>,
    duration: Histogram,
    batch: Histogram,
    commit: Histogram,
    hits: Counter,
    misses: Counter,
    store_bytes: Gauge,
    revision: Gauge,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("matchbook");
        let requests = Family::default();
        registry.register(
            "requests",
            "Requests by method and status",
            requests.clone(),
        );
        // 50 µs to 26 s.
        let duration = Histogram::new(exponential_buckets(50e-6, 2.0, 20));
        registry.register_with_unit(
            "request_duration",
            "Time from a request's header section to its answer's",
            Unit::Seconds,
            duration.clone(),
        );
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
        let hits = Counter::default();
        registry.register(
            "document_hits",
            "Documents that were found in memory",
            hits.clone(),
        );
        let misses = Counter::default();
        registry.register(
            "document_misses",
            "Documents that had to be looked for on disk",
            misses.clone(),
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
        Self {
            registry,
            requests,
            resolved: (0..METHODS.len() * STATUSES)
                .map(|_| OnceLock::new())
                .collect(),
            duration,
            batch,
            commit,
            hits,
            misses,
            store_bytes,
            revision,
        }
    }
}

impl Metrics {
    /// A request was answered.
    pub(crate) fn answered(&self, method: Method, status: StatusCode, took: Duration) {
        let place = METHODS.iter().position(|known| *known == method);
        let resolved = place.and_then(|place| {
            let offset = usize::from(status.as_u16()).checked_sub(200)?;
            (offset < STATUSES).then_some(())?;
            self.resolved.get(place * STATUSES + offset)
        });
        match resolved {
            Some(counter) => counter.get_or_init(|| self.counter(method, status)).inc(),
            None => self.counter(method, status).inc(),
        };
        self.duration.observe(took.as_secs_f64());
    }

    fn counter(&self, method: Method, status: StatusCode) -> Counter {
        let labels = RequestLabels {
            method: Self::label(method),
            status: status.as_u16(),
        };
        self.requests.get_or_create(&labels).clone()
    }

    /// Never what a client sent: labels must stay few.
    const fn label(method: Method) -> &'static str {
        match method {
            Method::Other => "other",
            Method::Unknown => "unknown",
            method => method.as_str(),
        }
    }

    /// The text that `/_/metrics` answers.
    pub(crate) fn encode(&self, store_bytes: u64, revision: u64) -> String {
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
        let counter = if hit { &self.hits } else { &self.misses };
        counter.inc();
    }

    fn failed(&self, what: &str) {
        tracing::error!("{what}");
    }
}
