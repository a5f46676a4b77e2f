//! When each edit was sent: written by the writer's thread, read by that of the
//! subscribers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// By edit, the time just before its write was sent.
pub(crate) struct SentTimes {
    epoch: Instant,
    /// Nanoseconds since `epoch`; 0 is not yet, or not of interest.
    times_ns: Vec<AtomicU64>,
}

impl SentTimes {
    /// Has room for the edits below `edits`.
    pub(crate) fn new(edits: usize) -> Self {
        Self {
            epoch: Instant::now(),
            times_ns: (0..edits).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(crate) fn note(&self, edit: u64, now: Instant) {
        if let Some(time) = self.time(edit) {
            time.store(self.ns(now).max(1), Ordering::Release);
        }
    }

    /// How long before `now` the edit was sent, if that was noted.
    pub(crate) fn age_ns(&self, edit: u64, now: Instant) -> Option<u64> {
        let sent = self.time(edit)?.load(Ordering::Acquire);
        (sent > 0).then(|| self.ns(now).saturating_sub(sent))
    }

    fn time(&self, edit: u64) -> Option<&AtomicU64> {
        self.times_ns.get(usize::try_from(edit).ok()?)
    }

    fn ns(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.epoch);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_what_was_sent_has_an_age() {
        let sent = SentTimes::new(2);
        let now = Instant::now();
        sent.note(1, now);
        sent.note(2, now);
        let later = now + Duration::from_millis(3);
        assert_eq!(sent.age_ns(0, later), None);
        assert_eq!(sent.age_ns(1, later), Some(3_000_000));
        assert_eq!(sent.age_ns(2, later), None);
    }
}
