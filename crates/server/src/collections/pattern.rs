//! Which collections a name below `/_/collections/` means (contract §12).

use std::fmt::{self, Write as _};

use matchbook_core::name::CollectionPath;

/// A pattern, such as `projects.*.tasks` for `/projects/{any}/tasks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(pub(super) Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// This segment.
    Is(String),
    /// Any segment.
    Any,
}

/// What stands between the segments, in place of the slash.
const SEPARATOR: char = '.';

/// Stands for any segment.
const ANY: &str = "*";

impl Pattern {
    /// Reads a pattern from the last segment of a canonical path.
    ///
    /// # Errors
    /// Half a sentence that says what a pattern is.
    pub(crate) fn read(id: &str) -> Result<Self, String> {
        let text = id.replace("%2A", ANY);
        let parts: Vec<_> = text
            .split(SEPARATOR)
            .map(|part| match part {
                ANY => Part::Any,
                part => Part::Is(part.to_owned()),
            })
            .collect();
        let is_bad =
            |part: &Part| matches!(part, Part::Is(text) if text.is_empty() || text.contains(ANY));
        if parts.len().is_multiple_of(2) || parts.iter().any(is_bad) {
            return Err(format!(
                "'{text}' names no collection: write the segments of its path with '.' between them, \
                 and '*' for any, such as notes or projects.*.tasks"
            ));
        }
        Ok(Self(parts))
    }

    /// Whether it means this collection, given as a canonical path.
    pub(crate) fn matches(&self, collection: &str) -> bool {
        let mut segments = collection.split('/').skip(1);
        let mut parts = self.0.iter();
        let all = parts.all(|part| match (part, segments.next()) {
            (Part::Is(text), Some(segment)) => text == segment,
            (Part::Any, Some(_)) => true,
            (_, None) => false,
        });
        all && segments.next().is_none()
    }

    /// The collection that it means, if that is only one.
    pub(crate) fn only(&self) -> Option<CollectionPath> {
        let mut path = String::new();
        for part in &self.0 {
            match part {
                Part::Is(text) => path.extend(["/", text]),
                Part::Any => return None,
            }
        }
        CollectionPath::parse(&path).ok()
    }

    /// Of two that mean the same collection, the one that says more counts: the one whose
    /// first difference is a name.
    pub(crate) fn precedence(&self) -> Vec<bool> {
        self.0.iter().map(|part| *part == Part::Any).collect()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_char(SEPARATOR)?;
            }
            f.write_str(match part {
                Part::Is(text) => text,
                Part::Any => ANY,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_12_a_pattern_means_collections() {
        let cases = [
            ("notes", "/notes", true),
            ("notes", "/note", false),
            ("notes", "/notes/1/parts", false),
            ("%2A", "/notes", true),
            ("%2A", "/notes/1/parts", false),
            ("projects.%2A.tasks", "/projects/7/tasks", true),
            ("projects.%2A.tasks", "/projects/7/notes", false),
            ("projects.%2A.tasks", "/projects", false),
            ("projects.7.tasks", "/projects/7/tasks", true),
            ("projects.7.tasks", "/projects/8/tasks", false),
            ("caf%C3%A9", "/caf%C3%A9", true),
        ];
        for (pattern, collection, expected) in cases {
            let matches = Pattern::read(pattern).unwrap().matches(collection);
            assert_eq!(matches, expected, "{pattern} {collection}");
            let only = Pattern::read(pattern).unwrap().only();
            let only = only.as_ref().map(CollectionPath::as_str);
            let is_this = expected && !pattern.contains("%2A");
            assert_eq!(only == Some(collection), is_this, "{pattern} {collection}");
        }
        for bad in ["a.b", "a..b", ".a.", "a%2A", "a.b.c.d", ""] {
            assert!(Pattern::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_come_before_any() {
        let mut patterns = ["%2A.%2A.%2A", "a.%2A.c", "%2A.b.c", "a.b.c"];
        patterns.sort_by_key(|pattern| Pattern::read(pattern).unwrap().precedence());
        assert_eq!(patterns, ["a.b.c", "a.%2A.c", "%2A.b.c", "%2A.%2A.%2A"]);
    }
}
