//! What a reader wants to know of the changes.

use matchbook_core::name::DocumentPath;
use matchbook_core::query::{LiveQuery, Query};
use matchbook_store::Scope;

/// Which documents, and what of them.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) scope: Scope,
    /// Filters and projection.
    pub(super) query: Query,
    /// What makes two queries the same.
    pub(super) live: LiveQuery,
}

impl Spec {
    pub(super) fn new(scope: Scope, query: &Query) -> Self {
        Self {
            scope,
            live: query.live(),
            query: query.clone(),
        }
    }

    /// Whether a document may be in a snapshot of this.
    pub(super) fn holds(&self, path: &DocumentPath) -> bool {
        self.scope.holds(path)
    }
}
