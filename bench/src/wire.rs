//! What the change feed costs on the wire: real edits, one PATCH each, and two subscribers
//! whose bytes are counted, one in gzip, against the bytes of the whole document after
//! each edit.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};

use crate::cell::ratio;
use crate::client::Client;
use crate::contender::Programs;
use crate::interrupt;
use crate::stream::Stream;
use crate::trace::{Text, Trace};
use crate::work::{content, field};

/// Where the text is.
const DOCUMENT: &str = "/texts/1";

/// Its collection.
const COLLECTION: &str = "/texts";

/// An event that has not come so long after the last write is lost.
const LATE: Duration = Duration::from_secs(20);

/// How often the subscriber looks up when nothing arrives.
const TICK: Duration = Duration::from_millis(50);

/// What to measure.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) traces: Vec<PathBuf>,
    /// How many transactions of each.
    pub(crate) transactions: usize,
}

/// One trace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) trace: String,
    /// Transactions that changed the document.
    pub(crate) saves: u64,
    /// Events of saves that the subscriber got, and the one in gzip.
    pub(crate) events: [u64; 2],
    /// The document in the end.
    pub(crate) document_bytes: u64,
    /// All that the subscriber received: head, framing, events.
    pub(crate) wire_bytes: u64,
    /// All that the one in gzip received.
    pub(crate) gzip_bytes: u64,
    /// The sum of the document's length after each save.
    pub(crate) whole_bytes: u64,
    /// `wire_bytes / whole_bytes`.
    pub(crate) share: f64,
    /// `gzip_bytes / whole_bytes`.
    pub(crate) gzip_share: f64,
}

impl Row {
    /// The name of the trace without the ending of its file.
    pub(crate) fn name(&self) -> &str {
        self.trace.split('.').next().unwrap_or_default()
    }
}

/// All that was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Wire {
    pub(crate) rows: Vec<Row>,
}

impl Wire {
    /// Events that were lost or repeated.
    pub(crate) fn fault_count(&self) -> u64 {
        let faults = |row: &Row| row.events.map(|events| row.saves.abs_diff(events));
        self.rows.iter().flat_map(faults).sum()
    }
}

/// Replays each trace on a server of its own.
///
/// # Errors
/// Matchbook does not run, a trace cannot be read, or a save fails.
pub(crate) fn run(plan: &Plan, programs: &Programs, directory: &Path) -> anyhow::Result<Wire> {
    programs.require_matchbook()?;
    let mut rows = Vec::new();
    for path in &plan.traces {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        eprintln!("replaying {name}");
        let trace = Trace::read(path)?;
        let own = tempfile::Builder::new()
            .prefix("wire-")
            .tempdir_in(directory)
            .context("cannot make a directory for the data")?;
        let server = programs.start_matchbook(own.path())?;
        let replayed = replay(&trace, plan.transactions, server.address());
        let mut row = replayed.with_context(|| server.last_words())?;
        row.trace = name.into_owned();
        rows.push(row);
    }
    Ok(Wire { rows })
}

fn replay(trace: &Trace, transactions: usize, address: SocketAddr) -> anyhow::Result<Row> {
    let mut editor = Editor::open(trace, address)?;
    // How many events there will be, once that is known.
    let wanted = AtomicU64::new(u64::MAX);
    let request = crate::stream::request(COLLECTION, &address.to_string());
    let follower = Follower::open(address, &request, Stream::new())?;
    let request = crate::stream::gzip_request(COLLECTION, &address.to_string());
    let in_gzip = Follower::open(address, &request, Stream::gzip())?;
    let [received, coded] = std::thread::scope(|scope| {
        let following = [follower, in_gzip].map(|each| scope.spawn(|| each.read(&wanted)));
        let edited = trace
            .txns
            .iter()
            .take(transactions)
            .try_for_each(|transaction| editor.save(transaction));
        wanted.store(editor.saves, Ordering::Release);
        let [received, coded] = following.map(|each| {
            let received = each.join();
            received.map_err(|_| anyhow!("a subscriber's thread ended early"))?
        });
        edited?;
        anyhow::Ok([received?, coded?])
    })?;
    Ok(Row {
        trace: String::new(),
        saves: editor.saves,
        events: [received.events, coded.events],
        document_bytes: editor.check()?,
        wire_bytes: received.bytes,
        gzip_bytes: coded.bytes,
        whole_bytes: editor.whole_bytes,
        share: share(received.bytes, editor.whole_bytes),
        gzip_share: share(coded.bytes, editor.whole_bytes),
    })
}

#[expect(clippy::cast_precision_loss, reason = "bytes far below 2^53")]
fn share(part: u64, whole: u64) -> f64 {
    ratio(part as f64, whole as f64)
}

/// Who saves.
struct Editor {
    client: Client,
    text: Text,
    tag: Vec<u8>,
    saves: u64,
    whole_bytes: u64,
}

impl Editor {
    fn open(trace: &Trace, address: SocketAddr) -> anyhow::Result<Self> {
        let mut client = Client::connect(address)?;
        let text = Text::new(&trace.start_content);
        let Client { request, host, .. } = &mut client;
        // Writing to a vector cannot fail.
        let _ = write!(request, "PUT {DOCUMENT} HTTP/1.1\r\nHost: {host}\r\n");
        field(request, b"If-None-Match", b"*");
        content(request, "application/json", text.document().as_bytes());
        let answer = client.exchange()?;
        if answer.status != 201 {
            bail!("{} instead of 201 to the first text", answer.status);
        }
        let tag = answer.etag.context("no ETag")?.to_vec();
        Ok(Self {
            client,
            text,
            tag,
            saves: 0,
            whole_bytes: 0,
        })
    }

    fn save(&mut self, transaction: &crate::trace::Transaction) -> anyhow::Result<()> {
        interrupt::check()?;
        let patch = self.text.apply(transaction)?;
        let Client { request, host, .. } = &mut self.client;
        // Writing to a vector cannot fail.
        let _ = write!(request, "PATCH {DOCUMENT} HTTP/1.1\r\nHost: {host}\r\n");
        field(request, b"If-Match", &self.tag);
        content(request, "application/json-patch+json", patch.as_bytes());
        let answer = self.client.exchange()?;
        if answer.status != 204 {
            bail!("{} instead of 204 to {patch}", answer.status);
        }
        let tag = answer.etag.context("no ETag")?;
        if tag != self.tag {
            self.tag = tag.to_vec();
            self.saves += 1;
            self.whole_bytes += self.text.document().len() as u64;
        }
        Ok(())
    }

    /// The length of the document, which must be the one that was saved.
    fn check(&mut self) -> anyhow::Result<u64> {
        let answer = self.client.get(DOCUMENT)?;
        let document = self.text.document();
        if !answer.ends_with(document.as_bytes()) {
            bail!("the server holds another text than was saved");
        }
        Ok(document.len() as u64)
    }
}

struct Received {
    events: u64,
    bytes: u64,
}

/// Who is told.
struct Follower {
    socket: TcpStream,
    stream: Stream,
    received: Received,
}

impl Follower {
    /// Subscribes, and waits for the first event.
    fn open(address: SocketAddr, request: &[u8], stream: Stream) -> anyhow::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(TICK))?;
        socket.write_all(request)?;
        let mut follower = Self {
            socket,
            stream,
            received: Received {
                events: 0,
                bytes: 0,
            },
        };
        let mut greeted = false;
        let deadline = Instant::now() + LATE;
        while !greeted {
            if Instant::now() > deadline {
                bail!("the subscription does not begin");
            }
            follower.read_piece(|_| greeted = true)?;
        }
        Ok(follower)
    }

    /// Reads until there were as many events as `wanted`.
    fn read(mut self, wanted: &AtomicU64) -> anyhow::Result<Received> {
        let mut deadline = Instant::now() + LATE;
        loop {
            interrupt::check()?;
            let wanted = wanted.load(Ordering::Acquire);
            if wanted == u64::MAX {
                deadline = Instant::now() + LATE;
            } else if self.received.events >= wanted || Instant::now() > deadline {
                return Ok(self.received);
            }
            let mut events = 0;
            self.read_piece(|block| events += u64::from(is_change(block)))?;
            self.received.events += events;
        }
    }

    /// Reads what has arrived, if something has.
    fn read_piece(&mut self, on_block: impl FnMut(&[u8])) -> anyhow::Result<()> {
        let mut piece = [0; 16 * 1024];
        match self.socket.read(&mut piece) {
            Ok(0) => bail!("the server closed the subscription"),
            Ok(count) => {
                self.received.bytes += count as u64;
                let fed = self
                    .stream
                    .feed(piece.get(..count).unwrap_or_default(), on_block);
                fed.map_err(anyhow::Error::msg)
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn is_change(block: &[u8]) -> bool {
    let mut lines = block.split(|&byte| byte == b'\n');
    lines.any(|line| matches!(line, b"event: put" | b"event: patch"))
}

/// The table.
pub(crate) fn table(measured: &Wire) -> String {
    let mut text = format!(
        "\n{:<32}{:>8}{:>12}{:>14}{:>14}{:>12}{:>9}{:>14}{:>12}{:>9}\n",
        "trace",
        "saves",
        "document B",
        "B if whole",
        "B to one",
        "B an event",
        "share",
        "B in gzip",
        "B an event",
        "share"
    );
    for row in &measured.rows {
        text.push_str(&format!(
            "{:<32}{:>8}{:>12}{:>14}{:>14}{:>12.0}{:>8.2}%{:>14}{:>12.0}{:>8.2}%\n",
            row.trace,
            row.saves,
            row.document_bytes,
            row.whole_bytes,
            row.wire_bytes,
            share(row.wire_bytes, row.saves),
            row.share * 100.0,
            row.gzip_bytes,
            share(row.gzip_bytes, row.saves),
            row.gzip_share * 100.0
        ));
    }
    for row in &measured.rows {
        for events in row.events.iter().filter(|events| **events != row.saves) {
            text.push_str(&format!(
                "FAULT {}: {events} events of {} saves\n",
                row.trace, row.saves
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_events_of_saves() {
        assert!(is_change(b"event: patch\nid: a-1\ndata: {}\n\n"));
        assert!(is_change(b"retry: 1\nevent: put\nid: a-1\ndata: {}\n\n"));
        assert!(!is_change(b"event: synced\nid: a-1\ndata: event: put\n\n"));
    }
}
