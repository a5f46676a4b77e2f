//! One connection of an import: saves document after document, and survives what a
//! network does.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, IF_MATCH, IF_NONE_MATCH, RETRY_AFTER};
use http::response::Parts;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use tokio::sync::{Mutex, mpsc};

use super::super::client::{self, Connection};
use super::super::exit::Failure;
use super::super::show::{self, Problem};
use super::Shared;
use super::reader::Job;

/// Waits between attempts to reach the server; 12 s in all, enough for a restart.
const RECONNECT_MS: [u64; 8] = [0, 100, 200, 400, 800, 1_600, 3_200, 5_000];

/// Answers of 'busy' or 'changed again' before a document is given up.
const ATTEMPTS: usize = 20;

/// Longest that a `Retry-After` is obeyed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(10);

pub(super) struct Worker {
    shared: Arc<Shared>,
    queue: Arc<Mutex<mpsc::Receiver<Job>>>,
    connection: Option<Connection>,
}

/// What a write is allowed to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// The server makes the id.
    Post,
    /// Only if nothing is there.
    Create,
    /// Only if something is there.
    Replace,
}

/// Why there is no answer.
enum Silence {
    /// The server is gone for good.
    Gone(Failure),
    /// The request may or may not have been carried out.
    Unknown(Failure),
}

/// What became of one document.
enum Verdict {
    Created,
    Replaced,
    Same,
    Refused(String),
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, queue: Arc<Mutex<mpsc::Receiver<Job>>>) -> Self {
        Self {
            shared,
            queue,
            connection: None,
        }
    }

    /// Saves until the queue ends or the import stops.
    pub(super) async fn run(mut self) {
        while let Some(job) = self.next_job().await {
            let verdict = match self.save(&job).await {
                Ok(verdict) => verdict,
                Err(failure) => return self.shared.give_up(failure),
            };
            let tally = &self.shared.tally;
            match verdict {
                Verdict::Created => tally.created.fetch_add(1, Ordering::Relaxed),
                Verdict::Replaced => tally.replaced.fetch_add(1, Ordering::Relaxed),
                Verdict::Same => tally.same.fetch_add(1, Ordering::Relaxed),
                Verdict::Refused(why) => {
                    self.shared.refuse(job.number, why);
                    0
                }
            };
            self.shared.ledger.finish(job.number);
            self.shared.progress.count(1);
        }
    }

    async fn next_job(&self) -> Option<Job> {
        let mut stop = self.shared.stop.subscribe();
        let mut queue = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return None,
            queue = self.queue.lock() => queue,
        };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => None,
            job = queue.recv() => job,
        }
    }

    /// Saves one document.
    ///
    /// # Errors
    /// Why the whole import cannot go on.
    async fn save(&mut self, job: &Job) -> Result<Verdict, Failure> {
        let mut guard = if job.is_post {
            Guard::Post
        } else {
            Guard::Create
        };
        for _ in 0..ATTEMPTS {
            let (parts, body) = match self.exchange(job, guard).await {
                Ok(answer) => answer,
                Err(Silence::Gone(failure)) => return Err(failure),
                Err(Silence::Unknown(failure)) => {
                    let why = failure.message.unwrap_or_default();
                    return Ok(Verdict::Refused(format!(
                        "{why}; it may have been saved or not"
                    )));
                }
            };
            let problem = Problem::read(&parts.headers, &body).unwrap_or_default();
            match parts.status {
                StatusCode::CREATED => return Ok(Verdict::Created),
                status if status.is_success() && guard == Guard::Replace => {
                    return Ok(Verdict::Replaced);
                }
                status if status.is_success() => return Ok(Verdict::Created),
                StatusCode::PRECONDITION_FAILED if problem.same => return Ok(Verdict::Same),
                StatusCode::PRECONDITION_FAILED if self.shared.replace => {
                    // Deleted meanwhile: then it may be created.
                    guard = match guard {
                        Guard::Replace => Guard::Create,
                        Guard::Create | Guard::Post => Guard::Replace,
                    };
                }
                StatusCode::PRECONDITION_FAILED => {
                    return Ok(Verdict::Refused(format!(
                        "{} is there already and differs; --replace overwrites it",
                        job.path
                    )));
                }
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                    tokio::time::sleep(retry_after(&parts)).await;
                }
                StatusCode::INSUFFICIENT_STORAGE => {
                    return Err(Failure::unreachable(refusal(&parts, &problem)));
                }
                _ => return Ok(Verdict::Refused(refusal(&parts, &problem))),
            }
        }
        Ok(Verdict::Refused("gave up after 20 attempts".to_owned()))
    }

    /// Sends until there is an answer, over a new connection where the old one ended.
    /// That is safe for PUT with a precondition: if the first one was carried out, the
    /// second finds an equal document.
    async fn exchange(&mut self, job: &Job, guard: Guard) -> Result<(Parts, Bytes), Silence> {
        let mut last = Failure::unreachable("the server cannot be reached");
        for wait_ms in RECONNECT_MS {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => match self.shared.client.connect().await {
                    Ok(connection) => connection,
                    Err(failure) => {
                        last = failure;
                        continue;
                    }
                },
            };
            let request = request(job, guard).map_err(Silence::Gone)?;
            let (failure, is_unsent) = match connection.send(request).await {
                Ok(response) => {
                    let (parts, body) = response.into_parts();
                    match client::collect(body).await {
                        Ok(body) => {
                            self.connection = Some(connection);
                            return Ok((parts, body));
                        }
                        // The head has told what became of the request.
                        Err(_) => return Ok((parts, Bytes::new())),
                    }
                }
                Err(lost) => (lost.failure, lost.is_unsent),
            };
            if guard == Guard::Post && !is_unsent {
                return Err(Silence::Unknown(failure));
            }
            last = failure;
        }
        Err(Silence::Gone(last))
    }
}

fn request(job: &Job, guard: Guard) -> Result<Request<Full<Bytes>>, Failure> {
    let method = match guard {
        Guard::Post => Method::POST,
        Guard::Create | Guard::Replace => Method::PUT,
    };
    let mut request = client::request(method, &job.path)?;
    *request.body_mut() = Full::new(job.text.clone());
    let fields = request.headers_mut();
    let json = HeaderValue::from_static("application/json");
    fields.insert(CONTENT_TYPE, json);
    let any = HeaderValue::from_static("*");
    match guard {
        Guard::Post => None,
        Guard::Create => fields.insert(IF_NONE_MATCH, any),
        Guard::Replace => fields.insert(IF_MATCH, any),
    };
    Ok(request)
}

fn refusal(parts: &Parts, problem: &Problem) -> String {
    let status = show::status_text(parts.status);
    match problem.detail.as_deref() {
        Some(detail) => format!("{status}: {detail}"),
        None => status,
    }
}

fn retry_after(parts: &Parts) -> Duration {
    let value = parts.headers.get(RETRY_AFTER);
    let seconds = value.and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1)).min(RETRY_AFTER_MAX)
}
