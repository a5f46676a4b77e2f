//! The store's files: whatever became of their bytes, what the store gives is what was
//! written. Of a database that was closed it is all of that or an error; of a write-ahead log
//! it may be less, since what is damaged at its end looks like a crash.

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use matchbook_core::clock::Timestamp;
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::query::{ListQuery, field};
use matchbook_core::tag::{Revision, Version};
use matchbook_store::sqlite::{OpenError, Options, SqliteStore};
use matchbook_store::{
    Batch, Built, Effect, Index, OperationId, Scan, Scope, Store, Unobserved, Write,
};
use tokio::runtime::{Builder, Runtime};

/// The first bit of the input says whether the store was closed or cut off; then come
/// changes of four bytes: page, place in it, and what to flip there.
pub fn data(data: &[u8]) {
    let was = Was::get();
    let (first, changes) = data.split_first().unwrap_or((&0, &[]));
    let mut files = was.files[usize::from(first & 1)].clone();
    let changes = changes.chunks_exact(4).take(64);
    let damage = match (changes.len(), files.len()) {
        (0, _) => Damage::None,
        (_, 1) => Damage::Database,
        _ => Damage::Log,
    };
    for change in changes {
        let count = files.len();
        let (_, bytes) = &mut files[usize::from(change[1] >> 7) % count];
        let place = usize::from(change[1] & 15) << 8 | usize::from(change[2]);
        let place = (usize::from(change[0]) << 12 | place) % bytes.len().max(1);
        match change[3] {
            0 => bytes.truncate(place),
            flipped => bytes
                .iter_mut()
                .skip(place)
                .take(1)
                .for_each(|byte| *byte ^= flipped),
        }
    }
    let place = tempfile::tempdir().unwrap();
    // Whoever has an empty file has a new store.
    if files.iter().any(|(_, bytes)| bytes.is_empty()) {
        return;
    }
    for (name, bytes) in &files {
        fs::write(place.path().join(name), bytes).unwrap();
    }
    match open(place.path()) {
        Ok(store) => was.runtime.block_on(was.is_in(&store, damage)),
        Err(error) => assert!(damage.allows_errors(), "{error}"),
    }
}

/// What became of the files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Damage {
    None,
    /// There is no write-ahead log; each page has its checksum.
    Database,
    /// There is one, which may have been changed too.
    Log,
}

impl Damage {
    fn allows_errors(self) -> bool {
        self != Self::None
    }

    /// Whether what was written last may be gone.
    fn allows_less(self) -> bool {
        self == Self::Log
    }
}

fn open(directory: &Path) -> Result<SqliteStore, OpenError> {
    let options = Options {
        cache_bytes: 64 * 1_024,
        tail_bytes: 64 * 1_024,
        point_readers: 1,
        scan_readers: 1,
        max_bytes: None,
    };
    SqliteStore::open(directory, options, Arc::new(Unobserved))
}

/// A name and the bytes.
type File = (String, Vec<u8>);

/// What was written, before anything became of it.
struct Was {
    runtime: Runtime,
    /// Of a store that was closed, and of one that was not.
    files: [Vec<File>; 2],
    begin: Version,
    /// All that was ever written: without a body it was deleted.
    written: Vec<(DocumentPath, Revision, Option<Bytes>)>,
}

const DOCUMENTS: usize = 12;

fn collection() -> CollectionPath {
    CollectionPath::parse("/c").unwrap()
}

fn path(number: usize) -> DocumentPath {
    collection().member(&number.to_string()).unwrap()
}

impl Was {
    fn get() -> &'static Self {
        static WAS: OnceLock<Was> = OnceLock::new();
        WAS.get_or_init(|| {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let place = tempfile::tempdir().unwrap();
            let store = open(place.path()).unwrap();
            let begin = store.status().applied;
            let written = runtime.block_on(fill(&store));
            let cut_off = read(place.path());
            drop(store);
            let closed = read(place.path());
            Self {
                runtime,
                files: [closed, cut_off],
                begin,
                written,
            }
        })
    }

    fn knows(&self, path: &DocumentPath, version: Version, body: Option<&Bytes>) -> bool {
        let mut written = self.written.iter();
        written.any(|(of, at, was)| of == path && *at == version.revision && was.as_ref() == body)
    }

    async fn is_in(&self, store: &SqliteStore, damage: Damage) {
        for number in 0..DOCUMENTS {
            let path = path(number);
            let last = self.written.iter().rfind(|(of, ..)| *of == path);
            let last = last.and_then(|(_, _, body)| body.as_ref());
            match store.load(&path, Revision::ZERO).await {
                Ok(Some(document)) => {
                    assert!(self.knows(&path, document.version, Some(&document.body)));
                    assert!(damage.allows_less() || Some(&document.body) == last);
                }
                Ok(None) => assert!(damage.allows_less() || last.is_none()),
                Err(error) => assert!(damage.allows_errors(), "{error}"),
            }
        }
        self.lists(store, damage).await;
        self.changes(store, damage).await;
        self.goes_on(store, damage).await;
    }

    async fn lists(&self, store: &SqliteStore, damage: Damage) {
        for query in ["", "n=1", "_sort=-n"] {
            let list = ListQuery::parse(Some(query)).unwrap();
            let scan = Scan {
                collection: collection(),
                query: Arc::new(list.query),
                only: None,
                after: None,
                limit: 100,
                max_bytes: 1 << 20,
                count: true,
                at_least: Revision::ZERO,
            };
            match store.scan(scan).await {
                Ok(page) => {
                    for (path, document) in &page.items {
                        assert!(self.knows(path, document.version, Some(&document.body)));
                    }
                    let whole = page.count == Some(page.items.len() as u64);
                    assert!(damage.allows_less() || whole && !page.items.is_empty());
                }
                Err(error) => assert!(damage.allows_errors(), "{error}"),
            }
        }
    }

    async fn changes(&self, store: &SqliteStore, damage: Damage) {
        match store.changes(self.begin, &Scope::Log, 1_000).await {
            Ok(changes) => {
                for entry in &changes.entries {
                    let body = match &entry.effect {
                        Effect::Put { body, .. } => Some(body),
                        Effect::Delete => None,
                    };
                    assert!(self.knows(&entry.path, entry.version, body));
                }
                assert!(damage.allows_less() || changes.entries.len() == self.written.len());
            }
            Err(error) => assert!(damage.allows_errors(), "{error}"),
        }
    }

    /// What is acknowledged now can be read.
    async fn goes_on(&self, store: &SqliteStore, damage: Damage) {
        let body = Bytes::from_static(b"{\"n\":9}");
        let path = path(DOCUMENTS);
        match store.commit(OperationId(9), put(&path, None, &body)).await {
            Ok(versions) => match store.load(&path, versions[0].revision).await {
                Ok(document) => {
                    let document = document.expect("it was acknowledged");
                    assert_eq!((document.version, &document.body), (versions[0], &body));
                }
                Err(error) => assert!(damage.allows_errors(), "{error}"),
            },
            Err(error) => assert!(damage.allows_errors(), "{error}"),
        }
    }
}

fn read(directory: &Path) -> Vec<File> {
    let names = ["matchbook.db", "matchbook.db-wal"];
    let there = names.into_iter().filter_map(|name| {
        let bytes = fs::read(directory.join(name)).ok()?;
        Some((name.to_owned(), bytes))
    });
    there.collect()
}

fn put(path: &DocumentPath, expected: Option<Revision>, body: &Bytes) -> Batch {
    batch(
        path,
        expected,
        Effect::Put {
            content_type: "application/json".into(),
            body: body.clone(),
            patch: None,
        },
    )
}

fn batch(path: &DocumentPath, expected: Option<Revision>, effect: Effect) -> Batch {
    Batch {
        at: Timestamp::from_millis(951_782_400_123),
        principal: Some("somebody".into()),
        writes: vec![Write {
            path: path.clone(),
            expected: expected.into(),
            effect,
        }],
        untouched: Vec::new(),
        quotas: Vec::new(),
        receipt: None,
    }
}

/// Twelve documents, one of them too large for a page; some changed, two deleted.
async fn fill(store: &SqliteStore) -> Vec<(DocumentPath, Revision, Option<Bytes>)> {
    let index = Index {
        field: field("n").unwrap(),
        unique: false,
    };
    let all = collection();
    let altered = store.alter_indexes(&all, vec![index], Vec::new()).await;
    altered.unwrap();
    while let Built::Part { .. } = store.build_indexes(&all).await.unwrap() {}
    let mut written: Vec<(DocumentPath, Revision, Option<Bytes>)> = Vec::new();
    for round in 0..3 {
        for number in (0..DOCUMENTS).step_by(1 + round) {
            let path = path(number);
            let last = written.iter().rfind(|(of, ..)| *of == path);
            let expected = last.map(|(_, revision, _)| *revision);
            let text = "x".repeat(if number == 3 { 9_000 } else { 40 * number });
            let body = Bytes::from(format!(r#"{{"n":{},"text":"{text}"}}"#, number % 3 + round));
            let is_gone = round == 2 && number > 8;
            let batch = match is_gone {
                true => batch(&path, expected, Effect::Delete),
                false => put(&path, expected, &body),
            };
            let versions = store.commit(OperationId(1), batch).await.unwrap();
            written.push((path, versions[0].revision, (!is_gone).then_some(body)));
        }
    }
    written
}
