//! JSON Merge Patch (RFC 7396).

use std::fmt;

use super::scan::{self, Entries};
use super::text;
use super::tree::{Container, Expansions, Node, Tree};
use crate::limits::JSON_DEPTH;

/// Why a merge patch cannot be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeFault {
    /// The result would be larger than allowed.
    TooLarge,
}

impl fmt::Display for MergeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the patched document would be too large")
    }
}

impl std::error::Error for MergeFault {}

/// Applies a merge patch.
///
/// What the patch does not name stays byte for byte, and so does a value that the patch
/// spells alike but for white space. The result is nested no deeper than the deeper of
/// the two.
///
/// # Errors
/// [`MergeFault::TooLarge`] if the result has more than `max_bytes`.
///
/// ```
/// use matchbook_core::json::merge;
/// let merged = merge(r#"{"a": 1.0, "b": 2}"#, r#"{"b":null,"c":{"d":null}}"#, 100);
/// assert_eq!(merged.as_deref(), Ok(r#"{"a": 1.0, "c": {}}"#));
/// ```
pub fn merge(document: &str, patch: &str, max_bytes: usize) -> Result<String, MergeFault> {
    let mut tree = Tree::new(document, Expansions::new(false));
    let patch = scan::trim(patch);
    merge_value(&mut tree.expansions, &mut tree.root, patch, JSON_DEPTH);
    if tree.size_bytes() > max_bytes {
        return Err(MergeFault::TooLarge);
    }
    Ok(tree.into_text())
}

fn merge_value<'a>(
    expansions: &mut Expansions<'a>,
    node: &mut Node<'a>,
    patch: &'a str,
    depth: usize,
) {
    if !scan::is_object(patch) || depth == 0 {
        node.spell(patch);
        return;
    }
    if !node.is_object() {
        *node = without_nulls(expansions, patch, depth);
        return;
    }
    if let Some(container) = node.open(expansions) {
        merge_members(expansions, container, patch, depth - 1);
    }
}

fn merge_members<'a>(
    expansions: &mut Expansions<'a>,
    container: &mut Container<'a>,
    patch: &'a str,
    depth: usize,
) {
    for member in Entries::of(patch) {
        let name = text::unescape(member.name());
        match (container.place_of_name(&name), member.value) {
            (Some(place), "null") => {
                container.remove(place);
            }
            (None, "null") => {}
            (Some(place), value) => {
                container.change(place, |node| merge_value(expansions, node, value, depth));
            }
            (None, value) => {
                let value = without_nulls(expansions, value, depth);
                container.add_member(&name, member.name(), value);
            }
        }
    }
}

/// What the patch makes where nothing is: itself, without the members that are null.
fn without_nulls<'a>(expansions: &mut Expansions<'a>, patch: &'a str, depth: usize) -> Node<'a> {
    let mut node = Node::new(patch);
    if !scan::is_object(patch) || !patch.contains("null") || depth == 0 {
        return node;
    }
    if let Some(container) = node.open(expansions) {
        for member in Entries::of(patch) {
            let place = container.place_of_name(&text::unescape(member.name()));
            match (place, member.value) {
                (Some(place), "null") => {
                    container.remove(place);
                }
                (Some(place), value) if scan::is_object(value) => {
                    container.change(place, |node| {
                        *node = without_nulls(expansions, value, depth - 1);
                    });
                }
                _ => {}
            }
        }
    }
    node
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples::{document, model, spelled, versions};
    use super::super::{check, compact};
    use super::*;

    #[test]
    fn section_2_what_is_not_touched_stays() {
        let pretty = "{\n  \"a\": 1.0,\n  \"b\": {\n    \"c\": [1, 2]\n  }\n}\n";
        let cases = [
            (pretty, "{}", pretty),
            (pretty, r#"{"a":1.0,"b":{"c":[1,2]},"x":null}"#, pretty),
            (
                pretty,
                r#"{"a":2e0}"#,
                "{\n  \"a\": 2e0,\n  \"b\": {\n    \"c\": [1, 2]\n  }\n}\n",
            ),
            (
                pretty,
                r#"{"b":{"d":1E5},"e":{"x":null,"y":{"z":null,"w":1}}}"#,
                "{\n  \"a\": 1.0,\n  \"b\": {\n    \"c\": [1, 2],\n    \"d\": 1E5\n  },\n  \"e\": {\"y\":{\"w\":1}}\n}\n",
            ),
            (pretty, r#"{"a":null,"b":null}"#, "{}\n"),
            (pretty, r#"{"b":null}"#, "{\n  \"a\": 1.0\n}\n"),
            (
                pretty,
                r#"{"a":null}"#,
                "{\n  \"b\": {\n    \"c\": [1, 2]\n  }\n}\n",
            ),
            (pretty, " [1, null] ", "[1, null]\n"),
            ("[1]", r#"{"a":null}"#, "{}"),
            (r#"{"\u0061":1}"#, r#"{"a":2}"#, r#"{"\u0061":2}"#),
            (r#"{"a": 1}"#, r#"{"b":2}"#, r#"{"a": 1, "b": 2}"#),
            (r#"{ "a":1 }"#, r#"{"b":2}"#, r#"{ "a":1, "b":2 }"#),
            ("{ }", r#"{"\u0062" : 2}"#, r#"{"\u0062":2}"#),
        ];
        for (document, patch, expected) in cases {
            assert_eq!(
                merge(document, patch, 1_000).as_deref(),
                Ok(expected),
                "{document} {patch}"
            );
        }
    }

    #[test]
    fn section_2_the_size_is_bounded() {
        assert_eq!(merge("{}", r#"{"a":1}"#, 6), Err(MergeFault::TooLarge));
        assert!(merge("{}", r#"{"a":1}"#, 7).is_ok());
        assert!(merge(r#"{"b":1000}"#, r#"{"a":1,"b":null}"#, 7).is_ok());
    }

    #[test]
    fn wide_objects_are_merged() {
        let wide = |from: usize, to: usize, value: &str| {
            let members: Vec<String> = (from..to).map(|n| format!("\"k{n}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        };
        let all = wide(0, 3_000, "1");
        assert_eq!(merge("{}", &all, usize::MAX).as_deref(), Ok(all.as_str()));
        assert_eq!(
            merge(&wide(0, 1_000, "1"), &wide(1_000, 3_000, "1"), usize::MAX).as_deref(),
            Ok(all.as_str())
        );
        assert_eq!(
            merge(&wide(0, 3_000, "0"), &all, usize::MAX).as_deref(),
            Ok(all.as_str())
        );
        let merged = merge(&all, &wide(100, 2_900, "null"), usize::MAX).unwrap();
        let ends = format!(
            "{},{}",
            wide(0, 100, "1").trim_end_matches('}'),
            &wide(2_900, 3_000, "1")[1..]
        );
        assert_eq!(merged, ends);
        assert_eq!(
            merge(&all, &wide(0, 3_000, "null"), usize::MAX).as_deref(),
            Ok("{}")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn agrees_with_the_model((document, patch) in versions()) {
            let merged = merge(&document, &patch, usize::MAX).unwrap();
            prop_assert_eq!(check(merged.as_bytes()), Ok(merged.as_str()));
            let mut expected = model(&document);
            json_patch::merge(&mut expected, &model(&patch));
            prop_assert_eq!(model(&merged), expected);
            let again = merge(&merged, &patch, usize::MAX).unwrap();
            prop_assert_eq!(again, merged);
        }

        #[test]
        fn a_name_that_is_new_moves_nothing(document in document(), value in "[1-9]\\.0") {
            let patch = format!("{{\"new\":{value}}}");
            let merged = merge(&document, &patch, usize::MAX).unwrap();
            let mut expected = spelled(&document);
            json_patch::merge(&mut expected, &spelled(&patch));
            prop_assert_eq!(spelled(&merged), expected);
            let removed = merge(&merged, r#"{"new":null}"#, usize::MAX).unwrap();
            if compact(&document).starts_with("{\"") {
                prop_assert_eq!(removed, document);
            }
        }
    }
}
