//! The changes since a cursor, as JSON (contract §7, catch-up and long poll).

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use matchbook_core::feed::{Cursor, ResetReason};
use matchbook_core::problem::{Kind, Problem};
use matchbook_core::query::{FeedQuery, next_changes_query};
use matchbook_core::request::{FeedForm, Method};
use matchbook_core::tag::Version;
use matchbook_store::{Changes, ChangesError, Store};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::channel::{Subscription, Taken};
use super::spec::Spec;
use super::unbuffered;
use super::writes::{Known, entries_into};
use crate::answer;
use crate::app::{App, Call};
use crate::body::Body;
use crate::document::unreadable;
use crate::representation::value;
use crate::write::failed;

/// Entries of the log that are read at a time, for lines.
const PIECE: usize = 1_024;

/// Pieces that wait for a slow reader.
const PIECES_AHEAD: usize = 1;

/// Longest wait: what lies between often waits no longer than a minute.
const WAIT_SECS: u32 = 55;

/// A page.
pub(super) async fn page<S: Store>(
    app: &Arc<App<S>>,
    call: &Call<'_>,
    query: &FeedQuery,
    spec: Arc<Spec>,
) -> Response<Body> {
    let result = match since(app, query, &spec) {
        Ok(since) => page_since(app, call, query, &spec, since).await,
        Err(problem) => Err(problem),
    };
    result.unwrap_or_else(|problem| failed(app, call, problem))
}

async fn page_since<S: Store>(
    app: &Arc<App<S>>,
    call: &Call<'_>,
    query: &FeedQuery,
    spec: &Arc<Spec>,
    since: Version,
) -> Result<Response<Body>, Problem> {
    let wait_secs = call.facts.prefer.wait_secs.map(|secs| secs.min(WAIT_SECS));
    let refused = |error| untold(call, error);
    let mut page = Page::read(app, spec, since, query.limit)
        .await
        .map_err(refused)?;
    if let Some(secs) = wait_secs.filter(|_| page.count == 0 && call.facts.method == Method::Get) {
        let until = Instant::now() + Duration::from_secs(secs.into());
        page = page
            .or_later(app, spec, query.limit, until)
            .await
            .map_err(refused)?;
    }
    let cursor = spec.cursor(page.position).to_string();
    let mut response = if page.count == 0 && wait_secs.is_some() {
        answer::empty(StatusCode::NO_CONTENT)
    } else {
        unbuffered(FeedForm::Json, Body::from(Bytes::from(page.text(&cursor))))
    };
    let path = call.path();
    let next = next_changes_query(call.facts.query, &cursor);
    let fields = response.headers_mut();
    fields.insert(
        header::LINK,
        value(format!("<{path}?{next}>; rel=\"next\"")),
    );
    if let Some(secs) = wait_secs {
        let applied = HeaderValue::try_from(format!("wait={secs}"));
        fields.extend(applied.map(|applied| (answer::PREFERENCE_APPLIED, applied)));
    }
    Ok(response)
}

/// The cursor to go on after; without one, from now on.
fn since<S: Store>(app: &App<S>, query: &FeedQuery, spec: &Spec) -> Result<Version, Problem> {
    let Some(text) = &query.since else {
        return Ok(app.store.status().applied);
    };
    let cursor: Cursor = text.parse().map_err(|_| gone(ResetReason::Malformed))?;
    match cursor.snapshot {
        Some(_) => Err(gone(ResetReason::Snapshot)),
        None if cursor.view != spec.sight.view() => Err(gone(ResetReason::View)),
        None => Ok(cursor.at),
    }
}

fn gone(reason: ResetReason) -> Problem {
    Kind::CursorGone.because(match reason {
        ResetReason::Malformed => "the cursor is none that this server gave out",
        ResetReason::Foreign => "the cursor is of another history than the data's, or lies ahead",
        ResetReason::TooOld => "the log no longer reaches back to the cursor",
        ResetReason::View => "what you may read has changed since the cursor was given out",
        ResetReason::Snapshot => {
            "the cursor is of a snapshot that was not read to its end: only an event stream goes on with it"
        }
    })
}

fn untold(call: &Call<'_>, error: ChangesError) -> Problem {
    match error {
        ChangesError::Compacted => gone(ResetReason::TooOld),
        ChangesError::OtherHistory => gone(ResetReason::Foreign),
        ChangesError::Read(error) => unreadable(call, &error),
    }
}

/// A page while it is read.
struct Page {
    text: String,
    count: usize,
    position: Version,
    more: bool,
}

impl Page {
    async fn read<S: Store>(
        app: &App<S>,
        spec: &Spec,
        since: Version,
        limit: usize,
    ) -> Result<Self, ChangesError> {
        let mut page = Self {
            text: String::from("{\"changes\":["),
            count: 0,
            position: since,
            more: true,
        };
        while page.more && page.count < limit {
            let left = limit - page.count;
            let changes = app.store.changes(page.position, &spec.scope, left).await?;
            let count = write_piece(app, spec, &changes, &mut page.text, |text| {
                if !text.ends_with('[') {
                    text.push(',');
                }
            });
            page.count += count.await?;
            (page.position, page.more) = (changes.position, changes.more);
        }
        Ok(page)
    }

    /// This page, or the next one that holds something, or the last empty one before the
    /// time is up.
    async fn or_later<S: Store>(
        mut self,
        app: &Arc<App<S>>,
        spec: &Arc<Spec>,
        limit: usize,
        until: Instant,
    ) -> Result<Self, ChangesError> {
        let mut subscription = app.hub.join(spec, || self.position);
        loop {
            if subscription.attach(self.position) {
                if timeout_at(until, news(&mut subscription)).await != Ok(News::Changes) {
                    return Ok(self);
                }
            } else if Instant::now() >= until {
                return Ok(self);
            }
            if !spec.is_current(app.in_force.changes()) {
                return Ok(self);
            }
            self = Self::read(app, spec, self.position, limit).await?;
            if self.count > 0 {
                return Ok(self);
            }
        }
    }

    fn text(mut self, cursor: &str) -> String {
        let more = self.more;
        let end = format!("],\"cursor\":\"{cursor}\",\"more\":{more}}}\n");
        self.text.push_str(&end);
        self.text
    }
}

#[derive(PartialEq, Eq)]
enum News {
    Changes,
    End,
}

/// Waits until there are changes. What they are is read from the log.
async fn news(subscription: &mut Subscription) -> News {
    loop {
        match poll_fn(|context| subscription.poll_take(context)).await {
            // A heartbeat is no news.
            Taken::Frame {
                is_changes: false, ..
            } => {}
            Taken::Frame { .. } | Taken::Lost => return News::Changes,
            Taken::End(_) => return News::End,
        }
    }
}

/// Writes what a piece of the log means; returns how many changes that were.
async fn write_piece<S: Store>(
    app: &App<S>,
    spec: &Spec,
    changes: &Changes,
    text: &mut String,
    separate: impl Fn(&mut String),
) -> Result<usize, ChangesError> {
    let mut count = 0;
    for batch in changes
        .entries
        .chunk_by(|one, other| one.operation == other.operation)
    {
        let mut known = Vec::with_capacity(batch.len());
        for entry in batch {
            let write = Known::of(&app.store, Arc::clone(entry), |write| {
                spec.needs_before(write)
            });
            known.push(write.await?);
        }
        count += entries_into(text, known.iter(), spec, &separate);
    }
    Ok(count)
}

/// All changes since the cursor, one a line.
pub(super) async fn lines<S: Store>(
    app: &Arc<App<S>>,
    call: &Call<'_>,
    query: &FeedQuery,
    spec: Arc<Spec>,
) -> Response<Body> {
    let first = match since(app, query, &spec) {
        Ok(since) => {
            let first = app.store.changes(since, &spec.scope, PIECE).await;
            first.map_err(|error| untold(call, error))
        }
        Err(problem) => Err(problem),
    };
    let first = match first {
        Ok(first) => first,
        Err(problem) => return failed(app, call, problem),
    };
    let (pieces, body) = mpsc::channel(PIECES_AHEAD);
    if call.facts.method == Method::Get {
        let app = Arc::clone(app);
        tokio::spawn(async move {
            if let Err(error) = send_lines(&app, &spec, first, &pieces).await {
                tracing::error!(%error, "a catch-up broke off");
                // The client is gone if this fails.
                let _ = pieces.send(Err(io::Error::other(error))).await;
            }
        });
    }
    unbuffered(FeedForm::NdJson, Body::Stream(body))
}

async fn send_lines<S: Store>(
    app: &App<S>,
    spec: &Spec,
    mut changes: Changes,
    pieces: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), ChangesError> {
    loop {
        let mut text = String::new();
        let end_of_line = |text: &mut String| {
            if !text.is_empty() {
                text.push('\n');
            }
        };
        // The next piece is read while this one is written and sent.
        let next = async {
            match changes.more {
                true => app
                    .store
                    .changes(changes.position, &spec.scope, PIECE)
                    .await
                    .map(Some),
                false => Ok(None),
            }
        };
        let this = async {
            let count = write_piece(app, spec, &changes, &mut text, end_of_line).await?;
            if count > 0 {
                text.push('\n');
            }
            if !changes.more {
                text.push_str(&format!(
                    "{{\"cursor\":\"{}\"}}\n",
                    spec.cursor(changes.position)
                ));
            }
            let sent = text.is_empty() || pieces.send(Ok(Bytes::from(text))).await.is_ok();
            Ok::<_, ChangesError>(sent)
        };
        let (next, sent) = tokio::join!(next, this);
        // Looked at after the last piece too: lines without the cursor must not seem whole.
        let sent = sent?;
        let is_current = spec.is_current(app.in_force.changes());
        match next? {
            Some(next) if sent && is_current => changes = next,
            _ => return Ok(()),
        }
    }
}
