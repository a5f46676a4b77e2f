//! Where one request ends and the next begins (RFC 9112 §6), watched from outside the
//! HTTP library.
//!
//! hyper takes a request with both `Content-Length` and `Transfer-Encoding`, drops the
//! former, and shows no trace of it; it also takes a repeated `Transfer-Encoding` and
//! cuts `#…` off a target. A proxy in front that reads such a request otherwise than
//! hyper does lets one client's bytes become another's request (RFC 9112 §11.2). So the
//! [`Tracker`] reads the same bytes as they pass and finds what is in doubt. It never
//! changes them.
//!
//! In a head a line may end in a bare LF (RFC 9112 §2.2), for hyper too. In a trailer
//! section hyper looks for CRLF at first and takes LF later, so there, and in chunk
//! sizes, a bare LF ends the conversation: after it the two would count requests
//! differently.

use memchr::memchr;

/// What is in doubt about a request's framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Two fields that contradict each other.
    LengthAndCoding,
    /// `Content-Length` more than once.
    RepeatedLength,
    /// `Transfer-Encoding` other than one `chunked`.
    Coding,
    /// A fragment in the target.
    Fragment,
}

impl Doubt {
    pub(crate) const fn detail(self) -> &'static str {
        match self {
            Self::LengthAndCoding => {
                "Content-Length and Transfer-Encoding are both there: send one of them"
            }
            Self::RepeatedLength => "Content-Length is there more than once",
            Self::Coding => "Transfer-Encoding must be 'chunked', once",
            Self::Fragment => "a request target has no fragment: percent-encode '#' as %23",
        }
    }
}

/// Longest line that is kept while it is incomplete. The HTTP library refuses a head
/// that is longer, so nothing behind it needs to be understood.
const LINE_BYTES: usize = 64 * 1_024;

/// Follows a connection's incoming bytes.
#[derive(Debug)]
pub(crate) struct Tracker {
    place: Place,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    /// Request heads begun so far.
    heads: u64,
    /// Of the bytes last read, those before the line that is looked at.
    sound_bytes: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Before a request line; empty lines may come first.
    Start,
    /// In the field lines of a head.
    Fields(Fields),
    /// In content of known length.
    Content(u64),
    /// At the line that holds a chunk's size.
    ChunkSize,
    /// In a chunk, with the line end that follows it.
    Chunk(u64),
    /// In the trailer section.
    Trailers,
    /// In a request line that is too long to be one.
    EndlessLine,
    /// Nothing more can be told.
    Lost,
    /// A line of the chunked coding that readers may end at different places. Nothing
    /// behind it may be believed.
    Broken,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Fields {
    fragment: bool,
    lengths: u32,
    length: u64,
    codings: u32,
    only_chunked: bool,
}

/// A head that must not be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Doubtful {
    /// Its place among the connection's requests, from 1.
    pub(crate) head: u64,
    pub(crate) doubt: Doubt,
    /// How many of the bytes just read belong to it or come before it.
    pub(crate) ends_at: usize,
}

impl Tracker {
    pub(crate) const fn new() -> Self {
        Self {
            place: Place::Start,
            partial: Vec::new(),
            heads: 0,
            sound_bytes: 0,
        }
    }

    /// How many request heads have begun, the one included of which only a part of the
    /// request line has come.
    pub(crate) fn heads_begun(&self) -> u64 {
        let begins = self.place == Place::Start && !self.partial.is_empty();
        self.heads + u64::from(begins)
    }

    /// Whether all of every request has come.
    pub(crate) fn is_in_head(&self) -> bool {
        matches!(self.place, Place::Start | Place::Fields(_))
    }

    /// Where the content's chunks are such that nobody can tell how they go on: how many
    /// of the bytes just read come before that line.
    pub(crate) fn broken_at(&self) -> Option<usize> {
        (self.place == Place::Broken).then_some(self.sound_bytes)
    }

    /// Whether a request line has begun and not ended.
    pub(crate) fn is_in_request_line(&self) -> bool {
        match self.place {
            Place::Start => !self.partial.is_empty(),
            Place::EndlessLine => true,
            _ => false,
        }
    }

    /// Takes the bytes that were just read. After a doubt nothing more is told.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Option<Doubtful> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match &mut self.place {
                Place::Content(left) => {
                    rest = skip(rest, left);
                    if *left == 0 {
                        self.place = Place::Start;
                    }
                }
                Place::Chunk(left) => {
                    rest = skip(rest, left);
                    if *left == 0 {
                        self.place = Place::ChunkSize;
                    }
                }
                Place::EndlessLine | Place::Lost | Place::Broken => return None,
                Place::Start | Place::Fields(_) | Place::ChunkSize | Place::Trailers => {
                    self.sound_bytes = bytes.len() - rest.len();
                    rest = self.read_line(rest);
                    if let Some(doubt) = self.doubt() {
                        self.place = Place::Lost;
                        return Some(Doubtful {
                            head: self.heads,
                            doubt,
                            ends_at: bytes.len() - rest.len(),
                        });
                    }
                    self.leave_head();
                }
            }
        }
        None
    }

    /// Takes a line, or what there is of it, and returns what follows.
    fn read_line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(end) = memchr(b'\n', bytes) else {
            if self.partial.len() + bytes.len() > LINE_BYTES {
                self.place = match self.place {
                    Place::Start => Place::EndlessLine,
                    _ => Place::Lost,
                };
            } else {
                self.partial.extend_from_slice(bytes);
            }
            return &[];
        };
        let (line, rest) = bytes.split_at(end);
        let rest = rest.get(1..).unwrap_or_default();
        if self.partial.is_empty() {
            self.take_line(line);
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(line);
            self.take_line(&whole);
        }
        rest
    }

    fn take_line(&mut self, line: &[u8]) {
        let whole = line.strip_suffix(b"\r");
        if whole.is_none() && matches!(self.place, Place::ChunkSize | Place::Trailers) {
            self.place = Place::Broken;
            return;
        }
        let line = whole.unwrap_or(line);
        match &mut self.place {
            Place::Start if line.is_empty() => {}
            Place::Start => {
                self.heads += 1;
                self.place = Place::Fields(Fields {
                    fragment: memchr(b'#', line).is_some(),
                    ..Fields::default()
                });
            }
            Place::Fields(fields) if line.is_empty() => fields.ended(),
            Place::Fields(fields) => fields.take(line),
            Place::ChunkSize => {
                self.place = match chunk_size(line) {
                    Some(0) => Place::Trailers,
                    // The chunk's data is followed by a line end.
                    Some(size) => Place::Chunk(size.saturating_add(2)),
                    None => Place::Broken,
                }
            }
            Place::Trailers if line.is_empty() => self.place = Place::Start,
            Place::Trailers
            | Place::Content(_)
            | Place::Chunk(_)
            | Place::EndlessLine
            | Place::Lost
            | Place::Broken => {}
        }
    }

    fn doubt(&self) -> Option<Doubt> {
        match &self.place {
            Place::Fields(fields) if fields.is_ended() => fields.doubt(),
            _ => None,
        }
    }

    fn leave_head(&mut self) {
        if let Place::Fields(fields) = &self.place
            && fields.is_ended()
        {
            self.place = match (fields.codings, fields.length) {
                (0, 0) => Place::Start,
                (0, length) => Place::Content(length),
                _ => Place::ChunkSize,
            };
        }
    }
}

impl Fields {
    /// `lengths` at this value marks the end of the head.
    const ENDED: u32 = 1 << 31;

    fn ended(&mut self) {
        self.lengths |= Self::ENDED;
    }

    const fn is_ended(&self) -> bool {
        self.lengths & Self::ENDED != 0
    }

    fn take(&mut self, line: &[u8]) {
        // Few names begin so; the others cost one comparison.
        match line.first() {
            Some(b'c' | b'C') => {
                if let Some(value) = value_of(line, b"content-length") {
                    self.lengths += 1;
                    // What is no number is refused by the HTTP library.
                    self.length = decimal(value).unwrap_or(0);
                }
            }
            Some(b't' | b'T') => {
                if let Some(value) = value_of(line, b"transfer-encoding") {
                    self.codings += 1;
                    self.only_chunked = value.eq_ignore_ascii_case(b"chunked");
                }
            }
            _ => {}
        }
    }

    fn doubt(&self) -> Option<Doubt> {
        let lengths = self.lengths & !Self::ENDED;
        if self.fragment {
            Some(Doubt::Fragment)
        } else if lengths > 0 && self.codings > 0 {
            Some(Doubt::LengthAndCoding)
        } else if lengths > 1 {
            Some(Doubt::RepeatedLength)
        } else if self.codings > 1 || (self.codings == 1 && !self.only_chunked) {
            Some(Doubt::Coding)
        } else {
            None
        }
    }
}

fn skip<'a>(bytes: &'a [u8], left: &mut u64) -> &'a [u8] {
    let take = usize::try_from(*left)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    *left -= take as u64;
    bytes.get(take..).unwrap_or_default()
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = line.split_at_checked(name.len())?;
    if !found.eq_ignore_ascii_case(name) {
        return None;
    }
    value.strip_prefix(b":").map(<[u8]>::trim_ascii)
}

fn decimal(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// RFC 9112 §7.1, extensions left out.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|&byte| byte == b';').next()?.trim_ascii();
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "GET /a/b HTTP/1.1\r\nHost: x\r\n\r\n";

    fn find(bytes: &[u8], piece: usize) -> Option<(u64, Doubt)> {
        let mut tracker = Tracker::new();
        bytes
            .chunks(piece)
            .find_map(|piece| tracker.read(piece))
            .map(|doubtful| (doubtful.head, doubtful.doubt))
    }

    #[test]
    fn section_3_line_1_framing_is_judged_wherever_the_bytes_are_cut() {
        let chunked = "PUT /a/b HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n4;x=y\r\nGET \r\n00\r\nTrailer: 1\r\n\r\n";
        let sized = "PUT /a/b HTTP/1.1\r\nContent-Length: 40\r\n\r\nGET /a HTTP/1.1\r\nContent-Length: 1\r\n\r\n...";
        let cases = [
            (GET.to_owned(), None),
            (format!("{GET}\r\n{GET}{chunked}{sized}{GET}"), None),
            (
                format!("{GET}{chunked}POST /a HTTP/1.1\r\nContent-Length: 4\r\ntransfer-encoding: chunked\r\n\r\n"),
                Some((3, Doubt::LengthAndCoding)),
            ),
            (
                "POST /a HTTP/1.1\nTransfer-Encoding:chunked\nContent-Length:4\n\n".to_owned(),
                Some((1, Doubt::LengthAndCoding)),
            ),
            (
                format!("{sized}POST /a HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n"),
                Some((2, Doubt::RepeatedLength)),
            ),
            (
                "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
                Some((1, Doubt::Coding)),
            ),
            (
                "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n".to_owned(),
                Some((1, Doubt::Coding)),
            ),
            (
                "POST /a HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".to_owned(),
                Some((1, Doubt::Coding)),
            ),
            (
                format!("{GET}GET /a#b HTTP/1.1\r\n\r\n"),
                Some((2, Doubt::Fragment)),
            ),
        ];
        for (bytes, expected) in cases {
            for piece in 1..=bytes.len() {
                assert_eq!(
                    find(bytes.as_bytes(), piece),
                    expected,
                    "{bytes:?} by {piece}"
                );
            }
        }
    }

    #[test]
    fn lines_of_the_chunked_coding_end_in_crlf() {
        let head = "PUT /a/b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let cases = [
            ("1\r\n2\r\n0\r\nX: a\r\n\r\n", false),
            ("1\r\n\n\r\n0\r\n\r\n", false),
            ("1\n2\r\n0\r\n\r\n", true),
            ("1;a\n2\r\n0\r\n\r\n", true),
            ("1\r\n2\r\n0\n\r\n", true),
            ("1\r\n2\r\n0\r\n\n", true),
            ("1\r\n2\r\n0\r\nX: a\n\nGET /a HTTP/1.1\r\n\r\n", true),
            ("1\r\n2\r\n0\r\nX: a\nY: b\r\n\r\n", true),
            ("x\r\n2\r\n0\r\n\r\n", true),
        ];
        for (content, broken) in cases {
            for piece in 1..=content.len() {
                let mut tracker = Tracker::new();
                let message = format!("{head}{content}{GET}");
                for bytes in message.as_bytes().chunks(piece) {
                    assert_eq!(tracker.read(bytes), None);
                }
                assert_eq!(
                    tracker.broken_at().is_some(),
                    broken,
                    "{content:?} by {piece}"
                );
            }
        }
    }

    #[test]
    fn a_request_line_is_known_while_it_lasts() {
        let endless = "a".repeat(LINE_BYTES);
        let cases = [
            ("", false),
            ("G", true),
            ("\r\nGET /a", true),
            ("GET /a HTTP/1.1\r\n", false),
            ("GET /a HTTP/1.1\r\nX: ", false),
            (GET, false),
            (&endless, true),
            (&format!("{GET}{endless}a"), true),
            (&format!("GET /a HTTP/1.1\r\nX: {endless}"), false),
        ];
        for (bytes, expected) in cases {
            for piece in [1, 1_000, 1_000_000] {
                let mut tracker = Tracker::new();
                for piece in bytes.as_bytes().chunks(piece) {
                    assert_eq!(tracker.read(piece), None);
                }
                let begin: String = bytes.chars().take(40).collect();
                assert_eq!(tracker.is_in_request_line(), expected, "{begin:?}");
            }
        }
    }

    #[test]
    fn what_follows_a_doubtful_head_is_cut_off() {
        let head = "POST /a HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n";
        let bytes = format!("{GET}{head}0\r\n\r\n{GET}");
        let found = Tracker::new().read(bytes.as_bytes()).map(|d| d.ends_at);
        assert_eq!(found, Some(GET.len() + head.len()));
    }
}
