//! Guarantee 9: what a collection may hold.

use std::sync::Arc;

use super::{Engine, batch, body, delete, load, operation, put, write};
use crate::{Batch, CommitError, Effect, Excess, Expected, Measure, Quota, Store, Write};
use matchbook_core::tag::Version;

fn quota(collection: &str, max_documents: Option<u64>, max_bytes: Option<u64>) -> Quota {
    Quota {
        collection: collection.into(),
        max_documents,
        max_bytes,
    }
}

fn with(quota: &Quota, writes: Vec<Write>) -> Batch {
    Batch {
        quotas: vec![quota.clone()],
        untouched: Vec::new(),
        ..batch(writes)
    }
}

async fn try_one(store: &impl Store, quota: &Quota, write: Write) -> Result<Version, CommitError> {
    let versions = store.commit(operation(), with(quota, vec![write])).await?;
    Ok(versions[0])
}

fn exceeded(measure: Measure) -> CommitError {
    CommitError::Exceeded(vec![Excess { index: 0, measure }])
}

/// What was there before counts, and what others write without the quota.
pub async fn a_collection_holds_no_more_documents_than_its_quota<E: Engine>(engine: &E) {
    let place = engine.place();
    let mut store = engine.open(&place);
    let three = quota("/c", Some(3), None);
    let first = write(&store, put("/c/1", None, "x")).await;
    write(&store, put("/c/1/d/1", None, "x")).await;
    write(&store, put("/d/1", None, "x")).await;
    try_one(&store, &three, put("/c/2", None, "x"))
        .await
        .unwrap();
    let third = write(&store, put("/c/3", None, "x")).await;
    for _ in 0..2 {
        let before = store.status().applied;
        let refused = try_one(&store, &three, put("/c/4", None, "x")).await;
        assert_eq!(refused, Err(exceeded(Measure::Documents)));
        assert!(load(&store, "/c/4").await.is_none());
        assert_eq!(store.status().applied, before);
        // The count is there after a crash as well.
        let crashed = engine.copy(&place);
        store = engine.open(&crashed);
        let refused = try_one(&store, &three, put("/c/4", None, "x")).await;
        assert_eq!(refused, Err(exceeded(Measure::Documents)));
        drop(store);
        store = engine.open(&place);
    }
    // Others are as free as before, and what is there can be changed.
    write(&store, put("/d/2", None, "x")).await;
    let first = try_one(&store, &three, put("/c/1", Some(first), "longer"));
    let first = first.await.unwrap();
    try_one(&store, &three, delete("/c/1", first))
        .await
        .unwrap();
    try_one(&store, &three, put("/c/4", None, "x"))
        .await
        .unwrap();
    // A deletion that does not name the quota counts too, and so does a document without it.
    write(&store, delete("/c/3", third)).await;
    let fifth = try_one(&store, &three, put("/c/5", None, "x"))
        .await
        .unwrap();
    write(&store, put("/c/6", None, "x")).await;
    try_one(&store, &three, delete("/c/5", fifth))
        .await
        .unwrap();
    let refused = try_one(&store, &three, put("/c/7", None, "x")).await;
    assert_eq!(refused, Err(exceeded(Measure::Documents)));
}

/// Bytes of bodies; what grows is refused, and what shrinks never is.
pub async fn a_collection_holds_no_more_bytes_than_its_quota<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let ten = quota("/c", None, Some(10));
    let first = try_one(&store, &ten, put("/c/1", None, "123456"))
        .await
        .unwrap();
    let refused = try_one(&store, &ten, put("/c/2", None, "12345")).await;
    assert_eq!(refused, Err(exceeded(Measure::Bytes)));
    let second = try_one(&store, &ten, put("/c/2", None, "1234"))
        .await
        .unwrap();
    let refused = try_one(&store, &ten, put("/c/1", Some(first), "1234567")).await;
    assert_eq!(refused, Err(exceeded(Measure::Bytes)));
    assert_eq!(body(&store, "/c/1").await, "123456");
    try_one(&store, &ten, put("/c/3", None, "")).await.unwrap();
    // A quota that comes later than the documents.
    let one = quota("/c", None, Some(1));
    let first = try_one(&store, &one, put("/c/1", Some(first), "654321"));
    let first = first.await.unwrap();
    let first = try_one(&store, &one, put("/c/1", Some(first), "12345"));
    let first = first.await.unwrap();
    let refused = try_one(&store, &one, put("/c/1", Some(first), "123456")).await;
    assert_eq!(refused, Err(exceeded(Measure::Bytes)));
    try_one(&store, &one, delete("/c/2", second)).await.unwrap();
    try_one(&store, &one, delete("/c/1", first)).await.unwrap();
    try_one(&store, &one, put("/c/4", None, "1")).await.unwrap();
}

/// An expectation that fails says more than a quota.
pub async fn a_stale_write_is_rejected_before_it_is_counted<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let one = quota("/c", Some(1), Some(1));
    let first = try_one(&store, &one, put("/c/1", None, "1")).await.unwrap();
    for stale in [put("/c/1", None, "long"), delete("/c/2", first)] {
        let refused = try_one(&store, &one, stale).await;
        assert!(
            matches!(refused, Err(CommitError::Rejected(_))),
            "{refused:?}"
        );
    }
}

/// The writes of a batch are counted one after the other, and all that are too many are
/// told.
pub async fn a_batch_over_a_quota_changes_nothing<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let quota = quota("/c", Some(2), Some(10));
    let again = |index, text: &str| Write {
        expected: Expected::After(index),
        ..put("/c/1", None, text.to_owned())
    };
    let gone = |index| Write {
        effect: Effect::Delete,
        ..again(index, "")
    };
    let excess = |index, measure| Excess { index, measure };
    let cases = [
        (
            vec![
                put("/c/1", None, "12345678"),
                put("/c/2", None, "123"),
                put("/c/3", None, "12"),
                put("/c/4", None, ""),
                put("/d/1", None, "as long as it likes"),
            ],
            vec![excess(1, Measure::Bytes), excess(3, Measure::Documents)],
        ),
        (
            vec![
                put("/c/1", None, "1"),
                again(0, "12345678901"),
                again(1, "1"),
            ],
            vec![excess(1, Measure::Bytes)],
        ),
    ];
    for (writes, excesses) in cases {
        let refused = store.commit(operation(), with(&quota, writes)).await;
        assert_eq!(refused, Err(CommitError::Exceeded(excesses)));
        assert!(load(&store, "/c/1").await.is_none());
        assert!(load(&store, "/d/1").await.is_none());
    }
    let fits = vec![
        put("/c/1", None, "1234567890"),
        gone(0),
        again(1, "12345"),
        put("/c/2", None, "12345"),
    ];
    store.commit(operation(), with(&quota, fits)).await.unwrap();
    let refused = store.commit(operation(), with(&quota, vec![put("/c/3", None, "")]));
    let refused = refused.await;
    assert_eq!(refused, Err(exceeded(Measure::Documents)));
}

/// Exactly as many as fit, whoever writes at the same time.
pub async fn quotas_are_exact_among_many_writers<E: Engine>(engine: &E) {
    const TASKS: usize = 8;
    const EACH: usize = 25;
    const MOST: u64 = 60;
    let place = engine.place();
    let store = Arc::new(engine.open(&place));
    let quota = quota("/c", Some(MOST), Some(MOST * 10));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (store, quota) = (Arc::clone(&store), quota.clone());
            tokio::spawn(async move {
                let mut made = 0;
                for number in 0..EACH {
                    let name = format!("/c/{task}-{number}");
                    match try_one(&*store, &quota, put(&name, None, "x")).await {
                        // Every third goes again, and leaves room for another.
                        Ok(version) if number % 3 == 0 => {
                            let gone = try_one(&*store, &quota, delete(&name, version));
                            gone.await.unwrap();
                        }
                        Ok(_) => made += 1,
                        Err(CommitError::Exceeded(_)) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
                made
            })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        made += task.await.unwrap();
    }
    let mut more = 0;
    while try_one(&*store, &quota, put(&format!("/c/more-{more}"), None, "x"))
        .await
        .is_ok()
    {
        more += 1;
    }
    assert_eq!(made + more, MOST);
}
