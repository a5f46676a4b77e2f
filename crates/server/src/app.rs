//! The server without its connections: a store, a policy, and what they answer.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, Uri, Version, header};
use hyper::body::Body as _;
use matchbook_access::{Kind, Principal};
use matchbook_core::clock::Timestamp;
use matchbook_core::decide::{
    Availability, Circumstances, Credentials, Decision, Policy, Progress, Resource, decide,
};
use matchbook_core::feed::EndReason;
use matchbook_core::name::{DocumentPath, Target};
use matchbook_core::request::{self, Head, Method};
use matchbook_store::{Quota, Store};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::answer;
use crate::auth::{self, Authenticated, Authenticator};
use crate::body::Body;
use crate::collections::Rules;
use crate::collections::indexes::Indexing;
use crate::collections::violations::Unchecked;
use crate::connection::{FramingDoubt, Open, OpenBody, Peer};
use crate::content::Content;
use crate::cors::Cors;
use crate::document;
use crate::feed::Hub;
use crate::metrics::Metrics;
use crate::operations::Operations;
use crate::rate::{Charge, Rate};
use crate::receipts::Turns;
use crate::request_id::{request_id, set_request_id};
use crate::rights::Asker;
use crate::routes;
use crate::setup::{Change, Given, InForce, LoadError, PolicyFiles, Setup};

/// A store and how to answer for it.
#[derive(Debug)]
pub struct App<S> {
    pub(crate) store: S,
    pub(crate) policy: Policy,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) turns: Turns,
    pub(crate) operations: Operations,
    pub(crate) in_force: InForce,
    pub(crate) indexing: Indexing,
    pub(crate) unchecked: Unchecked,
    pub(crate) rate: Option<Rate>,
    cors: Cors,
    authenticator: Option<Arc<Authenticator>>,
    policies: PolicyFiles,
    log_requests: bool,
    draining: AtomicBool,
}

/// A request on its way through the handlers.
pub(crate) struct Call<'a> {
    pub(crate) facts: request::Request<'a>,
    pub(crate) target: Target,
    pub(crate) circumstances: Circumstances,
    pub(crate) caller: Caller<'a>,
    /// The caller under the policies in force; `None` where there are none.
    pub(crate) asker: Option<Asker>,
    /// How often rights had changed then.
    pub(crate) changes: u64,
    /// What the facts were read from.
    pub(crate) parts: &'a Parts,
    /// What holds for the collection, where something is written to one that has settings.
    pub(crate) rules: Option<Arc<Rules>>,
    /// Its content is JSON that was accepted already, as a part of a batch.
    pub(crate) is_checked: bool,
    /// What it has cost, where there is a limit.
    pub(crate) charge: Option<Charge>,
    pub(crate) id: Uuid,
}

/// Who asks.
#[derive(Clone)]
pub(crate) struct Caller<'a> {
    pub(crate) principal: Arc<Principal>,
    /// The token in `Authorization`. It is never logged.
    pub(crate) bearer: Option<&'a str>,
    /// The token may be good, by a key that is not here yet.
    lacks_key: bool,
}

impl Caller<'_> {
    /// Who it is, for the log of changes.
    pub(crate) fn name(&self) -> Option<Arc<str>> {
        (self.principal.kind != Kind::Anonymous).then(|| Arc::clone(&self.principal.id))
    }

    /// Where the caller's idempotency keys are: each has its own, and an API key may be
    /// called like a user.
    pub(crate) fn space(&self) -> String {
        let id = &self.principal.id;
        match self.principal.kind {
            Kind::Anonymous => String::new(),
            Kind::User => format!("user {id}"),
            Kind::Key => format!("key {id}"),
        }
    }
}

impl Call<'_> {
    /// The policy that decides.
    pub(crate) fn policy<'p, S>(&'p self, app: &'p App<S>) -> &'p Policy {
        self.rules
            .as_ref()
            .map_or(&app.policy, |rules| &rules.policy)
    }

    /// What the collection of a document that is written may hold.
    pub(crate) fn quota(&self, path: &DocumentPath) -> Option<Quota> {
        self.rules.as_ref()?.quota(path.collection())
    }

    /// Decides, by what is known of the caller and of the server.
    pub(crate) fn decide<S>(
        &self,
        app: &App<S>,
        resource: &Resource<'_>,
        progress: &Progress,
    ) -> Decision {
        self.decide_in(app, &self.circumstances, resource, progress)
    }

    /// Decides where more is known of the circumstances.
    pub(crate) fn decide_in<S>(
        &self,
        app: &App<S>,
        circumstances: &Circumstances,
        resource: &Resource<'_>,
        progress: &Progress,
    ) -> Decision {
        decide(
            &self.facts,
            circumstances,
            resource,
            self.policy(app),
            progress,
        )
    }

    /// The canonical path that was asked for.
    pub(crate) fn path(&self) -> String {
        match &self.target {
            Target::Document(path) => path.to_string(),
            Target::Collection(path) => path.to_string(),
            Target::Root => "/".to_owned(),
            Target::Reserved(name) => format!("/_/{name}"),
            Target::Moved(path) => path.clone(),
        }
    }
}

impl<S: Store> App<S> {
    /// A server of `store` under `policy`.
    ///
    /// `metrics` is shared with whoever watches the store; `log_requests` writes a line
    /// about each request.
    pub fn new(
        store: S,
        policy: Policy,
        metrics: Arc<Metrics>,
        operations: Operations,
        log_requests: bool,
    ) -> Self {
        Self {
            store,
            cors: Cors::new(&policy.origins),
            policy,
            metrics,
            hub: Arc::new(Hub::new()),
            authenticator: None,
            turns: Turns::default(),
            operations,
            in_force: InForce::default(),
            indexing: Indexing::default(),
            unchecked: Unchecked::default(),
            policies: PolicyFiles::default(),
            rate: None,
            log_requests,
            draining: AtomicBool::new(false),
        }
    }

    /// From now on, requests need credentials, and what they permit the policies say. Comes
    /// before [`App::load`].
    #[must_use]
    pub fn with_authentication(
        mut self,
        authenticator: Arc<Authenticator>,
        policies: PolicyFiles,
    ) -> Self {
        self.policy.open = false;
        self.authenticator = Some(authenticator);
        self.policies = policies;
        self
    }

    pub(crate) const fn takes_credentials(&self) -> bool {
        self.authenticator.is_some()
    }

    /// Reads what the server is told by documents of its own, and ends the streams of those
    /// who may see something else from now on; to be called before the first request.
    ///
    /// # Errors
    /// [`LoadError`]; what held before still does.
    pub async fn load(&self) -> Result<(), LoadError> {
        let change = self.in_force.load(&self.store, &self.given()).await?;
        if change == Change::Rights {
            self.hub.give_up(EndReason::Policy);
        }
        Ok(())
    }

    /// What no document can say.
    pub(crate) fn given(&self) -> Given<'_> {
        Given {
            policy: &self.policy,
            policies: &self.policies,
            authenticates: self.takes_credentials(),
        }
    }

    /// The store.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// From now on, new requests are turned away.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Relaxed);
        self.hub.end(EndReason::Draining);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Answers a read of a document that is in memory. For all else, says what the request
    /// has cost, if it was counted.
    pub(crate) fn answer_now(
        &self,
        parts: &Parts,
        peer: Peer,
    ) -> Result<Response<Body>, Option<Charge>> {
        if !matches!(parts.method, http::Method::GET | http::Method::HEAD) || self.is_draining() {
            return Err(None);
        }
        let begun = Instant::now();
        let call = self.call(parts, peer, None, None);
        let Some(response) = self.read_now(&call) else {
            return Err(call.charge);
        };
        let response = self.complete(parts, &call, response, false);
        self.tell(parts, peer, &call, response.status(), begun.elapsed());
        Ok(response)
    }

    fn read_now(&self, call: &Call<'_>) -> Option<Response<Body>> {
        let facts = &call.facts;
        let Target::Document(path) = &call.target else {
            return None;
        };
        if call.caller.lacks_key {
            return None;
        }
        if facts.fault.is_some() || facts.moved.is_some() || facts.feed.is_some() {
            return None;
        }
        document::read_now(self, call, path)
    }

    /// Answers one request. Never fails: the error is what the HTTP library asks for.
    /// `charge` is what it has cost already.
    ///
    /// What is done before and after the wait is done in functions of their own, since
    /// whatever stands in this one makes the future of each request larger.
    pub(crate) async fn answer(
        self: Arc<Self>,
        parts: Parts,
        mut content: Content,
        peer: Peer,
        doubt: Option<FramingDoubt>,
        charge: Option<Charge>,
        open: Open,
    ) -> io::Result<Response<OpenBody>> {
        let begun = Instant::now();
        let mut call = self.call(&parts, peer, doubt, charge);
        if call.caller.lacks_key {
            Box::pin(self.authenticate_again(peer, &mut call)).await;
        }
        let response = routes::route(&self, &call, &mut content).await;
        let closes = parts.version < Version::HTTP_2
            && (doubt.is_some()
                || self.is_draining()
                || !(content.is_settled() || Box::pin(content.settle(&call.facts)).await));
        let body = self.complete(&parts, &call, response, closes);
        self.tell(&parts, peer, &call, body.status(), begun.elapsed());
        Ok(body.map(|body| OpenBody { body, open }))
    }

    /// What is known of a request when its header section is here.
    fn call<'a>(
        &self,
        parts: &'a Parts,
        peer: Peer,
        doubt: Option<FramingDoubt>,
        charge: Option<Charge>,
    ) -> Call<'a> {
        let (facts, target) = request::Request::read(Head {
            method: &parts.method,
            uri: &parts.uri,
            version: parts.version,
            headers: &parts.headers,
            framing_fault: doubt.map(FramingDoubt::detail),
            secure: peer.secure,
        });
        let availability = if self.is_draining() {
            Availability::Draining
        } else {
            Availability::Open
        };
        let mut call = Call {
            is_checked: false,
            rules: None,
            asker: None,
            changes: 0,
            facts,
            target,
            parts,
            circumstances: Circumstances {
                availability,
                ..Circumstances::CLEAR
            },
            caller: Caller {
                principal: auth::anonymous(),
                bearer: None,
                lacks_key: false,
            },
            charge,
            id: request_id(now()),
        };
        let is_read = matches!(call.facts.method, Method::Get | Method::Head);
        if !is_read || self.takes_credentials() {
            let setup = self.in_force.current();
            if !is_read {
                call.rules = setup.rules(&call.target);
            }
            self.authenticate(&setup, peer, &mut call);
        }
        self.charge(&mut call, peer);
        call
    }

    fn authenticate(&self, setup: &Setup, peer: Peer, call: &mut Call<'_>) {
        let Some(authenticator) = &self.authenticator else {
            return;
        };
        let sent = auth::sent(&call.parts.headers, &call.facts);
        call.caller.bearer = sent.bearer();
        let is_known = || authenticator.knows(sent, &setup.keys, now().as_secs());
        if sent.is_a_guess()
            && let Some(unread) = self.let_guesses_wait(call, peer, is_known)
        {
            call.circumstances.credentials = unread;
            return;
        }
        let Authenticated {
            credentials,
            principal,
            lacks_key,
        } = authenticator.authenticate(sent, &setup.keys, now().as_secs());
        call.circumstances.credentials = match credentials {
            Credentials::Missing if auth::is_public(&call.target, call.facts.method) => {
                Credentials::Good
            }
            credentials => credentials,
        };
        call.changes = setup.changes;
        call.asker = setup.rights.as_ref().map(|rights| rights.asker(&principal));
        call.caller.principal = principal;
        call.caller.lacks_key = lacks_key;
    }

    /// Once more, when the keys were fetched anew: issuers change them.
    async fn authenticate_again(&self, peer: Peer, call: &mut Call<'_>) {
        if let Some(authenticator) = &self.authenticator {
            authenticator.renew_keys().await;
            self.authenticate(&self.in_force.current(), peer, call);
        }
    }

    /// Adds what all answers have alike.
    fn complete(
        &self,
        parts: &Parts,
        call: &Call<'_>,
        mut response: Response<Body>,
        closes: bool,
    ) -> Response<Body> {
        if call.facts.method == Method::Head {
            response = without_content(response);
        }
        let fields = response.headers_mut();
        set_request_id(fields, call.id);
        if closes {
            fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if self.takes_credentials() {
            answer::keep_private(fields);
        }
        self.tell_rate(fields, call, None);
        let origin = call.facts.origin.as_ref();
        let allowed = origin.and_then(|origin| self.cors.allows(origin.as_str()));
        let preflight = allowed.is_some()
            && parts
                .headers
                .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        self.cors.add(fields, allowed, preflight);
        response
    }

    /// Counts the answer, and logs it if that was asked for.
    fn tell(&self, parts: &Parts, peer: Peer, call: &Call<'_>, status: StatusCode, took: Duration) {
        self.metrics.answered(call.facts.method, status, took);
        if self.log_requests {
            tracing::info!(
                target: "matchbook::access",
                client = %peer.address,
                method = %parts.method,
                target = %Logged(&parts.uri),
                status = status.as_u16(),
                took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
                request_id = %call.id,
            );
        }
    }
}

/// A target as it is logged. RFC 6750 §2.3 allows a token in the query, where it has no
/// meaning here; who sends one all the same should not find it in a log.
struct Logged<'a>(&'a Uri);

impl fmt::Display for Logged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.query() {
            Some(query) if query.contains("access_token") => {
                write!(f, "{}?access_token=…", self.0.path())
            }
            _ => self.0.fmt(f),
        }
    }
}

/// What HEAD gets in place of GET's answer (RFC 9110 §9.3.2).
fn without_content(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let body = match body {
        // Of unknown length, so that none is announced.
        Body::Stream(_) | Body::Events(_) => Body::Stream(mpsc::channel(1).1),
        body => {
            if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
                parts.headers.insert(header::CONTENT_LENGTH, length.into());
            }
            Body::Empty
        }
    };
    Response::from_parts(parts, body)
}

/// The clock, as documents are stamped.
pub(crate) fn now() -> Timestamp {
    #[cfg(feature = "testing")]
    if let Some(now) = crate::inside::now() {
        return now;
    }
    Timestamp::from(SystemTime::now())
}
