//! The repository's files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Directories that hold nothing of the project's own.
const SKIPPED: [&str; 4] = ["target", "node_modules", "matchbook-data", ".git"];

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where cargo puts what it builds: this program is `<target>/<profile>/xtask`.
pub(crate) fn target() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = program.ancestors().nth(2);
    target
        .map(Path::to_owned)
        .ok_or_else(|| format!("{} does not lie in a target directory", program.display()))
}

/// All files of the project with one of these endings, in order, relative to `root`.
pub(crate) fn with_endings(root: &Path, endings: &[&str]) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let kind = entry.file_type()?;
            if kind.is_dir() && !SKIPPED.contains(&name.as_ref()) {
                directories.push(entry.path());
            } else if kind.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
                let path = entry.path();
                found.push(path.strip_prefix(root).unwrap_or(&path).to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}
