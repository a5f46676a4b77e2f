//! What is counted at each request, counted by each thread for itself.
//!
//! A counter that two processors share goes to and fro between their caches: with a
//! handful of them that was a twentieth of the time of an answer from memory. So each
//! thread adds to a tally of its own, and whoever asks adds them up.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use http::StatusCode;
use matchbook_core::request::Method;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Unit;

/// Statuses from 200 up to here have a counter each; what is beyond is counted as 599.
const STATUSES: usize = 400;

/// Methods, by their place in a tally.
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

/// Classes of duration: the first holds what took up to 50 µs, each further one twice
/// as long, up to 26 s; the last holds the rest.
const CLASSES: usize = 21;

/// Upper end of the first class, in nanoseconds.
const FIRST_CLASS_NS: u64 = 50_000;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    status: u16,
}

/// One thread's counts.
struct Tally {
    requests: Box<[AtomicU64]>,
    durations: [AtomicU64; CLASSES],
    duration_ns: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// The tallies of all threads. More threads than there are processors share some.
pub(super) struct Tallies(Box<[Tally]>);

impl Tallies {
    pub(super) fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self((0..threads).map(|_| Tally::new()).collect())
    }

    /// A request was answered.
    pub(super) fn answered(&self, method: Method, status: StatusCode, took: Duration) {
        let Some(tally) = self.mine() else { return };
        let method = METHODS.iter().position(|known| *known == method);
        let status = usize::from(status.as_u16()).saturating_sub(200);
        let place = method.unwrap_or(METHODS.len() - 1) * STATUSES + status.min(STATUSES - 1);
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        add(tally.requests.get(place), 1);
        add(tally.durations.get(class(took_ns)), 1);
        add(Some(&tally.duration_ns), took_ns);
    }

    /// A document was found in memory or had to be looked for on disk.
    pub(super) fn loaded(&self, hit: bool) {
        let tally = self.mine();
        add(
            tally.map(|tally| if hit { &tally.hits } else { &tally.misses }),
            1,
        );
    }

    fn mine(&self) -> Option<&Tally> {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static THREAD: Cell<Option<usize>> = const { Cell::new(None) };
        }
        let thread = THREAD.get().unwrap_or_else(|| {
            let thread = THREADS.fetch_add(1, Relaxed);
            THREAD.set(Some(thread));
            thread
        });
        self.0.get(thread % self.0.len().max(1))
    }

    fn sum(&self, count: impl Fn(&Tally) -> Option<&AtomicU64>) -> u64 {
        let counts = self.0.iter().filter_map(count);
        counts.map(|count| count.load(Relaxed)).sum()
    }
}

impl Tally {
    fn new() -> Self {
        Self {
            requests: (0..METHODS.len() * STATUSES)
                .map(|_| AtomicU64::new(0))
                .collect(),
            durations: [const { AtomicU64::new(0) }; CLASSES],
            duration_ns: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }
}

fn add(count: Option<&AtomicU64>, more: u64) {
    if let Some(count) = count {
        count.fetch_add(more, Relaxed);
    }
}

/// The class of a duration.
fn class(took_ns: u64) -> usize {
    let doublings = took_ns.saturating_sub(1) / FIRST_CLASS_NS;
    let class = u64::BITS - doublings.leading_zeros();
    usize::try_from(class).unwrap_or(CLASSES).min(CLASSES - 1)
}

/// Upper end of a class in seconds, as a histogram has it.
#[expect(clippy::cast_precision_loss, reason = "durations are told in seconds")]
fn upper_end(class: usize) -> f64 {
    if class + 1 == CLASSES {
        return f64::MAX;
    }
    (FIRST_CLASS_NS << class) as f64 / 1e9
}

/// Never what a client sent: labels must stay few.
const fn label(method: Method) -> &'static str {
    match method {
        Method::Other => "other",
        Method::Unknown => "unknown",
        method => method.as_str(),
    }
}

impl fmt::Debug for Tallies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tallies")
    }
}

/// What the registry asks when it is read.
#[derive(Debug)]
pub(super) struct Sums(pub(super) std::sync::Arc<Tallies>);

impl Collector for Sums {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.requests(&mut encoder)?;
        self.durations(&mut encoder)?;
        let hits = self.0.sum(|tally| Some(&tally.hits));
        let help = "Documents that were found in memory";
        counter(&mut encoder, "document_hits", help, hits)?;
        let misses = self.0.sum(|tally| Some(&tally.misses));
        let help = "Documents that had to be looked for on disk";
        counter(&mut encoder, "document_misses", help, misses)
    }
}

impl Sums {
    fn requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Requests by method and status";
        let mut all = encoder.encode_descriptor("requests", help, None, MetricType::Counter)?;
        for (place, method) in METHODS.iter().enumerate() {
            for status in 0..STATUSES {
                let count = self
                    .0
                    .sum(|tally| tally.requests.get(place * STATUSES + status));
                if count > 0 {
                    let labels = RequestLabels {
                        method: label(*method),
                        status: u16::try_from(200 + status).unwrap_or(u16::MAX),
                    };
                    ConstCounter::new(count).encode(all.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "durations are told in seconds")]
    fn durations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let classes: Vec<(f64, u64)> = (0..CLASSES)
            .map(|class| {
                (
                    upper_end(class),
                    self.0.sum(|tally| tally.durations.get(class)),
                )
            })
            .collect();
        let count = classes.iter().map(|(_, count)| count).sum();
        let seconds = self.0.sum(|tally| Some(&tally.duration_ns)) as f64 / 1e9;
        encoder
            .encode_descriptor(
                "request_duration",
                "Time from a request's header section to its answer's",
                Some(&Unit::Seconds),
                MetricType::Histogram,
            )?
            .encode_histogram::<NoLabelSet>(seconds, count, &classes, None)
    }
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, count: u64) -> fmt::Result {
    let counter = ConstCounter::new(count);
    let place = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    counter.encode(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_class_that_holds_it() {
        assert_eq!((class(0), class(50_000), class(50_001)), (0, 0, 1));
        for at in 0..CLASSES - 1 {
            let end_ns = FIRST_CLASS_NS << at;
            assert_eq!((class(end_ns), class(end_ns + 1)), (at, at + 1), "{end_ns}");
        }
        assert_eq!(class(u64::MAX), CLASSES - 1);
    }
}
