//! Making tokens, for development and for machines.

use jsonwebtoken::{EncodingKey, Header};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Map, Value};

use super::key::{KeyFault, check_secret, is_pem, secret_in};
use super::{Algorithm, crypto};

/// A key that signs tokens, and the one algorithm that it is for.
#[derive(Clone, Debug)]
pub struct SigningKey {
    algorithm: Algorithm,
    key: EncodingKey,
}

impl SigningKey {
    /// The key of a file: a private key in PEM, or a secret for HS256.
    ///
    /// # Errors
    /// It is none that can sign.
    pub fn from_file(file: &[u8]) -> Result<Self, KeyFault> {
        if !is_pem(file) {
            let secret = secret_in(file)?;
            check_secret(secret)?;
            return Ok(Self {
                algorithm: Algorithm::Hs256,
                key: EncodingKey::from_secret(secret),
            });
        }
        let fault = || {
            KeyFault::new(
                "no private key is in this PEM that can sign: keys of Ed25519, of P-256 and of \
                 RSA can, which begin with -----BEGIN PRIVATE KEY-----; \
                 'openssl pkcs8 -topk8 -nocrypt -in FILE' converts others",
            )
        };
        let key = PrivateKeyDer::from_pem_slice(file).map_err(|_| fault())?;
        let der = key.secret_der();
        let algorithm = crypto::algorithm_of_private(der).ok_or_else(fault)?;
        let key = match algorithm {
            Algorithm::Hs256 => return Err(fault()),
            Algorithm::Rs256 => EncodingKey::from_rsa_der(der),
            Algorithm::Es256 => EncodingKey::from_ec_der(der),
            Algorithm::EdDsa => EncodingKey::from_ed_der(der),
        };
        Ok(Self { algorithm, key })
    }

    /// What it signs by.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// A token with these claims; `id` is its `kid`.
    ///
    /// # Errors
    /// The key does not sign.
    pub fn sign(
        &self,
        claims: &Map<String, Value>,
        id: Option<String>,
    ) -> Result<String, KeyFault> {
        crypto::provide();
        let mut header = Header::new(self.algorithm.of_library());
        header.kid = id;
        jsonwebtoken::encode(&header, claims, &self.key)
            .map_err(|error| KeyFault(format!("the key does not sign: {error}")))
    }
}
