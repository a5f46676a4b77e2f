//! The program under test, built once for each run of the tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the program is: what `MATCHBOOK_BIN` names, or else what cargo builds beside
/// the test, in the same profile.
pub(crate) fn path() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os("MATCHBOOK_BIN").map_or_else(build, PathBuf::from))
}

/// The test is `<target>/<profile>/deps/it-<hash>`.
fn build() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let name = match profile.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        name => name,
    };
    let done = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "-p", "matchbook", "--bin", "matchbook"])
        .args(["--profile", name])
        .arg("--target-dir")
        .arg(profile.parent().unwrap())
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .status()
        .unwrap();
    assert!(done.success(), "the server does not build");
    profile.join("matchbook")
}
