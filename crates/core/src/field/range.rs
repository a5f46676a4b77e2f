//! `Range` (RFC 9110 §14.2), in bytes:
//!
//! ```text
//! Range        = range-unit "=" 1#range-spec
//! range-spec   = int-range / suffix-range / other-range
//! int-range    = first-pos "-" [ last-pos ]
//! suffix-range = "-" suffix-length
//! ```
//!
//! `bytes=0-499`, `bytes=500-`, `bytes=-500`
//!
//! A set of more than [`RANGES`] is checked and then ignored, and the answer is the
//! whole representation (RFC 9110 §14.2 lets a server do so). A unit that is not
//! `bytes` is ignored as well. RFC 9110 §14.2 has a recipient ignore a malformed set
//! too; here it is a fault, so that the decision can answer it (contract §3, line 1).
//!
//! `headers::Range` drops the members of a set that it cannot read.

use super::cursor::{Cursor, Unexpected};
use super::{FieldFault, single};
use crate::limits::RANGES;

/// What a well-formed `Range` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// One range of bytes.
    Bytes(ByteRange),
    /// More than [`RANGES`] ranges of bytes: ignored.
    TooMany,
    /// A unit that the server does not know: ignored.
    OtherUnit,
}

/// One range of bytes, before the length of the representation is known. Positions
/// over [`u64::MAX`] are taken as that: no representation reaches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From one position to another, that one included.
    FromTo(u64, u64),
    /// From a position to the end.
    From(u64),
    /// So many bytes at the end.
    Last(u64),
}

/// What a range means for a representation of a known length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// Answer 206 with these bytes, the last one included.
    Satisfied {
        /// Position of the first byte.
        first: u64,
        /// Position of the last byte.
        last: u64,
    },
    /// Answer 416 with `Content-Range: bytes */<length>`.
    Unsatisfiable,
    /// Answer as if there were no `Range`.
    Ignore,
}

impl Range {
    /// Reads the lines of `Range`.
    ///
    /// # Errors
    /// A [`FieldFault`] if there are several lines, or the line is no range set: also
    /// one with a last position before its first.
    pub fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<Option<Self>, FieldFault> {
        const FIELD: &str = "Range";
        let Some(line) = single(FIELD, lines)? else {
            return Ok(None);
        };
        let range = Self::read(line.trim_ascii()).map_err(|_| FieldFault {
            field: FIELD,
            detail: "not a range; send one as 'bytes=0-499', 'bytes=500-' or 'bytes=-500'",
        })?;
        Ok(Some(range))
    }

    fn read(line: &[u8]) -> Result<Self, Unexpected> {
        let mut cursor = Cursor::new(line);
        let unit = cursor.token()?;
        if !cursor.eat(b"=") {
            return Err(Unexpected);
        }
        if !unit.eq_ignore_ascii_case(b"bytes") {
            return if cursor.at_end() {
                Err(Unexpected)
            } else {
                Ok(Self::OtherUnit)
            };
        }
        let mut first = None;
        let mut count = 0;
        while cursor.next_element() {
            let range = ByteRange::read(&mut cursor)?;
            cursor.end_element()?;
            first = first.or(Some(range));
            count += 1;
        }
        match first {
            Some(range) if count <= RANGES => Ok(Self::Bytes(range)),
            Some(_) => Ok(Self::TooMany),
            None => Err(Unexpected),
        }
    }

    /// What it means for a representation of `length_bytes`. An empty representation
    /// has no part that a `Content-Range` could name, so a suffix of it is the whole.
    #[must_use]
    pub fn resolve(&self, length_bytes: u64) -> Resolved {
        let Self::Bytes(range) = *self else {
            return Resolved::Ignore;
        };
        let Some(end) = length_bytes.checked_sub(1) else {
            return match range {
                ByteRange::Last(1..) => Resolved::Ignore,
                _ => Resolved::Unsatisfiable,
            };
        };
        let (first, last) = match range {
            ByteRange::FromTo(first, last) => (first, last.min(end)),
            ByteRange::From(first) => (first, end),
            ByteRange::Last(0) => return Resolved::Unsatisfiable,
            ByteRange::Last(count) => (length_bytes.saturating_sub(count), end),
        };
        if first > end {
            return Resolved::Unsatisfiable;
        }
        Resolved::Satisfied { first, last }
    }
}

impl ByteRange {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Unexpected> {
        let first = read_position(cursor);
        if !cursor.eat(b"-") {
            return Err(Unexpected);
        }
        match (first, read_position(cursor)) {
            (None, None) => Err(Unexpected),
            (None, Some(count)) => Ok(Self::Last(count)),
            (Some(first), None) => Ok(Self::From(first)),
            (Some(first), Some(last)) if first <= last => Ok(Self::FromTo(first, last)),
            (Some(_), Some(_)) => Err(Unexpected),
        }
    }
}

fn read_position(cursor: &mut Cursor<'_>) -> Option<u64> {
    let digits = cursor.take_while(|byte| byte.is_ascii_digit());
    let add = |number: u64, digit: &u8| {
        let digit = u64::from(digit.wrapping_sub(b'0'));
        number.saturating_mul(10).saturating_add(digit)
    };
    (!digits.is_empty()).then(|| digits.iter().fold(0, add))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(lines: &[&str]) -> Result<Option<Range>, FieldFault> {
        Range::parse(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn sets_of_ranges() {
        use ByteRange::{From, FromTo, Last};
        use Range::{Bytes, OtherUnit, TooMany};
        let good = [
            ("bytes=0-499", Bytes(FromTo(0, 499))),
            ("bytes=7-7", Bytes(FromTo(7, 7))),
            ("bytes=500-", Bytes(From(500))),
            ("bytes=-500", Bytes(Last(500))),
            ("bytes=-0", Bytes(Last(0))),
            ("BYTES=0-", Bytes(From(0))),
            (" bytes=0-\t", Bytes(From(0))),
            ("bytes=, 0-4 ,", Bytes(FromTo(0, 4))),
            ("bytes=00-004", Bytes(FromTo(0, 4))),
            ("bytes=0-99999999999999999999", Bytes(FromTo(0, u64::MAX))),
            ("bytes=99999999999999999999-", Bytes(From(u64::MAX))),
            ("bytes=0-0,-1", TooMany),
            ("bytes=0-,0-,0-", TooMany),
            ("items=0-5", OtherUnit),
            ("lines=a b", OtherUnit),
        ];
        for (line, expected) in good {
            assert_eq!(parse(&[line]), Ok(Some(expected)), "{line}");
        }
        let bad = [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=5",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=0-5-9",
            "bytes=0-5 6-9",
            "bytes=+0-5",
            "bytes=0x0-5",
            "bytes=0 - 5",
            "bytes =0-5",
            "bytes:0-5",
            "bytes=--5",
            "bytes=0-5,x",
            "bytes=0-5,9-8",
            "items=",
            "=0-5",
            "bytes 0-5/9",
        ];
        for line in bad {
            assert!(parse(&[line]).is_err(), "{line}");
        }
        assert_eq!(parse(&[]), Ok(None));
        assert!(parse(&["bytes=0-1", "bytes=2-3"]).is_err());
    }

    #[test]
    fn ranges_meet_a_length() {
        use Resolved::{Ignore, Satisfied, Unsatisfiable};
        let bytes = |first, last| Satisfied { first, last };
        let cases = [
            ("bytes=0-499", 10_000, bytes(0, 499)),
            ("bytes=500-999", 10_000, bytes(500, 999)),
            ("bytes=-500", 10_000, bytes(9_500, 9_999)),
            ("bytes=9500-", 10_000, bytes(9_500, 9_999)),
            ("bytes=0-0", 1, bytes(0, 0)),
            ("bytes=0-9", 5, bytes(0, 4)),
            ("bytes=4-", 5, bytes(4, 4)),
            ("bytes=-9", 5, bytes(0, 4)),
            ("bytes=5-", 5, Unsatisfiable),
            ("bytes=5-9", 5, Unsatisfiable),
            ("bytes=-0", 5, Unsatisfiable),
            ("bytes=0-", 0, Unsatisfiable),
            ("bytes=0-0", 0, Unsatisfiable),
            ("bytes=-0", 0, Unsatisfiable),
            ("bytes=-5", 0, Ignore),
            ("bytes=0-0,2-2", 5, Ignore),
            ("bytes=7-,8-", 5, Ignore),
            ("items=0-1", 5, Ignore),
            (
                "bytes=0-99999999999999999999",
                u64::MAX,
                bytes(0, u64::MAX - 1),
            ),
            ("bytes=99999999999999999999-", u64::MAX, Unsatisfiable),
        ];
        for (line, length, expected) in cases {
            let range = parse(&[line]).unwrap().unwrap();
            assert_eq!(range.resolve(length), expected, "{line} of {length}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(line in any::<Vec<u8>>(), length in any::<u64>()) {
            if let Ok(Some(range)) = Range::parse(std::iter::once(line.as_slice())) {
                let _ = range.resolve(length);
            }
        }

        #[test]
        fn what_is_satisfied_lies_within(line in "bytes=([0-9]{0,3}-[0-9]{0,3}|,){1,2}", length in 0u64..200) {
            if let Ok(Some(range)) = parse(&[&line])
                && let Resolved::Satisfied { first, last } = range.resolve(length)
            {
                prop_assert!(first <= last && last < length);
            }
        }

        #[test]
        fn what_is_written_is_read(first in any::<u64>(), more in any::<u32>()) {
            let last = first.saturating_add(u64::from(more));
            let read = parse(&[&format!("bytes={first}-{last}")]);
            prop_assert_eq!(read, Ok(Some(Range::Bytes(ByteRange::FromTo(first, last)))));
        }
    }
}
