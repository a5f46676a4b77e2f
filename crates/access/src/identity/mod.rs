//! Credentials: bearer tokens (RFC 6750, 7519, 8725) and API keys.
//!
//! A token is checked by a [`Verifier`] against a [`KeySet`], in which each key has one
//! algorithm, fixed when the key was configured: what a token says of itself chooses
//! among keys and nothing else. [`SigningKey`] makes tokens. An [`ApiKey`] is looked up
//! in a [`KeyRing`], which knows no secrets, only their hashes.

mod algorithm;
mod api_key;
mod crypto;
mod der;
mod fault;
mod jwks;
mod key;
mod key_set;
mod mint;
mod ring_of_keys;
mod token;

pub use algorithm::Algorithm;
pub use api_key::{API_KEY_RANDOM_BYTES, ApiKey, Record};
pub use crypto::sha256;
pub use fault::TokenFault;
pub use key::{KeyFault, SECRET_MIN_BYTES};
pub use key_set::{KeySet, Origin};
pub use mint::SigningKey;
pub use ring_of_keys::{KeyRing, Refused};
pub use token::{LEEWAY_SECS, SUBJECT_BYTES, TOKEN_BYTES, Verifier};
