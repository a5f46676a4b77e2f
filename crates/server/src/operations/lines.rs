//! The lines of a file, some at a time, in bounded memory.

use std::io::{self, BufRead};

use bytes::Bytes;

/// How much to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Lines.
    pub(super) lines: usize,
    /// Bytes after which no further line is begun.
    pub(super) bytes: usize,
    /// Bytes of one line; the rest of a longer one is passed over.
    pub(super) line_bytes: usize,
}

/// A line that is not blank.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Which it is, the first being 1.
    pub(super) number: u64,
    /// How many bytes of the file end with it.
    pub(super) end: u64,
    /// Without the white space around it; `None` if it is too long.
    pub(super) text: Option<Bytes>,
}

/// Reads lines, of which the first begins at byte `offset` and comes after line `number`.
/// Tells whether the file ends with them.
pub(super) fn read(
    mut input: impl BufRead,
    mut offset: u64,
    mut number: u64,
    bounds: Bounds,
) -> io::Result<(Vec<Line>, bool)> {
    let mut lines = Vec::new();
    let mut bytes = 0;
    while lines.len() < bounds.lines && bytes < bounds.bytes {
        let mut text = Vec::new();
        let length = read_line(&mut input, &mut text, bounds.line_bytes)?;
        if length == 0 {
            return Ok((lines, true));
        }
        offset += length;
        number += 1;
        bytes += text.len();
        let is_whole = text.len() <= bounds.line_bytes;
        if is_whole && text.trim_ascii().is_empty() {
            continue;
        }
        lines.push(Line {
            number,
            end: offset,
            text: is_whole.then(|| Bytes::copy_from_slice(text.trim_ascii())),
        });
    }
    Ok((lines, false))
}

/// Reads to the end of a line, keeps what fits and one byte more, and tells how many bytes
/// there were.
fn read_line(input: &mut impl BufRead, text: &mut Vec<u8>, max_bytes: usize) -> io::Result<u64> {
    let mut length = 0;
    loop {
        let chunk = input.fill_buf()?;
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let line = end.map_or(chunk, |end| chunk.get(..end).unwrap_or_default());
        let room = (max_bytes + 1).saturating_sub(text.len());
        text.extend(line.iter().take(room));
        let taken = line.len() + usize::from(end.is_some());
        input.consume(taken);
        length += taken as u64;
        if end.is_some() || taken == 0 {
            return Ok(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        lines: 2,
        bytes: 100,
        line_bytes: 4,
    };

    fn line(number: u64, end: u64, text: Option<&'static str>) -> Line {
        Line {
            number,
            end,
            text: text.map(|text| Bytes::from_static(text.as_bytes())),
        }
    }

    #[test]
    fn lines_are_read_from_where_the_last_piece_ended() {
        let file = &b"1\r\n\n 22 \n55555\n4444\n7"[..];
        let (first, is_end) = read(file, 0, 0, BOUNDS).unwrap();
        assert_eq!(first, [line(1, 3, Some("1")), line(3, 9, Some("22"))]);
        assert!(!is_end);
        let (second, is_end) = read(&file[9..], 9, 3, BOUNDS).unwrap();
        assert_eq!(second, [line(4, 15, None), line(5, 20, Some("4444"))]);
        assert!(!is_end);
        let (third, is_end) = read(&file[20..], 20, 5, BOUNDS).unwrap();
        assert_eq!(third, [line(6, 21, Some("7"))]);
        assert!(is_end);
        assert_eq!(read(&b""[..], 21, 6, BOUNDS).unwrap(), (vec![], true));
    }

    #[test]
    fn a_piece_ends_when_it_has_many_bytes() {
        let bounds = Bounds { bytes: 3, ..BOUNDS };
        let (lines, is_end) = read(&b"123\n4\n"[..], 0, 0, bounds).unwrap();
        assert_eq!(lines, [line(1, 4, Some("123"))]);
        assert!(!is_end);
    }
}
