//! Several writes in one commit.

use bytes::Bytes;
use matchbook_core::name::DocumentPath;
use matchbook_core::tag::Version;

use super::{Engine, batch, body, delete, load, operation, path, put, write};
use crate::{Batch, CommitError, Effect, Expected, Receipt, Rejection, Scope, Store, Write};

/// Guarantee 2, several writes at once: every rejection is named.
pub async fn a_batch_applies_whole_or_not_at_all<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let first = write(&store, put("/a/1", None, "one")).await;
    let bad = vec![
        put("/a/2", None, "x"),
        put("/a/1", None, "x"),
        put("/a/1/b/1", None, "x"),
        put("/b/9", Some(first), "x"),
    ];
    let rejections = vec![
        Rejection {
            index: 1,
            current: Some(first.revision),
        },
        Rejection {
            index: 3,
            current: None,
        },
    ];
    let refused = store.commit(operation(), batch(bad)).await;
    assert_eq!(refused, Err(CommitError::Rejected(rejections)));
    assert!(load(&store, "/a/2").await.is_none());
    assert!(load(&store, "/a/1/b/1").await.is_none());
    assert_eq!(store.status().applied, first);
    let good = vec![
        put("/a/2", None, "two"),
        delete("/a/1", first),
        put("/a/1/b/1", None, "deep"),
    ];
    let versions = store.commit(operation(), batch(good)).await.unwrap();
    assert!(versions.is_sorted_by(|a, b| a.revision < b.revision));
    assert_eq!(store.status().applied, versions[2]);
    assert!(load(&store, "/a/1").await.is_none());
    assert_eq!(load(&store, "/a/2").await.unwrap().version, versions[0]);
    assert_eq!(body(&store, "/a/1/b/1").await, "deep");
}

/// Guarantee 2 where nothing is written: what was found of a document is expected too.
pub async fn what_a_batch_leaves_as_it_is_must_stand<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let first = write(&store, put("/a/1", None, "one")).await;
    let next = write(&store, put("/a/1", Some(first), "two")).await;
    let with = |writes, path_: &str, expected| Batch {
        untouched: vec![(path(path_), expected)],
        ..batch(writes)
    };
    let rejected = |index, current| {
        let rejection = Rejection { index, current };
        Err(CommitError::Rejected(vec![rejection]))
    };
    let (first, now) = (Expected::At(first.revision), Expected::At(next.revision));
    for writes in [vec![], vec![put("/a/2", None, "x")]] {
        let index = writes.len();
        for (path, expected, current) in [
            ("/a/1", first, Some(next.revision)),
            ("/a/1", Expected::Absent, Some(next.revision)),
            ("/a/3", now, None),
        ] {
            let refused = store.commit(operation(), with(writes.clone(), path, expected));
            assert_eq!(refused.await, rejected(index, current));
        }
        assert!(load(&store, "/a/2").await.is_none());
        assert_eq!(store.status().applied, next);
    }
    let nothing = store.commit(operation(), with(vec![], "/a/1", now)).await;
    assert_eq!(nothing, Ok(vec![]));
    assert_eq!(store.status().applied, next);
    let writes = vec![put("/a/2", None, "x")];
    let absent = with(writes, "/a/3", Expected::Absent);
    let made = store.commit(operation(), absent).await.unwrap();
    assert_eq!(store.status().applied, made[0]);
    assert_eq!(body(&store, "/a/2").await, "x");
}

/// A write that does not say that it follows another of the same path cannot be meant.
pub async fn a_path_that_occurs_twice_unknowingly_is_rejected<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let twice = vec![put("/a/1", None, "x"), put("/a/1", None, "y")];
    let refused = store.commit(operation(), batch(twice)).await;
    let rejection = Rejection {
        index: 1,
        current: None,
    };
    assert_eq!(refused, Err(CommitError::Rejected(vec![rejection])));
    assert!(load(&store, "/a/1").await.is_none());
}

/// Guarantee 2 within a batch: each write sees what those before it made.
pub async fn a_batch_builds_on_what_it_made<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let begin = store.status().applied;
    let after = |write: Write, index| Write {
        expected: Expected::After(index),
        ..write
    };
    let remove = |name: &str, index| Write {
        path: path(name),
        expected: Expected::After(index),
        effect: Effect::Delete,
    };
    let writes = vec![
        put("/a/1", None, "one"),
        put("/a/2", None, "other"),
        after(put("/a/1", None, "two"), 0),
        remove("/a/1", 2),
        after(put("/a/1", None, "three"), 3),
        after(put("/a/1", None, "four"), 4),
    ];
    let versions = store.commit(operation(), batch(writes)).await.unwrap();
    assert_eq!(load(&store, "/a/1").await.unwrap().version, versions[5]);
    assert_eq!(body(&store, "/a/1").await, "four");
    let told = store.changes(begin, &Scope::All, 100).await.unwrap();
    let told: Vec<_> = told
        .entries
        .iter()
        .map(|e| (e.version, e.previous))
        .collect();
    let expected = [
        (versions[0], None),
        (versions[1], None),
        (versions[2], Some(versions[0])),
        (versions[3], Some(versions[2])),
        (versions[4], None),
        (versions[5], Some(versions[4])),
    ];
    assert_eq!(told, expected);
    // What the last before it did not make is not what it expects.
    let wrong: [Vec<Write>; 3] = [
        vec![after(put("/a/1", None, "x"), 0)],
        vec![put("/b/1", None, "x"), after(put("/b/2", None, "x"), 0)],
        vec![
            put("/b/1", None, "x"),
            after(put("/b/1", None, "x"), 0),
            after(put("/b/1", None, "x"), 0),
        ],
    ];
    for writes in wrong {
        let refused = store.commit(operation(), batch(writes)).await;
        assert!(
            matches!(refused, Err(CommitError::Rejected(_))),
            "{refused:?}"
        );
        assert!(load(&store, "/b/1").await.is_none());
        assert_eq!(body(&store, "/a/1").await, "four");
    }
}

fn with_receipt(writes: Vec<Write>, name: &str) -> Batch {
    Batch {
        receipt: Some(Receipt {
            path: DocumentPath::receipt(name).unwrap(),
            content: Bytes::from_static(b"content"),
        }),
        ..batch(writes)
    }
}

fn told(versions: &[Version]) -> String {
    let lines: Vec<_> = versions
        .iter()
        .map(|version| format!("{version}\n"))
        .collect();
    format!("content\n{}", lines.concat())
}

/// Guarantee 6: a receipt is there if and only if its batch has applied.
pub async fn a_receipt_tells_the_versions_of_its_batch<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let writes = vec![put("/a/1", None, "x"), put("/a/2", None, "y")];
    let versions = store
        .commit(operation(), with_receipt(writes, "k1"))
        .await
        .unwrap();
    assert_eq!(versions.len(), 2);
    assert_eq!(body(&store, "/_/receipts/k1").await, told(&versions));
    let receipt = load(&store, "/_/receipts/k1").await.unwrap();
    assert_eq!(store.status().applied, receipt.version);
    // Of nothing, too.
    assert_eq!(
        store
            .commit(operation(), with_receipt(Vec::new(), "k2"))
            .await,
        Ok(Vec::new())
    );
    assert_eq!(body(&store, "/_/receipts/k2").await, told(&[]));
    // A batch that is rejected leaves none.
    let stale = vec![put("/a/1", None, "z")];
    assert!(
        store
            .commit(operation(), with_receipt(stale, "k3"))
            .await
            .is_err()
    );
    assert!(load(&store, "/_/receipts/k3").await.is_none());
    drop(store);
    let store = engine.open(&engine.copy(&place));
    assert_eq!(body(&store, "/_/receipts/k1").await, told(&versions));
}

/// Guarantee 2: what was done once under a receipt is not done again.
pub async fn a_receipt_that_is_there_rejects_the_batch<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let first = vec![put("/a/1", None, "x")];
    let versions = store
        .commit(operation(), with_receipt(first, "k"))
        .await
        .unwrap();
    let receipt = load(&store, "/_/receipts/k").await.unwrap();
    let second = vec![put("/a/2", None, "y")];
    let refused = store.commit(operation(), with_receipt(second, "k")).await;
    let rejection = Rejection {
        index: 1,
        current: Some(receipt.version.revision),
    };
    assert_eq!(refused, Err(CommitError::Rejected(vec![rejection])));
    assert!(load(&store, "/a/2").await.is_none());
    assert_eq!(body(&store, "/_/receipts/k").await, told(&versions));
    // It can be swept away, and then made anew.
    let sweep = Write {
        path: DocumentPath::receipt("k").unwrap(),
        expected: Expected::At(receipt.version.revision),
        effect: Effect::Delete,
    };
    write(&store, sweep).await;
    let third = vec![put("/a/2", None, "y")];
    assert!(
        store
            .commit(operation(), with_receipt(third, "k"))
            .await
            .is_ok()
    );
}
