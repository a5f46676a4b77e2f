//! JSON Patch and JSON Merge Patch: what comes of a document is what the oracle says, and
//! is itself a document.

use matchbook_core::json::{ApplyFaultKind, Patch, merge, restate};

use crate::input::pieces;
use crate::json::checked;
use crate::oracle::{Read, Refused, Value, merged, patched};

/// Largest result: enough for what comes of an input, and small enough for the oracle.
pub(crate) const MAX_BYTES: usize = 64 * 1_024;

/// The input is a document and a patch, with a zero byte between.
pub fn patch(data: &[u8]) {
    let mut pieces = pieces(data);
    let pair = pieces.next().zip(pieces.next());
    let pair = pair.and_then(|(document, patch)| checked(document).zip(checked(patch)));
    if let Some((document, patch)) = pair
        && document.text.len() <= MAX_BYTES
    {
        json_patch(&document, &patch);
        merge_patch(&document, &patch);
    }
}

/// The result, if there is one.
pub(crate) fn json_patch(document: &Read<'_>, patch: &Read<'_>) -> Option<String> {
    let parsed = match Patch::parse(patch.text) {
        Ok(parsed) => parsed,
        Err(fault) => {
            let expected = patched(&document.value, &patch.value);
            assert_eq!(expected, Err(Refused::Malformed), "{fault}");
            return None;
        }
    };
    let result = parsed.apply(document.text, MAX_BYTES);
    if let Err(fault) = &result
        && fault.kind == ApplyFaultKind::TooLarge
    {
        return None;
    }
    let is_exact = document.is_exact && patch.is_exact;
    let expected = patched(&document.value, &patch.value);
    assert_ne!(expected, Err(Refused::Malformed), "{}", patch.text);
    match &result {
        Ok(text) => {
            let result = checked(text.as_bytes()).expect("the result is JSON");
            if is_exact {
                assert_eq!(expected.as_ref(), Ok(&result.value), "{text}");
            }
        }
        // What is too deep may be refused before it is known that it leads nowhere.
        Err(fault) if fault.kind == ApplyFaultKind::TooDeep => assert!(expected.is_err()),
        Err(_) if is_exact => assert!(expected.is_err(), "{result:?} {expected:?}"),
        Err(_) => {}
    }
    result.ok()
}

pub(crate) fn merge_patch(document: &Read<'_>, patch: &Read<'_>) {
    let Ok(text) = merge(document.text, patch.text, MAX_BYTES) else {
        return;
    };
    let result = checked(text.as_bytes()).expect("the result is JSON");
    let expected = merged(Some(document.value.clone()), &patch.value);
    if document.is_exact && patch.is_exact {
        assert_eq!(result.value, expected, "{text}");
    }
    assert_eq!(result.spelled, spelled(document, patch), "{text}");
    if let Some(said) = restate(document.text, patch.text) {
        let again = Patch::parse(&said).expect("it is a JSON Patch");
        let again = again.apply(document.text, 2 * MAX_BYTES);
        let again = again.expect("it applies");
        assert_eq!(Read::of(&again).unwrap().spelled, result.spelled, "{said}");
    }
}

/// What the merge makes of the spellings, in which `null` is a string.
fn spelled(document: &Read<'_>, patch: &Read<'_>) -> Value {
    fn with_nulls(value: &Value) -> Value {
        match value {
            Value::String(text) if text == "null" => Value::Null,
            Value::Object(members) => {
                let members = members.iter();
                Value::Object(members.map(|(n, v)| (n.clone(), with_nulls(v))).collect())
            }
            other => other.clone(),
        }
    }
    match &patch.spelled {
        Value::Object(_) => merged(Some(document.spelled.clone()), &with_nulls(&patch.spelled)),
        scalar => scalar.clone(),
    }
}
