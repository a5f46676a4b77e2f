//! Changes as JSON: pages and lines (contract §7, catch-up).

use serde_json::Value;

use crate::harness::{Answer, Server};

/// Writes of all kinds, of which some do not concern `/c`; the cursor before them.
fn written(server: &Server) -> String {
    server.create("/c/0", "0");
    let cursor = server.get("/c").send().json()["cursor"].clone();
    let text = "x".repeat(100);
    for n in 1..8 {
        let path = format!("/c/{n}");
        server.create(&path, format!("{{\"n\":{n},\n\"text\":\"{text}\"}}"));
        server.create(&format!("/d/{n}"), "1");
        server
            .merge(&path, "{\"n\":0}")
            .if_match("*")
            .send()
            .status(204);
        if n % 2 == 0 {
            server.delete(&path).if_match("*").send().status(204);
        }
    }
    let text = server
        .request("PUT", "/c/text")
        .content("text/plain", "text");
    text.send().status(201);
    cursor.as_str().unwrap().to_owned()
}

/// What an event stream says of the same: each event's type and data.
fn streamed(server: &Server, target: &str) -> Vec<String> {
    let mut events = server.events(target).until("synced");
    events.pop();
    let entry = |event: &crate::harness::Event| {
        format!("{{\"event\":\"{}\",{}", event.name, &event.data[1..])
    };
    events.iter().map(entry).collect()
}

/// The target in `Link: <…>; rel="next"`.
#[track_caller]
fn next(answer: &Answer) -> String {
    let link = answer.field("link");
    let target = link
        .strip_prefix('<')
        .and_then(|link| link.split_once(">; rel=\"next\""));
    target.unwrap().0.to_owned()
}

#[track_caller]
fn is_no_one_elses(answer: &Answer) {
    answer
        .has("cache-control", "no-store")
        .has("x-accel-buffering", "no")
        .no_field("etag");
}

#[test]
fn section_7_2_a_page_says_what_the_stream_says() {
    let server = Server::start();
    let cursor = written(&server);
    for query in ["", "&n=0", "&n:gt=0&_fields=n", "&_fields=n"] {
        for target in ["/c", "/c/2", "/_/changes"] {
            let target = format!("{target}?_since={cursor}{query}");
            let page = server.get(&target).send();
            page.status(200).has("content-type", "application/json");
            is_no_one_elses(&page);
            let text = String::from_utf8(page.body.clone()).unwrap();
            let changes = streamed(&server, &target).join(",");
            let cursor = page.json()["cursor"].as_str().unwrap().to_owned();
            let expected =
                format!("{{\"changes\":[{changes}],\"cursor\":\"{cursor}\",\"more\":false}}\n");
            assert_eq!(text, expected);
            // From there on, there is nothing.
            let rest = server.get(&next(&page)).send().json();
            assert_eq!(rest["changes"], Value::Array(Vec::new()));
        }
    }
}

#[test]
fn section_7_2_pages_are_followed_by_cursor_or_link() {
    let server = Server::start();
    let cursor = written(&server);
    for (query, limit) in [
        ("", 1),
        ("", 3),
        ("", 1_000),
        ("&n=0", 2),
        ("&n=7", 1),
        ("&none=1", 5),
    ] {
        for by_link in [true, false] {
            let all = streamed(&server, &format!("/c?_since={cursor}{query}"));
            let all: Vec<Value> = all
                .iter()
                .map(|text| serde_json::from_str(text).unwrap())
                .collect();
            let mut target = format!("/c?_since={cursor}&_limit={limit}{query}");
            let mut found = Vec::new();
            loop {
                let page = server.get(&target).send();
                let body = page.status(200).json();
                let changes = body["changes"].as_array().unwrap();
                assert!(changes.len() <= limit);
                found.extend(changes.clone());
                if body["more"] == false {
                    break;
                }
                assert_eq!(changes.len(), limit);
                target = match by_link {
                    true => next(&page),
                    false => format!(
                        "/c?_limit={limit}&_since={}{query}",
                        body["cursor"].as_str().unwrap()
                    ),
                };
            }
            assert_eq!(found, all);
        }
    }
}

#[test]
fn section_7_2_without_a_cursor_it_begins_now() {
    let server = Server::start();
    written(&server);
    let page = server.get("/_/changes").send();
    let body = page.status(200).json();
    assert_eq!(body["changes"], Value::Array(Vec::new()));
    assert_eq!(body["more"], false);
    assert_eq!(body["cursor"], server.get("/c").send().json()["cursor"]);
    server.create("/e/1", "1");
    let page = server.get(&next(&page)).send().json();
    assert_eq!(page["changes"][0]["path"], "/e/1");
}

#[test]
fn section_7_2_lines() {
    let server = Server::start();
    let cursor = written(&server);
    // More than the server reads at a time.
    let mut connection = server.connect();
    connection.put("/c/many", "0").send().status(201);
    for n in 0..1_100 {
        let put = connection.put("/c/many", format!("{{\"n\":{n}}}"));
        put.field("If-Match", "*").send().status(204);
    }
    for query in ["", "&n:lt=5", "&none=1"] {
        let target = format!("/c?_since={cursor}{query}");
        let request = server.get(&target).field("Accept", "application/x-ndjson");
        let answer = request.send();
        answer
            .status(200)
            .has("content-type", "application/x-ndjson");
        is_no_one_elses(&answer);
        let text = String::from_utf8(answer.body).unwrap();
        let mut lines: Vec<_> = text.strip_suffix('\n').unwrap().split('\n').collect();
        let last: Value = serde_json::from_str(lines.pop().unwrap()).unwrap();
        assert_eq!(lines, streamed(&server, &target));
        assert_eq!(last.as_object().unwrap().len(), 1);
        let cursor = last["cursor"].as_str().unwrap();
        let rest = server.get(&format!("/c?_since={cursor}")).send().json();
        assert_eq!(rest["changes"], Value::Array(Vec::new()));
    }
}

#[test]
fn section_7_4_a_cursor_that_is_none_is_gone() {
    let server = Server::start();
    let tag = server.create("/c/1", "1");
    let at = tag.trim_matches('"');
    let (epoch, _) = at.split_once('-').unwrap();
    let snapshot = server.events("/c?_snapshot=true").take(2);
    let bad = [
        String::new(),
        "x".to_owned(),
        format!("{at}x"),
        format!("{at}~/c/1"),
        snapshot[0].id.clone(),
        snapshot[1].id.clone(),
        format!("{epoch}-1000"),
        "aaaaaaaa-1".to_owned(),
        format!("{at}.aaaaaaaaaaaaa"),
        "x".repeat(8_000),
    ];
    for cursor in bad {
        for accept in ["application/json", "application/x-ndjson", "*/*"] {
            for target in ["/c", "/c/1", "/_/changes"] {
                let request = server.get(&format!("{target}?_since={cursor}"));
                let request = request.field("Accept", accept).field("Prefer", "wait=30");
                request.send().status(410).problem("cursor-gone");
            }
        }
    }
}

#[test]
fn section_7_9_head_answers_at_once() {
    let server = Server::start();
    server.create("/c/1", "1");
    let cursor = server.get("/c").send().json()["cursor"].clone();
    let cursor = cursor.as_str().unwrap();
    let mut connection = server.connect();
    for (target, accept) in [
        ("/c".to_owned(), "text/event-stream"),
        ("/c/1?_snapshot=true".to_owned(), "text/event-stream"),
        ("/_/changes".to_owned(), "text/event-stream"),
        (format!("/c?_since={cursor}"), "application/json"),
        (format!("/c?_since={cursor}"), "application/x-ndjson"),
        ("/_/changes".to_owned(), "*/*"),
    ] {
        let head = connection.request("HEAD", &target).field("Accept", accept);
        let answer = head.field("Prefer", "wait=50").send();
        assert!([200, 204].contains(&answer.code), "{answer}");
        answer.has("cache-control", "no-store");
        if answer.code == 200 {
            is_no_one_elses(&answer);
            let expected = if accept == "*/*" {
                "application/json"
            } else {
                accept
            };
            answer.has("content-type", expected);
        }
    }
    connection.get("/c/1").send().status(200).is_body("1");
}

#[test]
fn section_3_line_13_a_feed_has_three_forms() {
    let server = Server::start();
    for accept in [
        "text/html",
        "application/xml",
        "text/event-stream;q=0",
        "text/event-stream;q=0.0, image/*",
    ] {
        for target in ["/c?_since=x", "/_/changes", "/c/1?_snapshot=false"] {
            let answer = server.get(target).field("Accept", accept).send();
            answer.status(406).problem("not-acceptable");
        }
    }
    let stream = [
        "text/event-stream",
        "TEXT/Event-Stream",
        "text/event-stream;q=0.9, application/json;q=0.5",
    ];
    for accept in stream {
        let head = server.head("/_/changes").field("Accept", accept).send();
        head.has("content-type", "text/event-stream");
    }
}

#[test]
fn section_3_line_3_changes_are_only_read() {
    let server = Server::start();
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let request = server.request(method, "/_/changes").json("{}");
        let refused = request.send();
        refused.status(405).lists("allow", "GET, HEAD, OPTIONS");
    }
    let options = server.request("OPTIONS", "/_/changes").send();
    options.status(204).lists("allow", "GET, HEAD, OPTIONS");
    server.put("/c/1?_since=x", "1").send().status(400);
}
