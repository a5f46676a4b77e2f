//! Reads an event stream out of a response that does not end: blocks of lines, each ended
//! by an empty line (WHATWG HTML §9.2.5). What a block means is the caller's business.

use flate2::{Decompress, FlushDecompress};
use memchr::memchr_iter;

use crate::body::Body;

/// A block that is longer has no end.
const BLOCK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Room for what is decoded at a time.
const DECODED_BYTES: usize = 64 * 1024;

/// The longest window there is, as a power of two (RFC 1951 §2).
const WINDOW_BITS: u8 = 15;

/// The request for one.
pub(crate) fn request(path: &str, host: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n").into_bytes()
}

/// The request for one in gzip.
pub(crate) fn gzip_request(path: &str, host: &str) -> Vec<u8> {
    let fields = "Accept: text/event-stream\r\nAccept-Encoding: gzip";
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n\r\n").into_bytes()
}

/// One event stream, as far as it has arrived.
#[derive(Debug)]
pub(crate) struct Stream {
    body: Body,
    blocks: Blocks,
    gunzip: Option<Decompress>,
}

impl Stream {
    pub(crate) fn new() -> Self {
        Self {
            body: Body::new(),
            blocks: Blocks::default(),
            gunzip: None,
        }
    }

    /// One in gzip.
    pub(crate) fn gzip() -> Self {
        Self {
            gunzip: Some(Decompress::new_gzip(WINDOW_BITS)),
            ..Self::new()
        }
    }

    /// Whether the head has arrived, and with it a 200.
    pub(crate) fn is_open(&self) -> bool {
        self.body.is_open()
    }

    /// Takes what has arrived and gives each block that is complete, with its empty
    /// line, to `on_block`.
    ///
    /// # Errors
    /// It is no response with 200, its framing is broken, or the stream has ended.
    pub(crate) fn feed(
        &mut self,
        received: &[u8],
        mut on_block: impl FnMut(&[u8]),
    ) -> Result<(), String> {
        let Self {
            body,
            blocks,
            gunzip,
        } = self;
        body.feed(received, |content| match gunzip {
            None => blocks.feed(content, &mut on_block),
            Some(gunzip) => decode(gunzip, content, |text| blocks.feed(text, &mut on_block)),
        })?;
        if self.body.has_ended() {
            return Err("the stream has ended".to_owned());
        }
        Ok(())
    }
}

/// Gives what `content` stands for, piece by piece, to `on_text`.
fn decode(
    gunzip: &mut Decompress,
    content: &[u8],
    mut on_text: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let begin = gunzip.total_in();
    let mut text = Vec::with_capacity(DECODED_BYTES);
    loop {
        let taken = usize::try_from(gunzip.total_in() - begin).unwrap_or(usize::MAX);
        let rest = content.get(taken..).unwrap_or_default();
        text.clear();
        gunzip
            .decompress_vec(rest, &mut text, FlushDecompress::Sync)
            .map_err(|error| format!("no gzip: {error}"))?;
        if text.is_empty() {
            return Ok(());
        }
        on_text(&text)?;
    }
}

#[derive(Debug, Default)]
struct Blocks {
    /// The block that has not arrived in full.
    partial: Vec<u8>,
}

impl Blocks {
    /// Gives the blocks that `content` completes, and keeps what is left.
    fn feed(&mut self, content: &[u8], on_block: &mut impl FnMut(&[u8])) -> Result<(), String> {
        if self.partial.is_empty() {
            let used = split(content, 0, on_block);
            let left = content.get(used..).unwrap_or_default();
            self.partial.extend_from_slice(left);
        } else {
            // The last byte may be the first of the two line ends.
            let from = self.partial.len() - 1;
            self.partial.extend_from_slice(content);
            let used = split(&self.partial, from, on_block);
            self.partial.drain(..used);
            if self.partial.is_empty() {
                // Thousands of streams keep no buffer that they do not need.
                self.partial = Vec::new();
            }
        }
        if self.partial.len() > BLOCK_BYTES_MAX {
            return Err("an event that does not end".to_owned());
        }
        Ok(())
    }
}

/// Gives each block, and answers how many bytes they are; the first does not end
/// before `from`.
fn split(data: &[u8], from: usize, on_block: &mut impl FnMut(&[u8])) -> usize {
    let mut used = 0;
    let later = data.get(from..).unwrap_or_default();
    for at in memchr_iter(b'\n', later) {
        let end = from + at + 1;
        // Two line ends that follow each other, both of this block.
        let is_end = end >= used + 2 && data.get(end - 2) == Some(&b'\n');
        if is_end && let Some(block) = data.get(used..end) {
            on_block(block);
            used = end;
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[test]
    fn blocks_are_found_however_they_arrive() {
        let chunks = b"8\r\nid: 1\n\ni\r\n0E\r\nd: 2\ndata: x\n\n\r\n1\r\n\n\r\n3\r\na\n\n\r\n";
        let wire = [HEAD, chunks].concat();
        for piece in 1..=wire.len() {
            let (mut stream, mut found) = (Stream::new(), Vec::new());
            for part in wire.chunks(piece) {
                let fed = stream.feed(part, |block| {
                    found.push(String::from_utf8(block.to_vec()).unwrap());
                });
                assert_eq!(fed, Ok(()));
            }
            assert!(stream.is_open());
            assert_eq!(found, ["id: 1\n\n", "id: 2\ndata: x\n\n", "\na\n\n"]);
        }
    }

    #[test]
    fn blocks_are_found_in_gzip() {
        let text = format!("id: 1\n\ndata: {}\n\n", "x".repeat(3 * DECODED_BYTES));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.flush().unwrap();
        let mut wire = HEAD.to_vec();
        for piece in encoder.get_ref().chunks(100) {
            wire.extend(format!("{:x}\r\n", piece.len()).into_bytes());
            wire.extend(piece);
            wire.extend(b"\r\n");
        }
        let (mut stream, mut lengths) = (Stream::gzip(), Vec::new());
        let fed = stream.feed(&wire, |block| lengths.push(block.len()));
        assert_eq!((fed, &lengths[..]), (Ok(()), &[7, text.len() - 7][..]));
    }

    #[test]
    fn a_stream_does_not_end() {
        let wire = [HEAD, b"1\r\na\r\n0\r\n\r\n"].concat();
        let ended = Stream::new().feed(&wire, |_| {});
        assert_eq!(ended, Err("the stream has ended".to_owned()));
    }
}
