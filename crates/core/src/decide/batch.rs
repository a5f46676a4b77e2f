//! The table of batches (contract §8).

use super::{Answer, too_large};
use crate::field::media_type::MediaType;
use crate::limits::BATCH_BYTES;
use crate::precondition::{Access, Verdict};
use crate::problem::Kind;
use crate::request::Request;

/// Lines 11, 12 and 15.
pub(super) fn about(request: &Request<'_>) -> Option<Answer> {
    let json = |content_type: &MediaType<'_>| content_type.is("application/json");
    if !request.content_type.as_ref().is_some_and(json) {
        return Some(Answer::Refuse(
            Kind::UnsupportedContent.because("send the batch with Content-Type: application/json"),
        ));
    }
    if let Err(detail) = request.usable_content(true) {
        return Some(Answer::Refuse(Kind::UnsupportedContent.because(detail)));
    }
    too_large(request, BATCH_BYTES).or_else(|| {
        let verdict = request.preconditions.evaluate(Access::Unsafe, None);
        (verdict != Verdict::Hold).then(|| {
            Answer::Refuse(
                Kind::Stale
                    .because("a batch has no tag: send preconditions with each of its requests"),
            )
        })
    })
}
