//! Who asks: from the credentials of a request to a [`Principal`] (contract §11).
//!
//! `sent` finds the credentials in the header section; the [`Authenticator`] checks them,
//! by keys that `keys` holds and renews from the URLs where their issuers publish them
//! (`fetch`). `session` turns a token into a cookie and back (§7.6). Whether a caller
//! without credentials is let in, `core::decide` says.

mod authenticator;
mod configure;
mod fetch;
mod keys;
mod sent;
mod session;

use std::sync::{Arc, LazyLock};

use matchbook_access::Principal;
use matchbook_core::name::Target;
use matchbook_core::request::Method;

pub use authenticator::Authenticator;
pub use configure::{ConfigureError, configure};

pub(crate) use authenticator::Authenticated;
pub(crate) use sent::sent;
pub(crate) use session::{SESSION, session};

static ANONYMOUS: LazyLock<Arc<Principal>> = LazyLock::new(|| Arc::new(Principal::anonymous()));

/// Whoever sent no credentials.
pub(crate) fn anonymous() -> Arc<Principal> {
    Arc::clone(&ANONYMOUS)
}

/// What anybody may ask without credentials: whether the server lives, what its refusals
/// mean, and to be forgotten.
pub(crate) fn is_public(target: &Target, method: Method) -> bool {
    let Target::Reserved(name) = target else {
        return false;
    };
    matches!(name.as_str(), "health" | "ready")
        || name.starts_with("problems/")
        || (name == SESSION && method == Method::Delete)
}
