//! Whether two documents are the same value, however they are spelled (contract §6).

use std::cmp::Ordering;

use super::scan::{self, Entries, Entry};
use super::{number, text};
use crate::limits::JSON_DEPTH;

/// Whether two documents are equal as values: numbers by exact decimal value, strings
/// by what their escapes stand for, objects without regard to the order of members.
///
/// ```
/// use matchbook_core::json::equal;
/// assert!(equal(r#"{"a":1.0,"b":"\u0041"}"#, r#"{ "b": "A", "a": 10e-1 }"#));
/// assert!(!equal("1e400", "1e401"));
/// ```
#[must_use]
pub fn equal(a: &str, b: &str) -> bool {
    values(scan::trim(a), scan::trim(b), JSON_DEPTH)
}

fn values(a: &str, b: &str, depth: usize) -> bool {
    if a == b {
        return true;
    }
    match (a.as_bytes().first(), b.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => depth > 0 && members(a, b, depth - 1),
        (Some(b'['), Some(b'[')) => depth > 0 && elements(a, b, depth - 1),
        (Some(b'"'), Some(b'"')) => text::compare(a, b) == Ordering::Equal,
        (Some(b'-' | b'0'..=b'9'), Some(b'-' | b'0'..=b'9')) => {
            number::compare(a, b) == Ordering::Equal
        }
        _ => false,
    }
}

fn elements(a: &str, b: &str, depth: usize) -> bool {
    let (mut a, mut b) = (Entries::of(a), Entries::of(b));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(x), Some(y)) if values(x.value, y.value, depth) => {}
            _ => return false,
        }
    }
}

fn members(a: &str, b: &str, depth: usize) -> bool {
    let (mut rest_a, mut rest_b) = (Vec::new(), Vec::new());
    let (mut a, mut b) = (Entries::of(a), Entries::of(b));
    loop {
        match (a.next(), b.next()) {
            (None, None) => break,
            (Some(x), Some(y)) if rest_a.is_empty() && same_name(&x, &y) => {
                if !values(x.value, y.value, depth) {
                    return false;
                }
            }
            (Some(x), Some(y)) => {
                rest_a.push(x);
                rest_b.push(y);
            }
            _ => return false,
        }
    }
    rest_a.sort_unstable_by(|x, y| text::compare(x.name(), y.name()));
    rest_b.sort_unstable_by(|x, y| text::compare(x.name(), y.name()));
    let mut pairs = rest_a.iter().zip(&rest_b);
    pairs.all(|(x, y)| same_name(x, y) && values(x.value, y.value, depth))
}

/// Whether two members have the same name.
pub(super) fn same_name(a: &Entry<'_>, b: &Entry<'_>) -> bool {
    let (a, b) = (a.name(), b.name());
    a == b || text::compare(a, b) == Ordering::Equal
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples::{model, versions};
    use super::*;

    #[test]
    fn section_6_values_are_compared_not_spellings() {
        let cases = [
            ("1", " 1.0 ", true),
            ("-0", "0", true),
            ("100000000000000000000", "100000000000000000001", false),
            ("1e400", "10e399", true),
            (r#""\u0041""#, r#""A""#, true),
            (r#""1""#, "1", false),
            ("null", "false", false),
            ("[1,2]", "[2,1]", false),
            ("[1]", "[1,1]", false),
            ("[]", "[ ]", true),
            ("[]", "{}", false),
            (r#"{"a":1,"b":[2]}"#, r#"{"b":[2.0],"\u0061":1}"#, true),
            (r#"{"a":1,"b":2}"#, r#"{"b":1,"a":2}"#, false),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false),
            (r#"{"a":1,"c":1}"#, r#"{"b":1,"a":1}"#, false),
        ];
        for (a, b, expected) in cases {
            assert_eq!(equal(a, b), expected, "{a} {b}");
            assert_eq!(equal(b, a), expected, "{b} {a}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json((a, b) in versions()) {
            prop_assert_eq!(equal(&a, &b), model(&a) == model(&b));
            prop_assert!(equal(&a, &model(&a).to_string()));
        }
    }
}
