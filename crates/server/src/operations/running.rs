//! One operation that is being worked on.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use matchbook_core::name::DocumentPath;
use matchbook_core::problem::Problem;
use matchbook_core::tag::Revision;
use matchbook_store::{
    Batch, CommitError, Effect, Expected, OperationId, Quota, ReadError, Store, Taken, Write,
};
use uuid::Uuid;

use super::id::Id;
use super::mark::{End, Mark};
use super::step::{Piece, Stop, Tried, step};
use crate::app::{App, now};
use crate::collections::full;

/// Between two changes of an operation's document: often enough for whoever watches, and
/// rare enough that telling costs nothing beside the work.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// Before another attempt when the disk is full.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why an operation is no longer worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It has ended.
    Ended,
    /// The next start of the server goes on with it.
    ForLater,
}

/// An operation, its mark, and at which revisions mark and document stand.
struct Running<'a, S> {
    app: &'a App<S>,
    id: Id,
    document: DocumentPath,
    mark_path: DocumentPath,
    mark: Mark,
    marked: Revision,
    shown: Revision,
    told: Option<Instant>,
    /// How often the present piece was not applied.
    attempts: u32,
    /// The documents of it that other documents do not let be, and why.
    taken: HashMap<DocumentPath, String>,
}

/// What became of a commit.
enum Committed {
    Applied,
    /// Another write came between.
    Overtaken,
    /// Other documents do not let some of it be.
    Taken,
    Full,
    /// The store takes no more writes.
    Never,
}

/// Works on an operation until its end.
pub(super) async fn work<S: Store>(app: &App<S>, id: Id) -> Left {
    let left = match begin(app, id).await {
        Ok(left) => left,
        Err(why) => {
            tracing::error!(%id, %why, "an operation cannot be read");
            Left::ForLater
        }
    };
    if left == Left::Ended {
        tidy(app, id).await;
    }
    left
}

async fn begin<S: Store>(app: &App<S>, id: Id) -> Result<Left, String> {
    let Some(mut running) = Running::load(app, id).await? else {
        return Ok(Left::Ended);
    };
    let files = app.operations.files.clone();
    let is_begun = tokio::task::spawn_blocking(move || files.is_begun(id)).await;
    let is_begun = is_begun.map_err(|error| error.to_string())?;
    if is_begun.map_err(|error| error.to_string())? {
        return Ok(running.finish().await);
    }
    tracing::warn!(%id, "an operation is cancelled: it was under way when a backup was made");
    let mark = running.mark.clone();
    Ok(
        match running
            .commit(Vec::new(), mark, Some(&End::Cancelled))
            .await
        {
            Committed::Applied => Left::Ended,
            _ => Left::ForLater,
        },
    )
}

impl<'a, S: Store> Running<'a, S> {
    /// `None` if it has ended.
    async fn load(app: &'a App<S>, id: Id) -> Result<Option<Self>, String> {
        let named = |problem: Problem| problem.to_string();
        let unread = |error: ReadError| error.to_string();
        let (document, mark_path) = (id.document().map_err(named)?, id.mark().map_err(named)?);
        let mark = app.store.load(&mark_path, Revision::ZERO).await;
        let Some(mark) = mark.map_err(unread)? else {
            return Ok(None);
        };
        let shown = app.store.load(&document, Revision::ZERO).await;
        let Some(shown) = shown.map_err(unread)? else {
            return Ok(None);
        };
        let marked = mark.version.revision;
        let mark = Mark::read(&mark.body).ok_or("its mark makes no sense")?;
        Ok(Some(Self {
            app,
            id,
            document,
            mark_path,
            mark,
            marked,
            shown: shown.version.revision,
            told: None,
            attempts: 0,
            taken: HashMap::new(),
        }))
    }

    async fn finish(&mut self) -> Left {
        loop {
            if self.app.is_draining() {
                return Left::ForLater;
            }
            let mut next = self.mark.clone();
            let (piece, end) = match step(self.app, self.id, &mut next, self.tried()).await {
                Ok(Piece { writes, result }) => (writes, result.map(End::Succeeded)),
                Err(Stop::Failed(problem)) => {
                    next = self.mark.clone();
                    (Vec::new(), Some(End::Failed(problem)))
                }
                Err(Stop::Full) => {
                    if let Some(left) = self.wait_for_room().await {
                        return left;
                    }
                    continue;
                }
            };
            let left = match self.commit(piece, next, end.as_ref()).await {
                Committed::Applied if end.is_some() => Some(Left::Ended),
                Committed::Applied => {
                    self.attempts = 0;
                    self.taken.clear();
                    None
                }
                Committed::Taken => None,
                Committed::Full => self.wait_for_room().await,
                Committed::Never => Some(Left::ForLater),
                Committed::Overtaken => {
                    let attempts = self.attempts.saturating_add(1);
                    self.reload(attempts).await
                }
            };
            if let Some(left) = left {
                return left;
            }
        }
    }

    fn tried(&self) -> Tried<'_> {
        Tried {
            attempts: self.attempts,
            taken: &self.taken,
        }
    }

    async fn wait_for_room(&mut self) -> Option<Left> {
        tokio::time::sleep(PATIENCE).await;
        self.reload(self.attempts).await
    }

    /// Begins again from what is stored; it may have been cancelled.
    async fn reload(&mut self, attempts: u32) -> Option<Left> {
        match Self::load(self.app, self.id).await {
            Ok(Some(running)) => {
                let told = self.told;
                let taken = std::mem::take(&mut self.taken);
                *self = Self {
                    attempts,
                    told,
                    taken,
                    ..running
                };
                None
            }
            Ok(None) => Some(Left::Ended),
            Err(why) => {
                tracing::error!(id = %self.id, %why, "an operation cannot be read");
                Some(Left::ForLater)
            }
        }
    }

    /// Commits a piece with the mark that says that it is done, and with what is shown of
    /// it, if it is time for that.
    async fn commit(&mut self, mut writes: Vec<Write>, next: Mark, end: Option<&End>) -> Committed {
        let tells = end.is_some() || self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        if writes.is_empty() && !tells {
            self.mark = next;
            return Committed::Applied;
        }
        writes.push(Write {
            path: self.mark_path.clone(),
            expected: Expected::At(self.marked),
            effect: match end {
                Some(_) => Effect::Delete,
                None => next.stored(),
            },
        });
        if tells {
            writes.push(Write {
                path: self.document.clone(),
                expected: Expected::At(self.shown),
                effect: next.shown(self.id, end),
            });
        }
        let batch = Batch {
            at: now(),
            principal: self.mark.principal().map(Arc::from),
            quotas: self.quotas(&writes),
            untouched: Vec::new(),
            writes,
            receipt: None,
        };
        let counted = (!batch.quotas.is_empty()).then(|| batch.clone());
        let operation = OperationId(Uuid::now_v7().as_u128());
        let committed = match self.app.prepare_indexes(&batch.writes).await {
            Ok(()) => self.app.store.commit(operation, batch).await,
            Err(error) => Err(error),
        };
        let versions = match committed {
            Ok(versions) => versions,
            Err(CommitError::Taken(taken)) => return self.note(&taken).await,
            Err(CommitError::Exceeded(excesses)) => {
                let counted = counted.iter();
                self.taken.extend(counted.flat_map(|batch| {
                    let writes = &batch.writes;
                    excesses.iter().filter_map(|excess| {
                        let path = writes.get(excess.index)?.path.clone();
                        Some((path, full(batch, *excess).detail))
                    })
                }));
                return Committed::Taken;
            }
            Err(CommitError::Rejected(_)) => return Committed::Overtaken,
            Err(CommitError::Full) => return Committed::Full,
            Err(error) => {
                tracing::error!(id = %self.id, %error, "an operation waits for the next start");
                return Committed::Never;
            }
        };
        let mut last = versions.iter().rev().map(|version| version.revision);
        if tells {
            self.shown = last.next().unwrap_or(self.shown);
            self.told = Some(Instant::now());
        }
        self.marked = last.next().unwrap_or(self.marked);
        self.mark = next;
        Committed::Applied
    }
}

impl<S: Store> Running<'_, S> {
    /// Notes which documents cannot be saved, so that the rest of the piece can.
    async fn note(&mut self, taken: &[Taken]) -> Committed {
        let Some(problems) = self.app.taken(taken).await else {
            return Committed::Overtaken;
        };
        let paths = taken.iter().map(|taken| taken.path.clone());
        let details = problems.into_iter().map(|(_, problem)| problem.detail);
        self.taken.extend(paths.zip(details));
        Committed::Taken
    }

    /// What the collections that are written to may hold.
    fn quotas(&self, writes: &[Write]) -> Vec<Quota> {
        let setup = self.app.in_force.current();
        let collections = writes.iter().map(|write| write.path.collection());
        let collections: BTreeSet<&str> = collections.collect();
        let quotas = collections
            .into_iter()
            .filter_map(|collection| setup.collections.rules(collection)?.quota(collection));
        quotas.collect()
    }
}

/// Removes the files that an operation that has ended does not need.
pub(super) async fn tidy<S: Store>(app: &App<S>, id: Id) {
    let shown = match id.document() {
        Ok(path) => app.store.load(&path, Revision::ZERO).await.ok().flatten(),
        Err(_) => None,
    };
    let seen = shown.and_then(|shown| super::Seen::read(&shown.body));
    let keeps = seen.as_ref().is_some_and(super::Seen::has_result);
    let has_failed = |seen: super::Seen| seen.kind == "backup" && seen.status != "succeeded";
    let left_backup = seen.is_some_and(has_failed);
    let files = app.operations.files.clone();
    let removed = tokio::task::spawn_blocking(move || {
        files.remove(id, !keeps)?;
        match left_backup {
            true => files.remove_backup(id),
            false => Ok(()),
        }
    });
    if let Ok(Err(error)) = removed.await {
        tracing::warn!(%id, %error, "files of an operation cannot be removed");
    }
}
