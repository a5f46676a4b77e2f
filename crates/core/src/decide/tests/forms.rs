//! HTML forms (contract §4.4).

use super::*;
use crate::field::entity_tag::TagList;

const FORM: &str = "application/x-www-form-urlencoded";

/// One that may save.
fn form() -> Setup {
    let mut setup = Setup::new("POST")
        .with("content-type", FORM)
        .with("origin", "http://localhost:2040");
    setup.set("if-match", None);
    setup.policy.forms = true;
    setup
}

fn without(mut setup: Setup, name: &'static str) -> Setup {
    setup.set(name, None);
    setup
}

#[test]
fn section_4_4_the_table_of_forms() {
    let change = |change: fn(&mut Setup)| {
        let mut setup = form();
        change(&mut setup);
        setup
    };
    let cases = [
        (form(), "proceed"),
        (
            form().with(
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            ),
            "proceed",
        ),
        (
            change(|form| form.policy.forms = false),
            "405 method-not-allowed",
        ),
        (
            without(form(), "origin").with("sec-fetch-site", "same-origin"),
            "proceed",
        ),
        // From our own origin, and so that it can be seen.
        (without(form(), "origin"), "403 foreign-site"),
        (
            without(form(), "origin").with("sec-fetch-site", "none"),
            "403 foreign-site",
        ),
        (
            without(form(), "origin").with("sec-fetch-site", "same-site"),
            "403 foreign-site",
        ),
        (
            without(form(), "origin").with("sec-fetch-site", "cross-site"),
            "403 foreign-site",
        ),
        (form().with("origin", "null"), "403 foreign-site"),
        (
            form().with("origin", "https://evil.example"),
            "403 foreign-site",
        ),
        (
            change(|form| {
                form.policy.origins = vec!["https://app.example".to_owned()];
                form.set("origin", Some("https://app.example"));
            }),
            "403 foreign-site",
        ),
        (
            change(|form| form.circumstances.credentials = Credentials::Missing),
            "401 unauthenticated",
        ),
        (change(|form| form.exists = false), "404 not-found"),
        (
            change(|form| form.is_json = false),
            "415 unsupported-content",
        ),
        (without(form(), "content-type"), "415 unsupported-content"),
        (
            form().with("content-type", "multipart/form-data; boundary=x"),
            "415 unsupported-content",
        ),
        (
            form().with("content-type", "application/json"),
            "415 unsupported-content",
        ),
        (
            form().with("content-type", "text/plain"),
            "415 unsupported-content",
        ),
        (
            form().with("content-encoding", "br"),
            "415 unsupported-content",
        ),
        (
            form().with("content-length", "9999999"),
            "413 content-too-large",
        ),
        // What is in the header section counts as well.
        (form().with("if-match", "\"x\""), "412 stale"),
        (form().with("if-match", "\"aaaaaaaa-7\""), "proceed"),
        (form().with("if-none-match", "*"), "412 stale"),
    ];
    for (setup, expected) in cases {
        assert_eq!(setup.asked(), expected, "{:?}", setup.fields);
    }
}

#[test]
fn section_3_line_4_a_form_is_among_the_methods() {
    for (forms, expected) in [(false, Allow::Document), (true, Allow::Form)] {
        let mut setup = Setup::new("OPTIONS");
        setup.policy.forms = forms;
        let decision = setup.decide(&Progress::Asked);
        let allow = expected;
        assert_eq!(decision, Decision::Answer(Answer::Options { allow }));
        assert_eq!(allow.has(Method::Post), forms);
        assert_eq!(allow.text().contains("POST"), forms);
    }
}

#[test]
fn section_4_4_a_form_is_the_patch_that_it_comes_to() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "localhost:2040"),
        ("content-type", FORM),
        ("prefer", "return=representation"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let uri = Uri::from_static("/c/d");
    let (request, _) = Request::read(Head {
        method: &http::Method::POST,
        uri: &uri,
        version: HttpVersion::HTTP_11,
        headers: &headers,
        framing_fault: None,
        secure: false,
    });
    let present = Present {
        version: VERSION.parse().unwrap(),
        opaque: VERSION,
        modified_secs: 784_111_777,
        content_type: "application/json",
        is_json: true,
        length_bytes: 100,
        compressible: false,
    };
    let policy = Policy {
        forms: true,
        ..Policy::default()
    };
    let decide = |tag: Option<&'static [u8]>, progress: &Progress| {
        let tags = tag.map(|tag| TagList::parse("If-Match", std::iter::once(tag)).unwrap());
        let patch = request.as_merge_patch(tags.flatten());
        let resource = Resource::Document(Some(present));
        let decision = decide(&patch, &Circumstances::CLEAR, &resource, &policy, progress);
        name(&decision)
    };
    let asked = |tag| decide(tag, &Progress::Asked);
    assert_eq!(asked(None), "428 precondition-required");
    assert_eq!(asked(Some(b"\"aaaaaaaa-7\"")), "proceed");
    assert_eq!(asked(Some(b"*")), "proceed");
    assert_eq!(asked(Some(b"\"aaaaaaaa-6\"")), "412 stale");
    // The page stays, whatever the server has set.
    let patch = request.as_merge_patch(None);
    for rewritten in [false, true] {
        let progress = Progress::Committed {
            created: false,
            rewritten,
        };
        let resource = Resource::Document(Some(present));
        let written = super::decide(&patch, &Circumstances::CLEAR, &resource, &policy, &progress);
        let expected = Written {
            created: false,
            representation: false,
            validators: true,
        };
        assert_eq!(written, Decision::Answer(Answer::Written(expected)));
    }
}
