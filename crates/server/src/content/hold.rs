//! What the contents of all requests may take together.

use matchbook_core::problem::{Kind, Problem};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Contents up to this size are not counted among those that are held: small saves go on
/// while there is no room for large ones, and ten thousand connections have 640 MiB of them.
const SMALL_BYTES: usize = 64 * 1_024;

/// What all larger contents that are held may have together: 128 of the largest documents.
/// Whoever sends them slowly enough may take minutes, so that without a bound the memory
/// would be theirs who have the most connections.
const HELD_BYTES: usize = 512 * 1_024 * 1_024;

/// What is counted at a time.
const UNIT_BYTES: usize = SMALL_BYTES;

const UNITS: usize = HELD_BYTES / UNIT_BYTES;

static HOLDING: Semaphore = Semaphore::const_new(UNITS);

/// A part of [`HELD_BYTES`], given back when it is dropped.
pub(crate) struct Hold {
    all: &'static Semaphore,
    held: Option<SemaphorePermit<'static>>,
}

impl Default for Hold {
    fn default() -> Self {
        Self::of(&HOLDING)
    }
}

impl Hold {
    const fn of(all: &'static Semaphore) -> Self {
        Self { all, held: None }
    }

    /// Makes it enough for so many bytes. What is larger than all that may be held is held
    /// alone.
    pub(super) fn cover(&mut self, bytes: usize) -> Result<(), Problem> {
        if bytes <= SMALL_BYTES {
            return Ok(());
        }
        let units = bytes.div_ceil(UNIT_BYTES).min(UNITS);
        let held = self.held.as_ref().map_or(0, SemaphorePermit::num_permits);
        let Some(more) = units.checked_sub(held).filter(|more| *more > 0) else {
            return Ok(());
        };
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        // Nobody waits: the places would be theirs who wait the longest for their own clients.
        let more = self.all.try_acquire_many(more).map_err(|_| {
            Kind::Unavailable.because("other requests hold as much content as the server takes")
        })?;
        match &mut self.held {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_has_a_bound_that_is_given_back() {
        let units: &Semaphore = Box::leak(Box::new(Semaphore::new(UNITS)));
        let mut all = Hold::of(units);
        all.cover(SMALL_BYTES).unwrap();
        assert!(all.held.is_none(), "small contents are not counted");
        all.cover(SMALL_BYTES + 1).unwrap();
        assert_eq!(units.available_permits(), UNITS - 2);
        // More than there is counts as all of it.
        all.cover(usize::MAX).unwrap();
        all.cover(HELD_BYTES).unwrap();
        let mut none = Hold::of(units);
        none.cover(SMALL_BYTES).unwrap();
        let refused = none.cover(SMALL_BYTES + 1).unwrap_err();
        assert_eq!(refused.kind, Kind::Unavailable);
        drop(all);
        none.cover(SMALL_BYTES + 1).unwrap();
        assert_eq!(units.available_permits(), UNITS - 2);
    }
}
