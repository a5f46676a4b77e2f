//! What a request costs, and who pays.
//!
//! Each costs a unit, and a batch one for each of its requests. Nothing costs what a client
//! does not decide upon (a browser's preflight), and what tells whether the server lives.

use std::num::NonZeroU32;

use http::HeaderMap;
use matchbook_core::decide::Credentials;
use matchbook_core::limits::BATCH_REQUESTS;
use matchbook_core::name::Target;
use matchbook_core::request::Method;

use super::{Key, Rate, Standing};
use crate::app::{App, Call};
use crate::connection::Peer;

/// What a request has cost.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    key: Key,
    standing: Standing,
    /// Whether its credentials were not looked at.
    unread: bool,
}

impl<S> App<S> {
    /// From now on, callers may ask only so often.
    #[must_use]
    pub fn with_rate_limit(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Forgets who has not asked for a while, for ever.
    pub async fn keep_rates(&self) {
        match &self.rate {
            Some(rate) => rate.keep().await,
            None => std::future::pending().await,
        }
    }

    /// Takes a unit for a request, once.
    pub(crate) fn charge(&self, call: &mut Call<'_>, peer: Peer) {
        let Some(rate) = &self.rate else { return };
        if call.charge.is_none() && !is_free(call) {
            let key = Key::of(&call.caller.principal, peer.address.ip());
            let standing = rate.take(&key, NonZeroU32::MIN);
            call.charge = Some(Charge {
                key,
                standing,
                unread: false,
            });
        }
        if let Some(charge) = &call.charge {
            call.circumstances.wait_secs = charge.standing.wait_secs;
        }
    }

    /// Says so where credentials are not to be looked at: too many bad ones came from this
    /// address. `is_known` tells whether these were found good before.
    ///
    /// Good ones that were never seen before have to wait too, for as long as somebody
    /// guesses at the same address. Those that were seen do not.
    pub(crate) fn let_guesses_wait(
        &self,
        call: &mut Call<'_>,
        peer: Peer,
        is_known: impl FnOnce() -> bool,
    ) -> Option<Credentials> {
        let rate = self.rate.as_ref()?;
        if call.charge.is_none() {
            let key = Key::address(peer.address.ip());
            let wait_secs = rate.wait_secs(&key)?;
            if is_known() {
                return None;
            }
            call.charge = Some(Charge {
                key,
                standing: Standing {
                    left: 0,
                    wait_secs: Some(wait_secs),
                },
                unread: true,
            });
        }
        let charge = call.charge.as_ref().filter(|charge| charge.unread)?;
        let wait_secs = charge.standing.wait_secs?;
        Some(Credentials::Unread { wait_secs })
    }

    /// Takes a unit for each request of a batch but the first, which the batch itself has
    /// paid for.
    pub(crate) fn charge_batch(&self, call: &Call<'_>, requests: usize) -> Option<Standing> {
        let (rate, charge) = self.rate.as_ref().zip(call.charge.as_ref())?;
        let more = u32::try_from(requests.saturating_sub(1)).unwrap_or(u32::MAX);
        Some(rate.take(&charge.key, NonZeroU32::new(more)?))
    }

    /// Most requests in one batch: more than a full bucket holds could never be paid for.
    pub(crate) fn most_in_a_batch(&self) -> usize {
        let burst = self.rate.as_ref().map(|rate| rate.burst.get() as usize);
        burst.map_or(BATCH_REQUESTS, |burst| burst.min(BATCH_REQUESTS))
    }

    /// Tells the caller of an answer how it stands; `later` is what was taken after the
    /// request itself was counted.
    pub(crate) fn tell_rate(
        &self,
        fields: &mut HeaderMap,
        call: &Call<'_>,
        later: Option<Standing>,
    ) {
        if let Some(rate) = &self.rate
            && !fields.contains_key(super::POLICY)
        {
            let charge = call.charge.as_ref();
            rate.tell(fields, later.or(charge.map(|charge| charge.standing)));
        }
    }
}

fn is_free(call: &Call<'_>) -> bool {
    let tells_health =
        matches!(&call.target, Target::Reserved(name) if name == "health" || name == "ready");
    call.facts.method == Method::Options || tells_health
}
