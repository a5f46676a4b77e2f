//! How often one caller may ask (contract §3 line 8): each test has a rate so low that no
//! unit comes back while it runs.

use serde_json::json;

use crate::harness::token::{Guarded, authorization, claims, token};
use crate::harness::{Answer, Server};

/// One unit a second, and so many at once.
fn flags(burst: &str) -> [&str; 4] {
    ["--rate-limit", "1", "--rate-burst", burst]
}

/// The parameters of the one item of a field (RFC 9651 §3.1.2).
#[track_caller]
fn parameters(answer: &Answer, field: &str) -> Vec<(String, u64)> {
    let value = answer.field(field);
    let (name, parameters) = value.split_once(';').unwrap();
    assert_eq!(name, "\"default\"");
    let parameters = parameters.split(';').map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap();
        (name.to_owned(), value.parse().unwrap())
    });
    parameters.collect()
}

#[track_caller]
fn left(answer: &Answer) -> u64 {
    let parameters = parameters(answer, "ratelimit");
    assert_eq!(parameters[1].0, "t");
    assert_eq!(parameters[0].0, "r");
    parameters[0].1
}

#[track_caller]
fn is_too_many(answer: &Answer) {
    answer.status(429).problem("too-many-requests");
    let wait_secs: u64 = answer.field("retry-after").parse().unwrap();
    assert!(wait_secs >= 1, "{answer}");
    assert_eq!(
        parameters(answer, "ratelimit")[1],
        ("t".to_owned(), wait_secs)
    );
}

/// Asks until there is nothing left. A unit may come back meanwhile.
#[track_caller]
fn use_up(mut ask: impl FnMut() -> Answer) -> Answer {
    for _ in 0..1_000 {
        let answer = ask();
        if answer.code == 429 {
            return answer;
        }
    }
    panic!("it is not limited");
}

#[test]
fn section_3_line_8_so_many_and_then_429() {
    let server = Server::with(&flags("10"));
    let mut connection = server.connect();
    let made = connection.put("/a/1", "{}").send();
    made.status(201);
    assert_eq!(
        parameters(&made, "ratelimit-policy"),
        [("q".to_owned(), 10), ("w".to_owned(), 10)]
    );
    let mut before = left(&made);
    assert_eq!(before, 9);
    // Reads that are answered from memory, those that are not, and refusals.
    for target in ["/a/1", "/a/1", "/a", "/a/none"] {
        let answer = connection.get(target).send();
        let now = left(&answer);
        assert!(now <= before, "{answer}");
        before = now;
    }
    is_too_many(&use_up(|| connection.get("/a/1").send()));
    is_too_many(&use_up(|| connection.put("/a/1", "1").if_match("*").send()));
    let head = use_up(|| connection.request("HEAD", "/a/1").send());
    head.status(429).is_body("");
    // What is answered before line 8.
    connection.request("TRACE", "/a/1").send().status(405);
    let foreign = connection.put("/a/1", "1");
    foreign
        .field("Origin", "https://evil.example")
        .send()
        .status(403);
}

#[test]
fn section_3_line_8_a_request_is_counted_once() {
    let server = Server::with(&flags("1000"));
    let text = "x".repeat(2_000);
    let tag = server.create("/a/1", format!("\"{text}\""));
    let mut before = left(&server.get("/a/1").send());
    let mut one = |answer: &Answer| {
        let now = left(answer);
        assert!(now + 1 >= before, "{before}: {answer}");
        before = now;
    };
    // A coding is made once it is first asked for, and answered from memory later.
    for _ in 0..3 {
        let coded = server.get("/a/1").field("Accept-Encoding", "gzip");
        one(coded.send().status(200));
        one(server.get("/a/1").if_none_match(&tag).send().status(304));
        one(server.get("/a").send().status(200));
        one(server.get("/a/none").send().status(404));
        one(server.put("/a/1", "1").send().status(428));
    }
}

#[test]
fn section_3_line_8_what_costs_nothing() {
    let server = Server::with(&flags("5"));
    is_too_many(&use_up(|| server.get("/a/1").send()));
    for _ in 0..20 {
        for target in ["/_/health", "/_/ready"] {
            let answer = server.get(target).send();
            answer.status(200).no_field("ratelimit");
            parameters(&answer, "ratelimit-policy");
        }
        server.request("OPTIONS", "/a/1").send().status(204);
    }
}

#[test]
fn section_3_line_8_no_limit_by_default() {
    let server = Server::start();
    let answer = server.get("/a/1").send();
    answer
        .status(404)
        .no_field("ratelimit")
        .no_field("ratelimit-policy");
}

#[test]
fn section_7_6_a_stream_is_told_to_come_back_in_the_stream() {
    let server = Server::with(&flags("5"));
    is_too_many(&use_up(|| server.get("/a/1").send()));
    // A unit may come back meanwhile.
    let mut firsts = (0..1_000).map(|_| server.events("/a").next());
    let ended = firsts.find(|first| first.name == "end").unwrap();
    assert_eq!(ended.json()["reason"], "busy");
    assert!(ended.retry.is_some(), "{ended:?}");
}

#[test]
fn section_8_a_batch_costs_as_much_as_its_requests() {
    let server = Server::with(&flags("100"));
    let batch = |count: usize| {
        let requests: Vec<_> = (0..count)
            .map(|number| json!({"method": "PUT", "path": format!("/a/{count}-{number}"), "body": 1}))
            .collect();
        let text = json!({"requests": requests}).to_string();
        server.post("/_/batch", text).send()
    };
    let done = batch(60);
    assert!((40..60).contains(&left(done.status(200))), "{done}");
    let refused = batch(50);
    is_too_many(&refused);
    assert!(left(&refused) < 60, "{refused}");
    server.get("/a/50-0").send().status(404);
    batch(20).status(200);
    // More than could ever be paid for.
    let problem = batch(101).status(400).problem("malformed");
    assert!(problem["detail"].as_str().unwrap().contains("at most 100"));
}

#[test]
fn section_3_line_8_principals_do_not_share() {
    let Guarded { server, .. } = &Guarded::with(&flags("20"));
    let get = |token: &str| server.get("/a/1").field("Authorization", token);
    let alice = authorization();
    let mut claims = claims();
    claims["sub"] = json!("bob");
    let bob = format!("Bearer {}", token(&claims));
    is_too_many(&use_up(|| get(&alice).send()));
    let answer = get(&bob).send();
    assert_eq!(left(answer.status(404)), 19);
    for _ in 0..9 {
        get(&bob).send().status(404);
    }
    // Another token of the same principal.
    let mut again = claims.clone();
    again["jti"] = json!("other");
    let again = get(&format!("Bearer {}", token(&again))).send();
    assert!(left(again.status(404)) < 15);
    // Nor with whoever has none.
    let nobody = server.get("/a/1").send();
    assert_eq!(left(nobody.status(401)), 19);
}

#[test]
fn section_3_line_8_guesses_wait() {
    let Guarded { server, .. } = &Guarded::with(&flags("10"));
    let get = |token: &str| server.get("/a/1").field("Authorization", token).send();
    let known = authorization();
    get(&known).status(404);
    let mut bad = 0;
    let refused = use_up(|| {
        let answer = get(&format!("Bearer {}.x.y", "eyJhbGciOiJIUzI1NiJ9"));
        if answer.code == 401 {
            bad += 1;
        }
        answer
    });
    is_too_many(&refused);
    refused.no_field("www-authenticate");
    assert!(bad >= 10, "{bad}");
    // A good one that nobody has seen before looks like a guess, and one that was found
    // good before does not.
    let mut claims = claims();
    is_too_many(&use_up(|| {
        get("Bearer x");
        claims["jti"] = json!(claims["jti"].as_u64().unwrap_or_default() + 1);
        get(&format!("Bearer {}", token(&claims)))
    }));
    get(&known).status(404);
}
