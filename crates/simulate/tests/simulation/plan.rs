//! What kind of run a seed makes: how many clients, how slow the store, which faults.

use matchbook_store::simulated::{Mistake, Options, Random};

/// A run before it begins.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) writers: usize,
    /// What each writer does.
    pub(crate) steps: usize,
    pub(crate) readers: usize,
    /// Documents in each collection: few, so that clients meet.
    pub(crate) documents: usize,
    /// Longest pause between two steps of a client.
    pub(crate) pause_ms: u64,
    /// How often the machine crashes.
    pub(crate) crashes: usize,
    /// How often the clock is set anew.
    pub(crate) clock_changes: usize,
    /// Of a thousand requests, those whose client goes before the answer.
    pub(crate) impatient_per_mille: u64,
    /// Of a thousand requests, those with an idempotency key.
    pub(crate) keyed_per_mille: u64,
    /// Changes that the log keeps, where it is trimmed.
    pub(crate) kept: Option<u64>,
    pub(crate) options: Options,
}

impl Plan {
    pub(crate) fn new(seed: u64, mistake: Option<Mistake>) -> Self {
        let mut random = Random::new(seed ^ 0x6d61_7463_6862_6f6f);
        let mut sometimes = |per_mille: u64, most: u64| {
            let wanted = random.happens(per_mille);
            let value = 1 + random.below(most.max(1));
            if wanted { value } else { 0 }
        };
        let as_number = |number: u64| usize::try_from(number).unwrap_or(0);
        Self {
            seed,
            writers: 2 + as_number(sometimes(900, 3)),
            steps: 8 + as_number(sometimes(700, 16)),
            readers: 1 + as_number(sometimes(800, 3)),
            documents: 1 + as_number(sometimes(800, 3)),
            pause_ms: [10, 30, 200][as_number(sometimes(900, 3)).min(2)],
            crashes: as_number(sometimes(600, 3)),
            clock_changes: as_number(sometimes(300, 3)),
            impatient_per_mille: sometimes(400, 150),
            keyed_per_mille: sometimes(700, 600),
            kept: Some(sometimes(400, 12)).filter(|kept| *kept > 0),
            options: Options {
                most_wait_ms: [1, 5, 20, 60][as_number(sometimes(1_000, 4)).min(3)],
                full_per_mille: sometimes(200, 60),
                lost_per_mille: sometimes(300, 40),
                unread_per_mille: sometimes(200, 30),
                mistake,
            },
        }
    }
}
