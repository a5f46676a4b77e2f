//! The query of a list (contract §6).

use super::Query;
use super::controls::{Controls, boolean};
use super::fault::QueryFault;
use super::form;
use super::place::{Fingerprint, Place};
use crate::limits::{PAGE_DEFAULT, PAGE_MAX};

/// What a request for a list asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// Filter, order and projection.
    pub query: Query,
    /// Most items on the page, 1 to [`PAGE_MAX`].
    pub limit: usize,
    /// Whether to count all that match.
    pub count: bool,
    /// Whether a page was asked for: `_limit` or `_after` is there.
    pub is_paged: bool,
    after: Option<(Place, Fingerprint)>,
}

/// What a list is asked for with.
const KNOWN: &str = "_where./json/pointer, _sort, _limit, _after, _fields and _count";

const OF_FEEDS: &str = "asks for the changes of a collection or of a document, not for a list";

impl ListQuery {
    /// Reads the query component of a request target, still percent-encoded.
    ///
    /// # Errors
    /// The first [`QueryFault`].
    ///
    /// ```
    /// use matchbook_core::query::ListQuery;
    /// let list = ListQuery::parse(Some("done=false&due:lt=2027&_sort=-due&_limit=20"))?;
    /// assert_eq!(list.limit, 20);
    /// assert!(list.query.matches(Some(r#"{"done":false,"due":2026.5}"#)));
    /// assert!(!list.query.matches(Some(r#"{"done":false}"#)));
    /// # Ok::<(), matchbook_core::query::QueryFault>(())
    /// ```
    pub fn parse(raw_query: Option<&str>) -> Result<Self, QueryFault> {
        let (filter, controls) = Controls::read(raw_query, KNOWN)?;
        Controls::refuse([
            (&controls.since, "_since", OF_FEEDS),
            (&controls.snapshot, "_snapshot", OF_FEEDS),
        ])?;
        Ok(Self {
            is_paged: controls.limit.is_some() || controls.after.is_some(),
            limit: controls.limit(PAGE_DEFAULT, PAGE_MAX)?,
            count: boolean("_count", controls.count.as_deref())?,
            after: controls
                .after
                .as_deref()
                .map(Place::from_token)
                .transpose()?,
            query: Query {
                filter,
                sort: controls.sort()?,
                fields: controls.fields()?,
            },
        })
    }

    /// The place to go on after, for this reader.
    ///
    /// # Errors
    /// [`QueryFault::ForeignToken`] if the page token is of another filter, order or
    /// principal.
    pub fn resolve_after(&self, principal: Option<&str>) -> Result<Option<Place>, QueryFault> {
        match &self.after {
            Some((place, fingerprint)) if *fingerprint == self.query.fingerprint(principal) => {
                Ok(Some(place.clone()))
            }
            Some(_) => Err(QueryFault::ForeignToken),
            None => Ok(None),
        }
    }
}

/// The query component for the next page: the same parameters as they were sent, with
/// this token as `_after`.
#[must_use]
pub fn next_query(raw_query: Option<&str>, token: &str) -> String {
    form::with(raw_query.unwrap_or_default(), "_after", token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::QUERY_TERMS;

    fn fault(raw_query: &str) -> String {
        ListQuery::parse(Some(raw_query)).unwrap_err().to_string()
    }

    #[test]
    fn section_6_controls_and_their_defaults() {
        let plain = ListQuery::parse(None).unwrap();
        assert_eq!(plain, ListQuery::parse(Some("&")).unwrap());
        assert_eq!((plain.limit, plain.count), (PAGE_DEFAULT, false));
        assert_eq!(plain.query, Query::default());
        assert_eq!(plain.resolve_after(None), Ok(None));

        let raw =
            "_sort=-a.b,c&_limit=1000&_fields=a,b.c&_count=true&x=1&x:ne=2&%5Fwhere./y:exists=true";
        let full = ListQuery::parse(Some(raw)).unwrap();
        assert_eq!((full.limit, full.count), (PAGE_MAX, true));
        assert_eq!(full.query.filter.len(), 3);
        let sort: Vec<_> = full.query.sort.iter().map(ToString::to_string).collect();
        assert_eq!(sort, ["-/a/b", "/c"]);
        let fields = full.query.fields.unwrap();
        assert_eq!(
            fields.apply(r#"{"a":1,"b":{"c":2,"d":3}}"#),
            r#"{"a":1,"b":{"c":2}}"#
        );
    }

    #[test]
    fn section_6_a_fault_names_the_parameter() {
        let many = |pair: &str, count: usize| vec![pair; count].join("&");
        let cases = [
            (
                "_sorted=a",
                "'_sorted'; known are _where./json/pointer, _sort, _limit, _after",
            ),
            ("_since=k3v4q2ab-17", "'_since' asks for the changes"),
            ("_snapshot=true", "'_snapshot' asks for the changes"),
            ("_where=a", "'_where'"),
            ("_=a", "'_'"),
            ("_limit=1&_limit=1", "'_limit' occurs more than once"),
            ("_limit=0", "'_limit' must be 1 to 1000"),
            ("_limit=1001", "'_limit'"),
            ("_limit=%2B5", "'_limit'"),
            ("_limit=", "'_limit'"),
            ("_limit=99999999999999999999999", "'_limit'"),
            ("_count=1", "'_count' must be true or false"),
            ("_sort=", "'_sort': names no field"),
            ("_sort=a,,b", "'_sort'"),
            ("_sort=-", "'_sort'"),
            ("_sort=+a", "'+'"),
            ("_fields=a,", "'_fields'"),
            ("_after=", "'_after' is not a page token"),
            ("_after=AA", "'_after'"),
            ("a=%zz", "'a=%zz' is not percent-encoded"),
            ("=1", "names no field"),
            (&many("a=1", QUERY_TERMS + 1), "at most 32 filters"),
            (
                &format!("_sort=a{}", ",a".repeat(QUERY_TERMS)),
                "in '_sort'",
            ),
            (
                &format!("_fields=a{}", ",a".repeat(QUERY_TERMS)),
                "in '_fields'",
            ),
        ];
        for (raw, part) in cases {
            assert!(fault(raw).contains(part), "{raw}: {}", fault(raw));
        }
        assert!(ListQuery::parse(Some(&many("a=1", QUERY_TERMS))).is_ok());
    }

    #[test]
    fn section_6_a_token_is_bound_to_filter_sort_and_principal() {
        let first = ListQuery::parse(Some("a=1&b=2&_sort=-c")).unwrap();
        let place = first.query.place(Some(r#"{"c":"é"}"#), "caf%C3%A9");
        let token = place.token(first.query.fingerprint(Some("ann")));
        let resolve = |raw: &str, principal| {
            let raw = next_query(Some(raw), &token);
            ListQuery::parse(Some(&raw))
                .unwrap()
                .resolve_after(principal)
        };
        for same in [
            "a=1&b=2&_sort=-c",
            "b=2&%61=1&_sort=-c&_limit=5&_fields=x&_count=true",
            "_where./a:eq=1&b:eq=2&_sort=-c&_after=AAAA",
        ] {
            assert_eq!(
                resolve(same, Some("ann")),
                Ok(Some(place.clone())),
                "{same}"
            );
        }
        for other in [
            "a=1&b=2&_sort=c",
            "a=1&b=2",
            "a=1&_sort=-c",
            "a=1&b=3&_sort=-c",
            "a=1&b:ne=2&_sort=-c",
            "a=1&b=2&c=3&_sort=-c",
            "a=1&b=2&_sort=-c,d",
        ] {
            assert_eq!(
                resolve(other, Some("ann")),
                Err(QueryFault::ForeignToken),
                "{other}"
            );
        }
        for principal in [None, Some(""), Some("bob")] {
            let resolved = resolve("a=1&b=2&_sort=-c", principal);
            assert_eq!(resolved, Err(QueryFault::ForeignToken));
        }
    }

    #[test]
    fn the_next_query_is_the_same_but_for_the_token() {
        assert_eq!(next_query(None, "T"), "_after=T");
        let raw = "a=%41+b&_after=x&&_limit=2&%5fafter=y&_afterwards=1";
        assert_eq!(
            next_query(Some(raw), "T"),
            "a=%41+b&_limit=2&_afterwards=1&_after=T"
        );
    }
}
