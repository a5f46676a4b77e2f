//! A stale write is told how to go on (contract §5.3): the tag that stands now,
//! whether the document already is what the request would have made it, and what has
//! changed since the version that it was meant for.

use std::sync::Arc;

use http::Response;
use matchbook_core::edit::Outcome;
use matchbook_core::field::entity_tag::TagList;
use matchbook_core::json;
use matchbook_core::limits::CHANGES_BYTES;
use matchbook_core::name::DocumentPath;
use matchbook_core::problem::Problem;
use matchbook_core::tag::Version;
use matchbook_store::{Document, Store};

use crate::answer::{self, Rebase};
use crate::app::{App, Call};
use crate::body::Body;
use crate::content::{Content, OFFLOAD_BYTES};
use crate::evaluate::{OwnedEdit, evaluate};
use crate::representation::Representation;

/// The answer to a stale write. Everything in it but the status is help; where some of
/// it cannot be had, it is left out.
pub(crate) async fn stale<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    path: &DocumentPath,
    current: Option<Arc<Document>>,
    content: &mut Content,
    problem: &Problem,
) -> Response<Body> {
    let Some(current) = current else {
        return answer::refuse(call, problem);
    };
    let base = match meant_for(call) {
        Some(version) => app.store.load_version(path, version).await.unwrap_or(None),
        None => None,
    };
    let rebase = Rebase {
        current: Some(current.version),
        same: is_same(app, call, base.as_ref(), &current, content).await,
        changes: match base {
            Some(base) => changes(base, current).await,
            None => None,
        },
    };
    answer::refuse_stale(call, problem, &rebase)
}

/// The one version that the write says it is meant for.
fn meant_for(call: &Call<'_>) -> Option<Version> {
    match &call.facts.preconditions.if_match {
        Some(TagList::Tags(tags)) => Some(tags.only()?.version()?.0),
        _ => None,
    }
}

/// Whether the write, done to the version that it was meant for, makes what stands
/// now: the client's own earlier try, most likely.
async fn is_same<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    base: Option<&Arc<Document>>,
    current: &Arc<Document>,
    content: &mut Content,
) -> bool {
    // A client that waits for 100 has its answer already, and sends nothing.
    if call.facts.expects_continue || call.facts.usable_content(true).is_err() {
        return false;
    }
    let Some(edit) = OwnedEdit::of(&call.facts) else {
        return false;
    };
    let max_bytes = call.policy(app).max_document_bytes;
    let Ok(content) = content.read(call, max_bytes).await else {
        return false;
    };
    match edit {
        OwnedEdit::Replace { content_type, .. } => {
            content == current.body && content_type == current.content_type
        }
        OwnedEdit::Patch(_) => match base {
            Some(base) => {
                let outcome = evaluate(edit, Some(base.clone()), content, max_bytes).await;
                matches!(outcome, Ok(Outcome::Changed { body, .. }) if body == current.body)
            }
            None => false,
        },
    }
}

/// A JSON Patch from one version to the other, if it is short.
async fn changes(base: Arc<Document>, current: Arc<Document>) -> Option<String> {
    let both_json = [&base, &current]
        .iter()
        .all(|document| Representation::of(document).is_json);
    if !both_json {
        return None;
    }
    let size = base.body.len() + current.body.len();
    let work = move || {
        let before = std::str::from_utf8(&base.body).ok()?;
        let after = std::str::from_utf8(&current.body).ok()?;
        Some(json::diff(before, after)).filter(|patch| patch.len() <= CHANGES_BYTES)
    };
    if size < OFFLOAD_BYTES {
        return work();
    }
    tokio::task::spawn_blocking(work).await.ok()?
}
