//! Strict JSON: RFC 8259, with what I-JSON (RFC 7493) forbids because two parsers
//! read it differently: names that occur twice, and lone surrogates (contract §2).
//!
//! One pass, which reads strings eight bytes at a time. The names of the objects that
//! are still open lie on one stack. Among few names a new one is compared with those
//! that share its place in a 64-bit filter; many are sorted when their object ends. So
//! no choice of names makes the cost grow faster than n log n.

use std::cmp::Ordering;
use std::fmt;

use super::scan::{plain_end, space_end};
use super::text;
use crate::limits::JSON_DEPTH;

/// Names in an object up to which each new one is compared at once.
const FEW_NAMES: usize = 32;

/// Why a text is no JSON document, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Offset in bytes of the first byte that cannot stand there.
    pub offset: usize,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong at a [`Fault`]'s offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The text ends within a value.
    End,
    /// A byte order mark in front.
    ByteOrderMark,
    /// The bytes are not UTF-8.
    Utf8,
    /// No value begins with this.
    Value,
    /// An object without a name where one must stand.
    Name,
    /// A name without a colon behind it.
    Colon,
    /// A member without a comma or the object's end behind it.
    ObjectEnd,
    /// An element without a comma or the array's end behind it.
    ArrayEnd,
    /// Not how JSON spells numbers.
    Number,
    /// A control character in a string.
    Control,
    /// A backslash that begins no escape.
    Escape,
    /// `\u` with half of a surrogate pair.
    Surrogate,
    /// Nested deeper than [`JSON_DEPTH`].
    Depth,
    /// A name that its object already has.
    Duplicate,
    /// Something behind the value.
    Trailing,
}

impl Reason {
    /// What is wrong, as half a sentence.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::End => "the text ends within a value",
            Self::ByteOrderMark => "a byte order mark is not allowed",
            Self::Utf8 => "invalid UTF-8",
            Self::Value => "expected a value",
            Self::Name => "expected a member name in double quotes",
            Self::Colon => "expected ':'",
            Self::ObjectEnd => "expected ',' or '}'",
            Self::ArrayEnd => "expected ',' or ']'",
            Self::Number => "not a number as JSON spells it",
            Self::Control => "a control character in a string must be escaped",
            Self::Escape => "not an escape sequence of JSON",
            Self::Surrogate => "a surrogate without its other half",
            Self::Depth => "nested more than 128 deep",
            Self::Duplicate => "duplicate member name",
            Self::Trailing => "expected the end of the text",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.reason, self.offset)
    }
}

impl std::error::Error for Fault {}

/// Accepts a text that is one JSON value as contract §2 wants it.
///
/// # Errors
/// The first [`Fault`] from the left; a duplicate among many names is found only when
/// its object ends.
///
/// ```
/// use matchbook_core::json::{Reason, check};
/// assert_eq!(check(b" [1.0, 1e400] "), Ok(" [1.0, 1e400] "));
/// let Err(fault) = check(br#"{"a":1,"\u0061":2}"#) else { unreachable!() };
/// assert_eq!((fault.offset, fault.reason), (7, Reason::Duplicate));
/// ```
pub fn check(text: &[u8]) -> Result<&str, Fault> {
    match std::str::from_utf8(text) {
        Ok(valid) => Checker::run(text).map(|()| valid),
        Err(error) => {
            let end = error.valid_up_to();
            let before = Checker::run(text.get(..end).unwrap_or_default());
            let utf8 = Fault {
                offset: end,
                reason: Reason::Utf8,
            };
            Err(before
                .err()
                .filter(|fault| fault.offset < end)
                .unwrap_or(utf8))
        }
    }
}

struct Checker<'a> {
    text: &'a [u8],
    at: usize,
    /// Names of the objects around `at`, outermost first.
    names: Vec<Name>,
}

/// A member name, without its quotes.
#[derive(Clone, Copy)]
struct Name {
    /// The same for names that are the same, and hardly ever for others.
    mark: u64,
    start: usize,
    length: usize,
}

type Checked = Result<(), Fault>;

impl<'a> Checker<'a> {
    fn run(text: &'a [u8]) -> Checked {
        let mut checker = Self {
            text,
            at: 0,
            names: Vec::new(),
        };
        if text.starts_with(b"\xEF\xBB\xBF") {
            return checker.fault(Reason::ByteOrderMark);
        }
        checker.space();
        checker.value(0)?;
        checker.space();
        match checker.peek() {
            None => Ok(()),
            Some(_) => checker.fault(Reason::Trailing),
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        self.at = space_end(self.text, self.at);
    }

    /// A fault at the present byte; at the end of the text, that it ends.
    #[cold]
    fn fault<T>(&self, reason: Reason) -> Result<T, Fault> {
        let ended = self.at >= self.text.len();
        Err(Fault {
            offset: self.at.min(self.text.len()),
            reason: if ended { Reason::End } else { reason },
        })
    }

    fn value(&mut self, depth: usize) -> Checked {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => self.fault(Reason::Value),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Checked {
        for &letter in word {
            if self.peek() != Some(letter) {
                return self.fault(Reason::Value);
            }
            self.at += 1;
        }
        Ok(())
    }

    fn digits(&mut self) -> Checked {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return self.fault(Reason::Number);
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Checked {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                return self.fault(Reason::Number);
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Reads a string, and says whether it has escapes.
    #[inline]
    fn string(&mut self) -> Result<bool, Fault> {
        self.at = plain_end(self.text, self.at + 1);
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(false);
        }
        self.escaped_rest()
    }

    fn escaped_rest(&mut self) -> Result<bool, Fault> {
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                _ => return self.fault(Reason::Control),
            }
            self.at = plain_end(self.text, self.at);
        }
        self.at += 1;
        Ok(true)
    }

    fn escape(&mut self) -> Checked {
        let begin = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                return Ok(());
            }
            Some(b'u') => {}
            _ => return self.fault(Reason::Escape),
        }
        let whole = match self.code_unit()? {
            0xD800..=0xDBFF if self.text.get(self.at..self.at + 2) == Some(b"\\u") => {
                self.at += 1;
                matches!(self.code_unit()?, 0xDC00..=0xDFFF)
            }
            0xD800..=0xDFFF => false,
            _ => true,
        };
        if whole {
            return Ok(());
        }
        Err(Fault {
            offset: begin,
            reason: Reason::Surrogate,
        })
    }

    /// The four digits behind the `u` that is here.
    fn code_unit(&mut self) -> Result<u32, Fault> {
        let mut unit = 0;
        for _ in 0..4 {
            self.at += 1;
            match self.peek().and_then(|byte| char::from(byte).to_digit(16)) {
                Some(digit) => unit = unit << 4 | digit,
                None => return self.fault(Reason::Escape),
            }
        }
        self.at += 1;
        Ok(unit)
    }

    fn array(&mut self, depth: usize) -> Checked {
        if depth >= JSON_DEPTH {
            return self.fault(Reason::Depth);
        }
        self.at += 1;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return self.fault(Reason::ArrayEnd),
            }
            self.space();
        }
        self.at += 1;
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Checked {
        if depth >= JSON_DEPTH {
            return self.fault(Reason::Depth);
        }
        self.at += 1;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        let outer = self.names.len();
        let mut filter = 0;
        loop {
            self.name(outer, &mut filter)?;
            self.space();
            if self.peek() != Some(b':') {
                return self.fault(Reason::Colon);
            }
            self.at += 1;
            self.space();
            self.value(depth + 1)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return self.fault(Reason::ObjectEnd),
            }
            self.space();
        }
        self.at += 1;
        if self.names.len() - outer > FEW_NAMES {
            self.all_differ(outer)?;
        }
        self.names.truncate(outer);
        Ok(())
    }

    /// Reads a name, the next one of the object whose names begin at `outer`.
    #[inline]
    fn name(&mut self, outer: usize, filter: &mut u64) -> Checked {
        if self.peek() != Some(b'"') {
            return self.fault(Reason::Name);
        }
        let quote = self.at;
        let escaped = self.string()?;
        let (start, length) = (quote + 1, self.at - quote - 2);
        let mark = if escaped {
            self.escaped_mark(quote)
        } else {
            mark(self.text, start, length)
        };
        let name = Name {
            mark,
            start,
            length,
        };
        let place = 1 << (mark >> 58);
        if *filter & place != 0 && self.names.len() - outer < FEW_NAMES {
            let siblings = self.names.get(outer..).unwrap_or_default();
            if siblings
                .iter()
                .any(|other| other.mark == mark && compare(self.text, other, &name).is_eq())
            {
                return duplicate(&name);
            }
        }
        *filter |= place;
        self.names.push(name);
        Ok(())
    }

    #[cold]
    fn escaped_mark(&self, quote: usize) -> u64 {
        let raw = self.text.get(quote..self.at).unwrap_or_default();
        let name = text::unescape(std::str::from_utf8(raw).unwrap_or_default());
        mark(name.as_bytes(), 0, name.len())
    }

    #[cold]
    fn all_differ(&mut self, outer: usize) -> Checked {
        let text = self.text;
        let names = self.names.get_mut(outer..).unwrap_or_default();
        let order = |a: &Name, b: &Name| {
            let by_mark = a.mark.cmp(&b.mark);
            by_mark.then_with(|| compare(text, a, b).then(a.start.cmp(&b.start)))
        };
        names.sort_unstable_by(order);
        let twins = names
            .array_windows()
            .filter(|[a, b]| a.mark == b.mark && compare(text, a, b).is_eq());
        match twins.map(|[_, later]| later).min_by_key(|name| name.start) {
            Some(later) => duplicate(later),
            None => Ok(()),
        }
    }
}

#[cold]
fn duplicate(name: &Name) -> Checked {
    Err(Fault {
        offset: name.start - 1,
        reason: Reason::Duplicate,
    })
}

/// Compares two names as what they stand for.
fn compare(text: &[u8], a: &Name, b: &Name) -> Ordering {
    let raw = |name: &Name| {
        text.get(name.start..name.start + name.length)
            .unwrap_or_default()
    };
    let (raw_a, raw_b) = (raw(a), raw(b));
    if !raw_a.contains(&b'\\') && !raw_b.contains(&b'\\') {
        return raw_a.cmp(raw_b);
    }
    let quoted = |name: &Name| {
        let with_quotes = text.get(name.start - 1..=name.start + name.length);
        std::str::from_utf8(with_quotes.unwrap_or_default()).unwrap_or_default()
    };
    text::compare(quoted(a), quoted(b))
}

/// Mixes the bytes of a name into 64 bits.
#[inline]
fn mark(text: &[u8], start: usize, length: usize) -> u64 {
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    let behind = text.get(start..).unwrap_or_default();
    if length <= 8 {
        let word = match behind.first_chunk::<8>() {
            // The bits behind the name are shifted out.
            Some(word) if length > 0 => u64::from_le_bytes(*word) << (64 - 8 * length),
            _ => behind
                .iter()
                .take(length)
                .fold(0, |word, &byte| word >> 8 | u64::from(byte) << 56),
        };
        return (word ^ length as u64).wrapping_mul(MIX);
    }
    let name = behind.get(..length).unwrap_or_default();
    let mut mixed = length as u64;
    let (words, _) = name.as_chunks::<8>();
    let last = name.last_chunk::<8>();
    for word in words.iter().chain(last) {
        mixed = (mixed ^ u64::from_le_bytes(*word)).wrapping_mul(MIX);
        mixed ^= mixed >> 29;
    }
    mixed.wrapping_mul(MIX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples::document;
    use super::*;

    fn fault(text: &[u8]) -> Option<(usize, Reason)> {
        check(text).err().map(|fault| (fault.offset, fault.reason))
    }

    #[test]
    fn section_2_a_fault_has_its_offset() {
        let cases: [(&[u8], usize, Reason); 46] = [
            (b"", 0, Reason::End),
            (b"  ", 2, Reason::End),
            (b"{\"a\":1", 6, Reason::End),
            (b"[1,", 3, Reason::End),
            (b"\"abc", 4, Reason::End),
            (b"tru", 3, Reason::End),
            (b"-", 1, Reason::End),
            (b"\"\\u00", 5, Reason::End),
            (b"\xEF\xBB\xBF1", 0, Reason::ByteOrderMark),
            (b"[\"\xff\"]", 2, Reason::Utf8),
            (b"[\"\xed\xa0\x80\"]", 2, Reason::Utf8),
            (b"1\xff", 1, Reason::Utf8),
            (b"[x, \"\xff\"]", 1, Reason::Value),
            (b"]", 0, Reason::Value),
            (b"trux", 3, Reason::Value),
            (b"NaN", 0, Reason::Value),
            (b"+1", 0, Reason::Value),
            (b".5", 0, Reason::Value),
            (b"'a'", 0, Reason::Value),
            (b"[1,]", 3, Reason::Value),
            (b"[,1]", 1, Reason::Value),
            (b"{\"a\":}", 5, Reason::Value),
            (b"{a:1}", 1, Reason::Name),
            (b"{1:1}", 1, Reason::Name),
            (b"{\"a\":1,}", 7, Reason::Name),
            (b"{\"a\" 1}", 5, Reason::Colon),
            (b"{\"a\":1 \"b\":2}", 7, Reason::ObjectEnd),
            (b"{\"a\":1]", 6, Reason::ObjectEnd),
            (b"[1 2]", 3, Reason::ArrayEnd),
            (b"[1}", 2, Reason::ArrayEnd),
            (b"[\"a\":1]", 4, Reason::ArrayEnd),
            (b"01", 1, Reason::Number),
            (b"-x", 1, Reason::Number),
            (b"-01", 2, Reason::Number),
            (b"1.x", 2, Reason::Number),
            (b"[1.]", 3, Reason::Number),
            (b"1e+,", 3, Reason::Number),
            (b"\"\n\"", 1, Reason::Control),
            (b"\"12345678\x1f\"", 9, Reason::Control),
            (b"\"\\x\"", 2, Reason::Escape),
            (b"\"\\u00g0\"", 5, Reason::Escape),
            (b"\"\\ud800\"", 1, Reason::Surrogate),
            (b"\"\\ud800\\u0041\"", 1, Reason::Surrogate),
            (b"\"a\\udc00\\ud800\"", 2, Reason::Surrogate),
            (b"1 2", 2, Reason::Trailing),
            (b"{}\x00", 2, Reason::Trailing),
        ];
        for (text, offset, reason) in cases {
            let shown = String::from_utf8_lossy(text);
            assert_eq!(fault(text), Some((offset, reason)), "{shown}");
        }
    }

    #[test]
    fn section_2_duplicate_names_are_refused() {
        let cases = [
            (r#"{"a":1,"a":1}"#, Some(7)),
            (r#"{"a":{"a":1},"b":{"a":1}}"#, None),
            (r#"{"x":{"a":1,"b":1},"a":1}"#, None),
            (r#"{"\u0061":1,"a":1}"#, Some(12)),
            (r#"{"a":1,"b":[{"c":1,"d":2,"\u0063":3}]}"#, Some(25)),
            (r#"{"\ud83d\ude00":1,"😀":2}"#, Some(18)),
            (r#"{"":1,"":2}"#, Some(6)),
            (r#"{"a":1,"A":2,"a ":3,"a\u0000":4}"#, None),
            (
                r#"{"long name 1":1,"long name 2":1,"long name 1":2}"#,
                Some(33),
            ),
        ];
        for (text, offset) in cases {
            let expected = offset.map(|offset| (offset, Reason::Duplicate));
            assert_eq!(fault(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn section_2_a_duplicate_among_many_names_is_found() {
        for count in [30, 32, 33, 34, 1_000] {
            let name = |n: usize| format!("\"name number {n}\":0");
            let mut members: Vec<String> = (0..count).map(name).collect();
            assert_eq!(fault(format!("{{{}}}", members.join(",")).as_bytes()), None);
            members.push(r#""n\u0061me number 7":1"#.to_owned());
            let offset = members[..count]
                .iter()
                .map(|member| member.len() + 1)
                .sum::<usize>()
                + 1;
            members.push(name(8));
            let text = format!("{{{}}}", members.join(","));
            assert_eq!(fault(text.as_bytes()), Some((offset, Reason::Duplicate)));
        }
    }

    #[test]
    fn section_2_nesting_is_bounded() {
        let nested = |depth: usize| [b"[".repeat(depth), b"]".repeat(depth)].concat();
        assert_eq!(fault(&nested(JSON_DEPTH)), None);
        assert_eq!(
            fault(&nested(JSON_DEPTH + 1)),
            Some((JSON_DEPTH, Reason::Depth))
        );
        assert_eq!(
            fault(&b"{\"a\":".repeat(100_000)),
            Some((5 * JSON_DEPTH, Reason::Depth))
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn what_is_generated_is_accepted(text in document()) {
            prop_assert_eq!(check(text.as_bytes()), Ok(text.as_str()));
        }

        /// Accepted and refused is what another parser accepts and refuses, but for the
        /// stricter rules.
        #[test]
        fn agrees_with_serde_json(
            text in document(),
            place in any::<prop::sample::Index>(),
            byte in prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\u01-.e \n".to_vec())],
            insert: bool,
        ) {
            let mut bytes = text.into_bytes();
            let place = place.index(bytes.len());
            if insert { bytes.insert(place, byte) } else { bytes[place] = byte }
            let theirs = serde_json::from_slice::<serde_json::Value>(&bytes);
            match check(&bytes) {
                Ok(_) => prop_assert!(
                    theirs.as_ref().err().is_none_or(|error| error.to_string().contains("out of range")),
                    "{:?}", theirs
                ),
                Err(fault) if fault.reason == Reason::Duplicate => {}
                Err(fault) => {
                    prop_assert!(theirs.is_err(), "{}", fault);
                    prop_assert!(fault.offset <= bytes.len());
                }
            }
        }
    }
}
