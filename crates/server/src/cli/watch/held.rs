//! Documents that were seen, so that a change can be told with the value before.

use std::collections::{BTreeMap, HashMap};

use matchbook_core::json::Patch;
use matchbook_core::tag::Version;

use super::super::stream::{Change, Content, EVENT_BYTES, Kind};

/// Most bytes of documents that are kept. Of one that is forgotten, the value before
/// its next change is not shown.
const HELD_BYTES: usize = 64 * 1_024 * 1_024;

/// What was seen last of the documents that were seen last.
pub(super) struct Held {
    documents: HashMap<String, Entry>,
    /// Paths by the number of their last change: the first is forgotten first.
    order: BTreeMap<u64, String>,
    last: u64,
    bytes: usize,
    max_bytes: usize,
}

struct Entry {
    number: u64,
    version: Version,
    text: String,
}

/// What a change means to one who has seen this.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing: a later version was seen already (contract §7.1).
    Late,
    /// A document that was this, if it is known.
    Now { before: Option<String> },
}

impl Held {
    pub(super) fn new() -> Self {
        Self {
            documents: HashMap::new(),
            order: BTreeMap::new(),
            last: 0,
            bytes: 0,
            max_bytes: HELD_BYTES,
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self {
            max_bytes: self.max_bytes,
            ..Self::new()
        };
    }

    /// Takes a change in.
    pub(super) fn see(&mut self, change: &Change<'_>) -> Seen {
        let path = change.path.as_str();
        let held = self.documents.get(path).map(|entry| entry.version);
        let is_late = held.is_some_and(|held| match change.kind {
            Kind::Put { etag, .. } | Kind::Patch { etag, .. } => held.revision >= etag.revision,
            Kind::Delete { previous } | Kind::Leave { previous } => {
                held.revision > previous.revision
            }
        });
        if is_late {
            return Seen::Late;
        }
        let before = self.remove(path);
        match &change.kind {
            Kind::Put { etag, content, .. } => {
                if let Content::Json(text) = content {
                    self.insert(path, *etag, (*text).to_owned());
                }
                Seen::Now { before }
            }
            Kind::Patch {
                etag,
                previous,
                patch,
            } => {
                let before = before.filter(|_| held == Some(*previous));
                if let Some(text) = before.as_ref().and_then(|text| apply(patch, text)) {
                    self.insert(path, *etag, text);
                }
                Seen::Now { before }
            }
            Kind::Delete { .. } | Kind::Leave { .. } => Seen::Now { before },
        }
    }

    fn insert(&mut self, path: &str, version: Version, text: String) {
        self.last += 1;
        self.bytes += text.len();
        self.order.insert(self.last, path.to_owned());
        let entry = Entry {
            number: self.last,
            version,
            text,
        };
        self.documents.insert(path.to_owned(), entry);
        while self.bytes > self.max_bytes
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, path: &str) -> Option<String> {
        let entry = self.documents.remove(path)?;
        self.order.remove(&entry.number);
        self.bytes = self.bytes.saturating_sub(entry.text.len());
        Some(entry.text)
    }
}

fn apply(patch: &str, text: &str) -> Option<String> {
    let patch = Patch::parse(patch).ok()?;
    patch.apply(text, EVENT_BYTES).ok()
}

#[cfg(test)]
mod tests {
    use matchbook_core::name::DocumentPath;

    use super::super::super::stream::Origin;
    use super::*;

    fn version(number: u64) -> Version {
        format!("aaaaaaaa-{number}").parse().unwrap()
    }

    fn see(held: &mut Held, path: &str, kind: Kind<'_>) -> Seen {
        held.see(&Change {
            path: DocumentPath::parse(path).unwrap(),
            modified: None,
            kind,
        })
    }

    fn put(number: u64, text: &str) -> Kind<'_> {
        Kind::Put {
            etag: version(number),
            origin: Origin::Replaced,
            content: Content::Json(text),
        }
    }

    fn patch(number: u64, previous: u64, patch: &str) -> Kind<'_> {
        Kind::Patch {
            etag: version(number),
            previous: version(previous),
            patch,
        }
    }

    fn before(text: &str) -> Seen {
        Seen::Now {
            before: Some(text.to_owned()),
        }
    }

    const UNKNOWN: Seen = Seen::Now { before: None };

    #[test]
    fn section_7_1_changes_are_told_with_what_was_before() {
        let mut held = Held::new();
        let to_2 = r#"[{"op":"replace","path":"/a","value":2}]"#;
        let gone = |previous| Kind::Delete {
            previous: version(previous),
        };
        let path = "/c/1";
        assert_eq!(see(&mut held, path, patch(3, 2, to_2)), UNKNOWN);
        assert_eq!(see(&mut held, path, put(4, r#"{"a":1}"#)), UNKNOWN);
        assert_eq!(see(&mut held, path, patch(3, 2, to_2)), Seen::Late);
        assert_eq!(see(&mut held, path, put(4, "0")), Seen::Late);
        assert_eq!(
            see(&mut held, path, patch(6, 4, to_2)),
            before(r#"{"a":1}"#)
        );
        assert_eq!(see(&mut held, path, gone(4)), Seen::Late);
        assert_eq!(see(&mut held, path, put(7, "7")), before(r#"{"a":2}"#));
        assert_eq!(see(&mut held, path, patch(9, 8, to_2)), UNKNOWN);
        assert_eq!(see(&mut held, path, put(10, "10")), UNKNOWN);
        assert_eq!(see(&mut held, path, gone(10)), before("10"));
        assert_eq!(see(&mut held, path, gone(10)), UNKNOWN);
        see(&mut held, path, put(12, "12"));
        held.clear();
        assert_eq!(see(&mut held, path, put(2, "2")), UNKNOWN);
    }

    #[test]
    fn what_changed_longest_ago_is_forgotten_first() {
        let mut held = Held::new();
        held.max_bytes = 10;
        see(&mut held, "/c/1", put(1, "\"1\""));
        see(&mut held, "/c/2", put(2, "\"2\""));
        see(&mut held, "/c/3", put(3, "\"3\""));
        see(&mut held, "/c/1", put(4, "\"4\""));
        see(&mut held, "/c/4", put(5, "\"5\""));
        assert_eq!(see(&mut held, "/c/2", put(6, "6")), UNKNOWN);
        assert_eq!(see(&mut held, "/c/1", put(7, "7")), before("\"4\""));
        let huge = "x".repeat(20);
        see(&mut held, "/c/5", put(8, &huge));
        assert_eq!(
            (held.bytes, held.documents.len(), held.order.len()),
            (0, 0, 0)
        );
    }
}
