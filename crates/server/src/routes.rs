//! All routes. What a target names is decided by its shape ([`Target`]); the handlers
//! load what it names, ask [`matchbook_core::decide`], and do what that says.

use std::sync::Arc;

use http::Response;
use matchbook_core::name::Target;
use matchbook_core::request::{CHANGES, Method};
use matchbook_store::Store;

use crate::app::{App, Call};
use crate::auth::{self, SESSION};
use crate::body::Body;
use crate::collections::violations;
use crate::content::Content;
use crate::openapi::{self, OPENAPI};
use crate::{batch, create, document, feed, forms, list, operations, pages, write};

/// The futures of all but reads of documents are boxed: every request's future is as
/// large as the largest of its parts, and is moved before it runs.
pub(crate) async fn route<S: Store>(
    app: &Arc<App<S>>,
    call: &Call<'_>,
    content: &mut Content,
) -> Response<Body> {
    // A malformed request names nothing; any page refuses it.
    if call.facts.fault.is_some() || call.facts.moved.is_some() {
        return pages::refusal(app, call);
    }
    if call.facts.feed.is_some() {
        return Box::pin(feed::feed(app, call)).await;
    }
    match (&call.target, call.facts.method) {
        (target, method) if operations::answers(target, method) => {
            Box::pin(operations::operation(app, call, content)).await
        }
        (Target::Reserved(name), _) if name == CHANGES => Box::pin(feed::feed(app, call)).await,
        (Target::Document(path), Method::Put | Method::Patch | Method::Delete) => {
            Box::pin(write::write(app, call, content, path)).await
        }
        (Target::Document(path), Method::Post) if call.policy(app).forms => {
            Box::pin(forms::save(app, call, content, path)).await
        }
        (Target::Document(path), _) => document::read(app, call, path).await,
        (Target::Collection(path), Method::Post) => create::create(app, call, content, path).await,
        (Target::Collection(path), _) => Box::pin(list::list(app, call, path.clone())).await,
        (Target::Root, _) => Box::pin(list::collections(app, call)).await,
        (Target::Reserved(name), _) if name == SESSION && app.takes_credentials() => {
            auth::session(app, call)
        }
        (Target::Reserved(name), _) if name == "batch" => {
            Box::pin(batch::batch(app, call, content)).await
        }
        (Target::Reserved(name), _) if name == OPENAPI => Box::pin(openapi::page(app, call)).await,
        (Target::Reserved(name), _) if let Some(pattern) = violations::pattern(name) => {
            violations::page(app, call, &pattern)
        }
        (Target::Reserved(name), _) => pages::page(app, call, name),
        (Target::Moved(_), _) => pages::refusal(app, call),
    }
}
