//! Splits a stream of documents, NDJSON or one JSON array, into their exact bytes.
//!
//! Only as much is understood as it takes to find where a document ends: strings,
//! escapes and brackets. Whether a document is valid is the server's to say, so that
//! one bad document spoils nothing but itself. Memory is bounded by the largest one.

use std::io::{self, BufRead};

use bytes::Bytes;

/// Largest document that is read into memory. What is longer is skipped with an
/// error: no server would take it.
const PIECE_BYTES: usize = 64 * 1_024 * 1_024;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// How the documents stand in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Layout {
    /// One JSON array of documents
    Array,
    /// One document a line
    Ndjson,
}

/// A document, without the white space around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Which line (NDJSON) or element (array) it is, from 1.
    pub(crate) number: u64,
    pub(crate) text: Bytes,
}

/// Why there is no next document.
#[derive(Debug)]
pub(crate) enum SplitFault {
    /// This one is too long; the next can be read.
    TooLong(u64),
    /// The array is not one; nothing more can be read.
    Broken(String),
    /// The input cannot be read.
    Io(io::Error),
}

impl From<io::Error> for SplitFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads documents one after the other.
pub(crate) struct Splitter<R> {
    input: R,
    layout: Layout,
    limit: usize,
    piece: Vec<u8>,
    /// Lines or elements begun so far.
    number: u64,
    /// Bytes consumed so far.
    offset: u64,
    is_begun: bool,
    is_ended: bool,
}

impl<R: BufRead> Splitter<R> {
    /// Begins to read; without a layout, what begins with `[` is an array.
    ///
    /// # Errors
    /// The input's.
    pub(crate) fn new(mut input: R, layout: Option<Layout>) -> io::Result<Self> {
        let first = input.fill_buf()?;
        let mark = if first.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len()
        } else {
            0
        };
        let text = first.get(mark..).unwrap_or_default();
        let looks_like = match text.trim_ascii_start().first() {
            Some(b'[') => Layout::Array,
            _ => Layout::Ndjson,
        };
        input.consume(mark);
        Ok(Self {
            input,
            layout: layout.unwrap_or(looks_like),
            limit: PIECE_BYTES,
            piece: Vec::new(),
            number: 0,
            offset: mark as u64,
            is_begun: false,
            is_ended: false,
        })
    }

    /// What one piece is called: `line` or `element`.
    pub(crate) fn unit(&self) -> &'static str {
        match self.layout {
            Layout::Array => "element",
            Layout::Ndjson => "line",
        }
    }

    /// The next document; `None` at the end.
    ///
    /// # Errors
    /// [`SplitFault`].
    pub(crate) fn next_piece(&mut self) -> Result<Option<Piece>, SplitFault> {
        match self.layout {
            Layout::Array => self.next_element(),
            Layout::Ndjson => self.next_line(),
        }
    }

    fn next_line(&mut self) -> Result<Option<Piece>, SplitFault> {
        loop {
            let begin = self.offset;
            self.number += 1;
            let is_whole = self.take_until(LineEnd)?;
            if self.offset == begin {
                return Ok(None);
            }
            if !is_whole {
                return Err(SplitFault::TooLong(self.number));
            }
            if let Some(piece) = self.finish() {
                return Ok(Some(piece));
            }
        }
    }

    fn next_element(&mut self) -> Result<Option<Piece>, SplitFault> {
        if self.is_ended {
            return Ok(None);
        }
        if !self.is_begun {
            if self.skip_space()? != Some(b'[') {
                return self.broken("the file does not begin with '['");
            }
            self.consume(1);
            self.is_begun = true;
        }
        if self.number == 0 && self.skip_space()? == Some(b']') {
            self.consume(1);
            return self.end();
        }
        self.number += 1;
        let begin = self.offset;
        let mut scanner = ElementEnd::default();
        let is_whole = self.take_until(&mut scanner)?;
        match scanner.terminator {
            Some(b']') => self.end().map(|_| ())?,
            Some(_) => {}
            None => {
                return self.broken(&format!(
                    "the file ends inside element {}, which begins at byte {begin}",
                    self.number
                ));
            }
        }
        if !is_whole {
            return Err(SplitFault::TooLong(self.number));
        }
        match self.finish() {
            Some(piece) => Ok(Some(piece)),
            None => self.broken(&format!("element {} is missing", self.number)),
        }
    }

    /// Behind the array's `]`.
    fn end(&mut self) -> Result<Option<Piece>, SplitFault> {
        self.is_ended = true;
        match self.skip_space()? {
            None => Ok(None),
            Some(_) => self.broken("something stands behind the array"),
        }
    }

    fn broken<T>(&mut self, why: &str) -> Result<T, SplitFault> {
        self.is_ended = true;
        Err(SplitFault::Broken(format!("{why} (byte {})", self.offset)))
    }

    fn consume(&mut self, length: usize) {
        self.input.consume(length);
        self.offset += length as u64;
    }

    /// Skips white space and looks at the byte behind it.
    fn skip_space(&mut self) -> io::Result<Option<u8>> {
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let space = chunk.len() - chunk.trim_ascii_start().len();
            let next = chunk.get(space).copied();
            self.consume(space);
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    /// Collects bytes up to the end that the scanner finds, and consumes that end
    /// too. False if they were too many and are not all there.
    fn take_until(&mut self, mut scanner: impl Scanner) -> io::Result<bool> {
        self.piece.clear();
        let mut is_whole = true;
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return Ok(is_whole);
            }
            let end = scanner.scan(chunk);
            let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or(chunk);
            is_whole &= self.piece.len() + part.len() <= self.limit;
            if is_whole {
                self.piece.extend_from_slice(part);
            }
            let length = part.len();
            self.consume(length);
            if end.is_some() {
                self.consume(1);
                return Ok(is_whole);
            }
        }
    }

    fn finish(&self) -> Option<Piece> {
        let text = self.piece.trim_ascii();
        (!text.is_empty()).then(|| Piece {
            number: self.number,
            text: Bytes::copy_from_slice(text),
        })
    }
}

/// Finds where a piece ends, chunk by chunk.
trait Scanner {
    fn scan(&mut self, chunk: &[u8]) -> Option<usize>;
}

struct LineEnd;

impl Scanner for LineEnd {
    fn scan(&mut self, chunk: &[u8]) -> Option<usize> {
        chunk.iter().position(|&byte| byte == b'\n')
    }
}

/// The comma or bracket behind an element.
#[derive(Default)]
struct ElementEnd {
    depth: usize,
    is_in_string: bool,
    is_escaped: bool,
    terminator: Option<u8>,
}

impl Scanner for &mut ElementEnd {
    fn scan(&mut self, chunk: &[u8]) -> Option<usize> {
        for (index, &byte) in chunk.iter().enumerate() {
            if self.is_in_string {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.is_in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.is_in_string = true,
                b'[' | b'{' => self.depth += 1,
                b',' | b']' if self.depth == 0 => {
                    self.terminator = Some(byte);
                    return Some(index);
                }
                b']' | b'}' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    /// All pieces as `number:text`, and how it ended, read in chunks of this size.
    fn split(text: &[u8], chunk: usize, layout: Option<Layout>) -> (Vec<String>, String) {
        let input = BufReader::with_capacity(chunk, text);
        let mut splitter = Splitter::new(input, layout).unwrap();
        splitter.limit = 40;
        let mut pieces = Vec::new();
        loop {
            match splitter.next_piece() {
                Ok(Some(piece)) => {
                    let text = String::from_utf8_lossy(&piece.text).into_owned();
                    pieces.push(format!("{}:{text}", piece.number));
                }
                Ok(None) => return (pieces, "end".to_owned()),
                Err(SplitFault::TooLong(number)) => pieces.push(format!("{number} too long")),
                Err(SplitFault::Broken(why)) => return (pieces, why),
                Err(SplitFault::Io(error)) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn lines_and_elements_are_cut_out_exactly() {
        let long = format!("[{},2]", "x".repeat(41));
        let long_line = format!("{}\n2", "x".repeat(41));
        let cases: [(&str, &[&str], &str); 17] = [
            ("", &[], "end"),
            ("\n \n", &[], "end"),
            (
                "{\"a\": 1.0}\r\n\n 2 \n3",
                &["1:{\"a\": 1.0}", "3:2", "4:3"],
                "end",
            ),
            ("\u{feff}1\n2\n", &["1:1", "2:2"], "end"),
            ("[]", &[], "end"),
            (" [ ] \n", &[], "end"),
            (
                "[1, [2,3] ,{\"a\":\"],\\\"]\"}]\n",
                &["1:1", "2:[2,3]", "3:{\"a\":\"],\\\"]\"}"],
                "end",
            ),
            (
                "[1",
                &[],
                "the file ends inside element 1, which begins at byte 1 (byte 2)",
            ),
            (
                "[1,",
                &["1:1"],
                "the file ends inside element 2, which begins at byte 3 (byte 3)",
            ),
            (
                "[\"\\",
                &[],
                "the file ends inside element 1, which begins at byte 1 (byte 3)",
            ),
            ("[1,]", &["1:1"], "element 2 is missing (byte 4)"),
            ("[,1]", &[], "element 1 is missing (byte 2)"),
            ("[1] 2", &[], "something stands behind the array (byte 4)"),
            ("[} , 1]", &["1:}", "2:1"], "end"),
            (&long, &["1 too long", "2:2"], "end"),
            (&long_line, &["1 too long", "2:2"], "end"),
            ("nonsense\n[", &["1:nonsense", "2:["], "end"),
        ];
        for (text, pieces, end) in cases {
            for chunk in [8, 1_000] {
                let found = split(text.as_bytes(), chunk, None);
                assert_eq!(found.0, pieces, "{text:?}");
                assert_eq!(found.1, end, "{text:?}");
            }
        }
    }

    #[test]
    fn a_layout_can_be_forced() {
        let text = b"[1]\n[2]\n";
        assert_eq!(split(text, 8, Some(Layout::Ndjson)).0, ["1:[1]", "2:[2]"]);
        let (_, end) = split(b"1\n", 8, Some(Layout::Array));
        assert!(end.contains("does not begin with '['"));
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i32>().prop_map(Into::into),
            "[a\\[\\]{},\"\\\\é\n]{0,6}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Into::into),
                prop::collection::vec(("[a\"\\]]{0,3}", inner), 0..3)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_documents_come_out_as_they_went_in(
            values in prop::collection::vec(value(), 0..6),
            space in "[ \r\t]{0,2}",
            chunk in 3_usize..20,
        ) {
            let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
            let expected: Vec<&str> = texts.iter().map(String::as_str).collect();
            let array = format!("{space}[{space}\n{}{space}]", texts.join(&format!("{space},\n")));
            let lines: String = texts.iter().map(|text| format!("{space}{text}{space}\n")).collect();
            for (text, layout) in [(array, Layout::Array), (lines, Layout::Ndjson)] {
                let input = BufReader::with_capacity(chunk, text.as_bytes());
                let mut splitter = Splitter::new(input, Some(layout)).unwrap();
                let mut found = Vec::new();
                while let Some(piece) = splitter.next_piece().unwrap() {
                    prop_assert_eq!(piece.number, found.len() as u64 + 1);
                    found.push(String::from_utf8(piece.text.to_vec()).unwrap());
                }
                prop_assert_eq!(&found, &expected);
            }
        }
    }
}
