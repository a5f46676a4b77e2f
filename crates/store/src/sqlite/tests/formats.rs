//! Files of older formats.

use std::fs;
use std::path::{Path, PathBuf};

use matchbook_core::tag::Version;
use rusqlite::{Connection, OpenFlags};

use super::indexes::{add, build, pages};
use super::{open, put, read, wait, write};
use crate::contract::operation;
use crate::sqlite::{OpenError, SqliteStore, backup, restore};
use crate::{Batch, CommitError, Quota, Store};

/// The tables of the first format.
const FIRST: [&str; 4] = ["log", "documents", "epochs", "state"];

const BODY: &str = r#"{"n":1}"#;

/// Makes a directory with a file of the first format, which has no checksums of pages. Some
/// of it is in a write-ahead log, as a process leaves it that crashed.
fn first_format(directory: &Path) -> Version {
    let place = tempfile::tempdir().unwrap();
    let version = write(&open(place.path()).unwrap(), "/c/1", None, BODY);
    fs::create_dir(directory).unwrap();
    let made = place.path().join("made.db");
    let old = Connection::open(&made).unwrap();
    old.pragma_update(None, "journal_mode", "WAL").unwrap();
    let new = place.path().join("matchbook.db");
    old.execute("ATTACH ?1 AS new", [new.to_str().unwrap()])
        .unwrap();
    for table in FIRST {
        let sql = "SELECT sql FROM new.sqlite_schema WHERE name = ?1";
        let sql: String = old.query_row(sql, [table], |row| row.get(0)).unwrap();
        old.execute_batch(&sql).unwrap();
        old.execute_batch(&format!("INSERT INTO {table} SELECT * FROM new.{table}"))
            .unwrap();
    }
    let id: i32 = old
        .pragma_query_value(Some("new"), "application_id", |row| row.get(0))
        .unwrap();
    old.pragma_update(None, "application_id", id).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    for suffix in ["", "-wal"] {
        let from = format!("{}{suffix}", made.display());
        let to = directory.join(format!("matchbook.db{suffix}"));
        fs::copy(from, to).unwrap();
    }
    version
}

/// Whether a quota of one document is kept.
fn is_full(store: &SqliteStore) -> bool {
    let quota = Quota {
        collection: "/c".into(),
        max_documents: Some(1),
        max_bytes: None,
    };
    let batch = Batch {
        quotas: vec![quota],
        ..put("/c/2", None, "two")
    };
    let refused = wait(store.commit(operation(), batch));
    matches!(refused, Err(CommitError::Exceeded(_)))
}

fn format(file: &Path) -> i32 {
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

fn names(directory: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = names.map(|file| file.unwrap().path()).collect();
    names.sort();
    names
}

#[test]
fn a_file_of_the_first_format_is_opened_and_an_older_program_refuses_it_then() {
    let place = tempfile::tempdir().unwrap();
    let (old, copies) = (place.path().join("old"), place.path().join("copies"));
    fs::create_dir(&copies).unwrap();
    let version = first_format(&old);
    let file = old.join("matchbook.db");
    let copy = copies.join("copy.db");
    backup(&old, &copy).unwrap();
    let restored = copies.join("restored");
    restore(&copy, &restored, false).unwrap();
    assert_eq!((format(&copy), format(&file)), (1, 1));
    for directory in [&old, &restored] {
        for _ in 0..2 {
            let store = open(directory).unwrap();
            assert_eq!(store.status().applied, version);
            assert_eq!(read(&store, "/c/1"), Some(BODY.into()));
            add(&store, "/c", &["n"], false);
            assert_eq!(build(&store, "/c"), []);
            assert!(pages(&store, "/c", "n=1", 1).1);
            assert!(is_full(&store));
        }
        let left = ["matchbook.db", "matchbook.lock"].map(|name| directory.join(name));
        assert_eq!(names(directory), left);
        assert_eq!(format(&left[0]), 4);
    }
    assert!(matchbook_pages::are_sealed(&file).unwrap());
}

/// A crash while the new file is written leaves a part of it, which nobody takes for a whole
/// one; a crash after it has its name leaves the rest to the next opening.
#[test]
fn an_upgrade_that_was_broken_off_is_done_again() {
    let place = tempfile::tempdir().unwrap();
    let old = place.path().join("old");
    let version = first_format(&old);
    fs::write(old.join("matchbook.db.restoring.partial"), "a part").unwrap();
    let store = open(&old).unwrap();
    assert_eq!(read(&store, "/c/1"), Some(BODY.into()));
    let next = write(&store, "/c/1", Some(version), "2");
    drop(store);
    let again = place.path().join("again");
    first_format(&again);
    fs::rename(
        old.join("matchbook.db"),
        again.join("matchbook.db.restoring"),
    )
    .unwrap();
    let store = open(&again).unwrap();
    assert_eq!(read(&store, "/c/1"), Some("2".into()));
    assert_eq!(store.status().applied, next);
}

#[test]
fn a_file_that_denies_its_checksums_is_refused() {
    let place = tempfile::tempdir().unwrap();
    write(&open(place.path()).unwrap(), "/c/1", None, BODY);
    let file = place.path().join("matchbook.db");
    let good = fs::read(&file).unwrap();
    // Where the header says how many bytes of each page are for checksums.
    for reserved in [0, 5, 6, 255] {
        let mut bytes = good.clone();
        bytes[20] = reserved;
        fs::write(&file, bytes).unwrap();
        let error = open(place.path()).map(|_| ()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    }
}
