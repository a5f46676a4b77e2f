//! The tables of operations (contract §9): where one is started, one of them, the file that
//! it has made, and the content that it is to work on.

use super::{Answer, Circumstances, Part, line_15, read, too_large};
use crate::field::coding::Coding;
use crate::field::media_type::MediaType;
use crate::limits::{IMPORT_BYTES, OPERATION_BYTES};
use crate::precondition::{Access, Verdict};
use crate::problem::Kind;
use crate::request::{Method, Request};

/// Lines 10 to 15 and 24.
pub(super) fn about(
    request: &Request<'_>,
    circumstances: &Circumstances,
    part: Part<'_>,
) -> Option<Answer> {
    match part {
        Part::All => {
            let what = "application/json";
            takes(request, what, OPERATION_BYTES).or_else(|| unconditional(request))
        }
        Part::One(None) => Some(missing(
            "there is no operation of this name; a day after its end it is forgotten",
        )),
        Part::One(Some(operation)) if matches!(request.method, Method::Get | Method::Head) => {
            Some(read(request, &operation))
        }
        // It changes all the time, so that whoever ends it need not name a version.
        Part::One(operation) => line_15(request, circumstances, operation),
        Part::Result { is_there: true } => Some(Answer::Representation(Coding::Identity)),
        Part::Result { is_there: false } => Some(missing(
            "no file was made here: only an export that has succeeded has one",
        )),
        Part::Content { is_taken: false } => Some(missing(
            "no operation takes content here: only an import without a source does",
        )),
        Part::Content { is_taken: true } => partial(request)
            .or_else(|| takes(request, "application/x-ndjson", IMPORT_BYTES))
            .or_else(|| unconditional(request)),
    }
}

fn missing(detail: &str) -> Answer {
    Answer::Refuse(Kind::NotFound.because(detail))
}

/// Lines 11 and 12.
fn takes(request: &Request<'_>, media_type: &str, max_bytes: usize) -> Option<Answer> {
    let is_it = |content_type: &MediaType<'_>| content_type.is(media_type);
    if !request.content_type.as_ref().is_some_and(is_it) {
        return Some(Answer::Refuse(
            Kind::UnsupportedContent.because(format!("send it with Content-Type: {media_type}")),
        ));
    }
    if let Err(detail) = request.usable_content(true) {
        return Some(Answer::Refuse(Kind::UnsupportedContent.because(detail)));
    }
    too_large(request, max_bytes)
}

/// A part of line 11.
fn partial(request: &Request<'_>) -> Option<Answer> {
    request.has_content_range.then(|| {
        Answer::Refuse(
            Kind::PartialPut.because("leave Content-Range out and send the whole content"),
        )
    })
}

/// Line 15, where nothing has a tag.
fn unconditional(request: &Request<'_>) -> Option<Answer> {
    let verdict = request.preconditions.evaluate(Access::Unsafe, None);
    (verdict != Verdict::Hold).then(|| {
        Answer::Refuse(Kind::Stale.because("this has no tag: leave the preconditions out"))
    })
}
