//! GET and HEAD of a document.

use std::sync::Arc;

use http::Response;
use matchbook_core::decide::{Answer, Decision, Progress, Resource, decide};
use matchbook_core::field::coding::Coding;
use matchbook_core::name::DocumentPath;
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::tag::Revision;
use matchbook_store::{Document, ReadError, Store};

use crate::answer;
use crate::app::{App, Call};
use crate::body::Body;
use crate::representation::{Representation, coded};

pub(crate) async fn read<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    path: &DocumentPath,
) -> Response<Body> {
    let document = match app.store.load(path, Revision::ZERO).await {
        Ok(document) => document,
        Err(error) => return answer::refuse(call, &unreadable(call, &error)),
    };
    let found = document
        .as_ref()
        .map(|document| (document, Representation::of(document)));
    let present = found
        .as_ref()
        .map(|(_, representation)| representation.present());
    let decision = decide(
        &call.facts,
        &call.circumstances,
        &Resource::Document(present),
        &app.policy,
        &Progress::Asked,
    );
    let (Decision::Answer(answer), Some((document, representation))) = (&decision, &found) else {
        return without_document(call, &decision);
    };
    about(call, answer, document, representation).await
}

fn without_document(call: &Call<'_>, decision: &Decision) -> Response<Body> {
    match decision {
        Decision::Answer(answer) => answer::simple(call, answer),
        Decision::Proceed => answer::refuse(call, &Kind::Internal.because("a read proceeded")),
    }
}

async fn about(
    call: &Call<'_>,
    answer: &Answer,
    document: &Arc<Document>,
    representation: &Representation<'_>,
) -> Response<Body> {
    match answer {
        Answer::NotModified(coding) => {
            answer::not_modified(representation, representation.etag(*coding))
        }
        Answer::Representation(Coding::Identity) => answer::representation(
            representation,
            representation.etag(Coding::Identity),
            Coding::Identity,
            Arc::clone(document),
        ),
        Answer::Representation(coding) => match Box::pin(coded(document, *coding)).await {
            Some(coded) => answer::representation(representation, coded.etag, *coding, coded.body),
            None => answer::refuse(call, &Kind::Internal.because("the coding failed")),
        },
        Answer::Part { first, last } => {
            answer::part(representation, (*first, *last), &document.body)
                .unwrap_or_else(|| answer::refuse(call, &Kind::Internal.because("no such part")))
        }
        Answer::OutOfRange(problem) => answer::out_of_range(call, problem, document.body.len()),
        Answer::Stale(problem) => {
            let rebase = answer::Rebase {
                current: Some(document.version),
                ..answer::Rebase::default()
            };
            answer::refuse_stale(call, problem, &rebase)
        }
        other => answer::simple(call, other),
    }
}

/// A read that failed: the client learns that it did, the log learns why.
pub(crate) fn unreadable(call: &Call<'_>, error: &ReadError) -> Problem {
    tracing::error!(request_id = %call.id, %error, "the store cannot be read");
    match error {
        ReadError::NotYet => Kind::Unavailable.because("the server is behind: ask again"),
        ReadError::Corrupt(_) => {
            Kind::Internal.because("the stored document is damaged and is not served")
        }
        ReadError::Failed(_) => Kind::Internal.because("the store cannot be read"),
    }
}
