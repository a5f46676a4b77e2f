//! Numbers that a seed decides.

use std::time::Duration;

/// The same numbers for the same seed (SplitMix64: Steele, Lea, Flood, 'Fast splittable
/// pseudorandom number generators').
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one; 0 if there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number().checked_rem(end).unwrap_or(0)
    }

    /// A place in a list of this length.
    pub fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// True so often in a thousand times.
    pub fn happens(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// A time up to this long; now and then, ten times as long.
    pub fn wait(&mut self, most_ms: u64) -> Duration {
        let longer = if self.below(24) == 0 { 10 } else { 1 };
        Duration::from_millis(self.below(most_ms.saturating_mul(longer).saturating_add(1)))
    }

    /// The numbers of another seed, which these decide.
    #[must_use]
    pub fn split(&mut self) -> Self {
        Self(self.number())
    }
}
