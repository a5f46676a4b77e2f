//! Each refusal, with a token that is good but for one thing.

use base64::prelude::BASE64_STANDARD as BASE64;
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData as _,
};
use serde_json::json;

use super::*;
use crate::identity::{Origin, SigningKey};

const NOW: u64 = 1_800_000_000;
const SECRET: &[u8] = b"thirty-two bytes of no entropy!!";
const RSA_PRIVATE: &str = include_str!("../samples/rsa-private.pem");
const RSA_PUBLIC: &str = include_str!("../samples/rsa-public.pem");
const RSA_WEAK: &str = include_str!("../samples/rsa-1024-public.pem");

fn verifier() -> Verifier {
    Verifier {
        issuer: "https://issuer.example".into(),
        audience: "matchbook".into(),
    }
}

fn claims() -> Value {
    json!({
        "iss": "https://issuer.example",
        "aud": "matchbook",
        "sub": "alice",
        "exp": NOW + 600,
        "role": "editor",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn hmac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    ring::hmac::sign(&key, message).as_ref().to_vec()
}

/// A token that is put together by hand, since no library makes a bad one.
fn forge(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let part = |value: &Value| BASE64URL.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = BASE64URL.encode(hmac(secret, message.as_bytes()));
    format!("{message}.{signature}")
}

fn hs256(claims: &Value) -> String {
    forge(&json!({"alg": "HS256", "typ": "JWT"}), claims, SECRET)
}

fn with_header(name: &str, value: Value) -> String {
    let mut header = json!({"alg": "HS256", "typ": "JWT"});
    header[name] = value;
    forge(&header, &claims(), SECRET)
}

fn verify(token: &str, file: &[u8]) -> Result<Principal, TokenFault> {
    verifier().verify(token, &KeySet::from_file(file).unwrap(), NOW)
}

#[test]
fn section_11_a_good_token_of_each_algorithm() {
    let ed25519 = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let p256 = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let secret = String::from_utf8(SECRET.to_vec()).unwrap();
    let cases = [
        (Algorithm::Hs256, secret.clone(), secret.clone() + "\n"),
        (Algorithm::Rs256, RSA_PRIVATE.into(), RSA_PUBLIC.into()),
        (
            Algorithm::Es256,
            p256.serialize_pem(),
            p256.public_key_pem(),
        ),
        (
            Algorithm::EdDsa,
            ed25519.serialize_pem(),
            ed25519.public_key_pem(),
        ),
    ];
    for (algorithm, private, public) in &cases {
        let key = SigningKey::from_file(private.as_bytes()).unwrap();
        assert_eq!(key.algorithm(), *algorithm);
        let token = key.sign(claims().as_object().unwrap(), None).unwrap();
        let principal = verify(&token, public.as_bytes()).unwrap();
        assert_eq!((principal.kind, &*principal.id), (Kind::User, "alice"));
        assert_eq!(principal.expires_secs, Some(NOW + 600 + LEEWAY_SECS));
        assert_eq!(principal.claims["role"], "editor");
        for (other, _, key) in cases.iter().filter(|(other, ..)| other != algorithm) {
            let fault = verify(&token, key.as_bytes());
            assert_eq!(fault, Err(TokenFault::UnknownKey), "{algorithm} by {other}");
        }
        let (message, signature) = token.rsplit_once('.').unwrap();
        let mut bytes = BASE64URL.decode(signature).unwrap();
        bytes[0] ^= 1;
        let forged = format!("{message}.{}", BASE64URL.encode(bytes));
        let fault = verify(&forged, public.as_bytes());
        assert_eq!(fault, Err(TokenFault::Signature), "{algorithm}");
    }
}

#[test]
fn section_11_claims_that_are_not_good() {
    let cases = [
        (with("exp", json!(NOW - LEEWAY_SECS)), TokenFault::Expired),
        (with("exp", json!(0)), TokenFault::Expired),
        (
            with("exp", json!((NOW + 600).to_string())),
            TokenFault::NoExpiry,
        ),
        (with("exp", json!(-1)), TokenFault::NoExpiry),
        (with("exp", Value::Null), TokenFault::NoExpiry),
        (without("exp"), TokenFault::NoExpiry),
        (
            with("nbf", json!(NOW + LEEWAY_SECS + 1)),
            TokenFault::NotYetValid,
        ),
        (with("nbf", json!("soon")), TokenFault::NotYetValid),
        (with("aud", json!("other")), TokenFault::Audience),
        (
            with("aud", json!(["other", "another"])),
            TokenFault::Audience,
        ),
        (with("aud", json!([])), TokenFault::Audience),
        (
            with("aud", json!({"matchbook": true})),
            TokenFault::Audience,
        ),
        (without("aud"), TokenFault::Audience),
        (
            with("iss", json!("https://issuer.example/")),
            TokenFault::Issuer,
        ),
        (
            with("iss", json!(["https://issuer.example"])),
            TokenFault::Issuer,
        ),
        (without("iss"), TokenFault::Issuer),
        (with("sub", json!("")), TokenFault::Subject),
        (with("sub", json!(7)), TokenFault::Subject),
        (with("sub", json!("a\nb")), TokenFault::Subject),
        (
            with("sub", json!("a".repeat(SUBJECT_BYTES + 1))),
            TokenFault::Subject,
        ),
        (without("sub"), TokenFault::Subject),
    ];
    for (claims, fault) in cases {
        assert_eq!(verify(&hs256(&claims), SECRET), Err(fault), "{claims}");
    }
}

#[test]
fn section_11_claims_at_the_edge_of_what_is_good() {
    for claims in [
        with("exp", json!(NOW - LEEWAY_SECS + 1)),
        with("exp", json!(1.8e9 + 0.5)),
        with("exp", json!(u64::MAX)),
        with("nbf", json!(NOW + LEEWAY_SECS)),
        with("aud", json!(["other", "matchbook"])),
        with("sub", json!("a".repeat(SUBJECT_BYTES))),
    ] {
        assert!(verify(&hs256(&claims), SECRET).is_ok(), "{claims}");
    }
}

#[test]
fn section_11_headers_that_are_not_good() {
    let cases = [
        ("alg", json!("none"), TokenFault::Algorithm),
        ("alg", json!("None"), TokenFault::Algorithm),
        ("alg", json!("hs256"), TokenFault::Algorithm),
        ("alg", json!("HS512"), TokenFault::Algorithm),
        ("alg", json!("RS256"), TokenFault::UnknownKey),
        ("alg", Value::Null, TokenFault::Algorithm),
        (
            "jku",
            json!("https://evil.example/keys"),
            TokenFault::ForeignKey,
        ),
        (
            "x5u",
            json!("https://evil.example/cert"),
            TokenFault::ForeignKey,
        ),
        ("x5c", json!(["MIIB"]), TokenFault::ForeignKey),
        (
            "jwk",
            json!({"kty": "oct", "k": BASE64URL.encode(SECRET)}),
            TokenFault::ForeignKey,
        ),
        ("crit", json!(["exp"]), TokenFault::Critical),
        ("crit", json!([]), TokenFault::Critical),
        ("b64", json!(false), TokenFault::Critical),
        ("typ", json!("logout+jwt"), TokenFault::Type),
        ("typ", json!(7), TokenFault::Type),
        ("kid", json!("elsewhere"), TokenFault::UnknownKey),
        ("kid", json!("../../../dev/null"), TokenFault::UnknownKey),
        ("kid", json!(""), TokenFault::UnknownKey),
        ("kid", json!(["a"]), TokenFault::Malformed),
    ];
    for (name, value, fault) in cases {
        let token = with_header(name, value.clone());
        assert_eq!(verify(&token, SECRET), Err(fault), "{name}: {value}");
    }
    for typ in ["jwt", "at+jwt", "application/at+JWT"] {
        assert!(
            verify(&with_header("typ", json!(typ)), SECRET).is_ok(),
            "{typ}"
        );
    }
}

#[test]
fn section_11_the_public_key_is_no_secret() {
    let header = json!({"alg": "HS256"});
    for secret in [RSA_PUBLIC.as_bytes(), RSA_PUBLIC.trim_end().as_bytes()] {
        let token = forge(&header, &claims(), secret);
        let fault = verify(&token, RSA_PUBLIC.as_bytes());
        assert_eq!(fault, Err(TokenFault::UnknownKey));
        // Also where a secret is configured beside it.
        let mut keys = KeySet::from_file(RSA_PUBLIC.as_bytes()).unwrap();
        keys.extend(KeySet::from_file(SECRET).unwrap());
        let fault = verifier().verify(&token, &keys, NOW);
        assert_eq!(fault, Err(TokenFault::Signature));
    }
}

#[test]
fn section_11_what_is_no_token() {
    let good = hs256(&claims());
    let (message, _) = good.rsplit_once('.').unwrap();
    let (header, rest) = good.split_once('.').unwrap();
    let duplicate = BASE64URL.encode(r#"{"alg":"none","alg":"HS256"}"#);
    let cases = [
        (String::new(), TokenFault::Malformed),
        (".".into(), TokenFault::Malformed),
        ("..".into(), TokenFault::Malformed),
        ("a.b.c".into(), TokenFault::Malformed),
        (message.into(), TokenFault::Malformed),
        (format!("{message}."), TokenFault::Signature),
        (format!("{message}.AAAA"), TokenFault::Signature),
        (format!("{message}.=="), TokenFault::Malformed),
        (format!("{good}.x"), TokenFault::Malformed),
        (format!("{good}="), TokenFault::Malformed),
        (format!("W10.{rest}"), TokenFault::Malformed),
        (format!("{header}=.{rest}"), TokenFault::Malformed),
        (format!("{duplicate}.{rest}"), TokenFault::Malformed),
        ("é".repeat(9), TokenFault::Malformed),
        ("x".repeat(64 * 1_024), TokenFault::TooLong),
        (
            hs256(&with("x", json!("x".repeat(TOKEN_BYTES)))),
            TokenFault::TooLong,
        ),
        (hs256(&json!(["no", "object"])), TokenFault::Malformed),
    ];
    for (token, fault) in cases {
        let found = verify(&token, SECRET);
        assert_eq!(found, Err(fault), "{}", token.get(..60).unwrap_or(&token));
    }
}

#[test]
fn section_11_no_byte_of_a_token_can_be_changed() {
    let good = hs256(&claims());
    assert!(verify(&good, SECRET).is_ok());
    for place in 0..good.len() {
        for other in ["A", "B", "_", ".", "=", " ", ""] {
            let mut token = good.clone();
            token.replace_range(place..=place, other);
            let is_other = token != good;
            assert!(!is_other || verify(&token, SECRET).is_err(), "{token}");
        }
    }
}

#[test]
fn section_11_a_kid_chooses_among_the_configured_keys() {
    let oct =
        |id: &str, byte: u8| json!({"kty": "oct", "kid": id, "k": BASE64URL.encode([byte; 32])});
    let set = json!({"keys": [oct("a", 1), oct("b", 2)]}).to_string();
    let signed = |id: Option<&str>, byte: u8| {
        let mut header = json!({"alg": "HS256"});
        if let Some(id) = id {
            header["kid"] = id.into();
        }
        verify(&forge(&header, &claims(), &[byte; 32]), set.as_bytes()).map(|_| ())
    };
    assert_eq!(signed(Some("a"), 1), Ok(()));
    assert_eq!(signed(Some("b"), 2), Ok(()));
    assert_eq!(signed(Some("a"), 2), Err(TokenFault::Signature));
    assert_eq!(signed(Some("c"), 1), Err(TokenFault::UnknownKey));
    assert_eq!(signed(None, 2), Ok(()));
    assert_eq!(signed(None, 3), Err(TokenFault::Signature));
}

#[test]
fn section_11_keys_of_a_set_that_are_left_out() {
    let rsa = |n: &[u8]| json!({"kty": "RSA", "n": BASE64URL.encode(n), "e": "AQAB"});
    let mut odd = [0; 257];
    odd[1] = 0x80;
    let good = rsa(&odd);
    let oct = json!({"kty": "oct", "k": BASE64URL.encode(SECRET)});
    let but = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    let cases = [
        (good.clone(), true, true),
        (but("use", json!("sig")), true, true),
        (but("use", json!("enc")), false, false),
        (but("key_ops", json!(["verify"])), true, true),
        (but("key_ops", json!(["encrypt"])), false, false),
        (but("alg", json!("RS256")), true, true),
        (but("alg", json!("RS512")), false, false),
        (but("alg", json!("PS256")), false, false),
        (but("alg", json!("RSA-OAEP")), false, false),
        (but("n", json!("not base64!")), false, false),
        (rsa(&[0xff; 255]), false, false),
        (rsa(&[0xff; 1_025]), false, false),
        (oct.clone(), true, false),
        (json!({"kty": "oct", "k": "c2hvcnQ"}), false, false),
        (
            json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}),
            false,
            false,
        ),
        (
            json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
            false,
            false,
        ),
        (
            json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}),
            false,
            false,
        ),
        (
            json!({"kty": "OKP", "crv": "Ed448", "x": "AA"}),
            false,
            false,
        ),
        (
            json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64URL.encode([1; 32])}),
            true,
            true,
        ),
        (
            json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64URL.encode([1; 31])}),
            false,
            false,
        ),
        (json!({"kty": "future"}), false, false),
        (json!("no key"), false, false),
    ];
    for (key, in_file, by_url) in cases {
        let set = json!({"keys": [key]}).to_string();
        for (origin, is_kept) in [(Origin::File, in_file), (Origin::Url, by_url)] {
            let keys = KeySet::from_jwks(set.as_bytes(), origin).unwrap();
            assert_eq!(keys.len() == 1, is_kept, "{origin:?} {set}");
            assert_eq!(keys.left_out().is_empty(), is_kept, "{set}");
        }
    }
}

#[test]
fn section_11_files_without_a_good_key_say_why() {
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let p384 = p384.public_key_pem();
    let cases: [(&[u8], &str); 8] = [
        (b"", "0 bytes"),
        (b"short\r\n", "5 bytes"),
        (&[b'x'; 31], "31 bytes"),
        (RSA_WEAK.as_bytes(), "1024 bits"),
        (RSA_PRIVATE.as_bytes(), "private key"),
        (p384.as_bytes(), "this is none"),
        (b"-----BEGIN PUBLIC KEY-----\n", "no public key"),
        (b"{\"keys\":[]}", "no key of this set"),
    ];
    for (file, why) in cases {
        let fault = KeySet::from_file(file).unwrap_err().to_string();
        assert!(fault.contains(why), "{fault:?} does not say {why:?}");
    }
    assert!(KeySet::from_jwks(b"{\"keys\":7}", Origin::Url).is_err());
    assert!(SigningKey::from_file(RSA_PUBLIC.as_bytes()).is_err());
    assert!(SigningKey::from_file(b"short").is_err());
}

#[test]
fn section_11_what_everybody_may_know_is_no_secret() {
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let der = pair.subject_public_key_info();
    let packed = BASE64.encode(&der);
    let folded = format!("{}\n{}\n", &packed[..20], &packed[20..]);
    let ssh = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEv0 alice@notes\n";
    for file in [&der, packed.as_bytes(), folded.as_bytes(), &ssh[..]] {
        assert!(KeySet::from_file(file).is_err(), "{file:?}");
        assert!(SigningKey::from_file(file).is_err(), "{file:?}");
    }
    // Text before a key in PEM is no part of it.
    let keys = KeySet::from_file(format!("Bag\n{RSA_PUBLIC}").as_bytes()).unwrap();
    let token = forge(&json!({"alg": "HS256"}), &claims(), RSA_PUBLIC.as_bytes());
    let fault = verifier().verify(&token, &keys, NOW);
    assert_eq!(fault, Err(TokenFault::UnknownKey));
    let random = BASE64.encode([0x30; 48]);
    assert!(KeySet::from_file(random.as_bytes()).is_ok());
}

#[test]
fn what_is_shown_of_a_key_does_not_hold_it() {
    let keys = KeySet::from_file(SECRET).unwrap();
    let signing = SigningKey::from_file(SECRET).unwrap();
    let shown = format!("{keys:?} {signing:?}");
    assert!(shown.contains("redacted"), "{shown}");
    assert!(!shown.contains("116"), "{shown}");
}
