//! The settings of collections, as they are written (contract §12).

use std::collections::BTreeMap;

use matchbook_core::problem::Violation;
use serde::Deserialize;
use serde_json::Value;

use super::schema::Schema;

/// What can be set. Everything else is refused, because a setting that is not known is
/// one that does not hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// A JSON Schema 2020-12 for each document that is written from now on.
    pub(super) schema: Option<Value>,
    /// Whether a write to an existing document needs a precondition.
    pub(super) preconditions: Option<Preconditions>,
    /// Largest document, in bytes.
    pub(super) max_document_bytes: Option<usize>,
    /// Whether HTML forms may save documents.
    #[serde(default)]
    pub(super) forms: bool,
    /// Most documents in the collection.
    pub(super) max_documents: Option<u64>,
    /// Most bytes of all its documents together.
    pub(super) max_bytes: Option<u64>,
    /// Members that the server sets with each write.
    #[serde(default)]
    pub(super) set: BTreeMap<String, Source>,
    /// Fields by which lists are found.
    #[serde(default)]
    pub(super) indexes: Vec<String>,
    /// Fields in which no two documents have equal values.
    #[serde(default)]
    pub(super) unique: Vec<String>,
    /// How long changes of its documents are kept, where that is longer than elsewhere.
    pub(super) retention: Option<Kept>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// At least so long ago.
    pub(super) seconds: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Preconditions {
    Required,
    Optional,
}

/// Where the value of a member comes from that the server sets.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Source {
    /// The time of the write.
    Now,
    /// Who wrote it.
    Principal,
}

impl Settings {
    /// Reads settings, and the schema in them.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn read(text: &[u8]) -> Result<(Self, Option<Schema>), Violation> {
        let settings: Self = serde_json::from_slice(text).map_err(|fault| Violation {
            pointer: String::new(),
            detail: fault.to_string(),
        })?;
        if settings.max_document_bytes == Some(0) {
            return Err(Violation {
                pointer: "/max_document_bytes".to_owned(),
                detail: "no document has 0 bytes".to_owned(),
            });
        }
        settings.wanted()?;
        let schema = settings.schema.as_ref().map(Schema::read).transpose()?;
        Ok((settings, schema))
    }
}
