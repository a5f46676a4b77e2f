//! JSON Patch: doing it (RFC 6902 §4, §5), all or nothing.

use std::fmt;

use super::equal::equal;
use super::patch::{Operation, Patch};
use super::pointer::{Pointer, array_index};
use super::text::quote_into;
use super::tree::{Container, Expansions, Node, PADDED_BYTES, PADDED_TIMES, Tree};
use crate::limits::{JSON_DEPTH, TEST_BYTES};

/// Why a JSON Patch cannot be applied to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApplyFault {
    /// Index of the operation.
    pub operation: usize,
    /// What stops it.
    pub kind: ApplyFaultKind,
}

/// What stops an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyFaultKind {
    /// A `test` found another value.
    TestFailed,
    /// A path, or `from`, does not resolve.
    PathNotFound,
    /// The document would be larger than allowed, or the tests read more than
    /// [`TEST_BYTES`].
    TooLarge,
    /// The document would be nested deeper than [`JSON_DEPTH`].
    TooDeep,
}

impl ApplyFaultKind {
    /// What stops it, as half a sentence.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::TestFailed => "the document has another value there",
            Self::PathNotFound => "the document has no such place",
            Self::TooLarge => "the patched document would be too large",
            Self::TooDeep => "the patched document would be nested more than 128 deep",
        }
    }
}

impl fmt::Display for ApplyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operation {}: {}", self.operation, self.kind.detail())
    }
}

impl std::error::Error for ApplyFault {}

use ApplyFaultKind::{PathNotFound, TestFailed, TooDeep, TooLarge};

impl Patch<'_> {
    /// Applies the patch to a document. What it does not touch stays byte for byte.
    ///
    /// # Errors
    /// The first operation that cannot be applied, or after which the document has more
    /// than `max_bytes`.
    ///
    /// ```
    /// use matchbook_core::json::Patch;
    /// let patch = r#"[{"op":"test","path":"/n","value":10},{"op":"remove","path":"/a/0"}]"#;
    /// let Ok(patch) = Patch::parse(patch) else { unreachable!() };
    /// let patched = patch.apply(r#"{"n": 1e1, "a": [1, 2.0]}"#, 100);
    /// assert_eq!(patched.as_deref(), Ok(r#"{"n": 1e1, "a": [2.0]}"#));
    /// ```
    pub fn apply(&self, document: &str, max_bytes: usize) -> Result<String, ApplyFault> {
        let copies = |operation: &Operation<'_>| matches!(operation, Operation::Copy { .. });
        let remember = self.operations().iter().any(copies);
        let mut run = Run {
            tree: Tree::new(document, Expansions::new(remember)),
            tested_bytes: 0,
        };
        for (index, operation) in self.operations().iter().enumerate() {
            run.step(operation, max_bytes).map_err(|kind| ApplyFault {
                operation: index,
                kind,
            })?;
        }
        Ok(run.tree.into_text())
    }
}

struct Run<'a> {
    tree: Tree<'a>,
    /// What tests have read beyond their own length.
    tested_bytes: usize,
}

impl<'a> Run<'a> {
    fn step(&mut self, operation: &Operation<'a>, max_bytes: usize) -> Result<(), ApplyFaultKind> {
        match operation {
            Operation::Add(path, value) => self.add(path, Value::Spelled(value))?,
            Operation::Remove(path) => self.remove(path).map(drop)?,
            Operation::Replace(path, value) => self.replace(path, value)?,
            Operation::Move { from, path } if from == path => self.find(from).map(drop)?,
            Operation::Move { from, path } => {
                let value = self.remove(from)?;
                self.add(path, Value::Node(value))?;
            }
            Operation::Copy { from, path } => {
                let found = self.find(from)?;
                // Asked of the original, which remembers the answer for the next copy.
                fits(path, found)?;
                let value = found.clone();
                self.add(path, Value::Node(value))?;
            }
            Operation::Test(path, value) => self.test(path, value)?,
        }
        if self.tree.size_bytes() > max_bytes {
            return Err(TooLarge);
        }
        Ok(())
    }

    fn find(&mut self, path: &Pointer) -> Result<&Node<'a>, ApplyFaultKind> {
        let found = self
            .tree
            .root
            .find(&mut self.tree.expansions, path.tokens());
        found.ok_or(PathNotFound)
    }

    fn edit<R>(
        &mut self,
        path: &Pointer,
        change: impl FnOnce(&mut Container<'a>, &str) -> Option<R>,
    ) -> Result<R, ApplyFaultKind> {
        let Tree {
            root, expansions, ..
        } = &mut self.tree;
        root.edit(expansions, path.tokens(), change)
            .ok_or(PathNotFound)
    }

    fn add(&mut self, path: &Pointer, value: Value<'a>) -> Result<(), ApplyFaultKind> {
        match &value {
            Value::Spelled(text) => fits(path, &Node::new(text))?,
            Value::Node(node) => fits(path, node)?,
        }
        if path.tokens().is_empty() {
            value.put(&mut self.tree.root);
            return Ok(());
        }
        self.edit(path, |container, token| add_entry(container, token, value))
    }

    fn remove(&mut self, path: &Pointer) -> Result<Node<'a>, ApplyFaultKind> {
        self.edit(path, |container, token| {
            let place = container.place(token)?;
            container.remove(place)
        })
    }

    fn replace(&mut self, path: &Pointer, value: &'a str) -> Result<(), ApplyFaultKind> {
        fits(path, &Node::new(value))?;
        if path.tokens().is_empty() {
            self.tree.root.spell(value);
            return Ok(());
        }
        self.edit(path, |container, token| {
            let place = container.place(token)?;
            container.change(place, |node| node.spell(value))
        })
    }

    fn test(&mut self, path: &Pointer, value: &str) -> Result<(), ApplyFaultKind> {
        let node = self.find(path)?;
        let size_bytes = node.size_bytes();
        let equal = match node.as_text() {
            Some(text) => equal(text, value),
            None => {
                let mut text = String::with_capacity(size_bytes);
                node.write(&mut text);
                equal(&text, value)
            }
        };
        if !equal {
            return Err(TestFailed);
        }
        // Equal values have about the same length, unless one of them is padded with
        // white space or zeros. Then a short test could read a long text many times.
        if size_bytes > PADDED_BYTES + PADDED_TIMES * value.len() {
            self.tested_bytes += size_bytes;
        }
        if self.tested_bytes > TEST_BYTES {
            return Err(TooLarge);
        }
        Ok(())
    }
}

/// What an operation adds.
enum Value<'a> {
    /// As the patch spells it.
    Spelled(&'a str),
    /// From elsewhere in the document.
    Node(Node<'a>),
}

impl<'a> Value<'a> {
    fn put(self, place: &mut Node<'a>) {
        match self {
            Self::Spelled(text) => place.spell(text),
            Self::Node(node) => *place = node,
        }
    }

    fn into_node(self) -> Node<'a> {
        match self {
            Self::Spelled(text) => Node::new(text),
            Self::Node(node) => node,
        }
    }
}

/// Whether the value may stand at that place.
fn fits(path: &Pointer, value: &Node<'_>) -> Result<(), ApplyFaultKind> {
    let left = JSON_DEPTH.checked_sub(path.tokens().len());
    // A path that is itself too deep leads nowhere in a checked document.
    let left = left.ok_or(PathNotFound)?;
    if value.fits(left) {
        Ok(())
    } else {
        Err(TooDeep)
    }
}

/// RFC 6902 §4.1.
fn add_entry<'a>(container: &mut Container<'a>, token: &str, value: Value<'a>) -> Option<()> {
    if container.is_object() {
        if let Some(place) = container.place_of_name(token) {
            return container.change(place, |node| value.put(node));
        }
        let mut spelled = String::with_capacity(token.len() + 2);
        quote_into(&mut spelled, token);
        container.add_member(token, &spelled, value.into_node());
        return Some(());
    }
    if token == "-" || array_index(token)? == container.len() {
        container.push(value.into_node());
        return Some(());
    }
    container.insert(array_index(token)?, value.into_node())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::check;
    use super::super::samples::{document, model, pointer, spelled, value};
    use super::*;

    fn apply(document: &str, patch: &str) -> Result<String, ApplyFault> {
        Patch::parse(patch).unwrap().apply(document, 1_000)
    }

    #[test]
    fn section_2_what_is_not_touched_stays() {
        let pretty = "[\n  1.0,\n  {\n    \"a\": 1e400\n  }\n]\n";
        let cases = [
            (
                pretty,
                r#"{"op":"add","path":"/0","value":0}"#,
                "[\n  0,\n  1.0,\n  {\n    \"a\": 1e400\n  }\n]\n",
            ),
            (
                pretty,
                r#"{"op":"add","path":"/-","value":0}"#,
                "[\n  1.0,\n  {\n    \"a\": 1e400\n  },\n  0\n]\n",
            ),
            (
                pretty,
                r#"{"op":"remove","path":"/0"}"#,
                "[\n  {\n    \"a\": 1e400\n  }\n]\n",
            ),
            (pretty, r#"{"op":"remove","path":"/1"}"#, "[\n  1.0\n]\n"),
            (
                pretty,
                r#"{"op":"add","path":"/1/~01\"","value":"\u00e9"}"#,
                "[\n  1.0,\n  {\n    \"a\": 1e400,\n    \"~1\\\"\": \"\\u00e9\"\n  }\n]\n",
            ),
            (
                pretty,
                r#"{"op":"copy","from":"/1","path":"/0"}"#,
                "[\n  {\n    \"a\": 1e400\n  },\n  1.0,\n  {\n    \"a\": 1e400\n  }\n]\n",
            ),
            (
                pretty,
                r#"{"op":"move","from":"/1/a","path":"/0"}"#,
                "[\n  1e400,\n  1.0,\n  {}\n]\n",
            ),
            (pretty, r#"{"op":"move","from":"/1","path":"/1"}"#, pretty),
            (
                pretty,
                r#"{"op":"replace","path":"","value":  {"x": 1}}"#,
                "{\"x\": 1}\n",
            ),
            (
                pretty,
                r#"{"op":"replace","path":"/1","value":{"a":1e400}}"#,
                pretty,
            ),
            (
                "[1, 2]",
                r#"{"op":"add","path":"/0","value":0}"#,
                "[0, 1, 2]",
            ),
            (
                "[1, 2]",
                r#"{"op":"add","path":"/1","value":0}"#,
                "[1, 0, 2]",
            ),
            ("[1, 2]", r#"{"op":"remove","path":"/0"}"#, "[2]"),
            ("[ ]", r#"{"op":"add","path":"/0","value":0}"#, "[0]"),
        ];
        for (document, operation, expected) in cases {
            let patched = apply(document, &format!("[{operation}]"));
            assert_eq!(patched.as_deref(), Ok(expected), "{operation}");
        }
    }

    #[test]
    fn rfc_6902_section_5_the_first_fault_ends_it() {
        let document = r#"{"a":[1,2],"b":"x"}"#;
        let cases = [
            (r#"{"op":"test","path":"/a","value":[1.0,20e-1]}"#, None),
            (
                r#"{"op":"test","path":"/a","value":[2,1]}"#,
                Some(TestFailed),
            ),
            (
                r#"{"op":"test","path":"/c","value":null}"#,
                Some(PathNotFound),
            ),
            (
                r#"{"op":"add","path":"/a/3","value":0}"#,
                Some(PathNotFound),
            ),
            (
                r#"{"op":"add","path":"/a/01","value":0}"#,
                Some(PathNotFound),
            ),
            (
                r#"{"op":"add","path":"/b/0","value":0}"#,
                Some(PathNotFound),
            ),
            (
                r#"{"op":"add","path":"/c/d","value":0}"#,
                Some(PathNotFound),
            ),
            (
                r#"{"op":"replace","path":"/a/-","value":0}"#,
                Some(PathNotFound),
            ),
            (
                r#"{"op":"replace","path":"/c","value":0}"#,
                Some(PathNotFound),
            ),
            (r#"{"op":"remove","path":"/c"}"#, Some(PathNotFound)),
            (
                r#"{"op":"copy","from":"/c","path":"/d"}"#,
                Some(PathNotFound),
            ),
            (
                r#"{"op":"move","from":"/c","path":"/c"}"#,
                Some(PathNotFound),
            ),
        ];
        for (operation, expected) in cases {
            let patch = format!(
                r#"[{{"op":"remove","path":"/a/0"}},{{"op":"add","path":"/a/0","value":1}},{operation}]"#
            );
            let fault = apply(document, &patch).err();
            assert_eq!(
                fault,
                expected.map(|kind| ApplyFault { operation: 2, kind }),
                "{operation}"
            );
        }
    }

    #[test]
    fn section_4_2_the_size_is_checked_after_each_operation() {
        let double = r#"{"op":"copy","from":"","path":"/a"},{"op":"copy","from":"","path":"/b"}"#;
        let patch = format!("[{}]", vec![double; 5_000].join(","));
        let fault = Patch::parse(&patch)
            .unwrap()
            .apply("{}", 1 << 22)
            .unwrap_err();
        assert_eq!(fault.kind, TooLarge);
        let back = r#"[{"op":"add","path":"/a","value":"123456"},{"op":"remove","path":"/a"}]"#;
        let back = Patch::parse(back).unwrap();
        assert_eq!(back.apply("{}", 14).as_deref(), Ok("{}"));
        assert_eq!(
            back.apply("{}", 13).map_err(|fault| fault.operation),
            Err(0)
        );
    }

    #[test]
    fn section_2_nesting_is_checked_after_each_operation() {
        let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
        let add = format!(r#"[{{"op":"add","path":"/-","value":{}}}]"#, nested(127));
        assert_eq!(apply("[]", &add).map(drop), Ok(()));
        let add = add.replace("/-", "/0/-");
        assert_eq!(apply("[[]]", &add).unwrap_err().kind, TooDeep);
        let copies = |count: usize| {
            let copy = r#"{"op":"copy","from":"","path":"/a"}"#;
            apply(r#"{"a":0}"#, &format!("[{}]", vec![copy; count].join(",")))
        };
        let deepest = format!("{}0{}", "{\"a\":".repeat(128), "}".repeat(128));
        assert_eq!(copies(127), Ok(deepest));
        assert_eq!(
            copies(128).unwrap_err(),
            ApplyFault {
                operation: 127,
                kind: TooDeep
            }
        );
    }

    #[test]
    fn a_short_test_does_not_read_a_long_text_forever() {
        let padded = format!("[{}]", " ".repeat(1 << 20));
        let test = r#"{"op":"test","path":"","value":[]}"#;
        let patch = format!("[{}]", vec![test; 300].join(","));
        let fault = Patch::parse(&patch)
            .unwrap()
            .apply(&padded, usize::MAX)
            .unwrap_err();
        assert_eq!(fault.kind, TooLarge);
    }

    /// Copies share what they copy; an edit of one must not show in the other.
    #[test]
    fn copies_are_edited_apart() {
        let wide: Vec<String> = (0..1_000).map(|n| format!(r#""k{n}":[{n}]"#)).collect();
        let document = format!(r#"{{"a":{{{}}}}}"#, wide.join(","));
        let patch = r#"[
            {"op":"copy","from":"/a","path":"/b"},
            {"op":"add","path":"/b/k500/-","value":"b"},
            {"op":"add","path":"/b/new","value":"b"},
            {"op":"copy","from":"/b","path":"/c"},
            {"op":"replace","path":"/c/new","value":"c"},
            {"op":"remove","path":"/c/k500/0"},
            {"op":"test","path":"/a/k500","value":[500]},
            {"op":"test","path":"/b/k500","value":[500,"b"]},
            {"op":"test","path":"/c/k500","value":["b"]},
            {"op":"test","path":"/b/new","value":"b"},
            {"op":"remove","path":"/b"},
            {"op":"remove","path":"/c"}
        ]"#;
        let patched = Patch::parse(patch).unwrap().apply(&document, usize::MAX);
        assert_eq!(patched.as_deref(), Ok(document.as_str()));
    }

    fn operation() -> impl Strategy<Value = String> {
        (0..6_u8, pointer(), pointer(), value()).prop_map(|(op, path, from, value)| match op {
            0 => format!(r#"{{"op":"add","path":"{path}","value":{value}}}"#),
            1 => format!(r#"{{"op":"remove","path":"{path}"}}"#),
            2 => format!(r#"{{"op":"replace","path":"{path}","value":{value}}}"#),
            // It refuses to move the whole document to where it is.
            3 if path == from => format!(r#"{{"op":"remove","path":"/{path}"}}"#),
            3 => format!(r#"{{"op":"move","path":"{path}","from":"{from}"}}"#),
            4 => format!(r#"{{"op":"copy","path":"{path}","from":"{from}"}}"#),
            _ => format!(r#"{{"op":"test","path":"{path}","value":{value}}}"#),
        })
    }

    /// What the `json-patch` crate makes of it.
    fn theirs(mut document: serde_json::Value, patch: &str) -> Option<serde_json::Value> {
        let patch: json_patch::Patch = serde_json::from_str(patch).unwrap();
        let patched = json_patch::patch(&mut document, &patch);
        patched.ok().map(|()| document)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn agrees_with_another_implementation(
            document in document(),
            operations in prop::collection::vec(operation(), 0..6),
        ) {
            // As many operations as can be applied, and then one more.
            let mut done: Vec<String> = Vec::new();
            let mut patched = document.clone();
            for operation in operations {
                let single = format!("[{operation}]");
                let Ok(patch) = Patch::parse(&single) else { continue };
                let ours = patch.apply(&patched, usize::MAX);
                let floats = model(&single).to_string();
                let expected = theirs(model(&patched), &floats);
                prop_assert_eq!(ours.as_ref().ok().map(|text| model(text)), expected, "{} {}", patched, operation);
                let Ok(ours) = ours else { continue };
                prop_assert_eq!(check(ours.as_bytes()), Ok(ours.as_str()));
                done.push(operation);
                patched = ours;
            }
            let all = format!("[{}]", done.join(","));
            let at_once = Patch::parse(&all).unwrap().apply(&document, usize::MAX);
            prop_assert_eq!(at_once, Ok(patched));
        }

        #[test]
        fn spelling_survives(
            document in document(),
            operations in prop::collection::vec(operation(), 0..6),
        ) {
            for operation in operations.iter().filter(|operation| !operation.contains("\"test\"")) {
                let single = format!("[{operation}]");
                let Ok(patch) = Patch::parse(&single) else { continue };
                let Ok(ours) = patch.apply(&document, usize::MAX) else { continue };
                let spelled_operation = match operation.split_once(r#""value":"#) {
                    Some((frame, value)) => {
                        let value = value.strip_suffix('}').unwrap();
                        format!(r#"[{frame}"value":{}}}]"#, spelled(value))
                    }
                    None => single.clone(),
                };
                prop_assert_eq!(Some(spelled(&ours)), theirs(spelled(&document), &spelled_operation));
            }
        }

    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_wide_container_is_edited_like_a_small_one(
            edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8), 1..300),
            object: bool,
        ) {
            let mut plain: Vec<(String, String)> =
                (0..700).map(|n| (format!("k{n}"), format!("{n}.0"))).collect();
            let write = |plain: &[(String, String)]| {
                let entries: Vec<String> = plain.iter().map(|(name, value)| {
                    if object { format!("\"{name}\":{value}") } else { value.clone() }
                }).collect();
                let entries = entries.join(",");
                if object { format!("{{{entries}}}") } else { format!("[{entries}]") }
            };
            let document = write(&plain);
            let mut operations = Vec::new();
            for (number, (place, op)) in edits.iter().enumerate() {
                let at = place.index(plain.len());
                let token = if object { plain[at].0.clone() } else { at.to_string() };
                match op {
                    0 => {
                        plain.remove(at);
                        operations.push(format!(r#"{{"op":"remove","path":"/{token}"}}"#));
                    }
                    1 => {
                        plain[at].1 = format!("\"{number}\"");
                        operations.push(format!(r#"{{"op":"replace","path":"/{token}","value":"{number}"}}"#));
                    }
                    _ if object => {
                        plain.push((format!("n{number}"), "[]".to_owned()));
                        operations.push(format!(r#"{{"op":"add","path":"/n{number}","value":[]}}"#));
                    }
                    _ => {
                        plain.insert(at, (String::new(), "[]".to_owned()));
                        operations.push(format!(r#"{{"op":"add","path":"/{at}","value":[]}}"#));
                    }
                }
            }
            let patch = format!("[{}]", operations.join(","));
            let patched = Patch::parse(&patch).unwrap().apply(&document, usize::MAX);
            prop_assert_eq!(patched, Ok(write(&plain)));
        }
    }
}
