//! JSON: accepted is what a plain recursive reader accepts, which shares no code with the
//! core; and equal is what it reads as the same value.

use matchbook_core::json::{self, compact};

use crate::input::pieces;
use crate::oracle::Read;

/// The input is a document, or two with a zero byte between.
pub fn json(data: &[u8]) {
    let read: Vec<_> = pieces(data).take(2).filter_map(checked).collect();
    for document in &read {
        let compact = compact(document.text);
        assert!(!compact.contains('\n') && !compact.contains('\r'));
        assert_eq!(Read::of(&compact).unwrap().value, document.value);
        assert!(json::equal(&compact, document.text));
    }
    if let [a, b] = read.as_slice()
        && a.is_exact
        && b.is_exact
    {
        assert_eq!(json::equal(a.text, b.text), a.value == b.value);
    }
}

/// The document, if both readers accept it; they have to agree.
pub(crate) fn checked(bytes: &[u8]) -> Option<Read<'_>> {
    let text = std::str::from_utf8(bytes);
    let expected = text.ok().and_then(Read::of);
    match json::check(bytes) {
        Ok(text) => {
            assert_eq!(text.as_bytes(), bytes);
            assert!(expected.is_some(), "accepted: {}", bytes.escape_ascii());
        }
        Err(fault) => {
            assert!(expected.is_none(), "{fault}: {}", bytes.escape_ascii());
            assert!(fault.offset <= bytes.len());
        }
    }
    expected
}
