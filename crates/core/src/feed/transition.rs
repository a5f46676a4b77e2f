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

/// What of the documents somebody is shown: what they want, and what they may see.
#[derive(Clone, Copy)]
pub struct Lens<'a> {
    /// What they want.
    pub query: &'a Query,
    /// Which documents they may see; `None`: all.
    pub sees: Option<&'a dyn Fn(&Content<'_>) -> bool>,
}

impl<'a> Lens<'a> {
    /// All that a query asks for.
    #[must_use]
    pub const fn of(query: &'a Query) -> Self {
        Self { query, sees: None }
    }

    /// Whether some documents are not shown.
    fn is_partial(&self) -> bool {
        !self.query.filter.is_empty() || self.sees.is_some()
    }

    fn shows(&self, content: &Content<'_>) -> bool {
        self.query.matches(content.json()) && self.sees.is_none_or(|sees| sees(content))
    }
}

impl Write<'_> {
    /// Whether [`Write::seen_by`] has to know the document before: not for a new
    /// document, and not for a reader who wants, and may see, all of every document.
    #[must_use]
    pub fn needs_before(&self, lens: Lens<'_>) -> bool {
        let patches_a_projection =
            lens.query.fields.is_some() && matches!(self.effect, Effect::Put { .. });
        self.previous.is_some() && (lens.is_partial() || patches_a_projection)
    }

    /// What a reader is told; `None` is nothing. `before` is the content of
    /// the version `previous`, and not looked at unless [`Write::needs_before`].
    ///
    /// Applied to what a reader holds, all that it is told gives what is shown of the
    /// documents as they stand, value for value.
    #[must_use]
    pub fn seen_by(&self, lens: Lens<'_>, before: Option<&Content<'_>>) -> Option<Change<'_>> {
        let is_live = lens.is_partial();
        let query = lens.query;
        let matches = |content: &Content<'_>| lens.shows(content);
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
