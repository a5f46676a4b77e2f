//! An event stream, as it comes (WHATWG HTML §9.2.5, 'Parsing an event stream', and
//! §9.2.6, 'Interpreting an event stream').
//!
//! ```text
//! stream  = [ bom ] *event
//! event   = *( comment / field ) end-of-line
//! comment = ":" *any-char end-of-line
//! field   = name [ ":" [ space ] *any-char ] end-of-line
//! ```
//!
//! A line ends with CR, LF or both. Chunks may end anywhere, also between the two.

use std::fmt;
use std::sync::Arc;

use matchbook_core::limits::DOCUMENT_BYTES;

/// Largest event: sixteen times the largest document that a server takes unless it is
/// told otherwise. A stream without end of line must not fill the memory.
pub(crate) const EVENT_BYTES: usize = 16 * DOCUMENT_BYTES;

/// What a browser dispatches as a `MessageEvent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its type; `message` where the stream names none.
    pub(crate) name: String,
    /// The last id that the stream gave, in this block or before; empty if none.
    pub(crate) id: Arc<str>,
    /// The values of its `data` lines, with line feeds between.
    pub(crate) data: String,
}

/// Reads one stream. What remains unfinished when it ends is no event.
pub(super) struct Parser {
    max_bytes: usize,
    /// The line so far, without its end.
    line: Vec<u8>,
    /// The last byte was a CR: a LF that follows belongs to the same end of line.
    is_after_cr: bool,
    /// No line has ended yet: a byte order mark may come.
    is_first_line: bool,
    name: String,
    data: String,
    /// Whether there was a `data` line: one may be empty.
    has_data: bool,
    id: Arc<str>,
    /// Of the last block that has ended.
    last_id: Arc<str>,
    retry_ms: Option<u64>,
}

/// An event is larger than this many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge(usize);

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event has more than {} bytes", self.0)
    }
}

impl Parser {
    /// Starts a stream after another one that ended with this id.
    pub(crate) fn new(last_id: Arc<str>, max_bytes: usize) -> Self {
        Self {
            max_bytes,
            line: Vec::new(),
            is_after_cr: false,
            is_first_line: true,
            name: String::new(),
            data: String::new(),
            has_data: false,
            id: Arc::clone(&last_id),
            last_id,
            retry_ms: None,
        }
    }

    /// Reads a chunk and appends the events that it completes.
    ///
    /// # Errors
    /// An event grows too large. The events before it are there.
    pub(crate) fn push(&mut self, chunk: &[u8], events: &mut Vec<Event>) -> Result<(), TooLarge> {
        let mut rest = chunk;
        if self.is_after_cr
            && let Some((first, tail)) = rest.split_first()
        {
            self.is_after_cr = false;
            if *first == b'\n' {
                rest = tail;
            }
        }
        while let Some(end) = memchr::memchr2(b'\r', b'\n', rest) {
            let (line, after) = rest.split_at(end);
            self.extend(line)?;
            self.end_line(events);
            rest = match after {
                [b'\r', b'\n', tail @ ..] | [_, tail @ ..] => tail,
                [] => after,
            };
            self.is_after_cr = after == b"\r";
        }
        self.extend(rest)
    }

    /// Where to go on: the id of the last block that has ended; empty if none.
    pub(crate) fn last_id(&self) -> &Arc<str> {
        &self.last_id
    }

    /// How long to wait before coming back, if the stream said so.
    pub(crate) fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    fn extend(&mut self, part: &[u8]) -> Result<(), TooLarge> {
        if self.line.len() + self.data.len() + part.len() > self.max_bytes {
            return Err(TooLarge(self.max_bytes));
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<Event>) {
        let line = std::mem::take(&mut self.line);
        let mut bytes = line.as_slice();
        if std::mem::take(&mut self.is_first_line) {
            bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        }
        if bytes.is_empty() {
            self.end_block(events);
        } else {
            // No end of line is part of a character, so that lines can be decoded one
            // by one.
            let text = String::from_utf8_lossy(bytes);
            let (name, value) = text.split_once(':').unwrap_or((&text, ""));
            self.field(name, value.strip_prefix(' ').unwrap_or(value));
        }
        // The next line may be as long.
        self.line = line;
        self.line.clear();
    }

    /// A comment is a field without name.
    fn field(&mut self, name: &str, value: &str) {
        match name {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "id" if !value.contains('\0') => self.id = value.into(),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                // Nothing, or more than can be counted, is no time.
                self.retry_ms = value.parse().ok().or(self.retry_ms);
            }
            _ => {}
        }
    }

    fn end_block(&mut self, events: &mut Vec<Event>) {
        self.last_id = Arc::clone(&self.id);
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        if !std::mem::take(&mut self.has_data) {
            return;
        }
        let is_named = !name.is_empty();
        events.push(Event {
            name: if is_named { name } else { "message".to_owned() },
            id: Arc::clone(&self.last_id),
            data,
        });
    }
}

#[cfg(test)]
mod tests;
