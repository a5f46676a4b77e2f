//! The cookie that stands for a token (contract §7.6).

use serde_json::json;

use crate::harness::Events;
use crate::harness::token::{Guarded, authorization, claims, token};

/// Name and value in `Set-Cookie`, and its attributes in lower case.
fn cookie(set_cookie: &str) -> (String, Vec<String>) {
    let mut parts = set_cookie.split("; ").map(str::to_owned);
    let pair = parts.next().unwrap();
    (pair, parts.map(|part| part.to_lowercase()).collect())
}

#[test]
fn section_7_6_a_token_becomes_a_cookie_for_get_and_head() {
    let Guarded { server, .. } = &Guarded::start();
    let good = authorization();
    server
        .put("/notes/1", "{}")
        .field("Authorization", &good)
        .send()
        .status(201);
    let made = server
        .request("POST", "/_/session")
        .field("Authorization", &good)
        .send();
    made.status(204)
        .has("cache-control", "no-store")
        .is_body("");
    let (pair, attributes) = cookie(made.field("set-cookie"));
    assert!(pair.starts_with("matchbook-session="), "{pair}");
    assert_eq!(attributes[..3], ["httponly", "samesite=strict", "path=/"]);
    let age = attributes[3].strip_prefix("max-age=").unwrap();
    let age: u64 = age.parse().unwrap();
    assert!((500..=700).contains(&age), "{age}");

    let with_cookie = |method, target| server.request(method, target).field("Cookie", &pair);
    with_cookie("GET", "/notes/1").send().status(200);
    with_cookie("HEAD", "/notes/1").send().status(200);
    let fields = [("Cookie", pair.as_str())];
    Events::open(server.address(), "/notes", &fields)
        .next()
        .is("synced");
    for method in ["PUT", "PATCH", "DELETE"] {
        with_cookie(method, "/notes/1").send().status(401);
    }
    with_cookie("POST", "/notes").send().status(401);
    with_cookie("POST", "/_/session").send().status(401);
    // What is in Authorization counts, be it worse.
    let both = with_cookie("GET", "/notes/1").field("Authorization", "Bearer x");
    both.send().status(401);
    let bad = server
        .get("/notes/1")
        .field("Cookie", "matchbook-session=x");
    assert!(
        bad.send()
            .status(401)
            .field("www-authenticate")
            .contains("invalid_token")
    );

    let ended = server.delete("/_/session").send();
    let (pair, attributes) = cookie(ended.status(204).field("set-cookie"));
    assert_eq!(pair, "matchbook-session=");
    assert!(
        attributes.contains(&"max-age=0".to_owned()),
        "{attributes:?}"
    );
}

#[test]
fn section_7_6_behind_tls_the_cookie_is_for_this_host_only() {
    let Guarded { server, .. } = &Guarded::start();
    let good = authorization();
    let made = server
        .request("POST", "/_/session")
        .without("host")
        .field("Host", "notes.example")
        .field("Origin", "https://notes.example")
        .field("Authorization", &good)
        .send();
    let (pair, attributes) = cookie(made.status(204).field("set-cookie"));
    assert!(pair.starts_with("__Host-matchbook="), "{pair}");
    assert_eq!(
        attributes[..4],
        ["httponly", "secure", "samesite=strict", "path=/"]
    );
    server
        .get("/notes")
        .field("Cookie", &pair)
        .send()
        .status(200);
}

#[test]
fn section_7_6_what_cannot_be_a_session() {
    let Guarded { server, .. } = &Guarded::start();
    let post = || server.request("POST", "/_/session");
    post().send().status(401);
    let mut large = claims();
    large["more"] = json!("x".repeat(4_000));
    let large = format!("Bearer {}", token(&large));
    let answer = post().field("Authorization", &large).send();
    answer.status(400).problem("no-session");
    let foreign = post().field("Authorization", &authorization());
    foreign
        .field("Origin", "https://evil.example")
        .send()
        .status(403)
        .problem("foreign-site");
    let answer = server
        .get("/_/session")
        .field("Authorization", &authorization())
        .send();
    answer.status(405).has("allow", "POST, DELETE, OPTIONS");
    let options = server.request("OPTIONS", "/_/session").send();
    options.status(204).has("allow", "POST, DELETE, OPTIONS");
}

#[test]
fn section_7_6_where_nobody_needs_a_token_there_is_no_session() {
    let server = crate::harness::Server::start();
    server.request("POST", "/_/session").send().status(404);
}
