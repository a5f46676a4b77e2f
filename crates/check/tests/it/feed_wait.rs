//! Changes by long poll (contract §7): an answer when there is one, and 204 when there is
//! none in time.

use std::thread;

use serde_json::Value;

use crate::harness::client::Connection;
use crate::harness::{Answer, Server};

fn cursor(server: &Server) -> String {
    let page = server.get("/_/changes").send().json();
    page["cursor"].as_str().unwrap().to_owned()
}

/// Sends a request that waits, and does not read the answer.
fn ask(server: &Server, target: &str, wait: &str) -> Connection {
    let mut connection = server.connect();
    let request = connection.get(target).field("Prefer", wait).bytes();
    connection.send(request);
    connection
}

#[track_caller]
fn next(answer: &Answer) -> String {
    let link = answer.field("link");
    let target = link
        .strip_prefix('<')
        .and_then(|link| link.split_once(">; rel=\"next\""));
    target.unwrap().0.to_owned()
}

fn paths(answer: &Answer) -> Vec<String> {
    let page = answer.json();
    let changes = page["changes"].as_array().unwrap().iter();
    changes
        .map(|change| change["path"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn section_7_3_what_is_there_is_told_at_once() {
    let server = Server::start();
    let cursor = cursor(&server);
    server.create("/c/1", "1");
    let answer = ask(&server, &format!("/c?_since={cursor}"), "wait=50").read("GET");
    answer
        .status(200)
        .has("preference-applied", "wait=50")
        .has("cache-control", "no-store");
    assert_eq!(paths(&answer), ["/c/1"]);
}

#[test]
fn section_7_3_nothing_new_in_time() {
    let server = Server::start();
    server.create("/c/1", "{\"n\":1}");
    let cursor = cursor(&server);
    for wait in ["wait=1", "wait=0"] {
        for target in ["/c", "/c/1", "/_/changes", "/c?n=2"] {
            let mark = if target.contains('?') { '&' } else { '?' };
            let target = format!("{target}{mark}_since={cursor}");
            let answer = ask(&server, &target, wait).read("GET");
            answer.status(204).has("preference-applied", wait);
            answer.no_field("content-type").no_field("content-length");
            assert_eq!(next(&answer), target);
        }
    }
}

#[test]
fn section_7_3_the_link_has_the_newest_examined_cursor() {
    let server = Server::start();
    let before = cursor(&server);
    server.create("/d/1", "1");
    server.create("/c/1", "{\"n\":2}");
    let now = cursor(&server);
    for (target, query) in [
        ("/c/2", ""),
        ("/e", ""),
        ("/c", "n=1&"),
        ("/_/changes", "n=1&_fields=x&"),
    ] {
        let answer = ask(
            &server,
            &format!("{target}?{query}_since={before}"),
            "wait=1",
        )
        .read("GET");
        assert_eq!(
            next(answer.status(204)),
            format!("{target}?{query}_since={now}")
        );
    }
}

#[test]
fn section_7_3_an_answer_comes_as_soon_as_something_is_written() {
    let server = Server::start();
    server.create("/c/1", "{}");
    for n in 0..20 {
        let cursor = cursor(&server);
        let targets = ["/c", "/c/1", "/_/changes", "/c?n:gte=0", "/c/1?_fields=n"];
        let mut waiting = targets.map(|target| {
            let mark = if target.contains('?') { '&' } else { '?' };
            ask(
                &server,
                &format!("{target}{mark}_since={cursor}"),
                "wait=50",
            )
        });
        // What does not concern them.
        server.create(&format!("/d/{n}"), "1");
        let tag = server.replace("/c/1", format!("{{\"n\":{n}}}"));
        for (connection, target) in waiting.iter_mut().zip(targets) {
            let answer = connection.read("GET");
            let changes = answer.status(200).json()["changes"].clone();
            let last = changes.as_array().unwrap().last().unwrap();
            if target == "/_/changes" {
                let path = last["path"].as_str().unwrap();
                assert!(path == "/c/1" || path == format!("/d/{n}"), "{answer}");
            } else {
                assert_eq!(last["etag"], tag, "{answer}");
            }
        }
    }
}

#[test]
fn section_7_3_one_who_waits_for_a_match_waits_through_the_rest() {
    let server = Server::start();
    let cursor = cursor(&server);
    let mut waiting = ask(&server, &format!("/c?n=7&_since={cursor}"), "wait=50");
    for n in [1, 2, 3, 70, 77] {
        server.create(&format!("/c/{n}"), format!("{{\"n\":{n}}}"));
    }
    server.create("/c/7", "{\"n\":7.0}");
    let answer = waiting.read("GET");
    assert_eq!(paths(answer.status(200)), ["/c/7"]);
    assert_eq!(answer.json()["changes"][0]["entered"], true);
}

#[test]
fn section_7_3_all_who_wait_are_answered() {
    let server = Server::start();
    let cursor = cursor(&server);
    let target = format!("/c?_since={cursor}");
    let mut waiting: Vec<_> = (0..100).map(|_| ask(&server, &target, "wait=50")).collect();
    server.create("/c/1", "1");
    for connection in &mut waiting {
        assert_eq!(paths(connection.read("GET").status(200)), ["/c/1"]);
    }
}

/// A client that does nothing but follow the links sees each change once.
#[test]
fn section_7_3_who_follows_the_links_misses_nothing() {
    const WRITES: usize = 120;
    let server = Server::start();
    let cursor = cursor(&server);
    let told = thread::scope(|scope| {
        let readers: Vec<_> = ["/c", "/_/changes", "/c?n:gte=0"]
            .into_iter()
            .map(|target| {
                let mark = if target.contains('?') { '&' } else { '?' };
                let mut target = format!("{target}{mark}_since={cursor}&_limit=7");
                let mut connection = server.connect();
                scope.spawn(move || {
                    let mut told = Vec::new();
                    while told.len() < WRITES {
                        let poll = connection.get(&target).field("Prefer", "wait=20");
                        let answer = poll.send();
                        target = next(&answer);
                        let page = answer.status(200).json();
                        told.extend(page["changes"].as_array().unwrap().clone());
                    }
                    told
                })
            })
            .collect();
        let mut connection = server.connect();
        for n in 0..WRITES {
            let put = connection.put(&format!("/c/{n:03}"), format!("{{\"n\":{n}}}"));
            put.send().status(201);
        }
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .collect::<Vec<Vec<Value>>>()
    });
    for told in told {
        let expected = (0..WRITES).map(|n| format!("/c/{n:03}"));
        let paths = told
            .iter()
            .map(|change| change["path"].as_str().unwrap().to_owned());
        assert!(paths.eq(expected), "{told:?}");
    }
}

#[test]
fn section_3_line_2_who_waits_does_not_hold_up_a_stop() {
    let mut server = Server::with(&["--drain-seconds", "3600"]);
    let cursor = cursor(&server);
    let mut waiting = ["/c", "/_/changes", "/c/1", "/c?a=1"].map(|target| {
        let mark = if target.contains('?') { '&' } else { '?' };
        ask(
            &server,
            &format!("{target}{mark}_since={cursor}"),
            "wait=55",
        )
    });
    // Each connection is read in turn, so the last of these answers comes after the
    // server has the requests above.
    for connection in &mut waiting {
        let second = connection.get("/_/health").bytes();
        connection.send(second);
    }
    server.stop();
    for connection in &mut waiting {
        if let Ok(answer) = connection.try_read("GET") {
            assert!([204, 503].contains(&answer.code), "{answer}");
        }
    }
}
