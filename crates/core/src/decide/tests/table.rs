//! The lines of contract §3, each with a way to make it apply.

use super::Setup;
use crate::decide::Repeat;

/// What a line looks at. Two lines that look at the same thing cannot both apply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Looks {
    Framing,
    Target,
    Host,
    IfMatch,
    Availability,
    Method,
    Site,
    Credentials,
    Policy,
    Rate,
    Key,
    Existence,
    ContentType,
    ContentCoding,
    ContentRange,
    Length,
    Accept,
    IfNoneMatch,
    Range,
}

/// A line: where it stands, what it looks at, for which methods, how it comes to
/// apply, and the answer.
pub(super) struct Line(
    pub(super) u8,
    pub(super) Looks,
    pub(super) &'static [&'static str],
    pub(super) fn(&mut Setup),
    pub(super) &'static str,
);

const ALL: &[&str] = &["GET", "HEAD", "PUT", "PATCH", "DELETE"];
pub(super) const READS: &[&str] = &["GET", "HEAD"];
pub(super) const WRITES: &[&str] = &["PUT", "PATCH", "DELETE"];
const SENDS: &[&str] = &["PUT", "PATCH"];
const NOT_PUT: &[&str] = &["GET", "HEAD", "PATCH", "DELETE"];

pub(super) fn lines() -> Vec<Line> {
    use Looks::*;
    vec![
        Line(
            1,
            Framing,
            ALL,
            |s| s.framing_fault = Some("in doubt"),
            "400 bad-framing",
        ),
        Line(1, Host, ALL, |s| s.set("host", None), "400 bad-framing"),
        Line(
            1,
            Host,
            ALL,
            |s| s.fields.push(("host", "localhost")),
            "400 bad-framing",
        ),
        Line(
            1,
            Host,
            ALL,
            |s| s.set("host", Some("a b")),
            "400 bad-framing",
        ),
        Line(1, Target, ALL, |s| s.target = "/c/%00", "400 bad-target"),
        Line(1, Target, ALL, |s| s.target = "/c/d?x=1", "400 bad-query"),
        Line(
            1,
            IfMatch,
            ALL,
            |s| s.set("if-match", Some("aaaaaaaa-7")),
            "400 bad-field",
        ),
        Line(
            1,
            Host,
            ALL,
            |s| s.set("host", Some("evil.example")),
            "421 misdirected",
        ),
        Line(1, Target, ALL, |s| s.target = "/c/d/", "308 /c/d"),
        Line(
            2,
            Availability,
            ALL,
            |s| s.circumstances.availability = crate::decide::Availability::Draining,
            "503 unavailable",
        ),
        Line(
            2,
            Availability,
            ALL,
            |s| s.circumstances.availability = crate::decide::Availability::Overloaded,
            "503 unavailable",
        ),
        Line(3, Method, ALL, |s| s.method = "BREW", "501 unknown-method"),
        Line(
            3,
            Method,
            ALL,
            |s| s.method = "POST",
            "405 method-not-allowed",
        ),
        Line(
            3,
            Method,
            ALL,
            |s| s.method = "TRACE",
            "405 method-not-allowed",
        ),
        Line(
            3,
            Method,
            ALL,
            |s| s.method = "CONNECT",
            "405 method-not-allowed",
        ),
        Line(4, Method, ALL, |s| s.method = "OPTIONS", "204 options"),
        Line(
            5,
            Site,
            WRITES,
            |s| s.set("origin", Some("null")),
            "403 foreign-site",
        ),
        Line(
            5,
            Site,
            WRITES,
            |s| s.set("origin", Some("http://localhost:3000")),
            "403 foreign-site",
        ),
        Line(
            5,
            Site,
            WRITES,
            |s| s.set("sec-fetch-site", Some("cross-site")),
            "403 foreign-site",
        ),
        Line(
            5,
            Site,
            WRITES,
            |s| s.set("sec-fetch-site", Some("same-site")),
            "403 foreign-site",
        ),
        Line(
            6,
            Looks::Credentials,
            ALL,
            |s| s.circumstances.credentials = crate::decide::Credentials::Missing,
            "401 unauthenticated",
        ),
        Line(
            6,
            Looks::Credentials,
            ALL,
            |s| s.circumstances.credentials = crate::decide::Credentials::Bad("it is not good"),
            "401 unauthenticated",
        ),
        Line(
            7,
            Looks::Policy,
            ALL,
            |s| s.circumstances.forbidden = Some("read"),
            "403 forbidden",
        ),
        Line(
            8,
            Rate,
            ALL,
            |s| s.circumstances.wait_secs = Some(3),
            "429 too-many-requests",
        ),
        Line(
            9,
            Key,
            ALL,
            |s| s.circumstances.repeat = Repeat::Same,
            "replay",
        ),
        Line(
            9,
            Key,
            ALL,
            |s| s.circumstances.repeat = Repeat::Different,
            "422 key-reused",
        ),
        Line(
            10,
            Existence,
            NOT_PUT,
            |s| s.exists = false,
            "404 not-found",
        ),
        Line(
            11,
            ContentType,
            SENDS,
            |s| s.set("content-type", None),
            "415 unsupported-content",
        ),
        Line(
            11,
            ContentType,
            SENDS,
            |s| s.set("content-type", Some("application/x-www-form-urlencoded")),
            "415 unsupported-content",
        ),
        Line(
            11,
            ContentType,
            SENDS,
            |s| s.set("content-type", Some("*/*")),
            "415 unsupported-content",
        ),
        Line(
            11,
            ContentCoding,
            SENDS,
            |s| s.set("content-encoding", Some("br")),
            "415 unsupported-content",
        ),
        Line(
            11,
            Looks::Existence,
            &["PATCH"],
            |s| s.is_json = false,
            "415 unsupported-content",
        ),
        Line(
            11,
            ContentRange,
            &["PUT"],
            |s| s.set("content-range", Some("bytes 0-1/2")),
            "400 partial-put",
        ),
        Line(
            12,
            Length,
            SENDS,
            |s| s.set("content-length", Some("4194305")),
            "413 content-too-large",
        ),
        Line(
            13,
            Accept,
            READS,
            |s| s.set("accept", Some("text/html")),
            "406 not-acceptable",
        ),
        Line(
            13,
            Looks::ContentCoding,
            READS,
            |s| s.set("accept-encoding", Some("*;q=0")),
            "406 not-acceptable",
        ),
        Line(
            14,
            IfMatch,
            WRITES,
            |s| s.set("if-match", None),
            "428 precondition-required",
        ),
        Line(
            15,
            IfMatch,
            ALL,
            |s| s.set("if-match", Some("\"aaaaaaaa-6\"")),
            "412 stale",
        ),
        Line(
            15,
            IfMatch,
            ALL,
            |s| s.set("if-match", Some("W/\"aaaaaaaa-7\"")),
            "412 stale",
        ),
        Line(
            15,
            IfMatch,
            WRITES,
            |s| s.set("if-none-match", Some("*")),
            "412 stale",
        ),
        Line(
            15,
            IfNoneMatch,
            READS,
            |s| s.set("if-none-match", Some("*")),
            "304 identity",
        ),
        Line(
            24,
            Range,
            &["GET"],
            |s| s.set("range", Some("bytes=0-9")),
            "206 0-9",
        ),
        Line(
            24,
            Range,
            &["GET"],
            |s| s.set("range", Some("bytes=100-")),
            "416 range-not-satisfiable",
        ),
    ]
}
