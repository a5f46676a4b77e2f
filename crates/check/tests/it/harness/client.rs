//! HTTP/1.1 on a bare socket: sends exactly the given bytes and reads exactly one
//! answer at a time (RFC 9112 §6).

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::request::Request;

/// How long an answer may take before the test gives up on it. Only a broken server
/// takes that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection, kept open for as long as the server likes.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
}

impl Connection {
    /// Connects.
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::try_open(address).unwrap()
    }

    /// Connects, if somebody listens.
    pub(crate) fn try_open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: BufReader::new(stream),
            host: address,
        })
    }

    /// Gives up on what it waits for at this time.
    pub(crate) fn wait_until(&self, deadline: Instant) -> std::io::Result<()> {
        // No wait at all would be one without end.
        let left = deadline.saturating_duration_since(Instant::now());
        let left = left.max(Duration::from_millis(1));
        self.stream.get_ref().set_read_timeout(Some(left))
    }

    /// Where it goes.
    pub(crate) fn address(&self) -> SocketAddr {
        self.host
    }

    /// Sends these bytes, as they are. The server may have closed already, which its
    /// answer then tells.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.try_send(bytes);
    }

    /// Sends these bytes, and says whether the connection took them.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// Sends no more: the server sees the end.
    pub(crate) fn finish_sending(&mut self) {
        let _ = self.stream.get_mut().shutdown(Shutdown::Write);
    }

    /// The next final answer to a request with this method.
    #[track_caller]
    pub(crate) fn read(&mut self, method: &str) -> Answer {
        loop {
            let answer = self.read_any(method);
            if answer.code >= 200 {
                return answer;
            }
        }
    }

    /// The next answer, informational ones included.
    #[track_caller]
    pub(crate) fn read_any(&mut self, method: &str) -> Answer {
        match self.try_read(method) {
            Ok(answer) => answer,
            Err(error) => panic!("no whole answer came: {error}"),
        }
    }

    /// The next answer, if one comes.
    ///
    /// # Errors
    /// The connection ended, or what came is no answer.
    pub(crate) fn try_read(&mut self, method: &str) -> std::io::Result<Answer> {
        let mut answer = self.try_head()?;
        let code = answer.code;
        if method != "HEAD" && code >= 200 && code != 204 && code != 304 {
            answer.body = self.try_body(&answer)?;
        }
        Ok(answer)
    }

    /// The next answer without its content.
    ///
    /// # Errors
    /// The connection ended, or what came is no answer.
    pub(crate) fn try_head(&mut self) -> std::io::Result<Answer> {
        let status_line = self.line()?;
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or(ErrorKind::InvalidData)?;
            fields.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
        }
        let code = code_in(&status_line).ok_or(ErrorKind::InvalidData)?;
        Ok(Answer {
            status_line,
            code,
            fields,
            body: Vec::new(),
        })
    }

    /// The next chunk of a chunked content; `None` is its end (RFC 9112 §7.1).
    ///
    /// # Errors
    /// The connection ended, or what came is no chunk.
    pub(crate) fn try_chunk(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let size = usize::from_str_radix(&self.line()?, 16);
        let mut chunk = vec![0; size.map_err(|_| ErrorKind::InvalidData)?];
        self.stream.read_exact(&mut chunk)?;
        if !self.line()?.is_empty() {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok((!chunk.is_empty()).then_some(chunk))
    }

    /// Some of the text that comes next.
    ///
    /// # Errors
    /// The connection ended, or what came is no text.
    pub(crate) fn try_some(&mut self) -> std::io::Result<String> {
        let bytes = self.stream.fill_buf()?.to_vec();
        self.stream.consume(bytes.len());
        match String::from_utf8(bytes) {
            Ok(text) if text.is_empty() => Err(ErrorKind::UnexpectedEof.into()),
            text => text.map_err(|_| ErrorKind::InvalidData.into()),
        }
    }

    /// Whether the server has closed: waits until it has, or sends something.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.stream.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    /// A request on this connection.
    pub(crate) fn request(&mut self, method: &str, target: &str) -> Request<'_> {
        Request::on(self, method, target)
    }

    /// GET on this connection.
    pub(crate) fn get(&mut self, target: &str) -> Request<'_> {
        self.request("GET", target)
    }

    /// PUT of JSON on this connection.
    pub(crate) fn put(&mut self, target: &str, body: impl AsRef<[u8]>) -> Request<'_> {
        self.request("PUT", target).json(body)
    }

    /// One line without its CRLF. A line that ends in a bare LF is no line of HTTP.
    fn line(&mut self) -> std::io::Result<String> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let line = line.strip_suffix(b"\r\n").ok_or(ErrorKind::InvalidData)?;
        Ok(line.iter().copied().map(char::from).collect())
    }

    /// The content of an answer whose head was read.
    ///
    /// # Errors
    /// The connection ended, or what came is no content.
    pub(crate) fn try_body(&mut self, answer: &Answer) -> std::io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if answer.maybe("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.try_chunk()? {
                body.extend_from_slice(&chunk);
            }
            return Ok(body);
        }
        match answer.maybe("content-length") {
            Some(length) => {
                body.resize(length.parse().map_err(|_| ErrorKind::InvalidData)?, 0);
                self.stream.read_exact(&mut body)?;
            }
            None => {
                self.stream.read_to_end(&mut body)?;
            }
        }
        Ok(body)
    }
}

/// The code in `HTTP/1.1 204 No Content`.
fn code_in(status_line: &str) -> Option<u16> {
    let rest = status_line.strip_prefix("HTTP/1.")?.get(2..)?;
    rest.get(..3)?.parse().ok()
}
