//! HTTP/1.1 on a bare socket: sends exactly the given bytes and reads exactly one
//! answer at a time (RFC 9112 §6).

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

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
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream: BufReader::new(stream),
            host: address,
        }
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
        let mut answer = Answer {
            status_line,
            code,
            fields,
            body: Vec::new(),
        };
        if method != "HEAD" && code >= 200 && code != 204 && code != 304 {
            answer.body = self.body(&answer)?;
        }
        Ok(answer)
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

    fn body(&mut self, answer: &Answer) -> std::io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if answer.maybe("transfer-encoding") == Some("chunked") {
            loop {
                let size = usize::from_str_radix(&self.line()?, 16);
                let size = size.map_err(|_| ErrorKind::InvalidData)?;
                let begin = body.len();
                body.resize(begin + size, 0);
                self.stream.read_exact(&mut body[begin..])?;
                if !self.line()?.is_empty() {
                    return Err(ErrorKind::InvalidData.into());
                }
                if size == 0 {
                    return Ok(body);
                }
            }
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
