//! What makes two live queries one (contract §7).

use super::{Condition, Projection, Query};

/// Names what a query selects and shows, as the key of a map: two queries have the same
/// one if they have the same filters and the same `_fields`, in whatever order. Order
/// and pages are not of feeds, and do not count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LiveQuery {
    filters: Vec<String>,
    fields: Option<Vec<String>>,
}

impl Query {
    /// The live query that this is.
    #[must_use]
    pub fn live(&self) -> LiveQuery {
        let filters = self.filter.iter().map(Condition::spelling);
        let mut filters: Vec<_> = filters.map(str::to_owned).collect();
        filters.sort_unstable();
        filters.dedup();
        LiveQuery {
            filters,
            fields: self.fields.as_ref().map(Projection::pointers),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::FeedQuery;

    #[test]
    fn section_7_the_same_filters_and_fields_are_one_live_query() {
        let live = |raw| FeedQuery::parse(Some(raw)).unwrap().query.live();
        let groups: [&[&str]; 12] = [
            &["", "_limit=5", "_since=x", "_snapshot=true"],
            &["a=1", "a:eq=1", "%61=1", "_where./a=1", "a=1&a=1"],
            &["a=1&b:ne=2", "b:ne=2&a=1", "b:ne=2&a=1&b:ne=2"],
            &["a=1.0"],
            &["a:in=1"],
            &["a=1&_fields=b"],
            &["_fields=a", "_fields=a,a", "_fields=a,a.b", "_fields=a.b,a"],
            &["_fields=a,b.c", "_fields=b.c,a", "_fields=b.c,b.c.d,a"],
            &["_fields=a.b,a.c", "_fields=a.c,a.b"],
            &["_fields=a/b"],
            // Characters that separate the parts of a filter, in its parts.
            &["_where./a:eq=b:eq=c", "a=b:eq%3Dc"],
            &["_where./a:eq%3Db:eq=c", "a:eq%3Db:eq=c"],
        ];
        for (i, group) in groups.iter().enumerate() {
            for (j, other) in groups.iter().enumerate() {
                for (a, b) in group.iter().flat_map(|a| other.iter().map(move |b| (a, b))) {
                    assert_eq!(live(a) == live(b), i == j, "{a} {b}");
                }
            }
        }
    }
}
