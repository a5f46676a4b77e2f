//! Guarantee 5: fresh reads; and what is kept about collections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use matchbook_core::tag::Revision;

use super::{Engine, batch, body, collection, delete, load, operation, path, put, write};
use crate::{Document, ReadError, Store};

/// Whoever follows the position sees each commit.
pub async fn the_position_grows_with_each_commit<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let mut applied = store.applied();
    let mut last = *applied.borrow_and_update();
    assert_eq!(last, store.status().applied.revision);
    for round in 0..5 {
        let version = write(&store, put(&format!("/c/{round}"), None, "x")).await;
        applied.changed().await.unwrap();
        let now = *applied.borrow_and_update();
        assert!(now > last);
        assert_eq!((now, store.status().applied), (version.revision, version));
        last = now;
    }
}

/// A read at a position that is to come waits for it, and not for ever.
pub async fn a_read_waits_for_its_position<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = Arc::new(engine.open(&place));
    let version = write(&*store, put("/c/1", None, "one")).await;
    let next = Revision::new(version.revision.get() + 1).unwrap();
    let waiting = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.load(&path("/c/1"), next).await })
    };
    write(&*store, put("/c/1", Some(version), "two")).await;
    let read = waiting.await.unwrap().unwrap().unwrap();
    assert_eq!(read.body, "two");
    let name = path("/c/1");
    let never = store.load(&name, Revision::MAX);
    let answer = tokio::time::timeout(Duration::from_secs(60), never).await;
    assert_eq!(answer.unwrap().unwrap_err(), ReadError::NotYet);
}

/// Several documents are read at once as each is read alone, and as many as was asked for.
pub async fn several_documents_are_read_as_each_alone<E: Engine>(engine: &E) {
    let place = engine.place();
    let names = ["/c/1", "/c/2", "/c/3", "/d/1", "/c/4"];
    let paths: Vec<_> = names.iter().map(|name| path(name)).collect();
    for reopened in [false, true] {
        let store = engine.open(&place);
        if !reopened {
            let first = write(&store, put("/c/1", None, "one")).await;
            write(&store, put("/c/3", None, "three")).await;
            write(&store, put("/d/1", None, "other")).await;
            let gone = write(&store, put("/c/4", None, "gone")).await;
            write(&store, delete("/c/4", gone)).await;
            write(&store, put("/c/1", Some(first), "ONE")).await;
        }
        let all = store.load_all(paths.clone(), usize::MAX).await.unwrap();
        let told = |found: &Option<Arc<Document>>| {
            let document = found.as_ref()?;
            Some((document.version, document.body.clone()))
        };
        for (name, found) in names.iter().zip(&all) {
            assert_eq!(told(found), told(&load(&store, name).await), "{name}");
        }
        let bodies = all.iter().map(|found| told(found).map(|(_, body)| body));
        let expected = [Some("ONE"), None, Some("three"), Some("other"), None];
        assert!(bodies.eq(expected.map(|body| body.map(Into::into))));
        for (max_bytes, count) in [(0, 2), (7, 2), (8, 3), (13, 5)] {
            let some = store.load_all(paths.clone(), max_bytes).await.unwrap();
            assert!(some.iter().map(told).eq(all[..count].iter().map(told)));
        }
    }
}

/// Once somebody has read a version, nobody reads an earlier one: from memory or from
/// the disk, while one task writes and others read.
pub async fn readers_never_go_back<E: Engine>(engine: &E) {
    const DOCUMENTS: usize = 4;
    const ROUNDS: usize = 200;
    let place = engine.place();
    let store = Arc::new(engine.open(&place));
    let seen: Arc<Vec<_>> = Arc::new((0..DOCUMENTS).map(|_| std::sync::Mutex::new(0)).collect());
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|reader| {
            let (store, seen, done) = (Arc::clone(&store), Arc::clone(&seen), Arc::clone(&done));
            tokio::spawn(async move {
                let mut at = reader;
                while !done.load(Ordering::Acquire) {
                    at = (at + 1) % DOCUMENTS;
                    let before = *seen[at].lock().unwrap();
                    let read = load(&*store, &format!("/c/{at}")).await;
                    let now = read.map_or(0, |document| document.version.revision.get());
                    if now > 0 {
                        assert!(now >= before, "read {now} after {before}");
                        let mut most = seen[at].lock().unwrap();
                        *most = now.max(*most);
                    }
                }
            })
        })
        .collect();
    let mut standing = [None; DOCUMENTS];
    for round in 0..ROUNDS {
        for (at, standing) in standing.iter_mut().enumerate() {
            let name = format!("/c/{at}");
            let version = match *standing {
                // A deletion sends the next readers to the disk.
                Some(version) if round % 3 == 2 => {
                    write(&*store, delete(&name, version)).await;
                    None
                }
                expected => Some(write(&*store, put(&name, expected, "x")).await),
            };
            let read = load(&*store, &name).await.map(|document| document.version);
            assert_eq!(read, version, "an acknowledged write is read");
            *standing = version;
        }
    }
    done.store(true, Ordering::Release);
    for reader in readers {
        reader.await.unwrap();
    }
}

/// A reader that sees one write of a batch sees the others.
pub async fn a_batch_is_seen_whole<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = Arc::new(engine.open(&place));
    let both = |a, b, text: &str| {
        batch(vec![
            put("/c/a", a, text.to_owned()),
            put("/c/b", b, text.to_owned()),
        ])
    };
    let mut versions = store
        .commit(operation(), both(None, None, "0"))
        .await
        .unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        tokio::spawn(async move {
            let number = |body: bytes::Bytes| -> u32 {
                std::str::from_utf8(&body).unwrap().parse().unwrap()
            };
            while !done.load(Ordering::Acquire) {
                let a = number(body(&*store, "/c/a").await);
                let b = number(body(&*store, "/c/b").await);
                assert!(b >= a, "{b} is read after {a}, which was written with it");
            }
        })
    };
    for round in 1..300 {
        let next = both(Some(versions[0]), Some(versions[1]), &round.to_string());
        versions = store.commit(operation(), next).await.unwrap();
    }
    done.store(true, Ordering::Release);
    reader.await.unwrap();
}

/// A collection is listed from its first member to its last.
pub async fn collections_are_those_with_members<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let list = async |after: Option<&str>, limit| -> Vec<String> {
        let found = store
            .collections(after.map(collection), limit)
            .await
            .unwrap();
        found.iter().map(ToString::to_string).collect()
    };
    assert!(list(None, 10).await.is_empty());
    let mut last = None;
    for name in [
        "/b/1",
        "/a/1",
        "/_/collections/1",
        "/a/2",
        "/a/1/sub/1",
        "/c/1",
    ] {
        last = Some(write(&store, put(name, None, "x")).await);
    }
    assert_eq!(list(None, 10).await, ["/a", "/a/1/sub", "/b", "/c"]);
    assert_eq!(list(None, 2).await, ["/a", "/a/1/sub"]);
    assert_eq!(list(Some("/a/1/sub"), 1).await, ["/b"]);
    assert_eq!(list(Some("/aa"), 10).await, ["/b", "/c"]);
    write(&store, delete("/c/1", last.unwrap())).await;
    assert_eq!(list(Some("/a"), 10).await, ["/a/1/sub", "/b"]);
    assert!(list(Some("/z"), 10).await.is_empty());
}

/// An unchanged collection is known without a scan.
pub async fn touched_moves_with_each_write_to_the_collection<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let (a, b) = (collection("/a"), collection("/b"));
    let first = write(&store, put("/a/1", None, "x")).await;
    assert!(store.touched(&a).revision >= first.revision);
    let quiet = store.touched(&a);
    let other = write(&store, put("/b/1", None, "x")).await;
    assert_eq!(store.touched(&a), quiet);
    let below = write(&store, put("/a/1/sub/1", None, "x")).await;
    assert_eq!(store.touched(&a), quiet);
    assert!(store.touched(&b).revision >= other.revision);
    assert!(store.touched(&collection("/a/1/sub")).revision >= below.revision);
    let gone = write(&store, delete("/a/1", first)).await;
    assert!(store.touched(&a).revision >= gone.revision);
    let last = store.touched(&a);
    drop(store);
    let store = engine.open(&place);
    assert!(store.touched(&a).revision >= last.revision);
    assert!(store.touched(&b).revision >= other.revision);
}
