//! The change feed (contract §7): the log, read on and on.
//!
//! A reader is a position. While it is behind, it reads the log itself (`behind`, from a
//! `snapshot` or from a cursor); once it has come to the end it joins a `channel`, where
//! all readers of the same live query take the same frames, each encoded once, that the
//! `follow`er puts in. Who wants JSON gets `page`s of the log.

mod audience;
mod behind;
mod blocks;
mod channel;
mod follow;
mod gzip;
mod hub;
mod page;
mod relay;
mod ring;
mod snapshot;
mod spec;
mod stream;
mod writes;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, header};
use matchbook_core::decide::{
    Allow, Answer, Availability, Circumstances, Decision, Progress, Resource,
};
use matchbook_core::feed::EndReason;
use matchbook_core::field::coding::Coding;
use matchbook_core::name::{DocumentPath, Target};
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::query::FeedQuery;
use matchbook_core::request::{FeedForm, Method};
use matchbook_core::tag::Revision;
use matchbook_store::{Scope, Store};

use crate::answer;
use crate::app::{App, Call};
use crate::body::Body;
use crate::document::unreadable;
use crate::rights::Sight;

pub(crate) use follow::follow;
pub(crate) use hub::Hub;
pub(crate) use stream::EventStream;

use behind::Start;
use spec::Spec;

/// How long a client that loses its line waits before it comes back: a restart is over
/// by then, and a person hardly notices.
const RETRY_MS: u32 = 2_000;

/// Up to so much longer wait those whom the server itself sends away, so that they do
/// not all come back at one moment.
const SPREAD_MS: u32 = 2_000;

/// Milliseconds in a second.
const SECOND_MS: u32 = 1_000;

/// How a stream is coded. Each browser and each library of HTTP decodes gzip as it comes;
/// more codings would mean that each event is compressed more often.
const STREAM_CODINGS: [Coding; 2] = [Coding::Gzip, Coding::Identity];

/// nginx and others collect what they pass on, unless this tells them not to.
const UNBUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

/// GET and HEAD of changes, and the other methods of `/_/changes`.
pub(crate) async fn feed<S: Store>(app: &Arc<App<S>>, call: &Call<'_>) -> Response<Body> {
    let (scope, allow) = match &call.target {
        Target::Document(path) => (Scope::Document(path.clone()), Allow::Document),
        Target::Collection(path) => (Scope::Collection(path.clone()), Allow::Collection),
        _ => (Scope::All, Allow::Page),
    };
    let mut circumstances = match caller(app, call).await {
        Ok(caller) => caller,
        Err(problem) => return answer::refuse(call, &problem),
    };
    if app.hub.is_full() && circumstances.availability == Availability::Open {
        circumstances.availability = Availability::Overloaded;
    }
    let decision = call.decide_in(
        app,
        &circumstances,
        &Resource::Feed { allow },
        &Progress::Asked,
    );
    let form = match decision {
        Decision::Answer(Answer::Changes(form)) => form,
        Decision::Answer(Answer::Ended { reason, after_secs }) => {
            return ended(reason, after_secs);
        }
        Decision::Answer(answer) => return answer::simple(call, &answer),
        Decision::Proceed => return answer::refuse(call, &Kind::Internal.because("undecided")),
    };
    let Some(query) = call.facts.feed.as_deref() else {
        return answer::refuse(call, &Kind::Internal.because("a feed without a query"));
    };
    let sight = Sight::of(call.asker.as_ref(), &scope);
    let spec = Arc::new(Spec::new(scope, &query.query, sight, call.changes));
    match form {
        FeedForm::EventStream => stream(app, call, query, spec),
        FeedForm::NdJson => page::lines(app, call, query, spec).await,
        FeedForm::Json => page::page(app, call, query, spec).await,
    }
}

/// What is known of the caller.
async fn caller<S: Store>(app: &App<S>, call: &Call<'_>) -> Result<Circumstances, Problem> {
    Ok(match &call.target {
        Target::Document(path) => {
            let current = match call.asker {
                Some(_) => app.store.load(path, Revision::ZERO).await,
                None => Ok(None),
            };
            let current = current.map_err(|error| unreadable(call, &error))?;
            call.at_document(path, current.as_ref())
        }
        Target::Collection(path) => call.at_collection(path),
        _ => call.at_all_changes(),
    })
}

fn stream<S: Store>(
    app: &Arc<App<S>>,
    call: &Call<'_>,
    query: &FeedQuery,
    spec: Arc<Spec>,
) -> Response<Body> {
    // What accepts no coding at all gets identity: RFC 9110 §12.5.3 allows it.
    let coding = call
        .facts
        .choose_coding(&STREAM_CODINGS)
        .unwrap_or_default();
    let body = if call.facts.method == Method::Head {
        EventStream::empty()
    } else {
        let start = Start::of(call.facts.last_event_id, query, &spec);
        behind::start(app, spec, start, coding).until(call.caller.principal.expires_secs)
    };
    let mut response = unbuffered(FeedForm::EventStream, Body::Events(Box::new(body)));
    let fields = response.headers_mut();
    fields.insert(header::VARY, answer::VARY);
    if coding != Coding::Identity {
        let coding = HeaderValue::from_static(coding.token());
        fields.insert(header::CONTENT_ENCODING, coding);
    }
    response
}

/// An event stream that says at once when to come back.
fn ended(reason: EndReason, after_secs: u32) -> Response<Body> {
    let mut text = String::new();
    let retry_ms = spread(after_secs.saturating_mul(SECOND_MS));
    reason.refusal_into(&mut text, retry_ms);
    unbuffered(FeedForm::EventStream, Body::from(Bytes::from(text)))
}

/// Not all at one moment.
fn spread(retry_ms: u32) -> u32 {
    retry_ms.saturating_add(fastrand::u32(..SPREAD_MS))
}

fn unbuffered(form: FeedForm, body: Body) -> Response<Body> {
    let mut response = answer::page(form.media_type(), body);
    let (name, no) = UNBUFFERED;
    response.headers_mut().insert(name, no);
    response
}

/// Whether somebody follows this document's changes: then the patch of a write is worth
/// finding, since all of them get it in place of the document.
pub(crate) fn is_followed<S>(app: &App<S>, path: &DocumentPath) -> bool {
    app.hub.is_followed(path)
}
