//! GET and HEAD of a document.

use std::sync::Arc;

use http::Response;
use matchbook_core::decide::{Answer, Decision, Progress, Resource};
use matchbook_core::field::coding::Coding;
use matchbook_core::name::DocumentPath;
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::tag::Revision;
use matchbook_store::{Document, ReadError, Store};

use crate::answer;
use crate::app::{App, Call};
use crate::body::Body;
use crate::representation::{Representation, code, coded};

/// The answer, if it can be given without waiting: the document is in memory, and so is
/// the coding that is wanted. Nearly all reads are answered so, and need no task's state.
pub(crate) fn read_now<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    path: &DocumentPath,
) -> Option<Response<Body>> {
    let document = app.store.peek(path)?;
    read_from(app, call, path, Some(&document)).ok()
}

pub(crate) async fn read<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    path: &DocumentPath,
) -> Response<Body> {
    let document = match app.store.load(path, Revision::ZERO).await {
        Ok(document) => document,
        Err(error) => return answer::refuse(call, &unreadable(call, &error)),
    };
    match read_from(app, call, path, document.as_ref()) {
        Ok(response) => response,
        Err(NotCoded(coding)) => {
            if let Some(document) = &document {
                code(document, coding).await;
            }
            let internal = || answer::refuse(call, &Kind::Internal.because("the coding failed"));
            read_from(app, call, path, document.as_ref()).unwrap_or_else(|_| internal())
        }
    }
}

/// The document is not in this coding yet.
struct NotCoded(Coding);

fn read_from<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    path: &DocumentPath,
    document: Option<&Arc<Document>>,
) -> Result<Response<Body>, NotCoded> {
    let found = document.map(|document| (document, Representation::of(document)));
    let present = found
        .as_ref()
        .map(|(_, representation)| representation.present());
    let caller = call.at_document(path, document);
    let resource = Resource::Document(present);
    let decision = call.decide_in(app, &caller, &resource, &Progress::Asked);
    match (&decision, &found) {
        (Decision::Answer(answer), Some((document, representation))) => {
            about(call, answer, document, representation)
        }
        (Decision::Answer(answer), None) => Ok(answer::simple(call, answer)),
        (Decision::Proceed, _) => {
            let problem = Kind::Internal.because("a read proceeded");
            Ok(answer::refuse(call, &problem))
        }
    }
}

fn about(
    call: &Call<'_>,
    answer: &Answer,
    document: &Arc<Document>,
    representation: &Representation<'_>,
) -> Result<Response<Body>, NotCoded> {
    Ok(match answer {
        Answer::NotModified(coding) => {
            answer::not_modified(representation, representation.etag(*coding))
        }
        Answer::Representation(Coding::Identity) => answer::representation(
            representation,
            representation.etag(Coding::Identity),
            Coding::Identity,
            Arc::clone(document),
        ),
        Answer::Representation(coding) => {
            let coded = coded(document, *coding).ok_or(NotCoded(*coding))?;
            answer::representation(representation, coded.etag, *coding, coded.body)
        }
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
    })
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
