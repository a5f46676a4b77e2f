//! Every kind of problem is in the documentation, whose commands then show that the
//! server knows it.

use std::path::PathBuf;

use super::Fault;

/// Where problems are defined, and where they are listed.
const DEFINED: &str = "crates/core/src/problem.rs";
const LISTED: &str = "docs/http.md";

/// Looks at all files of the project, by path and text.
pub(super) fn faults(texts: &[(PathBuf, String)]) -> Vec<Fault> {
    let text_of = |name: &str| {
        let found = texts.iter().find(|(path, _)| path == &PathBuf::from(name));
        found.map_or("", |(_, text)| text.as_str())
    };
    let listed = text_of(LISTED);
    let mut faults = Vec::new();
    for (index, line) in text_of(DEFINED).lines().enumerate() {
        let Some((name, title)) = definition(line) else {
            continue;
        };
        if !listed.contains(&format!(" {name}: {title}\n")) {
            faults.push(Fault {
                path: DEFINED.into(),
                line: index + 1,
                what: format!("`{name}: {title}` is not in {LISTED}"),
            });
        }
    }
    faults
}

/// The name and title of a line such as `Stale "stale" PRECONDITION_FAILED "Title"`.
fn definition(line: &str) -> Option<(&str, &str)> {
    let mut parts = line.split('"');
    let variant = parts.next()?.trim();
    let name = parts.next()?;
    let status = parts.next()?.trim();
    let title = parts.next()?;
    let is_status = |c: char| c.is_ascii_uppercase() || c == '_';
    let is_definition = !variant.is_empty()
        && variant.chars().all(char::is_alphanumeric)
        && !status.is_empty()
        && status.chars().all(is_status);
    (is_definition && parts.next() == Some("") && parts.next().is_none()).then_some((name, title))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = r#"
    Stale "stale" PRECONDITION_FAILED "The document has changed since"
        "Somebody saved first.";
    assert_eq!(a, "b");
"#;

    #[test]
    fn a_problem_that_is_not_listed_is_found() {
        let files = |list: &str| {
            [
                (DEFINED.into(), LINES.to_owned()),
                (LISTED.into(), list.to_owned()),
            ]
        };
        let found = faults(&files("404 not-found: There is no document here\n"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 2);
        let list = "412 stale: The document has changed since\n";
        assert_eq!(faults(&files(list)), []);
    }
}
