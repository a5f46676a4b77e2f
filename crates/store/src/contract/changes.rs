//! The reading of the log in pieces, from anywhere, in every scope.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use matchbook_core::tag::{Revision, Version};

use super::{Engine, batch, collection, delete, operation, path, put, write};
use crate::{Changes, ChangesError, Effect, Entry, Expected, OperationId, Scope, Store, Write};

const DOCUMENTS: [&str; 7] = [
    "/a/1",
    "/a/2",
    "/b/1",
    "/a/1/c/1",
    "/ab/1",
    "/a%20/1",
    "/_/collections/1",
];

fn scopes() -> Vec<Scope> {
    let documents = DOCUMENTS.map(|name| Scope::Document(path(name)));
    let collections = ["/a", "/b", "/a/1/c", "/a%20", "/none", "/_/collections"]
        .map(|name| Scope::Collection(collection(name)));
    [Scope::Log, Scope::All, Scope::Document(path("/b/none"))]
        .into_iter()
        .chain(documents)
        .chain(collections)
        .collect()
}

/// The same numbers in each run (`xorshift64*`).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        usize::try_from((mixed >> 33) % end as u64).unwrap()
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

/// What is known to have been done.
struct Model {
    /// The version, its commit, and the write.
    entries: Vec<(Version, OperationId, Write)>,
    begin: Version,
    standing: HashMap<&'static str, Version>,
    horizon: Revision,
}

impl Model {
    fn new(store: &impl Store) -> Self {
        Self {
            entries: Vec::new(),
            begin: store.status().applied,
            standing: HashMap::new(),
            horizon: Revision::ZERO,
        }
    }

    /// Commits a batch of up to so many writes.
    async fn commit(&mut self, store: &impl Store, random: &mut Random, most: usize) {
        let mut names: Vec<_> = (0..=random.below(most))
            .map(|_| random.of(&DOCUMENTS))
            .collect();
        names.sort_unstable();
        names.dedup();
        let writes: Vec<_> = names
            .iter()
            .map(|name| match self.standing.get(name) {
                Some(version) if random.below(4) == 0 => delete(name, *version),
                standing => {
                    let body = "x".repeat(random.below(200));
                    put(name, standing.copied(), body)
                }
            })
            .collect();
        let operation = operation();
        let versions = store.commit(operation, batch(writes.clone())).await;
        for ((name, write), version) in names.into_iter().zip(writes).zip(versions.unwrap()) {
            match write.effect {
                Effect::Put { .. } => self.standing.insert(name, version),
                Effect::Delete => self.standing.remove(name),
            };
            self.entries.push((version, operation, write));
        }
    }

    /// A position where no batch is torn: the begin, or the end of a batch.
    fn position(&self, random: &mut Random) -> Version {
        let at = random.below(self.entries.len() + 1);
        let operation = self.entries.get(at).map(|(_, operation, _)| *operation);
        let before = self.entries[..at].iter().rev();
        before
            .skip_while(|(_, other, _)| Some(*other) == operation)
            .map(|(version, ..)| *version)
            .next()
            .unwrap_or(self.begin)
    }

    async fn trim(&mut self, store: &impl Store, random: &mut Random) {
        let horizon = self.position(random).revision;
        store.trim(horizon).await.unwrap();
        self.horizon = self.horizon.max(horizon);
        assert_eq!(store.status().horizon, self.horizon);
    }

    /// Checks a piece against what was done; the position to go on from, if there is
    /// more.
    fn check(
        &self,
        from: Version,
        scope: &Scope,
        limit: usize,
        piece: Result<Changes, ChangesError>,
    ) -> Option<Version> {
        if from.revision < self.horizon {
            assert_eq!(piece.unwrap_err(), ChangesError::Compacted);
            return None;
        }
        let piece = piece.unwrap();
        let until = piece.position.revision;
        let expected = self.entries.iter().filter(|(version, _, write)| {
            version.revision > from.revision
                && version.revision <= until
                && scope.holds(&write.path)
        });
        let mut expected = expected.peekable();
        for entry in &piece.entries {
            let (version, operation, write) = expected.next().unwrap();
            assert_eq!((entry.version, entry.operation), (*version, *operation));
            same(entry, write);
        }
        assert!(expected.next().is_none(), "{scope:?} from {from}: a gap");
        let last = self.entries.last().map_or(self.begin, |last| last.0);
        assert_eq!(piece.more, piece.position != last);
        let at = self.entries.partition_point(|e| e.0.revision <= until);
        let ends = at.checked_sub(1).map(|at| self.entries[at].1);
        let begins = self.entries.get(at).map(|entry| entry.1);
        assert!(begins.is_none() || ends != begins, "a batch was split");
        let over = piece.entries.get(limit.max(1)..).unwrap_or_default();
        let full = piece.entries.get(limit.max(1) - 1);
        for entry in over {
            assert_eq!(full.map(|full| full.operation), Some(entry.operation));
        }
        assert!(!piece.more || until > from.revision, "it does not go on");
        piece.more.then_some(piece.position)
    }
}

fn same(entry: &Entry, write: &Write) {
    assert_eq!(entry.path, write.path);
    let previous = entry.previous.map(|version| version.revision);
    assert_eq!(Expected::from(previous), write.expected);
    assert_eq!(entry.principal.as_deref(), Some("ada"));
    match (&entry.effect, &write.effect) {
        (Effect::Delete, Effect::Delete) => {}
        (Effect::Put { body: is, .. }, Effect::Put { body, .. }) => assert_eq!(is, body),
        (is, effect) => panic!("{effect:?} is told as {is:?}"),
    }
}

/// Whatever is written and trimmed between them, pieces tell what was done after their
/// position: no gap, no repeat, no split batch.
pub async fn changes_from_anywhere_are_what_was_done<E: Engine>(engine: &E) {
    const LIMITS: [usize; 6] = [0, 1, 2, 3, 10, 1_000];
    let scopes = scopes();
    for seed in 1..=4_u64 {
        let mut random = Random(seed * 0x9e37_79b9);
        let place = engine.place();
        let mut store = engine.open(&place);
        let mut model = Model::new(&store);
        let mut walks = Vec::new();
        for _ in 0..120 {
            match random.below(24) {
                0 => model.trim(&store, &mut random).await,
                1 if seed % 2 == 0 => {
                    drop(store);
                    store = engine.open(&place);
                }
                _ => model.commit(&store, &mut random, 5).await,
            }
            let from = model.position(&mut random);
            walks.push((from, random.of(&scopes), random.of(&LIMITS)));
            // Some walks rest while others go on.
            for (from, scope, limit) in std::mem::take(&mut walks) {
                if random.below(3) == 0 {
                    walks.push((from, scope, limit));
                    continue;
                }
                let piece = store.changes(from, &scope, limit).await;
                if let Some(position) = model.check(from, &scope, limit, piece) {
                    walks.push((position, scope, limit));
                }
            }
        }
        for from in 0..model.entries.len() {
            let from = model.entries[from].0;
            let (scope, limit) = (random.of(&scopes), random.of(&LIMITS));
            let mut next = Some(from);
            while let Some(from) = next {
                let piece = store.changes(from, &scope, limit).await;
                next = model.check(from, &scope, limit, piece);
            }
        }
    }
}

/// Pieces are bounded by what they pass over, and nothing is lost between them.
pub async fn a_rare_entry_is_found_among_many<E: Engine>(engine: &E) {
    let place = engine.place();
    let store = engine.open(&place);
    let begin = store.status().applied;
    let mut rare = vec![write(&store, put("/rare/1", None, "x")).await];
    for round in 0..25 {
        let many = (0..1_000).map(|n| put(&format!("/many/{round}-{n}"), None, "x"));
        store
            .commit(operation(), batch(many.collect()))
            .await
            .unwrap();
    }
    rare.push(write(&store, put("/rare/1", Some(rare[0]), "x")).await);
    let last = write(&store, put("/many/last", None, "x")).await;
    for scope in [
        Scope::Collection(collection("/rare")),
        Scope::Document(path("/rare/1")),
    ] {
        let mut position = begin;
        let mut found = Vec::new();
        let mut more = true;
        while more {
            let piece = store.changes(position, &scope, 1_000).await.unwrap();
            found.extend(piece.entries.iter().map(|entry| entry.version));
            assert!(!piece.more || piece.position.revision > position.revision);
            (position, more) = (piece.position, piece.more);
        }
        assert_eq!((&found, position), (&rare, last));
    }
    let never = Scope::Collection(collection("/never"));
    let piece = store.changes(last, &never, 1).await.unwrap();
    assert!(piece.entries.is_empty() && !piece.more);
    assert_eq!(piece.position, last);
}

/// Each follower gets the entries of its scope once and in order, however commits and
/// trimming fall between its pieces.
pub async fn followers_miss_nothing_while_others_write_and_trim<E: Engine>(engine: &E) {
    const BATCHES: usize = 150;
    let place = engine.place();
    let store = Arc::new(engine.open(&place));
    let mut model = Model::new(&*store);
    let begin = model.begin;
    let end = Arc::new(AtomicU64::new(u64::MAX));
    let scopes = [
        Scope::All,
        Scope::Collection(collection("/a")),
        Scope::Document(path("/b/1")),
    ];
    let mut followers = Vec::new();
    for (scope, limit) in scopes.iter().flat_map(|scope| [(scope, 2), (scope, 1_000)]) {
        let reached = Arc::new(AtomicU64::new(begin.revision.get()));
        let follower = follow(
            Arc::clone(&store),
            (begin, scope.clone(), limit),
            Arc::clone(&end),
            Arc::clone(&reached),
        );
        followers.push((scope, reached, tokio::spawn(follower)));
    }
    let mut random = Random(7);
    for _ in 0..BATCHES {
        model.commit(&*store, &mut random, 4).await;
        let reached = followers.iter().map(|(_, reached, _)| reached);
        let slowest = reached.map(|reached| reached.load(Ordering::Acquire)).min();
        store
            .trim(slowest.and_then(Revision::new).unwrap())
            .await
            .unwrap();
    }
    let last = store.status().applied.revision;
    end.store(last.get(), Ordering::Release);
    // Wakes those who wait.
    write(&*store, put("/z/1", None, "x")).await;
    for (scope, _, follower) in followers {
        let told = follower.await.unwrap();
        let done = model.entries.iter();
        let done = done.filter(|(_, _, write)| scope.holds(&write.path));
        let done: Vec<_> = done.map(|(version, ..)| *version).collect();
        let differ = told.iter().zip(&done).find(|(told, done)| told != done);
        let lengths = (told.len(), done.len());
        assert!(told == done, "{scope:?}: {differ:?} of {lengths:?}");
    }
}

/// Follows the log to its end; the versions that were told.
async fn follow<S: Store>(
    store: Arc<S>,
    (begin, scope, limit): (Version, Scope, usize),
    end: Arc<AtomicU64>,
    reached: Arc<AtomicU64>,
) -> Vec<Version> {
    let mut applied = store.applied();
    let mut position = begin;
    let mut told = Vec::new();
    loop {
        applied.borrow_and_update();
        let end = end.load(Ordering::Acquire);
        let piece = store.changes(position, &scope, limit).await.unwrap();
        told.extend(piece.entries.iter().map(|entry| entry.version));
        position = piece.position;
        reached.store(position.revision.get(), Ordering::Release);
        if position.revision.get() >= end {
            told.retain(|version| version.revision.get() <= end);
            return told;
        }
        if !piece.more {
            applied.changed().await.unwrap();
        }
    }
}
