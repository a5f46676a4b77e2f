//! What an open store holds in memory: how far each batch has come, and what readers see.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use matchbook_core::feed::Content;
use matchbook_core::name::{CollectionPath, DocumentPath, is_own};
use matchbook_core::query::Place;
use matchbook_core::tag::{Epoch, Revision, Version};

use super::Random;
use super::disk::{History, Image};
use super::documents::Documents;
use crate::{Changes, ChangesError, Document, Effect, Entry, Page, Scan, Scope};

/// Whether the store works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    /// A commit's fate is unknown: it takes no writes (guarantee 7).
    Stopped,
    /// The machine is gone.
    Crashed,
}

/// The entries of one batch.
pub(super) type Entries = Vec<Arc<Entry>>;

pub(super) struct Live {
    pub(super) state: State,
    pub(super) random: Random,
    pub(super) history: History,
    pub(super) opening: u64,
    /// With all that was applied.
    pub(super) written: Documents,
    pub(super) last: Revision,
    /// What was applied and is not on the disk.
    pub(super) unsynced: VecDeque<Entries>,
    /// What was applied and is not shown to readers.
    unpublished: VecDeque<Entries>,
    /// As readers see it.
    shown: Documents,
    log: Vec<Arc<Entry>>,
    pub(super) applied: Revision,
    pub(super) horizon: Revision,
    touched: BTreeMap<String, Revision>,
    /// No collection was touched after this before the opening.
    opened_at: Revision,
}

impl Live {
    pub(super) fn open(image: &mut Image) -> Self {
        let (opening, random) = image.open();
        let [mut written, mut shown] = [Documents::default(), Documents::default()];
        for entry in &image.log {
            written.follow(entry);
            shown.follow(entry);
        }
        Self {
            state: State::Running,
            random,
            history: image.history.clone(),
            opening,
            written,
            last: image.last,
            unsynced: VecDeque::new(),
            unpublished: VecDeque::new(),
            shown,
            log: image.log.clone(),
            applied: image.last,
            horizon: image.horizon,
            touched: BTreeMap::new(),
            opened_at: image.last,
        }
    }

    /// Takes up a batch that was applied; its last revision.
    pub(super) fn take(&mut self, entries: Entries) -> Revision {
        self.unsynced.push_back(entries.clone());
        self.unpublished.push_back(entries);
        self.last
    }

    /// Brings all batches up to here to the disk.
    pub(super) fn sync(&mut self, until: Revision, image: &mut Image) {
        if image.openings != self.opening {
            return;
        }
        while let Some(batch) = take_until(&mut self.unsynced, until) {
            image.write(&batch);
        }
    }

    /// Shows all batches up to here to readers.
    pub(super) fn publish(&mut self, until: Revision) -> bool {
        let before = self.applied;
        while let Some(batch) = take_until(&mut self.unpublished, until) {
            for entry in batch {
                let revision = entry.version.revision;
                self.touched
                    .insert(entry.path.collection().to_owned(), revision);
                self.shown.follow(&entry);
                self.applied = revision;
                self.log.push(entry);
            }
        }
        self.applied > before
    }

    pub(super) fn version(&self, revision: Revision) -> Version {
        self.history.version(revision)
    }

    pub(super) fn document(&self, path: &DocumentPath) -> Option<Arc<Document>> {
        self.shown.get(path).cloned()
    }

    pub(super) fn documents(
        &self,
        paths: &[DocumentPath],
        max_bytes: usize,
    ) -> Vec<Option<Arc<Document>>> {
        let mut found = Vec::with_capacity(paths.len());
        let mut bytes = 0;
        for path in paths {
            let document = self.document(path);
            if let Some(document) = &document {
                bytes += document.body.len();
                if bytes > max_bytes && !found.is_empty() {
                    break;
                }
            }
            found.push(document);
        }
        found
    }

    pub(super) fn document_at(
        &self,
        path: &DocumentPath,
        version: Version,
    ) -> Option<Arc<Document>> {
        let at = |entry: &Arc<Entry>| entry.version.revision.cmp(&version.revision);
        let entry = self.log.get(self.log.binary_search_by(at).ok()?)?;
        if entry.version != version || entry.path != *path {
            return None;
        }
        let mut then = Documents::default();
        then.follow(entry);
        then.get(path).cloned()
    }

    /// The document as it was one write before, if that made one.
    pub(super) fn document_before(&self, path: &DocumentPath) -> Option<Arc<Document>> {
        let mut entries = self.log.iter().rev().filter(|entry| entry.path == *path);
        let previous = entries.next()?.previous?;
        self.document_at(path, previous)
    }

    /// The epoch of this opening.
    pub(super) fn epoch(&self) -> Epoch {
        self.version(Revision::MAX).epoch
    }

    pub(super) fn touched(&self, collection: &CollectionPath) -> Version {
        let touched = self.touched.get(collection.as_str());
        self.version(touched.copied().unwrap_or(self.opened_at))
    }

    pub(super) fn collections(
        &self,
        after: Option<&CollectionPath>,
        limit: usize,
    ) -> Vec<CollectionPath> {
        let after = after.map_or("", CollectionPath::as_str);
        let names = self.shown.collections();
        let names = names.filter(|name| *name > after && !is_own(name));
        let paths = names.filter_map(|name| CollectionPath::parse(name).ok());
        paths.take(limit).collect()
    }

    /// A piece of the log, of at most so many entries, and after a look at at most so many.
    pub(super) fn changes(
        &self,
        from: Version,
        scope: &Scope,
        limit: usize,
        examined: usize,
    ) -> Result<Changes, ChangesError> {
        if from.revision > self.applied || self.version(from.revision) != from {
            return Err(ChangesError::OtherHistory);
        }
        if from.revision < self.horizon {
            return Err(ChangesError::Compacted);
        }
        let after = |entry: &Arc<Entry>| entry.version.revision <= from.revision;
        let rest = self.log.get(self.log.partition_point(after)..);
        let mut entries = Vec::new();
        let mut position = self.applied;
        let mut last: Option<&Arc<Entry>> = None;
        for (looked_at, entry) in rest.unwrap_or_default().iter().enumerate() {
            let is_full = entries.len() >= limit.max(1) || looked_at >= examined;
            if let Some(last) = last.filter(|last| is_full && last.operation != entry.operation) {
                position = last.version.revision;
                break;
            }
            if scope.holds(&entry.path) {
                entries.push(Arc::clone(entry));
            }
            last = Some(entry);
        }
        Ok(Changes {
            entries,
            position: self.version(position),
            more: position < self.applied,
        })
    }

    /// A page of at most so many items.
    pub(super) fn page(&self, scan: &Scan, limit: usize) -> Page {
        let mut found: Vec<(Place, &(DocumentPath, Arc<Document>))> = Vec::new();
        for (id, member) in self
            .shown
            .members(scan.collection.as_str())
            .into_iter()
            .flatten()
        {
            let (path, document) = member;
            let content = Content::of(&document.content_type, &document.body);
            let only = scan.only.as_ref();
            if scan.query.matches(content.json()) && only.is_none_or(|o| o.admits(path, &content)) {
                found.push((scan.query.place(content.json(), id), member));
            }
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        let count = scan.count.then_some(found.len() as u64);
        let after = scan.after.as_ref();
        found.retain(|(place, _)| after.is_none_or(|after| place > after));
        let mut items = Vec::new();
        let mut bytes = 0;
        let mut next = None;
        let all = found.len();
        for (place, (path, document)) in found {
            bytes += document.body.len();
            if items.len() >= limit || (bytes > scan.max_bytes && !items.is_empty()) {
                break;
            }
            items.push((path.clone(), Arc::clone(document)));
            next = Some(place);
        }
        Page {
            next: next.filter(|_| items.len() < all),
            items,
            position: self.version(self.applied),
            count,
            index: None,
        }
    }

    /// How far the log may be trimmed.
    pub(super) fn before(&self, is_old: impl Fn(&Entry) -> bool, keep: u64) -> Revision {
        let after = |entry: &Arc<Entry>| entry.version.revision <= self.horizon;
        let kept = self.log.get(self.log.partition_point(after)..);
        let kept = kept.unwrap_or_default();
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        let free = kept.get(..kept.len().saturating_sub(keep));
        let mut free = free.unwrap_or_default().iter().rev();
        let last = free.find(|entry| is_old(entry));
        last.map_or(self.horizon, |entry| entry.version.revision)
    }

    pub(super) fn trim(&mut self, before: Revision, image: &mut Image) {
        if image.openings == self.opening {
            self.horizon = self.horizon.max(before.min(self.applied));
            image.horizon = self.horizon;
            super::disk::trim(&mut self.log, self.horizon);
            super::disk::trim(&mut image.log, self.horizon);
        }
    }

    pub(super) fn size_bytes(&self) -> u64 {
        let bodies = self.log.iter().map(|entry| match &entry.effect {
            Effect::Put { body, .. } => body.len() as u64,
            Effect::Delete => 0,
        });
        bodies.sum()
    }
}

fn take_until(batches: &mut VecDeque<Entries>, until: Revision) -> Option<Entries> {
    let last = batches.front()?.last()?.version.revision;
    if last <= until {
        batches.pop_front()
    } else {
        None
    }
}
