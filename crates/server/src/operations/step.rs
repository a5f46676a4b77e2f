//! One piece of an operation's work.

use std::collections::HashMap;
use std::io;

use matchbook_core::name::DocumentPath;
use matchbook_core::problem::{Kind, Problem};
use matchbook_store::{ReadError, Store, Write};
use serde_json::Value;

use super::id::Id;
use super::mark::{Mark, Place};
use super::work::Work;
use super::{backup, delete, export, import, index};
use crate::app::App;

/// What a piece comes to.
#[derive(Debug)]
pub(super) struct Piece {
    /// To be committed together with the mark.
    pub(super) writes: Vec<Write>,
    /// The operation's result, if this was the last piece.
    pub(super) result: Option<Value>,
}

/// Why there is no piece.
#[derive(Debug)]
pub(super) enum Stop {
    /// There never will be.
    Failed(Problem),
    /// The disk is full: there may be later.
    Full,
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        tracing::error!(%error, "an operation cannot read the store");
        Self::Failed(Kind::Internal.because("the store cannot be read"))
    }
}

/// What is known of a piece that was tried before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tried<'a> {
    /// How often it was not applied because another write came between.
    pub(super) attempts: u32,
    /// The documents of it that other documents do not let be, and why.
    pub(super) taken: &'a HashMap<DocumentPath, String>,
}

/// Works out the next piece of `mark`, which then is what holds after it.
pub(super) async fn step<S: Store>(
    app: &App<S>,
    id: Id,
    mark: &mut Mark,
    tried: Tried<'_>,
) -> Result<Piece, Stop> {
    let Mark {
        work,
        place,
        done,
        total,
        creator,
        ..
    } = mark;
    match (work, place) {
        (Work::Export(asked), Place::Export(place)) => {
            export::step(app, id, asked, place, (done, total)).await
        }
        (Work::Import(asked), Place::Import(place)) => {
            let principal = creator.as_ref().map_or("", |creator| &creator.id);
            let import = import::Import {
                app,
                id,
                asked,
                principal,
                tried,
            };
            import.step(place, (done, total)).await
        }
        (Work::DeleteCollection(asked), Place::Delete(place)) => {
            delete::step(app, asked, place, (done, total)).await
        }
        (Work::BuildIndex(asked), Place::Whole) => index::step(app, asked, (done, total)).await,
        (Work::Backup(_), Place::Whole) => backup::step(app, id, (done, total)).await,
        _ => Err(Kind::Internal.because("a mark of another kind").into()),
    }
}

/// Does something with files where that holds up nobody.
pub(super) async fn with_files<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Stop> {
    match tokio::task::spawn_blocking(act).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) if error.kind() == io::ErrorKind::StorageFull => Err(Stop::Full),
        Ok(Err(error)) => {
            tracing::error!(%error, "an operation's file cannot be used");
            Err(Kind::Internal
                .because("a file of the operation cannot be used")
                .into())
        }
        Err(_) => Err(Kind::Internal.because("the operation failed").into()),
    }
}
