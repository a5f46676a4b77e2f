//! The keys that tokens are checked with, and their renewal from the URLs where issuers
//! publish them. Old keys stay in force while a URL does not answer.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use matchbook_access::identity::{KeySet, Origin};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::fetch::{FetchFault, Fetched, Fetcher};
use crate::config::JwksUrl;

/// How long keys are kept if their answer does not say it: a new key that nobody has
/// asked for yet is found within as much.
const AGE: Duration = Duration::from_secs(15 * 60);

/// Shortest time that keys are kept, whatever their answer says.
const SHORTEST_AGE: Duration = Duration::from_secs(60);

/// Longest time that keys are kept, so that a key that its issuer took back does not
/// stay good for weeks.
const LONGEST_AGE: Duration = Duration::from_secs(60 * 60);

/// How soon a URL that did not answer is asked again.
const RETRY: Duration = Duration::from_secs(15);

/// Shortest time between two renewals that tokens with unknown keys ask for: anybody can
/// send such tokens, and the issuer must not suffer for it.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);

/// Longest that a request with an unknown key waits for a renewal.
const WAIT: Duration = Duration::from_secs(5);

/// All keys.
pub(super) struct Keys {
    /// Those of files.
    fixed: KeySet,
    urls: Vec<JwksUrl>,
    current: RwLock<Arc<Current>>,
    wanted: Notify,
    round: watch::Sender<Round>,
}

/// The keys in force.
pub(super) struct Current {
    pub(super) set: KeySet,
    /// Counts how often they changed.
    pub(super) generation: u64,
}

/// How renewing goes.
#[derive(Clone, Copy, Default)]
struct Round {
    finished: u64,
    /// Since when nothing is asked; `None`: just now something is, or soon for the first
    /// time.
    idle_since: Option<Instant>,
}

impl Keys {
    pub(super) fn new(fixed: KeySet, urls: Vec<JwksUrl>) -> Self {
        let current = Current {
            set: fixed.clone(),
            generation: 0,
        };
        Self {
            fixed,
            urls,
            current: RwLock::new(Arc::new(current)),
            wanted: Notify::new(),
            round: watch::Sender::default(),
        }
    }

    pub(super) fn current(&self) -> Arc<Current> {
        let current = self.current.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn replace(&self, set: KeySet) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let generation = current.generation + 1;
        *current = Arc::new(Current { set, generation });
    }

    /// Whether a key that is not here may come by a renewal now.
    pub(super) fn may_come(&self) -> bool {
        !self.urls.is_empty() && self.round.borrow().may_begin()
    }

    /// Waits until the keys were renewed, if that can be now.
    pub(super) async fn renew(&self) {
        let mut rounds = self.round.subscribe();
        let begun = *rounds.borrow_and_update();
        if !begun.may_begin() {
            return;
        }
        self.wanted.notify_one();
        let is_over = rounds.wait_for(|round| round.finished > begun.finished);
        // In vain: then the keys are those that there are.
        let _ = timeout(WAIT, is_over).await;
    }

    /// Renews the keys, for ever.
    pub(super) async fn keep(&self) {
        if self.urls.is_empty() {
            return std::future::pending().await;
        }
        let fetcher = Arc::new(Fetcher::new());
        let mut sets = HashMap::new();
        loop {
            self.round.send_modify(|round| round.idle_since = None);
            let age = self.renew_all(&fetcher, &mut sets).await;
            let now = Instant::now();
            self.round.send_modify(|round| {
                round.finished += 1;
                round.idle_since = Some(now);
            });
            tokio::select! {
                () = sleep(age) => {}
                () = self.asked() => {}
            }
        }
    }

    /// Until somebody asks who may.
    async fn asked(&self) {
        loop {
            self.wanted.notified().await;
            if self.round.borrow().may_begin() {
                return;
            }
        }
    }

    /// Asks all URLs at once, so that a dead one does not hold up the others. Returns
    /// after what time to ask again.
    async fn renew_all(
        &self,
        fetcher: &Arc<Fetcher>,
        sets: &mut HashMap<usize, (Fetched, KeySet)>,
    ) -> Duration {
        let mut asked = JoinSet::new();
        for (place, url) in self.urls.iter().cloned().enumerate() {
            let fetcher = Arc::clone(fetcher);
            asked.spawn(async move { (place, fetch(&fetcher, &url).await, url) });
        }
        let mut age = LONGEST_AGE;
        let mut is_new = false;
        for (place, outcome, url) in asked.join_all().await {
            match outcome {
                Ok((fetched, set)) => {
                    age = age.min(fetched.max_age.unwrap_or(AGE).max(SHORTEST_AGE));
                    let before = sets.get(&place);
                    if before.is_none_or(|(before, _)| before.body != fetched.body) {
                        report(&url, &set);
                        sets.insert(place, (fetched, set));
                        is_new = true;
                    }
                }
                Err(fault) => {
                    tracing::warn!(%url, %fault, "keys cannot be fetched; old ones stay in force");
                    age = age.min(RETRY);
                }
            }
        }
        if is_new {
            let mut all = self.fixed.clone();
            for (_, set) in sets.values() {
                all.extend(set.clone());
            }
            self.replace(all);
        }
        age
    }
}

impl Round {
    /// Whether a renewal is under way or can begin.
    fn may_begin(&self) -> bool {
        self.idle_since
            .is_none_or(|since| since.elapsed() >= SHORTEST_PAUSE)
    }
}

async fn fetch(fetcher: &Fetcher, url: &JwksUrl) -> Result<(Fetched, KeySet), FetchFault> {
    let fetched = fetcher.fetch(url).await?;
    let set =
        KeySet::from_jwks(&fetched.body, Origin::Url).map_err(|fault| FetchFault::new(&fault))?;
    Ok((fetched, set))
}

fn report(url: &JwksUrl, set: &KeySet) {
    tracing::info!(%url, keys = set.len(), "keys fetched");
    for why in set.left_out() {
        tracing::warn!(%url, "left out: {why}");
    }
}
