//! POST to a collection: a new member with an id of the server's making.

use http::Response;
use matchbook_core::decide::{Circumstances, Decision, Progress, Resource};
use matchbook_core::name::{CollectionPath, DocumentPath};
use matchbook_core::problem::{Kind, Problem};
use matchbook_store::{Expected, Store};
use uuid::Uuid;

use crate::answer;
use crate::app::{App, Call, now};
use crate::body::Body;
use crate::content::Content;
use crate::list::has_members;
use crate::receipts::{self, Claim};
use crate::write::{Attempt, commit, failed, plan, refused};

pub(crate) async fn create<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    collection: &CollectionPath,
) -> Response<Body> {
    let claim = match receipts::claim(app, call, call.policy(app).max_document_bytes).await {
        Ok(claim) => claim,
        Err(problem) => return answer::refuse(call, &problem),
    };
    // An id that no document ever had, so that only a repeat of this very request can
    // come between: then the second time finds its answer.
    for _ in 0..2 {
        match create_once(app, call, content, collection, claim.as_ref()).await {
            Attempt::Done(response) => return response,
            Attempt::Overtaken => {}
        }
    }
    answer::refuse(call, &Kind::Internal.because("the new id was taken"))
}

async fn create_once<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    collection: &CollectionPath,
    claim: Option<&Claim<'_>>,
) -> Attempt {
    let has_members = match has_members(app, call, collection).await {
        Ok(has_members) => has_members,
        Err(problem) => return Attempt::Done(answer::refuse(call, &problem)),
    };
    let resource = Resource::Collection {
        opaque: "",
        has_members,
    };
    let path = match collection.member(&Uuid::now_v7().to_string()) {
        Ok(path) => path,
        Err(fault) => {
            let problem = Kind::TargetTooLong.because(fault.detail());
            return Attempt::Done(answer::refuse(call, &problem));
        }
    };
    let caller = call.at_document(&path, None);
    if let Some(first) = Box::pin(receipts::first(
        app, call, &caller, content, claim, &resource,
    ))
    .await
    {
        return Attempt::Done(first);
    }
    let response = match call.decide_in(app, &caller, &resource, &Progress::Asked) {
        Decision::Answer(answer) => answer::simple(call, &answer),
        Decision::Proceed => match make(app, call, &caller, &path, content, claim).await {
            Ok(attempt) => return attempt,
            Err(problem) => failed(app, call, problem),
        },
    };
    Box::pin(refused(app, call, content, claim, response)).await
}

async fn make<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    caller: &Circumstances,
    path: &DocumentPath,
    content: &mut Content,
    claim: Option<&Claim<'_>>,
) -> Result<Attempt, Problem> {
    let bytes = content
        .read(call, call.policy(app).max_document_bytes)
        .await?;
    let Some(planned) = plan(app, call, caller, path, None, &bytes, now()).await? else {
        return Err(Kind::Internal.because("a new document changes nothing"));
    };
    commit(app, call, path, Expected::Absent, planned, content, claim).await
}
