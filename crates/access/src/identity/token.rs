//! Bearer tokens: JWTs (RFC 7519) that are checked as RFC 8725 says.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::Validation;
use jsonwebtoken::errors::ErrorKind;
use serde_json::{Map, Value};

use super::{Algorithm, KeySet, TokenFault, crypto};
use crate::{Kind, Principal};

/// Longest token that is looked at. Tokens with many claims have 2 KiB, and all fields
/// of a request together are at most 32 KiB.
pub const TOKEN_BYTES: usize = 8 * 1_024;

/// How far the issuer's clock and this one may be apart, in seconds. Machines that keep
/// their time by NTP differ by less than one; laptops and just woken machines by some.
pub const LEEWAY_SECS: u64 = 30;

/// Longest `sub` (OpenID Connect Core §2 allows as much).
pub const SUBJECT_BYTES: usize = 255;

/// Header parameters by which a token would choose its own key (RFC 8725 §3.10).
const KEYS_OF_ITS_OWN: [&str; 4] = ["jku", "jwk", "x5u", "x5c"];

/// Extensions that change what is signed; none is known here (RFC 7515 §4.1.11, 7797).
const EXTENSIONS: [&str; 2] = ["crit", "b64"];

/// What tokens must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must be or hold.
    pub audience: String,
}

impl Verifier {
    /// Who a token speaks for, at `now_secs` (seconds since 1970).
    ///
    /// # Errors
    /// The first thing that is wrong with it. Claims are looked at only if the signature
    /// is good, so that nobody learns from guesses.
    pub fn verify(
        &self,
        token: &str,
        keys: &KeySet,
        now_secs: u64,
    ) -> Result<Principal, TokenFault> {
        if token.len() > TOKEN_BYTES {
            return Err(TokenFault::TooLong);
        }
        let (algorithm, key_id) = read_header(token)?;
        let candidates = keys.candidates(algorithm, key_id.as_deref())?;
        crypto::provide();
        let validation = signature_only(algorithm);
        let mut fault = TokenFault::Signature;
        for key in candidates {
            match jsonwebtoken::decode::<Map<String, Value>>(token, &key.decoding, &validation) {
                Ok(data) => return self.accept(data.claims, now_secs),
                Err(error) if *error.kind() == ErrorKind::InvalidSignature => {}
                Err(_) => fault = TokenFault::Malformed,
            }
        }
        Err(fault)
    }

    fn accept(&self, claims: Map<String, Value>, now_secs: u64) -> Result<Principal, TokenFault> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(TokenFault::Issuer);
        }
        let is_meant = match claims.get("aud") {
            Some(Value::String(audience)) => *audience == self.audience,
            Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(&self.audience)),
            _ => false,
        };
        if !is_meant {
            return Err(TokenFault::Audience);
        }
        let expiry = claims.get("exp").and_then(numeric_date);
        let refused_from = expiry
            .ok_or(TokenFault::NoExpiry)?
            .saturating_add(LEEWAY_SECS);
        if now_secs >= refused_from {
            return Err(TokenFault::Expired);
        }
        if let Some(begin) = claims.get("nbf") {
            let begin = numeric_date(begin).ok_or(TokenFault::NotYetValid)?;
            if begin > now_secs.saturating_add(LEEWAY_SECS) {
                return Err(TokenFault::NotYetValid);
            }
        }
        let subject = claims
            .get("sub")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let is_fine = !subject.is_empty()
            && subject.len() <= SUBJECT_BYTES
            && !subject.chars().any(char::is_control);
        if !is_fine {
            return Err(TokenFault::Subject);
        }
        Ok(Principal {
            kind: Kind::User,
            id: subject.into(),
            claims: Arc::new(claims),
            expires_secs: Some(refused_from),
        })
    }
}

/// Signature and form are the library's business; claims are looked at here, where the
/// time is given and each fault has its name.
fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm.of_library());
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

/// What the header says of algorithm and key, if it says nothing that is not allowed.
fn read_header(token: &str) -> Result<(Algorithm, Option<String>), TokenFault> {
    let mut parts = token.split('.');
    let (Some(header), Some(_), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(TokenFault::Malformed);
    };
    let header = BASE64URL
        .decode(header)
        .map_err(|_| TokenFault::Malformed)?;
    let header: Map<String, Value> =
        serde_json::from_slice(&header).map_err(|_| TokenFault::Malformed)?;
    let algorithm = header.get("alg").and_then(Value::as_str);
    let algorithm = algorithm
        .and_then(Algorithm::from_name)
        .ok_or(TokenFault::Algorithm)?;
    if KEYS_OF_ITS_OWN
        .iter()
        .any(|name| header.contains_key(*name))
    {
        return Err(TokenFault::ForeignKey);
    }
    if EXTENSIONS.iter().any(|name| header.contains_key(*name)) {
        return Err(TokenFault::Critical);
    }
    match header.get("typ") {
        None => {}
        Some(Value::String(name)) if is_access_token(name) => {}
        Some(_) => return Err(TokenFault::Type),
    }
    match header.get("kid") {
        None => Ok((algorithm, None)),
        Some(Value::String(id)) => Ok((algorithm, Some(id.clone()))),
        Some(_) => Err(TokenFault::Malformed),
    }
}

/// One kind of token must not pass for another (RFC 8725 §3.11, RFC 9068 §2.1).
fn is_access_token(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_prefix("application/").unwrap_or(&name);
    matches!(name, "jwt" | "at+jwt")
}

/// Seconds since 1970, a fraction cut off (RFC 7519 §2).
fn numeric_date(value: &Value) -> Option<u64> {
    let whole = value.as_u64();
    whole.or_else(|| {
        let secs = value.as_f64().filter(|secs| *secs >= 0.0)?;
        Some(secs as u64)
    })
}

#[cfg(test)]
mod tests;
