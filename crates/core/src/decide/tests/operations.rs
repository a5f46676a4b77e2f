//! The tables of operations.

use super::*;

/// What of the operations a target names, in these tests.
pub(super) fn part<'a>(target: &str, present: Option<Present<'a>>) -> Option<Part<'a>> {
    let exists = present.is_some();
    Some(match target {
        "/_/operations" => Part::All,
        "/_/operations/1" => Part::One(present),
        "/_/operations/1/result" => Part::Result { is_there: exists },
        "/_/operations/1/content" => Part::Content { is_taken: exists },
        _ => return None,
    })
}

fn asked(method: &'static str, target: &'static str) -> Setup {
    let mut setup = Setup::new(method);
    setup.target = target;
    setup.set("if-match", None);
    setup
}

fn absent(mut setup: Setup) -> Setup {
    setup.exists = false;
    setup
}

fn all_are(cases: impl IntoIterator<Item = (Setup, &'static str)>) {
    for (setup, expected) in cases {
        let asked = setup.asked();
        assert_eq!(asked, expected, "{} {:?}", setup.method, setup.fields);
    }
}

#[test]
fn section_9_the_table_of_starting_one() {
    let post = || asked("POST", "/_/operations");
    let mut missing = post();
    missing.circumstances.credentials = Credentials::Missing;
    let mut repeated = post();
    repeated.circumstances.repeat = Repeat::Same;
    all_are([
        (post(), "proceed"),
        (asked("OPTIONS", "/_/operations"), "204 options"),
        (asked("PUT", "/_/operations"), "405 method-not-allowed"),
        (asked("DELETE", "/_/operations"), "405 method-not-allowed"),
        (missing, "401 unauthenticated"),
        (post().with("origin", "null"), "403 foreign-site"),
        (repeated, "replay"),
        (
            post().with("content-type", "text/plain"),
            "415 unsupported-content",
        ),
        (
            post().with("content-encoding", "br"),
            "415 unsupported-content",
        ),
        (
            post().with("content-length", "65537"),
            "413 content-too-large",
        ),
        (post().with("if-match", "*"), "412 stale"),
        (post().with("if-none-match", "*"), "proceed"),
    ]);
    let started = post().decide(&Progress::Committed {
        created: true,
        rewritten: false,
    });
    assert_eq!(name(&started), "202 accepted");
}

#[test]
fn section_9_the_table_of_one() {
    let one = |method| asked(method, "/_/operations/1");
    all_are([
        (one("GET"), "200 identity"),
        (one("HEAD"), "200 identity"),
        (one("DELETE"), "proceed"),
        (one("OPTIONS"), "204 options"),
        (one("PUT"), "405 method-not-allowed"),
        (one("PATCH"), "405 method-not-allowed"),
        (one("POST"), "405 method-not-allowed"),
        (absent(one("PUT")), "405 method-not-allowed"),
        (absent(one("GET")), "404 not-found"),
        (absent(one("DELETE")), "404 not-found"),
        (
            one("GET").with("if-none-match", "\"aaaaaaaa-7\""),
            "304 identity",
        ),
        (one("DELETE").with("if-match", "\"aaaaaaaa-7\""), "proceed"),
        (
            one("DELETE").with("if-match", "\"aaaaaaaa-6\""),
            "412 stale",
        ),
        (one("DELETE").with("origin", "null"), "403 foreign-site"),
    ]);
    let cancelled = one("DELETE").with("prefer", "return=representation");
    assert_eq!(name(&cancelled.decide(&Progress::Unchanged)), "204 written");
}

#[test]
fn section_9_the_tables_of_results_and_contents() {
    let result = |method| asked(method, "/_/operations/1/result");
    let content = |method| {
        asked(method, "/_/operations/1/content").with("content-type", "application/x-ndjson")
    };
    all_are([
        (result("GET"), "200 identity"),
        (result("HEAD"), "200 identity"),
        (result("OPTIONS"), "204 options"),
        (result("PUT"), "405 method-not-allowed"),
        (absent(result("GET")), "404 not-found"),
        (content("PUT"), "proceed"),
        (content("PUT").with("content-encoding", "gzip"), "proceed"),
        (content("OPTIONS"), "204 options"),
        (content("GET"), "405 method-not-allowed"),
        (content("DELETE"), "405 method-not-allowed"),
        (absent(content("PUT")), "404 not-found"),
        (
            content("PUT").with("content-type", "application/json"),
            "415 unsupported-content",
        ),
        (
            content("PUT").with("content-range", "bytes 0-1/2"),
            "400 partial-put",
        ),
        (
            content("PUT").with("content-length", "1073741825"),
            "413 content-too-large",
        ),
        (content("PUT").with("if-match", "*"), "412 stale"),
        (content("PUT").with("origin", "null"), "403 foreign-site"),
    ]);
    let prefers = content("PUT").with("prefer", "return=representation");
    let taken = prefers.decide(&Progress::Committed {
        created: false,
        rewritten: false,
    });
    assert_eq!(name(&taken), "204 written");
}
