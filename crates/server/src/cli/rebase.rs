//! What a person needs to know before a patch is put on a newer version: what changed
//! meanwhile, and where both sides changed the same.

use serde::Deserialize;
use similar::{ChangeTag, TextDiff};

use super::layout::spread;

/// Unchanged lines around each change.
const CONTEXT_LINES: usize = 2;

/// An operation of a JSON Patch, as far as its place goes.
#[derive(Deserialize)]
struct Operation {
    op: String,
    path: String,
    #[serde(default)]
    from: Option<String>,
}

/// The difference between two versions line by line, as `diff -u` shows it.
pub(crate) fn describe(old: &str, new: &str) -> String {
    let (old, new) = (spread(old), spread(new));
    let diff = TextDiff::from_lines(&old, &new);
    let mut text = String::new();
    for (index, group) in diff.grouped_ops(CONTEXT_LINES).iter().enumerate() {
        if index > 0 {
            text.push_str("  …\n");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            text.push_str(match change.tag() {
                ChangeTag::Delete => "- ",
                ChangeTag::Insert => "+ ",
                ChangeTag::Equal => "  ",
            });
            text.push_str(change.value());
        }
    }
    text
}

/// The places of `mine` that `theirs` changed too, or something in or around them.
pub(crate) fn both_changed(mine: &str, theirs: &str) -> Vec<String> {
    let theirs = places(theirs);
    let mut both = places(mine);
    both.retain(|place| theirs.iter().any(|other| overlap(place, other)));
    both.sort();
    both.dedup();
    both
}

fn places(patch: &str) -> Vec<String> {
    let operations: Vec<Operation> = serde_json::from_str(patch).unwrap_or_default();
    let mut places = Vec::new();
    for operation in operations {
        let shifts = operation.op != "replace";
        places.extend(operation.from.map(|from| place(&from, true)));
        places.push(place(&operation.path, shifts));
    }
    places
}

/// What a change at a pointer touches: an element that comes or goes moves its
/// neighbours, so that it touches the whole array.
fn place(pointer: &str, shifts: bool) -> String {
    match pointer.rsplit_once('/') {
        Some((array, last)) if shifts && is_index(last) => array.to_owned(),
        _ => pointer.to_owned(),
    }
}

fn is_index(token: &str) -> bool {
    token == "-" || (!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit()))
}

fn overlap(a: &str, b: &str) -> bool {
    let is_in = |inner: &str, outer: &str| {
        let rest = inner.strip_prefix(outer);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    is_in(a, b) || is_in(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_overlap_where_one_holds_the_other() {
        let patch =
            |op: &str, path: &str| format!(r#"[{{"op":"{op}","path":"{path}","value":1}}]"#);
        let cases = [
            (("replace", "/a"), ("replace", "/b"), false),
            (("replace", "/a"), ("replace", "/a"), true),
            (("replace", "/a"), ("replace", "/a/b"), true),
            (("replace", "/a/b"), ("replace", "/a"), true),
            (("replace", "/a"), ("replace", "/ab"), false),
            (("replace", "/l/0"), ("replace", "/l/1"), false),
            (("replace", "/l/0"), ("remove", "/l/1"), true),
            (("add", "/l/-"), ("replace", "/l/1"), true),
            (("replace", ""), ("replace", "/x"), true),
        ];
        for ((op, path), (other_op, other_path), expected) in cases {
            let both = both_changed(&patch(op, path), &patch(other_op, other_path));
            assert_eq!(
                !both.is_empty(),
                expected,
                "{op} {path} {other_op} {other_path}"
            );
        }
    }

    #[test]
    fn a_move_touches_both_its_ends() {
        let mine = r#"[{"op":"move","from":"/a","path":"/b"}]"#;
        let theirs = r#"[{"op":"replace","path":"/a","value":1}]"#;
        assert_eq!(both_changed(mine, theirs), ["/a"]);
    }

    #[test]
    fn the_difference_is_by_lines_of_a_common_layout() {
        let old = r#"{"title":"Milk","n":1.0,"a":1,"b":2,"done":false}"#;
        let new = "{ \"title\": \"Bread\", \"n\":1.0,\"a\":1,\n\"b\":2,\"done\":false}";
        assert_eq!(
            describe(old, new),
            "  {\n-   \"title\": \"Milk\",\n+   \"title\": \"Bread\",\n    \"n\": 1.0,\n    \"a\": 1,\n"
        );
        assert_eq!(describe(old, old), "");
    }
}
