//! The attackers: up to thousands of connections on one thread, all of which do the same.
//! What the server makes of them is counted, not judged.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use serde::Serialize;

use super::answers::Answers;
use crate::interrupt;

/// What is read at once.
const READ_BYTES: usize = 64 * 1024;

/// What one connection sends before it is another's turn.
const TURN_BYTES: usize = 256 * 1024;

/// So many connections are opened in one turn of the loop: fewer than any server lets
/// wait.
const OPENED_AT_ONCE: usize = 100;

/// How often the loop looks up when nothing happens.
const TICK: Duration = Duration::from_millis(20);

/// How far the bytes of those who drip are apart.
const DRIP_EVERY: Duration = Duration::from_secs(1);

/// Appends what is sent in a turn, by its number.
type Turn = dyn Fn(u32, &mut Vec<u8>) + Sync;

/// What an attacker sends after its opening.
pub(super) enum Then {
    /// Nothing.
    Silence,
    /// This byte, once a second.
    Drip(u8),
    /// One turn after the other, as fast as the server takes them.
    Flood(Box<Turn>),
}

/// What all attackers do.
pub(super) struct Attack {
    pub(super) connections: usize,
    /// Sent at once.
    pub(super) opening: Vec<u8>,
    pub(super) then: Then,
    /// Whether they read what the server sends.
    pub(super) reads: bool,
    /// Whether they connect again when the server closes.
    pub(super) comes_back: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Toll {
    /// Connections that were opened, one after the other and at once.
    pub(crate) opened: u64,
    /// Those that the server ended.
    pub(crate) ended: u64,
    /// Those that were still open at the end.
    pub(crate) standing: u64,
    pub(crate) sent_bytes: u64,
    /// Answers by their status, as far as they were read.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// HTTP/2 connections that ended with a GOAWAY that names an error.
    pub(crate) goaways: u64,
}

struct Attacker {
    stream: TcpStream,
    /// What is to be sent, and how much of it was.
    outgoing: Vec<u8>,
    sent: usize,
    turn: u32,
    can_write: bool,
    answers: Answers,
}

/// All attackers of one server.
pub(super) struct Crowd<'a> {
    address: SocketAddr,
    attack: &'a Attack,
    poll: Poll,
    /// `None` where one has ended and does not come back.
    attackers: Vec<Option<Attacker>>,
    buffer: Vec<u8>,
    toll: Toll,
}

impl<'a> Crowd<'a> {
    pub(super) fn new(address: SocketAddr, attack: &'a Attack) -> anyhow::Result<Self> {
        Ok(Self {
            address,
            attack,
            poll: Poll::new()?,
            attackers: Vec::with_capacity(attack.connections),
            buffer: vec![0; READ_BYTES],
            toll: Toll::default(),
        })
    }

    /// Attacks for `time`.
    ///
    /// # Errors
    /// Interrupted, the poll failed, or this machine gives no more connections.
    pub(super) fn press(mut self, time: Duration) -> anyhow::Result<Toll> {
        let deadline = Instant::now() + time;
        let mut events = Events::with_capacity(1024);
        let mut dripped = Instant::now();
        while Instant::now() < deadline {
            interrupt::check()?;
            self.gather()?;
            let is_busy = self.attackers.iter().flatten().any(|one| {
                one.can_write && (one.sent < one.outgoing.len() || self.attack.floods())
            });
            let wait = if is_busy { Duration::ZERO } else { TICK };
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error.into());
            }
            for event in &events {
                let index = event.token().0;
                let Some(Some(one)) = self.attackers.get_mut(index) else {
                    continue;
                };
                one.can_write |= event.is_writable();
                let has_ended = if self.attack.reads {
                    event.is_readable() && !one.read(&mut self.buffer)
                } else {
                    event.is_read_closed() || event.is_error()
                };
                if has_ended {
                    self.end(index);
                }
            }
            if dripped.elapsed() >= DRIP_EVERY {
                dripped = Instant::now();
                self.drip();
            }
            self.write();
        }
        for one in self.attackers.iter().flatten() {
            self.toll.standing += 1;
            one.answers.add_to(&mut self.toll);
        }
        Ok(self.toll)
    }

    /// Opens some of the connections that are missing.
    fn gather(&mut self) -> anyhow::Result<()> {
        let comes_back = self.attack.comes_back;
        let gaps = self.attackers.iter().enumerate();
        let gaps = gaps.filter(|(_, one)| comes_back && one.is_none());
        let mut missing: Vec<usize> = gaps.map(|(index, _)| index).collect();
        missing.extend(self.attackers.len()..self.attack.connections);
        for index in missing.into_iter().take(OPENED_AT_ONCE) {
            let mut stream = TcpStream::connect(self.address)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registry = self.poll.registry();
            registry.register(&mut stream, Token(index), interest)?;
            self.toll.opened += 1;
            let one = Some(Attacker {
                stream,
                outgoing: self.attack.opening.clone(),
                sent: 0,
                turn: 0,
                can_write: false,
                answers: Answers::default(),
            });
            match self.attackers.get_mut(index) {
                Some(place) => *place = one,
                None => self.attackers.push(one),
            }
        }
        Ok(())
    }

    fn drip(&mut self) {
        if let Then::Drip(byte) = self.attack.then {
            for one in self.attackers.iter_mut().flatten() {
                one.outgoing.push(byte);
            }
        }
    }

    /// Sends what sockets take.
    fn write(&mut self) {
        for index in 0..self.attackers.len() {
            let Some(Some(one)) = self.attackers.get_mut(index) else {
                continue;
            };
            match one.write(&self.attack.then) {
                Ok(count) => self.toll.sent_bytes += count,
                Err(_closed) => {
                    if self.attack.reads {
                        // What the server said before it closed.
                        one.read(&mut self.buffer);
                    }
                    self.end(index);
                }
            }
        }
    }

    /// Counts a connection that the server has ended.
    fn end(&mut self, index: usize) {
        if let Some(one) = self.attackers.get_mut(index).and_then(Option::take) {
            self.toll.ended += 1;
            one.answers.add_to(&mut self.toll);
        }
    }
}

impl Attack {
    fn floods(&self) -> bool {
        matches!(self.then, Then::Flood(_))
    }
}

impl Attacker {
    /// Reads what has arrived; false if the connection has ended.
    fn read(&mut self, buffer: &mut [u8]) -> bool {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return false,
                Ok(count) => self.answers.feed(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }

    /// Sends as much as the socket takes, or one turn has.
    fn write(&mut self, then: &Then) -> io::Result<u64> {
        let mut count = 0;
        while self.can_write && count < TURN_BYTES {
            if self.sent == self.outgoing.len() {
                self.outgoing.clear();
                self.sent = 0;
                let Then::Flood(more) = then else {
                    break;
                };
                more(self.turn, &mut self.outgoing);
                self.turn += 1;
                if self.outgoing.is_empty() {
                    break;
                }
            }
            let rest = self.outgoing.get(self.sent..).unwrap_or_default();
            match self.stream.write(rest) {
                Ok(sent) => {
                    self.sent += sent;
                    count += sent;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.can_write = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count as u64)
    }
}
