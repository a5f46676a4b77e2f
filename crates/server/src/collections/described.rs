//! What collections are set to, for those who describe it.

use std::sync::Arc;

use serde_json::Value;

use super::pattern::{Part, Pattern};
use super::{Collections, Rules};

/// The settings of one pattern.
pub(crate) struct Described<'a> {
    pattern: &'a Pattern,
    pub(crate) rules: &'a Arc<Rules>,
    pub(crate) schema: Option<&'a Value>,
}

impl Described<'_> {
    /// Whether they may hold for this collection, given as a canonical path.
    pub(crate) fn matches(&self, collection: &str) -> bool {
        self.pattern.matches(collection)
    }

    /// The segments of the collection's path; `None` is any.
    pub(crate) fn segments(&self) -> Vec<Option<String>> {
        let parts = self.pattern.0.iter();
        let segments = parts.map(|part| match part {
            Part::Is(text) => Some(text.clone()),
            Part::Any => None,
        });
        segments.collect()
    }

    /// The path, where it is of one collection only.
    pub(crate) fn path(&self) -> Option<String> {
        let segments = self.segments().into_iter();
        segments
            .map(|segment| segment.map(|text| format!("/{text}")))
            .collect()
    }

    /// Members that the server sets.
    pub(crate) fn set(&self) -> Vec<String> {
        self.rules
            .set
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    }
}

impl Collections {
    /// All settings.
    pub(crate) fn described(&self) -> impl Iterator<Item = Described<'_>> {
        self.all.iter().map(|(pattern, rules)| {
            let name = pattern.to_string();
            let mut schemas = self.schemas.iter();
            let schema = schemas
                .find(|(of, _)| *of == name)
                .map(|(_, schema)| schema);
            Described {
                pattern,
                rules,
                schema,
            }
        })
    }
}
