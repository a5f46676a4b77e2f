//! Editing traces: how a real text came to be, keystroke by keystroke, replayed as an
//! editor would that keeps the text as an array of lines.
//!
//! A trace is JSON, compressed with gzip: `startContent`, and `txns[].patches[]`, each
//! `[position, deleted, inserted]` in Unicode code points.

use std::fs::File;
use std::path::Path;

use anyhow::Context;
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::{Value, json};

/// A trace as it is stored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Trace {
    pub(crate) start_content: String,
    pub(crate) txns: Vec<Transaction>,
}

/// What was saved at once.
#[derive(Debug, Deserialize)]
pub(crate) struct Transaction {
    pub(crate) patches: Vec<(usize, usize, String)>,
}

impl Trace {
    /// # Errors
    /// The file is no trace.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        serde_json::from_reader(GzDecoder::new(file))
            .with_context(|| format!("{} is no editing trace", path.display()))
    }
}

/// A text as its lines.
pub(crate) struct Text {
    lines: Vec<String>,
}

impl Text {
    pub(crate) fn new(text: &str) -> Self {
        let lines = text.split('\n').map(str::to_owned).collect();
        Self { lines }
    }

    /// The document that holds it.
    pub(crate) fn document(&self) -> String {
        json!({"lines": self.lines}).to_string()
    }

    /// The JSON Patch of a transaction, which it also applies.
    ///
    /// # Errors
    /// It edits what is not there.
    pub(crate) fn apply(&mut self, transaction: &Transaction) -> anyhow::Result<String> {
        let mut operations = Vec::new();
        for (position, deleted, inserted) in &transaction.patches {
            let edited = self.edit(*position, *deleted, inserted, &mut operations);
            edited.context("an edit outside of the text")?;
        }
        Ok(Value::from(operations).to_string())
    }

    /// The line, and the byte in it, where a code point of the text is.
    fn place(&self, mut position: usize) -> Option<(usize, usize)> {
        for (index, line) in self.lines.iter().enumerate() {
            let length = line.chars().count();
            if position <= length {
                let byte = line.char_indices().nth(position).map(|(byte, _)| byte);
                return Some((index, byte.unwrap_or(line.len())));
            }
            position -= length + 1;
        }
        None
    }

    fn edit(
        &mut self,
        position: usize,
        deleted: usize,
        inserted: &str,
        operations: &mut Vec<Value>,
    ) -> Option<()> {
        let (first, begin) = self.place(position)?;
        let (last, end) = self.place(position + deleted)?;
        let before = self.lines.get(first)?.get(..begin)?;
        let after = self.lines.get(last)?.get(end..)?;
        let changed = format!("{before}{inserted}{after}");
        let changed: Vec<_> = changed.split('\n').map(str::to_owned).collect();
        let path = |line: usize| format!("/lines/{line}");
        let mut operation = |op: &str, line, value: Option<&String>| {
            operations.push(match value {
                Some(value) => json!({"op": op, "path": path(line), "value": value}),
                None => json!({"op": op, "path": path(line)}),
            });
        };
        operation("replace", first, changed.first());
        for _ in first..last {
            operation("remove", first + 1, None);
        }
        for (offset, line) in changed.iter().enumerate().skip(1) {
            operation("add", first + offset, Some(line));
        }
        self.lines.splice(first..=last, changed);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_changes_the_lines_that_it_touches() {
        let mut text = Text::new("öne\ntwo\nthree");
        let mut apply = |patches: &[(usize, usize, &str)]| {
            let patches = patches.iter();
            let patches = patches.map(|&(at, deleted, new)| (at, deleted, new.to_owned()));
            let patches = patches.collect();
            let patch = text.apply(&Transaction { patches }).unwrap();
            (patch, text.lines.join("|"))
        };
        let (patch, lines) = apply(&[(1, 1, "N")]);
        assert_eq!(
            patch,
            r#"[{"op":"replace","path":"/lines/0","value":"öNe"}]"#
        );
        assert_eq!(lines, "öNe|two|three");
        let (patch, lines) = apply(&[(2, 4, "\n")]);
        assert_eq!(lines, "öN|o|three");
        assert_eq!(patch.matches("\"op\"").count(), 3);
        let outside = Transaction {
            patches: vec![(99, 0, String::new())],
        };
        assert!(text.apply(&outside).is_err());
    }
}
