//! Bearer tokens (contract §11, §3 line 6, RFC 6750, RFC 8725).

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::token::{Guarded, authorization, claims, flags_for, forge, minted, now, token};
use crate::harness::{Answer, Events, Server};

const BEGIN: &str = "Bearer realm=\"matchbook\"";

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

fn with_header(name: &str, value: Value) -> String {
    let mut header = json!({"alg": "HS256"});
    header[name] = value;
    forge(&header, &claims(), b"thirty-two bytes of no entropy!!")
}

/// 401 that says why.
#[track_caller]
fn is_bad(answer: &Answer, why: &str) {
    answer.status(401).problem("unauthenticated");
    let challenge = answer.field("www-authenticate");
    let begin = format!("{BEGIN}, error=\"invalid_token\", error_description=\"");
    assert!(challenge.starts_with(&begin), "{challenge}");
    assert!(challenge.contains(why), "{challenge} does not say {why}");
    answer.has("cache-control", "no-store");
}

#[test]
fn section_3_line_6_each_method_needs_credentials() {
    let Guarded { server, .. } = &Guarded::start();
    let good = authorization();
    let made = server.put("/notes/1", "{}").field("Authorization", &good);
    let tag = made.send().status(201).tag();
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
        for target in ["/notes/1", "/notes/none"] {
            let request = || server.request(method, target).if_match(&tag);
            let answer = request().send();
            answer.status(401).has("www-authenticate", BEGIN);
            let answer = request().field("Authorization", "Bearer a.b.c").send();
            assert_eq!(answer.code, 401);
            assert!(answer.field("www-authenticate").contains("invalid_token"));
        }
    }
    for target in ["/", "/notes", "/_/changes", "/_/metrics", "/_/none"] {
        let answer = server.get(target).send();
        answer.status(401).has("www-authenticate", BEGIN);
    }
    server.post("/notes", "{}").send().status(401);
    let read = server.get("/notes/1").field("Authorization", &good).send();
    read.status(200).is_body("{}").has("etag", &tag);
    read.has("cache-control", "private, no-cache, no-transform");
    let varies = read.members("vary");
    assert!(
        varies.iter().any(|name| name == "authorization"),
        "{varies:?}"
    );
}

#[test]
fn section_3_line_6_what_anybody_may_ask() {
    let Guarded { server, .. } = &Guarded::start();
    for target in ["/_/health", "/_/ready", "/_/problems/unauthenticated"] {
        server.get(target).send().status(200);
        // Who sends bad credentials learns it everywhere.
        let answer = server.get(target).field("Authorization", "Bearer x").send();
        is_bad(&answer, "no JWT");
    }
    server.request("OPTIONS", "/notes/1").send().status(204);
}

#[test]
fn section_11_tokens_that_are_not_good() {
    let Guarded { server, .. } = &Guarded::with(&["--access-log"]);
    let good = token(&claims());
    let tampered = good.replacen('.', ".e30", 1);
    let cases = [
        (with_header("alg", json!("none")), "alg is not accepted"),
        (with_header("alg", json!("HS384")), "alg is not accepted"),
        (token(&with("exp", json!(now() - 31))), "expired"),
        (token(&without("exp")), "no exp"),
        (token(&with("nbf", json!(now() + 3_600))), "not valid yet"),
        (token(&with("aud", json!("other"))), "aud"),
        (token(&without("aud")), "aud"),
        (token(&with("iss", json!("https://evil.example"))), "iss"),
        (token(&without("sub")), "sub"),
        (with_header("kid", json!("elsewhere")), "kid"),
        (with_header("kid", json!("../../../../dev/null")), "kid"),
        (
            with_header("jku", json!("https://evil.example/jwks")),
            "jku",
        ),
        (
            with_header("x5u", json!("https://evil.example/cert")),
            "x5u",
        ),
        (with_header("jwk", json!({"kty": "oct", "k": "AA"})), "jwk"),
        (with_header("crit", json!(["exp"])), "crit"),
        (tampered, "signature"),
        (good.trim_end_matches(|c| c != '.').to_owned(), "signature"),
        ("x".repeat(20 * 1_024), "8192 bytes"),
    ];
    for (bad, why) in &cases {
        for method in ["GET", "PUT"] {
            let request = server.request(method, "/notes/1");
            let answer = request.field("Authorization", &format!("Bearer {bad}"));
            is_bad(&answer.send(), why);
        }
    }
    // Larger than all fields together may be.
    let huge = format!("Bearer {}", "x".repeat(64 * 1_024));
    let answer = server.get("/notes/1").field("Authorization", &huge).send();
    assert!(matches!(answer.code, 401 | 431), "{answer}");
    server.get("/_/health").send().status(200);
    let log = server.log();
    assert!(log.contains("/notes/1"), "requests are logged: {log}");
    for (bad, _) in &cases {
        let parts = bad.split('.').filter(|part| part.len() > 20);
        for part in parts {
            assert!(!log.contains(&part[..20]), "the log holds {part}");
        }
    }
}

#[test]
fn section_11_credentials_that_are_no_token() {
    let Guarded { server, .. } = &Guarded::with(&["--access-log"]);
    let good = authorization();
    for (value, why) in [
        ("Basic YWxpY2U6c2VjcmV0", "scheme"),
        ("Bearer", "no token"),
        ("Bearer a b", "no token"),
        ("Bearer mb_0011223344556677_x", "no API keys"),
    ] {
        let answer = server.get("/notes").field("Authorization", value).send();
        is_bad(&answer, why);
    }
    let twice = server.get("/notes").field("Authorization", &good);
    is_bad(
        &twice.field("Authorization", &good).send(),
        "more than once",
    );
    // In a URL it is no credentials, and it is not logged there either.
    let in_url = &good["Bearer ".len()..];
    let answer = server.get(&format!("/notes?access_token={in_url}")).send();
    answer.status(401).has("www-authenticate", BEGIN);
    let log = server.log();
    assert!(log.contains("/notes?"), "{log}");
    assert!(!log.contains(&in_url[..20]), "{log}");
}

#[test]
fn section_11_the_public_key_is_no_secret() {
    let directory = TempDir::new().unwrap();
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let public = directory.path().join("public.pem");
    std::fs::write(&public, pair.public_key_pem()).unwrap();
    let server = Server::with(&flags_for(public.to_str().unwrap()));
    let pem = pair.public_key_pem();
    for secret in [pem.as_bytes(), pem.trim().as_bytes(), pair.public_key_raw()] {
        let forged = forge(&json!({"alg": "HS256"}), &claims(), secret);
        let field = format!("Bearer {forged}");
        is_bad(
            &server.get("/c").field("Authorization", &field).send(),
            "alg",
        );
    }
}

#[test]
fn section_11_matchbook_token_makes_good_tokens() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    for (kind, name) in [(&PKCS_ED25519, "EdDSA"), (&PKCS_ECDSA_P256_SHA256, "ES256")] {
        let pair = KeyPair::generate_for(kind).unwrap();
        std::fs::write(path("private.pem"), pair.serialize_pem()).unwrap();
        std::fs::write(path("public.pem"), pair.public_key_pem()).unwrap();
        let server = Server::with(&flags_for(path("public.pem").to_str().unwrap()));
        let token = minted(&path("private.pem"), &["--algorithm", name]);
        let good = format!("Bearer {token}");
        let made = server.put("/notes/1", "{}").field("Authorization", &good);
        made.send().status(201);
        let read = server.get("/notes/1").field("Authorization", &good);
        read.send().status(200);
        let private = path("private.pem");
        let refused = std::process::Command::new(crate::harness::binary::path())
            .args(["serve", "--data"])
            .arg(path("data"))
            .args(flags_for(private.to_str().unwrap()))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2));
        assert!(said.contains("private key"), "{said}");
    }
}

#[test]
fn section_5_2_each_principal_has_idempotency_keys_of_its_own() {
    let Guarded { server, .. } = &Guarded::start();
    let posted = |who: &str| {
        let by = format!("Bearer {}", token(&with("sub", json!(who))));
        let post = server.post("/notes", "{}").field("Authorization", &by);
        let answer = post.field("Idempotency-Key", "\"k\"").send();
        answer.status(201).field("location").to_owned()
    };
    let by_alice = posted("alice");
    assert_ne!(posted("bob"), by_alice);
    assert_eq!(posted("alice"), by_alice);
}

#[test]
fn section_7_7_a_stream_ends_with_its_token() {
    let Guarded { server, .. } = &Guarded::start();
    let good = authorization();
    let refused = Events::try_open(server.address(), "/notes", &[]).unwrap();
    refused.head.status(401).has("www-authenticate", BEGIN);
    // It expired long enough ago that few seconds are left of what clocks may differ.
    let short = token(&with("exp", json!(now() - 27)));
    let field = format!("Bearer {short}");
    let fields = [("Authorization", field.as_str())];
    let mut events = Events::open(server.address(), "/notes", &fields);
    events.next().is("synced");
    let mut last = String::new();
    for number in 0.. {
        let target = format!("/notes/{number}");
        let made = server.put(&target, "{}").field("Authorization", &good);
        made.send().status(201);
        let event = events.next();
        if event.name == "end" {
            assert_eq!(event.text("reason"), "token-expired");
            assert!(event.has_id && event.id == last, "{event:?} after {last}");
            break;
        }
        event.is("put");
        last.clone_from(&event.id);
    }
    assert!(events.rest().is_empty());
}
