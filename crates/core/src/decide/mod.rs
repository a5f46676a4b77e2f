//! The decision: which answer a request gets (contract §3).
//!
//! [`decide`] is pure and total, and nothing else in the server chooses a status. It
//! is asked as often as something new is known: before the content is read
//! ([`Progress::Asked`]), and again when it could not be used, when it changes
//! nothing, or when it was committed. The lines of the table stand in its order; the
//! first that applies answers.

mod answer;
mod batch;
mod operations;
mod site;
mod state;

use std::borrow::Cow;

use crate::feed::EndReason;
use crate::field::coding::Coding;
use crate::field::content_encoding::ContentEncoding;
use crate::field::host::Host;
use crate::field::if_range::IfRange;
use crate::field::range::Resolved;
use crate::field::www_authenticate::Challenge;
use crate::precondition::{Access, Validators, Verdict};
use crate::problem::{Kind, Problem};
use crate::request::{FeedForm, Method, Request};
pub use answer::{Allow, Answer, Decision, Written};
use site::line_5;
pub use state::{
    Availability, Circumstances, Credentials, Part, Policy, Present, Progress, Repeat, Resource,
};

/// What `Retry-After` says when the server is draining or overloaded: long enough for
/// a restart, short enough for a person who waits.
pub const RETRY_AFTER_SECS: u32 = 2;

/// The codings that are offered, in the order of preference where the client weighs
/// them alike: zstd is the cheapest to read, and both it and brotli are smaller than
/// gzip.
const PREFERRED: [Coding; 4] = [Coding::Zstd, Coding::Brotli, Coding::Gzip, Coding::Identity];

/// Decides.
#[must_use]
pub fn decide(
    request: &Request<'_>,
    circumstances: &Circumstances,
    resource: &Resource<'_>,
    policy: &Policy,
    progress: &Progress,
) -> Decision {
    let answer = match progress {
        Progress::Asked => gate(request, circumstances, resource, policy)
            .or_else(|| line_9(circumstances))
            .or_else(|| match resource {
                Resource::Document(document) => {
                    about_document(request, circumstances, *document, policy)
                }
                Resource::Collection {
                    opaque,
                    has_members,
                } => about_collection(request, opaque, *has_members, policy),
                Resource::Feed { .. } => Some(about_feed(request)),
                Resource::Batch => batch::about(request),
                Resource::Operation(part) => operations::about(request, circumstances, *part),
                Resource::Page => Some(Answer::Representation(Coding::Identity)),
                Resource::Session => None,
                Resource::NoPage => Some(Answer::Refuse(
                    Kind::NotFound.because("the server has no page of this name"),
                )),
            }),
        Progress::Failed(problem) => Some(failed(problem)),
        Progress::Unchanged => Some(written(request, circumstances, resource, (false, false))),
        Progress::Committed { created, rewritten } => {
            let how = (*created, *rewritten);
            Some(written(request, circumstances, resource, how))
        }
    };
    answer.map_or(Decision::Proceed, Decision::Answer)
}

/// Lines 1 to 8: the same for everything that the server answers for.
fn gate(
    request: &Request<'_>,
    circumstances: &Circumstances,
    resource: &Resource<'_>,
    policy: &Policy,
) -> Option<Answer> {
    line_1(request, policy)
        .or_else(|| ends_early(line_2(circumstances), circumstances, request, resource))
        .or_else(|| lines_3_and_4(request, resource, policy))
        .or_else(|| line_5(request, resource, policy))
        .or_else(|| ends_early(line_6(circumstances), circumstances, request, resource))
        .or_else(|| line_7(circumstances))
        .or_else(|| ends_early(line_8(circumstances), circumstances, request, resource))
}

/// Malformed, or meant for another host.
fn line_1(request: &Request<'_>, policy: &Policy) -> Option<Answer> {
    if let Some(problem) = &request.fault {
        return Some(Answer::Refuse(problem.clone()));
    }
    if policy.open && !answers_for(request, policy) {
        let host = request.host.as_ref().map_or("", Host::name);
        return Some(Answer::Refuse(Kind::Misdirected.because(format!(
            "Host is '{host}': use localhost or 127.0.0.1, or start the server with --host {host}"
        ))));
    }
    request.moved.clone().map(Answer::Moved)
}

fn answers_for(request: &Request<'_>, policy: &Policy) -> bool {
    request.host.is_some_and(|host| {
        host.is_loopback()
            || (policy.exposed && host.is_address())
            || policy
                .hosts
                .iter()
                .any(|name| host.name().eq_ignore_ascii_case(name))
    })
}

/// What tells a client to come back later tells it in the stream, where one was asked
/// for.
fn ends_early(
    answer: Option<Answer>,
    circumstances: &Circumstances,
    request: &Request<'_>,
    resource: &Resource<'_>,
) -> Option<Answer> {
    let is_stream = matches!(resource, Resource::Feed { .. })
        && matches!(request.method, Method::Get | Method::Head)
        && request.feed_form() == Some(FeedForm::EventStream);
    match answer {
        Some(Answer::Retry { after_secs, .. }) if is_stream => Some(Answer::Ended {
            reason: match circumstances.availability {
                Availability::Draining => EndReason::Draining,
                Availability::Open | Availability::Overloaded => EndReason::Busy,
            },
            after_secs,
        }),
        answer => answer,
    }
}

fn line_2(circumstances: &Circumstances) -> Option<Answer> {
    let detail = match circumstances.availability {
        Availability::Open => return None,
        Availability::Draining => "the server is shutting down: nothing was done",
        Availability::Overloaded => "the server has too much to do: nothing was done",
    };
    Some(Answer::refusal(Kind::Unavailable.because(detail)))
}

fn lines_3_and_4(
    request: &Request<'_>,
    resource: &Resource<'_>,
    policy: &Policy,
) -> Option<Answer> {
    let allow = match resource.allow() {
        Allow::Document if policy.forms => Allow::Form,
        allow => allow,
    };
    match request.method {
        Method::Unknown => Some(Answer::Refuse(
            Kind::UnknownMethod.because(format!("known here: {}", allow.text())),
        )),
        // What is not there has no methods: 404 says more.
        _ if matches!(resource, Resource::NoPage) => None,
        Method::Options => Some(Answer::Options { allow }),
        method if allow.has(method) => None,
        _ => Some(Answer::NotAllowed { allow }),
    }
}

fn line_6(circumstances: &Circumstances) -> Option<Answer> {
    let (detail, challenge) = match circumstances.credentials {
        Credentials::Good => return None,
        Credentials::Missing => (
            "send Authorization: Bearer with a token".to_owned(),
            Challenge::Missing,
        ),
        Credentials::Bad(reason) => (
            format!("{reason}: get new credentials"),
            Challenge::InvalidToken(reason),
        ),
        Credentials::Unread { wait_secs } => return Some(Answer::too_many(wait_secs)),
    };
    let problem = Kind::Unauthenticated.because(detail);
    Some(Answer::Challenge(problem, challenge))
}

fn line_7(circumstances: &Circumstances) -> Option<Answer> {
    let action = circumstances.forbidden?;
    Some(failed(&Problem::forbidden(action, "here")))
}

/// A refusal; line 19 is told as line 7 is.
fn failed(problem: &Problem) -> Answer {
    let problem = problem.clone();
    match problem.missing {
        Some(action) => Answer::Challenge(problem, Challenge::InsufficientScope(action)),
        None => Answer::refusal(problem),
    }
}

fn line_8(circumstances: &Circumstances) -> Option<Answer> {
    circumstances.wait_secs.map(Answer::too_many)
}

fn line_9(circumstances: &Circumstances) -> Option<Answer> {
    match circumstances.repeat {
        Repeat::No => None,
        Repeat::Same => Some(Answer::Replay),
        Repeat::Different => Some(Answer::Refuse(
            Kind::KeyReused.because("this Idempotency-Key came with another request before"),
        )),
    }
}

/// Lines 10 to 15 and 24 for a document.
fn about_document(
    request: &Request<'_>,
    circumstances: &Circumstances,
    document: Option<Present<'_>>,
    policy: &Policy,
) -> Option<Answer> {
    let reads = matches!(request.method, Method::Get | Method::Head);
    match document {
        None if request.method != Method::Put => Some(Answer::Refuse(
            Kind::NotFound.because("PUT makes a document with this name"),
        )),
        Some(document) if reads => Some(read(request, &document)),
        document => lines_11_and_12(request, document, policy)
            // What a form was made from is in its content: it is decided as the PATCH that
            // it comes to.
            .or_else(|| {
                line_14(request, circumstances, document, policy)
                    .filter(|_| request.method != Method::Post)
            })
            .or_else(|| line_15(request, circumstances, document)),
    }
}

/// The type, coding and announced length of the content.
fn lines_11_and_12(
    request: &Request<'_>,
    document: Option<Present<'_>>,
    policy: &Policy,
) -> Option<Answer> {
    if request.method == Method::Delete {
        return None;
    }
    let is_json = document.is_none_or(|document| document.is_json);
    let usable = match (request.method, document) {
        (Method::Post, Some(_)) => request.usable_form(is_json),
        _ => request.usable_content(is_json),
    };
    if let Err(detail) = usable {
        return Some(Answer::Refuse(Kind::UnsupportedContent.because(detail)));
    }
    if request.method == Method::Put && request.has_content_range {
        return Some(Answer::Refuse(
            Kind::PartialPut.because("leave Content-Range out and send the whole document"),
        ));
    }
    too_large(request, policy.max_document_bytes)
}

/// Line 12.
fn too_large(request: &Request<'_>, max_bytes: usize) -> Option<Answer> {
    let announced = request.content_length?;
    (announced > max_bytes as u64).then(|| {
        Answer::Refuse(Kind::ContentTooLarge.because(format!(
            "{announced} bytes are announced; at most {max_bytes} are allowed"
        )))
    })
}

fn line_14(
    request: &Request<'_>,
    circumstances: &Circumstances,
    document: Option<Present<'_>>,
    policy: &Policy,
) -> Option<Answer> {
    let document = document?;
    if !policy.preconditions_required || request.preconditions.guard_a_write() {
        return None;
    }
    let problem = if circumstances.reads {
        Kind::PreconditionRequired.because(format!(
            "the document is there, with the tag \"{}\": GET it, and send the tag that you get in If-Match",
            document.version
        ))
    } else {
        Kind::PreconditionRequired
            .because("the document is there: send the tag of your last write in If-Match")
    };
    Some(Answer::Refuse(problem))
}

fn line_15(
    request: &Request<'_>,
    circumstances: &Circumstances,
    document: Option<Present<'_>>,
) -> Option<Answer> {
    let current = document.map(|document| Validators {
        opaque: document.opaque,
        weak: false,
        modified_secs: Some(document.modified_secs),
    });
    match request.preconditions.evaluate(Access::Unsafe, current) {
        Verdict::Hold => None,
        Verdict::NotModified | Verdict::Failed => Some(match document {
            Some(_) if !circumstances.reads => {
                Answer::Refuse(Kind::Stale.because("the document is not as If-Match says"))
            }
            Some(document) => Answer::Stale(Kind::Stale.because(format!(
                "the document now has the tag \"{}\": apply your change to that version and save again",
                document.version
            ))),
            None => Answer::Refuse(Kind::Stale.because(
                "the document is not there: leave If-Match out to make it",
            )),
        }),
    }
}

/// Lines 13, 15 and 24 for GET and HEAD.
fn read(request: &Request<'_>, document: &Present<'_>) -> Answer {
    if !request.accepts(document.content_type) {
        return Answer::Refuse(Kind::NotAcceptable.because(format!(
            "the document has the media type {}",
            document.content_type
        )));
    }
    let available: &[Coding] = if document.compressible && request.range.is_none() {
        &PREFERRED
    } else {
        &[Coding::Identity]
    };
    let whole_coded = || {
        // Coding a small or dense document gains nothing, but is better than a 406.
        let coded = request.range.is_none();
        coded.then(|| request.choose_coding(&PREFERRED)).flatten()
    };
    let Some(coding) = request.choose_coding(available).or_else(whole_coded) else {
        return Answer::Refuse(
            Kind::NotAcceptable.because("Accept-Encoding forbids every coding that there is"),
        );
    };
    let opaque = match coding {
        Coding::Identity => Cow::Borrowed(document.opaque),
        coding => Cow::Owned(format!("{}{}", document.opaque, coding.suffix())),
    };
    let current = Validators {
        opaque: &opaque,
        weak: false,
        modified_secs: Some(document.modified_secs),
    };
    match request.preconditions.evaluate(Access::Safe, Some(current)) {
        Verdict::NotModified => Answer::NotModified(coding),
        Verdict::Failed => Answer::Stale(Kind::Stale.because(format!(
            "the document now has the tag \"{}\"",
            document.version
        ))),
        Verdict::Hold => line_24(request, document, coding, &current),
    }
}

fn line_24(
    request: &Request<'_>,
    document: &Present<'_>,
    coding: Coding,
    current: &Validators<'_>,
) -> Answer {
    let whole = Answer::Representation(coding);
    let Some(range) = &request.range else {
        return whole;
    };
    let applies = request.method == Method::Get
        && request
            .if_range
            .as_ref()
            .is_none_or(|condition| match condition {
                IfRange::Tag(tag) => !tag.is_weak() && tag.opaque() == current.opaque.as_bytes(),
                // A date of whole seconds is no strong validator (RFC 9110 §8.8.2.2).
                IfRange::Date(_) => false,
            });
    if !applies {
        return whole;
    }
    match range.resolve(document.length_bytes) {
        Resolved::Ignore => whole,
        Resolved::Satisfied { first, last } => Answer::Part { first, last },
        Resolved::Unsatisfiable => Answer::OutOfRange(Kind::RangeNotSatisfiable.because(format!(
            "the document is {} bytes long",
            document.length_bytes
        ))),
    }
}

/// The table of lists, and of the POST that makes a member.
fn about_collection(
    request: &Request<'_>,
    opaque: &str,
    has_members: bool,
    policy: &Policy,
) -> Option<Answer> {
    let validators = Validators {
        opaque,
        weak: true,
        modified_secs: None,
    };
    if request.method == Method::Post {
        let stale =
            || {
                Answer::Refuse(Kind::Stale.because(
                    "a POST to a collection makes a new member: leave the preconditions out",
                ))
            };
        return lines_11_and_12(request, None, policy).or_else(|| {
            let verdict = request
                .preconditions
                .evaluate(Access::Unsafe, has_members.then_some(validators));
            (verdict != Verdict::Hold).then(stale)
        });
    }
    if request.list_form().is_none() {
        return Some(Answer::Refuse(Kind::NotAcceptable.because(
            "a collection is to be had as application/json and application/x-ndjson",
        )));
    }
    Some(
        match request
            .preconditions
            .evaluate(Access::Safe, Some(validators))
        {
            Verdict::Hold => Answer::Representation(Coding::Identity),
            Verdict::NotModified => Answer::NotModified(Coding::Identity),
            Verdict::Failed => Answer::Refuse(
                Kind::Stale.because("the tag of a list is weak and never matches If-Match"),
            ),
        },
    )
}

/// Lines 13 and 24 for a feed. It is its position that a client holds, not a version, so
/// that preconditions mean nothing.
fn about_feed(request: &Request<'_>) -> Answer {
    match request.feed_form() {
        Some(form) => Answer::Changes(form),
        None => Answer::Refuse(Kind::NotAcceptable.because(
            "changes are to be had as text/event-stream, application/json and application/x-ndjson",
        )),
    }
}

/// Lines 21 to 23.
fn written(
    request: &Request<'_>,
    circumstances: &Circumstances,
    resource: &Resource<'_>,
    (created, rewritten): (bool, bool),
) -> Answer {
    if matches!(resource, Resource::Operation(Part::All)) {
        return Answer::Accepted;
    }
    if matches!(resource, Resource::Session | Resource::Operation(_)) {
        return Answer::Written(Written {
            created,
            representation: false,
            validators: false,
        });
    }
    let coded = request.content_encoding == Some(ContentEncoding::Gzip);
    let verbatim = request.method != Method::Put || !(coded || rewritten);
    let shows = circumstances.reads && !request.is_form;
    let representation = shows && (rewritten || request.wants_representation());
    Answer::Written(Written {
        created,
        representation: representation && request.method != Method::Delete,
        validators: verbatim && request.method != Method::Delete,
    })
}

#[cfg(test)]
mod tests;
