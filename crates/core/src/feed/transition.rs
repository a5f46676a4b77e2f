//! What a write means to a reader: matching before → after (contract §7.2).
//!
//! | before | after | the reader is told |
//! |---|---|---|
//! | no | yes | `put`, `entered` in a live query |
//! | yes | yes | `patch` where that is smaller, else `put` |
//! | yes | no | `leave` |
//! | yes | deleted | `delete` |
//! | no | no, deleted | nothing |

use std::borrow::Cow;

use super::change::{Change, ChangeKind};
use super::content::Content;
use crate::clock::Timestamp;
use crate::json::{Patch, compact, diff};
use crate::limits::PATCH_OPERATIONS;
use crate::name::DocumentPath;
use crate::query::{Projection, Query};
use crate::tag::Version;

/// An accepted write, as the log keeps it.
#[derive(Clone, Debug)]
pub struct Write<'a> {
    /// The document.
    pub path: &'a DocumentPath,
    /// The version that it made.
    pub version: Version,
    /// The version that it took the place of; `None` if the document came into being.
    pub previous: Option<Version>,
    /// When.
    pub modified: Timestamp,
    /// What became of the document.
    pub effect: Effect<'a>,
}

/// What became of a document.
#[derive(Clone, Debug)]
pub enum Effect<'a> {
    /// It is this from now on.
    Put {
        /// Its content.
        content: Content<'a>,
        /// The JSON Patch from the document before, if the log has one.
        patch: Option<&'a str>,
    },
    /// It is no more.
    Delete,
}

impl Write<'_> {
    /// Whether [`Write::seen_by`] has to know the document before: not for a new
    /// document, and not for a reader who wants all of every document.
    #[must_use]
    pub fn needs_before(&self, query: &Query) -> bool {
        let patches_a_projection =
            query.fields.is_some() && matches!(self.effect, Effect::Put { .. });
        self.previous.is_some() && (!query.filter.is_empty() || patches_a_projection)
    }

    /// What the reader of a query is told; `None` is nothing. `before` is the content of
    /// the version `previous`, and not looked at unless [`Write::needs_before`].
    ///
    /// Applied to what a reader holds, all that it is told gives what the query matches
    /// and shows of the documents as they stand, value for value.
    #[must_use]
    pub fn seen_by(&self, query: &Query, before: Option<&Content<'_>>) -> Option<Change<'_>> {
        let is_live = !query.filter.is_empty();
        let matches = |content: &Content<'_>| query.matches(content.json());
        let held = self
            .previous
            .filter(|_| !is_live || before.is_some_and(matches));
        let kind = match &self.effect {
            Effect::Put { content, patch } if matches(content) => {
                let shown = content.shown(query.fields.as_ref());
                let patch = match (&query.fields, held) {
                    (None, _) => patch.map(Cow::Borrowed),
                    (Some(fields), Some(_)) => between_projections(fields, before, &shown),
                    (Some(_), None) => None,
                };
                let patch = patch.filter(|patch| is_worth_sending(patch, &shown));
                self.shown(held, shown, patch, is_live)
            }
            Effect::Put { .. } => ChangeKind::Leave { previous: held? },
            Effect::Delete => ChangeKind::Delete {
                previous: held?,
                modified: self.modified,
            },
        };
        Some(Change {
            path: self.path,
            kind,
            more: false,
        })
    }

    /// `patch` for one who holds the version before, otherwise `put`.
    fn shown<'w>(
        &self,
        held: Option<Version>,
        content: Content<'w>,
        patch: Option<Cow<'w, str>>,
        is_live: bool,
    ) -> ChangeKind<'w> {
        let (version, modified) = (self.version, self.modified);
        match held.zip(patch) {
            Some((previous, patch)) => ChangeKind::Patch {
                version,
                previous,
                modified,
                patch,
            },
            None => ChangeKind::Put {
                version,
                previous: self.previous,
                modified,
                content,
                entered: is_live && held.is_none(),
            },
        }
    }
}

/// The patch from what was shown of the document before to what is shown of it now.
fn between_projections<'w>(
    fields: &Projection,
    before: Option<&Content<'_>>,
    shown: &Content<'_>,
) -> Option<Cow<'w, str>> {
    let before = compact(&fields.apply(before?.json()?));
    Some(Cow::Owned(diff(&before, shown.json()?)))
}

/// Whether a patch is smaller than the document and has no more operations than
/// [`Patch::parse`] takes. One that changes nothing shown always is.
fn is_worth_sending(patch: &str, shown: &Content<'_>) -> bool {
    /// No operation is shorter than one of these.
    const SHORTEST: &str = r#"{"op":"remove","path":""}"#;
    let Some(whole) = shown.json() else {
        return false;
    };
    let surely_few = patch.len() / SHORTEST.len() < PATCH_OPERATIONS;
    patch == "[]"
        || (patch.len() < whole.trim_ascii().len() && (surely_few || Patch::parse(patch).is_ok()))
}

#[cfg(test)]
mod tests;
