//! The channels that a write to a document may concern.

use std::collections::HashMap;
use std::sync::Arc;

use matchbook_core::feed::{FilterIndex, Write};

use super::channel::Channel;
use super::writes::{Known, write};

/// The channels of one scope.
#[derive(Clone, Default)]
pub(super) struct Audience {
    /// All of them, by id.
    channels: HashMap<u64, Arc<Channel>>,
    /// Those that are told of every document.
    unfiltered: Vec<u64>,
    /// The others, by what they ask for.
    filtered: FilterIndex<u64>,
}

impl Audience {
    pub(super) fn insert(&mut self, channel: Arc<Channel>) {
        let spec = &channel.spec;
        if spec.is_whole() {
            self.unfiltered.push(channel.id);
        } else {
            self.filtered.insert(&spec.query, channel.id);
        }
        self.channels.insert(channel.id, channel);
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.unfiltered.retain(|other| *other != id);
        self.filtered.remove(&id);
        self.channels.remove(&id);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Whether one of them has to know the document before the write.
    pub(super) fn needs_before(&self, write: &Write<'_>) -> bool {
        self.unfiltered.len() < self.channels.len()
            || self
                .unfiltered
                .iter()
                .filter_map(|id| self.channels.get(id))
                .any(|channel| channel.spec.needs_before(write))
    }

    /// Those whom a write concerns, and few others.
    pub(super) fn concerned(&self, known: &Known) -> Vec<Arc<Channel>> {
        let mut ids = self.unfiltered.clone();
        if ids.len() < self.channels.len() {
            let before = known.content_before();
            let after = match write(&known.entry).effect {
                matchbook_core::feed::Effect::Put { content, .. } => Some(content),
                matchbook_core::feed::Effect::Delete => None,
            };
            let before = before.as_ref().and_then(|content| content.json());
            let after = after.as_ref().and_then(|content| content.json());
            self.filtered.candidates(before, after, |id| ids.push(*id));
        }
        let channels = ids.iter().filter_map(|id| self.channels.get(id));
        channels.cloned().collect()
    }
}
