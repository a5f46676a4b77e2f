//! `/_/openapi.json`: what can be asked of this server, as OpenAPI 3.1 says it.
//!
//! It is made for each caller from what holds at the moment: the collections that have
//! settings or members, with their schemas, and whether credentials are needed. Refusals
//! come from the one list of them ([`matchbook_core::problem::Kind`]). What OpenAPI
//! cannot say, such as that a list takes any field as a filter, descriptions say.

mod documents;
mod fields;
mod operation;
mod operations;
mod refusals;
mod schemas;
mod server;
mod view;
mod work;
mod writes;

use bytes::Bytes;
use http::Response;
use matchbook_core::decide::{Answer, Decision, Progress, Resource};
use matchbook_core::problem::{Kind, Problem};
use matchbook_store::Store;
use serde_json::{Map, Value, json};

use crate::answer;
use crate::app::{App, Call};
use crate::body::Body;
use schemas::Schemas;
use view::View;

/// The name below `/_/`.
pub(crate) const OPENAPI: &str = "openapi.json";

/// What a JSON document of this format is called (OpenAPI 3.1 §3, before its
/// registration is complete).
const MEDIA_TYPE: &str = "application/vnd.oai.openapi+json;version=3.1";

const ABOUT: &str = "Documents that many clients edit at once. Each has an entity tag (`ETag`). \
A save says with `If-Match` from which version it was made; made from an older one it is refused \
with 412, and without `If-Match` with 428, so that nobody's change is overwritten unseen. A save \
that succeeds is answered 204, with the tag for the next one.\n\n\
A path of an odd number of segments is a collection, one of an even number a document: \
`/projects/7/tasks` and `/projects/7/tasks/3` too, under the rules of `/{collection}` and \
`/{collection}/{id}`. `HEAD` is answered wherever `GET` is, and `OPTIONS` everywhere; any other \
method that is not listed is a 405 with `Allow`. Every answer has a `Request-Id`; every refusal is \
`application/problem+json` (RFC 9457), and its `type` is the address of a page that says how to mend it.";

/// GET and HEAD: for all who may see the list of collections, with those that they may
/// list.
pub(crate) async fn page<S: Store>(app: &App<S>, call: &Call<'_>) -> Response<Body> {
    match call.decide_in(app, &call.at_parts(), &Resource::Page, &Progress::Asked) {
        Decision::Answer(Answer::Representation(_)) => {}
        Decision::Answer(answer) => return answer::simple(call, &answer),
        Decision::Proceed => return answer::refuse(call, &Kind::Internal.because("undecided")),
    }
    match text(app, call).await {
        Ok(text) => answer::page(MEDIA_TYPE, Bytes::from(text)),
        Err(problem) => answer::refuse(call, &problem),
    }
}

async fn text<S: Store>(app: &App<S>, call: &Call<'_>) -> Result<String, Problem> {
    let view = View::of(app, call).await?;
    Ok(format!("{}\n", document(&view)))
}

/// The whole document.
fn document(view: &View) -> Value {
    let mut paths = Map::new();
    let mut schemas = Schemas::common();
    for place in &view.places {
        documents::describe(view, place, &mut paths, &mut schemas);
    }
    operations::describe(view, &mut paths);
    server::describe(view, &mut paths);
    let mut document = json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Matchbook",
            "summary": "JSON documents that many clients edit at once",
            "description": ABOUT,
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags(view),
        "paths": paths,
        "components": {
            "schemas": schemas.value(),
            "responses": refusals::components(),
            "headers": fields::of_answers(),
            "parameters": fields::of_requests(),
        },
    });
    if view.authenticates
        && let Some(document) = document.as_object_mut()
    {
        secure(view, document);
    }
    document
}

/// With policies, some things may be open to all, and the document cannot say which.
fn secure(view: &View, document: &mut Map<String, Value>) {
    let bearer = json!({"bearer": []});
    let security = if view.has_policies {
        json!([bearer, {}])
    } else {
        json!([bearer])
    };
    document.insert("security".to_owned(), security);
    let scheme = json!({
        "type": "http",
        "scheme": "bearer",
        "description": "A JWT (RFC 7519), or an API key. For GET and HEAD, the cookie that \
                        `POST /_/session` makes of a token does as well.",
    });
    if let Some(Value::Object(components)) = document.get_mut("components") {
        components.insert("securitySchemes".to_owned(), json!({"bearer": scheme}));
    }
}

fn tags(view: &View) -> Value {
    let places = view.places.iter().map(|place| {
        let about = match place.schema {
            Some(_) => "A collection with a schema, and its documents.",
            None => "A collection and its documents.",
        };
        json!({"name": place.collection(), "description": about})
    });
    let operations = json!({"name": operations::WHERE, "description": "Work in the background."});
    let server = json!({"name": "server", "description": "The server itself."});
    places.chain([operations, server]).collect()
}

#[cfg(test)]
mod tests;
