//! Reads of single documents that the cache does not hold.
//!
//! Mostly the system has their pages in its memory. Such a read is a computation of
//! about ten microseconds, and to hand it to another thread and back takes longer than
//! the read. So while reads take little time on average they are made where they are
//! asked for. When the disk is in too many of them, they go to threads that may wait,
//! until they have become quick again.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::readers::Readers;
use crate::ReadError;

/// While the mean is below this, reads are made on the spot: about twice what it takes
/// to hand one over and back, and no longer than the evaluation of a large patch.
const QUICK: Duration = Duration::from_micros(100);

/// The mean is that of about so many reads. So a single read that takes longer than
/// 1.6 ms, as from a disk that turns, sends those after it to the threads.
const REMEMBERED: u64 = 16;

/// Connections for reads on the spot, and threads for those that may have to wait.
pub(super) struct Points {
    /// `None` once the store is closed. Each is used for one read at a time; who finds
    /// all in use asks a thread.
    here: Box<[Mutex<Option<Connection>>]>,
    elsewhere: Readers,
    pace: Pace,
}

impl Points {
    /// `here` are connections that do not wait for a lock.
    pub(super) fn new(here: Vec<Connection>, elsewhere: Readers) -> Self {
        let here = here
            .into_iter()
            .map(|connection| Mutex::new(Some(connection)));
        Self {
            here: here.collect(),
            elsewhere,
            pace: Pace::default(),
        }
    }

    /// Makes the read here or on a thread.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        if self.pace.is_quick()
            && let Some(Ok(read)) = self.read_here(&work)
        {
            return Ok(read);
        }
        // What failed here is tried again there: it may have been a lock.
        let timed = move |connection: &_| {
            let begun = Instant::now();
            let read = work(connection);
            Ok((read, begun.elapsed()))
        };
        let (read, took) = self.elsewhere.read(timed).await?;
        self.pace.note(took);
        read
    }

    /// `None` if no connection is free.
    fn read_here<T>(
        &self,
        work: impl Fn(&Connection) -> Result<T, ReadError>,
    ) -> Option<Result<T, ReadError>> {
        let free = self.here.iter().find_map(|place| place.try_lock().ok())?;
        let begun = Instant::now();
        let read = work(free.as_ref()?);
        drop(free);
        self.pace.note(begun.elapsed());
        Some(read)
    }

    /// Finishes what was begun, closes the connections and ends the threads.
    pub(super) fn stop(&self) {
        for place in &self.here {
            drop(place.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
        self.elsewhere.stop();
    }
}

/// The mean time of the last reads, in nanoseconds.
#[derive(Debug)]
struct Pace(AtomicU64);

impl Default for Pace {
    /// Slow, until the first reads have shown otherwise.
    fn default() -> Self {
        Self(AtomicU64::new(nanoseconds(QUICK) * REMEMBERED))
    }
}

impl Pace {
    fn is_quick(&self) -> bool {
        self.0.load(Relaxed) < nanoseconds(QUICK)
    }

    fn note(&self, took: Duration) {
        // Two at a time may lose one of them, which changes a mean little.
        let mean = self.0.load(Relaxed);
        let rest = mean - mean / REMEMBERED;
        let mean = rest.saturating_add(nanoseconds(took) / REMEMBERED);
        self.0.store(mean, Relaxed);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quick_reads_until_on_the_spot(pace: &Pace) -> u64 {
        let reads = (0..1_000).find(|_| {
            pace.note(QUICK / 10);
            pace.is_quick()
        });
        reads.expect("it becomes quick")
    }

    #[test]
    fn reads_are_made_on_the_spot_only_while_they_are_quick() {
        let pace = Pace::default();
        assert!(!pace.is_quick(), "nothing is known at first");
        assert!(quick_reads_until_on_the_spot(&pace) > REMEMBERED);
        for _ in 0..1_000 {
            pace.note(QUICK / 10);
        }
        pace.note(QUICK * 2);
        assert!(pace.is_quick(), "one that is somewhat slow changes little");
        pace.note(QUICK * 100);
        assert!(!pace.is_quick(), "one from a disk that turns changes all");
        assert!(quick_reads_until_on_the_spot(&pace) > REMEMBERED);
    }
}
