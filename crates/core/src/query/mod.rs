//! The query language of lists and feeds (contract §6): filters, order, pages.

/// A parsed query: filter, order and projection.
#[derive(Clone, Debug, Default)]
pub struct Query;

/// A place between two items of an ordered list: where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place;
