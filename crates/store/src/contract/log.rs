//! Guarantee 6 and the reading of the log.

use matchbook_core::clock::Timestamp;
use matchbook_core::tag::{Revision, Version};

use super::{Engine, batch, body, delete, load, operation, path, put, write};
use crate::{ChangesError, Effect, Scope, Store};

/// Every particular of an accepted write is in the log.
pub async fn the_log_tells_what_was_done<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let begin = store.status().applied;
    assert_eq!(begin.revision, Revision::ZERO);
    let made = write(&store, put("/c/1", None, "one")).await;
    let mut patched = put("/c/1", Some(made), "two");
    if let Effect::Put { patch, .. } = &mut patched.effect {
        *patch = Some("[]".into());
    }
    let first = operation();
    let both = batch(vec![patched, put("/d/2", None, "other")]);
    let (at, principal) = (both.at, both.principal.clone());
    let versions = store.commit(first, both).await.unwrap();
    let mut gone = batch(vec![delete("/c/1", versions[0])]);
    gone.principal = None;
    store.commit(operation(), gone).await.unwrap();

    let changes = store.changes(begin, &Scope::All, 100).await.unwrap();
    assert!(!changes.more);
    assert_eq!(changes.position, store.status().applied);
    let [created, replaced, other, deleted] = &changes.entries[..] else {
        panic!("{} entries", changes.entries.len())
    };
    assert_eq!((created.version, created.previous), (made, None));
    assert_eq!(
        (replaced.version, replaced.previous),
        (versions[0], Some(made))
    );
    assert_eq!((other.version, other.previous), (versions[1], None));
    assert_eq!((replaced.operation, other.operation), (first, first));
    assert_ne!(created.operation, first);
    assert_eq!((replaced.modified, &replaced.principal), (at, &principal));
    assert_eq!(
        (&replaced.path, &other.path),
        (&path("/c/1"), &path("/d/2"))
    );
    let Effect::Put {
        content_type,
        body,
        patch,
    } = &replaced.effect
    else {
        panic!("a put is told as {:?}", replaced.effect)
    };
    assert_eq!(
        (&**content_type, &body[..]),
        ("application/json", &b"two"[..])
    );
    assert_eq!(patch.as_deref(), Some(&b"[]"[..]));
    assert!(matches!(deleted.effect, Effect::Delete));
    assert_eq!(
        (deleted.previous, &deleted.principal),
        (Some(versions[0]), &None)
    );
}

/// Pieces join without a gap, from any position, and across openings.
pub async fn the_log_is_read_in_pieces<E: Engine>(engine: &E) {
    let place = engine.place();
    let mut written = Vec::new();
    for _ in 0..2 {
        let store = engine.open(&place);
        for _ in 0..6 {
            let name = format!("/c/{}", written.len());
            written.push(write(&store, put(&name, None, "x")).await);
        }
    }
    let store = engine.open(&place);
    for skipped in [1, 4, 7, written.len()] {
        let mut position = written[skipped - 1];
        let mut read = Vec::new();
        loop {
            let piece = store.changes(position, &Scope::All, 3).await.unwrap();
            assert!(piece.entries.len() <= 3);
            read.extend(piece.entries.iter().map(|entry| entry.version));
            position = piece.position;
            if !piece.more {
                break;
            }
        }
        assert_eq!(read, written[skipped..]);
        assert_eq!(position, store.status().applied);
    }
}

/// A position that this store never had, or does not have yet.
pub async fn a_position_of_another_history_is_refused<E: Engine>(engine: &E) {
    let (place, elsewhere) = (engine.place(), engine.place());
    let (store, other) = (engine.open(&place), engine.open(&elsewhere));
    let begin = other.status().applied;
    let version = write(&store, put("/c/1", None, "x")).await;
    let foreign = write(&other, put("/c/1", None, "x")).await;
    let ahead = Version {
        epoch: version.epoch,
        revision: Revision::new(version.revision.get() + 1).unwrap(),
    };
    for position in [foreign, begin, ahead] {
        let refused = store.changes(position, &Scope::All, 10).await;
        assert_eq!(
            refused.unwrap_err(),
            ChangesError::OtherHistory,
            "{position}"
        );
    }
    assert!(
        store
            .changes(version, &Scope::All, 10)
            .await
            .unwrap()
            .entries
            .is_empty()
    );
}

/// Trimming forgets the past and nothing of the present, also after a reopening.
pub async fn a_trimmed_log_says_so_and_keeps_the_documents<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let begin = store.status().applied;
    let kept = write(&store, put("/c/kept", None, "kept")).await;
    let mut versions = vec![write(&store, put("/c/1", None, "0")).await];
    for round in 1..600 {
        let next = put("/c/1", versions.last().copied(), round.to_string());
        versions.push(write(&store, next).await);
    }
    let short = write(&store, put("/c/short", None, "x")).await;
    let gone = write(&store, delete("/c/short", short)).await;
    let horizon = write(&store, put("/c/2", None, "two")).await;
    let last = write(&store, put("/c/3", None, "three")).await;
    store.trim(horizon.revision).await.unwrap();
    let check = async |store: &E::Store| {
        assert_eq!(store.status().horizon, horizon.revision);
        for position in [begin, kept, versions[300], gone] {
            let refused = store.changes(position, &Scope::All, 10).await;
            assert_eq!(refused.unwrap_err(), ChangesError::Compacted, "{position}");
        }
        let after = store.changes(horizon, &Scope::All, 10).await.unwrap();
        assert_eq!(after.entries.len(), 1);
        assert_eq!(after.entries[0].version, last);
        let old = store.load_version(&path("/c/1"), versions[300]).await;
        assert!(old.unwrap().is_none());
        assert_eq!(body(store, "/c/kept").await, "kept");
        assert_eq!(body(store, "/c/1").await, "599");
        assert!(load(store, "/c/short").await.is_none());
    };
    check(&store).await;
    // An earlier horizon takes nothing back, and one ahead goes to the end.
    store.trim(kept.revision).await.unwrap();
    check(&store).await;
    drop(store);
    let store = engine.open(&place);
    check(&store).await;
    store.trim(Revision::MAX).await.unwrap();
    assert_eq!(store.status().horizon, last.revision);
    assert!(
        store
            .changes(last, &Scope::All, 10)
            .await
            .unwrap()
            .entries
            .is_empty()
    );
    assert_eq!(body(&store, "/c/3").await, "three");
}

/// How far to trim, by age and by number.
pub async fn what_is_young_or_to_be_kept_is_not_trimmed<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let begin = store.status().applied.revision;
    let ever = Timestamp::MAX;
    assert_eq!(store.before(ever, 0).await, Ok(begin));
    let mut positions = vec![begin];
    for number in 0..40_u64 {
        let mut batch = batch(vec![put(&format!("/c/{number}"), None, "x")]);
        // Two at each time.
        batch.at = Timestamp::from_millis(1_000 + number / 2 * 10);
        let version = store.commit(operation(), batch).await.unwrap()[0];
        positions.push(version.revision);
    }
    // The time, how many to keep, and how many are neither.
    let cases = [
        (0, 0, 0),
        (1_000, 0, 0),
        (1_001, 0, 2),
        (1_100, 0, 20),
        (1_105, 0, 22),
        (1_105, 18, 22),
        (1_105, 19, 21),
        (1_190, 0, 38),
        (1_191, 0, 40),
        (1_191, 1, 39),
        (1_191, 40, 0),
        (1_191, 1_000, 0),
        (1_191, u64::MAX, 0),
    ];
    let at = Timestamp::from_millis;
    for (millis, keep, expected) in cases {
        let before = store.before(at(millis), keep).await;
        assert_eq!(before, Ok(positions[expected]), "{millis} {keep}");
    }
    store.trim(positions[30]).await.unwrap();
    for (millis, keep, expected) in cases {
        let before = store.before(at(millis), keep).await;
        assert_eq!(before, Ok(positions[expected.max(30)]), "{millis} {keep}");
    }
}

/// A version is one document's, at one moment.
pub async fn a_superseded_version_can_be_read<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let first = write(&store, put("/c/1", None, "one")).await;
    let second = write(&store, put("/c/1", Some(first), "two")).await;
    let gone = write(&store, delete("/c/1", second)).await;
    let at = async |name: &str, version| {
        let document = store.load_version(&path(name), version).await.unwrap();
        document.map(|document| document.body.clone())
    };
    assert_eq!(at("/c/1", first).await.unwrap(), "one");
    assert_eq!(at("/c/1", second).await.unwrap(), "two");
    assert!(at("/c/1", gone).await.is_none());
    assert!(at("/c/2", first).await.is_none());
    let elsewhere = engine.place();
    let foreign = engine.open(&elsewhere).status().epoch;
    let stranger = Version {
        epoch: foreign,
        ..first
    };
    assert!(at("/c/1", stranger).await.is_none());
}
