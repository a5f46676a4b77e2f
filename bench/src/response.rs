//! Reads one HTTP/1.1 response: little, but what is read is read honestly. A
//! response counts only when all of its framing and body arrived.

use anyhow::{Context, bail};

/// More than any server under test sends.
const HEADERS_MAX: usize = 64;

/// A response that has arrived in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    /// The `ETag` as sent, quotes included.
    pub(crate) etag: Option<&'a [u8]>,
    /// The content as it is on the wire: of a chunked one, with the framing.
    pub(crate) body: &'a [u8],
    /// Bytes of content, without the framing of a chunked body.
    pub(crate) content_bytes: usize,
    /// The server closes the connection after this response.
    pub(crate) closes: bool,
    /// Bytes on the wire.
    pub(crate) wire_bytes: usize,
}

enum Framing {
    Length(usize),
    Chunked,
}

impl<'a> Response<'a> {
    /// The response at the beginning of `received`; `None` while it is incomplete.
    ///
    /// # Errors
    /// What was received is not an HTTP/1.1 response with a known end.
    pub(crate) fn parse(received: &'a [u8]) -> anyhow::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head_bytes) = head.parse(received)? else {
            return Ok(None);
        };
        let status = head.code.context("a response without a status")?;
        let fields = Fields::read(head.headers)?;
        let framing = match (status, fields.framing) {
            (204 | 304, _) => Framing::Length(0),
            (_, Some(framing)) => framing,
            (_, None) => bail!("a {status} whose end cannot be known"),
        };
        let body = received.get(head_bytes..).unwrap_or_default();
        let end = match framing {
            Framing::Length(length) => (body.len() >= length).then_some((length, length)),
            Framing::Chunked => chunked(body)?,
        };
        Ok(end.map(|(content_bytes, body_bytes)| Self {
            status,
            etag: fields.etag,
            body: body.get(..body_bytes).unwrap_or_default(),
            content_bytes,
            closes: fields.closes,
            wire_bytes: head_bytes + body_bytes,
        }))
    }
}

#[derive(Default)]
struct Fields<'a> {
    etag: Option<&'a [u8]>,
    framing: Option<Framing>,
    closes: bool,
}

impl<'a> Fields<'a> {
    fn read(headers: &[httparse::Header<'a>]) -> anyhow::Result<Self> {
        let mut fields = Self::default();
        for header in headers {
            let (name, value) = (header.name, header.value);
            // Lengths first: most names are told apart without comparing letters.
            match name.len() {
                4 if name.eq_ignore_ascii_case("etag") => fields.etag = Some(value),
                10 if name.eq_ignore_ascii_case("connection") => {
                    fields.closes = value.eq_ignore_ascii_case(b"close");
                }
                14 if name.eq_ignore_ascii_case("content-length") => {
                    let length = std::str::from_utf8(value)?.trim().parse();
                    fields.framing = Some(Framing::Length(length.context("bad Content-Length")?));
                }
                17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                    if !value.eq_ignore_ascii_case(b"chunked") {
                        bail!("an unknown transfer coding");
                    }
                    fields.framing = Some(Framing::Chunked);
                }
                _ => {}
            }
        }
        Ok(fields)
    }
}

/// The content and the wire bytes of a chunked body, once its last chunk is there.
fn chunked(body: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let (mut content_bytes, mut at) = (0, 0);
    // Each turn moves at least a chunk's size line forward.
    while let Some(rest) = body.get(at..) {
        let size = match httparse::parse_chunk_size(rest) {
            Ok(size) => size,
            Err(_) => bail!("a chunk without a size"),
        };
        let httparse::Status::Complete((line_bytes, size)) = size else {
            return Ok(None);
        };
        let size = usize::try_from(size)?;
        at += line_bytes;
        if size == 0 {
            return Ok(trailers(body, at).map(|end| (content_bytes, end)));
        }
        content_bytes += size;
        at = at.saturating_add(size).saturating_add(2);
    }
    Ok(None)
}

/// Where the trailer section that begins at `at` ends.
fn trailers(body: &[u8], at: usize) -> Option<usize> {
    let rest = body.get(at..)?;
    if rest.starts_with(b"\r\n") {
        return Some(at + 2);
    }
    let end = rest.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(at + end + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every proper prefix is incomplete, and the whole is what is expected.
    fn assert_parses(wire: &[u8], status: u16, content_bytes: usize) {
        for end in 0..wire.len() {
            assert_eq!(Response::parse(&wire[..end]).unwrap(), None, "{end}");
        }
        let mut with_more = wire.to_vec();
        with_more.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        let response = Response::parse(&with_more).unwrap().unwrap();
        assert_eq!(response.status, status);
        assert_eq!(response.content_bytes, content_bytes);
        assert_eq!(response.wire_bytes, wire.len());
        assert_eq!(response.etag, Some(&b"\"a-1\""[..]));
    }

    #[test]
    fn a_response_ends_where_its_framing_says() {
        assert_parses(
            b"HTTP/1.1 200 OK\r\nETag: \"a-1\"\r\nContent-Length: 3\r\n\r\n{ }",
            200,
            3,
        );
        assert_parses(b"HTTP/1.1 204 No Content\r\netag: \"a-1\"\r\n\r\n", 204, 0);
        assert_parses(
            b"HTTP/1.1 304 x\r\nContent-Length: 9\r\nETAG: \"a-1\"\r\n\r\n",
            304,
            0,
        );
        assert_parses(
            b"HTTP/1.1 200 OK\r\nETag: \"a-1\"\r\nTransfer-Encoding: chunked\r\n\r\n\
              2;x=y\r\n{ \r\n1\r\n}\r\n0\r\n\r\n",
            200,
            3,
        );
        assert_parses(
            b"HTTP/1.1 200 OK\r\nETag: \"a-1\"\r\nTransfer-Encoding: chunked\r\n\r\n\
              1\r\n1\r\n0\r\nA: b\r\n\r\n",
            200,
            1,
        );
    }

    #[test]
    fn a_response_without_a_known_end_is_refused() {
        assert!(Response::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(Response::parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n").is_err());
        assert!(Response::parse(b"nonsense\r\n\r\n").is_err());
    }

    #[test]
    fn a_close_is_noticed() {
        let wire = b"HTTP/1.1 204 x\r\nConnection: close\r\n\r\n";
        assert!(Response::parse(wire).unwrap().unwrap().closes);
    }
}
