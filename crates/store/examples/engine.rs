//! Measures the engine by itself, without HTTP:
//! `engine DIRECTORY [DOCUMENTS [COMMITTERS ...]]`.
//!
//! Prints the rate of a raw sync beside that of durable commits, so that runs on
//! different disks can be compared by their ratio, and the latency of reads from
//! memory and from the disk.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use matchbook_core::clock::Timestamp;
use matchbook_core::name::DocumentPath;
use matchbook_core::tag::Revision;
use matchbook_store::sqlite::{Options, SqliteStore};
use matchbook_store::{Batch, Effect, Observer, OperationId, Store, Write};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const BODY_BYTES: usize = 1_024;
const FILL_BATCH: u64 = 1_000;
const MEASURE: Duration = Duration::from_secs(5);

/// Counts groups, and the longest of them.
#[derive(Default)]
struct Counts {
    groups: AtomicU64,
    writes: AtomicU64,
    slowest_us: AtomicU64,
}

impl Observer for Counts {
    fn committed(&self, writes: usize, _bytes: usize, sync: Duration) {
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(writes as u64, Ordering::Relaxed);
        let sync_us = u64::try_from(sync.as_micros()).unwrap_or(u64::MAX);
        self.slowest_us.fetch_max(sync_us, Ordering::Relaxed);
    }

    fn failed(&self, what: &str) {
        eprintln!("{what}");
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let directory: PathBuf = arguments.next().ok_or("which directory?")?.into();
    let documents: u64 = arguments.next().map_or(Ok(10_000), |n| n.parse())?;
    let mut committers = arguments
        .map(|n| n.parse())
        .collect::<Result<Vec<u64>, _>>()?;
    if committers.is_empty() {
        committers = vec![1, 8, 64, 256];
    }
    let counts = Arc::new(Counts::default());
    let began = Instant::now();
    let store = SqliteStore::open(&directory, Options::default(), counts.clone())?;
    println!(
        "opened in {:?}, {} MiB resident",
        began.elapsed(),
        resident_mib()
    );
    let store = Arc::new(store);
    fill(&store, documents).await?;
    raw_syncs(&directory)?;
    for committers in committers {
        commits(&store, documents, committers, &counts).await?;
    }
    raw_syncs(&directory)?;
    reads(&store, documents).await?;
    println!(
        "{} MiB on disk, write-ahead log {} MiB, {} MiB resident",
        store.status().size_bytes >> 20,
        std::fs::metadata(directory.join("matchbook.db-wal"))?.len() >> 20,
        resident_mib()
    );
    drop(store);
    let began = Instant::now();
    let store = SqliteStore::open(&directory, Options::default(), counts)?;
    println!("opened again in {:?}", began.elapsed());
    drop(store);
    Ok(())
}

fn path(number: u64) -> Result<DocumentPath, Failure> {
    Ok(DocumentPath::parse(&format!("/documents/{number:08}"))?)
}

fn put(number: u64, expected: Option<Revision>, salt: u64) -> Result<Write, Failure> {
    let mut body = format!(r#"{{"number":{number},"salt":{salt},"text":""#);
    body.extend(std::iter::repeat_n(
        'x',
        BODY_BYTES.saturating_sub(body.len() + 2),
    ));
    body.push_str("\"}");
    Ok(Write {
        path: path(number)?,
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
        principal: None,
        writes,
        quotas: Vec::new(),
        untouched: Vec::new(),
        receipt: None,
    }
}

/// Adds the documents that are not there yet.
async fn fill(store: &SqliteStore, documents: u64) -> Result<(), Failure> {
    let last = path(documents.saturating_sub(1))?;
    if store.load(&last, Revision::ZERO).await?.is_some() {
        return Ok(());
    }
    let began = Instant::now();
    let mut at = 0;
    while at < documents {
        let end = (at + FILL_BATCH).min(documents);
        let writes = (at..end)
            .map(|number| put(number, None, 0))
            .collect::<Result<_, _>>()?;
        store.commit(OperationId(at.into()), batch(writes)).await?;
        at = end;
    }
    let rate = documents as f64 / began.elapsed().as_secs_f64();
    println!("filled with {documents} documents, {rate:.0}/s");
    Ok(())
}

/// The rate of appending 4 KiB and syncing it.
fn raw_syncs(directory: &Path) -> Result<(), Failure> {
    let file_path = directory.join("raw-sync");
    let mut file = File::create(&file_path)?;
    let began = Instant::now();
    let mut latencies = Vec::new();
    while began.elapsed() < Duration::from_secs(2) {
        let began = Instant::now();
        file.write_all(&[7; 4_096])?;
        file.sync_data()?;
        latencies.push(began.elapsed());
    }
    let rate = latencies.len() as f64 / began.elapsed().as_secs_f64();
    latencies.sort_unstable();
    println!(
        "raw: {rate:.0} syncs/s of 4 KiB appended, p50 {:?}, p99 {:?}",
        at(&latencies, 0.5),
        at(&latencies, 0.99)
    );
    std::fs::remove_file(file_path)?;
    Ok(())
}

async fn commits(
    store: &Arc<SqliteStore>,
    documents: u64,
    committers: u64,
    counts: &Counts,
) -> Result<(), Failure> {
    let end = Instant::now() + MEASURE;
    let taken = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
    taken(&counts.groups);
    taken(&counts.writes);
    taken(&counts.slowest_us);
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let tasks: Vec<_> = (0..committers)
        .map(|committer| {
            tokio::spawn(commit_until(
                Arc::clone(store),
                documents,
                committers,
                committer,
                end,
            ))
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    latencies.sort_unstable();
    let (writes, groups) = (taken(&counts.writes) as f64, taken(&counts.groups) as f64);
    println!(
        "{committers:>3} committers: {:.0} durable commits/s, {:.1} a group, {:.2} CPU s per 100,000, \
         p50 {:?}, p99 {:?}, worst {:?}, slowest sync {} us",
        writes / seconds,
        writes / groups,
        cpu / writes * 100_000.0,
        at(&latencies, 0.5),
        at(&latencies, 0.99),
        at(&latencies, 1.0),
        taken(&counts.slowest_us),
    );
    Ok(())
}

/// Each committer has documents of its own, so that nothing is rejected.
async fn commit_until(
    store: Arc<SqliteStore>,
    documents: u64,
    committers: u64,
    committer: u64,
    end: Instant,
) -> Result<Vec<Duration>, Failure> {
    let own = (documents / committers).max(1);
    let mut latencies = Vec::new();
    let mut random = committer + 1;
    while Instant::now() < end {
        random = next_random(random);
        let number = random % own * committers + committer;
        let standing = store.load(&path(number)?, Revision::ZERO).await?;
        let expected = standing.map(|document| document.version.revision);
        let write = put(number, expected, random)?;
        let began = Instant::now();
        store
            .commit(OperationId(random.into()), batch(vec![write]))
            .await?;
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

async fn reads(store: &SqliteStore, documents: u64) -> Result<(), Failure> {
    const HITS: u32 = 1_000_000;
    let hot = path(0)?;
    store.load(&hot, Revision::ZERO).await?;
    let began = Instant::now();
    for _ in 0..HITS {
        std::hint::black_box(store.load(&hot, Revision::ZERO).await?);
    }
    println!("hit: {:?}", began.elapsed() / HITS);
    let mut random = 42;
    let mut latencies = Vec::new();
    for _ in 0..50_000 {
        random = next_random(random);
        let name = path(random % documents)?;
        let began = Instant::now();
        std::hint::black_box(store.load(&name, Revision::ZERO).await?);
        let took = began.elapsed();
        latencies.push(took);
    }
    latencies.sort_unstable();
    println!(
        "random load: p50 {:?}, p90 {:?}, p99 {:?}",
        at(&latencies, 0.5),
        at(&latencies, 0.9),
        at(&latencies, 0.99)
    );
    let mut absent = Vec::new();
    for number in 0..20_000 {
        let name = path(documents + number)?;
        let began = Instant::now();
        std::hint::black_box(store.load(&name, Revision::ZERO).await?);
        absent.push(began.elapsed());
    }
    absent.sort_unstable();
    println!(
        "absent: p50 {:?}, p99 {:?}",
        at(&absent, 0.5),
        at(&absent, 0.99)
    );
    Ok(())
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn next_random(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn at(sorted: &[Duration], part: f64) -> Duration {
    let index = (sorted.len().saturating_sub(1) as f64 * part) as usize;
    sorted.get(index).copied().unwrap_or_default()
}

/// Time on processors of this process, where the system tells it.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or_default() >> 10
}
