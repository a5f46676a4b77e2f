//! The server's own pages (contract §1): health, readiness, metrics.

use std::collections::BTreeMap;

use crate::harness::Server;

/// The samples of a Prometheus text page: name and labels, and the value.
fn samples(server: &Server) -> BTreeMap<String, f64> {
    let page = server.get("/_/metrics").send();
    let text = String::from_utf8(page.status(200).body.clone()).unwrap();
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if line.starts_with('#') {
            let word = line.split(' ').nth(1).unwrap();
            assert!(matches!(word, "HELP" | "TYPE" | "UNIT" | "EOF"), "{line}");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let value = value.parse().unwrap_or_else(|_| panic!("no value: {line}"));
        let before = samples.insert(name.to_owned(), value);
        assert!(before.is_none(), "{name} comes twice");
    }
    assert!(text.ends_with('\n'));
    samples
}

/// The sum of all counters of requests with these labels.
fn requests(samples: &BTreeMap<String, f64>, labels: &[&str]) -> f64 {
    let counters = samples.iter().filter(|(name, _)| {
        name.starts_with("matchbook_requests_total{")
            && labels.iter().all(|label| name.contains(label))
    });
    counters.map(|(_, value)| value).sum()
}

#[test]
fn section_1_health_and_ready() {
    let server = Server::start();
    for target in ["/_/health", "/_/ready"] {
        let answer = server.get(target).send();
        answer.status(200).has("cache-control", "no-store");
        answer.has("x-content-type-options", "nosniff");
        server.head(target).send().status(200).is_body("");
    }
    server
        .get("/_/none")
        .send()
        .status(404)
        .problem("not-found");
    server.get("/_/").send().status(404);
    server.get("/_/problems/none").send().status(404);
}

#[test]
fn section_1_metrics_count_requests_by_method_and_status() {
    let server = Server::start();
    let before = samples(&server);
    let tag = server.create("/a/1", "1");
    for _ in 0..3 {
        server.get("/a/1").send().status(200);
    }
    server.get("/a/1").if_none_match(&tag).send().status(304);
    server.put("/a/1", "2").if_match("\"x\"").send().status(412);
    server.put("/a/1", "2").if_match(&tag).send().status(204);
    server.request("BREW", "/a/1").send().status(501);
    let after = samples(&server);
    let moved = |labels: &[&str]| requests(&after, labels) - requests(&before, labels);
    let cases: [(&[&str], f64); 5] = [
        (&["method=\"PUT\"", "status=\"201\""], 1.0),
        (&["method=\"PUT\"", "status=\"412\""], 1.0),
        (&["method=\"PUT\"", "status=\"204\""], 1.0),
        (&["method=\"GET\"", "status=\"304\""], 1.0),
        (&["status=\"501\""], 1.0),
    ];
    for (labels, count) in cases {
        assert!((moved(labels) - count).abs() < 0.5, "{labels:?}: {after:?}");
    }
    // The first page of metrics is counted in the second.
    assert!(moved(&["method=\"GET\"", "status=\"200\""]) >= 3.5);
}

#[test]
fn section_1_metrics_show_commits_and_the_size_of_the_store() {
    let server = Server::start();
    let before = samples(&server);
    for number in 0..5 {
        server.create(&format!("/a/{number}"), "1");
    }
    let after = samples(&server);
    let grown = |name: &str| after[name] - before.get(name).copied().unwrap_or_default();
    for name in after.keys().filter(|name| name.ends_with("_count")) {
        assert!(grown(name) >= 0.5, "{name} did not move");
    }
    assert!(grown("matchbook_commit_writes_sum") >= 4.5);
    assert!(grown("matchbook_revision") >= 4.5);
    assert!(after["matchbook_store_size_bytes"] > 0.5);
}

#[test]
fn metrics_do_not_grow_with_the_methods_that_clients_make_up() {
    let server = Server::start();
    server.request("BREW", "/a").send().status(501);
    // The first page is counted in the second.
    samples(&server);
    let before = samples(&server).len();
    for number in 0..20 {
        server
            .request(&format!("BREW{number}"), "/a")
            .send()
            .status(501);
    }
    assert_eq!(samples(&server).len(), before);
}
