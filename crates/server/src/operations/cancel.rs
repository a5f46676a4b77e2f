//! DELETE: an operation is cancelled, and what it has done stays done. One that has ended
//! stays as it is, so that whoever cancels a moment too late loses no result.

use std::sync::Arc;

use http::Response;
use matchbook_core::decide::{Answer, Decision, Part, Progress, Resource};
use matchbook_core::name::DocumentPath;
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::tag::Revision;
use matchbook_store::{Batch, Document, Effect, Expected, Store, Write};

use super::id::Id;
use super::mark::{End, Mark};
use super::running::tidy;
use crate::answer;
use crate::app::{App, Call, now};
use crate::body::Body;
use crate::content::Content;
use crate::document::unreadable;
use crate::receipts::{self, Claim, Kept, Whole};
use crate::representation::Representation;
use crate::write::{ATTEMPTS, Attempt, Committed, commit_batch, failed, refused};

/// All but reads of an operation.
pub(super) async fn cancel<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    path: &DocumentPath,
) -> Response<Body> {
    // The content of a DELETE means nothing, and is not read.
    let claim = match receipts::claim(app, call, 0).await {
        Ok(claim) => claim,
        Err(problem) => return answer::refuse(call, &problem),
    };
    for _ in 0..ATTEMPTS {
        match once(app, call, content, path, claim.as_ref()).await {
            Ok(Attempt::Done(response)) => return response,
            Ok(Attempt::Overtaken) => {}
            Err(problem) => return failed(app, call, problem),
        }
    }
    let problem = Kind::Unavailable.because("the operation moves on too fast: try again");
    failed(app, call, problem)
}

async fn once<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    path: &DocumentPath,
    claim: Option<&Claim<'_>>,
) -> Result<Attempt, Problem> {
    let current = load(app, call, path).await?;
    let representation = current.as_deref().map(Representation::of);
    let present = representation.as_ref().map(Representation::present);
    let resource = Resource::Operation(Part::One(present));
    let caller = call.at_document(path, current.as_ref());
    let first = receipts::first(app, call, &caller, content, claim, &resource);
    if let Some(first) = Box::pin(first).await {
        return Ok(Attempt::Done(first));
    }
    match (
        call.decide_in(app, &caller, &resource, &Progress::Asked),
        current,
    ) {
        (Decision::Answer(answer), _) => {
            let response = answer::simple(call, &answer);
            Ok(Box::pin(refused(app, call, content, claim, response)).await)
        }
        (Decision::Proceed, Some(document)) => {
            end(app, call, content, path, &document, claim).await
        }
        (Decision::Proceed, None) => Err(Kind::Internal.because("undecided")),
    }
}

async fn end<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    path: &DocumentPath,
    document: &Document,
    claim: Option<&Claim<'_>>,
) -> Result<Attempt, Problem> {
    let id = Id::read(path.id()).ok_or_else(|| Kind::Internal.because("an id makes no sense"))?;
    let Some(stored) = load(app, call, &id.mark()?).await? else {
        let response = answered(app, call, &Progress::Unchanged);
        return Ok(refused(app, call, content, claim, response).await);
    };
    let mark = Mark::read(&stored.body)
        .ok_or_else(|| Kind::Internal.because("the mark of the operation makes no sense"))?;
    let done = Progress::Committed {
        created: false,
        rewritten: false,
    };
    let receipt = match claim {
        Some(claim) => {
            let kept = Whole::One(Kept::of(answered(app, call, &done)));
            Some(claim.receipt(call, content, kept).await?)
        }
        None => None,
    };
    let write = |path: DocumentPath, at: Revision, effect| Write {
        path,
        expected: Expected::At(at),
        effect,
    };
    let shown = mark.shown(id, Some(&End::Cancelled));
    let batch = Batch {
        at: now(),
        principal: call.caller.name(),
        writes: vec![
            write(id.mark()?, stored.version.revision, Effect::Delete),
            write(path.clone(), document.version.revision, shown),
        ],
        quotas: Vec::new(),
        untouched: Vec::new(),
        receipt,
    };
    Ok(match commit_batch(app, call, batch).await? {
        Committed::As(_) => {
            tidy(app, id).await;
            Attempt::Done(answered(app, call, &done))
        }
        Committed::Overtaken | Committed::Taken(_) => Attempt::Overtaken,
    })
}

async fn load<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    path: &DocumentPath,
) -> Result<Option<Arc<Document>>, Problem> {
    let loaded = app.store.load(path, Revision::ZERO).await;
    loaded.map_err(|error| unreadable(call, &error))
}

fn answered<S: Store>(app: &App<S>, call: &Call<'_>, progress: &Progress) -> Response<Body> {
    let resource = Resource::Operation(Part::One(None));
    match call.decide(app, &resource, progress) {
        Decision::Answer(Answer::Written(how)) => answer::written(call, how, None),
        Decision::Answer(answer) => answer::simple(call, &answer),
        Decision::Proceed => answer::refuse(call, &Kind::Internal.because("undecided")),
    }
}
