//! The query of a feed (contract §7).

use super::Query;
use super::controls::{Controls, boolean};
use super::fault::QueryFault;
use super::form;
use crate::limits::{CHANGES_DEFAULT, CHANGES_MAX};

/// What a request for changes asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedQuery {
    /// Filter and projection; the order is that of the changes.
    pub query: Query,
    /// The cursor to go on after, as it was sent: what is wrong with one is told in the
    /// stream, so that a browser hears of it. It counts before `snapshot`.
    pub since: Option<String>,
    /// Whether to begin with all documents.
    pub snapshot: bool,
    /// Most changes on a page, 1 to [`CHANGES_MAX`].
    pub limit: usize,
    /// Whether a page was asked for: `_limit` is there.
    pub is_paged: bool,
}

/// What a feed is asked for with.
const KNOWN: &str = "_where./json/pointer, _since, _snapshot, _limit and _fields";

impl FeedQuery {
    /// Reads the query component of a request target, still percent-encoded.
    ///
    /// # Errors
    /// The first [`QueryFault`].
    ///
    /// ```
    /// use matchbook_core::query::FeedQuery;
    /// let feed = FeedQuery::parse(Some("done=false&_fields=title&_since=k3v4q2ab-17"))?;
    /// assert_eq!(feed.since.as_deref(), Some("k3v4q2ab-17"));
    /// assert!(feed.query.matches(Some(r#"{"done":false}"#)));
    /// # Ok::<(), matchbook_core::query::QueryFault>(())
    /// ```
    pub fn parse(raw_query: Option<&str>) -> Result<Self, QueryFault> {
        let (filter, controls) = Controls::read(raw_query, KNOWN)?;
        Controls::refuse([
            (
                &controls.sort,
                "_sort",
                "has no meaning in a feed: changes come in the order in which they were made",
            ),
            (
                &controls.after,
                "_after",
                "has no meaning in a feed: send the cursor to go on after as '_since'",
            ),
            (
                &controls.count,
                "_count",
                "has no meaning in a feed: it has no end; count in a list",
            ),
        ])?;
        Ok(Self {
            limit: controls.limit(CHANGES_DEFAULT, CHANGES_MAX)?,
            snapshot: boolean("_snapshot", controls.snapshot.as_deref())?,
            query: Query {
                filter,
                sort: Vec::new(),
                fields: controls.fields()?,
            },
            is_paged: controls.limit.is_some(),
            since: controls.since,
        })
    }
}

/// Whether a query asks for changes, whatever media type is accepted: only feeds have
/// `_since` and `_snapshot`.
#[must_use]
pub fn is_feed(raw_query: Option<&str>) -> bool {
    let mut pairs = form::pairs(raw_query.unwrap_or_default());
    pairs.any(|pair| form::is_named(pair, "_since") || form::is_named(pair, "_snapshot"))
}

/// The query component to go on with: the same parameters as they were sent, with this
/// cursor as `_since`.
#[must_use]
pub fn next_changes_query(raw_query: Option<&str>, cursor: &str) -> String {
    form::with(raw_query.unwrap_or_default(), "_since", cursor)
}

#[cfg(test)]
mod tests {
    use super::super::ListQuery;
    use super::*;

    #[test]
    fn section_7_controls_and_their_defaults() {
        let plain = FeedQuery::parse(None).unwrap();
        assert_eq!(plain.query, Query::default());
        assert_eq!((plain.since, plain.snapshot), (None, false));
        assert_eq!(plain.limit, CHANGES_DEFAULT);

        let raw =
            "_since=x%2By&_snapshot=true&_limit=10000&_fields=a,b.c&x=1&_where./y:exists=true";
        let full = FeedQuery::parse(Some(raw)).unwrap();
        assert_eq!(full.since.as_deref(), Some("x+y"));
        assert_eq!((full.snapshot, full.limit), (true, CHANGES_MAX));
        let list = ListQuery::parse(Some("x=1&_where./y:exists=true&_fields=a,b.c"));
        assert_eq!(full.query, list.unwrap().query);
        assert_eq!(
            FeedQuery::parse(Some("_since")).unwrap().since.as_deref(),
            Some("")
        );
    }

    #[test]
    fn section_7_a_fault_names_the_parameter() {
        let cases = [
            ("_sort=a", "'_sort' has no meaning in a feed"),
            ("_after=x", "send the cursor to go on after as '_since'"),
            ("_count=true", "'_count' has no meaning"),
            ("_limit=0", "'_limit' must be 1 to 10000"),
            ("_limit=10001", "'_limit'"),
            ("_snapshot=1", "'_snapshot' must be true or false"),
            ("_snapshot=", "'_snapshot'"),
            ("_since=a&_since=a", "'_since' occurs more than once"),
            (
                "_cursor=a",
                "'_cursor'; known are _where./json/pointer, _since, _snapshot",
            ),
            ("_fields=a,", "'_fields'"),
            ("a:like=1", "'like'"),
            ("_since=%", "not percent-encoded"),
        ];
        for (raw, part) in cases {
            let fault = FeedQuery::parse(Some(raw)).unwrap_err().to_string();
            assert!(fault.contains(part), "{raw}: {fault}");
        }
    }

    #[test]
    fn section_7_2_since_makes_a_request_one_for_changes() {
        for raw in [
            "_since=x",
            "_since",
            "a=1&%5fsince=x",
            "_snapshot=false",
            "&&_snapshot",
        ] {
            assert!(is_feed(Some(raw)), "{raw}");
        }
        for raw in [
            "",
            "since=x",
            "a=_since",
            "_since.a=1",
            "_where./_since=1",
            "%zz=_since",
        ] {
            assert!(!is_feed(Some(raw)), "{raw}");
        }
        assert!(!is_feed(None));
    }

    #[test]
    fn section_7_3_the_next_query_differs_in_the_cursor() {
        let raw = "a=%41+b&_since=x&&_fields=y&%5fsince=z";
        let next = next_changes_query(Some(raw), "k3v4q2ab-17");
        assert_eq!(next, "a=%41+b&_fields=y&_since=k3v4q2ab-17");
        assert_eq!(next_changes_query(None, "c"), "_since=c");
    }
}
