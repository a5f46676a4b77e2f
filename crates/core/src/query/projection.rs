//! Projection: `_fields=a,b.c` (contract §6).

use crate::json::Pointer;
use crate::json::select::{elements, members};
use crate::json::text;

/// The fields of a document to show, as a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection {
    below: Vec<(String, Self)>,
}

impl Projection {
    /// What these fields show together. A field within another one adds nothing to it.
    #[must_use]
    pub fn new(fields: &[Pointer]) -> Self {
        let mut root = Self::default();
        let mut shortest_first: Vec<_> = fields.iter().map(Pointer::tokens).collect();
        shortest_first.sort_by_key(|tokens| tokens.len());
        for tokens in shortest_first {
            root.add(tokens);
        }
        root
    }

    fn add(&mut self, tokens: &[String]) {
        let Some((token, rest)) = tokens.split_first() else {
            return;
        };
        let known = self.below.iter_mut().find(|(name, _)| name == token);
        match known {
            // A leaf shows all that is in it.
            Some((_, below)) if below.below.is_empty() => {}
            Some((_, below)) => below.add(rest),
            None => {
                let mut below = Self::default();
                below.add(rest);
                self.below.push((token.clone(), below));
            }
        }
    }

    /// The document with only the selected fields, names and values as they are
    /// stored, in the stored order. Objects and arrays on the way are kept with what
    /// is selected in them, and left out if that is nothing. A document that has none
    /// of the fields, one that is no object among them, becomes `{}`.
    #[must_use]
    pub fn apply(&self, json: &str) -> String {
        let mut shown = String::new();
        if !self.write(json.trim_ascii(), &mut shown) {
            shown.push_str("{}");
        }
        shown
    }

    /// The fields as JSON Pointers, in order. Projections that show the same have the
    /// same ones.
    pub(super) fn pointers(&self) -> Vec<String> {
        let mut pointers = Vec::new();
        for (token, below) in &self.below {
            let token = token.replace('~', "~0").replace('/', "~1");
            if below.below.is_empty() {
                pointers.push(format!("/{token}"));
            }
            let deeper = below.pointers();
            pointers.extend(deeper.iter().map(|pointer| format!("/{token}{pointer}")));
        }
        pointers.sort_unstable();
        pointers
    }

    /// Appends what is selected in a container; false, and nothing, if that is nothing.
    fn write(&self, raw: &str, shown: &mut String) -> bool {
        let start = shown.len();
        if raw.starts_with('{') {
            for (name, value) in members(raw) {
                let wanted = self.below.iter().find(|(token, _)| text::is(name, token));
                self.write_part(wanted, (name, value), ('{', start), shown);
            }
        } else {
            for (index, value) in elements(raw).enumerate() {
                let index = index.to_string();
                let wanted = self.below.iter().find(|(token, _)| *token == index);
                self.write_part(wanted, ("", value), ('[', start), shown);
            }
        }
        let any = shown.len() > start;
        if any {
            shown.push(if raw.starts_with('{') { '}' } else { ']' });
        }
        any
    }

    fn write_part(
        &self,
        wanted: Option<&(String, Self)>,
        (name, value): (&str, &str),
        (open, start): (char, usize),
        shown: &mut String,
    ) {
        let Some((_, below)) = wanted else {
            return;
        };
        let before = shown.len();
        shown.push(if before == start { open } else { ',' });
        if !name.is_empty() {
            shown.push_str(name);
            shown.push(':');
        }
        if below.below.is_empty() {
            shown.push_str(value);
        } else if !below.write(value, shown) {
            shown.truncate(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(fields: &[&str], json: &str) -> String {
        let fields: Vec<_> = fields
            .iter()
            .map(|text| Pointer::parse(text).unwrap())
            .collect();
        Projection::new(&fields).apply(json)
    }

    #[test]
    fn section_6_only_the_selected_fields_as_they_are_stored() {
        let json = r#" { "b" : { "x" : 1.0, "c" : [ 1e400, 2 ] }, "\u0061": "\u00e9" , "d":null, "e":{"f":{}} } "#;
        let cases: &[(&[&str], &str)] = &[
            (&["/a"], r#"{"\u0061":"\u00e9"}"#),
            (&["/d", "/a"], r#"{"\u0061":"\u00e9","d":null}"#),
            (&["/b/x"], r#"{"b":{"x":1.0}}"#),
            (&["/b/c", "/b/x"], r#"{"b":{"x":1.0,"c":[ 1e400, 2 ]}}"#),
            (
                &["/b/c", "/b"],
                r#"{"b":{ "x" : 1.0, "c" : [ 1e400, 2 ] }}"#,
            ),
            (&["/b/c/1", "/b/c/01", "/b/c/-"], r#"{"b":{"c":[2]}}"#),
            (&["/e/f"], r#"{"e":{"f":{}}}"#),
            (&["/e/f/g", "/a/x", "/b/c/7", "/b/x"], r#"{"b":{"x":1.0}}"#),
            (&["/z", "/d/x"], "{}"),
        ];
        for (fields, expected) in cases {
            assert_eq!(project(fields, json), *expected, "{fields:?}");
        }
    }

    #[test]
    fn section_6_a_document_without_the_fields_becomes_an_empty_object() {
        for json in [
            "5",
            "\"a\"",
            "null",
            "[]",
            "{}",
            " [ {\"b\":1} ] ",
            "{\"b\":1}",
            "",
        ] {
            assert_eq!(project(&["/a"], json), "{}", "{json}");
        }
        assert_eq!(
            project(&["/0/b"], " [ {\"b\":1,\"c\":2}, 3 ] "),
            "[{\"b\":1}]"
        );
    }
}
