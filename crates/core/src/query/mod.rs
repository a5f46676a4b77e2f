//! The query language of lists and feeds (contract §6): filters, order, pages.
//!
//! [`ListQuery`] and [`FeedQuery`] are what a request asks for. Their [`Query`] is what an engine evaluates:
//! [`Condition::matches`] filters, and [`Query::order_key`] with the id as the last
//! resort orders. All of it is pure, so that a live query decides as a list does.
//!
//! How an engine reads a page: select the documents that match, with their
//! `order_key(document)` and id; order by that pair, both ascending and by bytes; go on
//! after the pair of the last [`Place`].

mod condition;
mod controls;
mod fault;
mod feed;
mod form;
mod list;
mod live;
mod narrow;
mod operand;
mod place;
mod projection;
mod sort;

pub use condition::{Comparison, Condition, OPERATORS, Test};
pub use fault::QueryFault;
pub use feed::{FeedQuery, is_feed, next_changes_query};
pub(crate) use form::parameters as form_parameters;
pub use list::{ListQuery, next_query};
pub use live::LiveQuery;
pub use narrow::{Keys, field, index_key, spelled};
pub use operand::{Bound, Values};
pub use place::{Fingerprint, Place};
pub use projection::Projection;
pub use sort::SortKey;

use crate::limits::SORT_KEY_BYTES;

/// A parsed query: filter, order and projection. The default one holds everything, in
/// order of path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// All of them must match.
    pub filter: Vec<Condition>,
    /// The most significant first; ties are ordered by path, ascending.
    pub sort: Vec<SortKey>,
    /// What to show of each document; all of it if `None`.
    pub fields: Option<Projection>,
}

impl Query {
    /// Whether a document belongs to the result. `None` is a document that is not JSON:
    /// it has no fields.
    #[must_use]
    pub fn matches(&self, json: Option<&str>) -> bool {
        self.filter.iter().all(|condition| condition.matches(json))
    }

    /// Where a document stands: keys and directions of the whole order in one text of
    /// bytes, at most [`SORT_KEY_BYTES`]. Empty if the order is that of paths alone.
    ///
    /// One key is no beginning of another, so what is left for the second sort key is
    /// the same wherever the first keys tie: cutting the sum keeps the order.
    #[must_use]
    pub fn order_key(&self, json: Option<&str>) -> Vec<u8> {
        let mut keys = Vec::new();
        for sort in &self.sort {
            keys.extend(sort.key(json));
        }
        keys.truncate(SORT_KEY_BYTES);
        keys
    }

    /// The place of a document. `id` is the last segment of its canonical path.
    #[must_use]
    pub fn place(&self, json: Option<&str>, id: &str) -> Place {
        Place {
            key: self.order_key(json),
            id: id.to_owned(),
        }
    }

    /// Names filter, order and reader, so that a page token is used only where it
    /// belongs. The order of filters, `_limit` and `_fields` do not matter.
    #[must_use]
    pub fn fingerprint(&self, principal: Option<&str>) -> Fingerprint {
        let mut filters: Vec<_> = self.filter.iter().map(Condition::spelling).collect();
        filters.sort_unstable();
        let sorts: Vec<_> = self.sort.iter().map(ToString::to_string).collect();
        Fingerprint::of([
            filters.as_slice(),
            &sorts.iter().map(String::as_str).collect::<Vec<_>>(),
            principal.as_slice(),
        ])
    }
}

#[cfg(test)]
mod tests;
