//! A merge patch said again as a JSON Patch, where that is plain to see.

use std::slice;

use super::scan::{self, compact};
use super::select::{members, select};
use super::text::{quote_into, unescape};

/// Most members of a merge patch that are restated: the document is looked through for
/// each, and for more a diff costs less.
const MEMBERS: usize = 8;

/// The JSON Patch (RFC 6902) that does to the document what the merge patch (RFC 7396)
/// does. `None` where only a diff can tell: if either is no object, or a member of the
/// patch is an object itself, or there are many.
///
/// ```
/// use matchbook_core::json::restate;
/// let patch = restate(r#"{"a":1,"b":2}"#, r#"{"a":7,"b":null,"c":null}"#);
/// let expected = r#"[{"op":"replace","path":"/a","value":7},{"op":"remove","path":"/b"}]"#;
/// assert_eq!(patch.as_deref(), Some(expected));
/// ```
#[must_use]
pub fn restate(document: &str, merge_patch: &str) -> Option<String> {
    let (document, merge_patch) = (scan::trim(document), scan::trim(merge_patch));
    if !scan::is_object(document) || !scan::is_object(merge_patch) {
        return None;
    }
    let mut patch = String::from("[");
    for (count, (name, value)) in members(merge_patch).enumerate() {
        if count == MEMBERS || scan::is_object(value) {
            return None;
        }
        let name = unescape(name).into_owned();
        let operation = match (select(document, slice::from_ref(&name)), value) {
            (None, "null") => continue,
            (Some(_), "null") => "remove",
            (Some(there), value) if there == value => continue,
            (Some(_), _) => "replace",
            (None, _) => "add",
        };
        if patch.len() > 1 {
            patch.push(',');
        }
        patch.push_str("{\"op\":\"");
        patch.push_str(operation);
        patch.push_str("\",\"path\":");
        let token = name.replace('~', "~0").replace('/', "~1");
        quote_into(&mut patch, &format!("/{token}"));
        if value != "null" {
            patch.push_str(",\"value\":");
            patch.push_str(&compact(value));
        }
        patch.push('}');
    }
    patch.push(']');
    Some(patch)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples::{document, model};
    use super::super::{Patch, merge};
    use super::*;

    #[test]
    fn only_what_is_plain_to_see_is_restated() {
        let nested = r#"{"a":{"b":1}}"#;
        let many = r#"{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1}"#;
        for (document, patch) in [("{}", nested), ("{}", many), ("[]", "{}"), ("{}", "7")] {
            assert_eq!(restate(document, patch), None, "{document} {patch}");
        }
        let cases = [
            (r#"{"a":1}"#, r#"{"a":1}"#, "[]"),
            (
                r#"{"a":null}"#,
                r#"{"a":null}"#,
                r#"[{"op":"remove","path":"/a"}]"#,
            ),
            (
                r#"{"a":{"b":1}}"#,
                "{\"a\":[1,\n2]}",
                r#"[{"op":"replace","path":"/a","value":[1,2]}]"#,
            ),
            (
                "{}",
                r#"{"~\u002F\"":true}"#,
                r#"[{"op":"add","path":"/~0~1\"","value":true}]"#,
            ),
        ];
        for (document, patch, expected) in cases {
            assert_eq!(restate(document, patch).as_deref(), Some(expected));
        }
    }

    proptest! {
        #[test]
        fn it_does_what_the_merge_patch_does(before in document(), patch in document()) {
            if let Some(restated) = restate(&before, &patch) {
                let merged = merge(&before, &patch, 1 << 20).unwrap();
                let restated = Patch::parse(&restated).unwrap();
                let patched = restated.apply(&before, 1 << 20).unwrap();
                prop_assert_eq!(model(&patched), model(&merged));
            }
        }
    }
}
