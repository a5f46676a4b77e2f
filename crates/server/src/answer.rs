//! From a decision to a message: the one place that writes statuses and problems.

use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use matchbook_core::clock::Timestamp;
use matchbook_core::decide::{Allow, Answer, Written};
use matchbook_core::field::coding::Coding;
use matchbook_core::field::content_encoding::ContentEncoding;
use matchbook_core::field::media_type::MediaType;
use matchbook_core::field::prefer::Return;
use matchbook_core::json::Pointer;
use matchbook_core::json::text::quote_into;
use matchbook_core::name::{DocumentPath, Target};
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::query::spelled;
use matchbook_core::request::Method;
use matchbook_core::tag::Version;

use crate::app::Call;
use crate::body::Body;
use crate::representation::{Representation, value};

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache, no-transform");
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache, no-transform");
pub(crate) const VARY: HeaderValue = HeaderValue::from_static("Accept, Accept-Encoding");
const VARY_BY_CALLER: HeaderValue = HeaderValue::from_static("Authorization, Cookie");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");
const ATTACHMENT: HeaderValue = HeaderValue::from_static("attachment");
const BYTES: HeaderValue = HeaderValue::from_static("bytes");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const PATCHES: HeaderValue =
    HeaderValue::from_static("application/merge-patch+json, application/json-patch+json");
const POSTS: HeaderValue = HeaderValue::from_static("application/json, */*");
const FORMS: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const CODINGS: HeaderValue = HeaderValue::from_static(ContentEncoding::ACCEPTED);

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const NOSNIFF_FIELD: HeaderName = HeaderName::from_static("x-content-type-options");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
pub(crate) const MATCHBOOK_VERSION: HeaderName = HeaderName::from_static("matchbook-version");

/// What a 412 tells besides, so that one round trip is enough to go on (contract §5.3).
#[derive(Debug, Default)]
pub(crate) struct Rebase {
    /// The version that stands now.
    pub(crate) current: Option<Version>,
    /// Whether that is what the request would have made.
    pub(crate) same: bool,
    /// A JSON Patch from the client's version to the current one.
    pub(crate) changes: Option<String>,
}

/// Says which index a list was found by (Server Timing §3), as settings spell the field;
/// what a field value cannot hold is percent-encoded.
pub(crate) fn uses_index(response: &mut Response<Body>, field: &Pointer) {
    let mut text = String::from("index;desc=\"");
    for byte in spelled(field).bytes() {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text.push('"');
    set(response, SERVER_TIMING, value(text));
}

/// An answer without content.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, NO_STORE);
    response
}

/// Any answer that does not need the document that it is about.
pub(crate) fn simple(call: &Call<'_>, answer: &Answer) -> Response<Body> {
    match answer {
        Answer::Refuse(problem) | Answer::Stale(problem) => refuse(call, problem),
        Answer::OutOfRange(problem) => refuse(call, problem),
        Answer::Challenge(problem, challenge) => {
            let mut response = refuse(call, problem);
            let text = value(challenge.to_string());
            set(&mut response, header::WWW_AUTHENTICATE, text);
            response
        }
        Answer::Retry {
            problem,
            after_secs,
        } => {
            let mut response = refuse(call, problem);
            set(&mut response, header::RETRY_AFTER, (*after_secs).into());
            response
        }
        Answer::NotAllowed { allow } => {
            let detail = format!("allowed here: {}", allow.text());
            let mut response = refuse(call, &Kind::MethodNotAllowed.because(detail));
            set(
                &mut response,
                header::ALLOW,
                HeaderValue::from_static(allow.text()),
            );
            response
        }
        Answer::Moved(to) => {
            let mut response = empty(StatusCode::PERMANENT_REDIRECT);
            set(&mut response, header::LOCATION, value(to.clone()));
            response
        }
        Answer::Options { allow } => options(*allow),
        Answer::Replay
        | Answer::NotModified(_)
        | Answer::Representation(_)
        | Answer::Part { .. }
        | Answer::Written(_)
        | Answer::Accepted
        | Answer::Changes(_)
        | Answer::Ended { .. } => refuse(
            call,
            &Kind::Internal.because("an answer without its subject"),
        ),
    }
}

fn set(response: &mut Response<Body>, name: HeaderName, value: HeaderValue) {
    response.headers_mut().insert(name, value);
}

fn options(allow: Allow) -> Response<Body> {
    let mut response = empty(StatusCode::NO_CONTENT);
    set(
        &mut response,
        header::ALLOW,
        HeaderValue::from_static(allow.text()),
    );
    if allow.has(Method::Patch) {
        set(&mut response, ACCEPT_PATCH, PATCHES);
    }
    if allow.has(Method::Post) {
        let posts = if allow == Allow::Form { FORMS } else { POSTS };
        set(&mut response, ACCEPT_POST, posts);
    }
    response
}

/// A problem.
pub(crate) fn refuse(call: &Call<'_>, problem: &Problem) -> Response<Body> {
    refuse_stale(call, problem, &Rebase::default())
}

/// A problem that tells how to go on.
pub(crate) fn refuse_stale(call: &Call<'_>, problem: &Problem, rebase: &Rebase) -> Response<Body> {
    let mut response = empty(problem.kind.status());
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, PROBLEM);
    fields.insert(NOSNIFF_FIELD, NOSNIFF);
    if problem.kind == Kind::UnsupportedContent {
        match call.facts.method {
            Method::Patch => fields.insert(ACCEPT_PATCH, PATCHES),
            Method::Post if matches!(call.target, Target::Document(_)) => {
                fields.insert(ACCEPT_POST, FORMS)
            }
            Method::Post => fields.insert(ACCEPT_POST, POSTS),
            _ => None,
        };
        if call.facts.content_encoding == Some(ContentEncoding::Unsupported) {
            fields.insert(header::ACCEPT_ENCODING, CODINGS);
        }
    }
    let text = problem_json(call, problem, rebase);
    *response.body_mut() = Body::from(Bytes::from(text));
    response
}

fn problem_json(call: &Call<'_>, problem: &Problem, rebase: &Rebase) -> String {
    let mut text = problem.body(&call.id.to_string());
    if let Some(current) = rebase.current {
        text.push_str(",\"current\":");
        quote_into(&mut text, &current.etag());
    }
    if rebase.same {
        text.push_str(",\"same\":true");
    }
    if let Some(changes) = &rebase.changes {
        text.push_str(",\"changes\":");
        text.push_str(changes);
    }
    text.push('}');
    text
}

/// Keeps an answer that depends on who asked from those who share a cache with them.
pub(crate) fn keep_private(fields: &mut HeaderMap) {
    for (name, place) in &mut *fields {
        if *name == header::CACHE_CONTROL && *place == REVALIDATE {
            *place = PRIVATE;
        }
    }
    fields.append(header::VARY, VARY_BY_CALLER);
}

/// The fields of a 304 about a document. To copy a map and to replace values in it
/// costs a third of putting it together.
static UNMODIFIED: LazyLock<HeaderMap> = LazyLock::new(|| {
    let empty = HeaderValue::from_static("");
    let mut fields = HeaderMap::with_capacity(16);
    fields.insert(header::ETAG, empty.clone());
    fields.insert(header::LAST_MODIFIED, empty.clone());
    fields.insert(header::CACHE_CONTROL, REVALIDATE);
    fields.insert(header::VARY, VARY);
    contain(&mut fields, false);
    fields.insert(REQUEST_ID, empty);
    fields
});

/// The fields of a 200 to GET in identity.
static WHOLE: LazyLock<HeaderMap> = LazyLock::new(|| {
    let mut fields = UNMODIFIED.clone();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(""));
    fields.insert(header::ACCEPT_RANGES, BYTES);
    fields
});

/// Completes one of them. To go through all the fields once is cheaper than to hash the
/// names of those that it sets.
fn describe(fields: &mut HeaderMap, representation: &Representation<'_>, etag: HeaderValue) {
    let mut etag = Some(etag);
    for (name, place) in &mut *fields {
        if *name == header::ETAG {
            *place = etag.take().unwrap_or_else(|| HeaderValue::from_static(""));
        } else if *name == header::LAST_MODIFIED {
            *place = representation.last_modified();
        } else if *name == header::CONTENT_TYPE {
            *place = representation.content_type();
        }
    }
    if representation.executes {
        fields.insert(header::CONTENT_DISPOSITION, ATTACHMENT);
    }
}

/// What a client stored never runs in our origin.
fn contain(fields: &mut HeaderMap, executes: bool) {
    fields.insert(NOSNIFF_FIELD, NOSNIFF);
    fields.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    if executes {
        fields.insert(header::CONTENT_DISPOSITION, ATTACHMENT);
    }
}

/// 304.
pub(crate) fn not_modified(
    representation: &Representation<'_>,
    etag: HeaderValue,
) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.headers_mut() = UNMODIFIED.clone();
    describe(response.headers_mut(), representation, etag);
    response
}

/// 200 with the whole representation.
pub(crate) fn representation(
    representation: &Representation<'_>,
    etag: HeaderValue,
    coding: Coding,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.headers_mut() = WHOLE.clone();
    let fields = response.headers_mut();
    describe(fields, representation, etag);
    if coding != Coding::Identity {
        fields.remove(header::ACCEPT_RANGES);
        fields.insert(
            header::CONTENT_ENCODING,
            HeaderValue::from_static(coding.token()),
        );
    }
    response
}

/// 206 with a part of it.
pub(crate) fn part(
    representation_: &Representation<'_>,
    (first, last): (u64, u64),
    whole: &Bytes,
) -> Option<Response<Body>> {
    let first = usize::try_from(first).ok()?;
    let last = usize::try_from(last).ok()?;
    let bytes = whole.get(first..=last)?;
    let mut response = representation(
        representation_,
        representation_.etag(Coding::Identity),
        Coding::Identity,
        whole.slice_ref(bytes),
    );
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let range = format!("bytes {first}-{last}/{}", whole.len());
    set(&mut response, header::CONTENT_RANGE, value(range));
    Some(response)
}

/// 416.
pub(crate) fn out_of_range(call: &Call<'_>, problem: &Problem, length: usize) -> Response<Body> {
    let mut response = refuse(call, problem);
    let range = format!("bytes */{length}");
    set(&mut response, header::CONTENT_RANGE, value(range));
    response
}

/// What a write made.
pub(crate) struct Made<'a> {
    pub(crate) path: &'a DocumentPath,
    pub(crate) version: Version,
    pub(crate) modified: Timestamp,
    pub(crate) content_type: &'a str,
    pub(crate) body: &'a Bytes,
}

/// 201, 200 or 204 after a write.
pub(crate) fn written(call: &Call<'_>, how: Written, made: Option<&Made<'_>>) -> Response<Body> {
    let mut response = empty(how.status());
    let applied = call.facts.prefer.returns;
    let representation = how.representation && made.is_some();
    if let Some(made) = made {
        let fields = response.headers_mut();
        if how.validators {
            fields.insert(header::ETAG, value(made.version.etag()));
            fields.insert(header::LAST_MODIFIED, value(made.modified.http_date()));
        } else {
            fields.insert(MATCHBOOK_VERSION, value(made.version.etag()));
        }
        if how.created {
            fields.insert(header::LOCATION, value(made.path.as_str().to_owned()));
        }
        if representation {
            fields.insert(header::CONTENT_TYPE, value(made.content_type.to_owned()));
            fields.insert(
                header::CONTENT_LOCATION,
                value(made.path.as_str().to_owned()),
            );
            let executes = MediaType::read(made.content_type).is_some_and(|known| known.executes());
            contain(fields, executes);
            *response.body_mut() = Body::from(made.body.clone());
        }
    }
    let honoured = match applied {
        Some(Return::Representation) if representation => Some("return=representation"),
        Some(Return::Minimal) => Some("return=minimal"),
        _ => None,
    };
    if let Some(honoured) = honoured {
        set(
            &mut response,
            PREFERENCE_APPLIED,
            HeaderValue::from_static(honoured),
        );
    }
    response
}

/// 202: what was asked for is being done.
pub(crate) fn accepted() -> Response<Body> {
    empty(StatusCode::ACCEPTED)
}

/// A list, or a page of the server's own.
pub(crate) fn page(content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    fields.insert(header::CACHE_CONTROL, NO_STORE);
    fields.insert(NOSNIFF_FIELD, NOSNIFF);
    response
}

/// The fields of a list that can be revalidated, also on its 304.
pub(crate) fn revalidates(response: &mut Response<Body>, opaque: &str) {
    let fields = response.headers_mut();
    fields.insert(header::ETAG, value(format!("W/\"{opaque}\"")));
    fields.insert(header::CACHE_CONTROL, REVALIDATE);
    fields.insert(header::VARY, VARY);
    fields.insert(NOSNIFF_FIELD, NOSNIFF);
}
