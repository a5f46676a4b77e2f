//! Whose buckets there are: a bounded map, in parts that are locked one at a time.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use matchbook_access::{Kind, Principal};

/// Parts of the map, so that two callers seldom wait for each other.
const PARTS: usize = 16;

/// Buckets that are not full, all together: some 8 MiB. Whoever has many addresses could
/// otherwise fill the memory with them.
const KEYS: usize = 65_536;

/// Bits of an IPv6 address that name a network: a single machine mostly has all the
/// addresses behind them.
const NETWORK_BITS: u32 = 64;

/// Whose bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// That of an address, or of a network of IPv6.
    Address(IpAddr),
    /// That of a principal. An API key may be called like a user.
    Principal(Kind, Arc<str>),
}

impl Key {
    /// That of whoever asks from there.
    pub(super) fn of(principal: &Principal, address: IpAddr) -> Self {
        match principal.kind {
            Kind::Anonymous => Self::address(address),
            kind => Self::Principal(kind, Arc::clone(&principal.id)),
        }
    }

    /// That of this address.
    pub(super) fn address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let mask = u128::MAX << (Ipv6Addr::BITS - NETWORK_BITS);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
            address => address,
        })
    }
}

/// What is asked of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ask {
    pub(super) key: Key,
    /// Whether something is to be taken out, or only looked at.
    pub(super) takes: bool,
}

/// The buckets, each as the time at which it will be full.
pub(super) struct Keys {
    parts: [Mutex<HashMap<Key, Nanos>>; PARTS],
    hasher: RandomState,
    /// The one bucket of all for whom there is no place. They wait for each other then,
    /// which is better than that none of them is counted.
    others: Mutex<Option<Nanos>>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            parts: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            others: Mutex::default(),
        }
    }
}

impl Keys {
    fn part(&self, key: &Key) -> MutexGuard<'_, HashMap<Key, Nanos>> {
        let hash = usize::try_from(self.hasher.hash_one(key) % PARTS as u64);
        let [first, ..] = &self.parts;
        let part = hash.ok().and_then(|at| self.parts.get(at));
        lock(part.unwrap_or(first))
    }
}

fn lock<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StateStore for Keys {
    type Key = Ask;

    fn measure_and_replace<T, F, E>(&self, ask: &Ask, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut part = self.part(&ask.key);
        let found = part.get(&ask.key).copied();
        if found.is_none() && part.len() >= KEYS / PARTS {
            drop(part);
            let mut others = lock(&self.others);
            let (outcome, full_at) = measure(*others)?;
            if ask.takes {
                *others = Some(full_at);
            }
            return Ok(outcome);
        }
        let (outcome, full_at) = measure(found)?;
        if ask.takes {
            part.insert(ask.key.clone(), full_at);
        }
        Ok(outcome)
    }
}

impl ShrinkableKeyedStateStore<Ask> for Keys {
    fn retain_recent(&self, drop_below: Nanos) {
        for part in &self.parts {
            lock(part).retain(|_, full_at| *full_at > drop_below);
        }
    }

    fn len(&self) -> usize {
        self.parts.iter().map(|part| lock(part).len()).sum()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_have_one_bucket() {
        let key = |text: &str| Key::address(text.parse().unwrap());
        assert_eq!(key("192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
    }

    #[test]
    fn there_are_never_more_buckets_than_places() {
        let keys = Keys::default();
        let put = |number: u32, full_at: u64| {
            let key = Key::Address(std::net::Ipv4Addr::from_bits(number).into());
            let ask = Ask { key, takes: true };
            let measure = |found| Ok::<_, ()>((found, Nanos::from(full_at)));
            keys.measure_and_replace(&ask, measure).unwrap()
        };
        for number in 0..200_000 {
            put(number, 1);
        }
        assert_eq!(keys.len(), KEYS);
        // Who has no place shares a bucket with others, and who has one keeps it.
        assert_eq!(put(200_000, 7), Some(Nanos::from(1)));
        assert_eq!(put(200_001, 8), Some(Nanos::from(7)));
        assert_eq!(put(0, 9), Some(Nanos::from(1)));
        keys.retain_recent(Nanos::from(1));
        assert_eq!(keys.len(), 1);
        assert_eq!(put(200_001, 1), None);
    }

    #[test]
    fn a_look_changes_nothing() {
        let keys = Keys::default();
        let key = Key::address("192.0.2.1".parse().unwrap());
        let ask = Ask { key, takes: false };
        let measure = |found| Ok::<_, ()>((found, Nanos::from(1)));
        assert_eq!(keys.measure_and_replace(&ask, measure), Ok(None));
        assert!(keys.is_empty());
    }
}
