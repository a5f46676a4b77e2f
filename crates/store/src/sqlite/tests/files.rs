//! The files: who may open them, what is refused, backups.

use std::fs;
use std::path::Path;

use matchbook_core::tag::{Revision, Version};
use rusqlite::Connection;

use super::{copy_directory, database, open, read, wait, write};
use crate::Store;
use crate::sqlite::{OpenError, backup, restore};

/// Changes the file behind the store's back.
fn tamper(directory: &Path, sql: &str) {
    database(directory).execute_batch(sql).unwrap();
}

fn refusal(directory: &Path) -> (OpenError, String) {
    let error = open(directory).err().expect("it opens");
    let text = error.to_string();
    (error, text)
}

#[test]
fn the_directory_is_its_owners_and_left_without_a_write_ahead_log() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("deep/data");
    let store = open(&directory).unwrap();
    let empty = store.status().size_bytes;
    write(&store, "/c/1", None, &"x".repeat(50_000));
    assert!(store.status().size_bytes > empty + 50_000);
    drop(store);
    let mut names: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["matchbook.db", "matchbook.lock"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&directory).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[test]
fn a_second_opening_is_refused_until_the_first_is_closed() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).unwrap();
    let (error, text) = refusal(place.path());
    assert!(
        matches!(error, OpenError::InUse { process: Some(id), .. } if id == std::process::id())
    );
    assert!(text.contains("in use by another process"), "{text}");
    store.close();
    let again = open(place.path()).unwrap();
    write(&again, "/c/1", None, "x");
}

#[test]
fn an_unknown_format_is_refused_and_both_versions_are_named() {
    let place = tempfile::tempdir().unwrap();
    drop(open(place.path()).unwrap());
    tamper(place.path(), "PRAGMA user_version = 77");
    let (error, text) = refusal(place.path());
    assert!(matches!(error, OpenError::UnknownFormat { found: 77, .. }));
    assert!(
        text.contains("version 77") && text.contains("versions 1 to 4 only"),
        "{text}"
    );
    let destination = place.path().join("copy");
    let error = backup(place.path(), &destination).unwrap_err();
    assert!(matches!(error, OpenError::UnknownFormat { .. }));
    assert!(!destination.exists());
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let foreign = tempfile::tempdir().unwrap();
    Connection::open(foreign.path().join("matchbook.db"))
        .and_then(|theirs| theirs.execute_batch("CREATE TABLE theirs (x)"))
        .unwrap();
    let text = tempfile::tempdir().unwrap();
    fs::write(
        text.path().join("matchbook.db"),
        "no database. ".repeat(100),
    )
    .unwrap();
    for place in [foreign, text] {
        let file = place.path().join("matchbook.db");
        let before = fs::read(&file).unwrap();
        let (error, _) = refusal(place.path());
        assert!(matches!(error, OpenError::NotAStore { .. }), "{error:?}");
        assert_eq!(fs::read(&file).unwrap(), before);
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let (_, text) = refusal(&file.join("data"));
    assert!(text.contains("file/data"), "{text}");
}

#[test]
fn a_backup_of_a_store_in_use_is_one_moment_and_one_file() {
    let place = tempfile::tempdir().unwrap();
    let (data, copies) = (place.path().join("data"), place.path().join("copies"));
    fs::create_dir(&copies).unwrap();
    let store = open(&data).unwrap();
    let first = write(&store, "/c/1", None, "kept");
    let file = copies.join("one.db");
    fs::write(&file, "an older one").unwrap();
    let made = backup(&data, &file).unwrap();
    let lost = write(&store, "/c/1", Some(first), "lost");
    assert_eq!(made.size_bytes, fs::metadata(&file).unwrap().len());
    assert_eq!(fs::read_dir(&copies).unwrap().count(), 1);

    let refused = restore(&file, &data, true).unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused:?}");
    drop(store);
    let refused = restore(&file, &data, false).unwrap_err();
    assert!(
        matches!(refused, OpenError::HoldsData { .. }),
        "{refused:?}"
    );
    let elsewhere = place.path().join("new");
    for (directory, replace) in [(&data, true), (&elsewhere, false)] {
        restore(&file, directory, replace).unwrap();
        let store = open(directory).unwrap();
        assert_eq!(read(&store, "/c/1"), Some("kept".into()));
        assert_eq!(store.status().applied, first);
        let instead = write(&store, "/c/1", Some(first), "instead");
        assert_eq!(instead.revision, lost.revision);
        assert_ne!(instead, lost);
    }
}

#[test]
fn a_restore_that_was_broken_off_is_finished_by_the_next_opening() {
    let place = tempfile::tempdir().unwrap();
    let (old, new) = (place.path().join("old"), place.path().join("new"));
    let store = open(&old).unwrap();
    let version: Version = write(&store, "/c/1", None, "old");
    let other = open(&new).unwrap();
    write(&other, "/c/1", None, "new");
    drop(other);
    // A crash leaves a write-ahead log; the restore came as far as naming its copy.
    let crashed = place.path().join("crashed");
    fs::create_dir(&crashed).unwrap();
    copy_directory(&old, &crashed);
    assert!(crashed.join("matchbook.db-wal").exists());
    let incoming = crashed.join("matchbook.db.restoring");
    fs::copy(new.join("matchbook.db"), &incoming).unwrap();
    let restored = open(&crashed).unwrap();
    assert_eq!(read(&restored, "/c/1"), Some("new".into()));
    assert!(!incoming.exists());
    assert!(restored.status().epoch != version.epoch);
}

#[test]
fn a_damaged_backup_is_refused_before_anything_is_replaced() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let store = open(&data).unwrap();
    for at in 0..200 {
        write(&store, &format!("/c/{at}"), None, &"x".repeat(1_000));
    }
    let file = place.path().join("copy.db");
    backup(&data, &file).unwrap();
    drop(store);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2 / 4_096 * 4_096;
    bytes[middle..middle + 4_096].fill(0xff);
    fs::write(&file, bytes).unwrap();
    let refused = restore(&file, &data, true).unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused:?}");
    let store = open(&data).unwrap();
    assert_eq!(read(&store, "/c/7"), Some("x".repeat(1_000)));
}

#[test]
fn the_write_ahead_log_is_bounded_under_constant_writes() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).unwrap();
    let wal = place.path().join("matchbook.db-wal");
    let body = "x".repeat(500_000);
    let mut version = None;
    let mut largest = 0;
    for _ in 0..300 {
        version = Some(write(&store, "/c/1", version, &body));
        largest = largest.max(fs::metadata(&wal).unwrap().len());
    }
    // 150 MB were written.
    assert!(largest < 100_000_000, "{largest}");
    assert!(
        fs::metadata(place.path().join("matchbook.db"))
            .unwrap()
            .len()
            > 50_000_000
    );
}

#[test]
fn the_write_ahead_log_shrinks_again_after_a_long_read() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).unwrap();
    let wal = place.path().join("matchbook.db-wal");
    let length = || fs::metadata(&wal).unwrap().len();
    let body = "x".repeat(1_000_000);
    let mut version = Some(write(&store, "/c/1", None, "x"));
    let reader = database(place.path());
    reader
        .execute_batch("BEGIN; SELECT max(revision) FROM log")
        .unwrap();
    while length() < 80_000_000 {
        version = Some(write(&store, "/c/1", version, &body));
    }
    assert_eq!(read(&store, "/c/1"), Some(body.clone()));
    drop(reader);
    for round in 0.. {
        version = Some(write(&store, "/c/1", version, "x"));
        if length() <= 64 * 1_024 * 1_024 {
            break;
        }
        assert!(round < 1_000_000, "it does not shrink");
    }
    assert!(store.status().writable);
}

#[test]
fn what_trimming_frees_is_used_again() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).unwrap();
    let body = "x".repeat(20_000);
    let mut version = None;
    let mut round = || {
        for _ in 0..500 {
            version = Some(write(&store, "/c/1", version, &body));
        }
        wait(store.trim(Revision::MAX)).unwrap();
        let status = store.status();
        // All but the document as it stands, nearly.
        assert!(status.free_bytes > 9_000_000, "{}", status.free_bytes);
        database(place.path())
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap()
    };
    let pages: u32 = round();
    for _ in 0..3 {
        assert!(round() <= pages + pages / 10);
    }
    drop(store);
    let store = open(place.path()).unwrap();
    write(&store, "/c/2", None, "x");
    assert!(store.status().free_bytes > 9_000_000);
}
