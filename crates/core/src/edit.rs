//! What a write makes of a document: the content of a PUT, POST or PATCH evaluated
//! (contract §2, §4.1, §4.2; lines 16 and 17 of §3).

use bytes::Bytes;

use crate::field::media_type::MediaType;
use crate::json::{self, ApplyFault, ApplyFaultKind, Patch};
use crate::problem::{Kind, Problem};
use crate::request::PatchForm;

/// A document as it is before the write.
#[derive(Clone, Copy, Debug)]
pub struct Before<'a> {
    /// Its media type.
    pub content_type: &'a str,
    /// Its bytes.
    pub body: &'a [u8],
}

/// How the content of a request becomes a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit<'a> {
    /// It is the document, of this media type.
    Replace {
        /// As it is to be stored and served.
        content_type: &'a str,
        /// Whether that is JSON, and so has to parse.
        is_json: bool,
        /// Whether it was found to parse already.
        is_checked: bool,
        /// Whether to find the patch from the document before: worth its cost where
        /// somebody follows the changes.
        followed: bool,
    },
    /// It says what to change.
    Patch(PatchForm),
}

/// What the write comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The document stays as it is: equal bytes and equal media type.
    Unchanged,
    /// It becomes this. The media type is that of the [`Edit::Replace`], or for a
    /// patch that of the document before.
    Changed {
        /// The new bytes.
        body: Bytes,
        /// A JSON Patch from the document before to the new one, where it is at hand
        /// and smaller than the document.
        patch: Option<Bytes>,
    },
}

impl PatchForm {
    /// Whether a patch tells its sender of values that it does not hold: RFC 6902's `test`,
    /// `copy` and `move` do. What does not parse tells nothing.
    #[must_use]
    pub fn looks(self, content: &[u8]) -> bool {
        let text = std::str::from_utf8(content).ok();
        self == Self::JsonPatch
            && text
                .filter(|_| json::check(content).is_ok())
                .and_then(|text| Patch::parse(text).ok())
                .is_some_and(|patch| patch.looks())
    }
}

impl Edit<'_> {
    /// Evaluates the content. `before` is `None` where no document is; a patch then
    /// finds nothing to change.
    ///
    /// # Errors
    /// `Malformed`, `PatchConflict`, `UnsupportedContent` or `ContentTooLarge`.
    pub fn apply(
        &self,
        before: Option<Before<'_>>,
        content: &Bytes,
        max_bytes: usize,
    ) -> Result<Outcome, Problem> {
        match *self {
            Self::Replace {
                content_type,
                is_json,
                is_checked,
                followed,
            } => {
                let outcome = replace(before, content, content_type, is_json && !is_checked)?;
                Ok(match before.filter(|_| followed && is_json) {
                    Some(before) => with_patch(before, outcome),
                    None => outcome,
                })
            }
            Self::Patch(form) => {
                let before = before.ok_or_else(|| Kind::NotFound.because("nothing to patch"))?;
                patch(before, content, form, max_bytes)
            }
        }
    }
}

fn replace(
    before: Option<Before<'_>>,
    content: &Bytes,
    content_type: &str,
    must_parse: bool,
) -> Result<Outcome, Problem> {
    let same =
        before.is_some_and(|before| before.body == content && before.content_type == content_type);
    if same {
        return Ok(Outcome::Unchanged);
    }
    if must_parse {
        json::check(content).map_err(malformed)?;
    }
    // A copy, because the content is a part of a buffer of the connection, all of which
    // would stay in memory for as long as the document does.
    Ok(Outcome::Changed {
        body: Bytes::copy_from_slice(content),
        patch: None,
    })
}

/// Adds the patch between two documents, if both are JSON.
fn with_patch(before: Before<'_>, outcome: Outcome) -> Outcome {
    let was_json =
        MediaType::read(before.content_type).is_some_and(|media_type| media_type.is_json());
    match outcome {
        Outcome::Changed { body, patch: None } if was_json => {
            let texts = std::str::from_utf8(before.body)
                .ok()
                .zip(std::str::from_utf8(&body).ok());
            let patch = texts.map(|(before, after)| json::diff(before, after));
            let patch = patch
                .filter(|patch| patch.len() < body.len())
                .map(Bytes::from);
            Outcome::Changed { body, patch }
        }
        other => other,
    }
}

fn patch(
    before: Before<'_>,
    content: &[u8],
    form: PatchForm,
    max_bytes: usize,
) -> Result<Outcome, Problem> {
    let content = json::check(content).map_err(malformed)?;
    // Stored JSON was checked when it came in.
    let document = std::str::from_utf8(before.body)
        .map_err(|_| Kind::Internal.because("the stored document is not UTF-8"))?;
    let after = match form {
        PatchForm::MergeIfObject if !content.trim_start().starts_with('{') => {
            return Err(Kind::UnsupportedContent.because(
                "application/json is taken as a merge patch only if it is an object: send application/merge-patch+json or application/json-patch+json",
            ));
        }
        PatchForm::Merge | PatchForm::MergeIfObject => json::merge(document, content, max_bytes)
            .map_err(|fault| Kind::ContentTooLarge.because(fault.to_string()))?,
        PatchForm::JsonPatch => Patch::parse(content)
            .map_err(|fault| Kind::Malformed.because(fault.to_string()))?
            .apply(document, max_bytes)
            .map_err(does_not_apply)?,
    };
    if after == document {
        return Ok(Outcome::Unchanged);
    }
    let restated = match form {
        PatchForm::Merge | PatchForm::MergeIfObject => json::restate(document, content),
        PatchForm::JsonPatch => None,
    };
    let patch = restated
        .or_else(|| Some(json::diff(document, &after)))
        .filter(|patch| patch.len() < after.len())
        .map(Bytes::from);
    Ok(Outcome::Changed {
        body: Bytes::from(after),
        patch,
    })
}

fn malformed(fault: json::Fault) -> Problem {
    Kind::Malformed.because(fault.to_string())
}

fn does_not_apply(fault: ApplyFault) -> Problem {
    let kind = match fault.kind {
        ApplyFaultKind::TestFailed | ApplyFaultKind::PathNotFound => Kind::PatchConflict,
        ApplyFaultKind::TooLarge => Kind::ContentTooLarge,
        ApplyFaultKind::TooDeep => Kind::Malformed,
    };
    kind.because(fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "application/json";

    fn apply(edit: Edit<'_>, before: Option<&str>, content: &str) -> Result<String, Kind> {
        let before = before.map(|body| Before {
            content_type: JSON,
            body: body.as_bytes(),
        });
        match edit.apply(before, &Bytes::from(content.to_owned()), 1_000) {
            Ok(Outcome::Unchanged) => Ok("unchanged".to_owned()),
            Ok(Outcome::Changed { body, .. }) => Ok(String::from_utf8_lossy(&body).into_owned()),
            Err(problem) => Err(problem.kind),
        }
    }

    #[test]
    fn section_4_1_a_put_is_stored_as_sent() {
        let json = Edit::Replace {
            followed: false,
            content_type: JSON,
            is_json: true,
            is_checked: false,
        };
        let text = Edit::Replace {
            followed: false,
            content_type: "text/plain",
            is_json: false,
            is_checked: false,
        };
        let cases = [
            (json, None, " {\"a\": 1.0}\n", Ok(" {\"a\": 1.0}\n")),
            (json, Some("{}"), "{}", Ok("unchanged")),
            (json, Some("{}"), "{ }", Ok("{ }")),
            (text, Some("{}"), "{}", Ok("{}")),
            (text, None, "{", Ok("{")),
            (json, None, "{", Err(Kind::Malformed)),
            (json, None, "", Err(Kind::Malformed)),
        ];
        for (edit, before, content, expected) in cases {
            assert_eq!(
                apply(edit, before, content),
                expected.map(str::to_owned),
                "{content}"
            );
        }
    }

    #[test]
    fn section_4_2_a_patch_keeps_what_it_does_not_touch() {
        use PatchForm::{JsonPatch, Merge, MergeIfObject};
        let before = "{\"n\": 1e400, \"a\": {\"x\": 1.0}}";
        let cases = [
            (Merge, "{\"a\":null}", Ok("{\"n\": 1e400}")),
            (Merge, "{\"a\":{\"x\":1.0}}", Ok("unchanged")),
            (Merge, "7", Ok("7")),
            (MergeIfObject, "{\"a\":null}", Ok("{\"n\": 1e400}")),
            (MergeIfObject, "[]", Err(Kind::UnsupportedContent)),
            (Merge, "{\"a\":1,\"a\":2}", Err(Kind::Malformed)),
            (JsonPatch, "[]", Ok("unchanged")),
            (JsonPatch, "{}", Err(Kind::Malformed)),
            (
                JsonPatch,
                "[{\"op\":\"test\",\"path\":\"/a/x\",\"value\":1}]",
                Ok("unchanged"),
            ),
            (
                JsonPatch,
                "[{\"op\":\"test\",\"path\":\"/a/x\",\"value\":2}]",
                Err(Kind::PatchConflict),
            ),
            (
                JsonPatch,
                "[{\"op\":\"remove\",\"path\":\"/b\"}]",
                Err(Kind::PatchConflict),
            ),
        ];
        for (form, content, expected) in cases {
            assert_eq!(
                apply(Edit::Patch(form), Some(before), content),
                expected.map(str::to_owned),
                "{content}"
            );
        }
    }

    #[test]
    fn a_result_over_the_limit_is_refused() {
        let long = format!("{{\"b\":\"{}\"}}", "x".repeat(1_000));
        let refused = apply(Edit::Patch(PatchForm::Merge), Some("{}"), &long);
        assert_eq!(refused, Err(Kind::ContentTooLarge));
    }
}
