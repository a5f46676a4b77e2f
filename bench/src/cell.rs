//! One cell of the table: one kind of work, on one server, over so many connections.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contender::Contender;
use crate::corpus::Corpus;
use crate::dialect::Tells;
use crate::fill;
use crate::interrupt;
use crate::load::{Outcome, Pool};
use crate::server::Server;
use crate::usage;
use crate::work::{Job, Work};

/// How long each cell runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// A server with what the generator knows of its documents.
pub(crate) struct Subject {
    pub(crate) contender: Contender,
    pub(crate) server: Server,
    pub(crate) corpus: Corpus,
}

/// What one cell measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) requests_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    /// The processor time of the server, with what it did afterwards until it rested.
    pub(crate) server_cpu_seconds: f64,
    pub(crate) answers_per_server_cpu_second: f64,
    /// How cheap the generator was.
    pub(crate) answers_per_generator_cpu_second: f64,
    pub(crate) resident_bytes: u64,
    /// The part of all requests that the server refused for a reason of its own.
    pub(crate) refused_share: f64,
    pub(crate) faults: BTreeMap<String, u64>,
}

/// Below this much processor time in one look, a server counts as at rest.
const AT_REST: Duration = Duration::from_millis(10);

/// How far two looks are apart.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A server that never rests is not waited for longer than this.
const REST_AT_MOST: Duration = Duration::from_secs(3);

/// Measures one cell.
///
/// # Errors
/// The generator gave up, or the server is gone.
pub(crate) fn measure(
    subject: &mut Subject,
    work: Work,
    connections: usize,
    times: Times,
) -> anyhow::Result<Cell> {
    let Subject {
        contender,
        server,
        corpus,
    } = subject;
    if contender.dialect().tells() == Tells::Reads && !work.is_write() {
        // Its writes have not told what the tags are now.
        fill::learn(*contender, server, corpus)?;
    }
    let mut pool = Pool::open(server.address(), connections)?;
    let mut job = Job::new(work, *contender, corpus, connections);
    let warm_up = pool.run(&mut job, times.warm_up)?;
    let server_before = server.cpu_time()?;
    let generator_before = usage::cpu_time(std::process::id())?;
    let mut outcome = pool.run(&mut job, times.measured)?;
    let generator = usage::cpu_time(std::process::id())?.saturating_sub(generator_before);
    drop(pool);
    rest_of(|| server.cpu_time())?;
    let server_cpu = server.cpu_time()?.saturating_sub(server_before);
    for (reason, count) in warm_up.faults {
        *outcome.faults.entry(reason).or_default() += count;
    }
    Ok(summary(
        outcome,
        server_cpu,
        generator,
        server.resident_bytes()?,
    ))
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn summary(
    outcome: Outcome,
    server_cpu: Duration,
    generator_cpu: Duration,
    resident_bytes: u64,
) -> Cell {
    let answers_per = |cpu: Duration| ratio(outcome.answers_in_all as f64, cpu.as_secs_f64());
    Cell {
        requests_per_second: ratio(outcome.answers as f64, outcome.elapsed.as_secs_f64()),
        p50_us: outcome.latency.us(0.5),
        p99_us: outcome.latency.us(0.99),
        max_us: outcome.latency.us(1.0),
        server_cpu_seconds: server_cpu.as_secs_f64(),
        answers_per_server_cpu_second: answers_per(server_cpu),
        answers_per_generator_cpu_second: answers_per(generator_cpu),
        resident_bytes,
        refused_share: ratio(
            outcome.refusals as f64,
            (outcome.refusals + outcome.answers_in_all) as f64,
        ),
        faults: outcome.faults,
    }
}

/// `a / b`, or 0 where that says nothing.
pub(crate) fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

/// Waits until the server does nothing any more, so that the work that it put off is
/// counted as its own and does not disturb the next one's cell.
///
/// # Errors
/// One of its processes is gone.
pub(crate) fn rest(pids: &[u32]) -> anyhow::Result<()> {
    rest_of(|| usage::cpu_time_of(pids))
}

/// The same, where `cpu_time` tells the processor time so far.
fn rest_of(cpu_time: impl Fn() -> anyhow::Result<Duration>) -> anyhow::Result<()> {
    let mut before = cpu_time()?;
    std::thread::sleep(LOOK_EVERY);
    interrupt::wait_until(REST_AT_MOST, LOOK_EVERY, || {
        let now = cpu_time()?;
        let used = now.saturating_sub(before);
        before = now;
        Ok(used < AT_REST)
    })?;
    Ok(())
}

/// The middle of some values; 0 of none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied().unwrap_or_default();
    if values.len().is_multiple_of(2) {
        let lower = values
            .len()
            .checked_sub(1)
            .and_then(|last| values.get(last / 2));
        (upper + lower.copied().unwrap_or(upper)) / 2.0
    } else {
        upper
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        for (values, expected) in [
            (&[][..], 0.0),
            (&[3.0], 3.0),
            (&[9.0, 1.0], 5.0),
            (&[9.0, 1.0, 2.0], 2.0),
            (&[4.0, 1.0, 2.0, 99.0], 3.0),
        ] {
            let found = median(values.iter().copied());
            assert!(
                (found - expected).abs() < f64::EPSILON,
                "{values:?}: {found}"
            );
        }
    }

    #[test]
    fn a_ratio_to_nothing_is_no_number_of_its_own() {
        assert!(ratio(1.0, 0.0).abs() < f64::EPSILON);
    }
}
