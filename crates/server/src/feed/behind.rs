//! A reader that is behind: it reads the documents or the log for itself, until it has
//! come to the end.

use std::sync::Arc;

use matchbook_core::feed::{Cursor, EndReason, Event, ResetReason, SnapshotPlace};
use matchbook_core::field::coding::Coding;
use matchbook_core::query::FeedQuery;
use matchbook_core::tag::Version;
use matchbook_store::{ChangesError, ReadError, Store};
use tokio::sync::mpsc;

use super::blocks::Blocks;
use super::channel::Subscription;
use super::gzip::{self, Sum};
use super::snapshot;
use super::spec::Spec;
use super::stream::{EventStream, Message};
use super::writes::{Known, Place, blocks_into};
use super::{RETRY_MS, spread};
use crate::app::App;

/// Entries that are read at a time.
const PIECE: usize = 256;

/// Pieces that wait for a slow reader.
const PIECES_AHEAD: usize = 1;

/// Where a reader begins.
#[derive(Debug)]
pub(super) enum Start {
    /// With what happens next.
    Now,
    /// After this position.
    After(Version),
    /// In a snapshot that began at this position.
    Within(Version, SnapshotPlace),
    /// With a new snapshot.
    Anew(ResetReason),
}

impl Start {
    /// What a request asks for: `Last-Event-ID` counts before `_since`, and that before
    /// `_snapshot`. A position that is none leads to a reset, never to a refusal.
    pub(super) fn of(last_event_id: Option<&[u8]>, query: &FeedQuery, spec: &Spec) -> Self {
        let id = last_event_id.filter(|id| !id.is_empty());
        let text = match id {
            Some(id) => std::str::from_utf8(id).ok(),
            None => match &query.since {
                Some(since) => Some(since.as_str()),
                None if query.snapshot => return Self::Anew(ResetReason::Snapshot),
                None => return Self::Now,
            },
        };
        match text.map(str::parse) {
            Some(Ok(cursor)) => Self::from_cursor(cursor, spec),
            Some(Err(_)) | None => Self::Anew(ResetReason::Malformed),
        }
    }

    fn from_cursor(cursor: Cursor, spec: &Spec) -> Self {
        // What the client holds may be what it can no longer see, or lack what it can.
        if cursor.view != spec.sight.view() {
            return Self::Anew(ResetReason::View);
        }
        match cursor.snapshot {
            None => Self::After(cursor.at),
            Some(SnapshotPlace::After { path, .. }) if !spec.scope.holds(&path) => {
                Self::Anew(ResetReason::Foreign)
            }
            Some(place) => Self::Within(cursor.at, place),
        }
    }
}

/// Begins a stream in this coding: gzip or none.
pub(super) fn start<S: Store>(
    app: &Arc<App<S>>,
    spec: Arc<Spec>,
    start: Start,
    coding: Coding,
) -> EventStream {
    if matches!(start, Start::Now) {
        let joined = app.hub.join(&spec, || app.store.status().applied);
        let mut subscription = joined.coded(coding);
        let position = app.store.status().applied;
        let is_current = spec.is_current(app.in_force.changes());
        if is_current && subscription.attach(position) {
            let mut text = String::new();
            Event::Synced.block_into(&mut text, &spec.cursor(position), Some(RETRY_MS));
            return EventStream::even(&text, subscription);
        }
    }
    let (messages, receiver) = mpsc::channel(PIECES_AHEAD);
    let sent = (coding == Coding::Gzip).then(Sum::default);
    let view = spec.sight.view();
    let now = || spec.cursor(app.store.status().applied);
    let position = match &start {
        Start::After(at) => spec.cursor(*at),
        Start::Within(at, place) => Cursor {
            at: *at,
            snapshot: Some(place.clone()),
            view,
        },
        Start::Now | Start::Anew(_) => now(),
    };
    let reader = Reader {
        app: Arc::clone(app),
        spec,
        messages,
        coding,
        sent,
        text: format!("retry: {RETRY_MS}\n"),
        has_blocks: false,
        shown: None,
        position,
    };
    tokio::spawn(reader.run(start));
    EventStream::behind(receiver, sent)
}

/// Why a reader stops.
pub(super) enum Stop {
    /// The client is gone.
    Gone,
    /// It has to begin anew.
    Reset(ResetReason),
    /// The stream ends.
    End(EndReason),
}

impl From<ChangesError> for Stop {
    fn from(error: ChangesError) -> Self {
        match error {
            ChangesError::Compacted => Self::Reset(ResetReason::TooOld),
            ChangesError::OtherHistory => Self::Reset(ResetReason::Foreign),
            ChangesError::Read(error) => error.into(),
        }
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        tracing::error!(%error, "an event stream broke off");
        Self::End(EndReason::Busy)
    }
}

pub(super) struct Reader<S> {
    pub(super) app: Arc<App<S>>,
    pub(super) spec: Arc<Spec>,
    messages: mpsc::Sender<Message>,
    coding: Coding,
    /// The sum of what was sent, to a reader of gzip.
    sent: Option<Sum>,
    /// What is not sent yet. At the beginning that is `retry`, which belongs into the
    /// first block.
    text: String,
    has_blocks: bool,
    /// How late the pieces of a snapshot are that were sent.
    shown: Option<Version>,
    /// The id of the last event: where a client resumes that got all that was written.
    position: Cursor,
}

impl<S: Store> Reader<S> {
    async fn run(mut self, start: Start) {
        let mut place = self.place(start).await;
        loop {
            let stop = match place {
                Ok((since, Some(after))) => match snapshot::read(&mut self, since, after).await {
                    Ok(()) => {
                        // What is not there was shown by sending nothing.
                        self.shows();
                        place = Ok((since, None));
                        continue;
                    }
                    Err(stop) => stop,
                },
                Ok((since, None)) => match self.read_log(since).await {
                    Ok((subscription, at)) => return self.even(subscription, at).await,
                    Err(stop) => stop,
                },
                Err(stop) => stop,
            };
            place = match stop {
                Stop::Gone => return,
                Stop::End(reason) => return self.end(reason).await,
                Stop::Reset(reason) => self.reset(reason),
            };
        }
    }

    /// Where to read: a position, and how far a snapshot of it has come if one is read.
    async fn place(&mut self, start: Start) -> Result<(Version, Option<SnapshotPlace>), Stop> {
        match start {
            Start::Now => Ok((self.app.store.status().applied, None)),
            Start::After(at) => Ok((at, None)),
            Start::Within(since, place) => {
                // Whether there are changes since then decides whether to go on.
                self.app.store.changes(since, &self.spec.scope, 1).await?;
                self.shown = place.shown();
                if let Some(shown) = self.shown {
                    self.app.store.changes(shown, &self.spec.scope, 1).await?;
                }
                let rest = Some(place).filter(|place| !matches!(place, SnapshotPlace::Over { .. }));
                Ok((since, rest))
            }
            Start::Anew(reason) => Err(Stop::Reset(reason)),
        }
    }

    /// Begins a snapshot.
    fn reset(&mut self, reason: ResetReason) -> Result<(Version, Option<SnapshotPlace>), Stop> {
        let since = self.app.store.status().applied;
        self.shown = None;
        let cursor = Cursor {
            snapshot: Some(SnapshotPlace::Beginning),
            ..self.spec.cursor(since)
        };
        self.write(&Event::Reset(reason), cursor);
        Ok((since, Some(SnapshotPlace::Beginning)))
    }

    /// What was read by now is shown, and how late it may be.
    pub(super) fn shows(&mut self) -> Version {
        *self.shown.insert(self.app.store.status().applied)
    }

    /// The position in the log, and what was shown that is later.
    fn cursor(&self, at: Version) -> Cursor {
        let shown = self.shown.filter(|shown| shown.revision > at.revision);
        Cursor {
            snapshot: shown.map(|shown| SnapshotPlace::Over { shown }),
            ..self.spec.cursor(at)
        }
    }

    pub(super) fn write(&mut self, event: &Event<'_>, id: Cursor) {
        event.block_into(&mut self.text, &id, None);
        self.has_blocks = true;
        self.position = id;
    }

    /// Sends what was written, and waits while the client is slow.
    pub(super) async fn send(&mut self) -> Result<(), Stop> {
        if self.app.is_draining() {
            return Err(Stop::End(EndReason::Draining));
        }
        if !self.spec.is_current(self.app.in_force.changes()) {
            return Err(Stop::End(EndReason::Policy));
        }
        if !self.has_blocks {
            return Ok(());
        }
        self.has_blocks = false;
        let text = std::mem::take(&mut self.text);
        let message = match self.sent {
            None => Message::Blocks(Blocks::new(text)),
            Some(sent) => {
                let coded = gzip::offload(text.len(), move || Self::compress(sent, &text));
                let (blocks, sent) = coded.await.ok_or(Stop::Gone)?;
                self.sent = Some(sent);
                Message::Compressed(blocks, sent)
            }
        };
        let sent = self.messages.send(message).await;
        sent.map_err(|_| Stop::Gone)
    }

    fn compress(sent: Sum, text: &str) -> (Blocks, Sum) {
        let piece = gzip::alone(text.as_bytes());
        let piece = [gzip::head(sent), &piece].concat();
        (Blocks::new(piece), sent.and(text.as_bytes()))
    }

    /// Reads the log to its end, and joins those who are there.
    async fn read_log(&mut self, since: Version) -> Result<(Subscription, Version), Stop> {
        let mut at = since;
        let mut subscription: Option<Subscription> = None;
        loop {
            let changes = self.app.store.changes(at, &self.spec.scope, PIECE).await?;
            let mut before = at;
            for batch in changes
                .entries
                .chunk_by(|one, other| one.operation == other.operation)
            {
                let mut known = Vec::with_capacity(batch.len());
                for entry in batch {
                    let needed =
                        |write: &matchbook_core::feed::Write<'_>| self.spec.needs_before(write);
                    known.push(Known::of(&self.app.store, Arc::clone(entry), needed).await?);
                }
                let end = batch.last().map_or(before, |entry| entry.version);
                let place = Place {
                    before: self.cursor(before),
                    end: self.cursor(end),
                };
                if blocks_into(&mut self.text, known.iter(), &self.spec, &place) > 0 {
                    self.has_blocks = true;
                    self.position = place.end;
                }
                before = end;
            }
            at = changes.position;
            self.send().await?;
            if changes.more {
                continue;
            }
            // What is told from now on is kept for this reader, while it reads what was
            // written before.
            let mut joined = subscription
                .take()
                .unwrap_or_else(|| self.app.hub.join(&self.spec, || at).coded(self.coding));
            if joined.attach(at) {
                return Ok((joined, at));
            }
            subscription = Some(joined);
        }
    }

    async fn even(mut self, subscription: Subscription, at: Version) {
        let cursor = self.spec.cursor(at);
        self.write(&Event::Synced, cursor);
        match self.send().await {
            // The client is gone if this fails.
            Ok(()) => drop(self.messages.send(Message::Even(subscription)).await),
            Err(Stop::End(reason)) => self.end(reason).await,
            Err(Stop::Gone | Stop::Reset(_)) => {}
        }
    }

    async fn end(mut self, reason: EndReason) {
        let position = self.position;
        Event::End(reason).block_into(&mut self.text, &position, Some(spread(RETRY_MS)));
        let _ = self.messages.send(Message::End(self.text)).await;
    }
}
