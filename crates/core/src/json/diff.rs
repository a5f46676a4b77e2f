//! The difference of two documents as a JSON Patch (contract §5.3, §7).
//!
//! Equal text is skipped at once, members are matched by name, elements by a longest
//! common subsequence. Wherever the pieces together are longer than the new value, the
//! value is replaced whole. The result stands on one line.

mod align;

use std::fmt::Write as _;

use self::align::Step;
use super::equal::same_name;
use super::scan::{self, Entries, Entry, compact_into};
use super::text;
use crate::limits::JSON_DEPTH;

/// The JSON Patch that makes a document equal to `after` out of `before`.
///
/// Scalars that are spelled otherwise (`1`, `1.0`) count as different, so that the
/// spelling travels too. The order of members and the layout do not.
///
/// ```
/// use matchbook_core::json::diff;
/// let before = r#"{"title":"Notes of the first meeting","lines":["a","b","c"],"n":1}"#;
/// let after = r#"{"n":1.0,"title":"Notes of the first meeting","lines":["a","c"]}"#;
/// assert_eq!(
///     diff(before, after),
///     r#"[{"op":"replace","path":"/n","value":1.0},{"op":"remove","path":"/lines/1"}]"#,
/// );
/// ```
#[must_use]
pub fn diff(before: &str, after: &str) -> String {
    let mut differ = Differ {
        patch: String::from("["),
        path: String::new(),
        measuring: false,
    };
    differ.values(scan::trim(before), scan::trim(after), JSON_DEPTH);
    differ.patch.push(']');
    differ.patch
}

struct Differ {
    /// The operations so far.
    patch: String,
    /// Pointer to the value at hand, as it stands between the quotes of a JSON string.
    path: String,
    /// Whether only the length of the patch is asked for.
    measuring: bool,
}

impl Differ {
    fn values(&mut self, before: &str, after: &str, depth: usize) {
        if before == after {
            return;
        }
        let begin = self.patch.len();
        if scan::is_object(before) && scan::is_object(after) && depth > 0 {
            self.objects(before, after, depth - 1);
        } else if scan::is_array(before) && scan::is_array(after) && depth > 0 {
            self.arrays(before, after, depth - 1);
        } else {
            self.operation("replace", Some(after));
            return;
        }
        let pieces = self.patch.len() - begin;
        let whole = self.frame_bytes("replace") + r#","value":"#.len();
        if pieces > whole && !is_longer(after, pieces - whole) {
            self.patch.truncate(begin);
            self.operation("replace", Some(after));
        }
    }

    /// The length of an operation without its value.
    fn frame_bytes(&self, op: &str) -> usize {
        r#",{"op":"","path":""}"#.len() + op.len() + self.path.len()
    }

    fn operation(&mut self, op: &str, value: Option<&str>) {
        if self.patch.len() > 1 {
            self.patch.push(',');
        }
        for part in [r#"{"op":""#, op, r#"","path":""#, &self.path, "\""] {
            self.patch.push_str(part);
        }
        if let Some(value) = value {
            self.patch.push_str(r#","value":"#);
            compact_into(&mut self.patch, value);
        }
        self.patch.push('}');
    }

    /// Does something with `path` one level deeper.
    fn at_member(&mut self, name: &str, deeper: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        push_token(&mut self.path, name);
        deeper(self);
        self.path.truncate(length);
    }

    fn at_index(&mut self, index: usize, deeper: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        // Writing to a string does not fail.
        let _ = write!(self.path, "/{index}");
        deeper(self);
        self.path.truncate(length);
    }

    fn objects(&mut self, before: &str, after: &str, depth: usize) {
        let (mut old, mut new) = (Entries::of(before), Entries::of(after));
        loop {
            match (old.next(), new.next()) {
                (Some(x), Some(y)) if same_name(&x, &y) => self.member(&x, &y, depth),
                (None, None) => return,
                (x, y) => {
                    let old: Vec<_> = x.into_iter().chain(old).collect();
                    return self.unordered(old, y.into_iter().chain(new), depth);
                }
            }
        }
    }

    fn member(&mut self, before: &Entry<'_>, after: &Entry<'_>, depth: usize) {
        if before.value != after.value {
            self.at_member(after.name(), |differ| {
                differ.values(before.value, after.value, depth);
            });
        }
    }

    /// Members that do not come in the same order.
    fn unordered<'a>(
        &mut self,
        mut old: Vec<Entry<'a>>,
        new: impl Iterator<Item = Entry<'a>>,
        depth: usize,
    ) {
        old.sort_unstable_by(|x, y| text::compare(x.name(), y.name()));
        let mut stays = vec![false; old.len()];
        let mut pairs = Vec::new();
        for entry in new {
            let found = old.binary_search_by(|other| text::compare(other.name(), entry.name()));
            let found = found.ok();
            if let Some(stays) = found.and_then(|at| stays.get_mut(at)) {
                *stays = true;
            }
            pairs.push((found.and_then(|at| old.get(at)).copied(), entry));
        }
        for (entry, stays) in old.iter().zip(stays) {
            if !stays {
                self.at_member(entry.name(), |differ| differ.operation("remove", None));
            }
        }
        for (before, after) in pairs {
            match before {
                Some(before) => self.member(&before, &after, depth),
                None => self.at_member(after.name(), |differ| {
                    differ.operation("add", Some(after.value));
                }),
            }
        }
    }

    fn arrays(&mut self, before: &str, after: &str, depth: usize) {
        let old: Vec<&str> = Entries::of(before).map(|entry| entry.value).collect();
        let new: Vec<&str> = Entries::of(after).map(|entry| entry.value).collect();
        let (kept, steps) = align::steps(&old, &new, |gap_old, gap_new| {
            self.pair(gap_old, gap_new, depth)
        });
        let (mut old, mut new) = (old.iter().skip(kept), new.iter().skip(kept));
        // The place in the array as the operations so far have made it: all that is
        // left of it is as in `after`.
        let mut index = kept;
        for step in steps {
            match step {
                Step::Keep => {
                    old.next();
                    new.next();
                    index += 1;
                }
                Step::Change => {
                    if let (Some(x), Some(y)) = (old.next(), new.next()) {
                        self.at_index(index, |differ| differ.values(x, y, depth));
                    }
                    index += 1;
                }
                Step::Remove => {
                    old.next();
                    self.at_index(index, |differ| differ.operation("remove", None));
                }
                Step::Add => {
                    let value = new.next().copied();
                    self.at_index(index, |differ| differ.operation("add", value));
                    index += 1;
                }
            }
        }
    }

    /// Which elements of a gap, where nothing stays as it is, are versions of each
    /// other. A small gap is aligned by what its pairs cost.
    fn pair(&mut self, old: &[&str], new: &[&str], depth: usize) -> Vec<Step> {
        let bytes: usize = old.iter().chain(new).map(|value| value.len()).sum();
        let small = old.len() * new.len() <= PAIRS && bytes <= PAIRED_BYTES;
        if old.len() == new.len() || !small || self.measuring {
            return align::in_order(old.len(), new.len());
        }
        self.measuring = true;
        let frame = self.frame_bytes("remove") + 2;
        let steps = align::cheapest(old, new, frame, |x, y| {
            let begin = self.patch.len();
            self.values(x, y, depth);
            let cost = self.patch.len() - begin;
            self.patch.truncate(begin);
            cost
        });
        self.measuring = false;
        steps
    }
}

/// Pairs of elements that are compared to find which belong together in a gap.
const PAIRS: usize = 64;

/// Bytes in a gap up to which they are compared.
const PAIRED_BYTES: usize = 16 * 1_024;

/// Whether a value has more than so many bytes, white space not counted.
fn is_longer(value: &str, limit: usize) -> bool {
    // Most documents have no white space; reading far enough to know costs little.
    let mut compact = String::new();
    if value.len() <= limit {
        return false;
    }
    compact_into(&mut compact, value);
    compact.len() > limit
}

/// Appends `/` and a name, given as spelled, as a reference token.
fn push_token(path: &mut String, name: &str) {
    path.push('/');
    let inner = name
        .get(1..name.len().saturating_sub(1))
        .unwrap_or_default();
    if !inner.contains(['\\', '~', '/']) {
        path.push_str(inner);
        return;
    }
    let token = text::unescape(name).replace('~', "~0").replace('/', "~1");
    let mut quoted = String::with_capacity(token.len() + 2);
    text::quote_into(&mut quoted, &token);
    path.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples::{document, spelled, versions};
    use super::super::{Patch, check, compact};
    use super::*;

    #[test]
    fn section_7_a_diff_is_small() {
        let cases = [
            ("{}", " { } ", "[]"),
            ("1", "1", "[]"),
            (r#"{"a":1,"b":2}"#, r#"{"b":2, "a":1}"#, "[]"),
            ("1", "1.0", r#"[{"op":"replace","path":"","value":1.0}]"#),
            ("[1]", "{\n}", r#"[{"op":"replace","path":"","value":{}}]"#),
            (
                r#"{"a":{"b":{"c":1}},"x":"a long text that stays the same"}"#,
                r#"{"a":{"b":{"c":2}},"x":"a long text that stays the same"}"#,
                r#"[{"op":"replace","path":"/a/b/c","value":2}]"#,
            ),
            (
                r#"{"a~/\"":1,"\u007e\/":1,"long":"0123456789 0123456789 0123456789 0123456789"}"#,
                r#"{"a~/\"":2,"~/":3,"long":"0123456789 0123456789 0123456789 0123456789"}"#,
                r#"[{"op":"replace","path":"/a~0~1\"","value":2},{"op":"replace","path":"/~0~1","value":3}]"#,
            ),
            (
                r#"["first element","second element","third element"]"#,
                r#"["zeroth","first element","second element","third element"]"#,
                r#"[{"op":"add","path":"/0","value":"zeroth"}]"#,
            ),
            (
                r#"[{"id":"first","n":1},{"id":"second","n":1},{"id":"third","n":1},{"id":"fourth","n":1}]"#,
                r#"[{"id":"first","n":1},{"id":"third","n":2},{"id":"fourth","n":1}]"#,
                r#"[{"op":"remove","path":"/1"},{"op":"replace","path":"/1/n","value":2}]"#,
            ),
            (
                "[1,2,3,4]",
                "[5,6]",
                r#"[{"op":"replace","path":"","value":[5,6]}]"#,
            ),
            (
                r#"{"a":1,"keep":"0123456789 0123456789 0123456789 0123456789"}"#,
                r#"{"keep":"0123456789 0123456789 0123456789 0123456789","b":[1, 2]}"#,
                r#"[{"op":"remove","path":"/a"},{"op":"add","path":"/b","value":[1,2]}]"#,
            ),
        ];
        for (before, after, expected) in cases {
            assert_eq!(diff(before, after), expected, "{before} {after}");
        }
    }

    #[test]
    fn long_arrays_that_have_little_in_common() {
        let array = |step: usize| {
            let elements: Vec<String> = (0..6_000).map(|n| format!("\"{}\"", n * step)).collect();
            format!("[{}]", elements.join(","))
        };
        let (before, after) = (array(2), array(3));
        let patch = diff(&before, &after);
        assert!(patch.len() <= after.len() + 50);
        let patched = Patch::parse(&patch)
            .unwrap()
            .apply(&before, usize::MAX)
            .unwrap();
        assert_eq!(spelled(&patched), spelled(&after));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn section_7_applying_a_diff_gives_the_other((before, after) in versions()) {
            let patch = diff(&before, &after);
            prop_assert_eq!(check(patch.as_bytes()), Ok(patch.as_str()));
            prop_assert!(!patch.contains('\n'));
            let patched = Patch::parse(&patch).unwrap().apply(&before, usize::MAX).unwrap();
            prop_assert_eq!(spelled(&patched), spelled(&after));
            prop_assert!(patch.len() <= after.len() + 40);
        }

        #[test]
        fn arrays_of_few_values(
            before in prop::collection::vec(0..4_u8, 0..30),
            after in prop::collection::vec(0..4_u8, 0..30),
        ) {
            // Long elements, so that pieces are worth while.
            let array = |values: &[u8]| {
                let elements: Vec<String> = values.iter().map(|n| format!("\"{}\"", n.to_string().repeat(90))).collect();
                format!("[{}]", elements.join(","))
            };
            let (before, after) = (array(&before), array(&after));
            let patch = diff(&before, &after);
            let patched = Patch::parse(&patch).unwrap().apply(&before, usize::MAX).unwrap();
            prop_assert_eq!(patched, after);
        }

        #[test]
        fn a_document_does_not_differ_from_itself(document in document()) {
            prop_assert_eq!(diff(&document, &compact(&document)), "[]");
        }
    }
}
