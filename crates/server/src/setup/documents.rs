//! The documents that a setup is made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::tag::Revision;
use matchbook_store::{Effect, ReadError, Scan, Store, Write};

use super::{COLLECTIONS, KEYS, POLICIES};

/// Documents that are read at a time.
const PIECE: usize = 256;

/// And their bytes.
const PIECE_BYTES: usize = 4 * 1_024 * 1_024;

/// What one of them says.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(super) content_type: Arc<str>,
    pub(super) body: Bytes,
}

/// All of them, by path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Documents {
    all: BTreeMap<DocumentPath, Text>,
    /// All that was written up to here is among them.
    pub(super) position: Revision,
}

/// Whether a write to this document changes what holds.
pub(crate) fn is_setup(path: &DocumentPath) -> bool {
    matches!(path.collection(), COLLECTIONS | POLICIES | KEYS)
}

impl Documents {
    /// Those that are stored.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn read<S: Store>(store: &S) -> Result<Self, ReadError> {
        let mut documents = Self::default();
        let mut position = None;
        for name in [COLLECTIONS, POLICIES, KEYS] {
            let collection = CollectionPath::parse(name);
            let collection = collection.map_err(|fault| ReadError::Failed(fault.to_string()))?;
            let mut after = None;
            loop {
                let scan = Scan::members(collection.clone(), after, PIECE, PIECE_BYTES);
                let page = store.scan(scan).await?;
                position = position.or(Some(page.position.revision));
                let found = page.items.into_iter().map(|(path, document)| {
                    let text = Text {
                        content_type: Arc::clone(&document.content_type),
                        body: document.body.clone(),
                    };
                    (path, text)
                });
                documents.all.extend(found);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        documents.position = position.unwrap_or(Revision::ZERO);
        Ok(documents)
    }

    /// What a write makes of them.
    pub(crate) fn apply(&mut self, write: &Write) {
        match &write.effect {
            Effect::Delete => drop(self.all.remove(&write.path)),
            Effect::Put {
                content_type, body, ..
            } => {
                let text = Text {
                    content_type: Arc::clone(content_type),
                    body: body.clone(),
                };
                self.all.insert(write.path.clone(), text);
            }
        }
    }

    /// In the order of their paths.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&DocumentPath, &Text)> {
        self.all.iter()
    }
}
