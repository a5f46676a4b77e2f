//! The query of a list (contract §6).

use super::Query;
use super::condition::{Condition, dotted};
use super::fault::{QueryFault, shown};
use super::form;
use super::place::{Fingerprint, Place};
use super::projection::Projection;
use super::sort::SortKey;
use crate::limits::{PAGE_DEFAULT, PAGE_MAX, QUERY_TERMS};

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

/// The controls that may occur once, as they were sent.
#[derive(Default)]
struct Controls {
    sort: Option<String>,
    limit: Option<String>,
    after: Option<String>,
    fields: Option<String>,
    count: Option<String>,
}

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
        let mut filter = Vec::new();
        let mut controls = Controls::default();
        for parameter in form::parameters(raw_query.unwrap_or_default()) {
            let (name, value) = parameter?;
            if name.starts_with('_') && !name.starts_with("_where.") {
                controls.take(&name, value)?;
            } else {
                filter.push(Condition::parse(&name, &value)?);
                at_most_terms(filter.len(), "filters")?;
            }
        }
        let fields = controls.fields.as_deref().map(fields).transpose()?;
        Ok(Self {
            is_paged: controls.limit.is_some() || controls.after.is_some(),
            limit: controls.limit.as_deref().map_or(Ok(PAGE_DEFAULT), limit)?,
            count: controls.count.as_deref().map_or(Ok(false), boolean)?,
            after: controls
                .after
                .as_deref()
                .map(Place::from_token)
                .transpose()?,
            query: Query {
                filter,
                sort: controls.sort.as_deref().map_or(Ok(Vec::new()), sort)?,
                fields,
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
    let mut next = String::new();
    for pair in form::pairs(raw_query.unwrap_or_default()) {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        if form::decode(name).is_none_or(|name| name != "_after") {
            next.push_str(pair);
            next.push('&');
        }
    }
    next + "_after=" + token
}

impl Controls {
    fn take(&mut self, name: &str, value: String) -> Result<(), QueryFault> {
        let (place, name) = match name {
            "_sort" => (&mut self.sort, "_sort"),
            "_limit" => (&mut self.limit, "_limit"),
            "_after" => (&mut self.after, "_after"),
            "_fields" => (&mut self.fields, "_fields"),
            "_count" => (&mut self.count, "_count"),
            _ => return Err(QueryFault::UnknownControl { name: shown(name) }),
        };
        match place.replace(value) {
            Some(_) => Err(QueryFault::Repeated { name }),
            None => Ok(()),
        }
    }
}

fn sort(value: &str) -> Result<Vec<SortKey>, QueryFault> {
    at_most_terms(value.split(',').count(), "fields in '_sort'")?;
    value.split(',').map(SortKey::parse).collect()
}

fn fields(value: &str) -> Result<Projection, QueryFault> {
    at_most_terms(value.split(',').count(), "fields in '_fields'")?;
    let fields = value.split(',').map(|field| dotted(field, "_fields"));
    Ok(Projection::new(&fields.collect::<Result<Vec<_>, _>>()?))
}

fn limit(value: &str) -> Result<usize, QueryFault> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let limit = value.parse().ok().filter(|_| digits);
    limit
        .filter(|limit| (1..=PAGE_MAX).contains(limit))
        .ok_or(QueryFault::Limit)
}

fn boolean(value: &str) -> Result<bool, QueryFault> {
    value.parse().map_err(|_| QueryFault::Value {
        parameter: "_count".to_owned(),
        expected: "true or false",
    })
}

fn at_most_terms(count: usize, terms: &'static str) -> Result<(), QueryFault> {
    if count > QUERY_TERMS {
        return Err(QueryFault::TooMany { terms });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
