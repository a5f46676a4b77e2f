//! A disk that keeps a diary and fails when told to: a library for `LD_PRELOAD` whose
//! functions take the place of the C library's.
//!
//! SQLite and Rust's standard library call the C library for all that they do to files,
//! so the program under test is the one that is shipped. Whoever makes system calls
//! without the C library goes unseen.
//!
//! - `FAULTY_DISK_ROOT`: the directory that this is about, absolute and without symbolic
//!   links. Nothing else is looked at.
//! - `FAULTY_DISK_LOG`: a file outside of it that each change of a file below is appended
//!   to ([`log`]), in the order in which the changes took effect.
//! - `FAULTY_DISK_PLAN`: a file of faults ([`plan`]). It may come into being while the
//!   program runs; calls are counted from then on. Its name with `.hit` appended comes into
//!   being when the first fault takes effect.
//!
//! What is written to memory that maps a file is not seen. SQLite maps the index of its
//! log alone (`-shm`), which it makes anew after a crash.

#![cfg(target_os = "linux")]
#![cfg_attr(
    test,
    allow(
        dead_code,
        reason = "tests of the plan must not take the place of their own C library"
    )
)]

mod calls;
mod disk;
mod interposed;
pub mod log;
pub mod plan;
