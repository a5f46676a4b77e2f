//! Abuse: what it costs others, and how much memory it takes, when many clients are slow,
//! endless or hostile on purpose. Each kind meets a server of its own.

mod answers;
mod attacks;
mod bystander;
mod crowd;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde::Serialize;

use self::attacks::{KINDS, Kind, LARGE, LARGE_BYTES};
use self::bystander::{Bystander, Waits};
use self::crowd::{Crowd, Toll};
use crate::client::Client;
use crate::contender::Programs;
use crate::files;
use crate::report::MEBIBYTE;
use crate::server::Server;
use crate::work::content;

/// More connections than any attack has.
const CONNECTIONS_MAX: usize = 12_000;

/// What to do.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// How long each attack lasts, and how long the time before it is.
    pub(crate) attacked: Duration,
    pub(crate) calm: Duration,
    /// One part in so many of the connections that each attack has in full.
    pub(crate) share: usize,
}

/// One kind of abuse.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Record {
    pub(crate) name: &'static str,
    pub(crate) connections: usize,
    pub(crate) toll: Toll,
    /// The server's resident memory before, and the most that it ever had.
    pub(crate) before_bytes: u64,
    pub(crate) peak_bytes: u64,
    /// What somebody else waited for a save before, and meanwhile.
    pub(crate) calm: Waits,
    pub(crate) attacked: Waits,
}

/// All that was measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Abuse {
    pub(crate) attacked_seconds: f64,
    pub(crate) records: Vec<Record>,
}

impl Abuse {
    /// Saves of the bystander that were not answered as they should be.
    pub(crate) fn fault_count(&self) -> u64 {
        let waits = self
            .records
            .iter()
            .flat_map(|one| [&one.calm, &one.attacked]);
        waits.flat_map(|waits| waits.faults.values()).sum()
    }
}

/// Runs it with the data in `directory`.
///
/// # Errors
/// Matchbook does not run or ends, or this machine gives no connections.
pub(crate) fn run(plan: &Plan, programs: &Programs, directory: &Path) -> anyhow::Result<Abuse> {
    programs.require_matchbook()?;
    files::allow(CONNECTIONS_MAX / plan.share)?;
    let records = KINDS.into_iter().map(|kind| {
        eprintln!("{}", kind.name());
        let own = tempfile::Builder::new()
            .prefix("abuse-")
            .tempdir_in(directory)?;
        let server = programs.start_matchbook(own.path())?;
        let record = measure(plan, kind, &server);
        record.with_context(|| format!("{}; {}", kind.name(), server.last_words()))
    });
    Ok(Abuse {
        attacked_seconds: plan.attacked.as_secs_f64(),
        records: records.collect::<anyhow::Result<_>>()?,
    })
}

fn measure(plan: &Plan, kind: Kind, server: &Server) -> anyhow::Result<Record> {
    let address = server.address();
    let mut bystander = Bystander::open(address)?;
    store_large(address)?;
    let calm = bystander.save_for(plan.calm)?;
    let before_bytes = server.resident_bytes()?;
    let attack = kind.attack(&address.to_string(), plan.share);
    let (toll, attacked) = thread::scope(|scope| {
        let crowd = scope.spawn(|| Crowd::new(address, &attack)?.press(plan.attacked));
        let attacked = bystander.save_for(plan.attacked);
        let toll = crowd
            .join()
            .map_err(|_| anyhow!("the attackers panicked"))?;
        anyhow::Ok((toll?, attacked?))
    })?;
    Ok(Record {
        name: kind.name(),
        connections: attack.connections,
        toll,
        before_bytes,
        peak_bytes: server.peak_resident_bytes()?,
        calm,
        attacked,
    })
}

/// Makes the document that some ask for and do not read.
fn store_large(address: std::net::SocketAddr) -> anyhow::Result<()> {
    let mut client = Client::connect(address)?;
    let document = format!("\"{}\"", "x".repeat(LARGE_BYTES));
    let Client { request, host, .. } = &mut client;
    write!(request, "PUT {LARGE} HTTP/1.1\r\nHost: {host}\r\n")?;
    content(request, "application/json", document.as_bytes());
    let status = client.exchange()?.status;
    if status != 201 {
        bail!("{status} instead of 201 to a large document");
    }
    Ok(())
}

/// What is printed.
#[expect(clippy::cast_precision_loss, reason = "bytes far below 2^53")]
pub(crate) fn table(measured: &Abuse) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "\nEach for {} s, while somebody else saves 100 times a second\n\n{:<30}{:>7}{:>9}{:>8}{:>9}{:>10}{:>8}{:>8}{:>18}{:>18}{:>8}  answers",
        measured.attacked_seconds,
        "abuse",
        "conns",
        "opened",
        "ended",
        "standing",
        "sent MiB",
        "MiB",
        "at most",
        "calm p50/p99 ms",
        "then p50/p99 ms",
        "faults"
    );
    for one in &measured.records {
        let pair = |waits: &Waits| format!("{:.2}/{:.2}", waits.p50_ms, waits.p99_ms);
        let faults: u64 = one
            .calm
            .faults
            .values()
            .chain(one.attacked.faults.values())
            .sum();
        let mut answers: Vec<String> = one
            .toll
            .answers
            .iter()
            .map(|(status, count)| format!("{status}: {count}"))
            .collect();
        if one.toll.goaways > 0 {
            answers.push(format!("GOAWAY: {}", one.toll.goaways));
        }
        let _ = writeln!(
            text,
            "{:<30}{:>7}{:>9}{:>8}{:>9}{:>10.1}{:>8.1}{:>8.1}{:>18}{:>18}{:>8}  {}",
            one.name,
            one.connections,
            one.toll.opened,
            one.toll.ended,
            one.toll.standing,
            one.toll.sent_bytes as f64 / MEBIBYTE,
            one.before_bytes as f64 / MEBIBYTE,
            one.peak_bytes as f64 / MEBIBYTE,
            pair(&one.calm),
            pair(&one.attacked),
            faults,
            answers.join(", ")
        );
        for (fault, count) in one.calm.faults.iter().chain(&one.attacked.faults) {
            let _ = writeln!(text, "FAULT {fault} ({count} times)");
        }
    }
    text
}
