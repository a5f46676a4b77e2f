//! Requests that may be repeated (contract §5.2): the answer to a request with an
//! `Idempotency-Key` is committed together with its effect, as a receipt, and a repeat gets
//! that answer. Whoever finds no receipt knows that nothing was done.

mod kept;
mod sweep;
mod turns;

use http::Response;
use matchbook_core::decide::{Answer, Circumstances, Decision, Progress, Repeat, Resource};
use matchbook_core::name::DocumentPath;
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::tag::{Revision, Version};
use matchbook_store::{Batch, Receipt, Store};
use ring::digest;

use crate::answer;
use crate::app::{App, Call, now};
use crate::batch;
use crate::body::Body;
use crate::content::Content;
use crate::document::unreadable;
use crate::write::{Committed, commit_batch};
use kept::Record;
pub(crate) use kept::{Kept, Named, Whole};
pub use sweep::{sweep, sweep_before};
pub(crate) use turns::Turns;

/// What has to be the same in a repeat, beside method, target and content.
const FIELDS: [&str; 5] = [
    "content-type",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "prefer",
];

/// A request with a key, whose turn it is.
pub(crate) struct Claim<'a> {
    name: DocumentPath,
    /// The largest content that is looked at.
    max_bytes: usize,
    _turn: turns::Turn<'a>,
}

/// Waits for the turn of a request; `None` if it has no key.
pub(crate) async fn claim<'a, S: Store>(
    app: &'a App<S>,
    call: &Call<'_>,
    max_bytes: usize,
) -> Result<Option<Claim<'a>>, Problem> {
    let Some(key) = call.facts.idempotency_key else {
        return Ok(None);
    };
    let internal = |_| Kind::Internal.because("a receipt cannot be named");
    let name = DocumentPath::receipt(&hash([call.caller.space().as_bytes(), key.as_bytes()]));
    let name = name.map_err(internal)?;
    Ok(Some(Claim {
        _turn: app.turns.take(&name).await,
        name,
        max_bytes,
    }))
}

/// The first answer to a request that is a repeat.
pub(crate) async fn first<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    caller: &Circumstances,
    content: &mut Content,
    claim: Option<&Claim<'_>>,
    resource: &Resource<'_>,
) -> Option<Response<Body>> {
    let replayed = claim?.replay(app, call, caller, content, resource).await?;
    Some(match replayed {
        Ok((Whole::One(kept), versions)) if caller.reads => kept.response(&versions),
        // They could read it when it was answered first, and may no longer.
        Ok((Whole::One(kept), versions)) => kept.without_content().response(&versions),
        Ok((Whole::Each(items), versions)) => {
            let items = readable(app, call, items).await;
            batch::answered(&items, &versions)
        }
        Err(answer) => answer::simple(call, &answer),
    })
}

/// The answers to the items of a batch, without the representations of documents that the
/// caller may no longer read.
async fn readable<S: Store>(app: &App<S>, call: &Call<'_>, mut items: Vec<Kept>) -> Vec<Kept> {
    if call.asker.is_none() {
        return items;
    }
    for item in &mut items {
        let shown = item.shows().and_then(|path| DocumentPath::parse(path).ok());
        let Some(path) = shown else { continue };
        let reads = match app.store.load(&path, Revision::ZERO).await {
            Ok(document) => call.reads(&path, document.as_ref()),
            Err(_) => false,
        };
        if !reads {
            *item = item.without_content();
        }
    }
    items
}

impl Claim<'_> {
    /// The first answer, if there is one; the error is what is answered in place of it,
    /// where the caller may no longer have it or the request is not the same.
    async fn replay<S: Store>(
        &self,
        app: &App<S>,
        call: &Call<'_>,
        caller: &Circumstances,
        content: &mut Content,
        resource: &Resource<'_>,
    ) -> Option<Result<(Whole, Vec<Version>), Answer>> {
        let receipt = match app.store.load(&self.name, Revision::ZERO).await {
            Ok(receipt) => receipt?,
            Err(error) => return Some(Err(Answer::refusal(unreadable(call, &error)))),
        };
        let Some((record, versions)) = Record::read(&receipt.body) else {
            let problem = Kind::Internal.because("a receipt cannot be read");
            return Some(Err(Answer::Refuse(problem)));
        };
        let decided = |repeat| {
            let circumstances = Circumstances { repeat, ..*caller };
            call.decide_in(app, &circumstances, resource, &Progress::Asked)
        };
        // The content of whom nobody would answer is not read.
        match decided(Repeat::Same) {
            Decision::Answer(Answer::Replay) => {}
            Decision::Answer(answer) => return Some(Err(answer)),
            Decision::Proceed => return None,
        }
        let repeat = match self.fingerprint(call, content).await {
            Ok(fingerprint) if fingerprint == record.fingerprint => Repeat::Same,
            Ok(_) => Repeat::Different,
            Err(problem) => return Some(Err(Answer::refusal(problem))),
        };
        match decided(repeat) {
            Decision::Answer(Answer::Replay) => Some(Ok((record.answer, versions))),
            Decision::Answer(answer) => Some(Err(answer)),
            Decision::Proceed => None,
        }
    }

    /// The receipt of this request, answered so.
    pub(crate) async fn receipt(
        &self,
        call: &Call<'_>,
        content: &mut Content,
        answer: Whole,
    ) -> Result<Receipt, Problem> {
        let fingerprint = self.fingerprint(call, content).await?;
        let record = Record {
            fingerprint,
            answer,
        };
        Ok(Receipt {
            path: self.name.clone(),
            content: record.content(),
        })
    }

    /// Keeps an answer that changes nothing, if it is one that is kept. `None` if another
    /// request with this key was faster.
    pub(crate) async fn keep<S: Store>(
        &self,
        app: &App<S>,
        call: &Call<'_>,
        content: &mut Content,
        answer: &Kept,
    ) -> Option<Result<(), Problem>> {
        let answer = Whole::One(answer.clone());
        let receipt = match self.receipt(call, content, answer).await {
            Ok(receipt) => receipt,
            Err(problem) => return Some(Err(problem)),
        };
        let batch = Batch {
            at: now(),
            principal: call.caller.name(),
            writes: Vec::new(),
            quotas: Vec::new(),
            untouched: Vec::new(),
            receipt: Some(receipt),
        };
        match commit_batch(app, call, batch).await {
            Ok(Committed::As(_)) => Some(Ok(())),
            // With no writes, only the receipt can be in the way.
            Ok(Committed::Overtaken | Committed::Taken(_)) => None,
            Err(problem) => Some(Err(problem)),
        }
    }

    /// What makes a repeat the same request.
    async fn fingerprint(&self, call: &Call<'_>, content: &mut Content) -> Result<String, Problem> {
        let content = content.read(call, self.max_bytes).await?;
        let target = call.parts.uri.path_and_query();
        let mut parts = vec![
            call.parts.method.as_str().as_bytes(),
            target.map_or("", |target| target.as_str()).as_bytes(),
        ];
        for name in FIELDS {
            let lines = call.parts.headers.get_all(name).iter();
            parts.extend(lines.map(http::HeaderValue::as_bytes));
            parts.push(name.as_bytes());
        }
        parts.push(&content);
        Ok(hash(parts))
    }
}

/// SHA-256 of the parts, so that where one ends and the next begins counts.
fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let digest = context.finish();
    let hex = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    hex.collect()
}

/// Whether an answer with this status is kept (contract §5.2): those that a repeat would
/// get in another way once the state has changed.
pub(crate) fn is_kept(status: http::StatusCode) -> bool {
    status.is_success() || matches!(status.as_u16(), 409 | 412 | 422)
}
