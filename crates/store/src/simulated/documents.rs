//! The documents as they stand after some of the log, and what a batch makes of them.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use matchbook_core::name::DocumentPath;
use matchbook_core::tag::{Revision, Version};

use crate::quota::Usage;
use crate::{
    Batch, CommitError, Derived, Document, Effect, Entry, Excess, Expected, OperationId, Receipt,
    Rejection, Write,
};

/// Documents by collection and id.
#[derive(Debug, Default)]
pub(super) struct Documents(BTreeMap<String, Members>);

/// The members of a collection, by id.
pub(super) type Members = BTreeMap<String, (DocumentPath, Arc<Document>)>;

impl Documents {
    pub(super) fn get(&self, path: &DocumentPath) -> Option<&Arc<Document>> {
        let members = self.0.get(path.collection())?;
        members.get(path.id()).map(|(_, document)| document)
    }

    pub(super) fn members(&self, collection: &str) -> Option<&Members> {
        self.0.get(collection)
    }

    /// The collections that have members, in order.
    pub(super) fn collections(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Makes of a document what the log says.
    pub(super) fn follow(&mut self, entry: &Entry) {
        let path = &entry.path;
        match &entry.effect {
            Effect::Delete => {
                if let Some(members) = self.0.get_mut(path.collection()) {
                    members.remove(path.id());
                    if members.is_empty() {
                        self.0.remove(path.collection());
                    }
                }
            }
            Effect::Put {
                content_type, body, ..
            } => {
                let document = Arc::new(Document {
                    version: entry.version,
                    modified: entry.modified,
                    content_type: Arc::clone(content_type),
                    body: body.clone(),
                    derived: Derived::default(),
                });
                let members = self.0.entry(path.collection().to_owned()).or_default();
                members.insert(path.id().to_owned(), (path.clone(), document));
            }
        }
    }

    fn current(&self, path: &DocumentPath) -> Option<Revision> {
        self.get(path).map(|document| document.version.revision)
    }

    /// The expectations that do not hold.
    pub(super) fn check(&self, batch: &Batch) -> Vec<Rejection> {
        let mut seen = HashMap::with_capacity(batch.writes.len());
        let mut rejections = Vec::new();
        for (index, write) in batch.writes.iter().enumerate() {
            let before = seen.insert(&write.path, index);
            let current = self.current(&write.path);
            let holds = match (write.expected, before) {
                (Expected::After(expected), Some(before)) => expected == before,
                (Expected::After(_), None) | (_, Some(_)) => false,
                (expected, None) => Expected::from(current) == expected,
            };
            if !holds {
                rejections.push(Rejection { index, current });
            }
        }
        for (path, expected) in &batch.untouched {
            let current = self.current(path);
            if Expected::from(current) != *expected {
                let index = batch.writes.len();
                rejections.push(Rejection { index, current });
            }
        }
        if let Some(receipt) = &batch.receipt {
            let current = self.current(&receipt.path);
            if current.is_some() || seen.contains_key(&receipt.path) {
                let index = batch.writes.len();
                rejections.push(Rejection { index, current });
            }
        }
        rejections
    }

    /// The writes that are too much for their collection (guarantee 9).
    fn excesses(&self, batch: &Batch) -> Vec<Excess> {
        let mut excesses: Vec<Excess> = Vec::new();
        for quota in &batch.quotas {
            let mut lengths: HashMap<String, usize> = HashMap::new();
            for (id, (_, document)) in self.members(&quota.collection).into_iter().flatten() {
                lengths.insert(id.clone(), document.body.len());
            }
            for (index, write) in batch.writes.iter().enumerate() {
                if *quota.collection != *write.path.collection() {
                    continue;
                }
                let left_out = |place| excesses.iter().any(|excess| excess.index == place);
                if matches!(write.expected, Expected::After(place) if left_out(place)) {
                    continue;
                }
                let before = usage(&lengths);
                let id = write.path.id();
                let then = match &write.effect {
                    Effect::Delete => lengths.remove(id),
                    Effect::Put { body, .. } => lengths.insert(id.to_owned(), body.len()),
                };
                if let Some(measure) = quota.exceeded(before, usage(&lengths)) {
                    excesses.push(Excess { index, measure });
                    match then {
                        Some(length) => lengths.insert(id.to_owned(), length),
                        None => lengths.remove(id),
                    };
                }
            }
        }
        excesses.sort_by_key(|excess| excess.index);
        excesses
    }

    /// Applies all of a batch or nothing: the entries that it adds to the log, whose last
    /// revision was `last`. `compares`: whether expectations count.
    pub(super) fn apply(
        &mut self,
        operation: OperationId,
        batch: &Batch,
        compares: bool,
        last: &mut Revision,
        version: impl Fn(Revision) -> Version,
    ) -> Result<Vec<Arc<Entry>>, CommitError> {
        let rejections = self.check(batch);
        if compares && !rejections.is_empty() {
            return Err(CommitError::Rejected(rejections));
        }
        let excesses = self.excesses(batch);
        if !excesses.is_empty() {
            return Err(CommitError::Exceeded(excesses));
        }
        let mut entries: Vec<Arc<Entry>> = Vec::with_capacity(batch.writes.len() + 1);
        let mut add = |write: &Write, documents: &mut Self| {
            *last = Revision::new(last.get() + 1).unwrap_or(Revision::MAX);
            let entry = Entry {
                version: version(*last),
                operation,
                path: write.path.clone(),
                previous: documents.get(&write.path).map(|before| before.version),
                modified: batch.at,
                principal: batch.principal.clone(),
                effect: write.effect.clone(),
            };
            documents.follow(&entry);
            entries.push(Arc::new(entry));
            version(*last)
        };
        let mut versions = Vec::with_capacity(batch.writes.len());
        for write in &batch.writes {
            versions.push(add(write, self));
        }
        if let Some(receipt) = &batch.receipt {
            let effect = Effect::Put {
                content_type: Receipt::CONTENT_TYPE.into(),
                body: receipt.body(versions.into_iter()),
                patch: None,
            };
            let write = Write {
                path: receipt.path.clone(),
                expected: Expected::Absent,
                effect,
            };
            add(&write, self);
        }
        Ok(entries)
    }
}

fn usage(lengths: &HashMap<String, usize>) -> Usage {
    Usage {
        documents: lengths.len() as u64,
        bytes: lengths.values().map(|length| *length as u64).sum(),
    }
}
