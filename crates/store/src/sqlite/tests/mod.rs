//! The engine against the contract suite, and what only this engine can get wrong.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::{Options, SqliteStore};
use crate::Unobserved;
use crate::contract::Engine;

/// The engine with a cache of this many bytes.
struct Sqlite {
    cache_bytes: usize,
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
        cache_bytes: 4 * 1_024 * 1_024
    });
}

/// So small a cache that it holds next to nothing: reads come from the disk.
mod nearly_without_a_cache {
    crate::contract_suite!(super::Sqlite {
        cache_bytes: 16 * 1_024
    });
}
