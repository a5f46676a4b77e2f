//! Finding a value in JSON text by a fast scan that skips what it does not look for.
//! No tree is built and nothing is allocated.

use super::pointer::array_index;
use super::scan::{space_end, string_end, value_end};
use super::text;

/// The raw text of the value that the tokens of a JSON Pointer (RFC 6901 §4) lead to.
/// `None` if there is none: `-` and indices with leading zeros never resolve.
///
/// ```
/// use matchbook_core::json::select::select;
/// let tokens = ["tags", "1"].map(String::from);
/// assert_eq!(select(r#"{"id":7,"tags":["a", "b"]}"#, &tokens), Some("\"b\""));
/// ```
#[must_use]
pub fn select<'a>(json: &'a str, tokens: &[String]) -> Option<&'a str> {
    let mut scan = Scan::new(json);
    for token in tokens {
        match scan.peek()? {
            b'{' => scan.enter_member(token)?,
            b'[' => scan.enter_element(array_index(token)?)?,
            _ => return None,
        }
    }
    scan.value()
}

/// The members of an object, as they stand: the raw name, quotes included, and the raw
/// value. None for any other value.
pub fn members(json: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut scan = Scan::new(json);
    let mut opened = scan.take(b'{');
    std::iter::from_fn(move || {
        let next = opened.then(|| Some((scan.member_name()?, scan.value()?)));
        opened = matches!(next, Some(Some(_)));
        next.flatten()
    })
}

/// As [`members`], for bytes: who looks at few members need not know that all others are
/// UTF-8.
pub fn members_in(json: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut at = space_end(json, 0);
    let mut opening = b'{';
    std::iter::from_fn(move || {
        // Behind the bracket, and then behind each comma.
        let is_open = json.get(at) == Some(&opening);
        opening = b',';
        at = space_end(json, at + 1);
        if !is_open || json.get(at) != Some(&b'"') {
            at = json.len();
            return None;
        }
        let name_end = string_end(json, at);
        let name = json.get(at..name_end)?;
        at = space_end(json, name_end);
        at = space_end(json, at + usize::from(json.get(at) == Some(&b':')));
        let end = value_end(json, at);
        let value = json.get(at..end)?;
        at = space_end(json, end);
        Some((name, value))
    })
}

/// The elements of an array, raw. None for any other value.
pub fn elements(json: &str) -> impl Iterator<Item = &str> {
    let mut scan = Scan::new(json);
    let mut opened = scan.take(b'[');
    std::iter::from_fn(move || {
        let next = opened.then(|| scan.next_element().then(|| scan.value())?);
        opened = matches!(next, Some(Some(_)));
        next.flatten()
    })
}

/// A place in JSON text, before a value or between the parts of one.
pub(super) struct Scan<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    /// Before the value that the text holds.
    pub(super) fn new(json: &'a str) -> Self {
        let mut scan = Self { json, at: 0 };
        scan.skip_space();
        scan
    }

    /// The byte here.
    pub(super) fn peek(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }

    /// Passes this byte and the white space behind it, if it is here.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        if here {
            self.at += 1;
            self.skip_space();
        }
        here
    }

    /// Passes the value here and the white space behind it; returns its text.
    pub(super) fn value(&mut self) -> Option<&'a str> {
        self.pass(value_end)
    }

    /// Inside an object: passes the next member's name and its colon. `None` at the end.
    pub(super) fn member_name(&mut self) -> Option<&'a str> {
        self.take(b',');
        let name = (self.peek()? == b'"').then(|| self.pass(string_end))?;
        self.take(b':').then_some(name)?
    }

    /// Inside an array: goes to the next element. False at the end, which it passes.
    pub(super) fn next_element(&mut self) -> bool {
        self.take(b',');
        self.peek().is_some() && !self.take(b']')
    }

    /// Passes what begins here and the white space behind it; returns its text.
    #[inline]
    fn pass(&mut self, end: impl Fn(&[u8], usize) -> usize) -> Option<&'a str> {
        let end = end(self.json.as_bytes(), self.at);
        let raw = self.json.get(self.at..end).filter(|raw| !raw.is_empty());
        self.at = end;
        self.skip_space();
        raw
    }

    fn enter_member(&mut self, name: &str) -> Option<()> {
        self.take(b'{');
        loop {
            let raw = self.member_name()?;
            // An escape is longer than what it stands for.
            if raw.len() >= name.len() + 2 && text::is(raw, name) {
                return Some(());
            }
            self.value()?;
        }
    }

    fn enter_element(&mut self, index: usize) -> Option<()> {
        self.take(b'[');
        for _ in 0..index {
            self.next_element().then_some(())?;
            self.value()?;
        }
        self.next_element().then_some(())
    }

    #[inline]
    fn skip_space(&mut self) {
        // No other byte this low stands outside of a string.
        while self.peek().is_some_and(|byte| byte <= b' ') {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(pointer: &str) -> Vec<String> {
        let split = pointer.split('/').skip(1);
        split
            .map(|token| token.replace("~1", "/").replace("~0", "~"))
            .collect()
    }

    #[test]
    fn rfc_6901_section_5_every_example_resolves() {
        let json = r#"{
            "foo": ["bar", "baz"],
            "": 0,
            "a/b": 1,
            "c%d": 2,
            "e^f": 3,
            "g|h": 4,
            "i\\j": 5,
            "k\"l": 6,
            " ": 7,
            "m~n": 8
        }"#;
        let cases = [
            ("/foo", r#"["bar", "baz"]"#),
            ("/foo/0", r#""bar""#),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
        ];
        assert_eq!(select(json, &[]), Some(json));
        for (pointer, value) in cases {
            assert_eq!(select(json, &tokens(pointer)), Some(value), "{pointer}");
        }
    }

    #[test]
    fn the_raw_text_is_found_whatever_stands_around_it() {
        let json = "\t{ \"skip\" : {\"a\":[1,{\"}\":\"]\\\"}\\\\\"}]} , \"\\u0061\" :\n [ -1.50e+2 , [ ] , {} ,null ] , \"b\":true}\r\n";
        let cases = [
            ("/a", Some("[ -1.50e+2 , [ ] , {} ,null ]")),
            ("/a/0", Some("-1.50e+2")),
            ("/a/1", Some("[ ]")),
            ("/a/2", Some("{}")),
            ("/a/3", Some("null")),
            ("/a/4", None),
            ("/a/-", None),
            ("/a/00", None),
            ("/a/+1", None),
            ("/a/", None),
            ("/a/18446744073709551616", None),
            ("/a/1/0", None),
            ("/a/2/x", None),
            ("/a/0/x", None),
            ("/b", Some("true")),
            ("/b/0", None),
            ("/c", None),
            ("/skip/a/1/}", Some("\"]\\\"}\\\\\"")),
        ];
        for (pointer, value) in cases {
            assert_eq!(select(json, &tokens(pointer)), value, "{pointer}");
        }
        assert_eq!(select(" 5 ", &[]), Some("5"));
    }

    #[test]
    fn parts_are_listed_as_they_stand() {
        let object = r#" { "a" : 1 , "\u0062":[2, 3], "c":{} } "#;
        let expected = [(r#""a""#, "1"), (r#""\u0062""#, "[2, 3]"), (r#""c""#, "{}")];
        assert!(members(object).eq(expected));
        assert!(elements(" [ 1 , \"x\",[],{ } ] ").eq(["1", "\"x\"", "[]", "{ }"]));
        for empty in ["", "{}", "[]", " [ ] ", "null", "7", "\"[1]\""] {
            assert_eq!(
                members(empty).count() + elements(empty).count(),
                0,
                "{empty}"
            );
        }
        assert_eq!(members("[1]").count(), 0);
        let in_bytes = members_in(object.as_bytes());
        let expected = expected.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        assert!(in_bytes.eq(expected));
        for empty in [&b"[1]"[..], b"", b"{}", b" { } ", b"7", b"\"a\""] {
            assert_eq!(members_in(empty).count(), 0);
        }
        assert_eq!(elements("{\"a\":1}").count(), 0);
    }

    #[test]
    fn deep_text_needs_no_stack() {
        let json = format!("[{}{},7]", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(select(&json, &tokens("/1")), Some("7"));
    }

    proptest! {
        #[test]
        fn a_string_of_any_length_is_skipped(text in "[a\"\\\\é]{0,40}") {
            let mut json = String::from("[");
            text::quote_into(&mut json, &text);
            json.push_str(",7]");
            prop_assert_eq!(select(&json, &tokens("/1")), Some("7"));
        }

        #[test]
        fn never_panics(json in "[\\[\\]{}:,\"\\\\ 01aé]{0,24}", pointer in "(/[01a]?){0,3}") {
            let found = select(&json, &tokens(&pointer));
            prop_assert!(found.is_none_or(|raw| json.contains(raw)));
            let parts = members(&json).count() + elements(&json).count();
            prop_assert!(parts <= json.len());
        }
    }
}
