//! JWK sets (RFC 7517 §5).

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use serde_json::Value;

use super::key::{Key, KeyFault};
use super::{Algorithm, Origin};

/// The keys of a document that can be used, and why the others cannot (RFC 7517 §5: a
/// set may hold keys that its reader does not understand).
///
/// # Errors
/// It is no JWK set.
pub(super) fn read(document: &[u8], origin: Origin) -> Result<(Vec<Key>, Vec<String>), KeyFault> {
    let fault = || KeyFault::new("this is no JWK set, which looks like {\"keys\":[…]}");
    let set: Value = serde_json::from_slice(document).map_err(|_| fault())?;
    let entries = set
        .get("keys")
        .and_then(Value::as_array)
        .ok_or_else(fault)?;
    let (mut keys, mut left_out) = (Vec::new(), Vec::new());
    for (place, entry) in entries.iter().enumerate() {
        match read_one(entry, origin) {
            Ok(key) => keys.push(key),
            Err(KeyFault(why)) => {
                let name = entry.get("kid").and_then(Value::as_str);
                left_out.push(format!(
                    "key {} ({}): {why}",
                    place + 1,
                    name.unwrap_or("no kid")
                ));
            }
        }
    }
    Ok((keys, left_out))
}

fn read_one(entry: &Value, origin: Origin) -> Result<Key, KeyFault> {
    let jwk: Jwk = serde_json::from_value(entry.clone())
        .map_err(|_| KeyFault::new("its members are not those of a key"))?;
    let used = jwk.common.public_key_use.as_ref();
    if used.is_some_and(|used| *used != PublicKeyUse::Signature) {
        return Err(KeyFault::new("its use is not sig"));
    }
    let operations = jwk.common.key_operations.as_deref();
    if operations.is_some_and(|known| !known.contains(&KeyOperations::Verify)) {
        return Err(KeyFault::new("its key_ops are without verify"));
    }
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::Rs256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            Algorithm::Es256
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDsa
        }
        AlgorithmParameters::OctetKey(_) if origin == Origin::Url => {
            return Err(KeyFault::new("a secret that anybody can fetch is none"));
        }
        AlgorithmParameters::OctetKey(_) => Algorithm::Hs256,
        _ => return Err(KeyFault::new("its kty or crv is not known")),
    };
    let named = jwk.common.key_algorithm;
    if named.is_some_and(|named| named != KeyAlgorithm::from(algorithm.of_library())) {
        return Err(KeyFault::new("its alg is not accepted"));
    }
    let decoding =
        DecodingKey::from_jwk(&jwk).map_err(|_| KeyFault::new("it is not written in base64url"))?;
    Key::new(jwk.common.key_id, decoding)
}
