//! Lines 6 and 7, and the session.

use super::*;

fn challenge(setup: &Setup) -> String {
    match setup.decide(&Progress::Asked) {
        Decision::Answer(Answer::Challenge(problem, challenge)) => {
            format!("{} {challenge}", problem.kind.status().as_u16())
        }
        other => name(&other),
    }
}

#[test]
fn section_3_lines_6_and_7_say_what_is_wanted() {
    for method in READS.iter().chain(WRITES) {
        let mut setup = Setup::new(method);
        setup.circumstances.forbidden = Some("update");
        assert_eq!(
            challenge(&setup),
            r#"403 Bearer realm="matchbook", error="insufficient_scope", scope="update""#
        );
        setup.circumstances.credentials = Credentials::Missing;
        assert_eq!(challenge(&setup), r#"401 Bearer realm="matchbook""#);
        setup.circumstances.credentials = Credentials::Bad("the token has expired");
        assert_eq!(
            challenge(&setup),
            r#"401 Bearer realm="matchbook", error="invalid_token", error_description="the token has expired""#
        );
    }
}

#[test]
fn section_3_line_7_names_the_action() {
    let mut setup = Setup::new("PUT");
    setup.circumstances.forbidden = Some("create");
    let Decision::Answer(Answer::Challenge(problem, _)) = setup.decide(&Progress::Asked) else {
        panic!("not refused");
    };
    assert!(problem.detail.contains("'create'"), "{}", problem.detail);
}

#[test]
fn section_3_line_8_answers_for_credentials_that_were_not_looked_at() {
    for method in READS.iter().chain(WRITES) {
        let mut setup = Setup::new(method);
        // Line 7 knows nobody that it could forbid anything.
        setup.circumstances.forbidden = Some("update");
        setup.circumstances.credentials = Credentials::Unread { wait_secs: 3 };
        let Decision::Answer(Answer::Retry { after_secs: 3, .. }) = setup.decide(&Progress::Asked)
        else {
            panic!("{method}: {}", setup.asked());
        };
        assert_eq!(setup.asked(), "429 too-many-requests");
    }
    let mut foreign = Setup::new("PUT").with("origin", "https://evil.example");
    foreign.circumstances.credentials = Credentials::Unread { wait_secs: 3 };
    assert_eq!(foreign.asked(), "403 foreign-site");
}

#[test]
fn section_3_line_19_is_told_as_line_7_is() {
    let setup = Setup::new("PUT");
    let failed = Progress::Failed(Problem::forbidden("update", "with what would result"));
    let Decision::Answer(Answer::Challenge(problem, challenge)) = setup.decide(&failed) else {
        panic!("not refused");
    };
    assert_eq!(challenge, Challenge::InsufficientScope("update"));
    assert_eq!(problem.kind, Kind::Forbidden);
}

#[test]
fn section_3_who_may_not_read_learns_nothing() {
    let blind = |method: &'static str| {
        let mut setup = Setup::new(method).with("prefer", "return=representation");
        setup.circumstances.reads = false;
        setup
    };
    for method in WRITES {
        let committed = Progress::Committed {
            created: false,
            rewritten: true,
        };
        for progress in [committed, Progress::Unchanged] {
            let decision = blind(method).decide(&progress);
            assert_eq!(name(&decision), "204 written", "{method} {progress:?}");
        }
        for tag in [None, Some("\"aaaaaaaa-6\"")] {
            let mut setup = blind(method);
            setup.set("if-match", tag);
            let decision = setup.decide(&Progress::Asked);
            let Decision::Answer(Answer::Refuse(problem)) = decision else {
                panic!("{method} is told how to go on: {decision:?}");
            };
            assert!(!problem.detail.contains(VERSION), "{}", problem.detail);
        }
    }
}

#[test]
fn section_7_6_the_table_of_the_session() {
    let session = |method| {
        let mut setup = Setup::new(method);
        setup.target = "/_/session";
        setup
    };
    let mut missing = session("POST");
    missing.circumstances.credentials = Credentials::Missing;
    let cases = [
        (session("POST"), "proceed"),
        (session("DELETE"), "proceed"),
        (session("OPTIONS"), "204 options"),
        (session("GET"), "405 method-not-allowed"),
        (session("HEAD"), "405 method-not-allowed"),
        (session("PUT"), "405 method-not-allowed"),
        (missing, "401 unauthenticated"),
        (
            session("POST").with("origin", "https://evil.example"),
            "403 foreign-site",
        ),
        (
            session("DELETE").with("sec-fetch-site", "cross-site"),
            "403 foreign-site",
        ),
    ];
    for (setup, expected) in cases {
        assert_eq!(setup.asked(), expected, "{}", setup.method);
    }
    let made = session("POST").with("prefer", "return=representation");
    let made = made.decide(&Progress::Committed {
        created: false,
        rewritten: false,
    });
    assert_eq!(name(&made), "204 written");
}
