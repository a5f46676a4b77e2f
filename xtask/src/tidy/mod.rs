//! `cargo xtask tidy`: the rules of style that no other tool checks.

mod boundary;
mod problems;
mod ratchet;
mod size;
mod source;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use crate::files;
use source::Source;

/// One thing that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) path: PathBuf,
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// Looks at the whole repository.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let faults = look(root)?;
    if faults.is_empty() {
        return Ok(());
    }
    let mut text = String::new();
    for fault in &faults {
        let Fault { path, line, what } = fault;
        text.push_str(&format!("{}:{line}: {what}\n", path.display()));
    }
    let number = faults.len();
    text.push_str(&format!(
        "{number} {}",
        if number == 1 { "fault" } else { "faults" }
    ));
    Err(text)
}

fn look(root: &Path) -> Result<Vec<Fault>, String> {
    let mut faults = Vec::new();
    let mut sources = Vec::new();
    let texts = read(root, &[".rs", ".md", ".toml", ".sh", ".js", "run"])?;
    faults.extend(problems::faults(&texts));
    for (path, text) in texts {
        faults.extend(words::faults(&path, &text));
        if path.extension().is_some_and(|ending| ending == "rs") {
            sources.push(Source::read(path, &text));
        } else if path.ends_with("Cargo.toml") {
            faults.extend(boundary::manifest_faults(&path, &text));
        }
    }
    source::mark_tests(&mut sources);
    for source in &sources {
        faults.extend(boundary::faults(source));
        faults.extend(module_doc_fault(source));
    }
    faults.extend(size::faults(&sources));
    faults.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    Ok(faults)
}

fn read(root: &Path, endings: &[&str]) -> Result<Vec<(PathBuf, String)>, String> {
    let paths = files::with_endings(root, endings).map_err(|error| error.to_string())?;
    let read = |path: PathBuf| {
        let text = fs::read_to_string(root.join(&path))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok((path, text))
    };
    paths.into_iter().map(read).collect()
}

/// Every file says first what it is.
fn module_doc_fault(source: &Source) -> Option<Fault> {
    let begins = source.first_line.starts_with("//! ");
    (!begins).then(|| Fault {
        path: source.path.clone(),
        line: 1,
        what: "the file does not begin with a `//!` line that says what it is".to_owned(),
    })
}
