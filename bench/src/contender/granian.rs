//! granian, which serves both Python servers: of those that keep connections it has the
//! least cost of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// While one thread of a process waits for the disk, the other one works. There is one
/// process for each processor.
const SETTINGS: &[&str] = &[
    "--interface=wsgi",
    "--http=1",
    "--blocking-threads=2",
    "--log-level=error",
];

/// The settings, for people.
pub(super) fn about() -> String {
    format!("{} workers with 2 threads", workers())
}

fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Serves `application` of the package that is in `sources`.
pub(super) fn command(
    environment: &Path,
    sources: &Path,
    application: &str,
    address: SocketAddr,
) -> Command {
    let mut command = Command::new(environment.join("bin/granian"));
    command
        .args(SETTINGS)
        .arg(format!("--host={}", address.ip()))
        .arg(format!("--port={}", address.port()))
        .arg(format!("--workers={}", workers()))
        .arg(application);
    in_place(&mut command, sources);
    command
}

/// Lets Python find the sources, and leave them as they are.
pub(super) fn in_place(command: &mut Command, sources: &Path) {
    command
        .env("PYTHONPATH", sources)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONWARNINGS", "ignore");
}
