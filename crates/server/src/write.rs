//! PUT, PATCH and DELETE of a document.
//!
//! The loop of every write: load what stands, decide, evaluate the content against it,
//! and commit with the revision that was decided upon as the expectation. If another
//! write came between, nothing was applied, and the loop begins again with what stands
//! then. So authorization, preconditions and the commit see one and the same state
//! (contract §3), and no lock is held.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use matchbook_core::clock::Timestamp;
use matchbook_core::decide::{Answer, Circumstances, Decision, Progress, Resource};
use matchbook_core::edit::Outcome;
use matchbook_core::name::DocumentPath;
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::request::Method;
use matchbook_core::tag::{Revision, Version};
use matchbook_store::{Batch, CommitError, Document, Effect, Expected, OperationId, Store, Write};
use uuid::Uuid;

use crate::answer::{self, Made};
use crate::app::{App, Call, now};
use crate::body::Body;
use crate::collections::full;
use crate::collections::indexes::build_unique;
use crate::content::Content;
use crate::document::unreadable;
use crate::evaluate::{OwnedEdit, evaluate};
use crate::feed::is_followed;
use crate::rebase;
use crate::receipts::{self, Claim, Kept, Named, Whole};
use crate::representation::Representation;
use crate::setup::{Documents, Setup, is_setup};

/// How often a write is tried again because another came between. Each time another
/// write succeeded, so only a flood of unconditional writes to one document gets here.
pub(crate) const ATTEMPTS: u32 = 64;

pub(crate) async fn write<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    path: &DocumentPath,
) -> Response<Body> {
    let claim = match receipts::claim(app, call, call.policy(app).max_document_bytes).await {
        Ok(claim) => claim,
        Err(problem) => return answer::refuse(call, &problem),
    };
    for _ in 0..ATTEMPTS {
        match write_once(app, call, content, path, claim.as_ref()).await {
            Attempt::Done(response) => return response,
            Attempt::Overtaken => {}
        }
    }
    let problem = Kind::Unavailable.because("too many writes to this document: try again");
    failed(app, call, problem)
}

async fn write_once<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    path: &DocumentPath,
    claim: Option<&Claim<'_>>,
) -> Attempt {
    let current = match app.store.load(path, Revision::ZERO).await {
        Ok(current) => current,
        Err(error) => return Attempt::Done(answer::refuse(call, &unreadable(call, &error))),
    };
    let representation = current.as_deref().map(Representation::of);
    let present = representation.as_ref().map(Representation::present);
    let resource = Resource::Document(present);
    let caller = call.at_document(path, current.as_ref());
    if let Some(first) = Box::pin(receipts::first(
        app, call, &caller, content, claim, &resource,
    ))
    .await
    {
        return Attempt::Done(first);
    }
    let response = match call.decide_in(app, &caller, &resource, &Progress::Asked) {
        Decision::Answer(Answer::Stale(problem)) => {
            let current = current.clone();
            rebase::stale(app, call, path, current, content, &problem).await
        }
        Decision::Answer(answer) => answer::simple(call, &answer),
        Decision::Proceed => {
            match attempt(app, call, &caller, path, current.as_ref(), content, claim).await {
                Ok(attempt) => return attempt,
                Err(problem) => failed(app, call, problem),
            }
        }
    };
    Box::pin(refused(app, call, content, claim, response)).await
}

/// Answers with a refusal, and keeps it where a repeat is to get it too.
pub(crate) async fn refused<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    claim: Option<&Claim<'_>>,
    response: Response<Body>,
) -> Attempt {
    let Some(claim) = claim.filter(|_| receipts::is_kept(response.status())) else {
        return Attempt::Done(response);
    };
    let kept = Kept::of(response);
    match claim.keep(app, call, content, &kept).await {
        // Where it could not be kept: it changed nothing, so that a repeat may as well be
        // decided anew.
        Some(Ok(()) | Err(_)) => Attempt::Done(kept.response(&[])),
        None => Attempt::Overtaken,
    }
}

pub(crate) enum Attempt {
    Done(Response<Body>),
    /// Another write came between.
    Overtaken,
}

/// Evaluates and commits, against what stood when it was decided.
async fn attempt<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    caller: &Circumstances,
    path: &DocumentPath,
    current: Option<&Arc<Document>>,
    content: &mut Content,
    claim: Option<&Claim<'_>>,
) -> Result<Attempt, Problem> {
    let bytes = content
        .read(call, call.policy(app).max_document_bytes)
        .await?;
    let at = now();
    let Some(planned) = plan(app, call, caller, path, current, &bytes, at).await? else {
        let response = unchanged(app, call, caller, path, current);
        return Ok(match (claim, current) {
            (Some(claim), Some(document)) => {
                let kept = Kept::with(response, Named::Known(document.version));
                match claim.keep(app, call, content, &kept).await {
                    Some(done) => done.map(|()| Attempt::Done(kept.response(&[])))?,
                    None => Attempt::Overtaken,
                }
            }
            _ => Attempt::Done(response),
        });
    };
    let expected = current.map(|document| document.version.revision);
    commit(app, call, path, expected.into(), planned, content, claim).await
}

/// What a write is to do.
pub(crate) struct Planned {
    pub(crate) effect: Effect,
    /// Whether the server changed what was sent.
    pub(crate) rewritten: bool,
    /// The time of the write.
    pub(crate) at: Timestamp,
    /// What is known of the caller when it is done.
    pub(crate) caller: Circumstances,
}

/// What a write makes of the document that stands; `None` if nothing changes.
pub(crate) async fn plan<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    caller: &Circumstances,
    path: &DocumentPath,
    current: Option<&Arc<Document>>,
    content: &Bytes,
    at: Timestamp,
) -> Result<Option<Planned>, Problem> {
    if !caller.reads
        && call
            .facts
            .patch_form()
            .is_some_and(|form| form.looks(content))
    {
        let what = "which 'test', 'copy' and 'move' in a patch would take";
        return Err(Problem::forbidden("read", what));
    }
    let outcome = effect(app, call, path, current, content).await;
    let Some(effect) = outcome.map_err(|problem| unseen(call, caller, problem))? else {
        return Ok(None);
    };
    let (effect, rewritten) = match &call.rules {
        None => (effect, false),
        Some(rules) => {
            let before = current.map(|document| &document.body[..]);
            rules
                .apply(effect, before, at, &call.caller.principal.id)
                .map_err(|problem| unseen(call, caller, problem))?
        }
    };
    let is_shown = rewritten || call.facts.wants_representation();
    let reads = call.may_result(path, current.is_none(), &effect, is_shown)?;
    Ok(Some(Planned {
        effect,
        rewritten,
        at,
        caller: Circumstances { reads, ..*caller },
    }))
}

/// A refusal for one who may not read what a patch would have changed: it tells of nothing
/// that is there.
fn unseen(call: &Call<'_>, caller: &Circumstances, problem: Problem) -> Problem {
    if caller.reads || call.facts.method != Method::Patch {
        return problem;
    }
    match problem.kind {
        kind @ (Kind::Invalid | Kind::PatchConflict) => {
            kind.because("why is for those who may read the document")
        }
        _ => problem,
    }
}

/// What is to be done; `None` if nothing changes.
async fn effect<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    path: &DocumentPath,
    current: Option<&Arc<Document>>,
    content: &Bytes,
) -> Result<Option<Effect>, Problem> {
    let Some(edit) = OwnedEdit::of(&call.facts) else {
        return Ok(Some(Effect::Delete));
    };
    let edit = edit.checked(call.is_checked);
    let edit = edit.followed_if(|| is_followed(app, path));
    let content_type = edit.content_type(current).unwrap_or_else(|| "".into());
    let max_bytes = call.policy(app).max_document_bytes;
    Ok(
        match evaluate(edit, current.cloned(), content.clone(), max_bytes).await? {
            Outcome::Unchanged => None,
            Outcome::Changed { body, patch } => Some(Effect::Put {
                content_type,
                body,
                patch,
            }),
        },
    )
}

/// Commits one write, and answers it.
pub(crate) async fn commit<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    path: &DocumentPath,
    expected: Expected,
    planned: Planned,
    content: &mut Content,
    claim: Option<&Claim<'_>>,
) -> Result<Attempt, Problem> {
    let Planned {
        effect,
        rewritten,
        at,
        caller,
    } = planned;
    let progress = Progress::Committed {
        created: expected == Expected::Absent,
        rewritten,
    };
    let answered = |effect: &Effect, version| {
        let made = match effect {
            Effect::Put {
                content_type, body, ..
            } => Some(Made {
                path,
                version,
                modified: at,
                content_type,
                body,
            }),
            Effect::Delete => None,
        };
        succeeded(app, call, &caller, made.as_ref(), &progress)
    };
    let receipt = match claim {
        Some(claim) => {
            let unknown = app.store.status().applied;
            let kept = Kept::with(answered(&effect, unknown), Named::Made(0));
            Some(claim.receipt(call, content, Whole::One(kept)).await?)
        }
        None => None,
    };
    let batch = Batch {
        at,
        principal: call.caller.name(),
        writes: vec![Write {
            path: path.clone(),
            expected,
            effect: effect.clone(),
        }],
        quotas: call.quota(path).into_iter().collect(),
        untouched: Vec::new(),
        receipt,
    };
    match commit_batch(app, call, batch).await? {
        Committed::As(versions) => match versions.first() {
            Some(version) => Ok(Attempt::Done(answered(&effect, *version))),
            None => Err(Kind::Internal.because("a commit without a version")),
        },
        Committed::Overtaken => Ok(Attempt::Overtaken),
        Committed::Taken(problems) => match problems.into_iter().next() {
            Some((_, problem)) => Err(problem),
            None => Err(Kind::Internal.because("a refusal without a reason")),
        },
    }
}

/// What became of a batch.
pub(crate) enum Committed {
    /// Its writes have these versions.
    As(Vec<Version>),
    /// Another write came between.
    Overtaken,
    /// Writes of these places are not possible, because of other documents.
    Taken(Vec<(usize, Problem)>),
}

/// Commits a batch. What it changes of what the server is told by documents of its own
/// holds when this returns.
pub(crate) async fn commit_batch<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    batch: Batch,
) -> Result<Committed, Problem> {
    if batch.writes.iter().any(|write| is_setup(&write.path)) {
        return Box::pin(set_up(app, call, batch)).await;
    }
    apply(app, call, batch).await
}

/// One at a time, so that what was found to hold together is what is committed.
async fn set_up<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    batch: Batch,
) -> Result<Committed, Problem> {
    let turn = DocumentPath::receipt("setup");
    let turn = turn.map_err(|_| Kind::Internal.because("a turn cannot be named"))?;
    let _turn = app.turns.take(&turn).await;
    let documents = Documents::read(&app.store).await;
    let documents = documents.map_err(|error| unreadable(call, &error))?;
    let principal = &call.caller.principal;
    let setup = Setup::verify(&app.given(), documents, &batch.writes, principal)?;
    let _saving = app.indexing.begin().await;
    build_unique(&app.store, &setup.collections, &batch.writes).await?;
    let saved: Vec<_> = batch
        .writes
        .iter()
        .map(|write| write.path.clone())
        .collect();
    let committed = apply(app, call, batch).await?;
    if let Err(error) = app.load().await {
        tracing::error!(%error, "what was saved cannot be read");
    }
    app.unchecked.note(&saved);
    Ok(committed)
}

async fn apply<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    batch: Batch,
) -> Result<Committed, Problem> {
    let operation = OperationId(call.id.as_u128());
    let counted = (!batch.quotas.is_empty()).then(|| batch.clone());
    let committed = match app.prepare_indexes(&batch.writes).await {
        Ok(()) => app.store.commit(operation, batch).await,
        Err(error) => Err(error),
    };
    match committed {
        Ok(versions) => Ok(Committed::As(versions)),
        Err(CommitError::Rejected(_)) => Ok(Committed::Overtaken),
        Err(CommitError::Taken(taken)) => {
            let problems = Box::pin(app.taken(&taken)).await;
            Ok(problems.map_or(Committed::Overtaken, Committed::Taken))
        }
        Err(CommitError::Exceeded(excesses)) => {
            let problems = excesses.into_iter().filter_map(|excess| {
                let problem = full(counted.as_ref()?, excess);
                Some((excess.index, problem))
            });
            Ok(Committed::Taken(problems.collect()))
        }
        Err(error) => Err(uncommitted(call.id, &error)),
    }
}

/// A commit that failed: the client learns what became of its write, the log learns
/// why.
fn uncommitted(id: Uuid, error: &CommitError) -> Problem {
    tracing::error!(request_id = %id, %error, "a write was not acknowledged");
    match error {
        CommitError::Full => Kind::StorageFull.because("nothing was changed"),
        CommitError::Indeterminate(_) => {
            Kind::Indeterminate.because("GET the document to see whether it has changed")
        }
        CommitError::Unavailable(_)
        | CommitError::Rejected(_)
        | CommitError::Taken(_)
        | CommitError::Exceeded(_) => {
            Kind::StoreUnavailable.because("nothing was changed by this request")
        }
    }
}

fn unchanged<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    caller: &Circumstances,
    path: &DocumentPath,
    current: Option<&Arc<Document>>,
) -> Response<Body> {
    let made = current.map(|document| Made {
        path,
        version: document.version,
        modified: document.modified,
        content_type: &document.content_type,
        body: &document.body,
    });
    succeeded(app, call, caller, made.as_ref(), &Progress::Unchanged)
}

/// Lines 21 to 23.
pub(crate) fn succeeded<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    caller: &Circumstances,
    made: Option<&Made<'_>>,
    progress: &Progress,
) -> Response<Body> {
    let resource = Resource::Document(None);
    match call.decide_in(app, caller, &resource, progress) {
        Decision::Answer(Answer::Written(how)) => answer::written(call, how, made),
        Decision::Answer(answer) => answer::simple(call, &answer),
        Decision::Proceed => answer::refuse(call, &Kind::Internal.because("undecided")),
    }
}

/// Lines 16 to 20.
pub(crate) fn failed<S: Store>(app: &App<S>, call: &Call<'_>, problem: Problem) -> Response<Body> {
    succeeded(
        app,
        call,
        &call.circumstances,
        None,
        &Progress::Failed(problem),
    )
}
