//! How long to wait before a lost line is come back to.

use std::time::Duration;

/// The wait before the first attempt, unless the server names one.
const FIRST: Duration = Duration::from_secs(1);

/// Shortest wait, whatever the server says: nobody asks in a loop without end.
const SHORTEST: Duration = Duration::from_millis(100);

/// Longest wait: a server that comes back after hours is found soon all the same.
const LONGEST: Duration = Duration::from_secs(30);

/// Doubles the wait with each failure in a row, and spreads it, so that those who were
/// cut off together do not come back together.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    retry: Option<Duration>,
    failures: u32,
}

impl Backoff {
    /// The server said how long to wait.
    pub(super) fn obey(&mut self, retry: Duration) {
        self.retry = Some(retry);
    }

    /// Something was heard.
    pub(super) fn succeed(&mut self) {
        self.failures = 0;
    }

    /// Failures since something was heard.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// The line is lost, or did not come about. `random` is from 0 to 1.
    pub(super) fn fail(&mut self, random: f64) -> Duration {
        let factor = 2_u32.saturating_pow(self.failures);
        self.failures = self.failures.saturating_add(1);
        let wait = self.retry.unwrap_or(FIRST).saturating_mul(factor);
        wait.clamp(SHORTEST, LONGEST)
            .mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(backoff: &mut Backoff, random: f64) -> Vec<u128> {
        (0..7).map(|_| backoff.fail(random).as_millis()).collect()
    }

    #[test]
    fn waits_double_up_to_a_cap() {
        let mut backoff = Backoff::default();
        let all = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
        assert_eq!(waits(&mut backoff, 1.0), all);
        assert_eq!(backoff.failures(), 7);
        backoff.succeed();
        let halves = [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000];
        assert_eq!(waits(&mut backoff, 0.0), halves);
    }

    #[test]
    fn the_server_says_where_to_begin() {
        let mut backoff = Backoff::default();
        backoff.obey(Duration::from_millis(3_000));
        let all = [3_000, 6_000, 12_000, 24_000, 30_000, 30_000, 30_000];
        assert_eq!(waits(&mut backoff, 1.0), all);
        for (retry_ms, expected) in [(0, 100), (u64::MAX, 30_000)] {
            let mut backoff = Backoff::default();
            backoff.obey(Duration::from_millis(retry_ms));
            backoff.fail(0.5);
            assert_eq!(backoff.fail(1.0).as_millis(), expected);
        }
    }
}
