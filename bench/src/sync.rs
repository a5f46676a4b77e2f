//! What one durable append costs on this disk at this moment: the floor under every
//! durable write.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use rustix::fs::statfs;
use serde::{Deserialize, Serialize};

use crate::latency::Latency;

/// Bounds the file: 64 KiB times this is 128 MiB.
const APPENDS_MAX: usize = 2_000;

const TMPFS_MAGIC: u64 = 0x0102_1994;

/// A raw measurement of `fdatasync` after an append.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct SyncCost {
    pub(crate) append_bytes: usize,
    pub(crate) syncs_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// Appends `append_bytes` and syncs, again and again for `time`, in `directory`.
///
/// # Errors
/// The file cannot be written or synced.
pub(crate) fn measure(
    directory: &Path,
    append_bytes: usize,
    time: Duration,
) -> anyhow::Result<SyncCost> {
    let file = tempfile::tempfile_in(directory).context("cannot make a file to sync")?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || append_and_sync(file, append_bytes, time));
        thread
            .join()
            .map_err(|_| anyhow!("the syncing thread panicked"))?
    })
}

fn append_and_sync(
    mut file: File,
    append_bytes: usize,
    time: Duration,
) -> anyhow::Result<SyncCost> {
    let block = vec![0x5a; append_bytes];
    let mut latency = Latency::new()?;
    let started = Instant::now();
    for _ in 0..APPENDS_MAX {
        let before = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        latency.record(before.elapsed());
        if started.elapsed() >= time {
            break;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let count = latency.count() as f64;
    Ok(SyncCost {
        append_bytes,
        syncs_per_second: count / started.elapsed().as_secs_f64(),
        p50_us: latency.us(0.5),
        p99_us: latency.us(0.99),
    })
}

/// Whether `directory` is kept in memory, where a sync costs nothing and no durable
/// write can be measured.
pub(crate) fn is_in_memory(directory: &Path) -> bool {
    statfs(directory).is_ok_and(|found| u64::try_from(found.f_type) == Ok(TMPFS_MAGIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_least_one_append_is_measured() {
        let directory = tempfile::tempdir().unwrap();
        let cost = measure(directory.path(), 4096, Duration::ZERO).unwrap();
        assert!(cost.p50_us > 0.0);
        assert!(cost.p99_us >= cost.p50_us);
    }
}
