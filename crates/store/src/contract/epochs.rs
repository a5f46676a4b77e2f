//! Guarantee 4: epochs.

use std::collections::HashSet;

use super::{Engine, load, path, put, write};
use crate::{ChangesError, Scope, Store};

/// An opening has a name of its own, and what was written keeps the name under which
/// it was.
pub async fn each_opening_begins_an_epoch<E: Engine>(engine: &E) {
    let place = engine.place();
    let mut epochs = HashSet::new();
    let mut written = Vec::new();
    for opening in 0..4 {
        let store = engine.open(&place);
        let epoch = store.status().epoch;
        assert!(epochs.insert(epoch), "an epoch's name was given twice");
        // Every other opening writes nothing.
        if opening % 2 == 0 {
            let name = format!("/c/{opening}");
            let version = write(&store, put(&name, None, "x")).await;
            assert_eq!(version.epoch, epoch);
            written.push((name, version));
        }
        for (name, version) in &written {
            assert_eq!(load(&store, name).await.unwrap().version, *version);
            let then = store.load_version(&path(name), *version).await.unwrap();
            assert_eq!(then.unwrap().version, *version);
        }
        let last = written.last().map(|(_, version)| *version);
        assert_eq!(Some(store.status().applied), last);
    }
}

/// A disk that was rolled back: the history that was lost and the one that took its
/// place share no version, though their revisions are the same numbers.
pub async fn a_copy_put_back_never_repeats_a_version<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let common = write(&store, put("/c/1", None, "common")).await;
    let copy = engine.copy(&place);
    let lost = write(&store, put("/c/1", Some(common), "lost")).await;
    let lost_too = write(&store, put("/c/2", None, "lost")).await;
    drop(store);
    for place in [engine.copy(&copy), copy] {
        let store = engine.open(&place);
        assert_eq!(store.status().applied, common);
        for version in [lost, lost_too] {
            let ahead = store.changes(version, &Scope::All, 10).await;
            assert_eq!(ahead.unwrap_err(), ChangesError::OtherHistory);
        }
        let instead = write(&store, put("/c/1", Some(common), "instead")).await;
        let more = write(&store, put("/c/2", None, "instead")).await;
        assert_eq!(
            (instead.revision, more.revision),
            (lost.revision, lost_too.revision),
            "the test is to be about equal numbers"
        );
        for (version, now) in [(lost, instead), (lost_too, more)] {
            assert_ne!(version, now);
            assert_eq!(
                store.changes(version, &Scope::All, 10).await.unwrap_err(),
                ChangesError::OtherHistory
            );
        }
        assert!(
            store
                .load_version(&path("/c/1"), lost)
                .await
                .unwrap()
                .is_none()
        );
        let after = store.changes(common, &Scope::All, 10).await.unwrap();
        let versions: Vec<_> = after.entries.iter().map(|entry| entry.version).collect();
        assert_eq!(versions, [instead, more]);
    }
}
