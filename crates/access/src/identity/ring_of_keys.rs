//! The API keys that are known, in memory.

use std::collections::HashMap;
use std::sync::Arc;

use super::{ApiKey, Record};
use crate::{Kind, Principal};

/// Why an API key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is none such: never, no longer, or with another secret.
    Unknown,
    /// Its time is over.
    Expired,
}

impl Refused {
    /// What `error_description` says.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            // Which of them it is would tell a guesser which ids there are.
            Self::Unknown => "the API key is not known: it was revoked, or never given out",
            Self::Expired => "the API key has expired",
        }
    }
}

/// The records of all API keys, by id.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    known: HashMap<Arc<str>, Known>,
}

/// A key, and whom it speaks for.
#[derive(Clone, Debug)]
struct Known {
    record: Arc<Record>,
    principal: Arc<Principal>,
}

impl KeyRing {
    /// Adds a key, or replaces it.
    pub fn insert(&mut self, id: &str, record: Record) {
        let principal = Principal {
            kind: Kind::Key,
            id: Arc::clone(&record.name),
            claims: Arc::clone(&record.claims),
            expires_secs: record.expires.map(|at| at.as_secs()),
        };
        let known = Known {
            record: Arc::new(record),
            principal: Arc::new(principal),
        };
        self.known.insert(id.into(), known);
    }

    /// Whether all keys of this ring are in another one, and say the same there.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let same = |(id, known): (&Arc<str>, &Known)| {
            let there = other.known.get(id);
            there.is_some_and(|there| there.record == known.record)
        };
        self.known.iter().all(same)
    }

    /// Who a key speaks for, at `now_secs` (seconds since 1970): the same value each time.
    ///
    /// # Errors
    /// It is not known, or has expired.
    pub fn check(&self, credentials: &str, now_secs: u64) -> Result<Arc<Principal>, Refused> {
        let key = ApiKey::read(credentials).ok_or(Refused::Unknown)?;
        let known = self.known.get(key.id());
        let known = known.filter(|known| known.record.is_of(&key));
        let principal = &known.ok_or(Refused::Unknown)?.principal;
        if principal.expires_secs.is_some_and(|at| now_secs >= at) {
            return Err(Refused::Expired);
        }
        Ok(Arc::clone(principal))
    }
}

#[cfg(test)]
mod tests {
    use matchbook_core::clock::Timestamp;
    use serde_json::Map;

    use super::super::API_KEY_RANDOM_BYTES;
    use super::*;

    #[test]
    fn section_11_a_key_is_good_until_it_expires_or_is_revoked() {
        let key = ApiKey::generate(&[1; API_KEY_RANDOM_BYTES]);
        let expires = Timestamp::from_millis(100_000);
        let made = Timestamp::from_millis(0);
        let mut ring = KeyRing::default();
        let text = key.reveal();
        assert_eq!(ring.check(&text, 0), Err(Refused::Unknown));
        let record = Record::new(&key, "backup", made, Some(expires), Map::new());
        ring.insert(key.id(), record);
        let principal = ring.check(&text, 99).unwrap();
        assert_eq!((principal.kind, &*principal.id), (Kind::Key, "backup"));
        assert_eq!(principal.expires_secs, Some(100));
        assert_eq!(ring.check(&text, 100), Err(Refused::Expired));
        let with_it = ring.clone();
        let ring = KeyRing::default();
        assert_eq!(ring.check(&text, 0), Err(Refused::Unknown));
        assert!(ring.is_within(&with_it) && !with_it.is_within(&ring));
    }

    #[test]
    fn section_11_the_secret_counts_and_not_the_id() {
        let key = ApiKey::generate(&[1; API_KEY_RANDOM_BYTES]);
        let made = Timestamp::from_millis(0);
        let mut ring = KeyRing::default();
        ring.insert(
            key.id(),
            Record::new(&key, "backup", made, None, Map::new()),
        );
        let mut random = [1; API_KEY_RANDOM_BYTES];
        random[API_KEY_RANDOM_BYTES - 1] = 2;
        let forged = ApiKey::generate(&random);
        assert_eq!(forged.id(), key.id());
        assert_eq!(ring.check(&forged.reveal(), 0), Err(Refused::Unknown));
        assert_eq!(ring.check("mb_x", 0), Err(Refused::Unknown));
        assert!(ring.check(&key.reveal(), u64::MAX).is_ok());
    }
}
