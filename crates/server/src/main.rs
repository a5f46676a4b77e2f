//! The `matchbook` command.

mod cli;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A tenth less time for each answer than with the C library's, and memory that is
/// given back after a burst of writes.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
