//! The real server (routes, decisions, writes, batches, idempotency keys, feeds) on a
//! store of which a seed decides everything, with clients whose every step the same seed
//! decides, in virtual time. A run that fails is a number:
//!
//! ```text
//! MATCHBOOK_SIMULATION_SEEDS=17..18 MATCHBOOK_SIMULATION_TRACE=1 \
//!     cargo test -p matchbook-simulate --test simulation whatever -- --nocapture
//! ```
//!
//! What is left out, because another thread or the system's chance would have a say:
//! contents over 64 KiB, coded answers but for event streams, POST to collections, work in
//! the background, and indexes. Sockets and HTTP's framing are the business of `crates/check`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and clippy does not know helpers of tests as such"
)]

mod archive;
mod ask;
mod history;
mod panics;
mod plan;
mod poll;
mod reader;
mod run;
mod seeds;
mod signal;
mod sse;
mod world;
mod writer;
