//! Where the pieces of the log end, and where they come from.

use matchbook_core::tag::Version;

use super::{open, path, wait, write};
use crate::contract::{batch, operation, put};
use crate::sqlite::SqliteStore;
use crate::sqlite::changes::EXAMINED;
use crate::{ChangesError, Scope, Store};

fn commit_many(store: &SqliteStore, prefix: &str, count: u64) -> Vec<Version> {
    let writes = (0..count).map(|n| put(&format!("{prefix}{n}"), None, "x"));
    wait(store.commit(operation(), batch(writes.collect()))).unwrap()
}

#[test]
fn a_piece_passes_over_so_many_entries_and_then_to_the_end_of_the_batch() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).unwrap();
    let begin = store.status().applied;
    commit_many(&store, "/many/a", EXAMINED - 10);
    let torn = commit_many(&store, "/many/b", 20);
    let after = write(&store, "/many/c", None, "x");
    let rare = write(&store, "/rare/1", None, "x");
    let scope = Scope::Document(path("/rare/1"));
    let piece = wait(store.changes(begin, &scope, 10)).unwrap();
    assert!(piece.more && piece.entries.is_empty());
    assert_eq!(Some(&piece.position), torn.last());
    let within = wait(store.changes(torn[3], &scope, 10)).unwrap();
    assert_eq!((within.entries.len(), within.position), (1, rare));
    let piece = wait(store.changes(begin, &Scope::All, usize::MAX)).unwrap();
    assert_eq!(Some(&piece.position), torn.last());
    assert_eq!(piece.entries.len() as u64, EXAMINED + 10);
    let rest = wait(store.changes(piece.position, &Scope::All, usize::MAX)).unwrap();
    let versions: Vec<_> = rest.entries.iter().map(|entry| entry.version).collect();
    assert_eq!((versions, rest.more), (vec![after, rare], false));
}

#[test]
fn a_piece_ends_when_it_holds_many_bytes() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).unwrap();
    let begin = store.status().applied;
    let body = "x".repeat(3_000_000);
    let large: Vec<_> = (0..5)
        .map(|n| write(&store, &format!("/c/{n}"), None, &body))
        .collect();
    let piece = wait(store.changes(begin, &Scope::All, 1_000)).unwrap();
    assert_eq!((piece.entries.len(), piece.position), (3, large[2]));
    assert!(piece.more);
    // What is not in the scope takes no memory.
    let one = Scope::Document(path("/c/4"));
    let piece = wait(store.changes(begin, &one, 1_000)).unwrap();
    assert_eq!((piece.entries.len(), piece.position), (1, large[4]));
}

#[test]
fn who_follows_is_answered_from_memory_and_who_is_behind_from_the_disk() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).unwrap();
    let begin = store.status().applied;
    let unfollowed = write(&store, "/c/1", None, "x");
    assert_eq!(store.shared.tail.len(), 0, "nobody has asked");
    let piece = wait(store.changes(begin, &Scope::All, 10)).unwrap();
    assert_eq!(piece.position, unfollowed);
    let followed = write(&store, "/c/2", None, "x");
    // From here on nothing can be read from the disk.
    store.scans.stop();
    let piece = wait(store.changes(unfollowed, &Scope::All, 10)).unwrap();
    assert_eq!((piece.entries[0].version, piece.more), (followed, false));
    let nothing = wait(store.changes(followed, &Scope::All, 10)).unwrap();
    assert_eq!((nothing.entries.len(), nothing.position), (0, followed));
    let never = Scope::Document(path("/never/1"));
    let nothing = wait(store.changes(begin, &never, 10)).unwrap();
    assert_eq!((nothing.entries.len(), nothing.position), (0, followed));
    let behind = wait(store.changes(begin, &Scope::All, 10)).unwrap_err();
    assert!(matches!(behind, ChangesError::Read(_)));
    wait(store.trim(followed.revision)).unwrap();
    let trimmed = wait(store.changes(unfollowed, &Scope::All, 10)).unwrap_err();
    assert_eq!(trimmed, ChangesError::Compacted);
}
