//! A key that tokens are checked with, and how it is read from a file.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use jsonwebtoken::{DecodingKey, DecodingKeyKind};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};

use super::Algorithm;
use super::der::{PublicKey, is_whole, public_key, rsa_modulus};

/// Shortest secret of HS256: as long as the hash (RFC 7518 §3.2). A shorter one can be
/// guessed by whoever holds a token.
pub const SECRET_MIN_BYTES: usize = 32;

/// Shortest modulus of RSA (RFC 7518 §3.3).
const RSA_MIN_BITS: usize = 2_048;

/// Longest modulus of RSA that *ring* takes: longer ones make checking a token slow.
const RSA_MAX_BITS: usize = 8_192;

/// A point of P-256, uncompressed.
const P256_BYTES: usize = 65;

/// A public key of Ed25519.
const ED25519_BYTES: usize = 32;

/// Why a key cannot be used. Its text is for the person who configures, and holds none
/// of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFault(pub(super) String);

impl KeyFault {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for KeyFault {}

/// A key, its name, and the one algorithm that it is for.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

impl Key {
    /// A key without name.
    ///
    /// # Errors
    /// It is too weak, or none of its kind.
    pub(super) fn new(id: Option<String>, decoding: DecodingKey) -> Result<Self, KeyFault> {
        check_size(&decoding)?;
        Ok(Self {
            id,
            algorithm: Algorithm::of_family(decoding.family()),
            decoding,
        })
    }

    /// A public key in PEM.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, KeyFault> {
        if PrivateKeyDer::from_pem_slice(pem).is_ok() {
            return Err(KeyFault::new(
                "this is a private key: the server needs only the public one, \
                 which 'openssl pkey -in FILE -pubout' prints",
            ));
        }
        let info = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| {
            KeyFault::new("no public key is in this PEM: it begins with -----BEGIN PUBLIC KEY-----")
        })?;
        let decoding = match public_key(&info) {
            Some(PublicKey::Rsa(key)) => DecodingKey::from_rsa_der(key),
            Some(PublicKey::P256(point)) => DecodingKey::from_ec_der(point),
            Some(PublicKey::Ed25519(bytes)) => DecodingKey::from_ed_der(bytes),
            None => {
                return Err(KeyFault::new(
                    "keys of RSA, of P-256 and of Ed25519 are known, and this is none",
                ));
            }
        };
        Self::new(None, decoding)
    }

    /// A secret of HS256.
    pub(super) fn from_secret(file: &[u8]) -> Result<Self, KeyFault> {
        let secret = secret_in(file)?;
        Self::new(None, DecodingKey::from_secret(secret))
    }
}

/// A secret as a file holds it: without the line end that editors and shells add.
pub(super) fn secret_in(file: &[u8]) -> Result<&[u8], KeyFault> {
    if is_known_form(file) {
        return Err(KeyFault::new(
            "this is no secret, but a key in another form than PEM: \
             'openssl pkey -pubin -inform DER -in FILE' converts public keys",
        ));
    }
    let line = file.strip_suffix(b"\n").unwrap_or(file);
    Ok(line.strip_suffix(b"\r").unwrap_or(line))
}

/// Whether a file is meant to be PEM; text may stand before the key (RFC 7468 §5.2).
pub(super) fn is_pem(file: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN ";
    file.windows(BEGIN.len()).any(|window| window == BEGIN)
}

/// Whether a file is a key or certificate in another form than PEM: in DER, that in
/// base64, or of SSH. Taken for a secret, it would be one that everybody may know.
fn is_known_form(file: &[u8]) -> bool {
    let text = file.trim_ascii();
    let of_ssh: [&[u8]; 3] = [b"ssh-", b"ecdsa-", b"sk-"];
    let packed: Vec<u8> = text.iter().copied().filter(|byte| *byte > b' ').collect();
    let decoded = BASE64.decode(packed).unwrap_or_default();
    of_ssh.iter().any(|begin| text.starts_with(begin)) || is_whole(file) || is_whole(&decoded)
}

fn check_size(key: &DecodingKey) -> Result<(), KeyFault> {
    match (Algorithm::of_family(key.family()), key.kind()) {
        (Algorithm::Hs256, DecodingKeyKind::SecretOrDer(secret)) => check_secret(secret),
        (Algorithm::Rs256, DecodingKeyKind::RsaModulusExponent { n, .. }) => check_modulus(n),
        (Algorithm::Rs256, DecodingKeyKind::SecretOrDer(der)) => {
            check_modulus(rsa_modulus(der).unwrap_or_default())
        }
        (Algorithm::Es256, DecodingKeyKind::SecretOrDer(point)) if point.len() == P256_BYTES => {
            Ok(())
        }
        (Algorithm::EdDsa, DecodingKeyKind::SecretOrDer(key)) if key.len() == ED25519_BYTES => {
            Ok(())
        }
        (algorithm, _) => Err(KeyFault::new(format!("the key is none of {algorithm}"))),
    }
}

pub(super) fn check_secret(secret: &[u8]) -> Result<(), KeyFault> {
    if secret.len() >= SECRET_MIN_BYTES {
        return Ok(());
    }
    Err(KeyFault(format!(
        "a secret of {} bytes is too short: {SECRET_MIN_BYTES} random bytes at least, \
         such as 'openssl rand -base64 48' prints",
        secret.len()
    )))
}

fn check_modulus(modulus: &[u8]) -> Result<(), KeyFault> {
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let first = modulus.get(zeros).copied().unwrap_or_default();
    let bits = ((modulus.len() - zeros) * 8).saturating_sub(first.leading_zeros() as usize);
    if (RSA_MIN_BITS..=RSA_MAX_BITS).contains(&bits) {
        return Ok(());
    }
    Err(KeyFault(format!(
        "an RSA key of {bits} bits: {RSA_MIN_BITS} to {RSA_MAX_BITS} are good"
    )))
}
