//! One server in one round: it is started, its subscribers come, its writer writes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};

use super::Plan;
use super::audience::{Audience, Tally};
use super::contender::Broadcaster;
use super::sent::SentTimes;
use super::writer::Writer;
use crate::cell::{self, ratio};
use crate::contender::Programs;
use crate::latency::Latency;
use crate::server::Server;
use crate::stream::request;
use crate::usage;

/// An event that has not come so long after the last write is lost.
const LATE: Duration = Duration::from_secs(20);

/// What one server did in one round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Delivery {
    /// Events of edits that subscribers got.
    pub(crate) delivered: u64,
    pub(crate) events_per_second: f64,
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    pub(crate) faults: BTreeMap<String, u64>,
    /// The mean length of an event, without the framing of HTTP.
    pub(crate) event_bytes: f64,
    /// User and system, of all processes of the server.
    pub(crate) server_cpu_seconds: f64,
    pub(crate) server_cpu_us_per_event: f64,
    /// How cheap the generator was.
    pub(crate) generator_cpu_us_per_event: f64,
    /// From just before the write is sent until a subscriber has the whole event.
    pub(crate) delivery_p50_ms: f64,
    pub(crate) delivery_p99_ms: f64,
    pub(crate) delivery_max_ms: f64,
    /// From just before the write is sent until the writer has the whole answer.
    pub(crate) answer_p50_ms: f64,
    pub(crate) answer_p99_ms: f64,
    /// What was resident more than before they came, divided by the subscribers.
    pub(crate) idle_bytes_per_subscriber: f64,
    /// The same after all was delivered.
    pub(crate) busy_bytes_per_subscriber: f64,
}

/// Starts `contender` in a directory of its own and measures it.
///
/// # Errors
/// It does not run, a subscription does not begin, or a write fails.
pub(crate) fn measure(
    plan: &Plan,
    programs: &Programs,
    contender: Broadcaster,
    directory: &Path,
) -> anyhow::Result<Delivery> {
    let own = tempfile::Builder::new()
        .prefix(&format!("{contender}-"))
        .tempdir_in(directory)
        .context("cannot make a directory for the data")?;
    let server = contender.start(programs, own.path(), plan.subscribers)?;
    measure_on(plan, contender, &server)
        .with_context(|| format!("{contender}; {}", server.last_words()))
}

fn measure_on(plan: &Plan, contender: Broadcaster, server: &Server) -> anyhow::Result<Delivery> {
    let address = server.address();
    let pids = usage::family(server.pid());
    let mut writer = Writer::open(contender, address)?;
    cell::rest(&pids)?;
    let alone_bytes = usage::resident_bytes_of(&pids)?;
    let mut audience = Audience::open(
        address,
        &request(contender.follow_path(), &address.to_string()),
        plan.subscribers,
        writer.last_edit(),
        contender.greets(),
    )?;
    cell::rest(&pids)?;
    let idle_bytes = usage::resident_bytes_of(&pids)?;
    run_phase(plan, plan.times.warm_up, &mut writer, &mut audience)?;
    cell::rest(&pids)?;
    let server_before = usage::cpu_time_of(&pids)?;
    let generator_before = usage::cpu_time(std::process::id())?;
    let answers_ns = run_phase(plan, plan.times.measured, &mut writer, &mut audience)?;
    let generator = usage::cpu_time(std::process::id())?.saturating_sub(generator_before);
    cell::rest(&pids)?;
    let server_cpu = usage::cpu_time_of(&pids)?.saturating_sub(server_before);
    let busy_bytes = usage::resident_bytes_of(&pids)?;
    let more_bytes = |now: u64| now.saturating_sub(alone_bytes);
    let tally = audience.end(writer.last_edit());
    Ok(Delivery {
        idle_bytes_per_subscriber: mean(more_bytes(idle_bytes), plan.subscribers as u64),
        busy_bytes_per_subscriber: mean(more_bytes(busy_bytes), plan.subscribers as u64),
        answer_p50_ms: answers_ns.ms(0.5),
        answer_p99_ms: answers_ns.ms(0.99),
        ..delivery(plan, tally, server_cpu, generator)
    })
}

/// All but the writer's answers and the memory.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn delivery(plan: &Plan, tally: &Tally, server: Duration, generator: Duration) -> Delivery {
    let delivered = tally.delivered as f64;
    let us_per_event = |cpu: Duration| ratio(cpu.as_secs_f64() * 1e6, delivered);
    Delivery {
        delivered: tally.delivered,
        events_per_second: ratio(delivered, plan.times.measured.as_secs_f64()),
        lost: tally.lost,
        repeated: tally.repeated,
        faults: tally.faults.clone(),
        event_bytes: mean(tally.event_bytes, tally.delivered),
        server_cpu_seconds: server.as_secs_f64(),
        server_cpu_us_per_event: us_per_event(server),
        generator_cpu_us_per_event: us_per_event(generator),
        delivery_p50_ms: tally.latency.ms(0.5),
        delivery_p99_ms: tally.latency.ms(0.99),
        delivery_max_ms: tally.latency.ms(1.0),
        answer_p50_ms: 0.0,
        answer_p99_ms: 0.0,
        idle_bytes_per_subscriber: 0.0,
        busy_bytes_per_subscriber: 0.0,
    }
}

/// Writes for `time` on a thread of its own while the subscribers listen, and waits until
/// all of them have the last event. Gives the times of the answers.
fn run_phase(
    plan: &Plan,
    time: Duration,
    writer: &mut Writer,
    audience: &mut Audience,
) -> anyhow::Result<Latency> {
    let (count, interval) = (plan.writes_in(time), plan.interval());
    let last = writer.last_edit() + count;
    let sent = SentTimes::new(usize::try_from(last)? + 1);
    audience.begin(last)?;
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| writer.write(count, interval, &sent));
        let members = audience.len();
        // Whoever does not get all of it is counted at the end.
        let _all = audience.listen(&sent, time + LATE, |tally| {
            writing.is_finished() && tally.arrived(last) >= members
        })?;
        let written = writing.join();
        written.map_err(|_| anyhow!("the writer's thread ended early"))?
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "bytes and counts far below 2^53"
)]
fn mean(total: u64, count: u64) -> f64 {
    ratio(total as f64, count as f64)
}
