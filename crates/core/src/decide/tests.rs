//! The table of contract §3: each line by itself, and each pair of lines that can both
//! apply, where the earlier one wins.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version as HttpVersion};

use super::*;
use crate::request::Head;

mod credentials;
mod feeds;
mod forms;
mod operations;
mod table;

use table::{Line, READS, WRITES, lines};

const VERSION: &str = "aaaaaaaa-7";

/// All that goes into a decision. It begins as a request that succeeds.
#[derive(Clone)]
struct Setup {
    method: &'static str,
    target: &'static str,
    fields: Vec<(&'static str, &'static str)>,
    framing_fault: Option<&'static str>,
    circumstances: Circumstances,
    exists: bool,
    is_json: bool,
    compressible: bool,
    policy: Policy,
}

impl Setup {
    fn new(method: &'static str) -> Self {
        let content_type = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let mut fields = vec![("host", "localhost:2040")];
        match method {
            "GET" | "HEAD" => {}
            "DELETE" => fields.push(("if-match", "\"aaaaaaaa-7\"")),
            _ => fields.extend([
                ("if-match", "\"aaaaaaaa-7\""),
                ("content-type", content_type),
                ("content-length", "2"),
            ]),
        }
        Self {
            method,
            target: "/c/d",
            fields,
            framing_fault: None,
            circumstances: Circumstances::CLEAR,
            exists: true,
            is_json: true,
            compressible: true,
            policy: Policy::default(),
        }
    }

    /// Replaces a field, or takes it out.
    fn set(&mut self, name: &'static str, value: Option<&'static str>) {
        self.fields.retain(|(known, _)| *known != name);
        self.fields.extend(value.map(|value| (name, value)));
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.set(name, Some(value));
        self
    }

    fn decide(&self, progress: &Progress) -> Decision {
        let method: http::Method = self.method.parse().unwrap();
        let uri: Uri = self.target.parse().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in &self.fields {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let (request, target) = Request::read(Head {
            method: &method,
            uri: &uri,
            version: HttpVersion::HTTP_11,
            headers: &headers,
            framing_fault: self.framing_fault,
            secure: false,
        });
        let present = Present {
            version: VERSION.parse().unwrap(),
            opaque: VERSION,
            modified_secs: 784_111_777,
            content_type: if self.is_json {
                "application/json"
            } else {
                "image/png"
            },
            is_json: self.is_json,
            length_bytes: 100,
            compressible: self.compressible,
        };
        let resource = match target {
            _ if self.target == "/_/session" => Resource::Session,
            _ if request.feed.is_some() => Resource::Feed {
                allow: Allow::Collection,
            },
            crate::name::Target::Collection(_) => Resource::Collection {
                opaque: "aaaaaaaa-7.json",
                has_members: self.exists,
            },
            _ => Resource::Document(self.exists.then_some(present)),
        };
        let part = operations::part(self.target, self.exists.then_some(present));
        let resource = part.map_or(resource, Resource::Operation);
        decide(
            &request,
            &self.circumstances,
            &resource,
            &self.policy,
            progress,
        )
    }

    fn asked(&self) -> String {
        name(&self.decide(&Progress::Asked))
    }
}

/// A decision as the table writes it.
fn name(decision: &Decision) -> String {
    let answer = match decision {
        Decision::Proceed => return "proceed".to_owned(),
        Decision::Answer(answer) => answer,
    };
    match answer {
        Answer::Refuse(problem)
        | Answer::Stale(problem)
        | Answer::OutOfRange(problem)
        | Answer::Challenge(problem, _)
        | Answer::Retry { problem, .. } => {
            format!("{} {}", problem.kind.status().as_u16(), problem.kind.name())
        }
        Answer::NotAllowed { .. } => "405 method-not-allowed".to_owned(),
        Answer::Replay => "replay".to_owned(),
        Answer::Moved(to) => format!("308 {to}"),
        Answer::Options { .. } => "204 options".to_owned(),
        Answer::NotModified(coding) => format!("304 {}", coding.token()),
        Answer::Representation(coding) => format!("200 {}", coding.token()),
        Answer::Part { first, last } => format!("206 {first}-{last}"),
        Answer::Written(how) => format!("{} written", how.status().as_u16()),
        Answer::Accepted => "202 accepted".to_owned(),
        Answer::Changes(form) => format!("200 changes as {}", form.media_type()),
        Answer::Ended { reason, after_secs } => {
            format!("200 ended {} after {after_secs}", reason.as_str())
        }
    }
}

#[test]
fn section_3_what_nothing_stands_in_the_way_of() {
    for method in WRITES {
        assert_eq!(Setup::new(method).asked(), "proceed", "{method}");
    }
    for method in READS {
        assert_eq!(Setup::new(method).asked(), "200 identity", "{method}");
    }
}

#[test]
fn section_3_each_line_by_itself() {
    for Line(number, _, methods, apply, expected) in lines() {
        for method in methods {
            let mut setup = Setup::new(method);
            apply(&mut setup);
            assert_eq!(setup.asked(), expected, "line {number}, {method}");
        }
    }
}

#[test]
fn section_3_of_two_lines_the_earlier_wins() {
    let lines = lines();
    let mut pairs = 0;
    for (place, Line(earlier, looks, methods, apply, expected)) in lines.iter().enumerate() {
        for Line(later, also_looks, also_methods, also_apply, _) in lines.iter().skip(place + 1) {
            if looks == also_looks || earlier == later {
                continue;
            }
            for method in methods
                .iter()
                .filter(|method| also_methods.contains(method))
            {
                let mut setup = Setup::new(method);
                also_apply(&mut setup);
                apply(&mut setup);
                assert_eq!(
                    setup.asked(),
                    *expected,
                    "lines {earlier} and {later}, {method}"
                );
                pairs += 1;
            }
        }
    }
    assert!(pairs > 1_500, "{pairs} pairs");
}

#[test]
fn section_3_line_5_our_own_pages_may_write() {
    let mut listed = Setup::new("PUT").with("origin", "https://app.example");
    listed.policy.origins = vec!["https://app.example".to_owned()];
    let cases = [
        Setup::new("PUT").with("origin", "http://localhost:2040"),
        Setup::new("PUT").with("origin", "https://localhost:2040"),
        Setup::new("PUT").with("sec-fetch-site", "same-origin"),
        Setup::new("PUT").with("sec-fetch-site", "none"),
        listed.clone(),
        listed.with("sec-fetch-site", "cross-site"),
    ];
    for setup in cases {
        assert_eq!(setup.asked(), "proceed", "{:?}", setup.fields);
    }
}

#[test]
fn section_3_line_1_open_mode_knows_its_hosts() {
    let host = |host| Setup::new("GET").with("host", host);
    let mut listed = host("Docs.Example:80");
    listed.policy.hosts = vec!["docs.example".to_owned()];
    let mut exposed = host("192.0.2.7:2040");
    exposed.policy.exposed = true;
    let mut rebound = host("evil.example");
    rebound.policy.exposed = true;
    let mut closed = host("any.example");
    closed.policy.open = false;
    let cases = [
        (host("localhost"), "200 identity"),
        (host("127.0.0.1:9"), "200 identity"),
        (host("[::1]:2040"), "200 identity"),
        (host("192.0.2.7:2040"), "421 misdirected"),
        (host("localhost.evil.example"), "421 misdirected"),
        (listed, "200 identity"),
        (exposed, "200 identity"),
        (rebound, "421 misdirected"),
        (closed, "200 identity"),
    ];
    for (setup, expected) in cases {
        assert_eq!(setup.asked(), expected, "{:?}", setup.fields);
    }
}

#[test]
fn section_3_line_14_only_where_a_document_could_be_overwritten() {
    let unguarded = |method| {
        let mut setup = Setup::new(method);
        setup.set("if-match", None);
        setup
    };
    let mut new = unguarded("PUT");
    new.exists = false;
    let mut optional = unguarded("PUT");
    optional.policy.preconditions_required = false;
    let cases = [
        (new, "proceed"),
        (optional, "proceed"),
        (
            unguarded("PUT").with("if-none-match", "\"x\""),
            "428 precondition-required",
        ),
        (
            unguarded("PUT").with("if-unmodified-since", "Sun, 06 Nov 2044 08:49:37 GMT"),
            "428 precondition-required",
        ),
        (unguarded("PUT").with("if-match", "*"), "proceed"),
    ];
    for (setup, expected) in cases {
        assert_eq!(setup.asked(), expected, "{:?}", setup.fields);
    }
}

#[test]
fn section_3_line_13_what_hardly_shrinks_is_coded_only_if_it_must_be() {
    let accepting = |codings| {
        let mut setup = Setup::new("GET").with("accept-encoding", codings);
        setup.compressible = false;
        setup
    };
    let cases = [
        (accepting("gzip"), "200 identity"),
        (accepting("gzip, identity;q=0.1"), "200 identity"),
        (accepting("identity;q=0, gzip"), "200 gzip"),
        (accepting("*;q=0, br"), "200 br"),
        (accepting("identity;q=0, deflate"), "406 not-acceptable"),
        (
            accepting("identity;q=0, gzip").with("if-none-match", "\"aaaaaaaa-7+gzip\""),
            "304 gzip",
        ),
        (
            accepting("identity;q=0, gzip").with("range", "bytes=0-1"),
            "406 not-acceptable",
        ),
    ];
    for (setup, expected) in cases {
        assert_eq!(setup.asked(), expected, "{:?}", setup.fields);
    }
}

#[test]
fn section_1_a_coded_representation_has_its_own_tag() {
    let coded = || Setup::new("GET").with("accept-encoding", "gzip");
    let cases = [
        (coded(), "200 gzip"),
        (
            coded().with("if-none-match", "\"aaaaaaaa-7+gzip\""),
            "304 gzip",
        ),
        (coded().with("if-none-match", "\"aaaaaaaa-7\""), "200 gzip"),
        (coded().with("range", "bytes=0-1"), "206 0-1"),
        (
            coded()
                .with("range", "bytes=0-1")
                .with("if-range", "\"aaaaaaaa-7\""),
            "206 0-1",
        ),
        (
            coded()
                .with("range", "bytes=0-1")
                .with("if-range", "\"aaaaaaaa-7+gzip\""),
            "200 identity",
        ),
        (
            Setup::new("GET")
                .with("range", "bytes=0-1")
                .with("if-range", "Sun, 06 Nov 1994 08:49:37 GMT"),
            "200 identity",
        ),
        (
            Setup::new("HEAD").with("range", "bytes=0-1"),
            "200 identity",
        ),
        (
            Setup::new("PUT").with("if-match", "\"aaaaaaaa-7+gzip\""),
            "proceed",
        ),
    ];
    for (setup, expected) in cases {
        assert_eq!(setup.asked(), expected, "{:?}", setup.fields);
    }
}

#[test]
fn section_3_lines_16_to_20_are_answered_as_they_are_found() {
    for kind in [
        Kind::Malformed,
        Kind::PatchConflict,
        Kind::Invalid,
        Kind::Taken,
        Kind::Forbidden,
        Kind::StorageFull,
        Kind::ContentTooLarge,
    ] {
        let progress = Progress::Failed(kind.because(""));
        let expected = format!("{} {}", kind.status().as_u16(), kind.name());
        assert_eq!(name(&Setup::new("PUT").decide(&progress)), expected);
    }
}

#[test]
fn section_3_what_is_possible_later_says_when() {
    let problem = Kind::Unavailable.because("too much at a time");
    let progress = Progress::Failed(problem.clone());
    let expected = Answer::Retry {
        problem,
        after_secs: RETRY_AFTER_SECS,
    };
    assert_eq!(
        Setup::new("PUT").decide(&progress),
        Decision::Answer(expected)
    );
}

#[test]
fn section_3_lines_21_to_23() {
    let committed = |created| Progress::Committed {
        created,
        rewritten: false,
    };
    let asks = |method| Setup::new(method).with("prefer", "return=representation");
    let gzip = Setup::new("PUT").with("content-encoding", "gzip");
    let cases = [
        // status, representation, validators
        (Setup::new("PUT"), committed(true), (201, false, true)),
        (Setup::new("PUT"), committed(false), (204, false, true)),
        (Setup::new("PUT"), Progress::Unchanged, (204, false, true)),
        (asks("PUT"), committed(true), (201, true, true)),
        (asks("PATCH"), committed(false), (200, true, true)),
        (asks("PATCH"), Progress::Unchanged, (200, true, true)),
        (Setup::new("DELETE"), committed(false), (204, false, false)),
        (asks("DELETE"), committed(false), (204, false, false)),
        // RFC 9110 §9.3.4: not saved as it was sent.
        (gzip, committed(false), (204, false, false)),
    ];
    for (setup, progress, (status, representation, validators)) in cases {
        let Decision::Answer(Answer::Written(written)) = setup.decide(&progress) else {
            panic!("{progress:?} is not written");
        };
        let found = (
            written.status().as_u16(),
            written.representation,
            written.validators,
        );
        assert_eq!(
            found,
            (status, representation, validators),
            "{:?}",
            setup.fields
        );
    }
}

#[test]
fn section_6_the_table_of_lists() {
    let list = |method: &'static str| {
        let mut setup = Setup::new(method);
        setup.target = "/c";
        setup.set("if-match", None);
        setup
    };
    let mut bad_query = list("GET");
    bad_query.target = "/c?_no=1";
    let mut posted_query = list("POST");
    posted_query.target = "/c?x=1";
    let cases = [
        (list("GET"), "200 identity"),
        (list("HEAD"), "200 identity"),
        (list("POST"), "proceed"),
        (list("PUT"), "405 method-not-allowed"),
        (list("DELETE"), "405 method-not-allowed"),
        (list("OPTIONS"), "204 options"),
        (bad_query, "400 bad-query"),
        (posted_query, "400 bad-query"),
        (
            list("GET").with("accept", "application/x-ndjson"),
            "200 identity",
        ),
        (
            list("GET").with("accept", "text/html"),
            "406 not-acceptable",
        ),
        (
            list("GET").with("if-none-match", "W/\"aaaaaaaa-7.json\""),
            "304 identity",
        ),
        (
            list("GET").with("if-none-match", "W/\"aaaaaaaa-7.ndjson\""),
            "200 identity",
        ),
        (
            list("GET").with("if-match", "\"aaaaaaaa-7.json\""),
            "412 stale",
        ),
        (list("POST").with("if-none-match", "*"), "412 stale"),
        (
            list("POST").with("content-type", "multipart/form-data"),
            "415 unsupported-content",
        ),
        (
            list("POST").with("content-length", "4194305"),
            "413 content-too-large",
        ),
        (list("POST").with("origin", "null"), "403 foreign-site"),
    ];
    for (setup, expected) in cases {
        assert_eq!(
            setup.asked(),
            expected,
            "{} {:?}",
            setup.method,
            setup.fields
        );
    }
}
