//! The id of an operation, and the names that are made of it.

use std::fmt;

use matchbook_core::clock::Timestamp;
use matchbook_core::name::{CollectionPath, DocumentPath, NameFault};
use matchbook_core::problem::{Kind, Problem};
use uuid::Uuid;

/// A UUIDv7 (RFC 9562 §5.7): ids are in the order in which they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(Uuid);

/// What belongs to an operation and is no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartName {
    Result,
    Content,
}

impl Id {
    /// A new one.
    pub(super) fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// Reads one as it is written in names: no other text of the same number is an id.
    pub(super) fn read(text: &str) -> Option<Self> {
        let id = Self(Uuid::try_parse(text).ok()?);
        (id.to_string() == text).then_some(id)
    }

    /// Whether it was made before this time.
    pub(super) fn is_before(self, at: Timestamp) -> bool {
        let made = self.0.get_timestamp().map(|made| made.to_unix());
        made.is_some_and(|(seconds, _)| seconds < at.as_secs())
    }

    /// The operation.
    pub(super) fn document(self) -> Result<DocumentPath, Problem> {
        let member = CollectionPath::operations().member(&self.to_string());
        member.map_err(unnamed)
    }

    /// How far it has come.
    pub(super) fn mark(self) -> Result<DocumentPath, Problem> {
        let member = CollectionPath::marks().member(&self.to_string());
        member.map_err(unnamed)
    }

    /// Where its result is to be had.
    pub(super) fn result(self) -> String {
        format!("{}/{self}/result", super::OPERATIONS)
    }
}

fn unnamed(_: NameFault) -> Problem {
    Kind::Internal.because("an operation cannot be named")
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// What a name below `/_/` means, if it is that of a part of an operation.
pub(super) fn part(name: &str) -> Option<(Id, PartName)> {
    let (id, part) = name.strip_prefix("operations/")?.split_once('/')?;
    let part = match part {
        "result" => PartName::Result,
        "content" => PartName::Content,
        _ => return None,
    };
    Some((Id::read(id)?, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_name_parts() {
        let id = Id::new();
        let named = |name: &str| part(&name.replace('#', &id.to_string()));
        assert_eq!(named("operations/#/result"), Some((id, PartName::Result)));
        assert_eq!(named("operations/#/content"), Some((id, PartName::Content)));
        for bad in [
            "operations/#",
            "operations/#/",
            "operations/#/results",
            "operations/#/result/",
            "operations/%2e%2e/result",
            "operations/1/result",
            "#/result",
        ] {
            assert_eq!(named(bad), None, "{bad}");
        }
        assert_eq!(Id::read(&id.to_string().to_uppercase()), None);
        assert_eq!(Id::read(&id.to_string().replace('-', "")), None);
        assert!(!id.is_before(Timestamp::from_millis(1_000)) && id.is_before(Timestamp::MAX));
        assert_eq!(id.result(), format!("/_/operations/{id}/result"));
    }
}
