//! `backup`: all data in one file, which stays in the data directory.

use matchbook_core::problem::Kind;
use matchbook_store::Store;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::oneshot;

use super::files::backup_name;
use super::id::Id;
use super::step::{Piece, Stop, with_files};
use crate::app::App;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {}

/// All of it at once: a copy that was broken off begins anew, because it would be of
/// another moment.
pub(super) async fn step<S: Store>(
    app: &App<S>,
    id: Id,
    (done, total): (&mut u64, &mut Option<u64>),
) -> Result<Piece, Stop> {
    let files = app.operations.files.clone();
    let to = with_files(move || files.backup(id)).await?;
    let backup = app.operations.backup.clone();
    let (sender, copied) = oneshot::channel();
    // A thread that nobody waits for: a server that is told to stop does not.
    let thread = std::thread::Builder::new().name("backup".to_owned());
    let failed = || Kind::Internal.because("the backup failed; the server's log says why");
    thread
        .spawn(move || sender.send(backup(&to)))
        .map_err(|error| {
            tracing::error!(%error, "no thread for a backup");
            failed()
        })?;
    let copied = copied.await.map_err(|_| failed())?;
    let bytes = copied.map_err(|error| {
        tracing::error!(%error, "a backup failed");
        failed()
    })?;
    *done = bytes;
    *total = Some(bytes);
    Ok(Piece {
        writes: Vec::new(),
        result: Some(json!({"name": backup_name(id), "bytes": bytes})),
    })
}
