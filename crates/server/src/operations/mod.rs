//! Work that takes long (contract §9): a request starts an operation and is answered at
//! once, and a document below `/_/operations` tells how far it has come.
//!
//! Beside the document there is a mark, which no request can name, for as
//! long as the operation has not ended: what is to be done, for whom, and the place to go on
//! from. Each piece of the work is one commit with the mark that says so, so that a crash
//! neither repeats a piece nor leaves one out; the next start goes on from all marks that
//! are there. The document follows at most twice a second, for those who watch. The last
//! commit takes the mark away. So does a cancellation, and then the next piece does not
//! apply, because it expects the mark.
//!
//! `start`, `cancel`, `upload` and `result` answer requests; the `runner` does the work, by
//! `export`, `import`, `delete`, `backup` and `index`; `sweep` forgets what has ended.

mod backup;
mod cancel;
mod delete;
mod export;
mod files;
mod id;
mod import;
mod index;
mod lines;
mod mark;
mod result;
mod runner;
mod running;
mod start;
mod step;
mod sweep;
mod upload;
mod work;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use matchbook_core::name::{DocumentPath, Target};
use matchbook_core::problem::Kind;
use matchbook_core::request::Method;
use matchbook_store::{Document, Store};
use tokio::sync::Notify;

use crate::answer;
use crate::app::{App, Call, Caller};
use crate::body::Body;
use crate::content::Content;

use files::Files;
use mark::{Creator, Seen};
pub use runner::run;
pub use sweep::sweep;

/// Where operations are.
const OPERATIONS: &str = "/_/operations";

/// Copies all data, as they stand at one moment, to this file, and tells how many bytes it
/// has; or why there is none. Blocks.
pub type Backup = Arc<dyn Fn(&Path) -> Result<u64, String> + Send + Sync>;

/// What operations need besides a store.
pub struct Operations {
    files: Files,
    backup: Backup,
    /// Somebody is to look for work.
    wake: Notify,
}

impl Operations {
    /// Those that keep their files below this directory.
    #[must_use]
    pub fn new(directory: &Path, backup: Backup) -> Self {
        Self {
            files: Files::new(directory),
            backup,
            wake: Notify::new(),
        }
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Operations");
        shown.field("files", &self.files).finish_non_exhaustive()
    }
}

/// Whether a request is answered here: all that is about operations, but for what documents
/// and collections have alike.
pub(crate) fn answers(target: &Target, method: Method) -> bool {
    match target {
        Target::Document(path) => {
            is_operation(path) && !matches!(method, Method::Get | Method::Head)
        }
        Target::Collection(path) => path.as_str() == OPERATIONS && method == Method::Post,
        Target::Reserved(name) => id::part(name).is_some(),
        Target::Root | Target::Moved(_) => false,
    }
}

/// What [`answers`] says.
pub(crate) async fn operation<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
) -> http::Response<Body> {
    match &call.target {
        Target::Document(path) => cancel::cancel(app, call, content, path).await,
        Target::Reserved(name) => match id::part(name) {
            Some((id, id::PartName::Result)) => result::result(app, call, id).await,
            Some((id, id::PartName::Content)) => upload::upload(app, call, content, id).await,
            None => answer::refuse(call, &Kind::Internal.because("no part of an operation")),
        },
        _ => start::start(app, call, content).await,
    }
}

/// Whether this is the name of an operation, or could be one.
pub(crate) fn is_operation(path: &DocumentPath) -> bool {
    path.collection() == OPERATIONS
}

/// Whether the caller started this operation: then they may see it, fetch what it made, and
/// cancel it, whatever the policies say.
pub(crate) fn is_of(caller: &Caller<'_>, operation: &Document) -> bool {
    Seen::read(&operation.body).is_some_and(|seen| seen.creator == Creator::of(caller))
}
