//! The readers of one live query who have come to the end of the log: all take the same
//! frames from one ring, so that an event is encoded once and kept once, however many
//! read it. A reader is a place in the ring; who falls out of it is sent away, and goes
//! on from the log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use matchbook_core::feed::{Cursor, EndReason, Event};
use matchbook_core::tag::{Revision, Version};

use super::blocks::Blocks;
use super::hub::Hub;
use super::spec::Spec;
use crate::connection::workers;

/// Frames of a channel: more than the largest batch of the heaviest writer makes while
/// a reader's turn comes.
const FRAMES: usize = 8_192;

/// Bytes of a channel's frames, of which the last is kept however large it is.
const FRAMES_BYTES: usize = 8 * 1_024 * 1_024;

/// How long a frame is kept. A reader that does not take it by then does not keep up.
const KEPT: Duration = Duration::from_secs(30);

/// A channel is never silent for longer (contract §7, `heartbeat`).
const SILENCE: Duration = Duration::from_secs(15);

/// How often the position is told where only other events moved it on (contract §7,
/// `synced`).
const BOOKMARK: Duration = Duration::from_secs(60);

/// A live query and those who follow it.
pub(super) struct Channel {
    pub(super) id: u64,
    pub(super) spec: Arc<Spec>,
    ring: Mutex<Ring>,
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

struct Ring {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// Number of the first frame, counted from the channel's beginning.
    first: u64,
    /// Every change after this is in a frame, as far as the follower has come.
    begin: Revision,
    last_frame: Instant,
    /// The position that was told last, and when.
    bookmark: (Version, Instant),
    /// Why and until when all are sent away.
    end: Option<(EndReason, u32)>,
}

#[derive(Clone)]
struct Frame {
    /// The position with it, for changes; a reader that is there already skips it.
    position: Option<Version>,
    blocks: Blocks,
    made: Instant,
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
}

/// What a reader gets.
pub(super) enum Taken {
    Frame {
        blocks: Blocks,
        /// Whether it tells of changes, and not only that the line is alive.
        is_changes: bool,
    },
    /// The last one.
    End(Blocks),
    /// It was too slow: what comes next is no longer here.
    Lost,
}

impl Channel {
    pub(super) fn new(id: u64, spec: Arc<Spec>, position: Version, workers: usize) -> Self {
        let now = Instant::now();
        Self {
            id,
            spec,
            ring: Mutex::new(Ring {
                frames: VecDeque::new(),
                bytes: 0,
                first: 0,
                begin: position.revision,
                last_frame: now,
                bookmark: (position, now),
                end: None,
            }),
            waiting: (0..workers.max(1)).map(|_| Mutex::default()).collect(),
        }
    }

    /// Adds the changes of a batch.
    pub(super) fn push(&self, blocks: Blocks, position: Version) {
        let mut ring = self.ring();
        ring.push(blocks, Some(position));
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
        event.block_into(&mut text, &Cursor::from(position), None);
        ring.push(Blocks::new(&text), None);
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

impl Ring {
    fn push(&mut self, blocks: Blocks, position: Option<Version>) {
        let made = Instant::now();
        self.bytes += blocks.len();
        self.frames.push_back(Frame {
            position,
            blocks,
            made,
        });
        self.last_frame = made;
        while self.frames.len() > FRAMES || (self.bytes > FRAMES_BYTES && self.frames.len() > 1) {
            self.drop_first();
        }
    }

    fn forget(&mut self, now: Instant) {
        while let Some(frame) = self.frames.front()
            && now.duration_since(frame.made) >= KEPT
        {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(frame) = self.frames.pop_front() {
            self.bytes -= frame.blocks.len();
            self.first += 1;
            self.begin = frame
                .position
                .map_or(self.begin, |position| position.revision);
        }
    }
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
        }
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
    pub(super) const fn seen(&self) -> Version {
        self.seen
    }

    /// What a reader is told that was [lost](Taken::Lost).
    pub(super) fn too_slow(&self) -> Blocks {
        let mut text = String::new();
        Event::End(EndReason::Slow).block_into(&mut text, &Cursor::from(self.seen), None);
        Blocks::new(&text)
    }

    /// What comes next.
    pub(super) fn poll_take(&mut self, context: &mut Context<'_>) -> Poll<Taken> {
        let ring = self.channel.ring();
        loop {
            let Some(offset) = self.next.checked_sub(ring.first) else {
                return Poll::Ready(Taken::Lost);
            };
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let Some(frame) = ring.frames.get(offset) else {
                break;
            };
            self.next += 1;
            match frame.position {
                Some(position) if position.revision <= self.seen.revision => {}
                position => {
                    self.seen = position.unwrap_or(self.seen);
                    return Poll::Ready(Taken::Frame {
                        blocks: frame.blocks.clone(),
                        is_changes: position.is_some(),
                    });
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
            let mut text = String::new();
            Event::End(reason).block_into(&mut text, &Cursor::from(told), Some(retry_ms));
            return Poll::Ready(Taken::End(Blocks::new(&text)));
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
        self.hub.leave(&self.channel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::task::Wake;

    use bytes::Bytes;
    use matchbook_core::query::Query;
    use matchbook_store::Scope;

    use super::*;

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
        let spec = Arc::new(Spec::new(Scope::All, &Query::default()));
        let mut subscription = hub.join(&spec, || version(at));
        assert!(subscription.attach(version(at)));
        subscription
    }

    fn take(reader: &mut Subscription, woken: &Arc<Woken>) -> Option<Bytes> {
        let waker = Waker::from(Arc::clone(woken));
        match reader.poll_take(&mut Context::from_waker(&waker)) {
            Poll::Ready(Taken::Frame { blocks, .. } | Taken::End(blocks)) => {
                Some(blocks.into_content())
            }
            Poll::Ready(Taken::Lost) => Some(Bytes::from_static(b"lost")),
            Poll::Pending => None,
        }
    }

    fn push(channel: &Channel, revision: u64) {
        let text = format!("data: {revision}\n\n");
        channel.push(Blocks::new(&text), version(revision));
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
        let told = reader.too_slow().into_content();
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
