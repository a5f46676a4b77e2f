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
        Ok(valid) => document(text).map(|()| valid),
        Err(error) => {
            let end = error.valid_up_to();
            let before = document(text.get(..end).unwrap_or_default());
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

/// A position behind what was read, or why it cannot be read.
///
/// Positions go from function to function as values: kept in a field, each step would
/// wait for the store of the last one.
type Read = Result<usize, Fault>;

struct Checker<'a> {
    text: &'a [u8],
    /// Names of the objects around the present position, outermost first.
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

/// Room for the names of most documents, so that the stack need not grow.
const USUAL_NAMES: usize = 64;

fn document(text: &[u8]) -> Result<(), Fault> {
    if text.starts_with(b"\xEF\xBB\xBF") {
        return fault(text, 0, Reason::ByteOrderMark);
    }
    let mut checker = Checker {
        text,
        names: Vec::with_capacity(USUAL_NAMES),
    };
    let end = checker.value(space_end(text, 0), 0)?;
    let end = space_end(text, end);
    if end < text.len() {
        return fault(text, end, Reason::Trailing);
    }
    Ok(())
}

/// A fault at this byte; at the end of the text, that it ends.
#[cold]
fn fault<T>(text: &[u8], at: usize, reason: Reason) -> Result<T, Fault> {
    Err(Fault {
        offset: at.min(text.len()),
        reason: if at >= text.len() {
            Reason::End
        } else {
            reason
        },
    })
}

fn literal(text: &[u8], at: usize, word: &[u8]) -> Read {
    let rest = text.get(at..).unwrap_or_default();
    if rest.starts_with(word) {
        return Ok(at + word.len());
    }
    let same = rest
        .iter()
        .zip(word)
        .take_while(|(byte, letter)| byte == letter);
    fault(text, at + same.count(), Reason::Value)
}

#[inline]
fn is_digit(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_digit)
}

#[inline]
fn digits(text: &[u8], mut at: usize) -> Read {
    if !is_digit(text, at) {
        return fault(text, at, Reason::Number);
    }
    while is_digit(text, at) {
        at += 1;
    }
    Ok(at)
}

fn number(text: &[u8], mut at: usize) -> Read {
    if text.get(at) == Some(&b'-') {
        at += 1;
    }
    if text.get(at) == Some(&b'0') {
        at += 1;
        if is_digit(text, at) {
            return fault(text, at, Reason::Number);
        }
    } else {
        at = digits(text, at)?;
    }
    if text.get(at) == Some(&b'.') {
        at = digits(text, at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = text.get(at) {
            at += 1;
        }
        at = digits(text, at)?;
    }
    Ok(at)
}

/// Reads the string whose opening quote is here.
#[inline]
fn string(text: &[u8], at: usize) -> Read {
    let end = plain_end(text, at + 1);
    match text.get(end) {
        Some(b'"') => Ok(end + 1),
        _ => escaped_rest(text, end),
    }
}

/// Reads the rest of a string, from the first byte that does not stand for itself.
fn escaped_rest(text: &[u8], mut at: usize) -> Read {
    loop {
        match text.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = plain_end(text, escape(text, at)?),
            _ => return fault(text, at, Reason::Control),
        }
    }
}

fn escape(text: &[u8], at: usize) -> Read {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => return Ok(at + 2),
        Some(b'u') => {}
        _ => return fault(text, at + 1, Reason::Escape),
    }
    // `\u` and four digits.
    let behind = at + 6;
    match code_unit(text, at + 2)? {
        0xD800..=0xDBFF if text.get(behind..behind + 2) == Some(b"\\u") => {
            match code_unit(text, behind + 2)? {
                0xDC00..=0xDFFF => Ok(behind + 6),
                _ => fault(text, at, Reason::Surrogate),
            }
        }
        0xD800..=0xDFFF => fault(text, at, Reason::Surrogate),
        _ => Ok(behind),
    }
}

/// The code unit that four digits spell.
fn code_unit(text: &[u8], at: usize) -> Result<u32, Fault> {
    let mut unit = 0;
    for at in at..at + 4 {
        let byte = text.get(at).copied().map(char::from);
        match byte.and_then(|byte| byte.to_digit(16)) {
            Some(digit) => unit = unit << 4 | digit,
            None => return fault(text, at, Reason::Escape),
        }
    }
    Ok(unit)
}

impl Checker<'_> {
    fn value(&mut self, at: usize, depth: usize) -> Read {
        let text = self.text;
        match text.get(at) {
            Some(b'"') => string(text, at),
            Some(b'{') => self.object(at, depth),
            Some(b'[') => self.array(at, depth),
            Some(b'-' | b'0'..=b'9') => number(text, at),
            Some(b't') => literal(text, at, b"true"),
            Some(b'f') => literal(text, at, b"false"),
            Some(b'n') => literal(text, at, b"null"),
            _ => fault(text, at, Reason::Value),
        }
    }

    fn array(&mut self, at: usize, depth: usize) -> Read {
        let text = self.text;
        if depth >= JSON_DEPTH {
            return fault(text, at, Reason::Depth);
        }
        let mut at = space_end(text, at + 1);
        if text.get(at) == Some(&b']') {
            return Ok(at + 1);
        }
        loop {
            at = self.value(at, depth + 1)?;
            at = space_end(text, at);
            match text.get(at) {
                Some(b',') => at = space_end(text, at + 1),
                Some(b']') => return Ok(at + 1),
                _ => return fault(text, at, Reason::ArrayEnd),
            }
        }
    }

    fn object(&mut self, at: usize, depth: usize) -> Read {
        let text = self.text;
        if depth >= JSON_DEPTH {
            return fault(text, at, Reason::Depth);
        }
        let mut at = space_end(text, at + 1);
        if text.get(at) == Some(&b'}') {
            return Ok(at + 1);
        }
        let outer = self.names.len();
        let mut filter = 0;
        loop {
            at = self.name(at, outer, &mut filter)?;
            at = space_end(text, at);
            if text.get(at) != Some(&b':') {
                return fault(text, at, Reason::Colon);
            }
            at = self.value(space_end(text, at + 1), depth + 1)?;
            at = space_end(text, at);
            match text.get(at) {
                Some(b',') => at = space_end(text, at + 1),
                Some(b'}') => break,
                _ => return fault(text, at, Reason::ObjectEnd),
            }
        }
        if self.names.len() - outer > FEW_NAMES {
            self.all_differ(outer)?;
        }
        self.names.truncate(outer);
        Ok(at + 1)
    }

    /// Reads a name, the next one of the object whose names begin at `outer`.
    #[inline]
    fn name(&mut self, at: usize, outer: usize, filter: &mut u64) -> Read {
        let text = self.text;
        if text.get(at) != Some(&b'"') {
            return fault(text, at, Reason::Name);
        }
        let mut end = plain_end(text, at + 1);
        let mark = if text.get(end) == Some(&b'"') {
            mark(text, at + 1, end - at - 1)
        } else {
            end = escaped_rest(text, end)? - 1;
            escaped_mark(text.get(at..=end).unwrap_or_default())
        };
        let name = Name {
            mark,
            start: at + 1,
            length: end - at - 1,
        };
        let place = 1 << (mark >> 58);
        if *filter & place != 0 && self.names.len() - outer < FEW_NAMES {
            self.differs(outer, &name)?;
        }
        *filter |= place;
        self.names.push(name);
        Ok(end + 1)
    }

    fn differs(&self, outer: usize, name: &Name) -> Result<(), Fault> {
        let siblings = self.names.get(outer..).unwrap_or_default();
        if siblings.iter().any(|other| is_twin(self.text, other, name)) {
            return duplicate(name);
        }
        Ok(())
    }

    #[cold]
    fn all_differ(&mut self, outer: usize) -> Result<(), Fault> {
        let text = self.text;
        let names = self.names.get_mut(outer..).unwrap_or_default();
        names.sort_unstable_by_key(|name| name.mark);
        if names.array_windows().all(|[a, b]| a.mark != b.mark) {
            return Ok(());
        }
        names.sort_unstable_by(|a, b| {
            let by_mark = a.mark.cmp(&b.mark);
            by_mark.then_with(|| compare(text, a, b).then(a.start.cmp(&b.start)))
        });
        let twins = names.array_windows().filter(|[a, b]| is_twin(text, a, b));
        match twins.map(|[_, later]| later).min_by_key(|name| name.start) {
            Some(later) => duplicate(later),
            None => Ok(()),
        }
    }
}

fn is_twin(text: &[u8], a: &Name, b: &Name) -> bool {
    a.mark == b.mark && compare(text, a, b).is_eq()
}

#[cold]
fn escaped_mark(raw: &[u8]) -> u64 {
    let name = text::unescape(std::str::from_utf8(raw).unwrap_or_default());
    mark(name.as_bytes(), 0, name.len())
}

#[cold]
fn duplicate(name: &Name) -> Result<(), Fault> {
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
