//! Indexes (guarantee 8): what is read is the same with them, and unique ones hold.

use std::sync::Arc;

use matchbook_core::query::field;
use matchbook_core::tag::Version;

use super::lists::{all, documents, scan};
use super::{Engine, batch, collection, delete, load, operation, put, try_write, write};
use crate::{Built, CommitError, Duplicates, Expected, Index, Store, Write};

fn index(name: &str, unique: bool) -> Index {
    let field = field(name).unwrap();
    Index { field, unique }
}

async fn add(store: &impl Store, of: &str, indexes: &[(&str, bool)]) {
    let indexes = indexes.iter().map(|(name, unique)| index(name, *unique));
    let (of, indexes) = (collection(of), indexes.collect());
    let added = store.alter_indexes(&of, indexes, Vec::new());
    added.await.unwrap();
}

/// Does all work on a collection's indexes.
async fn build(store: &impl Store, of: &str) -> Vec<Duplicates> {
    loop {
        if let Built::All(duplicates) = store.build_indexes(&collection(of)).await.unwrap() {
            return duplicates;
        }
    }
}

fn is_ready(store: &impl Store, of: &str) -> bool {
    let states = store.indexes(&collection(of));
    !states.is_empty() && states.iter().all(|state| state.ready)
}

const QUERIES: [&str; 24] = [
    "v=1",
    "v=none",
    "v=null",
    "v=1&even=true",
    "v:in=1,2,\"b\",x",
    "v:gt=0.5&v:lte=2",
    "v:lt=b",
    "v:prefix=a",
    "v:prefix=",
    "v:exists=false",
    "v:exists=true",
    "v:ne=1",
    "even=true",
    "even=false&v:gte=1",
    "_sort=v",
    "_sort=-v",
    "_sort=v,even",
    "_sort=even",
    "_sort=-even&v:gte=1",
    "v=1&_sort=-v",
    "v:gte=-1000&_sort=v",
    "other=1&_sort=v",
    "v:contains=1&_sort=-v",
    "_where./v=1",
];

/// Every query, in pages of every size, is the same with indexes as without.
pub async fn pages_are_the_same_with_indexes<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    add(&store, "/none", &[("v", false)]).await;
    let writes = documents(60);
    let commit = store.commit(operation(), batch(writes.clone()));
    let versions = commit.await.unwrap();
    let without = lists(&store).await;
    assert!(without.iter().all(|(_, _, used)| used.is_none()));
    add(&store, "/c", &[("v", false), ("even", false)]).await;
    assert!(!is_ready(&store, "/c"));
    assert_eq!(store.unfinished(), [collection("/c")]);
    assert_eq!(build(&store, "/c").await, []);
    assert!(is_ready(&store, "/c"));
    assert_eq!(store.unfinished(), []);
    let with = lists(&store).await;
    let used = with.iter().filter(|(_, _, used)| used.is_some()).count();
    assert!(used > with.len() / 2, "{used} of {}", with.len());
    same(&with, &without);
    // What is written is in them as well.
    for (write, version) in writes.iter().zip(&versions) {
        let name = write.path.as_str();
        match version.revision.get() % 4 {
            0 => drop(try_write(&store, delete(name, *version)).await.unwrap()),
            1 => drop(try_write(&store, put(name, Some(*version), r#"{"v":2}"#)).await),
            _ => {}
        }
    }
    let with = lists(&store).await;
    let taken = vec![index("v", false), index("even", false)];
    let of = collection("/c");
    let alter = store.alter_indexes(&of, Vec::new(), taken);
    alter.await.unwrap();
    same(&with, &lists(&store).await);
    assert_eq!(store.indexes(&collection("/c")), []);
    assert_eq!(store.indexed(), [collection("/none")]);
    assert_eq!(store.unfinished(), [collection("/c")]);
    build(&store, "/c").await;
    assert_eq!(store.unfinished(), []);
}

type List = (String, Vec<String>, Option<String>);

fn same(with: &[List], without: &[List]) {
    for ((query, with, _), (_, without, _)) in with.iter().zip(without) {
        assert_eq!(with, without, "{query}");
    }
}

/// What each query finds in pages of some sizes, and the index that the first one used.
async fn lists(store: &impl Store) -> Vec<List> {
    let mut lists = Vec::new();
    for query in QUERIES {
        for limit in [1, 7, 100] {
            let mut first = scan(query, limit);
            first.count = true;
            let page = store.scan(first.clone()).await.unwrap();
            let mut found = all(store, first).await;
            found.push(format!("{:?} in all", page.count));
            let used = page.index.map(|field| field.to_string());
            lists.push((format!("{query} by {limit}"), found, used));
        }
    }
    lists
}

/// Writes go on while an index is built, which an opening does not begin anew.
pub async fn an_index_is_built_while_writes_go_on<E: Engine>(engine: &E) {
    let place = engine.place();
    let mut store = engine.open(&place);
    let name = |at: usize| format!("/c/{at:04}");
    let mut versions = Vec::new();
    for piece in 0..4 {
        let writes = (0..500).map(|at| put(&name(piece * 500 + at), None, r#"{"n":1}"#));
        let commit = store.commit(operation(), batch(writes.collect()));
        versions.extend(commit.await.unwrap());
    }
    add(&store, "/c", &[("n", false)]).await;
    let (mut expected, mut built, mut at) = (2_000, 0, 0);
    loop {
        match store.build_indexes(&collection("/c")).await.unwrap() {
            Built::All(_) => break,
            Built::Part { members } => built += members,
        }
        // Before and behind the place that building has come to.
        for at in [at, 1_999 - at] {
            let gone = Some(versions[at]).filter(|_| at % 3 == 0);
            match gone {
                Some(version) => drop(write(&store, delete(&name(at), version)).await),
                None => {
                    let other = put(&name(at), Some(versions[at]), r#"{"n":2}"#);
                    write(&store, other).await;
                }
            }
            expected -= 1;
        }
        write(&store, put(&format!("/c/{at:04}x"), None, r#"{"n":1.0}"#)).await;
        expected += 1;
        at += 1;
        if at == 3 {
            drop(store);
            store = engine.open(&place);
            assert!(!is_ready(&store, "/c"));
        }
    }
    assert!((1_900..=2_100).contains(&built), "{built}");
    assert!(is_ready(&store, "/c"));
    let mut ones = scan("n=1", 1_000);
    ones.count = true;
    let page = store.scan(ones.clone()).await.unwrap();
    assert_eq!(page.index, Some(field("n").unwrap()));
    assert_eq!(page.count, Some(expected));
    assert_eq!(all(&store, ones).await.len() as u64, expected);
    // After a crash, too.
    let copy = engine.copy(&place);
    let copied = engine.open(&copy);
    assert!(is_ready(&copied, "/c"));
}

fn taken_at(result: Result<Vec<Version>, CommitError>) -> Vec<(usize, String, String)> {
    match result.unwrap_err() {
        CommitError::Taken(taken) => taken
            .into_iter()
            .map(|taken| (taken.index, taken.path.to_string(), taken.field.to_string()))
            .collect(),
        other => panic!("{other}"),
    }
}

/// A value is given once, by every way of writing it; no value is none.
pub async fn a_unique_value_is_given_once<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    add(&store, "/c", &[("n", true), ("a.b", true)]).await;
    assert!(is_ready(&store, "/c"));
    let one = write(&store, put("/c/1", None, r#"{"n":1}"#)).await;
    let refused = |name, expected, body: &str| {
        let write = put(name, expected, body.to_owned());
        let refused = store.commit(operation(), batch(vec![write]));
        async { taken_at(refused.await) }
    };
    let n = |path: &str| vec![(0, path.to_owned(), "/n".to_owned())];
    for equal in ["1", "1.0", "10e-1", "0.1e+1"] {
        let body = format!("{{\"n\":{equal}}}");
        assert_eq!(refused("/c/2", None, &body).await, n("/c/2"));
    }
    let applied = store.status().applied;
    assert_eq!(applied, one);
    assert!(load(&store, "/c/2").await.is_none());
    for (at, free) in ["2", "\"1\"", "[1]", "null", "{}", "1.5"]
        .iter()
        .enumerate()
    {
        let body = format!("{{\"n\":{free}}}");
        write(&store, put(&format!("/c/free{at}"), None, body)).await;
    }
    assert_eq!(refused("/c/3", None, r#"{"n":null}"#).await, n("/c/3"));
    for name in ["/c/x", "/c/y", "/d/1"] {
        write(&store, put(name, None, r#"{"m":1}"#)).await;
    }
    write(&store, put("/d/2", None, r#"{"n":1}"#)).await;
    // The same document may keep it, and give it up.
    let again = write(&store, put("/c/1", Some(one), r#"{"n":1.0,"m":2}"#)).await;
    let two = refused("/c/1", Some(again), r#"{"n":2}"#).await;
    assert_eq!(two, n("/c/1"));
    let other = write(&store, put("/c/1", Some(again), r#"{"n":7,"a":{"b":1}}"#)).await;
    write(&store, put("/c/2", None, r#"{"n":1}"#)).await;
    write(&store, delete("/c/1", other)).await;
    write(&store, put("/c/3", None, r#"{"n":7,"a":{"b":1}}"#)).await;
    let both = refused("/c/4", None, r#"{"n":8,"a":{"b":1}}"#).await;
    assert_eq!(both, [(0, "/c/4".to_owned(), "/a/b".to_owned())]);
    // What is too long for an index is compared as a whole.
    let long = |end| format!("{{\"n\":\"{}{end}\"}}", "x".repeat(5_000));
    let first = write(&store, put("/c/l1", None, long("a"))).await;
    write(&store, put("/c/l2", None, long("b"))).await;
    assert_eq!(refused("/c/l3", None, &long("\\u0061")).await, n("/c/l3"));
    write(&store, put("/c/l1", Some(first), "{}")).await;
    write(&store, put("/c/l3", None, long("a"))).await;
    // Expectations come before.
    let stale = try_write(&store, put("/c/l3", None, r#"{"n":1}"#)).await;
    assert!(matches!(stale, Err(CommitError::Rejected(_))));
    // It holds after an opening.
    drop(store);
    let store = engine.open(&place);
    let refused = try_write(&store, put("/c/9", None, r#"{"n":1}"#)).await;
    assert!(matches!(refused, Err(CommitError::Taken(_))), "{refused:?}");
}

/// In a batch each write sees what those before it made; all that are refused are told.
pub async fn a_batch_gives_a_unique_value_once<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    add(&store, "/c", &[("n", true)]).await;
    let n = |value: usize| format!("{{\"n\":{value}}}");
    let first = write(&store, put("/c/1", None, n(1))).await;
    let applied = store.status().applied;
    let after = |write: Write, index| Write {
        expected: Expected::After(index),
        ..write
    };
    let writes = vec![
        put("/c/2", None, n(2)),
        put("/c/3", None, n(1)),
        after(put("/c/3", None, n(9)), 1),
        after(put("/c/3", None, n(2)), 2),
        put("/c/4", None, n(2)),
        put("/d/4", None, n(2)),
    ];
    let refused = taken_at(store.commit(operation(), batch(writes)).await);
    let names: Vec<_> = refused.iter().map(|(index, ..)| *index).collect();
    assert_eq!(names, [1, 4]);
    assert_eq!(store.status().applied, applied);
    for name in ["/c/2", "/c/3", "/c/4", "/d/4"] {
        assert!(load(&store, name).await.is_none(), "{name}");
    }
    // A value that is given up is free for those behind.
    let writes = vec![
        put("/c/1", Some(first), n(3)),
        put("/c/2", None, n(1)),
        after(put("/c/1", None, n(4)), 0),
        put("/c/3", None, n(3)),
    ];
    store.commit(operation(), batch(writes)).await.unwrap();
    assert_eq!(all(&store, scan("n:in=1,3,4", 10)).await, ["1", "2", "3"]);
}

/// Of many who want the same value at the same time one gets it.
pub async fn one_of_many_gets_a_unique_value<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = Arc::new(engine.open(&place));
    add(&*store, "/c", &[("n", true)]).await;
    for value in 0..20 {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let store = Arc::clone(&store);
                let name = format!("/c/{value}-{writer}");
                let body = format!("{{\"n\":{value}}}");
                tokio::spawn(async move { try_write(&*store, put(&name, None, body)).await })
            })
            .collect();
        let mut won = 0;
        for writer in writers {
            match writer.await.unwrap() {
                Ok(_) => won += 1,
                Err(error) => assert!(matches!(error, CommitError::Taken(_)), "{error}"),
            }
        }
        assert_eq!(won, 1);
    }
    assert_eq!(all(&*store, scan("", 100)).await.len(), 20);
}

/// Equal values that were there before are counted until they are gone; later writes are
/// bound.
pub async fn values_that_are_there_twice_are_counted<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let long = format!("\"{}\"", "x".repeat(3_000));
    let values = ["1", "1.0", "2", "1", "null", "null", &long, &long];
    let mut versions = Vec::new();
    for (at, value) in values.iter().enumerate() {
        let body = format!("{{\"n\":{value}}}");
        versions.push(write(&store, put(&format!("/c/{at}"), None, body)).await);
    }
    write(&store, put("/c/8", None, "{}")).await;
    write(&store, put("/c/9", None, "{}")).await;
    add(&store, "/c", &[("n", true)]).await;
    let told = |members| {
        let field = field("n").unwrap();
        vec![Duplicates { field, members }]
    };
    assert_eq!(build(&store, "/c").await, told(4));
    let refused = try_write(&store, put("/c/x", None, r#"{"n":2}"#)).await;
    assert!(matches!(refused, Err(CommitError::Taken(_))));
    write(&store, put("/c/0", Some(versions[0]), r#"{"n":3}"#)).await;
    write(&store, delete("/c/1", versions[1])).await;
    assert_eq!(build(&store, "/c").await, told(2));
    write(&store, put("/c/4", Some(versions[4]), "{}")).await;
    write(&store, put("/c/7", Some(versions[7]), "[]")).await;
    assert_eq!(build(&store, "/c").await, []);
    assert_eq!(all(&store, scan("", 100)).await.len(), 9);
}
