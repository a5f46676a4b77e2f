//! The server's own pages, below `/_/`.

use bytes::Bytes;
use http::Response;
use matchbook_core::decide::{Answer, Decision, Progress, Resource};
use matchbook_core::json::text::quote_into;
use matchbook_core::problem::Kind;
use matchbook_store::Store;

use crate::answer;
use crate::app::{App, Call};
use crate::auth::is_public;
use crate::body::Body;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A request that is refused whatever it is about.
pub(crate) fn refusal<S: Store>(app: &App<S>, call: &Call<'_>) -> Response<Body> {
    decided(app, call, &Resource::Page)
        .unwrap_or_else(|| answer::refuse(call, &Kind::Internal.because("nothing is wrong")))
}

/// A page that is not there.
pub(crate) fn missing<S: Store>(app: &App<S>, call: &Call<'_>) -> Response<Body> {
    decided(app, call, &Resource::NoPage)
        .unwrap_or_else(|| answer::refuse(call, &Kind::NotFound.because("nothing is there")))
}

/// One of the server's own pages.
pub(crate) fn page<S: Store>(app: &App<S>, call: &Call<'_>, name: &str) -> Response<Body> {
    let problem = name.strip_prefix("problems/").and_then(Kind::from_name);
    let is_known = problem.is_some() || matches!(name, "health" | "ready" | "metrics");
    let resource = if is_known {
        Resource::Page
    } else {
        Resource::NoPage
    };
    if let Some(answer) = decided(app, call, &resource) {
        return answer;
    }
    match (name, problem) {
        (_, Some(kind)) => answer::page(JSON, Bytes::from(explain(kind))),
        ("metrics", _) => {
            let status = app.store.status();
            let revision = status.applied.revision.get();
            let readers = app.hub.readers();
            let text = app.metrics.encode(status.size_bytes, revision, readers);
            answer::page(METRICS, Bytes::from(text))
        }
        ("ready", _) if !app.store.status().writable => {
            let problem =
                Kind::StoreUnavailable.because("the store takes no writes: start the server again");
            answer::refuse(call, &problem)
        }
        _ => answer::page(TEXT, Bytes::from_static(b"ok\n")),
    }
}

/// The answer, unless the request may have its page.
pub(crate) fn decided<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    resource: &Resource<'_>,
) -> Option<Response<Body>> {
    let caller = match resource {
        Resource::Page if !is_public(&call.target, call.facts.method) => call.at_server(),
        // What anybody may ask, and what is not there, need no rights.
        _ => call.circumstances,
    };
    match call.decide_in(app, &caller, resource, &Progress::Asked) {
        Decision::Answer(Answer::Representation(_)) => None,
        Decision::Answer(answer) => Some(answer::simple(call, &answer)),
        Decision::Proceed => Some(answer::refuse(call, &Kind::Internal.because("undecided"))),
    }
}

fn explain(kind: Kind) -> String {
    let mut text = String::from("{\"type\":\"/_/problems/");
    text.push_str(kind.name());
    text.push_str("\",\"title\":");
    quote_into(&mut text, kind.title());
    text.push_str(",\"status\":");
    text.push_str(kind.status().as_str());
    text.push_str(",\"help\":");
    quote_into(&mut text, kind.help());
    text.push_str("}\n");
    text
}
