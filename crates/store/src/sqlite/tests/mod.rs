//! The engine against the contract suite, and what only this engine can get wrong.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use matchbook_core::clock::Timestamp;
use matchbook_core::name::DocumentPath;
use matchbook_core::tag::{Revision, Version};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::{OpenError, Options, SqliteStore};
use crate::contract::{Engine, operation};
use crate::{Batch, CommitError, Effect, ReadError, Store, Unobserved, Write};

mod changes;
mod faults;
mod files;
mod formats;
mod indexes;
mod usage;

/// The engine with so many bytes of memory.
struct Sqlite {
    cache_bytes: usize,
    tail_bytes: usize,
}

impl Engine for Sqlite {
    type Store = SqliteStore;
    type Place = TempDir;

    fn place(&self) -> TempDir {
        tempfile::tempdir().unwrap()
    }

    fn open(&self, place: &TempDir) -> SqliteStore {
        let options = Options {
            cache_bytes: self.cache_bytes,
            tail_bytes: self.tail_bytes,
            ..Options::default()
        };
        SqliteStore::open(place.path(), options, Arc::new(Unobserved)).unwrap()
    }

    fn copy(&self, place: &TempDir) -> TempDir {
        let copy = self.place();
        copy_directory(place.path(), copy.path());
        copy
    }
}

fn copy_directory(from: &Path, to: &Path) {
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

mod with_a_cache {
    crate::contract_suite!(super::Sqlite {
        cache_bytes: 4 * 1_024 * 1_024,
        tail_bytes: 1_024 * 1_024,
    });
}

/// So small a cache, and so short an end of the log, that they hold next to nothing:
/// reads come from the disk.
mod nearly_without_a_cache {
    crate::contract_suite!(super::Sqlite {
        cache_bytes: 16 * 1_024,
        tail_bytes: 2_000,
    });
}

/// The file behind a store's back.
fn database(directory: &Path) -> Connection {
    matchbook_pages::open(&directory.join("matchbook.db"), OpenFlags::default()).unwrap()
}

fn open(directory: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(directory, Options::default(), Arc::new(Unobserved))
}

/// Waits for one operation from a test that is not asynchronous.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn path(name: &str) -> DocumentPath {
    DocumentPath::parse(name).unwrap()
}

fn put(name: &str, expected: Option<Version>, body: &str) -> Batch {
    Batch {
        at: Timestamp::from_millis(1),
        principal: None,
        writes: vec![Write {
            path: path(name),
            expected: expected.map(|version| version.revision).into(),
            effect: Effect::Put {
                content_type: "application/json".into(),
                body: body.to_owned().into(),
                patch: None,
            },
        }],
        quotas: Vec::new(),
        untouched: Vec::new(),
        receipt: None,
    }
}

fn try_write(
    store: &SqliteStore,
    name: &str,
    expected: Option<Version>,
    body: &str,
) -> Result<Version, CommitError> {
    let versions = wait(store.commit(operation(), put(name, expected, body)))?;
    Ok(versions[0])
}

fn write(store: &SqliteStore, name: &str, expected: Option<Version>, body: &str) -> Version {
    try_write(store, name, expected, body).unwrap()
}

fn try_read(store: &SqliteStore, name: &str) -> Result<Option<String>, ReadError> {
    let document = wait(store.load(&path(name), Revision::ZERO))?;
    Ok(document.map(|document| String::from_utf8(document.body.to_vec()).unwrap()))
}

fn read(store: &SqliteStore, name: &str) -> Option<String> {
    try_read(store, name).unwrap()
}
