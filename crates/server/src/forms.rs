//! HTML forms that save (contract §4.4).
//!
//! A form is decided upon by what its header section says, and then it is the PATCH that
//! its fields come to: `_etag` is its `If-Match`, and the rest a merge patch. So it obeys
//! the rules of all writes without being one more kind of them.

use bytes::Bytes;
use http::Response;
use matchbook_core::decide::{Answer, Decision, Progress, Resource};
use matchbook_core::field::entity_tag::TagList;
use matchbook_core::form::Form;
use matchbook_core::name::DocumentPath;
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::tag::Revision;
use matchbook_store::Store;

use crate::answer;
use crate::app::{App, Call};
use crate::body::Body;
use crate::content::{Content, OFFLOAD_BYTES};
use crate::document::unreadable;
use crate::representation::Representation;
use crate::write::{failed, write};

/// POST to a document.
pub(crate) async fn save<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    path: &DocumentPath,
) -> Response<Body> {
    let current = match app.store.load(path, Revision::ZERO).await {
        Ok(current) => current,
        Err(error) => return answer::refuse(call, &unreadable(call, &error)),
    };
    let representation = current.as_deref().map(Representation::of);
    let present = representation.as_ref().map(Representation::present);
    let caller = call.at_document(path, current.as_ref());
    let resource = Resource::Document(present);
    match call.decide_in(app, &caller, &resource, &Progress::Asked) {
        Decision::Answer(Answer::Stale(problem)) => return answer::refuse(call, &problem),
        Decision::Answer(answer) => return answer::simple(call, &answer),
        Decision::Proceed => {}
    }
    let read = match read(app, call, content).await {
        Ok(read) => read,
        Err(problem) => return failed(app, call, problem),
    };
    let tags = match &read.if_match {
        Some(tag) => TagList::parse("_etag", std::iter::once(tag.as_bytes())),
        None => Ok(None),
    };
    let tags = match tags {
        Ok(tags) => tags,
        Err(fault) => return failed(app, call, Kind::Malformed.because(fault.to_string())),
    };
    let patch = Call {
        is_checked: false,
        facts: call.facts.as_merge_patch(tags),
        target: call.target.clone(),
        circumstances: call.circumstances,
        caller: call.caller.clone(),
        asker: call.asker.clone(),
        changes: call.changes,
        parts: call.parts,
        rules: call.rules.clone(),
        charge: None,
        id: call.id,
    };
    write(app, &patch, &mut Content::of(read.merge_patch), path).await
}

/// What a form says.
struct Read {
    if_match: Option<String>,
    merge_patch: Bytes,
}

/// Line 16.
async fn read<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
) -> Result<Read, Problem> {
    let max_bytes = call.policy(app).max_document_bytes;
    let bytes = content.read(call, max_bytes).await?;
    let rules = call.rules.clone();
    let size = bytes.len();
    let work = move || {
        let form = Form::read(&bytes).map_err(|fault| Kind::Malformed.because(fault))?;
        let rules = rules.as_ref();
        let type_of = |name: &str| rules.and_then(|rules| rules.field_type(name));
        Ok(Read {
            merge_patch: Bytes::from(form.merge_patch(type_of)),
            if_match: form.if_match,
        })
    };
    if size < OFFLOAD_BYTES {
        return work();
    }
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Kind::Internal.because("reading the form failed")))
}
