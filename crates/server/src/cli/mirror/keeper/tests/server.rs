//! A server with one collection, as its contract describes it.

use std::collections::BTreeMap;

use matchbook_core::feed::{Cursor, SnapshotPlace};
use matchbook_core::json::diff;
use matchbook_core::tag::Epoch;

use super::super::super::super::stream::Event;
use super::*;

/// What somebody does.
#[derive(Clone, Debug)]
pub(super) enum Write {
    Put(String, String),
    /// Something that is not JSON.
    Blob(String, String),
    Delete(String),
}

#[derive(Clone, Debug)]
struct Document {
    version: Version,
    text: String,
    is_json: bool,
}

struct Entry {
    version: Version,
    id: String,
    before: Option<Document>,
    after: Option<Document>,
}

/// All that ever happened, since the last restored copy at least.
#[derive(Default)]
pub(super) struct Server {
    log: Vec<Entry>,
    epoch: u64,
    /// Changes before this one are no longer in the log.
    trimmed: usize,
}

/// One answer to a request for the feed.
pub(super) struct Session {
    /// The changes up to here were sent.
    position: usize,
    snapshot: Option<SnapshotPlace>,
    reset: bool,
}

impl Server {
    fn epoch(&self) -> Epoch {
        Epoch::from_bits(self.epoch)
    }

    fn state_at(&self, position: usize) -> BTreeMap<&str, &Document> {
        let mut state = BTreeMap::new();
        for entry in self.log.iter().take(position) {
            match &entry.after {
                Some(document) => state.insert(entry.id.as_str(), document),
                None => state.remove(entry.id.as_str()),
            };
        }
        state
    }

    fn state(&self) -> BTreeMap<&str, &Document> {
        self.state_at(self.log.len())
    }

    pub(super) fn documents(&self) -> BTreeMap<String, String> {
        let state = self.state().into_iter();
        state
            .map(|(id, document)| (id.to_owned(), document.text.clone()))
            .collect()
    }

    pub(super) fn document(&self, id: &str) -> Option<(Version, String)> {
        let state = self.state();
        let document = state.get(id)?;
        Some((document.version, document.text.clone()))
    }

    pub(super) fn write(&mut self, write: &Write) {
        let (id, text, is_json) = match write {
            Write::Put(id, text) => (id, Some(text), true),
            Write::Blob(id, text) => (id, Some(text), false),
            Write::Delete(id) => (id, None, false),
        };
        let before = self
            .state()
            .get(id.as_str())
            .map(|document| (*document).clone());
        let version = self.version_at(self.log.len() + 1);
        let after = text.map(|text| Document {
            version,
            text: text.clone(),
            is_json,
        });
        let is_same = match (&before, &after) {
            (None, None) => true,
            (Some(before), Some(after)) => before.text == after.text,
            _ => false,
        };
        if !is_same {
            self.log.push(Entry {
                version,
                id: id.clone(),
                before,
                after,
            });
        }
    }

    pub(super) fn trim(&mut self) {
        self.trimmed = self.log.len().saturating_sub(1);
    }

    pub(super) fn restore(&mut self, back: usize) {
        let length = self.log.len().saturating_sub(back);
        self.log.truncate(length);
        self.trimmed = self.trimmed.min(length);
        self.epoch += 1;
    }

    fn version_at(&self, position: usize) -> Version {
        let written = position.checked_sub(1).and_then(|last| self.log.get(last));
        written.map_or_else(
            || Version {
                epoch: self.epoch(),
                revision: format!("aaaaaaaa-{position}")
                    .parse::<Version>()
                    .unwrap()
                    .revision,
            },
            |entry| entry.version,
        )
    }

    /// Where a cursor is, if it is of this history and not too old.
    fn place(&self, cursor: &str) -> Option<(usize, Option<SnapshotPlace>)> {
        let cursor: Cursor = cursor.parse().ok()?;
        let position = usize::try_from(cursor.at.revision.get()).unwrap();
        let is_ours =
            position <= self.log.len() && (position == 0 || self.version_at(position) == cursor.at);
        (is_ours && position >= self.trimmed).then_some((position, cursor.snapshot))
    }

    pub(super) fn session(&self, cursor: &str) -> Session {
        match self.place(cursor) {
            Some((position, snapshot)) => Session {
                position,
                snapshot,
                reset: false,
            },
            None => Session {
                position: self.log.len(),
                snapshot: Some(SnapshotPlace::Beginning),
                reset: true,
            },
        }
    }
}

impl Session {
    /// Up to so many events. They end with `synced` where there are no more.
    pub(super) fn next(&mut self, server: &Server, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            let (name, data) = self.one(server);
            let cursor = Cursor {
                at: server.version_at(self.position),
                snapshot: self.snapshot.clone(),
                view: None,
            };
            events.push(Event {
                name: name.to_owned(),
                id: cursor.to_string().into(),
                data,
            });
            if name == "synced" {
                break;
            }
        }
        events
    }

    pub(super) fn is_at_end(&self, server: &Server) -> bool {
        self.snapshot.is_none() && self.position == server.log.len()
    }

    fn one(&mut self, server: &Server) -> (&'static str, String) {
        if std::mem::take(&mut self.reset) {
            return ("reset", r#"{"reason":"snapshot"}"#.to_owned());
        }
        if let Some(place) = &self.snapshot {
            let after = match place {
                SnapshotPlace::Beginning => "",
                SnapshotPlace::After { path, .. } => path.id(),
                SnapshotPlace::Over { .. } => unreachable!("no cursor says so here"),
            };
            // As it is when its turn comes, which is later than the beginning.
            let state = server.state();
            if let Some((id, document)) = state.into_iter().find(|(id, _)| *id > after) {
                let path = format!("/c/{id}").parse_path();
                let shown = server.version_at(server.log.len());
                self.snapshot = Some(SnapshotPlace::After { path, shown });
                return ("put", put(id, document, None));
            }
            self.snapshot = None;
        }
        let Some(entry) = server.log.get(self.position) else {
            return ("synced", "{}".to_owned());
        };
        self.position += 1;
        change(entry)
    }
}

trait ParsePath {
    fn parse_path(&self) -> matchbook_core::name::DocumentPath;
}

impl ParsePath for String {
    fn parse_path(&self) -> matchbook_core::name::DocumentPath {
        matchbook_core::name::DocumentPath::parse(self).unwrap()
    }
}

fn tag(document: Option<&Document>) -> String {
    document.map_or("null".to_owned(), |document| {
        serde_json::Value::from(document.version.etag()).to_string()
    })
}

fn put(id: &str, document: &Document, previous: Option<&str>) -> String {
    let etag = tag(Some(document));
    let content = if document.is_json {
        format!(r#""document":{}"#, document.text)
    } else {
        format!(
            r#""contentType":"text/plain","length":{}"#,
            document.text.len()
        )
    };
    let previous = previous.map_or(String::new(), |tag| format!(r#""previous":{tag},"#));
    format!(r#"{{"path":"/c/{id}","etag":{etag},{previous}{content}}}"#)
}

fn change(entry: &Entry) -> (&'static str, String) {
    let (id, previous) = (&entry.id, tag(entry.before.as_ref()));
    match (&entry.before, &entry.after) {
        (_, None) => (
            "delete",
            format!(r#"{{"path":"/c/{id}","previous":{previous}}}"#),
        ),
        (Some(before), Some(after)) if before.is_json && after.is_json => {
            let (etag, patch) = (tag(Some(after)), diff(&before.text, &after.text));
            (
                "patch",
                format!(
                    r#"{{"path":"/c/{id}","etag":{etag},"previous":{previous},"patch":{patch}}}"#
                ),
            )
        }
        (_, Some(after)) => ("put", put(id, after, Some(&previous))),
    }
}
