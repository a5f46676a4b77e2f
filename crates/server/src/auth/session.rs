//! The session (contract §7.6): a browser's `EventSource` sends no `Authorization`, so a
//! bearer token can be turned into a cookie that scripts cannot read.
//!
//! The cookie holds the token itself: nothing is kept here, and it is good as long as
//! the token. It counts for GET and HEAD only.

use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use matchbook_access::Kind as Principals;
use matchbook_core::decide::{Answer, Decision, Progress, Resource, decide};
use matchbook_core::field::host::Host;
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::request::Method;
use matchbook_store::Store;

use crate::answer;
use crate::app::{App, Call, now};
use crate::body::Body;

/// The name below `/_/`.
pub(crate) const SESSION: &str = "session";

/// The cookie's name: browsers take a name with this prefix only over TLS, for this very
/// host, and for all its paths (RFC 6265bis §4.1.3.2).
pub(super) const HOST_COOKIE: &str = "__Host-matchbook";

/// Its name for a server on the same machine, without TLS.
pub(super) const LOOPBACK_COOKIE: &str = "matchbook-session";

/// Largest cookie, with its attributes, that all browsers keep (RFC 6265 §6.1).
const COOKIE_BYTES: usize = 4_096;

/// POST and DELETE of the session.
pub(crate) fn session<S: Store>(app: &App<S>, call: &Call<'_>) -> Response<Body> {
    let ask = |progress| {
        let resource = &Resource::Session;
        decide(
            &call.facts,
            &call.circumstances,
            resource,
            &app.policy,
            &progress,
        )
    };
    let decision = ask(Progress::Asked);
    if let Decision::Answer(answer) = decision {
        return answer::simple(call, &answer);
    }
    let done_with = Progress::Committed {
        created: false,
        rewritten: false,
    };
    let (cookie, decision) = match cookie(call) {
        Ok(cookie) => (Some(cookie), ask(done_with)),
        Err(problem) => (None, ask(Progress::Failed(problem))),
    };
    match (decision, cookie) {
        (Decision::Answer(Answer::Written(how)), Some(cookie)) => done(how.status(), cookie),
        (Decision::Answer(answer), _) => answer::simple(call, &answer),
        (Decision::Proceed, _) => answer::refuse(call, &Kind::Internal.because("undecided")),
    }
}

fn done(status: StatusCode, cookie: HeaderValue) -> Response<Body> {
    let mut response = answer::empty(status);
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

/// What `Set-Cookie` says.
fn cookie(call: &Call<'_>) -> Result<HeaderValue, Problem> {
    let facts = &call.facts;
    let (token, left_secs) = if facts.method == Method::Delete {
        ("", 0)
    } else {
        let principal = &call.caller.principal;
        let token = call
            .caller
            .bearer
            .filter(|_| principal.kind == Principals::User);
        let token = token
            .ok_or_else(|| Kind::NoSession.because("an API key has no session: send a token"))?;
        let expires_secs = principal.expires_secs.unwrap_or_default();
        (token, expires_secs.saturating_sub(now().as_secs()))
    };
    let is_loopback = facts.host.as_ref().is_some_and(Host::is_loopback);
    // A proxy may speak TLS in place of this server; then the page's origin tells.
    let origin = facts.origin.as_ref().map(|origin| origin.as_str());
    let is_plain =
        is_loopback && !facts.secure && !origin.is_some_and(|origin| origin.starts_with("https:"));
    let (name, secure) = if is_plain {
        (LOOPBACK_COOKIE, "")
    } else {
        (HOST_COOKIE, "; Secure")
    };
    let text =
        format!("{name}={token}; HttpOnly{secure}; SameSite=Strict; Path=/; Max-Age={left_secs}");
    if text.len() > COOKIE_BYTES {
        return Err(Kind::NoSession.because(format!(
            "the cookie would have {} bytes, and browsers keep {COOKIE_BYTES}",
            text.len()
        )));
    }
    HeaderValue::try_from(text)
        .map_err(|_| Kind::NoSession.because("no cookie can hold this token"))
}
