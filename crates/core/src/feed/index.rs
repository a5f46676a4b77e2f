//! Which live queries a write may concern, found without evaluating all of them.
//!
//! A query with an `eq` or `in` matches only documents whose field has one of its
//! values. So it stands under these values, and a write concerns it only if the document
//! had or has one of them there. Values are found by [`key`], whose bytes are equal
//! exactly where values are; `eq` with `1` stands under 1 and under `"1"`, because it
//! matches both.

use std::collections::{BTreeMap, BTreeSet};

use crate::json::key::key;
use crate::json::select::select;
use crate::query::{Condition, Query, Test};

/// Live queries, each under a `K` that stands for it.
///
/// ```
/// use matchbook_core::feed::FilterIndex;
/// use matchbook_core::query::FeedQuery;
/// let mut index = FilterIndex::default();
/// for (raw, name) in [("room=1", "one"), ("room=2", "two"), ("open=true&room:gt=1", "open")] {
///     index.insert(&FeedQuery::parse(Some(raw))?.query, name);
/// }
/// let mut concerned = Vec::new();
/// index.candidates(None, Some(r#"{"room":2.0}"#), |name| concerned.push(*name));
/// assert_eq!(concerned, ["two"]);
/// # Ok::<(), matchbook_core::query::QueryFault>(())
/// ```
#[derive(Clone, Debug)]
pub struct FilterIndex<K> {
    /// By the tokens of the field's pointer.
    fields: BTreeMap<Vec<String>, Field<K>>,
    /// The condition that each query stands under.
    places: BTreeMap<K, Condition>,
    /// Those that have neither `eq` nor `in`.
    others: BTreeSet<K>,
}

/// The queries that ask for some values of one field.
#[derive(Clone, Debug)]
struct Field<K> {
    /// By the untruncated key of the value.
    by_value: BTreeMap<Vec<u8>, BTreeSet<K>>,
    /// No key was ever longer: more of a document's value need not be looked at.
    longest_bytes: usize,
}

impl<K> Default for FilterIndex<K> {
    fn default() -> Self {
        Self {
            fields: BTreeMap::new(),
            places: BTreeMap::new(),
            others: BTreeSet::new(),
        }
    }
}

impl<K> Default for Field<K> {
    fn default() -> Self {
        Self {
            by_value: BTreeMap::new(),
            longest_bytes: 0,
        }
    }
}

impl<K: Ord + Clone> FilterIndex<K> {
    /// Takes in a query, in place of the one that the key stood for.
    pub fn insert(&mut self, query: &Query, key: K) {
        self.remove(&key);
        let offered = query
            .filter
            .iter()
            .filter(|condition| alternatives(condition).is_some());
        let Some(condition) = offered.min_by_key(|condition| self.cost(condition)) else {
            self.others.insert(key);
            return;
        };
        // `in` with no value at all matches nothing, and stands nowhere.
        for value in alternatives(condition).into_iter().flatten() {
            let tokens = condition.field().tokens().to_vec();
            let field = self.fields.entry(tokens).or_default();
            field.longest_bytes = field.longest_bytes.max(value.len());
            let queries = field.by_value.entry(value.clone()).or_default();
            queries.insert(key.clone());
        }
        self.places.insert(key, condition.clone());
    }

    /// Forgets a query.
    pub fn remove(&mut self, key: &K) {
        self.others.remove(key);
        let Some(condition) = self.places.remove(key) else {
            return;
        };
        let tokens = condition.field().tokens();
        let Some(field) = self.fields.get_mut(tokens) else {
            return;
        };
        for value in alternatives(&condition).into_iter().flatten() {
            if let Some(queries) = field.by_value.get_mut(value) {
                queries.remove(key);
                if queries.is_empty() {
                    field.by_value.remove(value);
                }
            }
        }
        if field.by_value.is_empty() {
            self.fields.remove(tokens);
        }
    }

    /// What it costs to find a query under this condition: the others that are found
    /// with it, and one more field to look at. So of `open=true&room=7` and many like
    /// it, all but the first stand under their rooms.
    fn cost(&self, condition: &Condition) -> usize {
        let Some(field) = self.fields.get(condition.field().tokens()) else {
            return 1;
        };
        let values = alternatives(condition).into_iter().flatten();
        let queries = values.filter_map(|value| field.by_value.get(value));
        queries.map(BTreeSet::len).sum()
    }

    /// Visits, once each, all queries that match the document before or after a write,
    /// and few others. `None` is no document, or one that is not JSON.
    pub fn candidates(&self, before: Option<&str>, after: Option<&str>, mut visit: impl FnMut(&K)) {
        self.others.iter().for_each(&mut visit);
        for (tokens, field) in &self.fields {
            let had = field.queries(before, tokens);
            let has = field.queries(after, tokens);
            had.into_iter().flatten().for_each(&mut visit);
            let is_new = |key: &&K| had.is_none_or(|had| !had.contains(*key));
            has.into_iter()
                .flatten()
                .filter(is_new)
                .for_each(&mut visit);
        }
    }
}

impl<K: Ord> Field<K> {
    /// Those that ask for the value that the document has in this field.
    fn queries(&self, json: Option<&str>, tokens: &[String]) -> Option<&BTreeSet<K>> {
        let raw = select(json?, tokens)?;
        // No key is the beginning of another, so a truncated one is found nowhere.
        self.by_value.get(&key(Some(raw), self.longest_bytes + 1))
    }
}

/// The keys of the values of which a document has to have one; `None` if the condition
/// asks for something else.
fn alternatives(condition: &Condition) -> Option<&[Vec<u8>]> {
    match condition.test() {
        Test::OneOf(values) => Some(values.keys()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::samples;
    use crate::query::FeedQuery;
    use proptest::prelude::*;

    fn query(raw: &str) -> Query {
        FeedQuery::parse(Some(raw)).unwrap().query
    }

    fn visited<K: Ord + Copy>(
        index: &FilterIndex<K>,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Vec<K> {
        let mut visited = Vec::new();
        index.candidates(before, after, |key| visited.push(*key));
        visited.sort_unstable();
        visited
    }

    #[test]
    fn a_write_concerns_those_who_ask_for_what_was_or_is_there() {
        let raws = [
            "a=1",
            "a=\"1\"",
            "a:in=1,2,true",
            "a=null",
            "a=[1,{\"b\":2}]",
            "b.c=x&a:ne=1",
            "a:in=[]",
            "a:gt=0",
            "",
            "a=1.00000000000000000000000000000001",
            "a:in=1,2&b.c=x",
        ];
        let mut index = FilterIndex::default();
        for (number, raw) in raws.iter().enumerate() {
            index.insert(&query(raw), number);
        }
        let cases: &[(Option<&str>, Option<&str>, &[usize])] = &[
            (None, None, &[7, 8]),
            (None, Some("{\"a\":10e-1}"), &[0, 2, 7, 8]),
            (Some("{\"a\":1}"), Some("{\"a\":2}"), &[0, 2, 7, 8]),
            (Some("{\"a\":\"1\"}"), Some("{}"), &[0, 1, 2, 7, 8]),
            (None, Some("{\"a\":true}"), &[2, 7, 8]),
            (None, Some("{\"a\":\"true\"}"), &[2, 7, 8]),
            (None, Some("{\"a\":null}"), &[3, 7, 8]),
            (Some("{\"a\":[1.0, {\"b\":2e0}]}"), None, &[4, 7, 8]),
            (None, Some("{\"a\":[1,{\"b\":2},3]}"), &[7, 8]),
            (
                Some("{\"b\":{\"c\":\"\\u0078\"}}"),
                Some("{\"b\":{\"c\":\"x\"}}"),
                &[5, 7, 8, 10],
            ),
            (
                None,
                Some("{\"a\":1.000000000000000000000000000000010}"),
                &[7, 8, 9],
            ),
            (Some("[]"), Some("7"), &[7, 8]),
        ];
        for (before, after, expected) in cases {
            assert_eq!(
                visited(&index, *before, *after),
                *expected,
                "{before:?} {after:?}"
            );
        }
        for number in 0..raws.len() {
            index.remove(&number);
        }
        assert!(index.fields.is_empty() && index.places.is_empty() && index.others.is_empty());
    }

    #[test]
    fn of_a_thousand_equality_filters_a_write_concerns_a_few() {
        for raw in [
            "room=N",
            "open=true&room=N",
            "room=N&open=true",
            "open:ne=false&room:in=N,\"N\"",
        ] {
            let mut index = FilterIndex::default();
            for number in 0..1_000 {
                index.insert(&query(&raw.replace('N', &number.to_string())), number);
            }
            let (before, after) = (
                "{\"room\":7,\"open\":true}",
                "{\"room\":\"8\",\"open\":true}",
            );
            let seen = visited(&index, Some(before), Some(after));
            assert!(
                seen.contains(&7) && seen.contains(&8) && seen.len() <= 3,
                "{raw}: {seen:?}"
            );
        }
    }

    #[test]
    fn a_key_stands_for_the_query_that_was_taken_in_last() {
        let mut index = FilterIndex::default();
        for raw in ["a=1", "b:gt=1", "b=2"] {
            index.insert(&query(raw), 0);
        }
        assert_eq!(visited(&index, None, Some("{\"a\":1,\"b\":3}")), [0; 0]);
        assert_eq!(visited(&index, None, Some("{\"b\":2}")), [0]);
        index.remove(&1);
        index.remove(&0);
        assert!(index.fields.is_empty());
    }

    /// A filter, often of what a document often holds.
    fn filter() -> impl Strategy<Value = String> {
        let field = prop::sample::select(vec![
            "a",
            "b",
            "a.b",
            "a.0",
            "0",
            "_where.",
            "_where./~0~1",
            "_where./",
        ]);
        let operator =
            prop::sample::select(vec!["eq", "eq", "eq", "in", "in", "ne", "gt", "exists"]);
        let value = prop_oneof![
            2 => prop::sample::select(vec!["0", "1", "2", "\"\"", "[]", "{}", "null", "1,2,a", "[1,2.0,\"a\"]", "true"]).prop_map(str::to_owned),
            1 => samples::value(),
        ];
        (field, operator, value).prop_map(|(field, operator, value)| {
            let value = if operator == "exists" {
                "true".to_owned()
            } else {
                value
            };
            let value: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
            format!("{field}:{operator}={value}")
        })
    }

    proptest! {
        #[test]
        fn no_query_that_matches_is_missed_or_visited_twice(
            raws in prop::collection::vec(prop::collection::vec(filter(), 0..3), 1..12),
            removed in prop::collection::vec(0_usize..12, 0..4),
            (before, after) in samples::versions(),
            present in 0_u8..4,
        ) {
            let queries: Vec<_> = raws.iter().map(|raw| query(&raw.join("&"))).collect();
            let mut index = FilterIndex::default();
            for (number, query) in queries.iter().enumerate() {
                index.insert(query, number);
            }
            removed.iter().for_each(|number| index.remove(number));
            let before = (present & 1 > 0).then_some(&*before);
            let after = (present & 2 > 0).then_some(&*after);
            let seen = visited(&index, before, after);
            prop_assert!(seen.is_sorted_by(|a, b| a < b), "{:?}", seen);
            for (number, query) in queries.iter().enumerate() {
                let matches = query.matches(before) || query.matches(after);
                let is_seen = seen.contains(&number);
                prop_assert_eq!(is_seen && removed.contains(&number), false);
                prop_assert!(is_seen || !matches || removed.contains(&number), "{:?}", raws[number]);
            }
        }
    }
}
