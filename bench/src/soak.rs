//! The soak: thousands who listen to something that nobody writes to, and some who write
//! without a pause, for minutes. The memory has to stay what it was.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use serde::Serialize;

use crate::client::Client;
use crate::contender::{Contender, Programs};
use crate::corpus::Corpus;
use crate::document::{DOCUMENT_BYTES, NUMBER_BASE};
use crate::fanout::audience::Audience;
use crate::fanout::sent::SentTimes;
use crate::load::{Outcome, Pool};
use crate::report::MEBIBYTE;
use crate::server::Server;
use crate::work::{Job, Work, content, field};
use crate::{files, fill, growth, stream, usage};

/// What the subscribers follow, and its one document.
const QUIET: &str = "/quiet";
const QUIET_DOCUMENT: &str = "/quiet/1";

/// How often the memory is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Longer than the longest soak.
const LISTEN_AT_MOST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// After the last minute, the one event that all wait for.
const LAST_EVENT_WITHIN: Duration = Duration::from_secs(20);

/// What to do.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) subscribers: usize,
    pub(crate) writers: usize,
    pub(crate) documents: u64,
    pub(crate) minutes: u32,
    /// Shorter than a minute in a tiny run.
    pub(crate) minute: Duration,
}

/// What happened within one minute.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Minute {
    pub(crate) puts_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    /// The most memory that was seen.
    pub(crate) resident_bytes: u64,
    /// At its end.
    pub(crate) disk_bytes: u64,
}

/// All that was measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Soak {
    pub(crate) subscribers: usize,
    pub(crate) writers: usize,
    pub(crate) documents: u64,
    pub(crate) filled_bytes: u64,
    pub(crate) subscribed_bytes: u64,
    pub(crate) minutes: Vec<Minute>,
    /// Over the second half, in bytes a minute.
    pub(crate) slope: f64,
    /// Subscribers that got the one event at the end.
    pub(crate) delivered: u64,
    pub(crate) faults: BTreeMap<String, u64>,
}

impl Soak {
    /// Unexpected answers, and subscribers that were lost or told nothing.
    pub(crate) fn fault_count(&self) -> u64 {
        self.faults.values().sum::<u64>() + (self.subscribers as u64).abs_diff(self.delivered)
    }
}

/// Runs it with the data in `directory`.
///
/// # Errors
/// Matchbook does not run, a subscription does not begin, or the generator gave up.
pub(crate) fn run(plan: &Plan, programs: &Programs, directory: &Path) -> anyhow::Result<Soak> {
    programs.require_matchbook()?;
    files::allow(plan.subscribers + plan.writers)?;
    let own = tempfile::Builder::new()
        .prefix("soak-")
        .tempdir_in(directory)?;
    // Changes are kept for a minute, so that old ones are taken away all the time.
    let connections = (plan.subscribers + plan.writers + 1_000).to_string();
    let flags = [
        "--max-connections",
        &connections,
        "--retention-seconds",
        "60",
    ];
    let server = programs.start_matchbook_with(own.path(), &flags)?;
    let measured = measure(plan, &server, own.path());
    measured.with_context(|| server.last_words())
}

fn measure(plan: &Plan, server: &Server, directory: &Path) -> anyhow::Result<Soak> {
    let address = server.address();
    let mut corpus = Corpus::new(plan.documents, plan.documents);
    corpus.host = address.to_string();
    fill::fill(Contender::Matchbook, server, &mut corpus, "fill")?;
    fill::learn(Contender::Matchbook, server, &mut corpus)?;
    let tag = save(address, 0, None)?;
    let filled_bytes = server.resident_bytes()?;
    let request = stream::request(QUIET, &address.to_string());
    let mut audience = Audience::open(address, &request, plan.subscribers, 0, true)?;
    audience.begin(1)?;
    let subscribed_bytes = server.resident_bytes()?;

    let stop = AtomicBool::new(false);
    let (looks, minutes) = thread::scope(|scope| {
        let listener = scope.spawn(|| listen(&mut audience, server.pid(), &stop));
        let minutes = write(plan, address, directory, &mut corpus);
        stop.store(true, Ordering::Relaxed);
        let looks = listener
            .join()
            .map_err(|_| anyhow!("the listener panicked"))?;
        anyhow::Ok((looks?, minutes?))
    })?;

    save(address, 1, Some(&tag))?;
    let count = audience.len();
    audience.listen(&SentTimes::new(0), LAST_EVENT_WITHIN, |tally| {
        tally.arrived(1) >= count
    })?;
    let tally = audience.end(1);
    let mut faults = tally.faults.clone();
    for (_, outcome, _) in &minutes {
        for (reason, times) in &outcome.faults {
            *faults.entry(reason.clone()).or_default() += times;
        }
    }
    Ok(Soak {
        subscribers: plan.subscribers,
        writers: plan.writers,
        documents: plan.documents,
        filled_bytes,
        subscribed_bytes,
        slope: slope(&looks),
        delivered: tally.delivered,
        faults,
        minutes: minutes
            .iter()
            .map(|(begun, outcome, disk)| minute(*begun, outcome, *disk, &looks))
            .collect(),
    })
}

/// The memory at a moment.
type Look = (Instant, u64);

/// Reads what subscribers get, which is little, and looks at the memory.
fn listen(audience: &mut Audience, pid: u32, stop: &AtomicBool) -> anyhow::Result<Vec<Look>> {
    let mut looks: Vec<Look> = Vec::new();
    audience.listen(&SentTimes::new(0), LISTEN_AT_MOST, |_| {
        let is_due = looks
            .last()
            .is_none_or(|(at, _)| at.elapsed() >= LOOK_EVERY);
        // A server that is gone is seen by those who write.
        if is_due && let Ok(bytes) = usage::resident_bytes(pid) {
            looks.push((Instant::now(), bytes));
        }
        stop.load(Ordering::Relaxed)
    })?;
    Ok(looks)
}

/// Saves without a pause, and tells of each minute when it began, what came of it, and
/// what lay on the disk at its end.
fn write(
    plan: &Plan,
    address: SocketAddr,
    directory: &Path,
    corpus: &mut Corpus,
) -> anyhow::Result<Vec<(Instant, Outcome, u64)>> {
    let mut pool = Pool::open(address, plan.writers)?;
    let mut job = Job::new(Work::Put, Contender::Matchbook, corpus, plan.writers);
    let minutes = (1..=plan.minutes).map(|number| {
        let begun = Instant::now();
        let outcome = pool.run(&mut job, plan.minute)?;
        eprintln!(
            "minute {number} of {}: {} saves, {} faults",
            plan.minutes,
            outcome.answers,
            outcome.fault_count()
        );
        Ok((begun, outcome, growth::disk_bytes(directory)?))
    });
    minutes.collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn minute(begun: Instant, outcome: &Outcome, disk_bytes: u64, looks: &[Look]) -> Minute {
    let until = begun + outcome.elapsed;
    let within = looks.iter().filter(|(at, _)| (begun..=until).contains(at));
    Minute {
        puts_per_second: outcome.answers as f64 / outcome.elapsed.as_secs_f64(),
        p50_us: outcome.latency.us(0.5),
        p99_us: outcome.latency.us(0.99),
        max_us: outcome.latency.us(1.0),
        resident_bytes: within.map(|(_, bytes)| *bytes).max().unwrap_or_default(),
        disk_bytes,
    }
}

/// How the memory grew over the second half, in bytes a minute: the line with the least
/// squares.
#[expect(clippy::cast_precision_loss, reason = "bytes far below 2^53")]
fn slope(looks: &[Look]) -> f64 {
    let half = looks.get(looks.len() / 2..).unwrap_or_default();
    let Some((from, _)) = half.first() else {
        return 0.0;
    };
    let points: Vec<(f64, f64)> = half
        .iter()
        .map(|(at, bytes)| ((*at - *from).as_secs_f64() / 60.0, *bytes as f64))
        .collect();
    let count = points.len() as f64;
    let mean = |value: fn(&(f64, f64)) -> f64| points.iter().map(value).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|(x, _)| *x), mean(|(_, y)| *y));
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let together: f64 = points
        .iter()
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum();
    crate::cell::ratio(together, spread)
}

/// Saves the document that the subscribers follow, and gives its tag. A connection that
/// rested for minutes would have been closed.
fn save(address: SocketAddr, edit: u64, tag: Option<&[u8]>) -> anyhow::Result<Vec<u8>> {
    let mut client = Client::connect(address)?;
    let Client { request, host, .. } = &mut client;
    let number = NUMBER_BASE + edit;
    // A document that is shorter than a patch of it would be sent whole.
    let (method, document) = match tag {
        Some(_) => ("PATCH", format!(r#"{{"edits":{number}}}"#)),
        None => {
            let pad = "x".repeat(DOCUMENT_BYTES);
            ("PUT", format!(r#"{{"edits":{number},"pad":"{pad}"}}"#))
        }
    };
    write!(
        request,
        "{method} {QUIET_DOCUMENT} HTTP/1.1\r\nHost: {host}\r\n"
    )?;
    let media_type = match tag {
        Some(tag) => {
            field(request, b"If-Match", tag);
            "application/merge-patch+json"
        }
        None => "application/json",
    };
    content(request, media_type, document.as_bytes());
    let answer = client.exchange()?;
    if !matches!(answer.status, 201 | 204) {
        bail!("{} to a save of {QUIET_DOCUMENT}", answer.status);
    }
    Ok(answer.etag.context("a save without a tag")?.to_vec())
}

/// What is printed.
#[expect(clippy::cast_precision_loss, reason = "bytes far below 2^53")]
pub(crate) fn table(measured: &Soak) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "\n{} idle subscribers, {} writers, {} documents of 1 KiB\n\n\
         {:.1} MiB when filled, {:.1} MiB with the subscribers\n\n\
         {:>6}{:>10}{:>10}{:>10}{:>12}{:>10}{:>10}",
        measured.subscribers,
        measured.writers,
        measured.documents,
        measured.filled_bytes as f64 / MEBIBYTE,
        measured.subscribed_bytes as f64 / MEBIBYTE,
        "minute",
        "PUT/s",
        "p50 us",
        "p99 us",
        "max us",
        "MiB",
        "disk MiB"
    );
    for (number, minute) in (1..).zip(&measured.minutes) {
        let _ = writeln!(
            text,
            "{number:>6}{:>10.0}{:>10.0}{:>10.0}{:>12.0}{:>10.1}{:>10.0}",
            minute.puts_per_second,
            minute.p50_us,
            minute.p99_us,
            minute.max_us,
            minute.resident_bytes as f64 / MEBIBYTE,
            minute.disk_bytes as f64 / MEBIBYTE
        );
    }
    let _ = writeln!(
        text,
        "\nover the second half the memory grew by {:.2} MiB a minute\n\
         the one event at the end came to {} of {}",
        measured.slope / MEBIBYTE,
        measured.delivered,
        measured.subscribers
    );
    for (fault, count) in &measured.faults {
        let _ = writeln!(text, "FAULT {fault} ({count} times)");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_second_half() {
        let begin = Instant::now();
        let at = |second: u64| begin + Duration::from_secs(second);
        let looks = |growth: u64| -> Vec<Look> {
            let grown = |second: u64| {
                if second < 60 {
                    second * 999
                } else {
                    second * growth
                }
            };
            (0..120).map(|second| (at(second), grown(second))).collect()
        };
        assert!(slope(&looks(0)).abs() < 1e-6);
        assert!((slope(&looks(10)) - 600.0).abs() < 1e-6);
        assert!(slope(&[]).abs() < 1e-6);
    }
}
