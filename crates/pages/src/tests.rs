//! Databases in real files.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags, Result};
use tempfile::TempDir;

use super::*;

/// Rows in the tests' table: some pages of the tree, and overflowing ones.
const ROWS: i64 = 300;

fn place() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file.db");
    (place, file)
}

fn opened(file: &Path) -> Connection {
    open(file, OpenFlags::default()).unwrap()
}

/// Makes a database, with or without a write-ahead log, and closes it.
fn fill(connection: &Connection, journal_mode: &str) {
    connection.pragma_update(None, "page_size", 4_096).unwrap();
    connection
        .pragma_update(None, "journal_mode", journal_mode)
        .unwrap();
    connection
        .execute_batch("BEGIN; CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)")
        .unwrap();
    for n in 0..ROWS {
        let text = format!("{n}").repeat(usize::try_from(1 + n % 7 * 400).unwrap());
        connection
            .execute("INSERT INTO t VALUES (?1, ?2)", (n, text))
            .unwrap();
    }
    connection
        .execute_batch("DELETE FROM t WHERE n % 10 = 3; COMMIT")
        .unwrap();
}

/// Reads everything.
fn rows(connection: &Connection) -> Result<Vec<(i64, String)>> {
    let mut select = connection.prepare("SELECT n, text FROM t ORDER BY n")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// The pages that are not what was written.
fn unsound(file: &Path) -> Vec<u32> {
    let bytes = fs::read(file).unwrap();
    assert_eq!(bytes.len() % PAGE_BYTES, 0);
    let pages = bytes.chunks_exact(PAGE_BYTES);
    (1..)
        .zip(pages)
        .filter(|(number, page)| !page::is_sound(*number, (*page).try_into().unwrap()))
        .map(|(number, _)| number)
        .collect()
}

#[test]
fn each_page_has_its_checksum_whatever_the_journal() {
    for journal_mode in ["delete", "wal"] {
        let (_place, file) = place();
        fill(&opened(&file), journal_mode);
        assert!(are_sealed(&file).unwrap());
        assert_eq!(unsound(&file), []);
        let read = rows(&opened(&file)).unwrap();
        assert_eq!(read.len(), 270, "{journal_mode}");
        assert!(read == rows(&Connection::open(&file).unwrap()).unwrap());
    }
}

/// Each page in turn, at a place in it that changes.
#[test]
fn a_wrong_bit_of_any_page_is_an_error_or_is_not_needed() {
    let (_place, file) = place();
    fill(&opened(&file), "wal");
    let good = fs::read(&file).unwrap();
    let expected = rows(&opened(&file)).unwrap();
    let pages = good.len() / PAGE_BYTES;
    let mut found = 0;
    for page in 0..pages {
        let mut bad = good.clone();
        bad[page * PAGE_BYTES + page * 31 % PAGE_BYTES] ^= 1 << (page % 8);
        fs::write(&file, bad).unwrap();
        match open(&file, OpenFlags::default()).and_then(|connection| rows(&connection)) {
            Ok(read) => assert!(read == expected, "page {page}"),
            Err(error) => {
                // The magic at the beginning is looked at before any page.
                assert!(is_damage(&error) || page == 0, "{error}");
                found += 1;
            }
        }
    }
    // All but pages that are free.
    assert!(found > pages * 8 / 10, "{found} of {pages}");
}

#[test]
fn pages_that_changed_places_are_an_error() {
    let (_place, file) = place();
    fill(&opened(&file), "wal");
    let mut bytes = fs::read(&file).unwrap();
    let (before, behind) = bytes.split_at_mut(3 * PAGE_BYTES);
    before[2 * PAGE_BYTES..].swap_with_slice(&mut behind[..PAGE_BYTES]);
    fs::write(&file, bytes).unwrap();
    assert!(is_damage(&rows(&opened(&file)).unwrap_err()));
}

#[test]
fn a_file_that_lost_its_end_is_an_error() {
    let (_place, file) = place();
    fill(&opened(&file), "delete");
    let bytes = fs::read(&file).unwrap();
    for lost in [1, 100, PAGE_BYTES, 5 * PAGE_BYTES + 7] {
        fs::write(&file, &bytes[..bytes.len() - lost]).unwrap();
        assert!(rows(&opened(&file)).is_err(), "{lost}");
    }
}

#[test]
fn a_backup_has_checksums_and_finds_what_its_source_has_lost() {
    let (place, file) = place();
    fill(&opened(&file), "wal");
    let copy = |to: &Path| -> Result<()> {
        let source = opened(&file);
        let mut target = open(to, OpenFlags::default())?;
        Backup::new(&source, &mut target)?.step(-1).map(drop)
    };
    let good = place.path().join("good.db");
    copy(&good).unwrap();
    assert!(are_sealed(&good).unwrap());
    assert_eq!(unsound(&good), []);
    let mut bytes = fs::read(&file).unwrap();
    bytes[4 * PAGE_BYTES + 5] ^= 1;
    fs::write(&file, bytes).unwrap();
    let error = copy(&place.path().join("bad.db")).unwrap_err();
    assert!(is_damage(&error), "{error}");
}

#[test]
fn a_database_without_checksums_is_told_from_one_with_and_gets_them() {
    let (place, file) = place();
    assert!(are_sealed(&file).unwrap(), "not there yet");
    let plain = Connection::open(&file).unwrap();
    assert!(are_sealed(&file).unwrap(), "empty");
    fill(&plain, "wal");
    let expected = rows(&plain).unwrap();
    let target = place.path().join("sealed.db");
    reserve(&plain).unwrap();
    let name = target.to_str().unwrap();
    plain.execute("VACUUM INTO ?1", [name]).unwrap();
    drop(plain);
    assert!(!are_sealed(&file).unwrap());
    assert!(are_sealed(&target).unwrap());
    assert!(is_damage(&rows(&opened(&target)).unwrap_err()));
    seal(&target).unwrap();
    assert_eq!(unsound(&target), []);
    assert!(rows(&opened(&target)).unwrap() == expected);
    fs::write(&file, "something else, which is no database").unwrap();
    assert!(!are_sealed(&file).unwrap());
}

/// Many connections at a time read what another one writes, while it is copied back.
#[test]
fn readers_and_a_writer_share_the_file() {
    let (_place, file) = place();
    let writer = opened(&file);
    fill(&writer, "wal");
    writer.pragma_update(None, "wal_autocheckpoint", 3).unwrap();
    writer.pragma_update(None, "cache_size", 10).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let reader = opened(&file);
                    assert_eq!(rows(&reader).unwrap().len(), 270);
                }
            });
        }
        for n in 0..600 {
            let changed = writer
                .execute("UPDATE t SET text = text || 'x' WHERE n % 10 = ?1", [n % 3])
                .unwrap();
            assert_eq!(changed, 30);
        }
    });
}
