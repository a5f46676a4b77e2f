//! All keys that tokens are checked with.

use super::key::{Key, KeyFault, is_pem};
use super::{Algorithm, TokenFault, jwks};

/// Keys of its algorithm that a token without `kid` is tried with. Each try costs a
/// check of a signature, which whoever sends rubbish must not make dear.
const TRIED: usize = 4;

/// Where a JWK set comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The operator's own file, which may hold secrets.
    File,
    /// A URL that anybody may read.
    Url,
}

/// Keys that tokens are checked with.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    left_out: Vec<String>,
}

impl KeySet {
    /// The keys of a file: a JWK set, one public key in PEM, or a secret.
    ///
    /// # Errors
    /// There is none that can be used.
    pub fn from_file(file: &[u8]) -> Result<Self, KeyFault> {
        let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
        if is_pem(file) {
            return Key::from_pem(file).map(Self::of);
        }
        if file.trim_ascii_start().starts_with(b"{") {
            let set = Self::from_jwks(file, Origin::File)?;
            if set.keys.is_empty() {
                let why = set.left_out.join("; ");
                return Err(KeyFault(format!("no key of this set can be used: {why}")));
            }
            return Ok(set);
        }
        Key::from_secret(file).map(Self::of)
    }

    /// The keys of a JWK set that can be used: perhaps none.
    ///
    /// # Errors
    /// It is no JWK set.
    pub fn from_jwks(document: &[u8], origin: Origin) -> Result<Self, KeyFault> {
        let (keys, left_out) = jwks::read(document, origin)?;
        Ok(Self { keys, left_out })
    }

    fn of(key: Key) -> Self {
        Self {
            keys: vec![key],
            left_out: Vec::new(),
        }
    }

    /// Takes the keys of another set too.
    pub fn extend(&mut self, other: Self) {
        self.keys.extend(other.keys);
        self.left_out.extend(other.left_out);
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Which keys of a JWK set were left out, and why.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// The keys that may have signed a token.
    pub(super) fn candidates(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<Vec<&Key>, TokenFault> {
        let fits =
            |key: &&Key| key.algorithm == algorithm && (id.is_none() || key.id.as_deref() == id);
        let keys: Vec<_> = self.keys.iter().filter(fits).take(TRIED).collect();
        if keys.is_empty() {
            return Err(TokenFault::UnknownKey);
        }
        Ok(keys)
    }
}
