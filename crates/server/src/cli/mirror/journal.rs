//! What a mirror knows about its files, as a journal: each line is one step, and to
//! know all is to read all of them. A step is added to, never changed, so that no kill
//! at any moment leaves a half of one; a torn last line is as if it were not there.
//!
//! ```text
//! {"mirror":{"format":1,"of":"http://127.0.0.1:2040/notes","exact":false}}
//! {"claim":"7"}                                  ; the file is the mirror's
//! {"hold":{"id":"7","etag":"\"k3v4q2ab-17\"","bytes":16,"crc":3610024432}}
//! {"cursor":"k3v4q2ab-17"}                       ; all up to here is in the files
//! {"drop":"7"}                                   ; there is no such file
//! "reset"                                        ; what is held may be of another history
//! ```

use std::collections::{BTreeMap, BTreeSet};

use matchbook_core::feed::Cursor;
use matchbook_core::tag::Version;
use serde::{Deserialize, Serialize};

use super::super::stream::version;

/// The form of the journal that this program writes.
pub(super) const FORMAT: u32 = 1;

/// Lines that a journal may have beyond twice those that it needs.
const SLACK_LINES: usize = 10_000;

/// One step.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Step {
    /// What it is a mirror of, and whether byte for byte. The first line.
    Mirror {
        format: u32,
        of: String,
        exact: bool,
    },
    /// The file of this id is the mirror's, and may hold anything.
    Claim(String),
    /// The file of this id holds a version.
    Hold {
        id: String,
        etag: String,
        bytes: u64,
        crc: u32,
    },
    /// There is no file of this id.
    Drop(String),
    /// A snapshot begins. What it does not bring is to go.
    Reset,
    /// All up to here is in the files.
    Cursor(String),
}

/// A version in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) version: Version,
    pub(super) print: Print,
}

/// What tells whether a file is still what was written: it costs a read, and no tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Print {
    bytes: u64,
    crc: u32,
}

impl Print {
    pub(super) fn of(content: &[u8]) -> Self {
        Self {
            bytes: content.len() as u64,
            crc: crc32fast::hash(content),
        }
    }
}

/// A file of the mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// What it holds; `None` if that is not known.
    pub(super) held: Option<Held>,
    /// The snapshot that brought it, by its number.
    snapshot: u32,
}

/// All that the journal says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Holdings {
    pub(super) of: Option<String>,
    pub(super) format: u32,
    pub(super) exact: bool,
    pub(super) cursor: String,
    entries: BTreeMap<String, Entry>,
    /// Dropped since the cursor was set.
    dropped: BTreeSet<String>,
    /// The number of snapshots that have begun.
    snapshot: u32,
    lines: usize,
}

impl Step {
    /// The step that a file now holds this.
    pub(super) fn hold(id: &str, held: Held) -> Self {
        Self::Hold {
            id: id.to_owned(),
            etag: held.version.etag(),
            bytes: held.print.bytes,
            crc: held.print.crc,
        }
    }

    /// Appends the line.
    pub(super) fn line_into(&self, journal: &mut String) {
        // Strings and numbers always can be written.
        journal.push_str(&serde_json::to_string(self).unwrap_or_default());
        journal.push('\n');
    }
}

impl Holdings {
    /// Reads a journal up to where it is torn; and whether it is.
    pub(super) fn read(journal: &str) -> (Self, bool) {
        let mut holdings = Self::default();
        for line in journal.split_inclusive('\n') {
            let step = line.strip_suffix('\n').map(serde_json::from_str);
            match step {
                Some(Ok(step)) => holdings.take(&step),
                _ => return (holdings, true),
            }
        }
        (holdings, false)
    }

    /// Takes a step that was, or will be, written.
    pub(super) fn take(&mut self, step: &Step) {
        self.lines += 1;
        match step {
            Step::Mirror { format, of, exact } => {
                self.of = Some(of.clone());
                (self.format, self.exact) = (*format, *exact);
            }
            Step::Claim(id) => {
                self.dropped.remove(id);
                let snapshot = self.snapshot;
                let entry = self.entries.entry(id.clone()).or_insert(Entry {
                    held: None,
                    snapshot,
                });
                entry.held = None;
            }
            Step::Hold {
                id,
                etag,
                bytes,
                crc,
            } => {
                let print = Print {
                    bytes: *bytes,
                    crc: *crc,
                };
                let held = version(etag).map(|version| Held { version, print });
                let snapshot = self.snapshot;
                self.dropped.remove(id);
                self.entries.insert(id.clone(), Entry { held, snapshot });
            }
            Step::Drop(id) => {
                self.entries.remove(id);
                self.dropped.insert(id.clone());
            }
            Step::Reset => {
                self.snapshot = self.snapshot.saturating_add(1);
                // It is none of the history that the snapshot is of.
                self.cursor.clear();
                self.dropped.clear();
            }
            Step::Cursor(cursor) => {
                self.cursor.clone_from(cursor);
                self.dropped.clear();
            }
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<Entry> {
        self.entries.get(id).copied()
    }

    /// Whether the file is there by the present history, or only left from before.
    pub(super) fn is_confirmed(&self, entry: Entry) -> bool {
        entry.snapshot == self.snapshot
    }

    /// The number of files that hold a document.
    pub(super) fn len(&self) -> usize {
        let entries = self.entries.values();
        entries.filter(|entry| entry.held.is_some()).count()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Entry)> {
        self.entries.iter().map(|(id, entry)| (id.as_str(), *entry))
    }

    /// The ids for which this holds.
    pub(super) fn ids(&self, holds: impl Fn(Entry) -> bool) -> Vec<String> {
        let found = self.iter().filter(|(_, entry)| holds(*entry));
        found.map(|(id, _)| id.to_owned()).collect()
    }

    /// What may be of a history that is lost, if the server's data were replaced by an
    /// older copy of them: a cursor from before the copy is good all the same, and what
    /// is known from after the cursor is not. Also what is not known at all.
    pub(super) fn doubtful(&self) -> Vec<String> {
        let at = self.cursor.parse::<Cursor>();
        let at = at.map(|cursor| cursor.at.revision).ok();
        let is_ahead = |held: Held| at.is_some_and(|at| held.version.revision > at);
        let mut ids = self.ids(|entry| entry.held.is_none_or(is_ahead));
        ids.extend(self.dropped.iter().cloned());
        ids
    }

    /// Whether the journal is much longer than it needs to be.
    pub(super) fn is_long(&self) -> bool {
        self.lines > 2 * self.entries.len() + SLACK_LINES
    }

    /// The shortest journal that says the same.
    pub(super) fn journal(&self) -> String {
        let mut journal = String::new();
        let of = self.of.clone().unwrap_or_default();
        let (format, exact) = (self.format, self.exact);
        Step::Mirror { format, of, exact }.line_into(&mut journal);
        let mut steps_of = |is_confirmed: bool| {
            for (id, entry) in self.iter() {
                if self.is_confirmed(entry) == is_confirmed {
                    let claim = || Step::Claim(id.to_owned());
                    let step = entry.held.map_or_else(claim, |held| Step::hold(id, held));
                    step.line_into(&mut journal);
                }
            }
            if !is_confirmed {
                Step::Reset.line_into(&mut journal);
            }
        };
        steps_of(false);
        steps_of(true);
        if !self.cursor.is_empty() {
            Step::Cursor(self.cursor.clone()).line_into(&mut journal);
        }
        for id in &self.dropped {
            Step::Drop(id.clone()).line_into(&mut journal);
        }
        journal
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hold(id: &str, number: u64, content: &[u8]) -> Step {
        let version = format!("aaaaaaaa-{number}").parse().unwrap();
        let print = Print::of(content);
        Step::hold(id, Held { version, print })
    }

    #[test]
    fn the_lines_are_as_described() {
        let mut journal = String::new();
        let of = "http://h/c".to_owned();
        let (format, exact) = (1, true);
        Step::Mirror { format, of, exact }.line_into(&mut journal);
        Step::Claim("7".to_owned()).line_into(&mut journal);
        hold("7", 17, b"1").line_into(&mut journal);
        Step::Reset.line_into(&mut journal);
        Step::Cursor("a-1".to_owned()).line_into(&mut journal);
        let expected = r#"{"mirror":{"format":1,"of":"http://h/c","exact":true}}
{"claim":"7"}
{"hold":{"id":"7","etag":"\"aaaaaaaa-17\"","bytes":1,"crc":2212294583}}
"reset"
{"cursor":"a-1"}
"#;
        assert_eq!(journal, expected);
    }

    fn step() -> impl Strategy<Value = Step> {
        let id = || "[a-d]";
        prop_oneof![
            id().prop_map(Step::Claim),
            (id(), 0..100_u64, "[a-z]{0,3}").prop_map(|(id, n, text)| hold(
                &id,
                n,
                text.as_bytes()
            )),
            id().prop_map(Step::Drop),
            Just(Step::Reset),
            "[a-z]{1,4}".prop_map(Step::Cursor),
        ]
    }

    fn said(holdings: &Holdings) -> Vec<String> {
        let entry = |(id, entry): (&str, Entry)| {
            format!("{id} {:?} {}", entry.held, holdings.is_confirmed(entry))
        };
        let mut said: Vec<_> = holdings.iter().map(entry).collect();
        said.push(holdings.cursor.clone());
        said.extend(holdings.dropped.iter().cloned());
        said
    }

    proptest! {
        #[test]
        fn a_journal_says_the_same_after_it_was_shortened(steps in prop::collection::vec(step(), 0..30)) {
            let (mut holdings, mut journal) = (Holdings::default(), String::new());
            for step in &steps {
                holdings.take(step);
                step.line_into(&mut journal);
            }
            let (read, is_torn) = Holdings::read(&journal);
            prop_assert_eq!(&read, &holdings);
            prop_assert!(!is_torn);
            let (shortened, is_torn) = Holdings::read(&holdings.journal());
            prop_assert_eq!(said(&shortened), said(&holdings));
            prop_assert!(!is_torn);
        }

        #[test]
        fn a_torn_line_is_as_if_it_were_not_there(steps in prop::collection::vec(step(), 1..10), cut in any::<prop::sample::Index>()) {
            let mut journal = String::new();
            let mut ends = vec![0];
            for step in &steps {
                step.line_into(&mut journal);
                ends.push(journal.len());
            }
            let cut = cut.index(journal.len() + 1);
            let whole = *ends.iter().rfind(|end| **end <= cut).unwrap();
            let (read, is_torn) = Holdings::read(&journal[..cut]);
            prop_assert_eq!(read, Holdings::read(&journal[..whole]).0);
            prop_assert_eq!(is_torn, whole != cut);
        }
    }
}
