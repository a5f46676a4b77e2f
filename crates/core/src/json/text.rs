//! Strings of JSON (RFC 8259 §7): what their escapes stand for, their order by code
//! point (contract §6), and how one is written.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

/// The text of a JSON string that is given with its quotes. Borrowed unless it holds
/// an escape.
///
/// ```
/// use matchbook_core::json::text::unescape;
/// assert_eq!(unescape(r#""caf\u00e9\n""#), "café\n");
/// ```
#[must_use]
pub fn unescape(raw: &str) -> Cow<'_, str> {
    let inner = inner(raw);
    if !has_escape(inner) {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((run, escaped)) = rest.split_once('\\') {
        text.push_str(run);
        let (meant, after) = escape(escaped);
        text.push(meant);
        rest = after;
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// Orders two JSON strings, given with their quotes, by the code points that they stand
/// for. Never allocates.
#[must_use]
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (inner(a), inner(b));
    if has_escape(a) || has_escape(b) {
        Characters(a).cmp(Characters(b))
    } else {
        // UTF-8 is ordered as its code points are.
        a.cmp(b)
    }
}

/// Whether a JSON string, given with its quotes, stands for `text`. Never allocates.
#[must_use]
pub fn is(raw: &str, text: &str) -> bool {
    let inner = inner(raw);
    if has_escape(inner) {
        Characters(inner).eq(text.chars())
    } else {
        inner == text
    }
}

/// Appends `text` as a JSON string. Only what must be escaped is.
///
/// ```
/// use matchbook_core::json::text::quote_into;
/// let mut json = String::new();
/// quote_into(&mut json, "a \"b\"\u{1}é/");
/// assert_eq!(json, r#""a \"b\"\u0001é/""#);
/// ```
pub fn quote_into(json: &mut String, text: &str) {
    json.reserve(text.len() + 2);
    json.push('"');
    let mut rest = text;
    // Each of them is one byte, and no part of another character is.
    let must_escape = |byte| matches!(byte, b'"' | b'\\' | 0..=0x1F);
    while let Some(at) = rest.bytes().position(must_escape) {
        let (run, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        json.push_str(run);
        let mut after = from.chars();
        match after.next() {
            Some('\x08') => json.push_str("\\b"),
            Some('\x0C') => json.push_str("\\f"),
            Some('\n') => json.push_str("\\n"),
            Some('\r') => json.push_str("\\r"),
            Some('\t') => json.push_str("\\t"),
            Some(c @ ('"' | '\\')) => json.extend(['\\', c]),
            Some(c) => {
                // Writing to a String cannot fail.
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            None => {}
        }
        rest = after.as_str();
    }
    json.push_str(rest);
    json.push('"');
}

/// What stands between the quotes.
fn inner(raw: &str) -> &str {
    let opened = raw.strip_prefix('"').unwrap_or(raw);
    opened.strip_suffix('"').unwrap_or(opened)
}

fn has_escape(inner: &str) -> bool {
    inner.as_bytes().contains(&b'\\')
}

/// The characters that the inside of a JSON string stands for.
struct Characters<'a>(&'a str);

impl Iterator for Characters<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let mut rest = self.0.chars();
        let (c, after) = match rest.next()? {
            '\\' => escape(rest.as_str()),
            plain => (plain, rest.as_str()),
        };
        self.0 = after;
        Some(c)
    }
}

/// Reads an escape after its backslash: the character meant, and what follows. What
/// means none becomes U+FFFD.
fn escape(after_backslash: &str) -> (char, &str) {
    let mut rest = after_backslash.chars();
    let meant = match rest.next() {
        Some('b') => '\x08',
        Some('f') => '\x0C',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return unicode_escape(rest.as_str()),
        Some(c @ ('"' | '\\' | '/')) => c,
        Some(_) | None => char::REPLACEMENT_CHARACTER,
    };
    (meant, rest.as_str())
}

/// Reads `hhhh` or `hhhh\uhhhh`, a surrogate pair.
fn unicode_escape(digits: &str) -> (char, &str) {
    let Some((high, rest)) = hex4(digits) else {
        return (char::REPLACEMENT_CHARACTER, digits);
    };
    if let Some(c) = char::from_u32(high) {
        return (c, rest);
    }
    let low = rest.strip_prefix("\\u").and_then(hex4);
    match low {
        Some((low @ 0xDC00..=0xDFFF, after)) if high < 0xDC00 => {
            let code = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            (c, after)
        }
        _ => (char::REPLACEMENT_CHARACTER, rest),
    }
}

fn hex4(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    let all_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let value = u32::from_str_radix(digits, 16).ok()?;
    all_hex.then_some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc_8259_section_7_escapes() {
        let cases = [
            (r#""""#, ""),
            (r#""plain""#, "plain"),
            (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\x08\x0C\n\r\t"),
            (r#""\u0041\u00e9\u00E9\u20ac""#, "Aéé€"),
            (r#""\u0000""#, "\0"),
            (r#""\uD834\uDD1E!""#, "\u{1D11E}!"),
            (r#""\\u0041""#, "\\u0041"),
            (r#""ends with \\""#, "ends with \\"),
        ];
        for (raw, text) in cases {
            assert_eq!(unescape(raw), text);
            assert!(is(raw, text));
            assert!(!is(raw, "something else"));
        }
    }

    #[test]
    fn section_6_strings_are_ordered_by_code_point() {
        // UTF-16 order would put U+1D11E before U+FF5E.
        let ascending = [
            r#""""#,
            r#""\u0000""#,
            r#""A""#,
            r#""\u0041b""#,
            r#""a""#,
            r#""aa""#,
            r#""\u00e9""#,
            r#""～""#,
            r#""\uD834\uDD1E""#,
            r#""𝄞a""#,
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn text_that_is_no_json_string_does_not_panic() {
        for raw in [
            "",
            "\"",
            "\\",
            "\"\\\"",
            r#""\u12""#,
            r#""\ud800""#,
            r#""\ud800\u0041""#,
            r#""\uéé""#,
            r#""\u+123""#,
        ] {
            let text = unescape(raw);
            assert!(is(raw, &text));
            assert_eq!(compare(raw, raw), Ordering::Equal);
        }
    }

    /// Any text as JSON with every character escaped.
    fn escape_all(text: &str) -> String {
        let units: String = text
            .encode_utf16()
            .map(|unit| format!("\\u{unit:04X}"))
            .collect();
        format!("\"{units}\"")
    }

    fn quote(text: &str) -> String {
        let mut json = String::new();
        quote_into(&mut json, text);
        json
    }

    proptest! {
        #[test]
        fn what_is_quoted_reads_the_same(text in any::<String>()) {
            for raw in [quote(&text), escape_all(&text)] {
                prop_assert_eq!(&unescape(&raw), &text);
                prop_assert!(is(&raw, &text));
            }
        }

        #[test]
        fn the_order_ignores_the_spelling(a in "[\\x00-\\x7Fé\u{FFFD}\u{10000}]{0,4}", b in "[\\x00-\\x7Fé\u{FFFD}\u{10000}]{0,4}") {
            let expected = a.cmp(&b);
            prop_assert_eq!(compare(&quote(&a), &quote(&b)), expected);
            prop_assert_eq!(compare(&escape_all(&a), &quote(&b)), expected);
        }

        #[test]
        fn never_panics(raw in "[\"\\\\u0-9a-fA-F\u{e9}]{0,16}") {
            let text = unescape(&raw);
            prop_assert!(is(&raw, &text));
        }
    }
}
