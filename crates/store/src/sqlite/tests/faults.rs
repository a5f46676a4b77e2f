//! Faults of the disk.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use matchbook_core::tag::Revision;

use super::{database, open, path, put, read, try_read, try_write, wait, write};
use crate::contract::operation;
use crate::sqlite::{Options, SqliteStore};
use crate::{ChangesError, CommitError, OperationId, ReadError, Scope, Store, Unobserved};

/// Replaces text in the file, as a disk that returns other bits would.
fn flip(directory: &Path, from: &[u8], to: &[u8]) {
    let file = directory.join("matchbook.db");
    let bytes = fs::read(&file).unwrap();
    let places: Vec<_> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, found)| *found == from)
        .map(|(at, _)| at)
        .collect();
    let [at] = places[..] else {
        panic!("the text is in the file {} times", places.len());
    };
    let mut bytes = bytes;
    bytes[at..at + to.len()].copy_from_slice(to);
    fs::write(&file, bytes).unwrap();
}

#[test]
fn a_flipped_bit_of_a_body_is_never_served() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).unwrap();
    let begin = store.status().applied;
    let good = write(&store, "/c/good", None, "a good body");
    let bad = write(&store, "/c/bad", None, "a body to be harmed");
    drop(store);
    flip(place.path(), b"a body to be harmed", b"a body to be hArmed");
    // What is wrong has a sound page around it, so that the entry alone can tell.
    matchbook_pages::seal(&place.path().join("matchbook.db")).unwrap();
    let store = open(place.path()).unwrap();
    let corrupt = |error: &ReadError| matches!(error, ReadError::Corrupt(_));
    assert!(corrupt(&try_read(&store, "/c/bad").unwrap_err()));
    let version = wait(store.load_version(&path("/c/bad"), bad));
    assert!(corrupt(&version.unwrap_err()));
    match wait(store.changes(begin, &Scope::All, 10)).unwrap_err() {
        ChangesError::Read(error) => assert!(corrupt(&error)),
        other => panic!("{other}"),
    }
    assert!(wait(store.changes(bad, &Scope::All, 10)).is_ok());
    let elsewhere = Scope::Document(path("/c/good"));
    let piece = wait(store.changes(begin, &elsewhere, 10)).unwrap();
    assert_eq!((piece.entries.len(), piece.position), (1, bad));
    assert_eq!(read(&store, "/c/good"), Some("a good body".into()));
    let again = write(&store, "/c/bad", Some(bad), "written anew");
    assert_eq!(read(&store, "/c/bad"), Some("written anew".into()));
    assert!(again.revision > good.revision);
}

/// Damages the last place of a name in the file, which is in the index: the name is written
/// early, and the index grows behind it.
fn damage_index(directory: &Path, name: &[u8]) {
    let file = directory.join("matchbook.db");
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(name.len()).rposition(|found| found == name);
    bytes[at.unwrap()] ^= 1;
    fs::write(&file, bytes).unwrap();
}

/// Of a damaged page nothing is believed; what the others hold is served and written.
#[test]
fn a_flipped_bit_of_the_index_is_found_by_all_who_need_its_page() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).unwrap();
    let begin = store.status().applied;
    let mut versions = Vec::new();
    for at in 0..2_000 {
        versions.push(write(&store, &format!("/c/{at:04}"), None, "body"));
    }
    drop(store);
    damage_index(place.path(), b"/c0077");
    let store = open(place.path()).unwrap();
    // The one that is hidden, its neighbour, and one that never was.
    for name in ["/c/0077", "/c/0078", "/c/0077a"] {
        let error = try_read(&store, name).unwrap_err();
        assert!(matches!(error, ReadError::Corrupt(_)), "{name}: {error}");
    }
    let refused = try_write(&store, "/c/0077", Some(versions[77]), "2").unwrap_err();
    assert!(
        matches!(&refused, CommitError::Unavailable(text) if text.contains("a page")),
        "{refused}"
    );
    assert!(store.status().writable);
    assert_eq!(read(&store, "/c/1900"), Some("body".into()));
    write(&store, "/c/1900", Some(versions[1_900]), "2");
    let piece = wait(store.changes(begin, &Scope::All, 5_000)).unwrap();
    assert_eq!(piece.entries.len(), 2_001);
}

#[test]
fn a_damaged_index_is_noticed() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).unwrap();
    write(&store, "/c/1", None, "one");
    write(&store, "/c/2", None, "two");
    drop(store);
    let connection = database(place.path());
    let damage = "UPDATE documents SET revision = 2 WHERE id = '1';
                  UPDATE documents SET revision = 9 WHERE id = '2'";
    connection.execute_batch(damage).unwrap();
    drop(connection);
    let store = open(place.path()).unwrap();
    for name in ["/c/1", "/c/2"] {
        let error = try_read(&store, name).unwrap_err();
        assert!(matches!(error, ReadError::Corrupt(_)), "{name}: {error}");
    }
}

#[test]
fn a_full_disk_refuses_the_write_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let options = Options {
        max_bytes: Some(64 * 4_096),
        ..Options::default()
    };
    let limited = SqliteStore::open(place.path(), options, Arc::new(Unobserved)).unwrap();
    let mut kept = Vec::new();
    let refused = loop {
        let name = format!("/c/{}", kept.len());
        match try_write(&limited, &name, None, &"x".repeat(5_000)) {
            Ok(version) => kept.push((name, version)),
            Err(error) => break error,
        }
    };
    assert_eq!(refused, CommitError::Full);
    assert!(kept.len() > 10);
    assert!(limited.status().writable);
    assert_eq!(limited.status().applied, kept.last().unwrap().1);
    for (name, _) in &kept {
        assert_eq!(read(&limited, name).unwrap().len(), 5_000);
    }
    // What takes no more space than there is goes through, in the same group too.
    let (name, version) = kept[0].clone();
    let (large, small) = wait(async {
        let large = put("/c/large", None, &"x".repeat(50_000));
        let small = put("/c/small", None, "x");
        tokio::join!(
            limited.commit(OperationId(1), large),
            limited.commit(OperationId(2), small)
        )
    });
    assert_eq!(large, Err(CommitError::Full));
    assert!(small.is_ok());
    let freed = wait(limited.commit(OperationId(3), {
        let mut batch = put(&name, Some(version), "");
        batch.writes[0].effect = crate::Effect::Delete;
        batch
    }));
    freed.unwrap();
    write(&limited, "/c/tiny", None, "x");
    wait(limited.trim(Revision::MAX)).unwrap();
    write(&limited, "/c/again", None, &"x".repeat(4_000));
}

/// Adds triggers to the file: one lets a commit fail as such, the other a statement.
fn booby_trap(directory: &Path) {
    let connection = database(directory);
    let traps = "
        CREATE TABLE parent (x INTEGER PRIMARY KEY);
        CREATE TABLE child (x REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER fail_commit AFTER INSERT ON log WHEN new.id = 'commit'
        BEGIN INSERT INTO child VALUES (1); END;
        CREATE TRIGGER fail_statement BEFORE INSERT ON log WHEN new.id = 'statement'
        BEGIN SELECT raise(ABORT, 'trapped'); END;";
    connection.execute_batch(traps).unwrap();
}

#[test]
fn a_commit_whose_fate_is_unknown_is_the_last_until_the_store_is_opened_again() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).unwrap();
    let version = write(&store, "/c/1", None, "one");
    booby_trap(place.path());
    let unknown = try_write(&store, "/c/commit", None, "x").unwrap_err();
    assert!(
        matches!(unknown, CommitError::Indeterminate(_)),
        "{unknown}"
    );
    let refused = try_write(&store, "/c/1", Some(version), "two").unwrap_err();
    assert!(matches!(refused, CommitError::Unavailable(_)), "{refused}");
    let refused = wait(store.trim(Revision::MAX)).unwrap_err();
    assert!(matches!(refused, CommitError::Unavailable(_)), "{refused}");
    assert!(!store.status().writable);
    assert_eq!(store.status().applied, version);
    assert_eq!(read(&store, "/c/1"), Some("one".into()));
    drop(store);
    // The log may be the only good copy: it is left for the next opening to recover.
    assert!(place.path().join("matchbook.db-wal").exists());
    let store = open(place.path()).unwrap();
    assert_eq!(read(&store, "/c/1"), Some("one".into()));
    write(&store, "/c/1", Some(version), "two");
}

#[test]
fn a_write_that_fails_takes_no_other_of_its_group_with_it() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).unwrap();
    booby_trap(place.path());
    let names = [
        "/c/1",
        "/c/statement",
        "/c/2",
        "/c/2",
        "/d/statement",
        "/c/3",
    ];
    let outcomes = wait(async {
        let commits = names.map(|name| store.commit(operation(), put(name, None, "x")));
        let [a, b, c, d, e, f] = commits;
        let (a, b, c, d, e, f) = tokio::join!(a, b, c, d, e, f);
        [a, b, c, d, e, f]
    });
    for (name, outcome) in names.into_iter().zip(&outcomes) {
        match outcome {
            Ok(_) => assert!(!name.ends_with("statement"), "{name}"),
            Err(CommitError::Unavailable(why)) => assert!(why.contains("trapped"), "{why}"),
            Err(CommitError::Rejected(_)) => assert_eq!(name, "/c/2"),
            Err(other) => panic!("{name}: {other}"),
        }
    }
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
    assert!(store.status().writable);
    for name in ["/c/1", "/c/2", "/c/3"] {
        assert_eq!(read(&store, name), Some("x".into()));
    }
    assert_eq!(read(&store, "/c/statement"), None);
}

#[test]
fn a_closed_store_says_so() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).unwrap();
    write(&store, "/c/1", None, "one");
    store.close();
    store.close();
    let refused = try_write(&store, "/c/2", None, "two").unwrap_err();
    assert!(matches!(refused, CommitError::Unavailable(_)), "{refused}");
    let failed = try_read(&store, "/c/2").unwrap_err();
    assert!(matches!(failed, ReadError::Failed(_)), "{failed}");
}
