//! The subscribers: thousands of connections that only listen, on one thread. Each event
//! costs one turn of the poll, one read and two searches, so that what is measured is the
//! server, and its processor time is not this program's.
//!
//! Events are told apart by the number that each edit writes into its document. The
//! numbers of all edits follow each other, so whoever missed one or got one twice is seen.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream as BlockingStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use memchr::memmem::Finder;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::sent::SentTimes;
use crate::document::NUMBER_BASE;
use crate::interrupt;
use crate::latency::Latency;
use crate::stream::Stream;

/// What is read at once.
const READ_BYTES: usize = 64 * 1024;

/// So many connections are opened before the first of them are waited for: fewer than
/// any server lets wait.
const OPENED_AT_ONCE: usize = 100;

/// A subscription that has not begun by then never will.
const GREETED_WITHIN: Duration = Duration::from_secs(20);

/// How long a connection may take to be made.
const CONNECT_AT_MOST: Duration = Duration::from_secs(5);

/// How often the loop looks up when nothing arrives.
const TICK: Duration = Duration::from_millis(20);

/// Stands in every event before the number of its edit.
const BEFORE_EDIT: &[u8] = b"\"path\":\"/edits\",\"value\":";

/// What all subscribers got, together.
pub(crate) struct Tally {
    /// Subscriptions that have begun.
    pub(crate) greeted: usize,
    /// Events of edits.
    pub(crate) delivered: u64,
    /// Their bytes, without the framing of HTTP.
    pub(crate) event_bytes: u64,
    /// Edits that a subscriber did not get.
    pub(crate) lost: u64,
    /// Edits that a subscriber got again.
    pub(crate) repeated: u64,
    /// By edit, how many have got it.
    arrived: Vec<usize>,
    /// From just before the write was sent.
    pub(crate) latency: Latency,
    pub(crate) faults: BTreeMap<String, u64>,
}

impl Tally {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            greeted: 0,
            delivered: 0,
            event_bytes: 0,
            lost: 0,
            repeated: 0,
            arrived: Vec::new(),
            latency: Latency::new()?,
            faults: BTreeMap::new(),
        })
    }

    /// How many have got `edit`.
    pub(crate) fn arrived(&self, edit: u64) -> usize {
        let index = usize::try_from(edit).unwrap_or(usize::MAX);
        self.arrived.get(index).copied().unwrap_or_default()
    }

    fn arrive(&mut self, edit: u64) {
        let index = usize::try_from(edit).unwrap_or(usize::MAX);
        if let Some(count) = self.arrived.get_mut(index) {
            *count += 1;
        }
    }
}

/// All subscribers of one server.
pub(crate) struct Audience {
    poll: Poll,
    events: Events,
    members: Vec<Member>,
    buffer: Vec<u8>,
    before_edit: Finder<'static>,
    waits_for_event: bool,
    tally: Tally,
}

struct Member {
    /// `None` after a fault.
    socket: Option<TcpStream>,
    stream: Stream,
    greeted: bool,
    /// The last edit that it got.
    last: u64,
}

impl Audience {
    /// Opens `count` subscriptions with `request`, which have all seen edit `last`, and
    /// waits until all of them have begun: with their first event if `waits_for_event`.
    ///
    /// # Errors
    /// A connection cannot be opened, or a subscription does not begin.
    pub(crate) fn open(
        address: SocketAddr,
        request: &[u8],
        count: usize,
        last: u64,
        waits_for_event: bool,
    ) -> anyhow::Result<Self> {
        let mut audience = Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            members: Vec::with_capacity(count),
            buffer: vec![0; READ_BYTES],
            before_edit: Finder::new(BEFORE_EDIT),
            waits_for_event,
            tally: Tally::new()?,
        };
        let none = SentTimes::new(0);
        while audience.members.len() < count {
            for _ in 0..OPENED_AT_ONCE.min(count - audience.members.len()) {
                audience.join(address, request, last)?;
            }
            let members = audience.members.len();
            let greeted = audience.listen(&none, GREETED_WITHIN, |tally| {
                tally.greeted >= members || !tally.faults.is_empty()
            })?;
            let tally = &audience.tally;
            if !greeted || !tally.faults.is_empty() {
                bail!(
                    "{} of {members} subscriptions began within {GREETED_WITHIN:?}; {:?}",
                    tally.greeted,
                    tally.faults
                );
            }
        }
        Ok(audience)
    }

    fn join(&mut self, address: SocketAddr, request: &[u8], last: u64) -> anyhow::Result<()> {
        let mut socket = BlockingStream::connect_timeout(&address, CONNECT_AT_MOST)
            .with_context(|| format!("cannot connect to {address}"))?;
        socket.write_all(request)?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        let token = Token(self.members.len());
        let registry = self.poll.registry();
        registry.register(&mut socket, token, Interest::READABLE)?;
        self.members.push(Member {
            socket: Some(socket),
            stream: Stream::new(),
            greeted: false,
            last,
        });
        Ok(())
    }

    /// Counts deliveries anew from here on, with room for the edits up to `last`. What was
    /// wrong before stays counted.
    ///
    /// # Errors
    /// There are more edits than this machine can count.
    pub(crate) fn begin(&mut self, last: u64) -> anyhow::Result<()> {
        let tally = &mut self.tally;
        (tally.delivered, tally.event_bytes) = (0, 0);
        tally.latency.clear();
        tally.arrived = vec![0; usize::try_from(last)? + 1];
        Ok(())
    }

    /// Reads what arrives until `done`; false if that is not so within `at_most`.
    ///
    /// # Errors
    /// Interrupted, or the poll failed.
    pub(crate) fn listen(
        &mut self,
        sent: &SentTimes,
        at_most: Duration,
        mut done: impl FnMut(&Tally) -> bool,
    ) -> anyhow::Result<bool> {
        let deadline = Instant::now() + at_most;
        while !done(&self.tally) {
            interrupt::check()?;
            if Instant::now() >= deadline {
                return Ok(false);
            }
            if let Err(error) = self.poll.poll(&mut self.events, Some(TICK))
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error.into());
            }
            for event in &self.events {
                let Some(member) = self.members.get_mut(event.token().0) else {
                    continue;
                };
                let served = member.serve(
                    &mut self.buffer,
                    &self.before_edit,
                    self.waits_for_event,
                    sent,
                    &mut self.tally,
                );
                if let Err(reason) = served {
                    // Dropping the socket takes it out of the poll.
                    member.socket = None;
                    *self.tally.faults.entry(reason).or_default() += 1;
                }
            }
        }
        Ok(true)
    }

    /// How many subscriptions there are, with those that failed.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Ends the counting at edit `last`: what has not come by now is lost.
    pub(crate) fn end(&mut self, last: u64) -> &Tally {
        for member in &mut self.members {
            self.tally.lost += last.saturating_sub(member.last);
            member.last = member.last.max(last);
        }
        &self.tally
    }
}

impl Member {
    /// Reads what has arrived.
    ///
    /// A read that leaves room has emptied the socket; should more arrive, the poll
    /// reports it anew.
    fn serve(
        &mut self,
        buffer: &mut [u8],
        before_edit: &Finder<'_>,
        waits_for_event: bool,
        sent: &SentTimes,
        tally: &mut Tally,
    ) -> Result<(), String> {
        loop {
            let Some(socket) = &mut self.socket else {
                return Ok(());
            };
            let count = match socket.read(buffer) {
                Ok(0) => return Err("the server closed the connection".to_owned()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("cannot receive: {}", error.kind())),
            };
            let now = Instant::now();
            let received = buffer.get(..count).unwrap_or_default();
            let (last, mut told) = (&mut self.last, Ok(()));
            let mut blocks = 0_usize;
            self.stream.feed(received, |block| {
                blocks += 1;
                match edit_of(block, before_edit) {
                    Some(edit) => take(edit, last, block.len(), sent.age_ns(edit, now), tally),
                    None if told.is_ok() => told = refuse_end(block),
                    None => {}
                }
            })?;
            told?;
            if !self.greeted && self.stream.is_open() && (blocks > 0 || !waits_for_event) {
                self.greeted = true;
                tally.greeted += 1;
            }
            if count < buffer.len() {
                return Ok(());
            }
        }
    }
}

/// Counts an event of `edit` for a subscriber that had seen `last`.
fn take(edit: u64, last: &mut u64, bytes: usize, age_ns: Option<u64>, tally: &mut Tally) {
    if edit <= *last {
        tally.repeated += 1;
        return;
    }
    tally.lost += edit - *last - 1;
    *last = edit;
    tally.delivered += 1;
    tally.event_bytes += bytes as u64;
    tally.arrive(edit);
    if let Some(age_ns) = age_ns {
        tally.latency.record(Duration::from_nanos(age_ns));
    }
}

/// The number of the edit that an event tells of, if it does.
fn edit_of(block: &[u8], before_edit: &Finder<'_>) -> Option<u64> {
    let at = before_edit.find(block)? + BEFORE_EDIT.len();
    let mut digits = block
        .get(at..)?
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let number = digits.try_fold(0_u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    });
    number?.checked_sub(NUMBER_BASE)
}

/// What tells of no edit may be a greeting or a heartbeat, but neither the end nor a new
/// beginning.
fn refuse_end(block: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(block);
    let is_end = |line: &str| matches!(line, "event: end" | "event: reset");
    if text.lines().any(is_end) {
        return Err(format!("an event of another kind: {text:?}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edit_of_an_event_is_found() {
        let finder = Finder::new(BEFORE_EDIT);
        let of = |block: &str| edit_of(block.as_bytes(), &finder);
        let event = r#"data: {"patch":[{"op":"replace","path":"/edits","value":1000000041}]}"#;
        assert_eq!(of(event), Some(41));
        assert_eq!(of("event: heartbeat\ndata: {}\n\n"), None);
        assert_eq!(
            of(r#""path":"/edits","value":99999999999999999999999"#),
            None
        );
    }

    #[test]
    fn what_is_missed_or_repeated_is_counted() {
        let mut tally = Tally::new().unwrap();
        tally.arrived = vec![0; 10];
        let mut last = 3;
        for edit in [4, 5, 5, 8, 4, 9] {
            take(edit, &mut last, 100, None, &mut tally);
        }
        assert_eq!((tally.delivered, tally.event_bytes), (4, 400));
        assert_eq!((tally.lost, tally.repeated), (2, 2));
        assert_eq!((tally.arrived(8), tally.arrived(6)), (1, 0));
    }

    #[test]
    fn an_end_is_a_fault_and_a_heartbeat_is_none() {
        assert!(refuse_end(b"event: end\nid: a-1\ndata: {\"reason\":\"slow\"}\n\n").is_err());
        assert!(refuse_end(b"event: heartbeat\nid: a-1\ndata: {}\n\n").is_ok());
    }
}
