//! Words that do not belong in the repository.

use std::path::Path;

use super::Fault;

// Written in two parts, so that this file keeps its own rules.
const UNFINISHED: [&str; 6] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("#[", "ignore"),
];

/// Directories of some machine.
const PLACES: [&str; 4] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Use", "rs/"),
    concat!("/wo", "rk/"),
];

pub(super) fn faults(path: &Path, text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut add = |what| {
            faults.push(Fault {
                path: path.to_owned(),
                line: index + 1,
                what,
            });
        };
        for word in UNFINISHED.iter().filter(|word| has_word(line, word)) {
            add(format!("`{word}`: finish it or leave it out"));
        }
        for place in PLACES.iter().filter(|place| has_place(line, place)) {
            add(format!("`{place}` is a directory of one machine"));
        }
    }
    faults
}

/// Whether the word stands by itself.
fn has_word(line: &str, word: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line
            .get(at + word.len()..)
            .and_then(|text| text.chars().next());
        let begins_name = word.starts_with(char::is_alphabetic);
        let ends_name = word.ends_with(char::is_alphabetic);
        !(begins_name && before.is_some_and(in_name) || ends_name && after.is_some_and(in_name))
    })
}

/// Whether a path begins so, rather than a URL or a longer path having it inside.
fn has_place(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_work_and_machines_are_found() {
        for (line, number) in [
            (concat!("// TO", "DO: x"), 1),
            (concat!("fn f() { to", "do!() }"), 1),
            (concat!("#[", "ignore = \"slow\"]"), 1),
            (concat!("MASTO", "DONT"), 0),
            (concat!("path = \"/ho", "me/me/x\""), 1),
            (concat!("http://localhost/ho", "me/x"), 0),
            ("nothing of the kind", 0),
        ] {
            assert_eq!(faults(Path::new("x"), line).len(), number, "{line}");
        }
    }
}
