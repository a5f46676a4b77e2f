//! A page while it is put together.

use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::Arc;

use matchbook_core::name::DocumentPath;
use matchbook_core::query::Place;
use matchbook_core::tag::Revision;

use super::row::{LogRow, corrupt};
use super::shared::Shared;
use crate::{Document, Page, ReadError, Scan};

/// The items of a page, within its bounds.
pub(super) struct Items {
    items: Vec<(DocumentPath, Arc<Document>)>,
    limit: usize,
    bytes_left: usize,
}

impl Items {
    pub(super) fn new(scan: &Scan) -> Self {
        Self {
            items: Vec::new(),
            limit: scan.limit,
            bytes_left: scan.max_bytes,
        }
    }

    /// Adds a row, or breaks if the page has no room for it.
    pub(super) fn add(
        &mut self,
        row: &LogRow<'_>,
        shared: &Shared,
    ) -> Result<ControlFlow<()>, ReadError> {
        let document = row
            .document(shared)
            .ok_or_else(|| corrupt("a document's entry is a deletion"))?;
        let bytes = document.body.len();
        // The first item goes on the page however large it is.
        let fits = bytes <= self.bytes_left || self.items.is_empty();
        if self.items.len() >= self.limit || !fits {
            return Ok(ControlFlow::Break(()));
        }
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        self.items.push((row.path()?, Arc::new(document)));
        Ok(ControlFlow::Continue(()))
    }

    /// The id of the last item.
    pub(super) fn last_id(&self) -> Option<String> {
        self.items.last().map(|(path, _)| path.id().to_owned())
    }

    pub(super) fn page(self, shared: &Shared, position: Revision, next: Option<Place>) -> Page {
        Page {
            items: self.items,
            next,
            position: shared.history.version(position),
            count: None,
            index: None,
        }
    }
}

/// The first rows in an order, of those that were offered: one page, and one more
/// that tells whether anything follows.
pub(super) struct Best<'a> {
    /// The last of them on top.
    heap: BinaryHeap<(Place, Revision)>,
    after: Option<&'a Place>,
    most: usize,
}

impl<'a> Best<'a> {
    /// To hold what comes after the place where the page before ended.
    pub(super) fn after(scan: &'a Scan) -> Self {
        Self {
            heap: BinaryHeap::new(),
            after: scan.after.as_ref(),
            most: scan.limit.saturating_add(1),
        }
    }

    pub(super) fn offer(&mut self, place: Place, revision: Revision) {
        if self.after.is_some_and(|after| place <= *after) {
            return;
        }
        if self.heap.len() < self.most {
            self.heap.push((place, revision));
        } else if let Some(mut last) = self.heap.peek_mut()
            && place < last.0
        {
            *last = (place, revision);
        }
    }

    pub(super) fn in_order(self) -> Vec<(Place, Revision)> {
        self.heap.into_sorted_vec()
    }
}
