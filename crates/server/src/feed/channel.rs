//! The readers of one live query who have come to the end of the log: all take the same
//! frames from one ring, so that an event is encoded once and kept once, however many
//! read it. A reader is a place in the ring; who falls out of it is sent away, and goes
//! on from the log.

use std::cmp::Ordering;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use matchbook_core::feed::{Cursor, EndReason, Event};
use matchbook_core::field::coding::Coding;
use matchbook_core::tag::Version;
use tokio::time::Instant;

use super::blocks::Blocks;
use super::gzip::{self, REACH_BYTES, Sum};
use super::hub::Hub;
use super::ring::{Compressed, Encoded, Ring, Run};
use super::spec::Spec;
use crate::connection::workers;

/// A channel is never silent for longer (contract §7, `heartbeat`).
const SILENCE: Duration = Duration::from_secs(15);

/// How often the position is told where only other events moved it on (contract §7,
/// `synced`).
const BOOKMARK: Duration = Duration::from_secs(60);

/// How much of the last frames the next one refers to, at least: the last event of each of
/// some documents. To look through so much takes as long as to compress an event.
const BEFORE_BYTES: usize = 8 * 1_024;

/// A live query and those who follow it.
pub(super) struct Channel {
    pub(super) id: u64,
    pub(super) spec: Arc<Spec>,
    ring: Mutex<Ring>,
    /// Readers of gzip. Without one, nothing is compressed.
    gzip_readers: AtomicUsize,
    /// By worker: those who have taken all there is.
    waiting: Box<[Mutex<Waiting>]>,
}

/// Readers of one worker who wait.
#[derive(Default)]
struct Waiting {
    wakers: Vec<Waker>,
    /// How often they were taken out to be woken. Who was there before is no longer.
    taken: u64,
}

/// A reader's place in a channel.
pub(crate) struct Subscription {
    hub: Arc<Hub>,
    pub(super) channel: Arc<Channel>,
    /// Changes up to here were sent.
    seen: Version,
    next: u64,
    /// It waits, as long as nobody was taken out since.
    waits: Option<u64>,
    /// What it has taken, if it reads gzip.
    run: Option<Box<Run>>,
}

/// What a reader gets.
pub(super) enum Taken {
    Frame {
        blocks: Blocks,
        /// Whether it tells of changes, and not only that the line is alive.
        is_changes: bool,
    },
    /// The last ones, not coded.
    End(String),
    /// It was too slow: what comes next is no longer here.
    Lost,
}

impl Channel {
    pub(super) fn new(id: u64, spec: Arc<Spec>, position: Version, workers: usize) -> Self {
        Self {
            id,
            spec,
            ring: Mutex::new(Ring::new(position, Instant::now())),
            gzip_readers: AtomicUsize::new(0),
            waiting: (0..workers.max(1)).map(|_| Mutex::default()).collect(),
        }
    }

    /// Whether somebody reads gzip.
    pub(super) fn is_compressed(&self) -> bool {
        self.gzip_readers.load(Relaxed) > 0
    }

    /// What is pushed next, for those who read gzip.
    pub(super) fn compress(&self, text: &str) -> Compressed {
        let text = text.as_bytes();
        let (piece, reach_bytes) = if text.len() < REACH_BYTES {
            let place = (self.id, self.ring().sum());
            let before_bytes = (2 * text.len()).clamp(BEFORE_BYTES, REACH_BYTES);
            let before = || self.ring().last_content(before_bytes);
            gzip::next(place, text, before)
        } else {
            // It has enough to refer to in itself, and so it is for all.
            (gzip::alone(text), 0)
        };
        Compressed {
            blocks: Blocks::new(piece),
            reach_bytes: reach_bytes as u64,
        }
    }

    /// Adds the changes of a batch.
    pub(super) fn push(&self, content: Encoded, position: Version) {
        let mut ring = self.ring();
        ring.push(content, position);
        ring.bookmark = (position, Instant::now());
    }

    /// Tells those who heard nothing for long that the line is alive and how far the log
    /// has come; forgets what is old. Returns whether there is something to take.
    pub(super) fn tick(&self, position: Version, now: Instant) -> bool {
        let mut ring = self.ring();
        ring.forget(now);
        let (told, when) = ring.bookmark;
        let event = if told != position && now.duration_since(when) >= BOOKMARK - SILENCE {
            ring.bookmark = (position, now);
            Event::Synced
        } else if now.duration_since(ring.last_frame) >= SILENCE {
            Event::Heartbeat
        } else {
            return false;
        };
        let mut text = String::new();
        drop(ring);
        event.block_into(&mut text, &self.spec.cursor(position), None);
        let content = Encoded {
            blocks: Blocks::new(&text),
            compressed: self.is_compressed().then(|| self.compress(&text)),
        };
        self.ring().push_sign(content, position);
        true
    }

    /// Ends it for all, after what was told.
    pub(super) fn end(&self, reason: EndReason, retry_ms: u32) {
        self.ring().end = Some((reason, retry_ms));
    }

    /// Those of one worker who wait.
    pub(super) fn take_waiting(&self, worker: usize) -> Vec<Waker> {
        let Some(waiting) = self.waiting.get(worker) else {
            return Vec::new();
        };
        let mut waiting = lock(waiting);
        waiting.taken += 1;
        std::mem::take(&mut waiting.wakers)
    }

    /// Whether somebody of this worker waits.
    pub(super) fn is_awaited(&self, worker: usize) -> bool {
        let waiting = self.waiting.get(worker);
        waiting.is_some_and(|waiting| !lock(waiting).wakers.is_empty())
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        lock(&self.ring)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Subscription {
    /// A reader to whom nothing was sent yet; [`Subscription::attach`] gives it its place.
    pub(super) fn new(hub: Arc<Hub>, channel: Arc<Channel>) -> Self {
        let seen = channel.ring().bookmark.0;
        Self {
            hub,
            channel,
            seen,
            next: 0,
            waits: None,
            run: None,
        }
    }

    /// A reader who gets this coding: gzip or none.
    pub(super) fn coded(mut self, coding: Coding) -> Self {
        if coding == Coding::Gzip && self.run.is_none() {
            self.channel.gzip_readers.fetch_add(1, Relaxed);
            self.run = Some(Box::default());
        }
        self
    }

    pub(super) fn is_gzip(&self) -> bool {
        self.run.is_some()
    }

    /// The sum of what it has taken as gzip, after what it was sent before.
    pub(super) fn sum_after(&self, sent: Sum) -> Sum {
        self.run.as_ref().map_or(sent, |run| run.sum_after(sent))
    }

    /// Goes on after a position, if the ring reaches back so far.
    pub(super) fn attach(&mut self, position: Version) -> bool {
        let ring = self.channel.ring();
        if ring.begin > position.revision {
            return false;
        }
        self.next = ring.first;
        drop(ring);
        self.seen = position;
        true
    }

    /// How far the reader is: changes up to here were sent.
    pub(super) fn told(&self) -> Cursor {
        self.channel.spec.cursor(self.seen)
    }

    /// What a reader is told that was [lost](Taken::Lost).
    pub(super) fn too_slow(&self) -> String {
        let mut text = String::new();
        Event::End(EndReason::Slow).block_into(&mut text, &self.told(), None);
        text
    }

    /// What comes next.
    pub(super) fn poll_take(&mut self, context: &mut Context<'_>) -> Poll<Taken> {
        let mut ring = self.channel.ring();
        loop {
            let Some(offset) = self.next.checked_sub(ring.first) else {
                return Poll::Ready(Taken::Lost);
            };
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let Some(frame) = ring.frames.get_mut(offset) else {
                break;
            };
            let number = self.next;
            self.next += 1;
            let is_changes = frame.is_changes;
            match frame.position.revision.cmp(&self.seen.revision) {
                Ordering::Less => {}
                Ordering::Equal if is_changes => {}
                Ordering::Equal | Ordering::Greater => {
                    self.seen = frame.position;
                    let blocks = match &mut self.run {
                        None => frame.blocks.clone(),
                        Some(run) => {
                            let form = run.take(number, frame);
                            // Others go on meanwhile.
                            drop(ring);
                            form.into_blocks()
                        }
                    };
                    return Poll::Ready(Taken::Frame { blocks, is_changes });
                }
            }
        }
        if let Some((reason, retry_ms)) = ring.end {
            // Who came later than the last frame is further.
            let told = ring.bookmark.0;
            let told = if told.revision > self.seen.revision {
                told
            } else {
                self.seen
            };
            let told = self.channel.spec.cursor(told);
            let mut text = String::new();
            Event::End(reason).block_into(&mut text, &told, Some(retry_ms));
            return Poll::Ready(Taken::End(text));
        }
        // While the ring is held: whoever adds a frame finds the reader among those who
        // wait. Once, although hyper asks whenever anything happens on the connection.
        if let Some(waiting) = self.channel.waiting.get(workers::current()) {
            let mut waiting = lock(waiting);
            if self.waits != Some(waiting.taken) {
                self.waits = Some(waiting.taken);
                waiting.wakers.push(context.waker().clone());
            }
        }
        Poll::Pending
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.run.is_some() {
            self.channel.gzip_readers.fetch_sub(1, Relaxed);
        }
        self.hub.leave(&self.channel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::task::Wake;

    use bytes::Bytes;

    use super::*;
    use crate::feed::ring::FRAMES;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    fn version(revision: u64) -> Version {
        format!("aaaaaaaa-{revision}").parse().unwrap()
    }

    fn reader(at: u64) -> Subscription {
        let hub = Arc::new(Hub::new());
        let spec = Arc::new(Spec::of_all());
        let mut subscription = hub.join(&spec, || version(at));
        assert!(subscription.attach(version(at)));
        subscription
    }

    fn take(reader: &mut Subscription, woken: &Arc<Woken>) -> Option<Bytes> {
        let waker = Waker::from(Arc::clone(woken));
        match reader.poll_take(&mut Context::from_waker(&waker)) {
            Poll::Ready(Taken::Frame { blocks, .. }) => Some(blocks.into_content()),
            Poll::Ready(Taken::End(text)) => Some(Bytes::from(text)),
            Poll::Ready(Taken::Lost) => Some(Bytes::from_static(b"lost")),
            Poll::Pending => None,
        }
    }

    fn push(channel: &Channel, revision: u64) {
        let text = format!("data: {revision}\n\n");
        let content = Encoded {
            blocks: Blocks::new(&text),
            compressed: None,
        };
        channel.push(content, version(revision));
    }

    fn wake(channel: &Channel) {
        for waker in channel.take_waiting(0) {
            waker.wake();
        }
    }

    #[test]
    fn a_reader_that_was_woken_for_nothing_is_woken_again() {
        let mut reader = reader(0);
        let channel = Arc::clone(&reader.channel);
        let woken = Arc::new(Woken::default());
        push(&channel, 1);
        assert_eq!(take(&mut reader, &woken).unwrap(), "data: 1\n\n");
        assert_eq!(take(&mut reader, &woken), None);
        // The news of the first frame comes late, when it was taken already.
        wake(&channel);
        assert_eq!(woken.0.load(SeqCst), 1);
        assert_eq!(take(&mut reader, &woken), None);
        assert_eq!(take(&mut reader, &woken), None, "asked twice");
        push(&channel, 2);
        wake(&channel);
        assert_eq!(woken.0.load(SeqCst), 2, "once, although asked twice");
        assert_eq!(take(&mut reader, &woken).unwrap(), "data: 2\n\n");
    }

    #[test]
    fn a_reader_goes_on_behind_its_position() {
        let mut reader = reader(0);
        let channel = Arc::clone(&reader.channel);
        for revision in 1..=3 {
            push(&channel, revision);
        }
        assert!(reader.attach(version(2)));
        let woken = Arc::new(Woken::default());
        assert_eq!(take(&mut reader, &woken).unwrap(), "data: 3\n\n");
        assert_eq!(take(&mut reader, &woken), None);
    }

    #[test]
    fn a_reader_that_falls_out_of_the_ring_is_lost_and_told_where_it_was() {
        let mut reader = reader(0);
        let channel = Arc::clone(&reader.channel);
        let woken = Arc::new(Woken::default());
        push(&channel, 1);
        assert_eq!(take(&mut reader, &woken).unwrap(), "data: 1\n\n");
        let last = FRAMES as u64 + 2;
        for revision in 2..=last {
            push(&channel, revision);
        }
        assert_eq!(take(&mut reader, &woken).unwrap(), "lost");
        let told = reader.too_slow();
        assert_eq!(
            told,
            "event: end\nid: aaaaaaaa-1\ndata: {\"reason\":\"slow\"}\n\n"
        );
        assert!(!reader.attach(version(1)), "what comes next is gone");
        assert!(reader.attach(version(2)));
    }

    #[test]
    fn section_7_heartbeats_and_bookmarks_come_in_time() {
        let mut reader = reader(7);
        let channel = Arc::clone(&reader.channel);
        let woken = Arc::new(Woken::default());
        let begin = Instant::now();
        let after = |secs| begin + Duration::from_secs(secs);
        assert!(!channel.tick(version(7), after(10)));
        assert!(channel.tick(version(7), after(20)));
        let heartbeat = "event: heartbeat\nid: aaaaaaaa-7\ndata: {}\n\n";
        assert_eq!(take(&mut reader, &woken).unwrap(), heartbeat);
        assert!(channel.tick(version(9), after(50)), "others moved it on");
        let synced = "event: synced\nid: aaaaaaaa-9\ndata: {\"cursor\":\"aaaaaaaa-9\"}\n\n";
        assert_eq!(take(&mut reader, &woken).unwrap(), synced);
    }

    #[test]
    fn section_7_4_a_reader_is_not_told_of_positions_behind_its_own() {
        let mut reader = reader(7);
        let channel = Arc::clone(&reader.channel);
        let woken = Arc::new(Woken::default());
        let begin = Instant::now();
        assert!(channel.tick(version(7), begin + Duration::from_secs(20)));
        assert!(reader.attach(version(8)));
        assert_eq!(take(&mut reader, &woken), None);
        assert!(reader.attach(version(7)));
        assert!(take(&mut reader, &woken).is_some());
    }

    #[test]
    fn an_end_comes_after_what_was_told_and_does_not_run_ahead() {
        let mut reader = reader(0);
        let channel = Arc::clone(&reader.channel);
        let woken = Arc::new(Woken::default());
        push(&channel, 3);
        channel.end(EndReason::Draining, 5);
        assert_eq!(take(&mut reader, &woken).unwrap(), "data: 3\n\n");
        let end = "retry: 5\nevent: end\nid: aaaaaaaa-3\ndata: {\"reason\":\"draining\"}\n\n";
        assert_eq!(take(&mut reader, &woken).unwrap(), end);
    }
}
