//! POST: an operation is started.

use std::io::ErrorKind;

use http::Response;
use http::header::LOCATION;
use matchbook_core::decide::{
    Answer, Availability, Circumstances, Decision, Part, Progress, Resource,
};
use matchbook_core::limits::{OPERATION_BYTES, OPERATIONS};
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::tag::Revision;
use matchbook_store::{Batch, Expected, Store, Write};

use super::OPERATIONS as WHERE;
use super::id::Id;
use super::mark::{Creator, Mark, Seen};
use super::work::{Work, refuse, violation};
use crate::answer;
use crate::app::{App, Call, now};
use crate::body::Body;
use crate::content::Content;
use crate::document::unreadable;
use crate::receipts::{self, Claim, Kept, Whole};
use crate::representation::value;
use crate::write::{Attempt, Committed, commit_batch, failed, refused};

pub(super) async fn start<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
) -> Response<Body> {
    let claim = match receipts::claim(app, call, OPERATION_BYTES).await {
        Ok(claim) => claim,
        Err(problem) => return answer::refuse(call, &problem),
    };
    // With an id that no operation ever had, only a repeat of this very request can come
    // between: then the second time finds its answer.
    for _ in 0..2 {
        match once(app, call, content, claim.as_ref()).await {
            Attempt::Done(response) => return response,
            Attempt::Overtaken => {}
        }
    }
    answer::refuse(call, &Kind::Internal.because("the new id was taken"))
}

async fn once<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    claim: Option<&Claim<'_>>,
) -> Attempt {
    let resource = Resource::Operation(Part::All);
    let caller = call.at_parts();
    let first = receipts::first(app, call, &caller, content, claim, &resource);
    if let Some(first) = Box::pin(first).await {
        return Attempt::Done(first);
    }
    let caller = match with_load(app, call, caller).await {
        Ok(caller) => caller,
        Err(problem) => return Attempt::Done(failed(app, call, problem)),
    };
    let response = match call.decide_in(app, &caller, &resource, &Progress::Asked) {
        Decision::Answer(answer) => answer::simple(call, &answer),
        Decision::Proceed => match make(app, call, content, claim).await {
            Ok(attempt) => return attempt,
            Err(problem) => failed(app, call, problem),
        },
    };
    Box::pin(refused(app, call, content, claim, response)).await
}

/// There may be too many already.
async fn with_load<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    mut circumstances: Circumstances,
) -> Result<Circumstances, Problem> {
    let unfinished = super::runner::unfinished(app, false).await;
    let unfinished = unfinished.map_err(|error| unreadable(call, &error))?;
    if unfinished.len() >= OPERATIONS && circumstances.availability == Availability::Open {
        circumstances.availability = Availability::Overloaded;
    }
    Ok(circumstances)
}

async fn make<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    claim: Option<&Claim<'_>>,
) -> Result<Attempt, Problem> {
    let mut work = Work::read(&content.read(call, OPERATION_BYTES).await?)?;
    let caller = call.at_work(work.collection());
    let resource = Resource::Operation(Part::All);
    if let Decision::Answer(answer) = call.decide_in(app, &caller, &resource, &Progress::Asked) {
        return Ok(Attempt::Done(answer::simple(call, &answer)));
    }
    let mut total = None;
    if let Work::Import(asked) = &mut work
        && let Some(source) = asked.source.clone()
    {
        let seen = source_of(app, call, &source).await?;
        asked.items = seen.items;
        let violations = asked.check();
        if !violations.is_empty() {
            return Err(refuse(violations));
        }
        total = seen.result.map(|result| result.documents);
    }
    let at = now();
    let id = Id::new();
    let mut mark = Mark::new(work, Creator::of(&call.caller), at.to_string());
    mark.total = total;
    note(app, id).await?;
    let answered = accepted(app, call, id);
    let receipt = match claim {
        Some(claim) => {
            let kept = Whole::One(Kept::of(accepted(app, call, id)));
            Some(claim.receipt(call, content, kept).await?)
        }
        None => None,
    };
    let made = [
        (id.document()?, mark.shown(id, None)),
        (id.mark()?, mark.stored()),
    ];
    let writes = made.map(|(path, effect)| Write {
        path,
        expected: Expected::Absent,
        effect,
    });
    let batch = Batch {
        at,
        principal: call.caller.name(),
        writes: writes.into(),
        quotas: Vec::new(),
        untouched: Vec::new(),
        receipt,
    };
    Ok(match commit_batch(app, call, batch).await? {
        Committed::As(_) => {
            app.operations.wake.notify_one();
            Attempt::Done(answered)
        }
        Committed::Overtaken | Committed::Taken(_) => Attempt::Overtaken,
    })
}

/// Notes that the operation belongs to this directory of data.
async fn note<S: Store>(app: &App<S>, id: Id) -> Result<(), Problem> {
    let files = app.operations.files.clone();
    let noted = tokio::task::spawn_blocking(move || files.begin(id)).await;
    let noted = noted.map_err(|_| Kind::Internal.because("the operation could not be noted"))?;
    noted.map_err(|error| match error.kind() {
        ErrorKind::StorageFull => Kind::StorageFull.because("nothing was started"),
        _ => {
            tracing::error!(%error, "an operation cannot be noted");
            Kind::Internal.because("the operation could not be noted")
        }
    })
}

/// The export whose result is to be imported.
async fn source_of<S: Store>(app: &App<S>, call: &Call<'_>, source: &str) -> Result<Seen, Problem> {
    let none = |detail: &str| refuse(vec![violation("/source", detail)]);
    let id = source_id(source).ok_or_else(|| none("this is no operation"))?;
    let path = id.document()?;
    let document = app.store.load(&path, Revision::ZERO).await;
    let document = document.map_err(|error| unreadable(call, &error))?;
    let is_seen = call
        .at_document(&path, document.as_ref())
        .forbidden
        .is_none();
    let seen = document.and_then(|document| Seen::read(&document.body));
    seen.filter(|seen| seen.has_result() && is_seen)
        .ok_or_else(|| none("there is no export of yours of this name that has succeeded"))
}

/// The operation of a path.
pub(super) fn source_id(source: &str) -> Option<Id> {
    Id::read(source.strip_prefix(WHERE)?.strip_prefix('/')?)
}

fn accepted<S: Store>(app: &App<S>, call: &Call<'_>, id: Id) -> Response<Body> {
    let resource = Resource::Operation(Part::All);
    let done = Progress::Committed {
        created: true,
        rewritten: false,
    };
    match call.decide(app, &resource, &done) {
        Decision::Answer(Answer::Accepted) => {
            let mut response = answer::accepted();
            let location = value(format!("{WHERE}/{id}"));
            response.headers_mut().insert(LOCATION, location);
            response
        }
        Decision::Answer(answer) => answer::simple(call, &answer),
        Decision::Proceed => answer::refuse(call, &Kind::Internal.because("undecided")),
    }
}
