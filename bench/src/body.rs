//! Reads the body of an HTTP/1.1 response that may never end, as it arrives: the head,
//! and then the content without its framing.

/// More than any server under test sends.
const HEADERS_MAX: usize = 64;

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

/// One body, as far as it has arrived.
#[derive(Debug)]
pub(crate) struct Body {
    place: Place,
    /// The head, while it has not arrived in full.
    head: Vec<u8>,
}

impl Body {
    pub(crate) fn new() -> Self {
        Self {
            place: Place::Head,
            head: Vec::new(),
        }
    }

    /// Whether the head has arrived, and with it a 200.
    pub(crate) fn is_open(&self) -> bool {
        self.place != Place::Head
    }

    /// Whether the last chunk has arrived.
    pub(crate) fn has_ended(&self) -> bool {
        self.place == Place::Ended
    }

    /// Takes what has arrived and gives its content, piece by piece, to `on_content`.
    ///
    /// # Errors
    /// It is no response with 200, its framing is broken, or `on_content` failed.
    pub(crate) fn feed(
        &mut self,
        received: &[u8],
        mut on_content: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut rest = received;
        while !rest.is_empty() {
            rest = match self.place {
                Place::Head => self.head(rest)?,
                Place::Unframed => {
                    on_content(rest)?;
                    &[]
                }
                Place::Size { size, in_extension } => self.size(rest, size, in_extension)?,
                Place::Chunk { left } => {
                    let (content, after) = rest.split_at_checked(left).unwrap_or((rest, &[]));
                    on_content(content)?;
                    self.place = match left - content.len() {
                        0 => Place::AfterChunk,
                        left => Place::Chunk { left },
                    };
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
                // The empty line after the last chunk.
                Place::Ended => &[],
            };
        }
        Ok(())
    }

    /// Reads on in the head and gives what follows it.
    fn head<'a>(&mut self, received: &'a [u8]) -> Result<&'a [u8], String> {
        let before = self.head.len();
        self.head.extend_from_slice(received);
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let length = match head.parse(&self.head) {
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
        self.head = Vec::new();
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
}

const SIZE: Place = Place::Size {
    size: 0,
    in_extension: false,
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The content of `wire` if it arrives in pieces of `piece` bytes, and whether it has
    /// ended.
    fn read(wire: &[u8], piece: usize) -> Result<(String, bool), String> {
        let (mut body, mut found) = (Body::new(), Vec::new());
        for part in wire.chunks(piece) {
            body.feed(part, |content| {
                found.extend_from_slice(content);
                Ok(())
            })?;
        }
        assert!(body.is_open());
        Ok((String::from_utf8(found).unwrap(), body.has_ended()))
    }

    #[test]
    fn the_content_is_found_however_it_arrives() {
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            3\r\n1\r\n\r\n0E;x=y\r\n23456789abcdef\r\n";
        let ended = [&chunked[..], b"0\r\n\r\n"].concat();
        let unframed = b"HTTP/1.1 200 OK\r\n\r\n1\r\n23456789abcdef";
        for (wire, has_ended) in [
            (&chunked[..], false),
            (&ended[..], true),
            (&unframed[..], false),
        ] {
            for piece in 1..=wire.len() {
                let found = read(wire, piece).unwrap();
                assert_eq!(found, ("1\r\n23456789abcdef".to_owned(), has_ended));
            }
        }
    }

    #[test]
    fn broken_framing_and_other_statuses_are_refused() {
        let refused = |wire: &str| read(wire.as_bytes(), wire.len()).unwrap_err();
        assert_eq!(refused("HTTP/1.1 503 x\r\n\r\n"), "503 instead of 200");
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (body, why) in [
            ("2\r\nabc", "a chunk of another length than it says"),
            ("zz\r\n", "a chunk without a size"),
        ] {
            assert_eq!(refused(&format!("{head}{body}")), why);
        }
    }
}
