//! What an engine tells those who measure it.

use std::time::Duration;

/// Is told what an engine does, on the engine's own threads: implementations only
/// count.
pub trait Observer: Send + Sync + 'static {
    /// A group of commits became durable: its writes, their bytes, and how long the
    /// commit took, which is nearly all the sync.
    fn committed(&self, writes: usize, bytes: usize, sync: Duration) {
        let _ = (writes, bytes, sync);
    }

    /// A document was asked for, and the memory held it or not.
    fn loaded(&self, hit: bool) {
        let _ = hit;
    }

    /// The write-ahead log was copied into the database, in this time.
    fn checkpointed(&self, pages: usize, took: Duration) {
        let _ = (pages, took);
    }

    /// Something that an operator should know, for the log.
    fn failed(&self, what: &str) {
        let _ = what;
    }
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}
