//! Reads an event stream out of an HTTP/1.1 response that does not end: the head, the
//! framing, and then blocks of lines, each ended by an empty line (WHATWG HTML §9.2.5).
//! What a block means is the caller's business.

use memchr::memchr_iter;

/// More than any server under test sends.
const HEADERS_MAX: usize = 64;

/// A head that is longer, or a block, is none.
const PARTIAL_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where in the response the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Head,
    /// In a body that only the end of the connection ends.
    Unframed,
    /// In the line that says how long the next chunk is, of which `size` was read.
    Size {
        size: usize,
        in_extension: bool,
    },
    Chunk {
        left: usize,
    },
    /// In the CRLF after a chunk.
    AfterChunk,
    /// After the last chunk.
    Ended,
}

/// One event stream, as far as it has arrived.
#[derive(Debug)]
pub(crate) struct Stream {
    place: Place,
    /// The head, or the block, that has not arrived in full.
    partial: Vec<u8>,
}

impl Stream {
    pub(crate) fn new() -> Self {
        Self {
            place: Place::Head,
            partial: Vec::new(),
        }
    }

    /// Whether the head has arrived, and with it a 200.
    pub(crate) fn is_open(&self) -> bool {
        self.place != Place::Head
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
        let mut rest = received;
        while !rest.is_empty() {
            rest = match self.place {
                Place::Head => self.head(rest)?,
                Place::Unframed => {
                    self.blocks(rest, &mut on_block)?;
                    &[]
                }
                Place::Size { size, in_extension } => self.size(rest, size, in_extension)?,
                Place::Chunk { left } => {
                    let (data, after) = rest.split_at_checked(left).unwrap_or((rest, &[]));
                    self.blocks(data, &mut on_block)?;
                    let left = left - data.len();
                    if left == 0 {
                        self.place = Place::AfterChunk;
                    } else {
                        self.place = Place::Chunk { left };
                    }
                    after
                }
                Place::AfterChunk => match rest {
                    [b'\r', after @ ..] => after,
                    [b'\n', after @ ..] => {
                        self.place = SIZE;
                        after
                    }
                    _ => return Err("a chunk of another length than it says".to_owned()),
                },
                Place::Ended => return Err("the stream has ended".to_owned()),
            };
        }
        if self.place == Place::Ended {
            return Err("the stream has ended".to_owned());
        }
        Ok(())
    }

    /// Reads on in the head and gives what follows it.
    fn head<'a>(&mut self, received: &'a [u8]) -> Result<&'a [u8], String> {
        let before = self.partial.len();
        self.partial.extend_from_slice(received);
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let length = match head.parse(&self.partial) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(&[]),
            Err(error) => return Err(format!("a bad response: {error}")),
        };
        if head.code != Some(200) {
            let status = head.code.unwrap_or_default();
            return Err(format!("{status} instead of 200"));
        }
        let chunked = head.headers.iter().any(|field| {
            field.name.eq_ignore_ascii_case("transfer-encoding")
                && field.value.eq_ignore_ascii_case(b"chunked")
        });
        self.place = if chunked { SIZE } else { Place::Unframed };
        self.partial = Vec::new();
        Ok(received.get(length - before..).unwrap_or_default())
    }

    /// Reads on in the line before a chunk and gives what follows it.
    fn size<'a>(
        &mut self,
        received: &'a [u8],
        mut size: usize,
        mut in_extension: bool,
    ) -> Result<&'a [u8], String> {
        for (index, &byte) in received.iter().enumerate() {
            match byte {
                b'\n' => {
                    self.place = match size {
                        0 => Place::Ended,
                        left => Place::Chunk { left },
                    };
                    return Ok(received.get(index + 1..).unwrap_or_default());
                }
                b'\r' => {}
                b';' => in_extension = true,
                _ if in_extension => {}
                _ => {
                    let digit = char::from(byte).to_digit(16).map(|digit| digit as usize);
                    let sum = digit.and_then(|digit| size.checked_mul(16)?.checked_add(digit));
                    size = sum.ok_or("a chunk without a size")?;
                }
            }
        }
        self.place = Place::Size { size, in_extension };
        Ok(&[])
    }

    /// Gives the blocks that `data` completes, and keeps what is left.
    fn blocks(&mut self, data: &[u8], on_block: &mut impl FnMut(&[u8])) -> Result<(), String> {
        if self.partial.is_empty() {
            let used = split(data, 0, on_block);
            self.partial
                .extend_from_slice(data.get(used..).unwrap_or_default());
        } else {
            // The byte before may be the first of the two line ends.
            let from = self.partial.len() - 1;
            self.partial.extend_from_slice(data);
            let used = split(&self.partial, from, on_block);
            self.partial.drain(..used);
            if self.partial.is_empty() {
                // Thousands of streams keep no buffer that they do not need.
                self.partial = Vec::new();
            }
        }
        if self.partial.len() > PARTIAL_BYTES_MAX {
            return Err("an event that does not end".to_owned());
        }
        Ok(())
    }
}

const SIZE: Place = Place::Size {
    size: 0,
    in_extension: false,
};

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
    use super::*;

    /// What is found in `wire` if it arrives in pieces of `piece` bytes.
    fn read(wire: &[u8], piece: usize) -> (Vec<String>, Result<(), String>) {
        let mut found = Vec::new();
        let mut stream = Stream::new();
        for part in wire.chunks(piece) {
            let fed = stream.feed(part, |block| {
                found.push(String::from_utf8(block.to_vec()).unwrap());
            });
            if fed.is_err() {
                return (found, fed);
            }
        }
        assert!(stream.is_open());
        (found, Ok(()))
    }

    #[test]
    fn blocks_are_found_however_they_arrive() {
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            8\r\nid: 1\n\ni\r\n0E;x=y\r\nd: 2\ndata: x\n\n\r\n1\r\n\n\r\n3\r\na\n\n\r\n";
        let unframed = b"HTTP/1.1 200 OK\r\n\r\nid: 1\n\nid: 2\ndata: x\n\n\na\n\n";
        for wire in [&chunked[..], &unframed[..]] {
            for piece in 1..=wire.len() {
                let (found, ended) = read(wire, piece);
                assert_eq!(found, ["id: 1\n\n", "id: 2\ndata: x\n\n", "\na\n\n"]);
                assert_eq!(ended, Ok(()));
            }
        }
    }

    #[test]
    fn what_is_no_stream_is_refused() {
        let refused = |wire: &[u8]| read(wire, wire.len()).1.unwrap_err();
        assert_eq!(
            refused(b"HTTP/1.1 503 x\r\n\r\n"),
            "503 instead of 200".to_owned()
        );
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (body, why) in [
            ("0\r\n\r\n", "the stream has ended"),
            ("2\r\nabc", "a chunk of another length than it says"),
            ("zz\r\n", "a chunk without a size"),
        ] {
            assert_eq!(refused(format!("{head}{body}").as_bytes()), why);
        }
    }
}
