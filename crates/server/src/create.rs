//! POST to a collection: a new member with an id of the server's making.

use http::Response;
use matchbook_core::decide::{Decision, Progress, Resource, decide};
use matchbook_core::edit::Outcome;
use matchbook_core::name::CollectionPath;
use matchbook_core::problem::{Kind, Problem};
use matchbook_store::{Effect, Store};
use uuid::Uuid;

use crate::answer::{self, Made};
use crate::app::{App, Call};
use crate::body::Body;
use crate::content::Content;
use crate::list::has_members;
use crate::write::{OwnedEdit, commit, evaluate, failed, succeeded};

pub(crate) async fn create<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    collection: &CollectionPath,
) -> Response<Body> {
    let has_members = match has_members(app, call, collection).await {
        Ok(has_members) => has_members,
        Err(problem) => return answer::refuse(call, &problem),
    };
    let resource = Resource::Collection {
        opaque: "",
        has_members,
    };
    let asked = decide(
        &call.facts,
        &call.circumstances,
        &resource,
        &app.policy,
        &Progress::Asked,
    );
    if let Decision::Answer(answer) = asked {
        return answer::simple(call, &answer);
    }
    match make(app, call, collection, content).await {
        Ok(response) => response,
        Err(problem) => failed(app, call, problem),
    }
}

async fn make<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    collection: &CollectionPath,
    content: &mut Content,
) -> Result<Response<Body>, Problem> {
    let max_bytes = app.policy.max_document_bytes;
    let content = content.read(call, max_bytes).await?;
    let Some(edit @ OwnedEdit::Replace { .. }) = OwnedEdit::of(&call.facts) else {
        return Err(Kind::UnsupportedContent.because("Content-Type is missing"));
    };
    let content_type = edit.content_type(None).unwrap_or_else(|| "".into());
    let Outcome::Changed { body, patch } = evaluate(edit, None, content, max_bytes).await? else {
        return Err(Kind::Internal.because("a new document changes nothing"));
    };
    let path = collection
        .member(&Uuid::now_v7().to_string())
        .map_err(|fault| Kind::TargetTooLong.because(fault.detail()))?;
    let effect = Effect::Put {
        content_type: content_type.clone(),
        body: body.clone(),
        patch,
    };
    // An id that no document ever had: nothing can come between.
    let committed = commit(app, call, &path, None, effect).await?;
    let (version, modified) =
        committed.ok_or_else(|| Kind::Internal.because("the new id was taken"))?;
    let made = Made {
        path: &path,
        version,
        modified,
        content_type: &content_type,
        body: &body,
    };
    let progress = Progress::Committed { created: true };
    Ok(succeeded(app, call, Some(&made), &progress))
}
