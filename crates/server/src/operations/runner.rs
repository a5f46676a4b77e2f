//! Who takes operations up: in the order in which they were started, some at a time.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use matchbook_core::limits::OPERATIONS;
use matchbook_core::name::CollectionPath;
use matchbook_store::{ReadError, Scan, Store};
use tokio::task::{self, JoinError, JoinSet};

use super::id::Id;
use super::mark::Mark;
use super::running::{Left, work};
use crate::app::App;

/// Operations that are worked on at a time: requests come first, and two of them let a
/// short one pass a long one.
const AT_ONCE: usize = 2;

/// Before another look when the store could not be read.
const PAUSE: Duration = Duration::from_secs(10);

/// Bytes of marks that are read at a time.
const PIECE_BYTES: usize = 4 * 1_024 * 1_024;

/// Works on operations, for ever.
pub async fn run<S: Store>(app: &Arc<App<S>>) {
    let mut runner = Runner {
        app: Arc::clone(app),
        tasks: JoinSet::new(),
        running: HashMap::new(),
        left: HashSet::new(),
    };
    loop {
        let has_failed = match runner.take_up().await {
            Ok(()) => false,
            Err(error) => {
                tracing::error!(%error, "operations cannot be read");
                true
            }
        };
        tokio::select! {
            () = app.operations.wake.notified() => {}
            Some(ended) = runner.tasks.join_next_with_id() => runner.note(ended),
            () = tokio::time::sleep(PAUSE), if has_failed => {}
        }
    }
}

struct Runner<S> {
    app: Arc<App<S>>,
    tasks: JoinSet<Left>,
    running: HashMap<task::Id, Id>,
    /// Those that only another start goes on with.
    left: HashSet<Id>,
}

impl<S: Store> Runner<S> {
    /// Begins with those whose turn it is.
    async fn take_up(&mut self) -> Result<(), ReadError> {
        if self.running.len() >= AT_ONCE || self.app.is_draining() {
            return Ok(());
        }
        for id in unfinished(&self.app, true).await? {
            let is_known = self.left.contains(&id) || self.running.values().any(|of| *of == id);
            if is_known || self.running.len() >= AT_ONCE {
                continue;
            }
            let app = Arc::clone(&self.app);
            let task = self.tasks.spawn(async move { work(&app, id).await });
            self.running.insert(task.id(), id);
        }
        Ok(())
    }

    fn note(&mut self, ended: Result<(task::Id, Left), JoinError>) {
        let (task, left) = match ended {
            Ok((task, left)) => (task, left),
            Err(error) => {
                tracing::error!(%error, "an operation broke off");
                (error.id(), Left::ForLater)
            }
        };
        if let Some(id) = self.running.remove(&task)
            && left == Left::ForLater
        {
            self.left.insert(id);
        }
    }
}

/// The operations that have not ended, the oldest first; `ready`: and that can go on.
pub(super) async fn unfinished<S: Store>(app: &App<S>, ready: bool) -> Result<Vec<Id>, ReadError> {
    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let scan = Scan::members(CollectionPath::marks(), after, OPERATIONS, PIECE_BYTES);
        let page = app.store.scan(scan).await?;
        let marks = page.items.iter().filter(|(_, mark)| {
            !ready || Mark::read(&mark.body).is_some_and(|mark| mark.is_ready())
        });
        ids.extend(marks.filter_map(|(path, _)| Id::read(path.id())));
        after = page.next;
        if after.is_none() {
            return Ok(ids);
        }
    }
}
