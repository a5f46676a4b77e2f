//! Who follows what.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use matchbook_core::feed::EndReason;
use matchbook_core::name::DocumentPath;
use matchbook_core::tag::Version;
use matchbook_store::{Entry, Scope};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::audience::Audience;
use super::channel::{Channel, Subscription};
use super::relay::Relay;
use super::spec::{Key, Spec};
use super::{RETRY_MS, spread};

/// Readers that a server takes: some hundred MiB of memory. Connections have a limit of
/// their own; over HTTP/2 each can carry many readers.
const READERS: usize = 100_000;

/// All channels of a server.
pub(crate) struct Hub {
    inner: Mutex<Inner>,
    /// Readers, so that a write that nobody follows takes no lock.
    readers: AtomicUsize,
    /// There is a first reader.
    pub(super) someone: Notify,
    /// All streams are to end.
    pub(super) ending: Notify,
    /// By worker.
    relays: Box<[Relay]>,
}

#[derive(Default)]
struct Inner {
    /// All up to here was told to the channels, or is being told to those that there
    /// were. A channel begins here.
    position: Option<Version>,
    next_id: u64,
    channels: HashMap<Key, Member>,
    all: Arc<Audience>,
    collections: HashMap<String, Arc<Audience>>,
    documents: HashMap<String, Arc<Audience>>,
    ended: Option<EndReason>,
}

struct Member {
    channel: Arc<Channel>,
    readers: usize,
}

/// A write, and the channels that may want it.
pub(super) struct Told {
    pub(super) entry: Arc<Entry>,
    pub(super) audiences: Vec<Arc<Audience>>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hub")
    }
}

impl Hub {
    pub(crate) fn new() -> Self {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            inner: Mutex::default(),
            readers: AtomicUsize::new(0),
            someone: Notify::new(),
            ending: Notify::new(),
            relays: (0..workers).map(|_| Relay::default()).collect(),
        }
    }

    /// Joins the channel of what is wanted, which is made if there is none. `applied` is
    /// where the store stands.
    pub(super) fn join(
        self: &Arc<Self>,
        spec: &Arc<Spec>,
        applied: impl FnOnce() -> Version,
    ) -> Subscription {
        let mut inner = self.lock();
        let position = match inner.position {
            Some(position) => position,
            // The first reader: nothing before it is told.
            None => *inner.position.insert(applied()),
        };
        let next_id = inner.next_id;
        let ended = inner.ended;
        let channel = match inner.channels.entry(spec.key()) {
            Slot::Occupied(mut slot) => {
                slot.get_mut().readers += 1;
                Arc::clone(&slot.get().channel)
            }
            Slot::Vacant(slot) => {
                let workers = self.relays.len();
                let channel = Channel::new(next_id, Arc::clone(spec), position, workers);
                let channel = Arc::new(channel);
                slot.insert(Member {
                    channel: Arc::clone(&channel),
                    readers: 1,
                });
                inner.next_id += 1;
                inner.insert(&channel);
                if let Some(reason) = ended {
                    channel.end(reason, spread(RETRY_MS));
                }
                channel
            }
        };
        drop(inner);
        self.readers.fetch_add(1, Relaxed);
        self.someone.notify_one();
        Subscription::new(Arc::clone(self), channel)
    }

    pub(super) fn leave(&self, channel: &Arc<Channel>) {
        self.readers.fetch_sub(1, Relaxed);
        let mut inner = self.lock();
        let key = channel.spec.key();
        let Slot::Occupied(mut slot) = inner.channels.entry(key) else {
            return;
        };
        // Another one may have taken the place of a channel that was given up.
        if slot.get().channel.id != channel.id {
            return;
        }
        slot.get_mut().readers -= 1;
        if slot.get().readers > 0 {
            return;
        }
        slot.remove();
        inner.remove(channel);
        if inner.channels.is_empty() {
            // The next reader begins where the store stands then.
            inner.position = None;
        }
    }

    /// How many readers there are.
    pub(crate) fn readers(&self) -> usize {
        self.readers.load(Relaxed)
    }

    /// Whether there are as many readers as there may be.
    pub(super) fn is_full(&self) -> bool {
        self.readers() >= READERS
    }

    /// Whether somebody may be told of a write to this document.
    pub(super) fn is_followed(&self, path: &DocumentPath) -> bool {
        self.readers() > 0 && !self.lock().audiences(path).is_empty()
    }

    /// Where the follower has to go on; `None` if nobody reads.
    pub(super) fn position(&self) -> Option<Version> {
        self.lock().position
    }

    /// Finds for each write the channels that may want it, and moves on: a channel that
    /// is made from now on begins after these writes.
    pub(super) fn take(&self, entries: Vec<Arc<Entry>>, position: Version) -> Vec<Told> {
        let mut inner = self.lock();
        if inner.position.is_some() {
            inner.position = Some(position);
        }
        let told = entries.into_iter().filter_map(|entry| {
            let audiences = inner.audiences(&entry.path);
            (!audiences.is_empty()).then_some(Told { entry, audiences })
        });
        told.collect()
    }

    /// Tells the workers that there is something to take.
    pub(super) fn announce(&self, channel: &Arc<Channel>) {
        for (worker, relay) in self.relays.iter().enumerate() {
            if channel.is_awaited(worker) {
                relay.tell(channel);
            }
        }
    }

    /// To be called about each second.
    pub(super) fn tick(&self, now: Instant) {
        let (channels, position) = {
            let inner = self.lock();
            (inner.in_order(), inner.position)
        };
        let Some(position) = position else { return };
        for channel in channels {
            if channel.tick(position, now) {
                self.announce(&channel);
            }
        }
    }

    /// Ends all streams when they were told all that was written, and those that come.
    pub(crate) fn end(&self, reason: EndReason) {
        self.lock().ended = Some(reason);
        self.ending.notify_one();
    }

    /// All was told: ends the streams that are to end.
    pub(super) fn is_even(&self) {
        let inner = self.lock();
        let Some(reason) = inner.ended else { return };
        let channels = inner.in_order();
        drop(inner);
        self.end_each(&channels, reason);
    }

    /// Ends the streams that there are: they could not be told what comes next. Those
    /// that come begin where the store stands.
    pub(crate) fn give_up(&self, reason: EndReason) {
        let mut inner = self.lock();
        let channels = inner.in_order();
        inner.channels.clear();
        inner.position = None;
        inner.all = Arc::default();
        inner.collections.clear();
        inner.documents.clear();
        drop(inner);
        self.end_each(&channels, reason);
    }

    fn end_each(&self, channels: &[Arc<Channel>], reason: EndReason) {
        for channel in channels {
            channel.end(reason, spread(RETRY_MS));
            self.announce(channel);
        }
    }

    /// Wakes the readers on one worker, for ever; to be run there.
    pub(crate) async fn relay(self: Arc<Self>, worker: usize) {
        if let Some(relay) = self.relays.get(worker) {
            relay.run(worker).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// All channels, the oldest first: not in the order of a map, which is another in each
    /// run.
    fn in_order(&self) -> Vec<Arc<Channel>> {
        let channels = self.channels.values();
        let mut channels: Vec<_> = channels.map(|member| Arc::clone(&member.channel)).collect();
        channels.sort_unstable_by_key(|channel| channel.id);
        channels
    }

    fn insert(&mut self, channel: &Arc<Channel>) {
        let audience = match &channel.spec.scope {
            Scope::Log | Scope::All => &mut self.all,
            Scope::Collection(path) => self
                .collections
                .entry(path.as_str().to_owned())
                .or_default(),
            Scope::Document(path) => self.documents.entry(path.as_str().to_owned()).or_default(),
        };
        Arc::make_mut(audience).insert(Arc::clone(channel));
    }

    fn remove(&mut self, channel: &Channel) {
        let (map, name) = match &channel.spec.scope {
            Scope::Log | Scope::All => return Arc::make_mut(&mut self.all).remove(channel.id),
            Scope::Collection(path) => (&mut self.collections, path.as_str()),
            Scope::Document(path) => (&mut self.documents, path.as_str()),
        };
        if let Some(audience) = map.get_mut(name) {
            Arc::make_mut(audience).remove(channel.id);
            if audience.is_empty() {
                map.remove(name);
            }
        }
    }

    fn audiences(&self, path: &DocumentPath) -> Vec<Arc<Audience>> {
        let all = (!self.all.is_empty() && !path.is_own()).then_some(&self.all);
        let collection = self.collections.get(path.collection());
        let document = self.documents.get(path.as_str());
        let audiences = [all, collection, document].into_iter().flatten();
        audiences.cloned().collect()
    }
}
