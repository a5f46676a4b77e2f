//! Files and functions that are too long to be read in one sitting.

use std::path::PathBuf;

use super::Fault;
use super::ratchet::{FILES, FUNCTIONS};
use super::source::{Source, after_block, line_of};

/// Lines of a file, its tests included.
const FILE_LINES: usize = 500;

/// Lines of a function. Tests are left out: a table is as long as what it tells.
const FUNCTION_LINES: usize = 70;

/// A thing and its length.
struct Sized {
    path: PathBuf,
    line: usize,
    /// Empty for a file.
    name: String,
    lines: usize,
}

pub(super) fn faults(sources: &[Source]) -> Vec<Fault> {
    let files: Vec<Sized> = sources.iter().map(file).collect();
    let functions: Vec<Sized> = sources.iter().flat_map(functions).collect();
    let known_files = FILES.iter().map(|(path, lines)| (*path, "", *lines));
    let mut faults = over(&files, FILE_LINES, &known_files.collect::<Vec<_>>());
    faults.extend(over(&functions, FUNCTION_LINES, FUNCTIONS));
    faults
}

fn over(all: &[Sized], limit: usize, known: &[(&str, &str, usize)]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut add = |path: PathBuf, line, what| faults.push(Fault { path, line, what });
    for found in all {
        let path = found.path.to_string_lossy();
        let mut exceptions = known.iter();
        let exception = exceptions.find(|(of, name, _)| *of == path && *name == found.name);
        let what = match (exception, found.lines) {
            (None, lines) if lines > limit => format!("has {lines} lines, more than {limit}"),
            (Some((_, _, known)), lines) if lines > *known => {
                format!("has grown to {lines} lines; the ratchet holds it at {known}")
            }
            (Some(_), lines) if lines <= limit => {
                format!("has {lines} lines by now: take it off the ratchet")
            }
            _ => continue,
        };
        let name = if found.name.is_empty() {
            "this file".to_owned()
        } else {
            format!("`{}`", found.name)
        };
        add(found.path.clone(), found.line, format!("{name} {what}"));
    }
    for (path, name, _) in known {
        let exists = all
            .iter()
            .any(|found| found.path.to_string_lossy() == *path && found.name == *name);
        if !exists {
            let what = "the ratchet holds what is not there";
            add(path.into(), 1, format!("{what}: {name}"));
        }
    }
    faults
}

fn file(source: &Source) -> Sized {
    Sized {
        path: source.path.clone(),
        line: 1,
        name: String::new(),
        lines: source.code.lines().count(),
    }
}

fn functions(source: &Source) -> Vec<Sized> {
    let code = source.code.as_str();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code.get(..at).unwrap_or_default();
        let rest = code.get(at + 3..).unwrap_or_default();
        let name: String = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let is_word = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        // A function of a trait may have no body, and `;` inside brackets is a length.
        let body = rest.find('{');
        let end = rest.find(";\n");
        let Some(body) = body.filter(|body| end.is_none_or(|end| *body < end)) else {
            continue;
        };
        let first = line_of(code, at);
        if !is_word || name.is_empty() || source.is_test_line(first) {
            continue;
        }
        let last = line_of(code, at + 3 + after_block(rest, body));
        found.push(Sized {
            path: source.path.clone(),
            line: first,
            name,
            lines: last - first + 1,
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(lines: usize) -> Source {
        let body = "    x();\n".repeat(lines - 2);
        let text = format!("trait T {{\n    fn t();\n}}\nfn f(a: [u8; 2]) {{\n{body}}}\n");
        Source::read("x.rs".into(), &text)
    }

    #[test]
    fn functions_are_measured() {
        let found = functions(&long(12));
        let lengths: Vec<(&str, usize)> = found
            .iter()
            .map(|function| (function.name.as_str(), function.lines))
            .collect();
        assert_eq!(lengths, [("f", 12)]);
    }

    #[test]
    fn what_is_known_may_not_grow() {
        for (lines, known, number) in [
            (70, &[][..], 0),
            (71, &[], 1),
            (71, &[("x.rs", "f", 71)], 0),
            (72, &[("x.rs", "f", 71)], 1),
            (70, &[("x.rs", "f", 71)], 1),
            (70, &[("x.rs", "gone", 71)], 1),
        ] {
            let faults = over(&functions(&long(lines)), FUNCTION_LINES, known);
            assert_eq!(faults.len(), number, "{lines} {known:?}");
        }
    }
}
