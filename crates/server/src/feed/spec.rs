//! What a reader wants to know of the changes, and may.

use matchbook_core::feed::{Content, Cursor, Lens, View, Write};
use matchbook_core::name::DocumentPath;
use matchbook_core::query::{LiveQuery, Query};
use matchbook_core::tag::Version;
use matchbook_store::Scope;

use crate::rights::Sight;

/// Which documents, and what of them.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) scope: Scope,
    /// Filters and projection.
    pub(super) query: Query,
    /// What the reader may see.
    pub(super) sight: Sight,
    /// How often rights had changed when that was found.
    changes: u64,
    live: LiveQuery,
}

/// What makes two readers take the same.
pub(super) type Key = (Scope, LiveQuery, Option<View>);

impl Spec {
    pub(super) fn new(scope: Scope, query: &Query, sight: Sight, changes: u64) -> Self {
        Self {
            scope,
            live: query.live(),
            query: query.clone(),
            sight,
            changes,
        }
    }

    pub(super) fn key(&self) -> Key {
        (self.scope.clone(), self.live.clone(), self.sight.view())
    }

    /// Whether the reader may see what was found, although rights have changed so often.
    pub(super) const fn is_current(&self, changes: u64) -> bool {
        self.changes == changes
    }

    /// Whether a document may be in a snapshot of this.
    pub(super) fn holds(&self, path: &DocumentPath, content: &Content<'_>) -> bool {
        self.scope.holds(path)
            && self.query.matches(content.json())
            && self.sight.sees(path, content)
    }

    /// Whether every document is told of, as it is.
    pub(super) fn is_whole(&self) -> bool {
        self.query.filter.is_empty() && !self.sight.needs_content()
    }

    /// Whether what a write means has to be found with the document before it.
    pub(super) fn needs_before(&self, write: &Write<'_>) -> bool {
        let any = |_: &Content<'_>| true;
        let lens = Lens {
            query: &self.query,
            sees: self.sight.needs_content().then_some(&any),
        };
        write.needs_before(lens)
    }

    /// A position, as this reader is told it.
    pub(super) fn cursor(&self, at: Version) -> Cursor {
        self.sight.cursor(at)
    }
}

#[cfg(test)]
impl Spec {
    /// All of everything.
    pub(super) fn of_all() -> Self {
        Self::new(Scope::All, &Query::default(), Sight::All, 0)
    }
}
