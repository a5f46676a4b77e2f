//! A snapshot for a reader: all documents, in the order of their paths, in pieces
//! between which no transaction stays open (contract §7.3).
//!
//! The pieces are of different moments. The changes since the first one, which follow,
//! bring them to one state.

use std::sync::Arc;

use matchbook_core::feed::{Change, ChangeKind, Content, Cursor, Event, SnapshotPlace};
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::query::Query;
use matchbook_core::tag::{Revision, Version};
use matchbook_store::{Document, Scan, Scope, Store};

use super::behind::{Reader, Stop};

/// Documents that are read at a time.
const PIECE: usize = 256;

/// Bodies that are read at a time.
const PIECE_BYTES: usize = 256 * 1_024;

/// Collections that are looked up at a time.
const COLLECTIONS: usize = 64;

/// Sends what is left of a snapshot that began at `since`.
///
/// # Errors
/// Why it stops.
pub(super) async fn read<S: Store>(
    reader: &mut Reader<S>,
    since: Version,
    from: SnapshotPlace,
) -> Result<(), Stop> {
    let spec = Arc::clone(&reader.spec);
    let after = match from {
        SnapshotPlace::Beginning => None,
        SnapshotPlace::After { path, .. } => Some(path),
        SnapshotPlace::Over { .. } => return Ok(()),
    };
    match &spec.scope {
        Scope::Document(path) => {
            let found = reader.app.store.load(path, Revision::ZERO).await?;
            if let Some(document) = found.filter(|_| after.is_none()) {
                let shown = reader.shows();
                add(reader, [since, shown], path, &document);
            }
            reader.send().await
        }
        Scope::Collection(path) => collection(reader, since, path, after).await,
        Scope::Log | Scope::All => all(reader, since, after).await,
    }
}

async fn all<S: Store>(
    reader: &mut Reader<S>,
    since: Version,
    mut after: Option<DocumentPath>,
) -> Result<(), Stop> {
    let mut last = None;
    if let Some(path) = after.take() {
        let begun = path.parent();
        collection(reader, since, &begun, Some(path)).await?;
        last = Some(begun);
    }
    loop {
        let found = reader
            .app
            .store
            .collections(last.clone(), COLLECTIONS)
            .await?;
        for path in &found {
            collection(reader, since, path, None).await?;
        }
        match found.into_iter().next_back() {
            Some(path) => last = Some(path),
            None => return Ok(()),
        }
    }
}

async fn collection<S: Store>(
    reader: &mut Reader<S>,
    since: Version,
    path: &CollectionPath,
    after: Option<DocumentPath>,
) -> Result<(), Stop> {
    // The projection is applied to what is found, and nothing is sorted.
    let query = Arc::new(Query {
        filter: reader.spec.query.filter.clone(),
        ..Query::default()
    });
    let mut after = after.map(|path| query.place(None, path.id()));
    loop {
        let scan = Scan {
            query: Arc::clone(&query),
            only: reader.spec.sight.only(),
            ..Scan::members(path.clone(), after, PIECE, PIECE_BYTES)
        };
        let page = reader.app.store.scan(scan).await?;
        let shown = reader.shows();
        for (path, document) in &page.items {
            add(reader, [since, shown], path, document);
        }
        reader.send().await?;
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Writes a document out, if it is wanted.
fn add<S: Store>(
    reader: &mut Reader<S>,
    [since, shown]: [Version; 2],
    path: &DocumentPath,
    document: &Document,
) {
    let spec = Arc::clone(&reader.spec);
    let content = Content::of(&document.content_type, &document.body);
    if !spec.holds(path, &content) {
        return;
    }
    let event = Event::Change(Change {
        path,
        kind: ChangeKind::Found {
            version: document.version,
            modified: document.modified,
            content: content.shown(spec.query.fields.as_ref()),
        },
        more: false,
    });
    let id = Cursor {
        at: since,
        snapshot: Some(SnapshotPlace::After {
            path: path.clone(),
            shown,
        }),
        view: spec.sight.view(),
    };
    reader.write(&event, id);
}
