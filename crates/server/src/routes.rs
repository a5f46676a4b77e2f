//! All routes. What a target names is decided by its shape ([`Target`]); the handlers
//! load what it names, ask [`matchbook_core::decide`], and do what that says.

use std::sync::Arc;

use http::Response;
use matchbook_core::name::Target;
use matchbook_core::request::Method;
use matchbook_store::Store;

use crate::app::{App, Call};
use crate::body::Body;
use crate::content::Content;
use crate::{create, document, list, pages, write};

pub(crate) async fn route<S: Store>(
    app: &Arc<App<S>>,
    call: &Call<'_>,
    content: &mut Content,
    target: Target,
) -> Response<Body> {
    // A malformed request names nothing; any page refuses it.
    if call.facts.fault.is_some() || call.facts.moved.is_some() {
        return pages::refusal(app, call);
    }
    match (target, call.facts.method) {
        (Target::Document(path), Method::Put | Method::Patch | Method::Delete) => {
            write::write(app, call, content, &path).await
        }
        (Target::Document(path), _) => document::read(app, call, &path).await,
        (Target::Collection(path), Method::Post) => create::create(app, call, content, &path).await,
        (Target::Collection(path), _) => list::list(app, call, path).await,
        (Target::Root, _) => list::collections(app, call).await,
        (Target::Reserved(name), _) => pages::page(app, call, &name),
        (Target::Moved(_), _) => pages::refusal(app, call),
    }
}
