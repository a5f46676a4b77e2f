//! JSON values as bytes that are ordered as the values are (contract §6): absent, null,
//! false, true, numbers, strings, arrays, objects. The bytes are what indexes, sorts
//! and page tokens compare.
//!
//! Untruncated keys are equal exactly when the values are: numbers by exact decimal
//! value, strings by their characters, objects whatever the order of their members.
//!
//! ```text
//! absent null false true     tag
//! number   tag, 7F | 80 | 81 (below, at, above zero), then if not zero
//!          exponent, digits two by two as 1 to 100, 00; inverted if below zero
//! string   tag, UTF-8 with each byte plus one, 00
//! array    tag, the elements' keys, 00
//! object   tag, the members sorted: the name as a string, the value's key; 00
//! ```
//!
//! No key is the beginning of another, so concatenated keys are ordered like tuples. Of
//! truncated keys, the one of the lesser value is never the greater.

use super::number::{Decimal, Exponent};
use super::select::Scan;
use super::text;
use crate::limits::JSON_DEPTH;

/// The type of a value, as far as `lt`, `lte`, `gt` and `gte` tell types apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No value.
    Absent,
    /// `null`.
    Null,
    /// `false` and `true`.
    Boolean,
    /// Any number.
    Number,
    /// Any string.
    String,
    /// Any array.
    Array,
    /// Any object.
    Object,
}

const END: u8 = 0x00;
const ABSENT: u8 = 0x10;
const NULL: u8 = 0x20;
const FALSE: u8 = 0x30;
const TRUE: u8 = 0x31;
const NUMBER: u8 = 0x40;
const STRING: u8 = 0x50;
const ARRAY: u8 = 0x60;
const OBJECT: u8 = 0x70;

/// The key of a value given by its JSON text, or of its absence, cut after `max_bytes`.
///
/// ```
/// use matchbook_core::json::key::key;
/// let full = |raw| key(Some(raw), usize::MAX);
/// assert_eq!(full(r#"{"a":1.0,"b":"é"}"#), full(r#"{"b":"\u00e9", "a":1e0}"#));
/// assert!(full("-3") < full("1e400") && full("1e400") < full(r#""""#));
/// assert!(key(None, 8) < full("null"));
/// ```
#[must_use]
pub fn key(raw: Option<&str>, max_bytes: usize) -> Vec<u8> {
    let mut key = Key::new(max_bytes);
    match raw {
        None => key.push(ABSENT),
        Some(raw) => {
            key.value(&mut Scan::new(raw), JSON_DEPTH);
        }
    }
    key.bytes
}

/// The untruncated key of a string that is given as plain text, not as JSON.
#[must_use]
pub fn of_text(text: &str) -> Vec<u8> {
    let mut key = Key::new(usize::MAX);
    key.push(STRING);
    key.text(text);
    key.bytes
}

/// What the keys of all strings that begin with this begin with.
#[must_use]
pub fn of_prefix(text: &str) -> Vec<u8> {
    let mut key = of_text(text);
    key.pop();
    key
}

/// Between which bytes the keys of this key's kind lie: from the first on, and before the
/// second.
#[must_use]
pub fn kin(key: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let tag = key.first().copied().unwrap_or_default() & 0xF0;
    (vec![tag], vec![tag.saturating_add(0x10)])
}

/// The least bytes that are greater than all that begin with these.
#[must_use]
pub fn after(prefix: &[u8]) -> Vec<u8> {
    let mut after = prefix.to_vec();
    while let Some(last) = after.pop() {
        if let Some(greater) = last.checked_add(1) {
            after.push(greater);
            return after;
        }
    }
    vec![u8::MAX; prefix.len() + 1]
}

/// The type of the value that a key stands for.
#[must_use]
pub fn kind(key: &[u8]) -> Kind {
    match key.first() {
        Some(&NULL) => Kind::Null,
        Some(&(FALSE | TRUE)) => Kind::Boolean,
        Some(&NUMBER) => Kind::Number,
        Some(&STRING) => Kind::String,
        Some(&ARRAY) => Kind::Array,
        Some(&OBJECT) => Kind::Object,
        Some(_) | None => Kind::Absent,
    }
}

/// A key as it grows, until it is full.
struct Key {
    bytes: Vec<u8>,
    max_bytes: usize,
    /// `FF` inside a negative number, where more is less.
    mask: u8,
}

impl Key {
    const fn new(max_bytes: usize) -> Self {
        Self {
            bytes: Vec::new(),
            max_bytes,
            mask: 0,
        }
    }

    fn push(&mut self, byte: u8) {
        if self.bytes.len() < self.max_bytes {
            self.bytes.push(byte ^ self.mask);
        }
    }

    fn extend(&mut self, bytes: impl Iterator<Item = u8>) {
        let (room, mask) = (self.room(), self.mask);
        self.bytes.extend(bytes.take(room).map(|byte| byte ^ mask));
    }

    fn room(&self) -> usize {
        self.max_bytes.saturating_sub(self.bytes.len())
    }

    /// Passes the value even when the key is full, so that it is read once however deep
    /// it lies. False if there was nothing to read.
    fn value(&mut self, scan: &mut Scan<'_>, depth: usize) -> bool {
        if self.room() == 0 {
            return scan.value().is_some();
        }
        match (scan.peek(), depth.checked_sub(1)) {
            (Some(b'['), Some(below)) => self.array(scan, below),
            (Some(b'{'), Some(below)) => self.object(scan, below),
            _ => match scan.value() {
                Some(raw) => self.scalar(raw),
                None => return false,
            },
        }
        true
    }

    fn scalar(&mut self, raw: &str) {
        match raw.bytes().next() {
            Some(b'f') => self.push(FALSE),
            Some(b't') => self.push(TRUE),
            Some(b'"') => {
                self.push(STRING);
                self.text(&text::unescape(raw));
            }
            Some(b'-' | b'0'..=b'9') => self.number(&Decimal::read(raw)),
            // Deeper than any document.
            Some(b'[') => self.opaque(ARRAY, raw),
            Some(b'{') => self.opaque(OBJECT, raw),
            Some(_) | None => self.push(NULL),
        }
    }

    fn opaque(&mut self, tag: u8, raw: &str) {
        self.push(tag);
        self.text(raw);
    }

    fn text(&mut self, text: &str) {
        // No byte of UTF-8 is FF.
        self.extend(text.bytes().map(|byte| byte.wrapping_add(1)));
        self.push(END);
    }

    fn number(&mut self, number: &Decimal<'_>) {
        self.push(NUMBER);
        if number.is_zero() {
            return self.push(0x80);
        }
        self.push(if number.is_negative() { 0x7F } else { 0x81 });
        self.mask = if number.is_negative() { 0xFF } else { 0 };
        self.exponent(number.exponent());
        let mut digits = number.digits();
        self.extend(std::iter::from_fn(|| {
            Some(digits.next()? * 10 + digits.next().unwrap_or(0) + 1)
        }));
        self.push(END);
        self.mask = 0;
    }

    /// One byte for the exponents of everyday numbers. For others the length of the
    /// magnitude and the magnitude; inverted if negative.
    fn exponent(&mut self, exponent: &Exponent) {
        let outer = self.mask;
        match exponent {
            Exponent::Small(small @ -0x40..0x40) => {
                self.extend(u8::try_from(small + 0x80).into_iter());
            }
            Exponent::Small(small) => {
                self.mask ^= if *small < 0 { 0xFF } else { 0 };
                let bytes = small.unsigned_abs().to_be_bytes();
                let significant = bytes.iter().skip_while(|byte| **byte == 0);
                self.extend(u8::try_from(significant.clone().count() + 0xC0).into_iter());
                self.extend(significant.copied());
            }
            Exponent::Huge { negative, digits } => {
                self.mask ^= if *negative { 0xFF } else { 0 };
                self.push(0xE0);
                self.extend((digits.len() as u64).to_be_bytes().into_iter());
                self.extend(digits.bytes());
            }
        }
        self.mask = outer;
    }

    fn array(&mut self, scan: &mut Scan<'_>, depth: usize) {
        scan.take(b'[');
        self.push(ARRAY);
        while scan.next_element() && self.value(scan, depth) {}
        self.push(END);
    }

    fn object(&mut self, scan: &mut Scan<'_>, depth: usize) {
        scan.take(b'{');
        let mut members = Vec::new();
        while let Some(name) = scan.member_name() {
            let mut member = Self::new(self.max_bytes);
            member.scalar(name);
            member.value(scan, depth);
            members.push(member.bytes);
        }
        scan.take(b'}');
        members.sort_unstable();
        self.push(OBJECT);
        for member in members {
            let fits = member.get(..self.room()).unwrap_or(&member);
            self.bytes.extend_from_slice(fits);
        }
        self.push(END);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{check, number};
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Ordering;

    fn full(raw: &str) -> Vec<u8> {
        key(Some(raw), usize::MAX)
    }

    #[test]
    fn section_6_values_are_ordered_by_type_then_value() {
        let huge = "9".repeat(40);
        let ascending = [
            "null",
            "false",
            "true",
            &format!("-1e{huge}"),
            "-1e400",
            "-65e64",
            "-65e63",
            "-10",
            "-1.5",
            "-1.49",
            "-1",
            "-1e-64",
            "-1e-66",
            "-1e-400",
            &format!("-1e-{huge}"),
            "0",
            &format!("1e-{huge}"),
            "1e-400",
            "1e-66",
            "1e-64",
            "0.1",
            "0.101",
            "0.11",
            "1",
            "9.99",
            "10",
            "123456789012345678901234567890",
            "123456789012345678901234567891",
            "1e63",
            "1e64",
            "1e300",
            "1e65536",
            &format!("1e{huge}"),
            &format!("2e{huge}"),
            r#""""#,
            r#""\u0000""#,
            r#""\u0000\u0000""#,
            r#""\u0001""#,
            r#""a""#,
            r#""a\u0000""#,
            r#""aa""#,
            r#""b""#,
            r#""é""#,
            r#""\uffff""#,
            r#""\uD834\uDD1E""#,
            "[]",
            "[null]",
            "[null,1]",
            "[1]",
            "[1,0]",
            r#"["a"]"#,
            r#"["a","b"]"#,
            r#"["aa"]"#,
            "{}",
            r#"{"":1}"#,
            r#"{"a":1}"#,
            r#"{"a":1,"b":0}"#,
            r#"{"a":2}"#,
            r#"{"aa":0}"#,
        ];
        for (i, a) in ascending.iter().enumerate() {
            assert!(key(None, usize::MAX) < full(a));
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(full(a).cmp(&full(b)), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn section_6_equal_values_have_equal_keys() {
        let pairs = [
            ("0", "-0.00e7"),
            ("1", "1.0"),
            ("-100", "-1E2"),
            (r#""\u00e9\/""#, r#""é/""#),
            ("[1, [2.0]]", "[1.0,[2]]"),
            (
                r#"{"a":1,"b":[{"c":0}]}"#,
                r#" { "\u0062" : [ {"c":-0} ], "a" : 1.0 } "#,
            ),
        ];
        for (a, b) in pairs {
            assert_eq!(full(a), full(b), "{a} {b}");
        }
        assert_eq!(of_text("é\0"), full(r#""\u00e9\u0000""#));
    }

    #[test]
    fn a_key_tells_its_kind() {
        let kinds = [
            ("null", Kind::Null),
            ("false", Kind::Boolean),
            ("true", Kind::Boolean),
            ("-1", Kind::Number),
            (r#""1""#, Kind::String),
            ("[]", Kind::Array),
            ("{}", Kind::Object),
        ];
        for (raw, expected) in kinds {
            assert_eq!(kind(&key(Some(raw), 1)), expected, "{raw}");
        }
        assert_eq!(kind(&key(None, 1)), Kind::Absent);
    }

    #[test]
    fn text_deeper_than_any_document_needs_no_stack() {
        let deep = format!("{}7{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(full(&deep), full(&deep));
        assert_eq!(kind(&full(&deep)), Kind::Array);
        assert!(!full(&"[".repeat(100_000)).is_empty());
    }

    /// Any JSON value, some of them spelt unusually.
    fn value() -> impl Strategy<Value = String> {
        let scalar = prop_oneof![
            "null|true|false",
            "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
            "[a-c\0é\u{10000}]{0,3}".prop_map(|text| quoted(&text)),
        ];
        scalar.prop_recursive(3, 12, 3, |inner| {
            let member = ("[a-c]{0,2}", inner.clone());
            prop_oneof![
                prop::collection::vec(inner, 0..4)
                    .prop_map(|items| format!("[{}]", items.join(" ,"))),
                prop::collection::btree_map(member.0, member.1, 0..4).prop_map(|members| {
                    let members = members.into_iter().rev();
                    let members: Vec<_> = members
                        .map(|(name, value)| quoted(&name) + ": " + &value)
                        .collect();
                    format!("{{ {} }}", members.join(","))
                }),
            ]
        })
    }

    fn quoted(text: &str) -> String {
        let mut json = String::new();
        text::quote_into(&mut json, text);
        json
    }

    proptest! {
        #[test]
        fn numbers_are_ordered_as_by_compare(
            a in "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,45})?",
            b in "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?",
        ) {
            prop_assert_eq!(full(&a).cmp(&full(&b)), number::compare(&a, &b));
        }

        #[test]
        fn strings_are_ordered_as_by_compare(a in "[a\0\u{7f}é\u{10000}]{0,4}", b in "[a\0\u{7f}é\u{10000}]{0,4}") {
            let (a, b) = (quoted(&a), quoted(&b));
            prop_assert_eq!(full(&a).cmp(&full(&b)), text::compare(&a, &b));
        }

        #[test]
        fn truncation_keeps_the_order_and_no_key_begins_another(a in value(), b in value(), max in 0_usize..24) {
            prop_assert!(check(a.as_bytes()).is_ok());
            let (whole_a, whole_b) = (full(&a), full(&b));
            let order = whole_a.cmp(&whole_b);
            prop_assert!(order.is_eq() || !whole_a.starts_with(&whole_b));
            let (cut_a, cut_b) = (key(Some(&a), max), key(Some(&b), max));
            prop_assert_eq!(&cut_a[..], &whole_a[..max.min(whole_a.len())]);
            let cut_order = cut_a.cmp(&cut_b);
            prop_assert!(cut_order == Ordering::Equal || cut_order == order);
        }

        #[test]
        fn never_panics(raw in "[\\[\\]{}:,\"\\\\ 01eé-]{0,24}", max in 0_usize..40) {
            prop_assert!(key(Some(&raw), max).len() <= max);
        }
    }
}
