//! Fan-out: one writer, thousands who follow.
//!
//! In each round every server is started anew, so that none profits from memory that an
//! earlier audience left; then they are measured one after the other.
//!
//! - [`contender`], [`broadcast`]: who is measured.
//! - [`writer`], [`audience`], [`sent`]: the load.
//! - [`measure`]: one server in one round. [`idle`]: saves while others listen.
//! - [`report`]: the table.

pub(crate) mod audience;
pub(crate) mod broadcast;
pub(crate) mod contender;
mod idle;
mod measure;
mod report;
pub(crate) mod sent;
mod writer;

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::contender::Broadcaster;
use self::idle::IdleRecord;
use self::measure::Delivery;
use crate::cell::{Times, median, ratio};
use crate::contender::Programs;
use crate::{files, interrupt};

pub(crate) use self::report::table;

/// What to measure.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) contenders: Vec<Broadcaster>,
    pub(crate) subscribers: usize,
    pub(crate) writes_per_second: u32,
    /// How many listen while others save.
    pub(crate) idle: usize,
    pub(crate) rounds: usize,
    pub(crate) times: Times,
}

impl Plan {
    fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.writes_per_second.max(1)
    }

    /// The writes of such a time, at least one.
    fn writes_in(&self, time: Duration) -> u64 {
        let count = time.as_nanos() / self.interval().as_nanos().max(1);
        u64::try_from(count).unwrap_or(u64::MAX).max(1)
    }
}

/// One server in one round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) round: usize,
    pub(crate) contender: Broadcaster,
    #[serde(flatten)]
    pub(crate) delivery: Delivery,
}

/// The medians of one server over all rounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) contender: Broadcaster,
    pub(crate) events_per_second: f64,
    pub(crate) server_cpu_us_per_event: f64,
    /// Medians of the ratios within each round.
    pub(crate) cpu_to_bare: f64,
    pub(crate) cpu_to_nchan: f64,
    pub(crate) generator_cpu_us_per_event: f64,
    pub(crate) delivery_p50_ms: f64,
    pub(crate) delivery_p99_ms: f64,
    /// Medians of the ratios within each round.
    pub(crate) delivery_p99_to_bare: f64,
    pub(crate) delivery_p99_to_nchan: f64,
    pub(crate) answer_p50_ms: f64,
    pub(crate) answer_p99_ms: f64,
    pub(crate) idle_bytes_per_subscriber: f64,
    pub(crate) busy_bytes_per_subscriber: f64,
    pub(crate) event_bytes: f64,
    /// In all rounds.
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    pub(crate) faults: u64,
}

/// Saves with and without subscribers to something else; medians.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct IdleRow {
    pub(crate) subscribers: usize,
    pub(crate) puts_per_second_without: f64,
    pub(crate) puts_per_second_with: f64,
    /// Median of the ratios within each round.
    pub(crate) ratio: f64,
    pub(crate) faults: u64,
}

/// All that was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Fanout {
    pub(crate) subscribers: usize,
    pub(crate) writes_per_second: u32,
    pub(crate) rounds: usize,
    pub(crate) measured_seconds: f64,
    pub(crate) rows: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idle: Option<IdleRow>,
    #[serde(default)]
    pub(crate) records: Vec<Record>,
    #[serde(default)]
    pub(crate) idle_records: Vec<IdleRecord>,
}

impl Fanout {
    /// All events that were lost or repeated, and whatever else went wrong.
    pub(crate) fn fault_count(&self) -> u64 {
        let rows = self.rows.iter();
        let of_rows: u64 = rows.map(|row| row.lost + row.repeated + row.faults).sum();
        of_rows + self.idle.as_ref().map_or(0, |idle| idle.faults)
    }
}

/// Runs it with the data in `directory`.
///
/// # Errors
/// A server does not run, a subscription does not begin, or a write fails.
pub(crate) fn run(plan: &Plan, programs: &Programs, directory: &Path) -> anyhow::Result<Fanout> {
    files::allow(plan.subscribers.max(plan.idle))?;
    let contenders = available(plan, programs)?;
    let mut records = Vec::new();
    for round in 0..plan.rounds {
        for &contender in &contenders {
            eprintln!("round {} of {}: {contender}", round + 1, plan.rounds);
            let delivery = measure::measure(plan, programs, contender, directory)?;
            records.push(Record {
                round,
                contender,
                delivery,
            });
        }
    }
    let idle_records = if contenders.contains(&Broadcaster::Matchbook) && plan.idle > 0 {
        idle::measure(plan, programs, directory)?
    } else {
        Vec::new()
    };
    Ok(Fanout {
        subscribers: plan.subscribers,
        writes_per_second: plan.writes_per_second,
        rounds: plan.rounds,
        measured_seconds: plan.times.measured.as_secs_f64(),
        rows: rows(&records),
        idle: idle_row(plan, &idle_records),
        records,
        idle_records,
    })
}

/// The contenders that can run here. nchan is left out, with a word, where it is not
/// installed; the others are not.
fn available(plan: &Plan, programs: &Programs) -> anyhow::Result<Vec<Broadcaster>> {
    let mut contenders = plan.contenders.clone();
    contenders.sort_unstable();
    contenders.dedup();
    if contenders.contains(&Broadcaster::Nchan)
        && let Err(error) = contender::prepare_nchan()
    {
        interrupt::check()?;
        eprintln!("skipped: nchan ({error:#})");
        contenders.retain(|&contender| contender != Broadcaster::Nchan);
    }
    if contenders.contains(&Broadcaster::Matchbook) {
        programs.require_matchbook()?;
    }
    Ok(contenders)
}

fn rows(records: &[Record]) -> Vec<Row> {
    let rows = Broadcaster::ALL.into_iter().filter_map(|contender| {
        let of_row = |record: &&Record| record.contender == contender;
        let found: Vec<&Record> = records.iter().filter(of_row).collect();
        (!found.is_empty()).then(|| row(contender, &found, records))
    });
    rows.collect()
}

/// `found` are the records of `contender`, one a round.
fn row(contender: Broadcaster, found: &[&Record], records: &[Record]) -> Row {
    let middle =
        |value: fn(&Delivery) -> f64| median(found.iter().map(|record| value(&record.delivery)));
    let ratio_to = |other: Broadcaster, value: fn(&Delivery) -> f64| {
        median(found.iter().filter_map(|record| {
            let mut peers = records.iter();
            let peer = peers.find(|peer| (peer.contender, peer.round) == (other, record.round))?;
            Some(ratio(value(&record.delivery), value(&peer.delivery)))
        }))
    };
    let sum =
        |value: fn(&Delivery) -> u64| found.iter().map(|record| value(&record.delivery)).sum();
    let cpu: fn(&Delivery) -> f64 = |delivery| delivery.server_cpu_us_per_event;
    let p99: fn(&Delivery) -> f64 = |delivery| delivery.delivery_p99_ms;
    Row {
        contender,
        events_per_second: middle(|delivery| delivery.events_per_second),
        server_cpu_us_per_event: middle(cpu),
        cpu_to_bare: ratio_to(Broadcaster::BareBroadcast, cpu),
        cpu_to_nchan: ratio_to(Broadcaster::Nchan, cpu),
        generator_cpu_us_per_event: middle(|delivery| delivery.generator_cpu_us_per_event),
        delivery_p50_ms: middle(|delivery| delivery.delivery_p50_ms),
        delivery_p99_ms: middle(p99),
        delivery_p99_to_bare: ratio_to(Broadcaster::BareBroadcast, p99),
        delivery_p99_to_nchan: ratio_to(Broadcaster::Nchan, p99),
        answer_p50_ms: middle(|delivery| delivery.answer_p50_ms),
        answer_p99_ms: middle(|delivery| delivery.answer_p99_ms),
        idle_bytes_per_subscriber: middle(|delivery| delivery.idle_bytes_per_subscriber),
        busy_bytes_per_subscriber: middle(|delivery| delivery.busy_bytes_per_subscriber),
        event_bytes: middle(|delivery| delivery.event_bytes),
        lost: sum(|delivery| delivery.lost),
        repeated: sum(|delivery| delivery.repeated),
        faults: sum(|delivery| delivery.faults.values().sum()),
    }
}

fn idle_row(plan: &Plan, records: &[IdleRecord]) -> Option<IdleRow> {
    records.first()?;
    let rate = |of: fn(&IdleRecord) -> f64| median(records.iter().map(of));
    Some(IdleRow {
        subscribers: plan.idle,
        puts_per_second_without: rate(|record| record.without.requests_per_second),
        puts_per_second_with: rate(|record| record.with.requests_per_second),
        ratio: median(records.iter().map(IdleRecord::ratio)),
        faults: records.iter().map(IdleRecord::fault_count).sum(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn record(round: usize, contender: Broadcaster, cpu_us: f64, p99_ms: f64) -> Record {
        let delivery = Delivery {
            delivered: 10,
            events_per_second: 1.0,
            lost: 1,
            repeated: 0,
            faults: BTreeMap::new(),
            event_bytes: 1.0,
            server_cpu_seconds: 1.0,
            server_cpu_us_per_event: cpu_us,
            generator_cpu_us_per_event: 1.0,
            delivery_p50_ms: 1.0,
            delivery_p99_ms: p99_ms,
            delivery_max_ms: 1.0,
            answer_p50_ms: 1.0,
            answer_p99_ms: 1.0,
            idle_bytes_per_subscriber: 1.0,
            busy_bytes_per_subscriber: 1.0,
        };
        Record {
            round,
            contender,
            delivery,
        }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let records = [
            record(0, Broadcaster::BareBroadcast, 10.0, 4.0),
            record(0, Broadcaster::Matchbook, 11.0, 8.0),
            record(1, Broadcaster::BareBroadcast, 100.0, 2.0),
            record(1, Broadcaster::Matchbook, 130.0, 2.0),
        ];
        let rows = rows(&records);
        let [bare, matchbook] = &rows[..] else {
            panic!("not two rows");
        };
        assert!((bare.cpu_to_bare - 1.0).abs() < 1e-9);
        assert!((matchbook.cpu_to_bare - 1.2).abs() < 1e-9);
        assert!((matchbook.delivery_p99_to_bare - 1.5).abs() < 1e-9);
        assert!(matchbook.cpu_to_nchan.abs() < f64::EPSILON);
        assert_eq!(matchbook.lost, 2);
    }
}
