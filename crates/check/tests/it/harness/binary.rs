//! The program under test and what it is tested with, built once for each run of the tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the program is: what `MATCHBOOK_BIN` names, or else what cargo builds beside
/// the test, in the same profile.
pub(crate) fn path() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os("MATCHBOOK_BIN").map_or_else(build, PathBuf::from))
}

/// The library that records what a server does to its disk, and lets it fail.
#[cfg(target_os = "linux")]
pub(crate) fn faulty_disk() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        cargo_build(&["-p", "matchbook-faulty-disk"]).join("libmatchbook_faulty_disk.so")
    })
}

fn build() -> PathBuf {
    cargo_build(&["-p", "matchbook", "--bin", "matchbook"]).join("matchbook")
}

/// Builds in the test's profile, and gives the directory where that is. The test is
/// `<target>/<profile>/deps/it-<hash>`.
fn cargo_build(what: &[&str]) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let name = match profile.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        name => name,
    };
    let done = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--profile", name])
        .args(what)
        .arg("--target-dir")
        .arg(profile.parent().unwrap())
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .status()
        .unwrap();
    assert!(done.success(), "{what:?} does not build");
    profile.to_owned()
}
