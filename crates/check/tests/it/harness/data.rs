//! Real input that is not part of the repository.

use std::path::PathBuf;

/// The file or directory below the shared data, or `None`, said aloud, where there is
/// no such data.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let path = PathBuf::from(root).join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {name} is not there");
    None
}
