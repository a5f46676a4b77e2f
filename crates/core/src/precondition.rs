//! Whether a request's preconditions hold (RFC 9110 §13.2.2, contract §1 and §3
//! line 15).

use crate::field::coding::Coding;
use crate::field::entity_tag::TagList;

/// The conditional fields of a request.
#[derive(Clone, Debug, Default)]
pub struct Preconditions<'a> {
    /// `If-Match`.
    pub if_match: Option<TagList<'a>>,
    /// `If-None-Match`.
    pub if_none_match: Option<TagList<'a>>,
    /// `If-Modified-Since`, in seconds since 1970.
    pub if_modified_since_secs: Option<u64>,
    /// `If-Unmodified-Since`, in seconds since 1970.
    pub if_unmodified_since_secs: Option<u64>,
}

/// The validators of what the request is about.
#[derive(Clone, Copy, Debug)]
pub struct Validators<'a> {
    /// The opaque part of the entity tag: of the selected representation for GET and
    /// HEAD, of the version for unsafe methods.
    pub opaque: &'a str,
    /// Whether the tag is weak, as a list's is.
    pub weak: bool,
    /// `Last-Modified`, in seconds since 1970, where there is one.
    pub modified_secs: Option<u64>,
}

/// Whether the request only reads: what a false `If-None-Match` means depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// GET and HEAD.
    Safe,
    /// All else.
    Unsafe,
}

/// What the preconditions say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Hold,
    /// 304: the client has it already.
    NotModified,
    /// 412.
    Failed,
}

impl Preconditions<'_> {
    /// Whether a write says which version it is meant for. `If-None-Match` counts only
    /// as `*`, and `If-Unmodified-Since` never: its second is too coarse (contract §3
    /// line 14).
    #[must_use]
    pub fn guard_a_write(&self) -> bool {
        self.if_match.is_some() || matches!(self.if_none_match, Some(TagList::Any))
    }

    /// Evaluates in the order of RFC 9110 §13.2.2; `None`: nothing exists there.
    #[must_use]
    pub fn evaluate(&self, access: Access, current: Option<Validators<'_>>) -> Verdict {
        if !self.may_proceed(access, current) {
            return Verdict::Failed;
        }
        if self.is_what_the_client_has(access, current) {
            return match access {
                Access::Safe => Verdict::NotModified,
                Access::Unsafe => Verdict::Failed,
            };
        }
        Verdict::Hold
    }

    /// Steps 1 and 2.
    fn may_proceed(&self, access: Access, current: Option<Validators<'_>>) -> bool {
        if let Some(list) = &self.if_match {
            return current.is_some_and(|validators| match list {
                TagList::Any => true,
                TagList::Tags(tags) => tags.iter().any(|tag| {
                    !tag.is_weak()
                        && !validators.weak
                        && comparable(tag.opaque(), access) == validators.opaque.as_bytes()
                }),
            });
        }
        match (
            self.if_unmodified_since_secs,
            current.and_then(|v| v.modified_secs),
        ) {
            (Some(date), Some(modified)) => modified <= date,
            _ => true,
        }
    }

    /// Steps 3 and 4.
    fn is_what_the_client_has(&self, access: Access, current: Option<Validators<'_>>) -> bool {
        let Some(validators) = current else {
            return false;
        };
        if let Some(list) = &self.if_none_match {
            return match list {
                TagList::Any => true,
                TagList::Tags(tags) => tags
                    .iter()
                    .any(|tag| comparable(tag.opaque(), access) == validators.opaque.as_bytes()),
            };
        }
        // Within the second of Last-Modified there may have been a later version than
        // the one that the client has: only a later date proves that there was none.
        access == Access::Safe
            && self
                .if_modified_since_secs
                .zip(validators.modified_secs)
                .is_some_and(|(date, modified)| modified < date)
    }
}

/// For an unsafe method, the tag of any content coding of a version stands for the
/// version.
fn comparable(opaque: &[u8], access: Access) -> &[u8] {
    match access {
        Access::Safe => opaque,
        Access::Unsafe => Coding::split(opaque).0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list as `If-Match` would hold it.
    fn tags(line: &'static str) -> Option<TagList<'static>> {
        TagList::parse("If-Match", std::iter::once(line.as_bytes())).unwrap()
    }

    const NOW: Validators<'static> = Validators {
        opaque: "e-7",
        weak: false,
        modified_secs: Some(100),
    };

    #[test]
    fn section_3_line_15_tags() {
        use Access::{Safe, Unsafe};
        use Verdict::{Failed, Hold, NotModified};
        let any = Some(TagList::Any);
        let none = None;
        let cases = [
            // If-Match, If-None-Match, access, exists, verdict
            (none.clone(), none.clone(), Unsafe, true, Hold),
            (any.clone(), none.clone(), Unsafe, true, Hold),
            (any.clone(), none.clone(), Unsafe, false, Failed),
            (tags("\"e-7\""), none.clone(), Unsafe, true, Hold),
            (tags("\"e-7+gzip\""), none.clone(), Unsafe, true, Hold),
            (tags("\"e-7+gzip\""), none.clone(), Safe, true, Failed),
            (tags("\"e-7+lzma\""), none.clone(), Unsafe, true, Failed),
            (tags("W/\"e-7\""), none.clone(), Unsafe, true, Failed),
            (tags("\"e-6\", \"e-7\""), none.clone(), Unsafe, true, Hold),
            (tags("\"e-6\""), none.clone(), Unsafe, true, Failed),
            (tags("\"e-6\""), none.clone(), Safe, true, Failed),
            (tags("\"e-7\""), none.clone(), Unsafe, false, Failed),
            (none.clone(), any.clone(), Unsafe, true, Failed),
            (none.clone(), any.clone(), Unsafe, false, Hold),
            (none.clone(), any.clone(), Safe, true, NotModified),
            (none.clone(), tags("W/\"e-7\""), Safe, true, NotModified),
            (none.clone(), tags("\"e-7\""), Safe, true, NotModified),
            (none.clone(), tags("\"e-7+br\""), Safe, true, Hold),
            (none.clone(), tags("\"e-7\""), Unsafe, true, Failed),
            (none.clone(), tags("\"e-6\""), Unsafe, true, Hold),
            // Step 1 comes before step 3.
            (tags("\"e-6\""), tags("\"e-7\""), Safe, true, Failed),
            (tags("\"e-7\""), tags("\"e-7\""), Safe, true, NotModified),
        ];
        for (if_match, if_none_match, access, exists, expected) in cases {
            let preconditions = Preconditions {
                if_match,
                if_none_match,
                ..Preconditions::default()
            };
            let verdict = preconditions.evaluate(access, exists.then_some(NOW));
            assert_eq!(verdict, expected, "{preconditions:?} {access:?} {exists}");
        }
    }

    #[test]
    fn section_3_line_15_dates() {
        use Access::{Safe, Unsafe};
        use Verdict::{Failed, Hold, NotModified};
        let cases = [
            // If-Modified-Since, If-Unmodified-Since, access, verdict
            (Some(101), None, Safe, NotModified),
            (Some(100), None, Safe, Hold),
            (Some(99), None, Safe, Hold),
            (Some(101), None, Unsafe, Hold),
            (None, Some(100), Unsafe, Hold),
            (None, Some(99), Unsafe, Failed),
            (None, Some(99), Safe, Failed),
        ];
        for (if_modified_since_secs, if_unmodified_since_secs, access, expected) in cases {
            let preconditions = Preconditions {
                if_modified_since_secs,
                if_unmodified_since_secs,
                ..Preconditions::default()
            };
            assert_eq!(
                preconditions.evaluate(access, Some(NOW)),
                expected,
                "{preconditions:?}"
            );
        }
    }

    #[test]
    fn section_3_line_15_a_tag_makes_dates_irrelevant() {
        let preconditions = Preconditions {
            if_match: Some(TagList::Any),
            if_unmodified_since_secs: Some(1),
            if_none_match: tags("\"e-6\""),
            if_modified_since_secs: Some(1_000),
        };
        assert_eq!(
            preconditions.evaluate(Access::Safe, Some(NOW)),
            Verdict::Hold
        );
    }

    #[test]
    fn a_weak_validator_never_matches_strongly() {
        let list = Validators { weak: true, ..NOW };
        let preconditions = Preconditions {
            if_match: tags("\"e-7\""),
            ..Preconditions::default()
        };
        assert_eq!(
            preconditions.evaluate(Access::Unsafe, Some(list)),
            Verdict::Failed
        );
    }
}
