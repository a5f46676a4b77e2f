//! What is known about a connection while it is open, and when it has to go.
//!
//! Clients that send a byte a second, or never read their answer, hold a connection
//! for ever unless something looks. Timers for each request would cost more than
//! serving it; instead each connection notes what it is doing, to the second, and a
//! single sweep a second closes those that take too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use tokio::sync::Notify;

use super::framing::{Doubt, Doubtful};

/// Longest time from the first byte of a header section to its last. A browser on a
/// slow line needs a few seconds; more is an attack ('Slowloris').
pub(super) const HEAD_SECS: u32 = 10;

/// Longest time between two requests on a connection. Over the 60 s that proxies keep
/// idle connections by default, so that it is the proxy who closes.
pub(super) const IDLE_SECS: u32 = 75;

/// Longest time in which a client takes nothing of an answer.
pub(super) const WRITE_SECS: u32 = 60;

/// Seconds since the server began, as the sweep counts them.
#[derive(Debug, Default)]
pub(crate) struct CoarseClock(AtomicU32);

impl CoarseClock {
    fn now(&self) -> u32 {
        self.0.load(Relaxed)
    }

    pub(crate) fn tick(&self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// One connection. All of it is written by the connection's own task; the sweep reads.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    clock: Arc<CoarseClock>,
    /// Requests that were handed to the server.
    requests: AtomicU64,
    /// Requests whose answer is not complete.
    open: AtomicU32,
    /// Since when nothing, or a header section, is waited for.
    waiting_since: AtomicU32,
    /// Header sections whose first byte has come.
    heads: AtomicU64,
    /// Since when the client has taken nothing; 0 when it takes what it is given.
    stalled_since: AtomicU32,
    /// The place of a doubtful request; 0 when there is none.
    doubtful: AtomicU64,
    doubt: AtomicU8,
    /// Told to finish what is open and to close.
    pub(crate) finish: Notify,
}

impl ConnectionState {
    pub(crate) fn new(clock: Arc<CoarseClock>) -> Self {
        let now = clock.now();
        Self {
            clock,
            requests: AtomicU64::new(0),
            open: AtomicU32::new(0),
            waiting_since: AtomicU32::new(now),
            heads: AtomicU64::new(0),
            stalled_since: AtomicU32::new(0),
            doubtful: AtomicU64::new(0),
            doubt: AtomicU8::new(0),
            finish: Notify::new(),
        }
    }

    /// So many header sections have begun so far. Empty lines before a request line
    /// begin none, so that they do not hold a connection open.
    pub(crate) fn heads_begin(&self, heads: u64) {
        if heads > self.heads.load(Relaxed) {
            self.heads.store(heads, Relaxed);
            self.waiting_since.store(self.clock.now(), Relaxed);
        }
    }

    pub(crate) fn doubt(&self, doubtful: Doubtful) {
        self.doubt.store(doubtful.doubt as u8, Relaxed);
        self.doubtful.store(doubtful.head, Relaxed);
    }

    pub(crate) fn wrote(&self, progress: bool) {
        let since = self.stalled_since.load(Relaxed);
        if progress {
            if since != 0 {
                self.stalled_since.store(0, Relaxed);
            }
        } else if since == 0 {
            self.stalled_since.store(self.clock.now().max(1), Relaxed);
        }
    }

    /// Whether the client has not taken all that was written.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled_since.load(Relaxed) != 0
    }

    /// A request's header section is complete; answers what is in doubt about it.
    pub(crate) fn request_begins(&self) -> Option<Doubt> {
        let request = self.requests.fetch_add(1, Relaxed) + 1;
        self.open.fetch_add(1, Relaxed);
        (self.doubtful.load(Relaxed) == request).then(|| self.found_doubt())
    }

    /// How many requests were handed to the server.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// What is in doubt about the request that would be handed over next.
    pub(crate) fn next_doubt(&self) -> Option<Doubt> {
        (self.doubtful.load(Relaxed) == self.requests() + 1).then(|| self.found_doubt())
    }

    fn found_doubt(&self) -> Doubt {
        const ALL: [Doubt; 3] = [Doubt::LengthAndCoding, Doubt::RepeatedLength, Doubt::Coding];
        let found = self.doubt.load(Relaxed);
        ALL.into_iter()
            .find(|doubt| *doubt as u8 == found)
            .unwrap_or(Doubt::Fragment)
    }

    /// An answer is complete.
    pub(crate) fn request_ends(&self) {
        self.waiting_since.store(self.clock.now(), Relaxed);
        self.open.fetch_sub(1, Relaxed);
    }

    /// Whether no request is without its answer.
    pub(crate) fn is_answered(&self) -> bool {
        self.open.load(Relaxed) == 0
    }

    /// Whether the client takes too long.
    pub(crate) fn is_overdue(&self) -> bool {
        let now = self.clock.now();
        let stalled = self.stalled_since.load(Relaxed);
        if stalled != 0 && now.saturating_sub(stalled) > WRITE_SECS {
            return true;
        }
        if self.open.load(Relaxed) > 0 {
            return false;
        }
        let in_head = self.heads.load(Relaxed) > self.requests.load(Relaxed);
        let limit = if in_head { HEAD_SECS } else { IDLE_SECS };
        now.saturating_sub(self.waiting_since.load(Relaxed)) > limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(secs: u32, clock: &CoarseClock) {
        (0..secs).for_each(|_| clock.tick());
    }

    #[test]
    fn each_wait_has_its_own_limit() {
        let clock = Arc::new(CoarseClock::default());
        clock.tick();
        let idle = ConnectionState::new(clock.clone());
        let in_head = ConnectionState::new(clock.clone());
        in_head.heads_begin(1);
        let busy = ConnectionState::new(clock.clone());
        busy.heads_begin(1);
        assert_eq!(busy.request_begins(), None);
        let stalled = ConnectionState::new(clock.clone());
        stalled.request_begins();
        stalled.wrote(false);
        let overdue = || [&idle, &in_head, &busy, &stalled].map(ConnectionState::is_overdue);
        after(HEAD_SECS, &clock);
        assert_eq!(overdue(), [false; 4]);
        after(1, &clock);
        assert_eq!(overdue(), [false, true, false, false]);
        after(WRITE_SECS - HEAD_SECS, &clock);
        assert_eq!(overdue(), [false, true, false, true]);
        stalled.wrote(true);
        after(IDLE_SECS, &clock);
        assert_eq!(overdue(), [true, true, false, false]);
        busy.request_ends();
        after(IDLE_SECS, &clock);
        assert!(!busy.is_overdue());
        after(1, &clock);
        assert!(busy.is_overdue());
    }

    #[test]
    fn a_head_behind_others_has_the_limit_of_a_head() {
        let clock = Arc::new(CoarseClock::default());
        let pipelined = ConnectionState::new(clock.clone());
        pipelined.heads_begin(2);
        pipelined.request_begins();
        after(2 * HEAD_SECS, &clock);
        assert!(!pipelined.is_overdue());
        pipelined.request_ends();
        after(HEAD_SECS, &clock);
        assert!(!pipelined.is_overdue());
        after(1, &clock);
        assert!(pipelined.is_overdue());
    }

    #[test]
    fn a_head_that_goes_on_has_no_more_time() {
        let clock = Arc::new(CoarseClock::default());
        let slow = ConnectionState::new(clock.clone());
        for _ in 0..=HEAD_SECS {
            slow.heads_begin(1);
            assert!(!slow.is_overdue());
            after(1, &clock);
        }
        assert!(slow.is_overdue());
    }

    #[test]
    fn a_doubt_is_about_one_request() {
        let state = ConnectionState::new(Arc::default());
        state.doubt(Doubtful {
            head: 2,
            doubt: Doubt::Coding,
            ends_at: 0,
        });
        assert_eq!(state.next_doubt(), None);
        assert_eq!(state.request_begins(), None);
        assert_eq!(state.next_doubt(), Some(Doubt::Coding));
        assert_eq!(state.request_begins(), Some(Doubt::Coding));
        assert_eq!(state.next_doubt(), None);
    }
}
