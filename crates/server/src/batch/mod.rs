//! Several writes at once (contract §8).
//!
//! Each request of a batch is decided and evaluated as if it had come alone, against what
//! its predecessors made, and all that they want to write is one commit: it applies as a
//! whole, with one sync, and its events are told together. If another write came between,
//! nothing was applied, and the batch begins again.

mod parse;
mod work;

use std::collections::HashMap;

use bytes::Bytes;
use http::Response;
use matchbook_core::decide::{Circumstances, Decision, Progress, Resource};
use matchbook_core::field::media_type::MediaType;
use matchbook_core::json::text::quote_into;
use matchbook_core::limits::BATCH_BYTES;
use matchbook_core::name::Target;
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::tag::Version;
use matchbook_store::{self as store, Store};

use crate::answer;
use crate::app::{App, Call, now};
use crate::body::Body;
use crate::content::Content;
use crate::document::unreadable;
use crate::rate::Standing;
use crate::receipts::{self, Claim, Kept, Whole};
use crate::write::{ATTEMPTS, Attempt, Committed, commit_batch, failed, refused};
use parse::{Batch as Parsed, Item, parse};
use work::{Done, Read, Work};

/// Requests whose documents are read at a time: to ask for each takes longer than to read
/// it.
const AHEAD: usize = 64;

/// What these documents have together; those that do not fit are read when their turn has
/// come.
const AHEAD_BYTES: usize = 8 * 1_024 * 1_024;

/// Fields that say how the whole answer is to be treated, and mean nothing within it.
const OUTER: [&str; 4] = [
    "cache-control",
    "content-disposition",
    "content-security-policy",
    "x-content-type-options",
];

pub(crate) async fn batch<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
) -> Response<Body> {
    let claim = match receipts::claim(app, call, BATCH_BYTES).await {
        Ok(claim) => claim,
        Err(problem) => return answer::refuse(call, &problem),
    };
    let mut course = Course::default();
    let mut response = until_done(app, call, content, claim.as_ref(), &mut course).await;
    app.tell_rate(response.headers_mut(), call, course.charged);
    response
}

/// What holds from one attempt to the next.
#[derive(Default)]
struct Course {
    /// How the caller stands, once the requests were counted.
    charged: Option<Standing>,
    /// The problems of requests that other documents have not let be.
    taken: HashMap<usize, Problem>,
}

async fn until_done<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    claim: Option<&Claim<'_>>,
    course: &mut Course,
) -> Response<Body> {
    for _ in 0..ATTEMPTS {
        match once(app, call, content, claim, course).await {
            Ok(Attempt::Done(response)) => return response,
            Ok(Attempt::Overtaken) => {}
            Err(problem) => return failed(app, call, problem),
        }
    }
    let problem = Kind::Unavailable.because("too many writes to these documents: try again");
    failed(app, call, problem)
}

async fn once<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    claim: Option<&Claim<'_>>,
    course: &mut Course,
) -> Result<Attempt, Problem> {
    let resource = Resource::Batch;
    let caller = call.at_parts();
    if let Some(first) = receipts::first(app, call, &caller, content, claim, &resource).await {
        return Ok(Attempt::Done(first));
    }
    if let Decision::Answer(answer) = call.decide_in(app, &caller, &resource, &Progress::Asked) {
        return Ok(Attempt::Done(answer::simple(call, &answer)));
    }
    let sent = content.read(call, BATCH_BYTES).await?;
    let batch = parse(&sent, &call.parts.headers, app.most_in_a_batch())?;
    if course.charged.is_none() {
        course.charged = app.charge_batch(call, batch.items.len());
        let wait_secs = course.charged.and_then(|standing| standing.wait_secs);
        let circumstances = Circumstances {
            wait_secs,
            ..call.circumstances
        };
        let decision = call.decide_in(app, &circumstances, &resource, &Progress::Asked);
        if let Decision::Answer(answer) = decision {
            return Ok(Attempt::Done(answer::simple(call, &answer)));
        }
    }
    let mut work = Work::new(app, call, now());
    let mut read = read_ahead(app, call, &batch.items).await?;
    let mut rest = batch.items.as_slice();
    while !rest.is_empty() {
        let (some, later) = rest.split_at(AHEAD.min(rest.len()));
        work.read(read);
        // The store reads what comes next while this is done: it is asked first.
        let (next, end) = tokio::join!(
            read_ahead(app, call, later),
            take_some(&mut work, some, &batch, course)
        );
        if let Some(response) = end {
            if work.is_overtaken().await {
                return Ok(Attempt::Overtaken);
            }
            return Ok(refused(app, call, content, claim, response).await);
        }
        (read, rest) = (next?, later);
    }
    let done = work.end(batch.atomic);
    commit(app, call, content, claim, done, &mut course.taken).await
}

/// The documents that the first of these requests are about.
async fn read_ahead<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    items: &[Item],
) -> Result<Read, Problem> {
    let targets = items.iter().take(AHEAD);
    let targets = targets.filter_map(|item| match Target::parse(item.parts.uri.path()) {
        Ok(Target::Document(path)) => Some(path),
        _ => None,
    });
    let paths: Vec<_> = targets.collect();
    if paths.is_empty() {
        return Ok(Read::new());
    }
    let read = app.store.load_all(paths.clone(), AHEAD_BYTES).await;
    let read = read.map_err(|error| unreadable(call, &error))?;
    Ok(paths.into_iter().zip(read).collect())
}

/// Does some of the requests; what ends the batch, if one of them does.
async fn take_some<S: Store>(
    work: &mut Work<'_, S>,
    some: &[Item],
    batch: &Parsed,
    course: &Course,
) -> Option<Response<Body>> {
    for item in some {
        let response = match course.taken.get(&item.index) {
            Some(problem) => Some(work.failed(problem.clone())),
            None => work.take(item).await,
        };
        match response {
            Some(response) if batch.atomic => {
                return Some(with_index(unmoved(work.outer(), response), item.index));
            }
            Some(response) => work.refuse(Kept::of(response)),
            None => {}
        }
    }
    None
}

async fn commit<S: Store>(
    app: &App<S>,
    call: &Call<'_>,
    content: &mut Content,
    claim: Option<&Claim<'_>>,
    done: Done,
    taken: &mut HashMap<usize, Problem>,
) -> Result<Attempt, Problem> {
    let Done {
        batch,
        answers: items,
        requests,
    } = done;
    let receipt = match claim {
        Some(claim) => Some(
            claim
                .receipt(call, content, Whole::Each(items.clone()))
                .await?,
        ),
        None => None,
    };
    let batch = store::Batch { receipt, ..batch };
    Ok(match commit_batch(app, call, batch).await? {
        Committed::As(versions) => Attempt::Done(answered(&items, &versions)),
        Committed::Overtaken => Attempt::Overtaken,
        Committed::Taken(problems) => {
            let problems = problems.into_iter();
            taken.extend(problems.filter_map(|(write, problem)| {
                let request = requests.get(write)?;
                Some((*request, problem))
            }));
            Attempt::Overtaken
        }
    })
}

/// A redirection of one request must not look like one of the batch: a client would follow
/// it, and send all of it there.
fn unmoved(call: &Call<'_>, response: Response<Body>) -> Response<Body> {
    if !response.status().is_redirection() {
        return response;
    }
    let problem = Kind::BadTarget.because("the path has a slash too many at its end");
    answer::refuse(call, &problem)
}

/// The problem of the request that failed, with its place.
fn with_index(response: Response<Body>, index: usize) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let body = body.whole().unwrap_or_default();
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let open = text.trim_end().strip_suffix('}').unwrap_or(text);
    let text = format!("{open},\"failed\":{index}}}");
    Response::from_parts(parts, Body::from(Bytes::from(text)))
}

/// An answer for each request.
pub(crate) fn answered(items: &[Kept], versions: &[Version]) -> Response<Body> {
    let mut text = String::from("{\"responses\":[");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        answer_into(&mut text, item, versions);
    }
    text.push_str("]}\n");
    answer::page("application/json", Bytes::from(text))
}

fn answer_into(text: &mut String, item: &Kept, versions: &[Version]) {
    text.push_str("{\"status\":");
    text.push_str(&item.status().to_string());
    text.push_str(",\"headers\":{");
    let tag = item.tag(versions);
    let tag = tag.as_ref().map(|(name, value)| (*name, value.as_str()));
    let fields = item.fields().iter();
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_str()));
    let shown = fields.filter(|(name, _)| !OUTER.contains(name));
    let mut is_json = false;
    for (index, (name, value)) in tag.into_iter().chain(shown).enumerate() {
        if index > 0 {
            text.push(',');
        }
        quote_into(text, name);
        text.push(':');
        quote_into(text, value);
        is_json |= name == "content-type"
            && MediaType::read(value).is_some_and(|content_type| content_type.is_json());
    }
    text.push('}');
    if let Ok(body) = std::str::from_utf8(item.body())
        && !body.is_empty()
    {
        text.push_str(",\"body\":");
        if is_json {
            text.push_str(body.trim_end());
        } else {
            quote_into(text, body);
        }
    }
    text.push('}');
}
