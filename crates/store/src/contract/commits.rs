//! Guarantees 1, 2 and 3: durable, compared and set, one number.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::{Engine, batch, body, delete, load, operation, put, try_write, write};
use crate::{CommitError, Effect, Rejection, Store};

/// What is read is what was written, in every particular.
pub async fn a_commit_is_read_back<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    assert!(load(&store, "/c/1").await.is_none());
    let mut text = put("/c/caf%C3%A9", None, "\u{0}raw \u{1F980}");
    let Effect::Put { content_type, .. } = &mut text.effect else {
        unreachable!()
    };
    *content_type = "text/plain; charset=utf-8".into();
    let json = put("/c/1", None, r#"{"n":1.0}"#);
    let written = batch(vec![json, text, put("/c/empty", None, Bytes::new())]);
    let at = written.at;
    let versions = store.commit(operation(), written).await.unwrap();
    let expected = [
        ("/c/1", "application/json", r#"{"n":1.0}"#),
        (
            "/c/caf%C3%A9",
            "text/plain; charset=utf-8",
            "\u{0}raw \u{1F980}",
        ),
        ("/c/empty", "application/json", ""),
    ];
    for ((name, content_type, text), version) in expected.into_iter().zip(versions) {
        let document = load(&store, name).await.unwrap();
        assert_eq!(document.version, version, "{name}");
        assert_eq!(document.modified, at);
        assert_eq!(&*document.content_type, content_type);
        assert_eq!(document.body, text);
    }
    let large = vec![b'7'; 3 * 1_024 * 1_024];
    write(&store, put("/c/large", None, large.clone())).await;
    assert_eq!(body(&store, "/c/large").await, large);
}

/// Guarantee 1, as far as it can be seen without cutting the power.
pub async fn a_commit_survives_a_reopening_and_a_crash<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let first = write(&store, put("/c/1", None, "one")).await;
    let second = write(&store, put("/c/2", None, "two")).await;
    write(&store, delete("/c/2", second)).await;
    let crashed = engine.copy(&place);
    drop(store);
    for place in [place, crashed] {
        for _ in 0..2 {
            let store = engine.open(&place);
            let document = load(&store, "/c/1").await.unwrap();
            assert_eq!((document.version, &document.body[..]), (first, &b"one"[..]));
            assert!(load(&store, "/c/2").await.is_none());
        }
    }
}

/// Guarantee 2, one write at a time.
pub async fn a_write_whose_expectation_fails_changes_nothing<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let rejected = |current: Option<matchbook_core::tag::Version>| {
        let current = current.map(|version| version.revision);
        Err(CommitError::Rejected(vec![Rejection { index: 0, current }]))
    };
    let first = write(&store, put("/c/1", None, "one")).await;
    let second = write(&store, put("/c/1", Some(first), "two")).await;
    let attempts = [
        (put("/c/1", None, "x"), Some(second)),
        (put("/c/1", Some(first), "x"), Some(second)),
        (delete("/c/1", first), Some(second)),
        (put("/c/none", Some(first), "x"), None),
        (delete("/c/none", first), None),
    ];
    for (attempt, current) in attempts {
        assert_eq!(try_write(&store, attempt).await, rejected(current));
        assert_eq!(store.status().applied, second);
        assert_eq!(body(&store, "/c/1").await, "two");
        assert!(load(&store, "/c/none").await.is_none());
    }
    let third = write(&store, delete("/c/1", second)).await;
    assert!(load(&store, "/c/1").await.is_none());
    let stale = try_write(&store, put("/c/1", Some(second), "x")).await;
    assert_eq!(stale, rejected(None));
    let again = write(&store, put("/c/1", None, "again")).await;
    assert!(again.revision > third.revision);
}

/// Guarantee 2 in a race.
pub async fn one_of_many_who_expect_the_same_wins<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = Arc::new(engine.open(&place));
    let mut standing = write(&*store, put("/c/1", None, "0")).await;
    for _ in 0..20 {
        let racers: Vec<_> = (0..16)
            .map(|racer: u32| {
                let store = Arc::clone(&store);
                let attempt = put("/c/1", Some(standing), racer.to_string());
                tokio::spawn(async move { (racer, try_write(&*store, attempt).await) })
            })
            .collect();
        let mut winners = Vec::new();
        let mut losers = Vec::new();
        for racer in racers {
            match racer.await.unwrap() {
                (racer, Ok(version)) => winners.push((racer, version)),
                (_, Err(CommitError::Rejected(rejections))) => losers.push(rejections),
                (_, Err(other)) => panic!("{other}"),
            }
        }
        assert_eq!((winners.len(), losers.len()), (1, 15));
        let (racer, version) = winners[0];
        let current = Some(version.revision);
        assert!(
            losers
                .iter()
                .all(|l| *l == [Rejection { index: 0, current }])
        );
        assert_eq!(body(&*store, "/c/1").await, racer.to_string());
        standing = version;
    }
}

/// Guarantees 2 and 5: read, add one, write, and again if somebody was faster.
pub async fn increments_by_compare_and_set_are_all_there<E: Engine>(engine: &E) {
    const TASKS: u32 = 8;
    const EACH: u32 = 25;
    let place = engine.place();
    let store = Arc::new(engine.open(&place));
    write(&*store, put("/c/n", None, "0")).await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for _ in 0..EACH {
                    increment(&*store).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(body(&*store, "/c/n").await, (TASKS * EACH).to_string());
}

async fn increment(store: &impl Store) {
    loop {
        let document = load(store, "/c/n").await.unwrap();
        let number: u32 = std::str::from_utf8(&document.body)
            .unwrap()
            .parse()
            .unwrap();
        let next = put("/c/n", Some(document.version), (number + 1).to_string());
        match try_write(store, next).await {
            Ok(_) => return,
            Err(CommitError::Rejected(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

/// Nothing to do is done at once.
pub async fn an_empty_batch_changes_nothing<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let before = store.status().applied;
    assert_eq!(
        store.commit(operation(), batch(Vec::new())).await,
        Ok(Vec::new())
    );
    assert_eq!(store.status().applied, before);
}

/// Guarantee 3, across deletions, rejections and openings.
pub async fn revisions_grow_and_are_never_given_twice<E: Engine>(engine: &E) {
    let place = engine.place();
    let mut seen = HashSet::new();
    let mut last = 0;
    for opening in 0..3 {
        let store = engine.open(&place);
        for round in 0..5 {
            let name = format!("/c/{opening}-{round}");
            let made = write(&store, put(&name, None, "x")).await;
            let rejected = try_write(&store, put(&name, None, "y")).await;
            assert!(rejected.is_err());
            let gone = write(&store, delete(&name, made)).await;
            for version in [made, gone] {
                assert!(version.revision.get() > last);
                last = version.revision.get();
                assert!(seen.insert(version));
            }
        }
        // The last entry is a deletion, and is trimmed as far as may be.
        store.trim(store.status().applied.revision).await.unwrap();
    }
}
