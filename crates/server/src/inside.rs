//! The server without its connections, for tests that decide what happens when: requests
//! and answers are values, and the time of day follows the runtime's clock, which may be
//! virtual.
//!
//! What the server leaves to chance elsewhere (ids of requests, how long clients wait
//! before they come back) comes from `fastrand`, whose numbers a test can seed for its
//! thread. Two things stay: contents over 64 KiB and codings other than gzip of event
//! streams are made on other threads, and the ids that POST gives come from the system.

use std::cell::Cell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use hyper::body::{Frame, SizeHint};
use matchbook_core::clock::Timestamp;
use matchbook_store::Store;
use tokio::time::Instant;

use crate::app::App;
use crate::body::Body;
use crate::connection::{Open, Peer};
use crate::content::Content;
use crate::feed;

thread_local! {
    static CLOCK: Cell<Option<(Instant, Timestamp)>> = const { Cell::new(None) };
}

/// From now on it is this time of day on this thread, and goes on as the runtime's clock
/// does.
pub fn set_time(at: Timestamp) {
    CLOCK.set(Some((Instant::now(), at)));
}

/// The time of day, where it was set.
pub(crate) fn now() -> Option<Timestamp> {
    let (since, at) = CLOCK.get()?;
    let passed_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    let now_ms = at.as_millis().saturating_add(passed_ms);
    Some(Timestamp::from_millis(now_ms))
}

/// The content of an answer.
pub struct Answer(Body);

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = Pin::new(&mut self.get_mut().0).poll_frame(context);
        frame.map_ok(|frame| frame.map_data(|mut piece| piece.copy_to_bytes(piece.remaining())))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Answers a request as if it had come over a connection of its own.
///
/// # Errors
/// None so far: the connection's part of the work has them.
pub async fn answer<S: Store>(
    app: &Arc<App<S>>,
    request: Request<Bytes>,
) -> io::Result<Response<Answer>> {
    let peer = Peer {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        secure: false,
    };
    let (parts, content) = request.into_parts();
    let mut charge = None;
    if content.is_empty() {
        match app.answer_now(&parts, peer) {
            Ok(answer) => return Ok(answer.map(Answer)),
            Err(charged) => charge = charged,
        }
    }
    let app = Arc::clone(app);
    let answer = app.answer(
        parts,
        Content::of(content),
        peer,
        None,
        charge,
        Open::apart(),
    );
    Ok(answer.await?.map(|open| Answer(open.body)))
}

/// Tells those who read event streams what is written, for as long as the store is open.
pub async fn tell<S: Store>(app: Arc<App<S>>) {
    let relay = Arc::clone(&app.hub).relay(0);
    tokio::select! {
        biased;
        () = relay => {}
        () = feed::follow(app) => {}
    }
}
