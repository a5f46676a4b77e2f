//! Trimming the log in the background (contract §7.9): what nobody can want any more makes
//! room, and no write waits for it.

use std::time::Duration;

use matchbook_core::clock::Timestamp;
use matchbook_core::tag::Revision;
use matchbook_store::{CommitError, ReadError, Store};

use crate::app::{App, now};

/// Longest time between two looks: with the default of a week the log is never more than
/// a ten-thousandth longer than it has to be.
const PAUSE: Duration = Duration::from_secs(60);

/// Shortest time between two looks.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// What the log keeps.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// What was written so long ago or later.
    pub age: Duration,
    /// The last so many changes, however old they are.
    pub changes: u64,
    /// While the data take more than this on the disk, older changes go before their
    /// time.
    pub max_bytes: Option<u64>,
}

impl Retention {
    /// Trims the log from time to time, for ever; not of what a collection is set to keep.
    pub async fn keep<S: Store>(self, app: &App<S>) {
        let pause = (self.age / 10).clamp(SHORTEST_PAUSE, PAUSE);
        loop {
            tokio::time::sleep(pause).await;
            let age = self.age.max(app.in_force.current().collections.kept());
            if let Err(error) = (Self { age, ..self }).trim(&app.store).await {
                tracing::warn!(%error, "the log cannot be trimmed");
            }
        }
    }

    async fn trim<S: Store>(self, store: &S) -> Result<(), TrimError> {
        let age_ms = u64::try_from(self.age.as_millis()).unwrap_or(u64::MAX);
        let oldest = Timestamp::from_millis(now().as_millis().saturating_sub(age_ms));
        let mut to = store.before(oldest, self.changes).await?;
        let status = store.status();
        let size_bytes = status.size_bytes.saturating_sub(status.free_bytes);
        if self.max_bytes.is_some_and(|most| size_bytes > most) {
            to = to.max(self.half(status.horizon, status.applied.revision));
        }
        if to > status.horizon {
            store.trim(to).await?;
            tracing::info!(%to, "trimmed the log");
        }
        Ok(())
    }

    /// The middle of what need not be kept for its number: nothing tells how many bytes a
    /// part of the log has, so that the next look sees whether that was enough.
    fn half(self, horizon: Revision, applied: Revision) -> Revision {
        let end = applied
            .get()
            .saturating_sub(self.changes)
            .max(horizon.get());
        let middle = horizon.get() + (end - horizon.get()).div_ceil(2);
        Revision::new(middle).unwrap_or(horizon)
    }
}

#[derive(Debug)]
enum TrimError {
    Read(ReadError),
    Commit(CommitError),
}

impl From<ReadError> for TrimError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<CommitError> for TrimError {
    fn from(error: CommitError) -> Self {
        Self::Commit(error)
    }
}

impl std::fmt::Display for TrimError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Commit(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_need_not_be_kept_goes_at_a_time() {
        let retention = Retention {
            age: Duration::ZERO,
            changes: 100,
            max_bytes: Some(1),
        };
        let half = |horizon, applied| {
            let [horizon, applied] = [horizon, applied].map(|at| Revision::new(at).unwrap());
            retention.half(horizon, applied).get()
        };
        assert_eq!(half(0, 1_100), 500);
        assert_eq!(half(500, 1_100), 750);
        assert_eq!(half(999, 1_100), 1_000);
        assert_eq!(half(1_000, 1_100), 1_000, "the last changes stay");
        assert_eq!(half(1_050, 1_100), 1_050);
        assert_eq!(half(0, 50), 0);
    }
}
