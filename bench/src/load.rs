//! The load generator: one thread, non-blocking sockets, one outstanding request a
//! connection. It has to be far cheaper than the servers, so requests are built into
//! buffers that are kept, and an answer costs one read and one write.
//!
//! The loop is closed: a connection sends when its last answer has arrived. So
//! latency is what that many patient clients see, not what a queue of impatient ones
//! would.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream as BlockingStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::interrupt;
use crate::latency::Latency;
use crate::response::Response;

/// The longest a response may be, and so the buffer of a connection: a page of a hundred
/// documents, with room. What is never received takes no memory.
const RESPONSE_BYTES_MAX: usize = 512 * 1024;

/// After this many faults a run is not worth going on.
const FAULTS_MAX: u64 = 1_000;

/// How long answers may be outstanding after the last request.
const DRAIN_AT_MOST: Duration = Duration::from_secs(20);

/// How often the loop looks up when nothing arrives.
const TICK: Duration = Duration::from_millis(100);

/// How long a connection may take to be made.
const CONNECT_AT_MOST: Duration = Duration::from_secs(5);

/// What the requests are and what their answers must be.
pub(crate) trait Source {
    /// Appends the next request of `connection` to `wire` and names the document that
    /// it is about; `None` when this connection has no more to send.
    fn next(&mut self, connection: usize, wire: &mut Vec<u8>) -> Option<u64>;

    /// Takes the answer about `document`.
    ///
    /// # Errors
    /// Why the answer is not the expected one; such an answer is counted as a fault.
    fn answered(&mut self, document: u64, response: &Response<'_>) -> Result<(), String>;

    /// Whether the server refused the request for a reason of its own, which is neither a
    /// good answer nor a fault.
    fn refused(&mut self, _document: u64, _response: &Response<'_>) -> bool {
        false
    }
}

/// What a run measured.
pub(crate) struct Outcome {
    /// Good answers that arrived in the time of the run.
    pub(crate) answers: u64,
    /// Good answers, with those that arrived after the time was over.
    pub(crate) answers_in_all: u64,
    /// From the first request to the end of the time, or to the last answer if the
    /// source ran dry before.
    pub(crate) elapsed: Duration,
    pub(crate) latency: Latency,
    /// Requests that the server refused for a reason of its own.
    pub(crate) refusals: u64,
    /// How often which fault was seen.
    pub(crate) faults: BTreeMap<String, u64>,
}

impl Outcome {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            answers: 0,
            answers_in_all: 0,
            elapsed: Duration::ZERO,
            latency: Latency::new()?,
            refusals: 0,
            faults: BTreeMap::new(),
        })
    }

    /// All faults together.
    pub(crate) fn fault_count(&self) -> u64 {
        self.faults.values().sum()
    }

    fn fault(&mut self, reason: String) -> anyhow::Result<()> {
        *self.faults.entry(reason).or_default() += 1;
        if self.fault_count() >= FAULTS_MAX {
            bail!("gave up after {FAULTS_MAX} faults: {:?}", self.faults);
        }
        Ok(())
    }
}

/// A set of connections to one server.
pub(crate) struct Pool {
    address: SocketAddr,
    poll: Poll,
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    sent_bytes: usize,
    received: Vec<u8>,
    received_bytes: usize,
    /// What was asked for and when, while the answer is outstanding.
    outstanding: Option<(u64, Instant)>,
}

/// What became of a connection when its socket was served.
enum Progress {
    Waiting,
    Answered,
    Failed(String),
}

impl Pool {
    /// Opens `count` connections.
    ///
    /// # Errors
    /// One of them cannot be opened.
    pub(crate) fn open(address: SocketAddr, count: usize) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let connections = (0..count)
            .map(|index| Connection::open(address, &poll, Token(index)))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            address,
            poll,
            connections,
        })
    }

    /// Sends what `source` gives until `time` is over or the source has no more, and
    /// waits for all answers.
    ///
    /// # Errors
    /// Interrupted, too many faults, answers that do not come, or no new connection
    /// in place of a failed one.
    pub(crate) fn run(
        &mut self,
        source: &mut impl Source,
        time: Duration,
    ) -> anyhow::Result<Outcome> {
        let mut outcome = Outcome::new()?;
        let started = Instant::now();
        let deadline = started + time;
        let mut events = Events::with_capacity(1024);
        let mut outstanding = 0_usize;
        for (index, connection) in self.connections.iter_mut().enumerate() {
            outstanding += usize::from(connection.send_next(index, source, started));
        }
        while outstanding > 0 {
            interrupt::check()?;
            if Instant::now() > deadline + DRAIN_AT_MOST {
                bail!("{outstanding} answers are still outstanding after {DRAIN_AT_MOST:?}");
            }
            if let Err(error) = self.poll.poll(&mut events, Some(TICK))
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error.into());
            }
            for event in &events {
                let index = event.token().0;
                if self.serve(index, source, deadline, &mut outcome)? {
                    outstanding -= 1;
                }
            }
        }
        outcome.elapsed = started.elapsed().min(time);
        Ok(outcome)
    }

    /// Serves one ready connection; true if it came to rest, with nothing outstanding.
    fn serve(
        &mut self,
        index: usize,
        source: &mut impl Source,
        deadline: Instant,
        outcome: &mut Outcome,
    ) -> anyhow::Result<bool> {
        let Some(connection) = self.connections.get_mut(index) else {
            return Ok(false);
        };
        let Some((document, asked)) = connection.outstanding else {
            return Ok(false);
        };
        let progress = connection.progress();
        let now = Instant::now();
        let reopen = match progress {
            Progress::Waiting => return Ok(false),
            Progress::Failed(reason) => {
                outcome.fault(reason)?;
                true
            }
            Progress::Answered => {
                let received = connection.received.get(..connection.received_bytes);
                match Response::parse(received.unwrap_or_default()) {
                    Ok(None) if connection.received_bytes < RESPONSE_BYTES_MAX => {
                        return Ok(false);
                    }
                    Ok(None) => {
                        outcome.fault("a response that is too long".to_owned())?;
                        true
                    }
                    Err(error) => {
                        outcome.fault(format!("a bad response: {error}"))?;
                        true
                    }
                    Ok(Some(response)) => {
                        judge(source, document, &response, now, asked, deadline, outcome)?;
                        response.closes || response.wire_bytes != connection.received_bytes
                    }
                }
            }
        };
        connection.outstanding = None;
        if reopen {
            *connection = Connection::open(self.address, &self.poll, Token(index))?;
        }
        Ok(now >= deadline || !connection.send_next(index, source, now))
    }
}

/// Counts one answer, as good or as a fault.
fn judge(
    source: &mut impl Source,
    document: u64,
    response: &Response<'_>,
    now: Instant,
    asked: Instant,
    deadline: Instant,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    if source.refused(document, response) {
        outcome.refusals += 1;
        return Ok(());
    }
    if let Err(reason) = source.answered(document, response) {
        return outcome.fault(reason);
    }
    outcome.answers_in_all += 1;
    if now < deadline {
        outcome.answers += 1;
        outcome.latency.record(now - asked);
    }
    Ok(())
}

impl Connection {
    fn open(address: SocketAddr, poll: &Poll, token: Token) -> anyhow::Result<Self> {
        let stream = BlockingStream::connect_timeout(&address, CONNECT_AT_MOST)
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, token, interest)?;
        Ok(Self {
            stream,
            request: Vec::with_capacity(2048),
            sent_bytes: 0,
            received: vec![0; RESPONSE_BYTES_MAX],
            received_bytes: 0,
            outstanding: None,
        })
    }

    /// Sends the next request; false if there is none.
    fn send_next(&mut self, index: usize, source: &mut impl Source, now: Instant) -> bool {
        self.request.clear();
        self.sent_bytes = 0;
        self.received_bytes = 0;
        let Some(document) = source.next(index, &mut self.request) else {
            return false;
        };
        self.outstanding = Some((document, now));
        // A failed write is seen again, and counted, when the socket is next served.
        let _seen_again = self.write();
        true
    }

    /// Writes what the socket takes.
    fn write(&mut self) -> io::Result<()> {
        while let Some(rest) = self.request.get(self.sent_bytes..)
            && !rest.is_empty()
        {
            match self.stream.write(rest) {
                Ok(count) => self.sent_bytes += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Moves bytes in both directions as far as the socket allows.
    ///
    /// A read that leaves room has emptied the socket: since one request is
    /// outstanding, nothing follows its answer, so there is no second read to learn
    /// that. Should more arrive, the poll reports it anew.
    fn progress(&mut self) -> Progress {
        if self.sent_bytes < self.request.len()
            && let Err(error) = self.write()
        {
            return Progress::Failed(format!("cannot send: {}", error.kind()));
        }
        loop {
            let Some(room) = self.received.get_mut(self.received_bytes..) else {
                return Progress::Failed("a response that is too long".to_owned());
            };
            return match self.stream.read(room) {
                Ok(0) => Progress::Failed("the server closed the connection".to_owned()),
                Ok(count) => {
                    self.received_bytes += count;
                    Progress::Answered
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Progress::Waiting,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Progress::Failed(format!("cannot receive: {}", error.kind())),
            };
        }
    }
}
