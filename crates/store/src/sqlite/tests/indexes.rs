//! Indexes: what only this engine can get wrong about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use matchbook_core::json::key::key;
use matchbook_core::json::select::select;
use matchbook_core::name::CollectionPath;
use matchbook_core::query::{ListQuery, field};
use matchbook_core::tag::Version;
use proptest::prelude::*;

use super::{database, open, put, wait, write};
use crate::contract::operation;
use crate::sqlite::SqliteStore;
use crate::{Batch, Built, Duplicates, Effect, Index, Page, Scan, Store};

fn collection(name: &str) -> CollectionPath {
    CollectionPath::parse(name).unwrap()
}

pub(super) fn add(store: &SqliteStore, name: &str, fields: &[&str], unique: bool) {
    let indexes = fields.iter().map(|name| {
        let field = field(name).unwrap();
        Index { field, unique }
    });
    let indexes = indexes.collect();
    wait(store.alter_indexes(&collection(name), indexes, Vec::new())).unwrap();
}

pub(super) fn build(store: &SqliteStore, name: &str) -> Vec<Duplicates> {
    loop {
        if let Built::All(found) = wait(store.build_indexes(&collection(name))).unwrap() {
            return found;
        }
    }
}

fn scan(name: &str, query: &str, limit: usize) -> Scan {
    Scan {
        query: Arc::new(ListQuery::parse(Some(query)).unwrap().query),
        count: true,
        ..Scan::members(collection(name), None, limit, usize::MAX)
    }
}

/// The ids on each page, the count, and whether an index was used.
pub(super) fn pages(
    store: &SqliteStore,
    name: &str,
    query: &str,
    limit: usize,
) -> (Vec<Vec<String>>, bool) {
    let mut scan = scan(name, query, limit);
    let (mut pages, mut indexed) = (Vec::new(), false);
    loop {
        let Page {
            items,
            next,
            count,
            index,
            ..
        } = wait(store.scan(scan.clone())).unwrap();
        let ids = items.iter().map(|(path, _)| path.id().to_owned());
        pages.push(ids.chain(count.map(|count| count.to_string())).collect());
        indexed |= index.is_some();
        match next {
            Some(next) => scan.after = Some(next),
            None => return (pages, indexed),
        }
    }
}

fn commit(store: &SqliteStore, writes: Vec<crate::Write>) -> Vec<Version> {
    let batch = Batch {
        writes,
        ..put("/x/x", None, "")
    };
    wait(store.commit(operation(), batch)).unwrap()
}

#[test]
fn more_documents_than_an_index_is_worth_are_scanned() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).unwrap();
    add(&store, "/c", &["n", "tens"], false);
    for thousand in 0..17 {
        let writes = (0..1_000).flat_map(|at| {
            let n = thousand * 1_000 + at;
            let body = format!("{{\"n\":{n},\"tens\":{},\"odd\":{}}}", n % 10, n % 2 == 1);
            put(&format!("/c/{n:05}"), None, &body).writes
        });
        commit(&store, writes.collect());
    }
    for (query, expected, uses) in [
        ("n:gte=0", 17_000, false),
        ("n:lt=16000", 16_000, true),
        ("n:gte=0&_sort=-n", 17_000, true),
        ("n:gte=0&_sort=odd", 17_000, false),
        ("tens:in=0,1,2,3,4,5,6,7,8,9", 17_000, true),
        ("n=7&tens:in=0,1,2,3,4,5,6,7,8,9", 1, true),
        ("tens=3", 1_700, true),
        ("n:gte=0&tens=3&_sort=-n", 1_700, true),
        ("odd=true&_sort=n", 8_500, true),
        ("odd=none&_sort=n", 0, false),
    ] {
        let limit = if expected == 0 { 100 } else { 10_000 };
        let (pages, used) = pages(&store, "/c", query, limit);
        let found: usize = pages.iter().map(|page| page.len() - 1).sum();
        assert_eq!((found, used), (expected, uses), "{query}");
        assert!(
            pages
                .iter()
                .all(|page| page.last() == Some(&expected.to_string()))
        );
    }
}

#[test]
fn a_document_that_the_disk_has_lost_leaves_no_entry_behind() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).unwrap();
    add(&store, "/c", &["n"], true);
    let version = write(&store, "/c/1", None, r#"{"n":"before"}"#);
    drop(store);
    let connection = database(place.path());
    let damage =
        "UPDATE log SET body = CAST(replace(CAST(body AS TEXT), 'before', 'BEFORE') AS BLOB)";
    connection.execute_batch(damage).unwrap();
    drop(connection);
    let store = open(place.path()).unwrap();
    write(&store, "/c/1", Some(version), r#"{"n":"after"}"#);
    write(&store, "/c/2", None, r#"{"n":"before"}"#);
    let found = |query| pages(&store, "/c", query, 9).0;
    assert_eq!(found("n=after"), [["1", "1"]]);
    assert_eq!(found("n=before"), [["2", "1"]]);
    assert_eq!(found("_sort=n"), [["1", "2", "2"]]);
}

#[derive(Clone, Debug)]
enum Step {
    /// Documents, or none any more, in one commit.
    Write(BTreeMap<usize, Option<String>>),
    Build,
    Drop(&'static str),
}

/// Values that are near each other in several types, some longer than keys are.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?[0-2](\\.[05])?".boxed(),
        "\"[ab1]{0,2}\"".boxed(),
        "null|true|false|\\[\\]|\\[1\\]|\\{\\}".boxed(),
        (0_usize..3, "[ab]{0,2}")
            .prop_map(|(more, end)| { format!("\"{}{end}\"", "a".repeat(1_021 + more)) }),
    ]
}

fn document() -> impl Strategy<Value = String> {
    let member =
        |name| prop::option::of(value().prop_map(move |value| format!("\"{name}\":{value}")));
    (member("a"), member("b")).prop_map(|(a, b)| {
        let members: Vec<_> = a.into_iter().chain(b).collect();
        format!("{{{}}}", members.join(","))
    })
}

fn step() -> impl Strategy<Value = Step> {
    let documents = prop::option::weighted(0.8, document());
    prop_oneof![
        4 => prop::collection::btree_map(0..DOCUMENTS, documents, 1..9).prop_map(Step::Write),
        1 => Just(Step::Build),
        1 => prop_oneof![Just("a"), Just("b")].prop_map(Step::Drop),
    ]
}

fn list() -> impl Strategy<Value = String> {
    let filter = (
        "[ab]",
        "eq|ne|lt|lte|gt|gte|in|prefix|contains",
        "[ab1]{0,2}|-?[0-2](\\.5)?|null|true|1,a,2|a{1021,1023}b?",
    );
    let filter = filter.prop_map(|(field, operator, value)| format!("{field}:{operator}={value}"));
    let exists = "[ab]:exists=(true|false)";
    let filters = prop::collection::vec(prop_oneof![4 => filter, 1 => exists], 0..3);
    let sort = prop::option::of("_sort=(-?[ab]|a,b|-b,a)");
    (filters, sort).prop_map(|(filters, sort)| {
        let all: Vec<_> = filters.into_iter().chain(sort).collect();
        all.join("&")
    })
}

/// Documents of each of the two collections.
const DOCUMENTS: usize = 24;

/// Two collections that are written the same, of which one has indexes.
struct Twins {
    store: SqliteStore,
    documents: BTreeMap<usize, (String, [Version; 2])>,
}

impl Twins {
    fn write(&mut self, documents: BTreeMap<usize, Option<String>>) {
        let mut writes = Vec::new();
        let mut made = Vec::new();
        for (at, document) in documents {
            let before = self.documents.remove(&at).map(|(_, versions)| versions);
            if before.is_none() && document.is_none() {
                continue;
            }
            for (name, which) in [("with", 0), ("without", 1)] {
                let before = before.map(|versions| versions[which]);
                let path = format!("/{name}/{at:02}");
                let mut write = put(&path, before, document.as_deref().unwrap_or_default());
                if document.is_none() {
                    write.writes[0].effect = Effect::Delete;
                }
                writes.extend(write.writes);
            }
            made.push((at, document));
        }
        let versions = commit(&self.store, writes);
        for ((at, document), versions) in made.into_iter().zip(versions.chunks(2)) {
            let versions = [versions[0], versions[1]];
            self.documents
                .extend(document.map(|document| (at, (document, versions))));
        }
    }

    fn take(&self, name: &str, unique: bool) {
        let field = field(name).unwrap();
        let index = vec![Index { field, unique }];
        wait(
            self.store
                .alter_indexes(&collection("/with"), Vec::new(), index),
        )
        .unwrap();
    }

    /// How many documents have a value of `b` that another has.
    fn duplicates(&self) -> u64 {
        let b = ["b".to_owned()];
        let documents = self.documents.values();
        let values = documents.filter_map(|(document, _)| select(document, &b));
        let mut keys: Vec<_> = values.map(|raw| key(Some(raw), usize::MAX)).collect();
        let all = keys.len();
        keys.sort();
        keys.dedup();
        (all - keys.len()) as u64
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn section_6_lists_are_the_same_with_indexes(
        steps in prop::collection::vec(step(), 1..10),
        lists in prop::collection::vec((list(), 1_usize..9), 1..16),
    ) {
        let place = tempfile::tempdir().unwrap();
        let store = open(place.path()).unwrap();
        let mut twins = Twins { store, documents: BTreeMap::new() };
        for step in steps {
            match step {
                Step::Write(documents) => twins.write(documents),
                Step::Build => {
                    add(&twins.store, "/with", &["a", "b"], false);
                    build(&twins.store, "/with");
                }
                Step::Drop(name) => twins.take(name, false),
            }
        }
        for (list, limit) in lists {
            let (with, _) = pages(&twins.store, "/with", &list, limit);
            let (without, used) = pages(&twins.store, "/without", &list, limit);
            prop_assert!(!used);
            prop_assert_eq!(with, without, "{}", list);
        }
        add(&twins.store, "/with", &["b"], true);
        for half in 0..2 {
            let told: u64 = build(&twins.store, "/with").iter().map(|found| found.members).sum();
            prop_assert_eq!(told, twins.duplicates());
            twins.write((half..DOCUMENTS).step_by(2).map(|at| (at, None)).collect());
        }
        prop_assert_eq!(build(&twins.store, "/with"), []);
    }
}
