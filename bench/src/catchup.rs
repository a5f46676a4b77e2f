//! Catch-up: how fast the whole log is read again by somebody who was away.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use memchr::{memchr_iter, memmem};
use serde::{Deserialize, Serialize};

use crate::body::Body;
use crate::cell::{self, median, ratio};
use crate::client::{Client, cursor_in};
use crate::contender::Programs;
use crate::fill::Progress;
use crate::interrupt;
use crate::load::{Pool, Source};
use crate::response::Response;
use crate::server::Server;
use crate::usage;
use crate::work::{content, field, head};

/// Where the documents are.
const COLLECTION: &str = "/bench";

/// All that there is.
const EVERYTHING: &str = "/_/changes";

/// Enough that every durable commit holds many entries.
const FILL_CONNECTIONS: usize = 256;

/// A million entries at a hundred a second.
const FILL_AT_MOST: Duration = Duration::from_secs(10_000);

/// What is read at once.
const READ_BYTES: usize = 256 * 1024;

/// No piece of an answer takes longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// The most changes that a page holds.
const PAGE_LIMIT: usize = 10_000;

/// What to measure.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) entries: u64,
    /// How many documents they are about.
    pub(crate) documents: u64,
    pub(crate) rounds: usize,
}

/// How the log is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// One answer, one entry a line.
    Lines,
    /// Pages of JSON, as large as can be.
    Pages,
}

/// One reading of the whole log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) round: usize,
    pub(crate) target: String,
    pub(crate) form: Form,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) server_cpu_seconds: f64,
}

/// The medians of one way to read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) target: String,
    pub(crate) form: Form,
    pub(crate) entries_per_second: f64,
    pub(crate) megabytes_per_second: f64,
    pub(crate) bytes_per_entry: f64,
    pub(crate) entries_per_server_cpu_second: f64,
    /// Readings that had more or fewer entries than were written.
    pub(crate) faults: u64,
}

/// All that was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Catchup {
    pub(crate) entries: u64,
    pub(crate) documents: u64,
    pub(crate) rounds: usize,
    pub(crate) rows: Vec<Row>,
    #[serde(default)]
    pub(crate) records: Vec<Record>,
}

impl Catchup {
    /// Readings that were not complete.
    pub(crate) fn fault_count(&self) -> u64 {
        self.rows.iter().map(|row| row.faults).sum()
    }
}

/// Fills a log and reads it.
///
/// # Errors
/// Matchbook does not run, a write fails, or an answer is no catch-up.
pub(crate) fn run(plan: &Plan, programs: &Programs, directory: &Path) -> anyhow::Result<Catchup> {
    programs.require_matchbook()?;
    let own = tempfile::Builder::new()
        .prefix("catchup-")
        .tempdir_in(directory)
        .context("cannot make a directory for the data")?;
    let server = programs.start_matchbook(own.path())?;
    let records = measure(plan, &server).with_context(|| server.last_words())?;
    Ok(Catchup {
        entries: plan.entries,
        documents: plan.documents,
        rounds: plan.rounds,
        rows: rows(plan, &records),
        records,
    })
}

const WAYS: [(&str, Form); 4] = [
    (COLLECTION, Form::Lines),
    (EVERYTHING, Form::Lines),
    (COLLECTION, Form::Pages),
    (EVERYTHING, Form::Pages),
];

fn measure(plan: &Plan, server: &Server) -> anyhow::Result<Vec<Record>> {
    let mut client = Client::connect(server.address())?;
    let first = cursor_in(client.get(COLLECTION)?)?;
    // A connection that only waits may be closed.
    drop(client);
    fill(plan, server)?;
    let mut records = Vec::new();
    for round in 0..plan.rounds {
        for (target, form) in WAYS {
            interrupt::check()?;
            eprintln!("round {} of {}: {target}, {form:?}", round + 1, plan.rounds);
            cell::rest(&[server.pid()])?;
            let cpu_before = usage::cpu_time(server.pid())?;
            let began = Instant::now();
            let (entries, bytes) = match form {
                Form::Lines => read_lines(server.address(), target, &first)?,
                Form::Pages => read_pages(server.address(), target, &first)?,
            };
            let seconds = began.elapsed().as_secs_f64();
            let cpu = usage::cpu_time(server.pid())?.saturating_sub(cpu_before);
            records.push(Record {
                round,
                target: target.to_owned(),
                form,
                entries,
                bytes,
                seconds,
                server_cpu_seconds: cpu.as_secs_f64(),
            });
        }
    }
    Ok(records)
}

fn fill(plan: &Plan, server: &Server) -> anyhow::Result<()> {
    let connections = usize::try_from(plan.documents)?.clamp(1, FILL_CONNECTIONS);
    let mut pool = Pool::open(server.address(), connections)?;
    let mut entries = Entries::new(plan, connections, server.address().to_string());
    let outcome = pool.run(&mut entries, FILL_AT_MOST)?;
    if outcome.answers_in_all != plan.entries {
        bail!(
            "wrote {} of {} entries: {:?}",
            outcome.answers_in_all,
            plan.entries,
            outcome.faults
        );
    }
    Ok(())
}

/// The writes: each connection walks through documents of its own; the first round makes
/// them, and then merge patches and PUTs take turns.
struct Entries {
    plan: Plan,
    host: String,
    written: u64,
    /// By connection, how often it wrote.
    turns: Vec<u64>,
    progress: Progress,
}

impl Entries {
    fn new(plan: &Plan, connections: usize, host: String) -> Self {
        Self {
            plan: plan.clone(),
            host,
            written: 0,
            turns: vec![0; connections],
            progress: Progress::new("fill"),
        }
    }
}

impl Source for Entries {
    fn next(&mut self, connection: usize, wire: &mut Vec<u8>) -> Option<u64> {
        if self.written >= self.plan.entries {
            return None;
        }
        let connections = self.turns.len() as u64;
        let turn = self.turns.get_mut(connection)?;
        let own = (self.plan.documents / connections).max(1);
        let number = connection as u64 + (*turn % own) * connections;
        let visit = *turn / own;
        *turn += 1;
        self.written += 1;
        self.progress.show(self.written, self.plan.entries);
        let edit = self.written;
        if visit % 2 == 1 {
            head(wire, "PATCH", number, &self.host);
            field(wire, b"If-Match", b"*");
            let patch = format!("{{\"edits\":{edit}}}");
            content(wire, "application/merge-patch+json", patch.as_bytes());
        } else {
            head(wire, "PUT", number, &self.host);
            let (name, expected): (&[u8], u64) = match visit {
                0 => (b"If-None-Match", 201),
                _ => (b"If-Match", 204),
            };
            field(wire, name, b"*");
            let document = format!(
                "{{\"number\":{number},\"edits\":{edit},\"title\":\"a small document\",\"done\":false,\
                 \"labels\":[\"one\",\"two\"],\"owner\":{{\"name\":\"somebody\"}}}}"
            );
            content(wire, "application/json", document.as_bytes());
            return Some(expected);
        }
        Some(204)
    }

    fn answered(&mut self, expected: u64, response: &Response<'_>) -> Result<(), String> {
        if u64::from(response.status) == expected {
            Ok(())
        } else {
            Err(format!("{} instead of {expected}", response.status))
        }
    }
}

/// Reads all as lines; gives how many entries and bytes that were.
fn read_lines(address: SocketAddr, target: &str, since: &str) -> anyhow::Result<(u64, u64)> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(ANSWER_WITHIN))?;
    let request = format!(
        "GET {target}?_since={since} HTTP/1.1\r\nHost: {address}\r\n\
         Accept: application/x-ndjson\r\n\r\n"
    );
    socket.write_all(request.as_bytes())?;
    let mut body = Body::new();
    let mut piece = vec![0; READ_BYTES];
    let (mut lines, mut bytes) = (0_u64, 0_u64);
    // The line that has not ended, or the one that ended last.
    let mut last: Vec<u8> = Vec::new();
    while !body.has_ended() {
        let count = socket.read(&mut piece).context("no answer")?;
        if count == 0 {
            bail!("the server closed the connection");
        }
        let fed = body.feed(piece.get(..count).unwrap_or_default(), |content| {
            bytes += content.len() as u64;
            lines += memchr_iter(b'\n', content).count() as u64;
            keep_last_line(&mut last, content);
            Ok(())
        });
        fed.map_err(anyhow::Error::msg)?;
    }
    if !last.starts_with(b"{\"cursor\":") {
        bail!("a catch-up that does not end with its cursor");
    }
    Ok((lines.saturating_sub(1), bytes))
}

/// Goes on from `last` with `content`.
fn keep_last_line(last: &mut Vec<u8>, content: &[u8]) {
    let (end, ended) = match content {
        [before @ .., b'\n'] => (before, true),
        content => (content, false),
    };
    if let Some(at) = memchr::memrchr(b'\n', end) {
        last.clear();
        last.extend_from_slice(end.get(at + 1..).unwrap_or_default());
    } else {
        if last.ends_with(b"\n") && !end.is_empty() {
            last.clear();
        }
        last.extend_from_slice(end);
    }
    if ended {
        last.push(b'\n');
    }
}

/// Reads all as pages; gives how many entries and bytes that were.
fn read_pages(address: SocketAddr, target: &str, first: &str) -> anyhow::Result<(u64, u64)> {
    let mut client = Client::connect(address)?;
    let mut since = first.to_owned();
    let (mut entries, mut bytes) = (0_u64, 0_u64);
    let entry = memmem::Finder::new(b"{\"event\":\"");
    loop {
        interrupt::check()?;
        let page = client.get(&format!("{target}?_since={since}&_limit={PAGE_LIMIT}"))?;
        entries += entry.find_iter(page).count() as u64;
        bytes += page.len() as u64;
        since = cursor_in(page)?;
        if memmem::rfind(page, b"\"more\":true").is_none() {
            return Ok((entries, bytes));
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and bytes far below 2^53"
)]
fn rows(plan: &Plan, records: &[Record]) -> Vec<Row> {
    let rows = WAYS.into_iter().map(|(target, form)| {
        let found = || {
            let is_of_row =
                move |record: &&Record| (record.target.as_str(), record.form) == (target, form);
            records.iter().filter(is_of_row)
        };
        let middle = |value: fn(&Record) -> f64| median(found().map(value));
        Row {
            target: target.to_owned(),
            form,
            entries_per_second: middle(|record| ratio(record.entries as f64, record.seconds)),
            megabytes_per_second: middle(|record| ratio(record.bytes as f64 / 1e6, record.seconds)),
            bytes_per_entry: middle(|record| ratio(record.bytes as f64, record.entries as f64)),
            entries_per_server_cpu_second: middle(|record| {
                ratio(record.entries as f64, record.server_cpu_seconds)
            }),
            faults: found()
                .filter(|record| record.entries != plan.entries)
                .count() as u64,
        }
    });
    rows.collect()
}

/// The table.
pub(crate) fn table(measured: &Catchup) -> String {
    let mut text = format!(
        "\n{} entries about {} documents, {} rounds; medians\n\n{:<14}{:<8}{:>12}{:>9}{:>11}{:>15}{:>8}\n",
        measured.entries,
        measured.documents,
        measured.rounds,
        "of",
        "as",
        "entries/s",
        "MB/s",
        "B an entry",
        "per CPU-s",
        "faults"
    );
    for row in &measured.rows {
        let form = match row.form {
            Form::Lines => "lines",
            Form::Pages => "pages",
        };
        text.push_str(&format!(
            "{:<14}{form:<8}{:>12.0}{:>9.0}{:>11.0}{:>15.0}{:>8}\n",
            row.target,
            row.entries_per_second,
            row.megabytes_per_second,
            row.bytes_per_entry,
            row.entries_per_server_cpu_second,
            row.faults
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_kept_however_it_arrives() {
        let content = b"{\"event\":1}\n{\"event\":2}\n{\"cursor\":\"a-1\"}\n";
        for piece in 1..=content.len() {
            let mut last = Vec::new();
            for part in content.chunks(piece) {
                keep_last_line(&mut last, part);
            }
            assert_eq!(last, b"{\"cursor\":\"a-1\"}\n", "in pieces of {piece}");
        }
    }

    #[test]
    fn connections_write_documents_of_their_own_and_no_write_changes_nothing() {
        let plan = Plan {
            entries: 100,
            documents: 6,
            rounds: 1,
        };
        let mut entries = Entries::new(&plan, 3, "localhost".to_owned());
        let mut wires = Vec::new();
        for turn in 0..100 {
            let mut wire = Vec::new();
            let expected = entries.next(turn % 3, &mut wire).unwrap();
            let text = String::from_utf8(wire).unwrap();
            let is_new = turn < 6;
            assert_eq!(expected == 201, is_new, "{text}");
            assert_eq!(text.contains("If-None-Match: *"), is_new);
            wires.push(text);
        }
        assert!(entries.next(0, &mut Vec::new()).is_none());
        wires.sort_unstable();
        wires.dedup();
        assert_eq!(wires.len(), 100);
    }
}
