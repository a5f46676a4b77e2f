//! Measures the reading and the trimming of the log: `log DIRECTORY [ENTRIES [BYTES]]`.
//!
//! Prints the rate of a plain scan of the table beside that of `Store::changes`, so that
//! runs on different machines can be compared by their ratio, and what commits wait for
//! while the log is trimmed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use matchbook_core::clock::Timestamp;
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::tag::Revision;
use matchbook_store::sqlite::{Options, SqliteStore};
use matchbook_store::{Batch, Effect, OperationId, Scope, Store, Unobserved, Write};
use rusqlite::OpenFlags;
use rusqlite::types::ValueRef;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Each is written again and again.
const DOCUMENTS: u64 = 50_000;

/// Writes in each batch of the filling, and batches that wait at once.
const FILL_WRITES: u64 = 10;
const FILL_BATCHES: u64 = 100;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let directory: PathBuf = arguments.next().ok_or("which directory?")?.into();
    let entries: u64 = arguments.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let bytes: usize = arguments.next().map_or(Ok(200), |n| n.parse())?;
    let store = SqliteStore::open(&directory, Options::default(), Arc::new(Unobserved))?;
    let store = Arc::new(store);
    let begin = store.status().applied;
    fill(&store, entries, bytes).await?;
    for _ in 0..2 {
        scan(&directory, begin.revision)?;
        for limit in [1_000, 10_000] {
            walk(&store, begin, &Scope::All, limit).await?;
        }
        let documents = Scope::Collection(CollectionPath::parse("/documents/7/parts")?);
        walk(&store, begin, &documents, 1_000).await?;
    }
    follow(&store).await?;
    trim(&store, bytes).await
}

fn put(number: u64, expected: Option<Revision>, bytes: usize) -> Result<Write, Failure> {
    let name = match number % 1_000 {
        7 => format!("/documents/7/parts/{number:08}"),
        _ => format!("/documents/{number:08}"),
    };
    let mut body = format!(r#"{{"number":{number},"text":""#);
    body.extend(std::iter::repeat_n(
        'x',
        bytes.saturating_sub(body.len() + 2),
    ));
    body.push_str("\"}");
    Ok(Write {
        path: DocumentPath::parse(&name)?,
        expected: expected.into(),
        effect: Effect::Put {
            content_type: "application/json".into(),
            body: body.into(),
            patch: None,
        },
    })
}

fn batch(writes: Vec<Write>) -> Batch {
    Batch {
        at: Timestamp::from_millis(1),
        principal: Some("somebody".into()),
        writes,
        quotas: Vec::new(),
        untouched: Vec::new(),
        receipt: None,
    }
}

async fn commit(store: &SqliteStore, numbers: Vec<u64>, bytes: usize) -> Result<(), Failure> {
    let mut writes = Vec::new();
    for number in &numbers {
        let path = put(*number, None, 0)?.path;
        let standing = store.load(&path, Revision::ZERO).await?;
        let expected = standing.map(|document| document.version.revision);
        writes.push(put(*number, expected, bytes)?);
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    let operation = OperationId(u128::from_le_bytes(id));
    store.commit(operation, batch(writes)).await?;
    Ok(())
}

async fn fill(store: &Arc<SqliteStore>, entries: u64, bytes: usize) -> Result<(), Failure> {
    let began = Instant::now();
    let mut at = 0;
    while at < entries {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..FILL_BATCHES {
            let store = Arc::clone(store);
            let numbers = (at..at + FILL_WRITES).map(|number| number % DOCUMENTS);
            let numbers = numbers.collect();
            tasks.spawn(async move { commit(&store, numbers, bytes).await });
            at += FILL_WRITES;
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
    }
    println!(
        "filled with {at} entries of {bytes} bytes, {:.0}/s, {} MiB on disk",
        at as f64 / began.elapsed().as_secs_f64(),
        store.status().size_bytes >> 20
    );
    Ok(())
}

/// All columns of all rows, and a checksum.
fn scan(directory: &Path, begin: Revision) -> Result<(), Failure> {
    let file = directory.join("matchbook.db");
    let connection = matchbook_pages::open(&file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let began = Instant::now();
    let mut select =
        connection.prepare("SELECT * FROM log WHERE revision > ?1 ORDER BY revision")?;
    let columns = select.column_count();
    let mut rows = select.query([begin.get() as i64])?;
    let mut count = 0_u64;
    let mut total = 0_u32;
    while let Some(row) = rows.next()? {
        let mut sum = crc32fast::Hasher::new();
        for column in 0..columns {
            match row.get_ref(column)? {
                ValueRef::Null => {}
                ValueRef::Integer(number) => sum.update(&number.to_le_bytes()),
                ValueRef::Real(number) => sum.update(&number.to_le_bytes()),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => sum.update(bytes),
            }
        }
        total ^= sum.finalize();
        count += 1;
    }
    std::hint::black_box(total);
    report("plain scan", count, began);
    Ok(())
}

async fn walk(
    store: &SqliteStore,
    begin: matchbook_core::tag::Version,
    scope: &Scope,
    limit: usize,
) -> Result<(), Failure> {
    let began = Instant::now();
    let (mut position, mut more) = (begin, true);
    let (mut found, mut slowest) = (0, Duration::ZERO);
    while more {
        let asked = Instant::now();
        let piece = store.changes(position, scope, limit).await?;
        slowest = slowest.max(asked.elapsed());
        found += piece.entries.len();
        (position, more) = (piece.position, piece.more);
    }
    let passed = position.revision.get() - begin.revision.get();
    let what = format!(
        "changes in {scope:?}, at most {limit} a piece, found {found}, slowest piece {slowest:?}"
    );
    report(&what, passed, began);
    Ok(())
}

fn report(what: &str, count: u64, began: Instant) {
    let rate = count as f64 / began.elapsed().as_secs_f64();
    println!("{what}: {rate:.0} entries/s of {count}");
}

/// What a follower waits for who is at the end.
async fn follow(store: &SqliteStore) -> Result<(), Failure> {
    const ROUNDS: u32 = 1_000;
    let mut position = store.status().applied;
    store.changes(position, &Scope::All, 1).await?;
    let mut took = Duration::ZERO;
    for number in 0..u64::from(ROUNDS) {
        commit(store, vec![number], 200).await?;
        let began = Instant::now();
        position = store.changes(position, &Scope::All, 100).await?.position;
        took += began.elapsed();
    }
    println!("at the end of the log: {:?} for a new entry", took / ROUNDS);
    Ok(())
}

/// The latency of commits, before and while everything superseded is dropped.
async fn trim(store: &Arc<SqliteStore>, bytes: usize) -> Result<(), Failure> {
    let ended = Arc::new(AtomicBool::new(false));
    let commits = |ended: Arc<AtomicBool>, most: Duration| {
        let store = Arc::clone(store);
        async move {
            let began = Instant::now();
            let mut latencies = Vec::new();
            let mut number = 0;
            while !ended.load(Ordering::Acquire) && began.elapsed() < most {
                number = (number + 7_919) % DOCUMENTS;
                let began = Instant::now();
                commit(&store, vec![number], bytes).await?;
                latencies.push(began.elapsed());
            }
            latencies.sort_unstable();
            Ok::<_, Failure>(latencies)
        }
    };
    let alone = commits(Arc::clone(&ended), Duration::from_secs(3)).await?;
    let beside = tokio::spawn(commits(Arc::clone(&ended), Duration::from_secs(600)));
    let horizon = store.status().applied.revision;
    let began = Instant::now();
    store.trim(horizon).await?;
    println!(
        "trimmed {horizon} entries in {:?}, {} of {} MiB free",
        began.elapsed(),
        store.status().free_bytes >> 20,
        store.status().size_bytes >> 20
    );
    ended.store(true, Ordering::Release);
    for (what, latencies) in [("alone", alone), ("beside trimming", beside.await??)] {
        println!(
            "{} commits {what}: p50 {:?}, p99 {:?}, worst {:?}",
            latencies.len(),
            at(&latencies, 0.5),
            at(&latencies, 0.99),
            at(&latencies, 1.0)
        );
    }
    Ok(())
}

fn at(sorted: &[Duration], part: f64) -> Duration {
    let index = (sorted.len().saturating_sub(1) as f64 * part) as usize;
    sorted.get(index).copied().unwrap_or_default()
}
