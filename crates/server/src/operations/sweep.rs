//! Operations are forgotten a day after their end (contract §9), and their files with
//! them.

use std::time::{Duration, SystemTime};

use matchbook_core::clock::Timestamp;
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::tag::Revision;
use matchbook_store::{
    Batch, CommitError, Document, Effect, Expected, OperationId, Scan, Store, Write,
};
use uuid::Uuid;

use super::files::Files;
use super::id::Id;
use super::mark::{Mark, Seen};
use crate::app::App;

/// How long an operation is kept after its end (contract §9), and how long one is waited
/// for that never gets its content.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Between two looks. An operation may be kept longer by that.
const PAUSE: Duration = Duration::from_secs(30 * 60);

/// Operations that are looked at at a time.
const PIECE: usize = 256;

/// Bytes of a piece.
const PIECE_BYTES: usize = 4 * 1_024 * 1_024;

/// Forgets old operations from time to time, for ever.
pub async fn sweep<S: Store>(app: &App<S>) {
    loop {
        let oldest = SystemTime::now().checked_sub(KEPT);
        let oldest = oldest.map_or(Timestamp::from_millis(0), Timestamp::from);
        if let Err(why) = sweep_before(&app.store, &app.operations.files, oldest).await {
            tracing::warn!(%why, "old operations cannot be removed");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Forgets those that ended before this time, and removes the files of all that are
/// forgotten.
///
/// # Errors
/// What the store or the disk says, for the log.
pub(super) async fn sweep_before<S: Store>(
    store: &S,
    files: &Files,
    oldest: Timestamp,
) -> Result<(), String> {
    let mut after = None;
    loop {
        let scan = Scan::members(CollectionPath::operations(), after, PIECE, PIECE_BYTES);
        let page = store.scan(scan).await.map_err(|error| error.to_string())?;
        for (path, document) in &page.items {
            if document.modified < oldest {
                forget(store, path, document).await?;
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    remove_files(store, files, oldest).await
}

/// Removes an operation that has ended, or will never begin.
async fn forget<S: Store>(
    store: &S,
    path: &DocumentPath,
    document: &Document,
) -> Result<(), String> {
    let delete = |path: DocumentPath, at: Revision| Write {
        path,
        expected: Expected::At(at),
        effect: Effect::Delete,
    };
    let mut writes = vec![delete(path.clone(), document.version.revision)];
    if Seen::read(&document.body).is_some_and(|seen| seen.is_running()) {
        let mark = CollectionPath::marks().member(path.id());
        let mark = mark.map_err(|fault| fault.to_string())?;
        let stored = store.load(&mark, Revision::ZERO).await;
        let Some(stored) = stored.map_err(|error| error.to_string())? else {
            return Ok(());
        };
        if Mark::read(&stored.body).is_none_or(|mark| mark.is_ready()) {
            return Ok(());
        }
        writes.push(delete(mark, stored.version.revision));
    }
    let batch = Batch {
        at: SystemTime::now().into(),
        principal: None,
        writes,
        quotas: Vec::new(),
        untouched: Vec::new(),
        receipt: None,
    };
    let operation = OperationId(Uuid::now_v7().as_u128());
    match store.commit(operation, batch).await {
        // It has moved on: the next look tells.
        Ok(_) | Err(CommitError::Rejected(_)) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Files come before what tells of them, and go after it, so that a crash between the two
/// leaves files only.
async fn remove_files<S: Store>(store: &S, files: &Files, oldest: Timestamp) -> Result<(), String> {
    let all = files.clone();
    let ids = tokio::task::spawn_blocking(move || all.ids()).await;
    let ids = ids.map_err(|error| error.to_string())?;
    let mut gone = Vec::new();
    for id in ids.map_err(|error| error.to_string())? {
        if id.is_before(oldest) && !is_there(store, id).await? {
            gone.push(id);
        }
    }
    let files = files.clone();
    let removed = tokio::task::spawn_blocking(move || {
        gone.into_iter().try_for_each(|id| files.remove(id, true))
    });
    let removed = removed.await.map_err(|error| error.to_string())?;
    removed.map_err(|error| error.to_string())
}

async fn is_there<S: Store>(store: &S, id: Id) -> Result<bool, String> {
    let path = id.document().map_err(|problem| problem.to_string())?;
    let document = store.load(&path, Revision::ZERO).await;
    Ok(document.map_err(|error| error.to_string())?.is_some())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use matchbook_store::Unobserved;
    use matchbook_store::sqlite::{Options, SqliteStore};
    use serde_json::json;

    use super::super::mark::End;
    use super::super::work::Work;
    use super::*;

    /// An operation that was last written at this time.
    async fn made(store: &SqliteStore, work: &str, end: Option<&End>, millis: u64) -> Id {
        let id = Id::new();
        let work = Work::read(work.as_bytes()).unwrap();
        let mark = Mark::new(work, None, String::new());
        let write = |path, effect| Write {
            path,
            expected: Expected::Absent,
            effect,
        };
        let mut writes = vec![write(id.document().unwrap(), mark.shown(id, end))];
        if end.is_none() {
            writes.push(write(id.mark().unwrap(), mark.stored()));
        }
        let batch = Batch {
            at: Timestamp::from_millis(millis),
            principal: None,
            writes,
            quotas: Vec::new(),
            untouched: Vec::new(),
            receipt: None,
        };
        let operation = OperationId(Uuid::now_v7().as_u128());
        store.commit(operation, batch).await.unwrap();
        id
    }

    #[tokio::test]
    async fn section_9_only_what_ended_long_ago_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let unobserved = Arc::new(Unobserved);
        let store = SqliteStore::open(directory.path(), Options::default(), unobserved).unwrap();
        let files = Files::new(directory.path());
        let export = r#"{"kind":"export","collection":"/c"}"#;
        let import = r#"{"kind":"import","collection":"/c"}"#;
        let done = End::Succeeded(json!({}));
        let cases = [
            (made(&store, export, Some(&done), 99).await, false),
            (made(&store, export, Some(&done), 100).await, true),
            (made(&store, export, Some(&End::Cancelled), 1).await, false),
            // It waits for its turn.
            (made(&store, export, None, 1).await, true),
            // Nobody sends its content.
            (made(&store, import, None, 1).await, false),
            (made(&store, import, None, 100).await, true),
        ];
        let orphan = Id::new();
        for id in cases.map(|(id, _)| id).into_iter().chain([orphan]) {
            files.append(&files.result(id), 0, b"x").unwrap();
        }
        let oldest = Timestamp::from_millis(100);
        sweep_before(&store, &files, oldest).await.unwrap();
        assert!(
            files.ids().unwrap().contains(&orphan),
            "it may be about to begin"
        );
        remove_files(&store, &files, Timestamp::MAX).await.unwrap();
        let left = files.ids().unwrap();
        assert!(!left.contains(&orphan));
        for (index, (id, stays)) in cases.into_iter().enumerate() {
            assert_eq!(is_there(&store, id).await.unwrap(), stays, "{index}");
            assert_eq!(left.contains(&id), stays, "{index}");
        }
    }
}
