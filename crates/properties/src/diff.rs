//! The difference of two documents: a patch that makes the one of the other, spelling and
//! all.

use matchbook_core::json;

use crate::input::pieces;
use crate::json::checked;
use crate::oracle::Read;

/// The input is two documents, with a zero byte between.
pub fn diff(data: &[u8]) {
    let mut pieces = pieces(data);
    let pair = pieces.next().zip(pieces.next());
    if let Some((before, after)) = pair.and_then(|(a, b)| checked(a).zip(checked(b))) {
        between(&before, &after);
        between(&after, &before);
    }
}

pub(crate) fn between(before: &Read<'_>, after: &Read<'_>) {
    let patch = json::diff(before.text, after.text);
    let checked = checked(patch.as_bytes()).expect("it is JSON");
    assert!(!patch.contains('\n'));
    assert_eq!(patch == "[]", before.spelled == after.spelled, "{patch}");
    let parsed = json::Patch::parse(checked.text).expect("it is a JSON Patch");
    let max_bytes = 2 * (before.text.len() + after.text.len()) + patch.len();
    let made = parsed.apply(before.text, max_bytes).expect("it applies");
    let made = Read::of(&made).expect("what it makes is JSON");
    assert_eq!(made.spelled, after.spelled, "{patch}");
    assert!(json::equal(made.text, after.text));
}
