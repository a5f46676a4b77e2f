//! One blocking connection with one request at a time, for what happens beside the load.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::response::Response;

/// An answer that has not come by then never will.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// What is read at once.
const READ_BYTES: usize = 64 * 1024;

/// A connection.
pub(crate) struct Client {
    stream: TcpStream,
    /// The value of `Host`.
    pub(crate) host: String,
    /// The next request.
    pub(crate) request: Vec<u8>,
    received: Vec<u8>,
    piece: Vec<u8>,
}

impl Client {
    /// # Errors
    /// Nobody listens there.
    pub(crate) fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream =
            TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        Ok(Self {
            stream,
            host: address.to_string(),
            request: Vec::new(),
            received: Vec::new(),
            piece: vec![0; READ_BYTES],
        })
    }

    /// Sends the request and gives its answer.
    ///
    /// # Errors
    /// There is no answer, or it is no response.
    pub(crate) fn exchange(&mut self) -> anyhow::Result<Response<'_>> {
        self.stream.write_all(&self.request)?;
        self.request.clear();
        self.received.clear();
        loop {
            let count = self.stream.read(&mut self.piece).context("no answer")?;
            if count == 0 {
                bail!("the server closed the connection");
            }
            let piece = self.piece.get(..count).unwrap_or_default();
            self.received.extend_from_slice(piece);
            if Response::parse(&self.received)?.is_some() {
                break;
            }
        }
        Response::parse(&self.received)?.context("no answer")
    }

    /// GET, which must be answered with 200; gives all bytes of the answer.
    ///
    /// # Errors
    /// There is no answer, or another one.
    pub(crate) fn get(&mut self, target: &str) -> anyhow::Result<&[u8]> {
        let Self { request, host, .. } = self;
        // Writing to a vector cannot fail.
        let _ = write!(request, "GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let status = self.exchange()?.status;
        if status != 200 {
            bail!("{status} instead of 200 to GET {target}");
        }
        Ok(&self.received)
    }
}

/// The value of the member `cursor` in an answer's JSON.
///
/// # Errors
/// There is none.
pub(crate) fn cursor_in(answer: &[u8]) -> anyhow::Result<String> {
    const MEMBER: &[u8] = b"\"cursor\":\"";
    let at = memchr::memmem::rfind(answer, MEMBER).context("an answer without a cursor")?;
    let value = answer.get(at + MEMBER.len()..).unwrap_or_default();
    let value = value.split(|&byte| byte == b'"').next().unwrap_or_default();
    Ok(std::str::from_utf8(value)?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_found() {
        let found = cursor_in(br#"{"changes":[],"cursor":"k3v9x2ab-7","more":false}"#);
        assert_eq!(found.unwrap(), "k3v9x2ab-7");
        assert!(cursor_in(b"{}").is_err());
    }
}
