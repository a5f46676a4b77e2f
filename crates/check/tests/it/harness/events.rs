//! An event stream, read as the HTML standard says (§9.2.6, 'Interpreting an event
//! stream'), and independently of what the server makes of it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::answer::Answer;
use super::client::Connection;
use super::exact;
use super::gzip::Gunzip;

/// How long a stream may be read, from its beginning to its end. Only a broken server
/// lets a test wait so long.
const PATIENCE: Duration = Duration::from_secs(100);

/// One event, as a client gets it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// Its type.
    pub(crate) name: String,
    /// The last event id with it, its own one or an earlier one.
    pub(crate) id: String,
    /// Whether it has an id of its own.
    pub(crate) has_id: bool,
    /// Its data, as it came.
    pub(crate) data: String,
    /// The reconnection time in the same block.
    pub(crate) retry: Option<u64>,
}

/// An event stream that is being read.
pub(crate) struct Events {
    connection: Connection,
    /// What the server answered, without the events.
    pub(crate) head: Answer,
    deadline: Instant,
    /// What came and is no whole line yet.
    rest: Vec<u8>,
    /// The position of what was read.
    read: usize,
    pub(crate) last_id: String,
    /// Whether a content that is not chunked was read.
    is_whole: bool,
    /// What undoes its coding.
    gunzip: Option<Gunzip>,
    /// Bytes of the content that came, in its coding.
    pub(crate) coded_bytes: usize,
}

impl Event {
    /// Its data as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Its data as JSON with exact numbers.
    #[track_caller]
    pub(crate) fn exact(&self) -> Value {
        exact::value(&self.data)
    }

    /// Asserts its type.
    #[track_caller]
    pub(crate) fn is(&self, name: &str) -> &Self {
        assert!(self.name == name, "'{name}' is expected, not {self:?}");
        self
    }

    /// A member of its data that is a string.
    #[track_caller]
    pub(crate) fn text(&self, member: &str) -> String {
        match self.exact()[member].as_str() {
            Some(text) => text.to_owned(),
            None => panic!("no {member} in {self:?}"),
        }
    }
}

impl Events {
    /// Asks for the events of a target, with more fields, and reads the head of the
    /// answer.
    #[track_caller]
    pub(crate) fn open(address: SocketAddr, target: &str, fields: &[(&str, &str)]) -> Self {
        match Self::try_open(address, target, fields) {
            Ok(events) => {
                events.head.status(200);
                events
            }
            Err(error) => panic!("no event stream of {target}: {error}"),
        }
    }

    /// Asks for the events of a target.
    ///
    /// # Errors
    /// Nobody answers.
    pub(crate) fn try_open(
        address: SocketAddr,
        target: &str,
        fields: &[(&str, &str)],
    ) -> std::io::Result<Self> {
        let mut connection = Connection::try_open(address)?;
        let mut request = connection.get(target).field("Accept", "text/event-stream");
        for (name, value) in fields {
            request = request.field(name, value);
        }
        let bytes = request.bytes();
        connection.try_send(bytes)?;
        let head = connection.try_head()?;
        let coding = head.maybe("content-encoding");
        assert!(coding.is_none_or(|coding| coding == "gzip"), "{head}");
        let gunzip = coding.map(|_| Gunzip::new());
        Ok(Self {
            connection,
            head,
            deadline: Instant::now() + PATIENCE,
            rest: Vec::new(),
            read: 0,
            last_id: String::new(),
            is_whole: false,
            gunzip,
            coded_bytes: 0,
        })
    }

    /// Is patient anew.
    pub(crate) fn anew(&mut self) {
        self.deadline = Instant::now() + PATIENCE;
    }

    /// The next event.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Event {
        match self.try_next() {
            Ok(Some(event)) => event,
            Ok(None) => panic!("the stream has ended after {}", self.last_id),
            Err(error) => panic!("no event after {}: {error}", self.last_id),
        }
    }

    /// The next so many events.
    #[track_caller]
    pub(crate) fn take(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::with_capacity(count);
        for _ in 0..count {
            events.push(self.next());
        }
        events
    }

    /// All events up to the next one of this type, and that.
    #[track_caller]
    pub(crate) fn until(&mut self, name: &str) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let event = self.next();
            let is_last = event.name == name;
            events.push(event);
            if is_last {
                return events;
            }
        }
    }

    /// All events up to the end of the stream.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            match self.try_next() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => return events,
                Err(error) => panic!("the stream broke off after {}: {error}", self.last_id),
            }
        }
    }

    /// The next event; `None` is the orderly end of the stream.
    ///
    /// # Errors
    /// The connection ended, or nothing came in time.
    pub(crate) fn try_next(&mut self) -> std::io::Result<Option<Event>> {
        let mut event = Event {
            name: String::new(),
            id: String::new(),
            has_id: false,
            data: String::new(),
            retry: None,
        };
        let mut has_data = false;
        while let Some(line) = self.line()? {
            if line.is_empty() {
                if !has_data {
                    event.name.clear();
                    continue;
                }
                event.id.clone_from(&self.last_id);
                if event.name.is_empty() {
                    event.name.push_str("message");
                }
                return Ok(Some(event));
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => event.name = value.to_owned(),
                "data" => {
                    if has_data {
                        event.data.push('\n');
                    }
                    event.data.push_str(value);
                    has_data = true;
                }
                "id" if !value.contains('\0') => {
                    self.last_id = value.to_owned();
                    event.has_id = true;
                }
                "retry" => event.retry = value.parse().ok(),
                _ => {}
            }
        }
        Ok(None)
    }

    /// The next part of what it stands for; `None` is its end.
    fn some(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let coded = self.some_coded()?;
        self.coded_bytes += coded.as_ref().map_or(0, Vec::len);
        match (&mut self.gunzip, coded) {
            (None, coded) => Ok(coded),
            (Some(gunzip), Some(coded)) => gunzip.more(&coded).map(Some),
            (Some(gunzip), None) => gunzip.end().map(|()| None),
        }
    }

    /// The next part of the content; `None` is its end.
    fn some_coded(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        if self.head.maybe("transfer-encoding") == Some("chunked") {
            return self.connection.try_chunk();
        }
        if std::mem::replace(&mut self.is_whole, true) {
            return Ok(None);
        }
        self.connection.try_body(&self.head).map(Some)
    }

    /// The next line, which ends with CR, LF or both; `None` is the end of the stream.
    fn line(&mut self) -> std::io::Result<Option<String>> {
        loop {
            let unread = &self.rest[self.read..];
            if let Some(length) = unread.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
                let is_crlf = unread[length..].starts_with(b"\r\n");
                // Whether a CR that came last stands alone, the next byte tells.
                if is_crlf || unread[length] == b'\n' || length + 1 < unread.len() {
                    let line = String::from_utf8(unread[..length].to_vec());
                    self.read += length + 1 + usize::from(is_crlf);
                    return line.map(Some).map_err(|_| ErrorKind::InvalidData.into());
                }
            }
            self.rest.drain(..self.read);
            self.read = 0;
            self.connection.wait_until(self.deadline)?;
            match self.some()? {
                Some(chunk) => self.rest.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}
