//! Receipts go when no client can ask for them any more.

use std::time::{Duration, SystemTime};

use matchbook_core::clock::Timestamp;
use matchbook_core::name::CollectionPath;
use matchbook_core::query::Place;
use matchbook_store::{
    Batch, CommitError, Effect, Expected, OperationId, ReadError, Scan, Store, Write,
};
use uuid::Uuid;

/// How long a receipt is kept (contract §5.2).
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Between two looks. A receipt may live longer by that.
const PAUSE: Duration = Duration::from_secs(30 * 60);

/// Receipts that are looked at, and removed, at a time.
const PIECE: usize = 256;

/// Bytes of a piece: a receipt may hold a document.
const PIECE_BYTES: usize = 4 * 1_024 * 1_024;

/// Removes old receipts from time to time, for ever.
pub async fn sweep<S: Store>(store: &S) {
    loop {
        let oldest = SystemTime::now().checked_sub(KEPT);
        let oldest = oldest.map_or(Timestamp::from_millis(0), Timestamp::from);
        if let Err(why) = sweep_before(store, oldest).await {
            tracing::warn!(%why, "old receipts cannot be removed");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Removes those made before this time.
///
/// # Errors
/// What the store says, for the log.
pub async fn sweep_before<S: Store>(store: &S, oldest: Timestamp) -> Result<(), String> {
    let mut after: Option<Place> = None;
    loop {
        let scan = Scan::members(CollectionPath::receipts(), after, PIECE, PIECE_BYTES);
        let page = store
            .scan(scan)
            .await
            .map_err(|error: ReadError| error.to_string())?;
        let old = page
            .items
            .iter()
            .filter(|(_, receipt)| receipt.modified < oldest);
        let writes: Vec<_> = old
            .map(|(path, receipt)| Write {
                path: path.clone(),
                expected: Expected::At(receipt.version.revision),
                effect: Effect::Delete,
            })
            .collect();
        if !writes.is_empty() {
            let batch = Batch {
                at: SystemTime::now().into(),
                principal: None,
                writes,
                quotas: Vec::new(),
                untouched: Vec::new(),
                receipt: None,
            };
            match store
                .commit(OperationId(Uuid::now_v7().as_u128()), batch)
                .await
            {
                // Somebody else has removed some: the next look finds the rest.
                Ok(_) | Err(CommitError::Rejected(_)) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
