//! Reading collections: what is asked for, and what comes of it.

use std::fmt;
use std::sync::Arc;

use matchbook_core::feed::Content;
use matchbook_core::json::Pointer;
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::query::{Place, Query};
use matchbook_core::tag::{Revision, Version};

use crate::Document;

/// Which members of a collection to read, and in which order.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Direct members of this.
    pub collection: CollectionPath,
    /// Filter, order and the place to go on after.
    pub query: Arc<Query>,
    /// What else decides which members; `None`: all may be read.
    pub only: Option<Only>,
    /// Where the page before ended; `None` at the start.
    pub after: Option<Place>,
    /// At most so many items.
    pub limit: usize,
    /// Stop early, after at least one item, when the bodies exceed this.
    pub max_bytes: usize,
    /// Whether to count all that match.
    pub count: bool,
    /// Read at this position or later.
    pub at_least: Revision,
}

/// Which documents may be read, beside what a query asks for. It is asked for each of
/// them that the query matches, on the thread that reads.
#[derive(Clone)]
pub struct Only(Arc<Admits>);

type Admits = dyn Fn(&DocumentPath, &Content<'_>) -> bool + Send + Sync;

impl Only {
    /// Those for which this holds.
    pub fn new(
        admits: impl Fn(&DocumentPath, &Content<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(admits))
    }

    /// Whether this document may be read.
    #[must_use]
    pub fn admits(&self, path: &DocumentPath, content: &Content<'_>) -> bool {
        (self.0)(path, content)
    }
}

impl fmt::Debug for Only {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Only")
    }
}

impl Scan {
    /// The next piece of all members, in order of path, and so many at a time.
    #[must_use]
    pub fn members(
        collection: CollectionPath,
        after: Option<Place>,
        limit: usize,
        max_bytes: usize,
    ) -> Self {
        Self {
            collection,
            query: Arc::default(),
            only: None,
            after,
            limit,
            max_bytes,
            count: false,
            at_least: Revision::ZERO,
        }
    }
}

/// A piece of a collection.
#[derive(Debug)]
pub struct Page {
    /// The items, in the order asked for. There may be fewer than the limit, or none,
    /// although more follow: an engine does not look at too many documents for one page.
    pub items: Vec<(DocumentPath, Arc<Document>)>,
    /// The place to go on after; `None` if nothing follows.
    pub next: Option<Place>,
    /// The state of the store that was read, or where the reading began, if it was too
    /// long for one snapshot: what changed since is in the changes from there.
    pub position: Version,
    /// How many match in all, if that was asked for.
    pub count: Option<u64>,
    /// The field whose index was used, if one was.
    pub index: Option<Pointer>,
}
