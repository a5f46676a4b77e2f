//! The cryptography of tokens, done by *ring*, which TLS brings along anyway: neither a
//! second C library, nor RSA in variable time (RUSTSEC-2023-0071).

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::{
    Algorithm as Named, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey,
};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents, UnparsedPublicKey,
};

use super::Algorithm;

static RING: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match accepted(*algorithm, key.family()) {
        Some(algorithm) => Ok(Box::new(RingSigner(algorithm, key.clone()))),
        None => Err(ErrorKind::UnsupportedAlgorithm.into()),
    },
    verifier_factory: |algorithm, key| match accepted(*algorithm, key.family()) {
        Some(algorithm) => Ok(Box::new(RingVerifier(algorithm, key.clone()))),
        None => Err(ErrorKind::UnsupportedAlgorithm.into()),
    },
    // They make JWKs of keys, which nobody here does.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes the library use it. Whatever signs or verifies calls this first.
pub(super) fn provide() {
    // It fails if it was done before, which is as good.
    let _ = RING.install_default();
}

/// The algorithm, if it is one of ours and a key of this family is for it.
fn accepted(named: Named, family: AlgorithmFamily) -> Option<Algorithm> {
    let algorithm = Algorithm::of_family(family);
    (algorithm.of_library() == named).then_some(algorithm)
}

struct RingVerifier(Algorithm, DecodingKey);

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Named {
        self.0.of_library()
    }
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Error> {
        let bytes = match self.1.kind() {
            DecodingKeyKind::SecretOrDer(bytes) => bytes,
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                let key = RsaPublicKeyComponents { n, e };
                let verified = key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature);
                return verified.map_err(|_| Error::new());
            }
        };
        let verified = match self.0 {
            Algorithm::Hs256 => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, bytes);
                ring::hmac::verify(&key, message, signature)
            }
            Algorithm::Rs256 => {
                let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, bytes);
                key.verify(message, signature)
            }
            Algorithm::Es256 => {
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes);
                key.verify(message, signature)
            }
            Algorithm::EdDsa => UnparsedPublicKey::new(&ED25519, bytes).verify(message, signature),
        };
        verified.map_err(|_| Error::new())
    }
}

struct RingSigner(Algorithm, EncodingKey);

impl JwtSigner for RingSigner {
    fn algorithm(&self) -> Named {
        self.0.of_library()
    }
}

impl Signer<Vec<u8>> for RingSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let key = Signing::read(self.0, self.1.as_bytes()).map_err(|_| Error::new())?;
        key.sign(message).map_err(|_| Error::new())
    }
}

/// A private key, ready to sign.
enum Signing {
    Hs256(ring::hmac::Key),
    Rs256(Box<RsaKeyPair>),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Signing {
    fn read(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, ring::error::KeyRejected> {
        Ok(match algorithm {
            Algorithm::Hs256 => Self::Hs256(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, bytes)),
            Algorithm::Rs256 => Self::Rs256(Box::new(
                RsaKeyPair::from_pkcs8(bytes).or_else(|_| RsaKeyPair::from_der(bytes))?,
            )),
            Algorithm::Es256 => {
                let random = SystemRandom::new();
                let form = &ECDSA_P256_SHA256_FIXED_SIGNING;
                Self::Es256(EcdsaKeyPair::from_pkcs8(form, bytes, &random)?)
            }
            // OpenSSL leaves the public key out.
            Algorithm::EdDsa => Self::EdDsa(Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes)?),
        })
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ring::error::Unspecified> {
        let random = SystemRandom::new();
        Ok(match self {
            Self::Hs256(key) => ring::hmac::sign(key, message).as_ref().to_vec(),
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                signature
            }
            Self::Es256(key) => key.sign(&random, message)?.as_ref().to_vec(),
            Self::EdDsa(key) => key.sign(message).as_ref().to_vec(),
        })
    }
}

/// What a private key in DER is for: the algorithm by which it can sign.
pub(super) fn algorithm_of_private(der: &[u8]) -> Option<Algorithm> {
    [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256]
        .into_iter()
        .find(|algorithm| Signing::read(*algorithm, der).is_ok())
}

/// SHA-256: what stands for credentials where they must not be kept themselves.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}
