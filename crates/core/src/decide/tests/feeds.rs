//! The table of feeds (contract §7).

use super::*;

fn stream(target: &'static str) -> Setup {
    let mut setup = Setup::new("GET").with("accept", "text/event-stream");
    setup.target = target;
    setup
}

fn json(target: &'static str) -> Setup {
    let mut setup = Setup::new("GET");
    setup.target = target;
    setup
}

#[test]
fn section_7_the_table_of_feeds() {
    const STREAM: &str = "200 changes as text/event-stream";
    const JSON: &str = "200 changes as application/json";
    let absent = |mut setup: Setup| {
        setup.exists = false;
        setup
    };
    let head = |mut setup: Setup| {
        setup.method = "HEAD";
        setup
    };
    let cases = [
        (stream("/c"), STREAM),
        (stream("/c?done=false&_fields=title"), STREAM),
        (stream("/c?_snapshot=true"), STREAM),
        (stream("/c/d"), STREAM),
        (stream("/_/changes"), STREAM),
        (head(stream("/c")), STREAM),
        // It can be followed before it is there.
        (absent(stream("/c/d")), STREAM),
        (json("/c?_since=x"), JSON),
        (json("/c/d?_since=x"), JSON),
        (json("/_/changes"), JSON),
        (json("/_/changes?_since=x&_limit=5"), JSON),
        (
            json("/c?_since=x").with("accept", "application/x-ndjson"),
            "200 changes as application/x-ndjson",
        ),
        (
            json("/c").with("accept", "text/event-stream;q=0.5, application/json"),
            "200 identity",
        ),
        (json("/c").with("accept", "*/*"), "200 identity"),
        // Who takes any text wants the document.
        (json("/c/d").with("accept", "text/*"), "406 not-acceptable"),
        (json("/c").with("accept", "text/*"), "406 not-acceptable"),
        (
            json("/c").with("accept", "text/*, text/event-stream"),
            STREAM,
        ),
        (json("/c?_since=x").with("accept", "text/*"), STREAM),
        (
            json("/c?_since=x").with("accept", "text/html"),
            "406 not-acceptable",
        ),
        // A browser shows no answer but 200 to the page; these are for developers.
        (stream("/c?_sort=a"), "400 bad-query"),
        (stream("/c?_limit=1"), "400 bad-query"),
        (json("/c?_since=x&_snapshot=true"), "400 bad-query"),
        // What is wrong with a position is told in the stream.
        (stream("/c").with("last-event-id", "nonsense"), STREAM),
        (stream("/c").with("if-none-match", "*"), STREAM),
    ];
    for (setup, expected) in cases {
        let asked = setup.asked();
        assert_eq!(asked, expected, "{} {:?}", setup.target, setup.fields);
    }
}

#[test]
fn section_7_6_a_stream_is_told_to_come_back_in_the_stream() {
    let draining = Circumstances {
        availability: Availability::Draining,
        ..Circumstances::CLEAR
    };
    let overloaded = Circumstances {
        availability: Availability::Overloaded,
        ..Circumstances::CLEAR
    };
    let too_many = Circumstances {
        wait_secs: Some(7),
        ..Circumstances::CLEAR
    };
    let unread = Circumstances {
        credentials: Credentials::Unread { wait_secs: 7 },
        ..Circumstances::CLEAR
    };
    let cases = [
        (draining, "200 ended draining after 2", "503 unavailable"),
        (overloaded, "200 ended busy after 2", "503 unavailable"),
        (too_many, "200 ended busy after 7", "429 too-many-requests"),
        (unread, "200 ended busy after 7", "429 too-many-requests"),
    ];
    for (circumstances, streamed, otherwise) in cases {
        let with = |mut setup: Setup| {
            setup.circumstances = circumstances;
            setup.asked()
        };
        assert_eq!(with(stream("/c")), streamed);
        assert_eq!(with(json("/c?_since=x")), otherwise);
        assert_eq!(with(json("/c")), otherwise);
    }
}

#[test]
fn section_3_a_browser_may_ask_about_any_target_before_it_requests_it() {
    for target in ["/c?done=false", "/c?_since=x", "/c/d?_since=x"] {
        let mut setup = Setup::new("OPTIONS");
        setup.target = target;
        assert_eq!(setup.asked(), "204 options", "{target}");
    }
}
