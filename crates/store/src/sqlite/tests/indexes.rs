//! Indexes: what only this engine can get wrong about them.

use std::sync::Arc;

use matchbook_core::name::CollectionPath;
use matchbook_core::query::{ListQuery, field};
use matchbook_core::tag::{Revision, Version};
use proptest::prelude::*;
use rusqlite::Connection;

use super::{open, put, read, wait, write};
use crate::contract::operation;
use crate::sqlite::{SqliteStore, backup, restore};
use crate::{Batch, Built, Index, Page, Scan, Store};

fn collection(name: &str) -> CollectionPath {
    CollectionPath::parse(name).unwrap()
}

fn add(store: &SqliteStore, name: &str, fields: &[&str], unique: bool) {
    let indexes = fields.iter().map(|name| {
        let field = field(name).unwrap();
        Index { field, unique }
    });
    let indexes = indexes.collect();
    wait(store.alter_indexes(&collection(name), indexes, Vec::new())).unwrap();
}

fn build(store: &SqliteStore, name: &str) {
    while let Built::Part { .. } = wait(store.build_indexes(&collection(name))).unwrap() {}
}

fn scan(name: &str, query: &str, limit: usize) -> Scan {
    Scan {
        collection: collection(name),
        query: Arc::new(ListQuery::parse(Some(query)).unwrap().query),
        after: None,
        limit,
        max_bytes: usize::MAX,
        count: true,
        at_least: Revision::ZERO,
    }
}

/// The ids on each page, the count, and whether an index was used.
fn pages(store: &SqliteStore, name: &str, query: &str, limit: usize) -> (Vec<Vec<String>>, bool) {
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
fn a_file_of_the_first_format_is_opened_and_an_older_program_refuses_it_then() {
    let place = tempfile::tempdir().unwrap();
    let (old, copies) = (place.path().join("old"), place.path().join("copies"));
    std::fs::create_dir(&copies).unwrap();
    let version = write(&open(&old).unwrap(), "/c/1", None, r#"{"n":1}"#);
    let file = old.join("matchbook.db");
    let before = "DROP TABLE indexes; DROP TABLE entries; PRAGMA user_version = 1";
    let format = |file: &std::path::Path| {
        let connection = Connection::open(file).unwrap();
        let format = connection.pragma_query_value(None, "user_version", |row| row.get(0));
        format.unwrap()
    };
    Connection::open(&file)
        .unwrap()
        .execute_batch(before)
        .unwrap();
    let copy = copies.join("copy.db");
    backup(&old, &copy).unwrap();
    let restored = copies.join("restored");
    restore(&copy, &restored, false).unwrap();
    assert_eq!((format(&copy), format(&file)), (1, 1));
    for directory in [&old, &restored] {
        for _ in 0..2 {
            let store = open(directory).unwrap();
            assert_eq!(store.status().applied, version);
            assert_eq!(read(&store, "/c/1"), Some(r#"{"n":1}"#.into()));
            add(&store, "/c", &["n"], false);
            build(&store, "/c");
            assert!(pages(&store, "/c", "n=1", 1).1);
        }
    }
    assert_eq!(format(&file), 2);
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
    let connection = Connection::open(place.path().join("matchbook.db")).unwrap();
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
    Put(usize, String),
    Delete(usize),
    Build,
    Drop(bool),
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
    prop_oneof![
        8 => (0_usize..24, document()).prop_map(|(at, document)| Step::Put(at, document)),
        2 => (0_usize..24).prop_map(Step::Delete),
        1 => Just(Step::Build),
        1 => any::<bool>().prop_map(Step::Drop),
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Of two collections that are written the same, one has indexes.
    #[test]
    fn section_6_lists_are_the_same_with_indexes(
        steps in prop::collection::vec(step(), 1..60),
        lists in prop::collection::vec((list(), 1_usize..9), 1..16),
    ) {
        let place = tempfile::tempdir().unwrap();
        let store = open(place.path()).unwrap();
        let mut versions = vec![None; 24];
        for step in steps {
            match step {
                Step::Put(at, document) => {
                    let path = |name| format!("/{name}/{at:02}");
                    let expected: Option<[Version; 2]> = versions[at];
                    let [with, without] = [("with", 0), ("without", 1)].map(|(name, which)| {
                        let expected = expected.map(|expected| expected[which]);
                        put(&path(name), expected, &document).writes
                    });
                    let made = commit(&store, [with, without].concat());
                    versions[at] = Some([made[0], made[1]]);
                }
                Step::Delete(at) => {
                    let Some(expected) = versions[at].take() else { continue };
                    let writes = [("with", 0), ("without", 1)].map(|(name, which): (_, usize)| {
                        let mut write = put(&format!("/{name}/{at:02}"), Some(expected[which]), "");
                        write.writes[0].effect = crate::Effect::Delete;
                        write.writes
                    });
                    commit(&store, writes.concat());
                }
                Step::Build => {
                    add(&store, "/with", &["a"], false);
                    add(&store, "/with", &["b"], true);
                    let stays = store.indexes(&collection("/with")).iter().any(|state| state.index.unique);
                    prop_assert!(stays);
                    // One that refuses values would make the two differ.
                    let unique = vec![Index { field: field("b").unwrap(), unique: true }];
                    wait(store.alter_indexes(&collection("/with"), Vec::new(), unique)).unwrap();
                    add(&store, "/with", &["b"], false);
                    build(&store, "/with");
                }
                Step::Drop(is_a) => {
                    let name = if is_a { "a" } else { "b" };
                    let index = vec![Index { field: field(name).unwrap(), unique: false }];
                    wait(store.alter_indexes(&collection("/with"), Vec::new(), index)).unwrap();
                }
            }
        }
        for (list, limit) in lists {
            let (with, _) = pages(&store, "/with", &list, limit);
            let (without, used) = pages(&store, "/without", &list, limit);
            prop_assert!(!used);
            prop_assert_eq!(with, without, "{}", list);
        }
    }
}
