//! Checking credentials.

use std::fmt;
use std::sync::Arc;

use matchbook_access::Principal;
use matchbook_access::identity::{ApiKey, KeyRing, TokenFault, Verifier, sha256};
use matchbook_core::decide::Credentials;
use quick_cache::sync::Cache;

use super::anonymous;
use super::keys::Keys;
use super::sent::Sent;

/// Tokens that are remembered as good. Each costs a check of a signature, some tens of
/// microseconds, whenever it comes and is not among them; with what it says it takes
/// about as much memory as it has bytes.
const REMEMBERED: usize = 4_096;

/// Checks credentials.
pub struct Authenticator {
    tokens: Option<Tokens>,
    takes_api_keys: bool,
}

pub(super) struct Tokens {
    pub(super) verifier: Verifier,
    pub(super) keys: Keys,
    /// By the hash of the token: a token itself is kept nowhere.
    good: Cache<[u8; 32], Good>,
}

/// Whom a good token speaks for.
#[derive(Clone)]
struct Good {
    principal: Arc<Principal>,
    /// The keys by which it is good.
    generation: u64,
}

/// What credentials prove.
pub(crate) struct Authenticated {
    pub(crate) credentials: Credentials,
    pub(crate) principal: Arc<Principal>,
    /// They may be good, by a key that is not here yet.
    pub(crate) lacks_key: bool,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator")
    }
}

impl Tokens {
    pub(super) fn new(verifier: Verifier, keys: Keys) -> Self {
        Self {
            verifier,
            keys,
            good: Cache::new(REMEMBERED),
        }
    }

    /// Whom a token speaks for that was found good before, and is so still.
    fn remembered(&self, hash: &[u8; 32], now_secs: u64) -> Option<Arc<Principal>> {
        let good = self.good.get(hash)?;
        let is_good = good.generation == self.keys.current().generation
            && good.principal.expires_secs.is_some_and(|at| now_secs < at);
        is_good.then_some(good.principal)
    }

    fn check(&self, token: &str, now_secs: u64) -> Result<Arc<Principal>, TokenFault> {
        let hash = sha256(token.as_bytes());
        if let Some(principal) = self.remembered(&hash, now_secs) {
            return Ok(principal);
        }
        let current = self.keys.current();
        let principal = self.verifier.verify(token, &current.set, now_secs)?;
        let principal = Arc::new(principal);
        let good = Good {
            principal: Arc::clone(&principal),
            generation: current.generation,
        };
        self.good.insert(hash, good);
        Ok(principal)
    }
}

impl Authenticator {
    pub(super) const fn new(tokens: Option<Tokens>, takes_api_keys: bool) -> Self {
        Self {
            tokens,
            takes_api_keys,
        }
    }

    /// Renews the keys that come from URLs, for ever.
    pub async fn keep(&self) {
        match &self.tokens {
            Some(tokens) => tokens.keys.keep().await,
            None => std::future::pending().await,
        }
    }

    /// Waits until the keys were renewed, if that can be now.
    pub(crate) async fn renew_keys(&self) {
        if let Some(tokens) = &self.tokens {
            tokens.keys.renew().await;
        }
    }

    /// Whether credentials are good, where that can be told for next to nothing: a token
    /// that was good before, or an API key, whose check is a hash and which is too long to
    /// be guessed.
    pub(crate) fn knows(&self, sent: Sent<'_>, ring: &KeyRing, now_secs: u64) -> bool {
        match sent {
            Sent::Nothing | Sent::Unusable(_) => false,
            Sent::Bearer(text) if ApiKey::is_meant(text) => {
                self.check_api_key(text, ring, now_secs).is_ok()
            }
            Sent::Bearer(token) | Sent::Cookie(token) => {
                let hash = sha256(token.as_bytes());
                let tokens = self.tokens.as_ref();
                tokens.is_some_and(|tokens| tokens.remembered(&hash, now_secs).is_some())
            }
        }
    }

    /// What credentials prove at `now_secs` (seconds since 1970). `ring` holds the API keys.
    pub(crate) fn authenticate(
        &self,
        sent: Sent<'_>,
        ring: &KeyRing,
        now_secs: u64,
    ) -> Authenticated {
        let mut lacks_key = false;
        let credentials = match sent {
            Sent::Nothing => Credentials::Missing,
            Sent::Unusable(reason) => Credentials::Bad(reason),
            Sent::Bearer(text) if ApiKey::is_meant(text) => {
                match self.check_api_key(text, ring, now_secs) {
                    Ok(principal) => return Authenticated::good(principal),
                    Err(reason) => Credentials::Bad(reason),
                }
            }
            Sent::Bearer(token) | Sent::Cookie(token) => match &self.tokens {
                Some(tokens) => match tokens.check(token, now_secs) {
                    Ok(principal) => return Authenticated::good(principal),
                    Err(fault) => {
                        lacks_key = fault == TokenFault::UnknownKey && tokens.keys.may_come();
                        Credentials::Bad(fault.description())
                    }
                },
                None => Credentials::Bad("this server takes API keys, and no tokens"),
            },
        };
        Authenticated {
            credentials,
            principal: anonymous(),
            lacks_key,
        }
    }

    fn check_api_key(
        &self,
        text: &str,
        ring: &KeyRing,
        now_secs: u64,
    ) -> Result<Arc<Principal>, &'static str> {
        if !self.takes_api_keys {
            return Err("this server takes no API keys");
        }
        ring.check(text, now_secs)
            .map_err(matchbook_access::identity::Refused::description)
    }
}

impl Authenticated {
    fn good(principal: Arc<Principal>) -> Self {
        Self {
            credentials: Credentials::Good,
            principal,
            lacks_key: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use matchbook_access::Kind;
    use matchbook_access::identity::{API_KEY_RANDOM_BYTES, KeySet, Record, SigningKey};
    use matchbook_core::clock::Timestamp;
    use serde_json::{Map, Value, json};

    use super::*;

    const SECRET: &[u8] = b"thirty-two bytes of no entropy!!";
    const NOW: u64 = 1_800_000_000;

    fn token(secret: &[u8], expires: u64) -> String {
        let claims = json!({"iss": "i", "aud": "a", "sub": "alice", "exp": expires});
        let Value::Object(claims) = claims else {
            panic!("no object")
        };
        let key = SigningKey::from_file(secret).unwrap();
        key.sign(&claims, None).unwrap()
    }

    fn authenticator(takes_api_keys: bool) -> Authenticator {
        let verifier = Verifier {
            issuer: "i".into(),
            audience: "a".into(),
        };
        let keys = Keys::new(KeySet::from_file(SECRET).unwrap(), Vec::new());
        Authenticator::new(Some(Tokens::new(verifier, keys)), takes_api_keys)
    }

    fn credentials(authenticator: &Authenticator, sent: Sent<'_>, now_secs: u64) -> Credentials {
        authenticator
            .authenticate(sent, &KeyRing::default(), now_secs)
            .credentials
    }

    #[test]
    fn section_11_a_remembered_token_is_forgotten_with_its_keys_and_its_time() {
        let authenticator = authenticator(false);
        let token = token(SECRET, NOW + 60);
        let check = |now_secs| credentials(&authenticator, Sent::Bearer(&token), now_secs);
        assert_eq!(check(NOW), Credentials::Good);
        assert_eq!(check(NOW), Credentials::Good);
        let expired = Credentials::Bad(TokenFault::Expired.description());
        assert_eq!(check(NOW + 3_600), expired);
        assert_eq!(check(NOW), Credentials::Good);
        let tokens = authenticator.tokens.as_ref().unwrap();
        tokens.keys.replace(KeySet::from_file(&[b'x'; 32]).unwrap());
        let forged = Credentials::Bad(TokenFault::Signature.description());
        assert_eq!(check(NOW), forged);
    }

    #[test]
    fn section_11_api_keys_where_they_are_taken() {
        let key = ApiKey::generate(&[7; API_KEY_RANDOM_BYTES]);
        let text = key.reveal();
        let made = Timestamp::from_millis(0);
        let mut ring = KeyRing::default();
        ring.insert(key.id(), Record::new(&key, "robot", made, None, Map::new()));
        for is_taken in [true, false] {
            let authenticator = authenticator(is_taken);
            let found = authenticator.authenticate(Sent::Bearer(&text), &ring, NOW);
            assert_eq!(found.credentials == Credentials::Good, is_taken);
            assert_eq!(found.principal.kind == Kind::Key, is_taken);
            // A session is made of tokens only.
            let found = authenticator.authenticate(Sent::Cookie(&text), &ring, NOW);
            assert!(matches!(found.credentials, Credentials::Bad(_)));
            let found = credentials(&authenticator, Sent::Bearer(&text), NOW);
            assert!(matches!(found, Credentials::Bad(_)));
        }
    }

    #[test]
    fn section_11_nothing_and_the_unusable() {
        let authenticator = authenticator(false);
        let check = |sent| credentials(&authenticator, sent, NOW);
        assert_eq!(check(Sent::Nothing), Credentials::Missing);
        assert_eq!(check(Sent::Unusable("x")), Credentials::Bad("x"));
        assert!(matches!(check(Sent::Cookie("x")), Credentials::Bad(_)));
    }
}
