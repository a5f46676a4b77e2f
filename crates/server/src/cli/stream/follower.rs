//! A line to a server that is held: where it is lost, it is come back to.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::response::Parts;
use http::{HeaderName, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;

use super::super::ClientArgs;
use super::super::client::{self, Client};
use super::super::exit::{Exit, Failure};
use super::super::show::{self, Problem};
use super::super::target::Target;
use super::backoff::Backoff;
use super::batch::Batches;
use super::parser::{EVENT_BYTES, Event, Parser};
use super::told::Told;

/// A line on which nothing is heard for so long is dead: a heartbeat comes after 15 s
/// of silence (contract §7), and networks are late.
const DEAD_AFTER: Duration = Duration::from_secs(15 + 10);

/// Failures in a row that a command survives which is to end some time: about 20 s.
const FAILURES: u32 = 5;

const EVENT_STREAM: &str = "text/event-stream";

/// How often a lost line is come back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Until somebody stops the command.
    Endless,
    /// A few times in a row.
    Bounded,
}

/// What is heard.
#[derive(Debug)]
pub(crate) enum News {
    /// Events, of which no batch is cut.
    Events(Vec<Event>),
    /// The line is lost, and will be come back to.
    Lost { why: String, wait: Duration },
}

/// Follows one feed from place to place.
pub(crate) struct Follower {
    client: Client,
    target: Target,
    patience: Patience,
    backoff: Backoff,
    line: Option<Line>,
    /// Where to go on; empty at the beginning.
    cursor: Arc<str>,
    wait: Option<Duration>,
    was_connected: bool,
    /// Something was heard, and nobody has gone back from it yet.
    is_heard: bool,
    event_bytes: usize,
}

/// One answer that has no end.
struct Line {
    body: Incoming,
    parser: Parser,
    batches: Batches,
    /// Where to go on after what was heard.
    place: Arc<str>,
    /// Why there will be no more.
    end: Option<Failure>,
}

/// Why there is no line, but may be one later.
struct Silence(Failure);

/// A target's request for its feed.
///
/// # Errors
/// Wrong usage, if path or cursor cannot stand in a request.
fn ask(target: &Target, cursor: &str) -> Result<Request<Full<Bytes>>, Failure> {
    let mut request = client::request(Method::GET, &target.path)?;
    let fields = request.headers_mut();
    fields.insert(ACCEPT, HeaderValue::from_static(EVENT_STREAM));
    if !cursor.is_empty() {
        let value = HeaderValue::from_str(cursor)
            .map_err(|_| Failure::usage(format!("{cursor:?} is no cursor")))?;
        fields.insert(HeaderName::from_static("last-event-id"), value);
    }
    Ok(request)
}

impl Follower {
    /// Follows the target's feed from a cursor; with an empty one from where the
    /// target's query says.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub(crate) fn new(
        target: Target,
        args: &ClientArgs,
        cursor: &str,
        patience: Patience,
    ) -> Result<Self, Failure> {
        Ok(Self {
            client: Client::new(&target, args)?,
            target,
            patience,
            backoff: Backoff::default(),
            line: None,
            cursor: cursor.into(),
            wait: None,
            was_connected: false,
            is_heard: false,
            event_bytes: EVENT_BYTES,
        })
    }

    /// Waits for what comes next.
    ///
    /// # Errors
    /// Refused; unreachable at the first attempt, or when patience has an end.
    pub(crate) async fn next(&mut self) -> Result<News, Failure> {
        if std::mem::take(&mut self.is_heard) {
            self.backoff.succeed();
        }
        loop {
            if let Some(wait) = self.wait.take() {
                tokio::time::sleep(wait).await;
            }
            let heard = match &mut self.line {
                Some(line) => line.hear().await,
                None => match self.connect().await? {
                    Ok(line) => {
                        self.line = Some(line);
                        self.was_connected = true;
                        continue;
                    }
                    Err(silence) => Err(silence),
                },
            };
            if let Some(line) = &self.line {
                self.cursor = Arc::clone(&line.place);
                if let Some(retry_ms) = line.parser.retry_ms() {
                    self.backoff.obey(Duration::from_millis(retry_ms));
                }
            }
            match heard {
                Ok(events) if events.is_empty() => {}
                Ok(events) => {
                    self.is_heard = true;
                    return Ok(News::Events(events));
                }
                Err(Silence(failure)) => return self.lose(failure),
            }
        }
    }

    /// Gives the line up, to go on later from a cursor: what was heard is of no use yet.
    ///
    /// # Errors
    /// The failure, when patience has come to its end.
    pub(crate) fn go_back(&mut self, cursor: &str, failure: Failure) -> Result<News, Failure> {
        self.is_heard = false;
        self.cursor = cursor.into();
        self.lose(failure)
    }

    fn lose(&mut self, failure: Failure) -> Result<News, Failure> {
        self.line = None;
        let is_over = self.patience == Patience::Bounded && self.backoff.failures() >= FAILURES;
        if !self.was_connected || is_over {
            return Err(failure);
        }
        let wait = self.backoff.fail(fastrand::f64());
        self.wait = Some(wait);
        Ok(News::Lost {
            why: failure.message.unwrap_or_default(),
            wait,
        })
    }

    async fn connect(&mut self) -> Result<Result<Line, Silence>, Failure> {
        let request = ask(&self.target, &self.cursor)?;
        let answer = async { Ok(self.client.connect().await?.send(request).await?) };
        let response: Response<Incoming> = match answer.await {
            Ok(response) => response,
            Err(failure) => return Ok(Err(Silence(failure))),
        };
        if is_stream(&response) {
            return Ok(Ok(Line {
                body: response.into_body(),
                parser: Parser::new(Arc::clone(&self.cursor), self.event_bytes),
                batches: Batches::new(),
                place: Arc::clone(&self.cursor),
                end: None,
            }));
        }
        let (parts, body) = response.into_parts();
        let body = client::collect(body).await.unwrap_or_default();
        let failure = refusal(&parts, &body);
        if !is_passing(parts.status) {
            return Err(failure);
        }
        if let Some(seconds) = seconds_to_wait(&parts) {
            self.backoff.obey(Duration::from_secs(seconds));
        }
        Ok(Err(Silence(failure)))
    }
}

impl Line {
    /// Waits for bytes, and gives the events that are complete with them, or none.
    async fn hear(&mut self) -> Result<Vec<Event>, Silence> {
        let silence = |why: &str| Silence(Failure::unreachable(why));
        if let Some(end) = self.end.take() {
            return Err(Silence(end));
        }
        let frame = match tokio::time::timeout(DEAD_AFTER, self.body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => return Err(Silence(client::broke_off(&error))),
            Ok(None) => return Err(silence("the stream ended")),
            Err(_) => return Err(silence("nothing was heard for 25 seconds")),
        };
        let mut events = Vec::new();
        if let Ok(chunk) = frame.into_data() {
            let pushed = self.parser.push(&chunk, &mut events);
            self.end = pushed.err().map(Failure::unreachable);
            self.place = Arc::clone(self.parser.last_id());
        }
        let mut whole = Vec::new();
        for event in events {
            match event.name.as_str() {
                "heartbeat" => {}
                "end" => {
                    let reason = match event.told() {
                        Ok(Told::End(reason)) => reason,
                        _ => String::new(),
                    };
                    let end = format!("the server ended the stream: {reason}");
                    self.end = Some(Failure::unreachable(end));
                    self.place = event.id;
                    break;
                }
                _ => self.batches.push(event, &mut whole),
            }
        }
        Ok(whole)
    }
}

fn is_stream(response: &Response<Incoming>) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE);
    let essence = content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    response.status() == StatusCode::OK
        && essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(EVENT_STREAM))
}

/// Whether the same request may well be answered later.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        )
}

fn seconds_to_wait(parts: &Parts) -> Option<u64> {
    parts.headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

fn refusal(parts: &Parts, body: &[u8]) -> Failure {
    let status = show::status_text(parts.status);
    let exit = match show::exit_of(parts.status) {
        Exit::Done => Exit::Refused,
        exit => exit,
    };
    match Problem::read(&parts.headers, body) {
        Some(problem) => Failure::new(exit, format!("{status}: {}", problem.summary())),
        None if parts.status == StatusCode::OK => {
            Failure::new(exit, "the answer is no event stream")
        }
        None => Failure::new(exit, status),
    }
}

#[cfg(test)]
mod tests;
