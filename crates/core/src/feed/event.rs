//! The events of a feed, and how they stand in an event stream (contract §7; WHATWG
//! HTML §9.2.5, 'Parsing an event stream'):
//!
//! ```text
//! retry: 3000
//! event: put
//! id: k3v4q2ab-17
//! data: {"path":"/notes/1",…}
//!
//! ```
//!
//! A line ends with CR, LF or both, and nothing can be escaped: so data stands on one
//! line, and no `id` can be made but of a [`Cursor`]. U+2028 and its like end no line.

use std::fmt::Write as _;

use super::change::Change;
use super::cursor::Cursor;

/// What a reader is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// `put`, `patch`, `delete`, `leave`: what it holds changes.
    Change(Change<'a>),
    /// `synced`: it was sent all up to the event's own id.
    Synced,
    /// `reset`: drop what is held; a snapshot follows.
    Reset(ResetReason),
    /// `heartbeat`: the line is not dead.
    Heartbeat,
    /// `end`: the server closes the stream.
    End(EndReason),
}

/// Why a reader has to begin anew: in the event stream as `reset`, otherwise a 410.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResetReason {
    /// The snapshot that was asked for begins: there was nothing to go on from.
    Snapshot,
    /// The cursor is none that this server gave out.
    Malformed,
    /// The cursor is of another history than the data's (a copy was restored), lies
    /// ahead of it, or belongs to the snapshot of something else.
    Foreign,
    /// The log no longer reaches back so far.
    TooOld,
    /// What the caller may read is not what it was when the cursor was given out.
    View,
}

/// Why a server closes an event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The token that the feed was asked for with is no longer valid.
    TokenExpired,
    /// Who may read what has changed.
    Policy,
    /// The server shuts down.
    Draining,
    /// The server is overloaded, or the caller asked too often.
    Busy,
    /// The reader does not keep up with what happens.
    Slow,
}

impl ResetReason {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Malformed => "malformed",
            Self::Foreign => "foreign",
            Self::TooOld => "too-old",
            Self::View => "view",
        }
    }
}

impl EndReason {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenExpired => "token-expired",
            Self::Policy => "policy",
            Self::Draining => "draining",
            Self::Busy => "busy",
            Self::Slow => "slow",
        }
    }
}

impl Event<'_> {
    /// The type of the event, for `addEventListener`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Change(change) => change.kind.event(),
            Self::Synced => "synced",
            Self::Reset(_) => "reset",
            Self::Heartbeat => "heartbeat",
            Self::End(_) => "end",
        }
    }

    /// Appends the event to an event stream. `id` is where a reader resumes who got this
    /// far; `retry_ms` says how long one that loses the line is to wait before it does.
    ///
    /// ```
    /// use matchbook_core::feed::{Cursor, Event};
    /// let id: Cursor = "k3v4q2ab-17".parse()?;
    /// let mut stream = String::new();
    /// Event::Synced.block_into(&mut stream, &id, None);
    /// assert_eq!(
    ///     stream,
    ///     "event: synced\nid: k3v4q2ab-17\ndata: {\"cursor\":\"k3v4q2ab-17\"}\n\n",
    /// );
    /// # Ok::<(), matchbook_core::feed::NotACursor>(())
    /// ```
    pub fn block_into(&self, stream: &mut String, id: &Cursor, retry_ms: Option<u32>) {
        retry_into(stream, retry_ms);
        // Writing to a string does not fail.
        let _ = write!(stream, "event: {}\nid: {id}\ndata: ", self.name());
        match self {
            Self::Change(change) => change.data_into(stream),
            Self::Synced => {
                // A cursor holds nothing that a JSON string escapes.
                let _ = write!(stream, "{{\"cursor\":\"{id}\"}}");
            }
            Self::Reset(reason) => reason_into(stream, reason.as_str()),
            Self::Heartbeat => stream.push_str("{}"),
            Self::End(reason) => reason_into(stream, reason.as_str()),
        }
        stream.push_str("\n\n");
    }
}

impl EndReason {
    /// Appends the only event of a stream that ends before it began. It has no id, so
    /// that a client that has one keeps it.
    pub fn refusal_into(self, stream: &mut String, retry_ms: u32) {
        retry_into(stream, Some(retry_ms));
        stream.push_str("event: end\ndata: ");
        reason_into(stream, self.as_str());
        stream.push_str("\n\n");
    }
}

fn retry_into(stream: &mut String, retry_ms: Option<u32>) {
    if let Some(retry_ms) = retry_ms {
        let _ = writeln!(stream, "retry: {retry_ms}");
    }
}

fn reason_into(stream: &mut String, reason: &str) {
    let _ = write!(stream, "{{\"reason\":\"{reason}\"}}");
}

#[cfg(test)]
mod tests;
