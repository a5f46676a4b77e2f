//! How often one caller may ask (contract §3, line 8).
//!
//! Each has a bucket of units that fills steadily, and a request takes one out: whoever
//! showed good credentials has one of their own, and all others that of their address. The
//! arithmetic (GCRA) is that of the `governor` crate; `keys` holds the buckets, and the
//! fields of answers tell how much is in one (draft-ietf-httpapi-ratelimit-headers).

mod charge;
mod keys;

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::{Quota, RateLimiter};
use http::header::{HeaderMap, HeaderName, HeaderValue};

pub(crate) use charge::Charge;
pub(crate) use keys::Key;
use keys::{Ask, Keys};

use crate::representation::value;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// How often full buckets are forgotten. A look at all of them takes less than a
/// millisecond.
const SWEEP: Duration = Duration::from_secs(1);

/// A limit, and how much of it each caller has used.
pub struct Rate<C: Clock = MonotonicClock> {
    limiter: RateLimiter<Ask, Keys, C, StateInformationMiddleware>,
    clock: C,
    per_second: NonZeroU32,
    burst: NonZeroU32,
    policy: HeaderValue,
}

/// How a caller stands after a request was counted, or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Units that are left.
    left: u32,
    /// Seconds until there are enough; `None` if there were.
    pub(crate) wait_secs: Option<u32>,
}

impl<C: Clock> fmt::Debug for Rate<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rate({:?})", self.policy)
    }
}

impl Rate {
    /// So many requests a second for each caller, and `burst` at once by whoever has not
    /// asked for a while.
    #[must_use]
    pub fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        Self::with_clock(per_second, burst, MonotonicClock)
    }

    /// Forgets full buckets, for ever.
    pub async fn keep(&self) {
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            sweep.tick().await;
            self.limiter.retain_recent();
        }
    }
}

impl<C: Clock + Clone> Rate<C> {
    fn with_clock(per_second: NonZeroU32, burst: NonZeroU32, clock: C) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let window_secs = burst.get().div_ceil(per_second.get());
        Self {
            limiter: RateLimiter::new(quota, Keys::default(), clock.clone()),
            clock,
            per_second,
            burst,
            policy: value(format!("\"default\";q={burst};w={window_secs}")),
        }
    }

    /// Takes this many units for a caller, or none.
    fn take(&self, key: &Key, units: NonZeroU32) -> Standing {
        self.ask(key, units, true)
    }

    /// Seconds to wait, where a caller has no unit left.
    fn wait_secs(&self, key: &Key) -> Option<u32> {
        self.ask(key, NonZeroU32::MIN, false).wait_secs
    }

    fn ask(&self, key: &Key, units: NonZeroU32, takes: bool) -> Standing {
        let key = key.clone();
        match self.limiter.check_key_n(&Ask { key, takes }, units) {
            Ok(Ok(snapshot)) => Standing {
                left: snapshot.remaining_burst_capacity(),
                wait_secs: None,
            },
            Ok(Err(until)) => self.refused(units, until.wait_time_from(self.clock.now())),
            // More than a full bucket holds: nothing helps.
            Err(_) => self.refused(units, Duration::from_secs(units.get().into())),
        }
    }

    /// When `units` are there after this wait.
    fn refused(&self, units: NonZeroU32, wait: Duration) -> Standing {
        let unit = Duration::from_secs(1) / self.per_second.get();
        let missing = wait.as_nanos().div_ceil(unit.as_nanos().max(1));
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let secs = wait.as_nanos().div_ceil(Duration::from_secs(1).as_nanos());
        Standing {
            left: units.get().saturating_sub(missing.max(1)),
            wait_secs: Some(u32::try_from(secs).unwrap_or(u32::MAX).max(1)),
        }
    }

    /// Tells what the limit is and, where a request was counted, how the caller stands.
    fn tell(&self, fields: &mut HeaderMap, standing: Option<Standing>) {
        fields.insert(POLICY, self.policy.clone());
        if let Some(standing) = standing {
            let missing = self.burst.get().saturating_sub(standing.left);
            let full_secs = || missing.div_ceil(self.per_second.get());
            let reset_secs = standing.wait_secs.unwrap_or_else(full_secs);
            let text = format!("\"default\";r={};t={reset_secs}", standing.left);
            fields.insert(LEFT, value(text));
        }
    }
}

#[cfg(test)]
mod tests;
