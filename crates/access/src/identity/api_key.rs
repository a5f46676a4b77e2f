//! API keys: `mb_<id>_<secret>`, for machines that cannot renew a token.
//!
//! The secret is 256 random bits. Nobody can guess it, so that one round of SHA-256 is
//! enough to keep it: slow hashes are for what people choose.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use matchbook_core::clock::Timestamp;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

use super::crypto::sha256;

/// What all begin with, so that whoever finds one knows what it is.
const PREFIX: &str = "mb_";

/// What a record's `hash` begins with.
const HASH_PREFIX: &str = "sha256:";

/// Random bytes of an id: no two of one server are alike, even by the million.
const ID_BYTES: usize = 8;

/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;

/// Random bytes that a key is made of.
pub const API_KEY_RANDOM_BYTES: usize = ID_BYTES + SECRET_BYTES;

/// Longest id that is looked up.
const ID_CHARS: usize = 32;

/// Longest name of a key.
const NAME_BYTES: usize = 255;

/// A key as its holder has it.
#[derive(Clone)]
pub struct ApiKey {
    id: String,
    secret: String,
}

/// Without the secret.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({})", self.id)
    }
}

impl ApiKey {
    /// A key made of random bytes, which must come from the system's source.
    #[must_use]
    pub fn generate(random: &[u8; API_KEY_RANDOM_BYTES]) -> Self {
        let (id, secret) = random.split_at(ID_BYTES);
        Self {
            id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
            secret: BASE64URL.encode(secret),
        }
    }

    /// Whether a bearer's credentials are meant to be an API key. No JWT begins so.
    #[must_use]
    pub fn is_meant(credentials: &str) -> bool {
        credentials.starts_with(PREFIX)
    }

    /// Reads a key; `None`: it is none.
    #[must_use]
    pub fn read(credentials: &str) -> Option<Self> {
        let (id, secret) = credentials.strip_prefix(PREFIX)?.split_once('_')?;
        let is_id = (1..=ID_CHARS).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let bytes = BASE64URL.decode(secret).ok()?;
        (is_id && bytes.len() == SECRET_BYTES).then(|| Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
        })
    }

    /// What its record is found by: lower-case letters and digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key, for its holder. It is told once and kept nowhere.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }

    fn hash(&self) -> [u8; 32] {
        sha256(self.secret.as_bytes())
    }
}

/// What is stored of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What its holder is called; the principal's id.
    pub name: Arc<str>,
    hash: [u8; 32],
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is refused.
    pub expires: Option<Timestamp>,
    /// What policies may know about its holder.
    pub claims: Arc<Map<String, Value>>,
}

impl Record {
    /// The record of a new key.
    #[must_use]
    pub fn new(
        key: &ApiKey,
        name: &str,
        created: Timestamp,
        expires: Option<Timestamp>,
        claims: Map<String, Value>,
    ) -> Self {
        Self {
            name: name.into(),
            hash: key.hash(),
            created,
            expires,
            claims: Arc::new(claims),
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// Half a sentence that says which member is wrong.
    pub fn from_json(document: &[u8]) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        let members = value.as_object().ok_or("a key is an object")?;
        let known = ["name", "hash", "created", "expires", "claims"];
        if let Some(other) = members.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("'{other}' is no member of a key"));
        }
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let time = |name: &str| {
            let fault = || format!("'{name}' is no time such as 2026-01-31T12:00:00.000Z");
            let text = text(name).ok_or_else(fault)?;
            text.parse::<Timestamp>().map_err(|_| fault())
        };
        let name = text("name").filter(|name| (1..=NAME_BYTES).contains(&name.len()));
        let hash = text("hash").and_then(|text| text.strip_prefix(HASH_PREFIX));
        let hash = hash.and_then(|text| BASE64URL.decode(text).ok());
        let hash = hash.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let claims = match members.get("claims") {
            None => Map::new(),
            Some(Value::Object(claims)) => claims.clone(),
            Some(_) => return Err("'claims' is no object".to_owned()),
        };
        let expires = members.contains_key("expires").then(|| time("expires"));
        Ok(Self {
            name: name.ok_or("'name' is no text of 1 to 255 bytes")?.into(),
            hash: hash.ok_or("'hash' is not sha256: and 32 bytes in base64url")?,
            created: time("created")?,
            expires: expires.transpose()?,
            claims: Arc::new(claims),
        })
    }

    /// The record as it is stored.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut members = Map::new();
        let hash = format!("{HASH_PREFIX}{}", BASE64URL.encode(self.hash));
        members.insert("name".to_owned(), (*self.name).into());
        members.insert("hash".to_owned(), hash.into());
        members.insert("created".to_owned(), self.created.to_string().into());
        if let Some(expires) = self.expires {
            members.insert("expires".to_owned(), expires.to_string().into());
        }
        if !self.claims.is_empty() {
            let claims = Map::clone(&self.claims);
            members.insert("claims".to_owned(), Value::Object(claims));
        }
        Value::Object(members)
    }

    /// Whether it is the record of this key. How long that takes tells nothing.
    #[must_use]
    pub fn is_of(&self, key: &ApiKey) -> bool {
        self.hash.ct_eq(&key.hash()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> ApiKey {
        ApiKey::generate(&[byte; API_KEY_RANDOM_BYTES])
    }

    #[test]
    fn a_key_is_read_as_it_was_made() {
        let made = key(0xfb);
        let text = made.reveal();
        assert!(text.starts_with("mb_fbfbfbfbfbfbfbfb_-"), "{text}");
        let read = ApiKey::read(&text).unwrap();
        assert_eq!((read.id(), read.reveal()), (made.id(), text));
        assert_eq!(format!("{made:?}"), "ApiKey(fbfbfbfbfbfbfbfb)");
    }

    #[test]
    fn what_is_no_key_is_none() {
        let good = key(1).reveal();
        for bad in [
            "",
            "mb_",
            "mb_a_",
            "mb__AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
            "mb_0101010101010101",
            &good[..good.len() - 1],
            &format!("{good}A"),
            &good.replace("mb_01", "mb_/."),
            &good.to_uppercase(),
        ] {
            assert!(ApiKey::read(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_holds_no_secret() {
        let made = key(7);
        let claims = Map::from_iter([("role".to_owned(), "robot".into())]);
        let at = Timestamp::from_millis(1_800_000_000_123);
        for (expires, claims) in [(Some(at), claims), (None, Map::new())] {
            let record = Record::new(&made, "backup", at, expires, claims);
            let json = record.to_json().to_string();
            assert!(!json.contains(&made.secret), "{json}");
            assert_eq!(Record::from_json(json.as_bytes()), Ok(record));
        }
    }

    #[test]
    fn a_record_that_is_none_says_why() {
        let made = key(7);
        let at = Timestamp::from_millis(0);
        let good = Record::new(&made, "n", at, None, Map::new()).to_json();
        let with = |name: &str, value: Value| {
            let mut record = good.clone();
            record[name] = value;
            Record::from_json(record.to_string().as_bytes()).unwrap_err()
        };
        assert!(with("name", "".into()).contains("'name'"));
        assert!(with("hash", "sha256:AAAA".into()).contains("'hash'"));
        assert!(with("hash", 7.into()).contains("'hash'"));
        assert!(with("created", "yesterday".into()).contains("'created'"));
        assert!(with("expires", Value::Null).contains("'expires'"));
        assert!(with("claims", "x".into()).contains("'claims'"));
        assert!(with("secret", "x".into()).contains("'secret'"));
        assert!(Record::from_json(b"[]").is_err());
        assert!(Record::from_json(b"{").is_err());
    }
}
