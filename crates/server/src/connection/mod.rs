//! Connections: accepting, TLS, which HTTP, time limits, and an orderly end.

mod framing;
mod handover;
mod refusal;
mod registry;
mod state;
mod stream;
mod tls;
pub(crate) mod workers;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use matchbook_core::decide::RETRY_AFTER_SECS;
use matchbook_core::limits::{FIELDS, FIELDS_BYTES, TARGET_BYTES};
use matchbook_core::problem::Kind;
use matchbook_store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use uuid::Uuid;

use self::state::ConnectionState;
use self::stream::{Transport, WatchedStream};
pub use self::tls::{TlsError, TlsFiles, connector, system_roots};
pub use self::workers::Workers;
use crate::app::{App, now};
use crate::body::{Body, Piece};
use crate::content::Content;
use crate::feed;
use framing::Doubt;
use handover::Handover;
use registry::{Entry, Registry};

/// Longest time for a TLS handshake, and for the bytes that tell HTTP/1.1 from HTTP/2.
const OPENING: Duration = Duration::from_secs(state::HEAD_SECS as u64);

/// How often connections are looked over: the resolution of all their time limits.
const SWEEP: Duration = Duration::from_secs(1);

/// How long to wait when no more connections can be accepted, as when the process is
/// out of file descriptors, so as not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Longest time for telling a client that there are too many connections.
const TURN_AWAY: Duration = Duration::from_secs(1);

/// How long connections have to end after their last answer, when the server stops.
const FAREWELL: Duration = Duration::from_secs(1);

/// What an HTTP/2 connection begins with (RFC 9113 §3.4).
const HTTP_2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Streams that one HTTP/2 connection may have open, so that a proxy or a browser can
/// follow thousands of documents over a few connections. Each costs some KiB before
/// anything is known of it: all connections with all their streams would be too many,
/// which is why readers of events are counted too (`feed`).
const HTTP_2_STREAMS: u32 = 2_048;

/// What a client may send on one stream before the server has read it: a document of
/// usual size in one go. A larger one needs a few updates of the window.
const HTTP_2_STREAM_WINDOW: u32 = 256 * 1_024;

/// The same for all streams of a connection: what one client can make the server hold.
const HTTP_2_CONNECTION_WINDOW: u32 = 1_024 * 1_024;

/// What the server holds ready on each stream for a client that reads slowly. Events and
/// documents are shared between streams, so that this is seldom memory of its own.
const HTTP_2_SEND_BUFFER: usize = 64 * 1_024;

/// Pings on HTTP/2 connections, so that a dead line is noticed.
const HTTP_2_PING: Duration = Duration::from_secs(20);

/// Read buffer of an HTTP/1.1 connection: a whole head must fit.
const HTTP_1_BUFFER: usize = FIELDS_BYTES + TARGET_BYTES + 16 * 1_024;

/// Header fields that the HTTP library takes before it refuses by itself. Over
/// [`FIELDS`], so that the refusal is ours and says what to do.
const HTTP_1_FIELDS: usize = FIELDS + 100;

/// Accepts connections and serves them until it is told to stop.
pub struct Listener<S> {
    app: Arc<App<S>>,
    socket: TcpListener,
    tls: Option<tokio_rustls::TlsAcceptor>,
    open: Arc<Registry>,
    places: Arc<Semaphore>,
    workers: Workers,
}

/// What a request's handler knows of its connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Whether it speaks TLS.
    pub(crate) secure: bool,
}

impl<S: Store> Listener<S> {
    /// Binds to an address. At most `max_connections` are served at a time, by the
    /// `workers`.
    ///
    /// # Errors
    /// That of the operating system, or of the certificate's files.
    pub async fn bind(
        app: Arc<App<S>>,
        address: SocketAddr,
        tls: Option<&TlsFiles>,
        max_connections: usize,
        workers: Workers,
    ) -> Result<Self, TlsError> {
        let tls = tls.map(tls::acceptor).transpose()?;
        let socket = TcpListener::bind(address).await.map_err(TlsError::Bind)?;
        Ok(Self {
            app,
            socket,
            tls,
            open: Arc::default(),
            places: Arc::new(Semaphore::new(max_connections)),
            workers,
        })
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    /// That of the operating system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop` completes. Then requests that are under way are finished,
    /// for at most `patience`, while new ones are turned away with 503.
    pub async fn serve(self, stop: impl Future<Output = ()>, patience: Duration) {
        for (number, worker) in self.workers.all().enumerate() {
            worker.spawn(Arc::clone(&self.app.hub).relay(number));
        }
        let follower = tokio::spawn(feed::follow(Arc::clone(&self.app)));
        let mut sweep = tokio::time::interval(SWEEP);
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                accepted = self.socket.accept() => self.accepted(accepted).await,
                _ = sweep.tick() => self.open.sweep(),
                () = &mut stop => break,
            }
        }
        self.app.drain();
        let mut drained = std::pin::pin!(timeout(patience, self.open.answered()));
        loop {
            tokio::select! {
                accepted = self.socket.accept() => self.accepted(accepted).await,
                _ = sweep.tick() => self.open.sweep(),
                _ = &mut drained => break,
            }
        }
        drop(self.socket);
        follower.abort();
        self.open.finish_all();
        let _ = timeout(FAREWELL, self.open.emptied()).await;
        self.open.abort_all();
    }

    async fn accepted(&self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                return;
            }
        };
        // Answers are written whole; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        match self.places.clone().try_acquire_owned() {
            Ok(place) => {
                if let Err(error) = self.spawn(stream, address, place) {
                    tracing::warn!(%error, "cannot serve a connection");
                }
            }
            Err(_) => {
                tokio::spawn(timeout(TURN_AWAY, turn_away(stream)));
            }
        }
    }

    fn spawn(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        place: OwnedSemaphorePermit,
    ) -> io::Result<()> {
        // To be polled by the worker, and no longer here.
        let stream = stream.into_std()?;
        let Some(worker) = self.workers.next() else {
            return Ok(());
        };
        let app = self.app.clone();
        let tls = self.tls.clone();
        let registry = self.open.clone();
        let state = Arc::new(ConnectionState::new(registry.clock.clone()));
        let id = registry.next.fetch_add(1, Relaxed);
        // Held until the entry is made: the task may end, and take it out, at once.
        let mut connections = self.open.lock();
        let task = {
            let (registry, state) = (registry.clone(), state.clone());
            worker.spawn(async move {
                // Leaves the registry however the task ends.
                let _entry = Entry {
                    registry,
                    id,
                    place,
                };
                let peer = Peer {
                    address,
                    secure: tls.is_some(),
                };
                let talk = async {
                    let stream = TcpStream::from_std(stream)?;
                    converse(app, stream, peer, tls, state).await
                };
                if let Err(error) = talk.await {
                    tracing::debug!(%address, %error, "a connection failed");
                }
            })
        };
        connections.insert(id, (state, task.abort_handle()));
        Ok(())
    }
}

/// Finds out what the client speaks, and speaks it.
async fn converse<S: Store>(
    app: Arc<App<S>>,
    stream: TcpStream,
    peer: Peer,
    tls: Option<tokio_rustls::TlsAcceptor>,
    state: Arc<ConnectionState>,
) -> io::Result<()> {
    let (transport, prefix, is_http_2) = match tls {
        Some(tls) => {
            let stream = timeout(OPENING, tls.accept(stream)).await??;
            let is_http_2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            (Transport::Tls(Box::new(stream)), Vec::new(), is_http_2)
        }
        None => {
            let mut stream = stream;
            let prefix = timeout(OPENING, read_preface(&mut stream)).await??;
            let is_http_2 = prefix == HTTP_2_PREFACE;
            (Transport::Plain(stream), prefix, is_http_2)
        }
    };
    let stream = WatchedStream::new(transport, prefix, state.clone(), !is_http_2);
    if is_http_2 {
        let spoken = speak_http_2(app, stream, peer, state).await;
        spoken.map_err(io::Error::other)
    } else {
        speak_http_1(app, stream, peer, state).await
    }
}

/// Reads as far as needed to tell HTTP/2 with prior knowledge from HTTP/1.1.
async fn read_preface(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut prefix = Vec::with_capacity(HTTP_2_PREFACE.len());
    while HTTP_2_PREFACE.starts_with(&prefix) && prefix.len() < HTTP_2_PREFACE.len() {
        let missing = HTTP_2_PREFACE.len() - prefix.len();
        if stream.take(missing as u64).read_buf(&mut prefix).await? == 0 {
            break;
        }
    }
    Ok(prefix)
}

/// What answers the requests of a connection, whichever HTTP it speaks. Under HTTP/2
/// there is never a doubt, and event streams stay among the others.
fn requests<S: Store>(
    app: Arc<App<S>>,
    peer: Peer,
    state: &Arc<ConnectionState>,
    handover: Option<Arc<Handover>>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<OpenBody>,
    Error = io::Error,
    Future: Send + 'static,
> + use<S> {
    let state = state.clone();
    service_fn(move |request: Request<Incoming>| {
        let (doubt, open) = Open::begin(&state);
        let (parts, incoming) = request.into_parts();
        let mut charge = None;
        if doubt.is_none() && incoming.is_end_stream() {
            match app.answer_now(&parts, peer) {
                Ok(answer) => {
                    return Answering::Now(Some(answer.map(|body| OpenBody { body, open })));
                }
                Err(charged) => charge = charged,
            }
        }
        let handover = handover
            .clone()
            .filter(|_| parts.version == Version::HTTP_11);
        let content = Content::Unread(incoming);
        let answer = app
            .clone()
            .answer(parts, content, peer, doubt, charge, open);
        Answering::Later(Box::pin(async move {
            let answer = answer.await?;
            Ok(match handover {
                Some(handover) if answer.body().is_events() => handover.take(answer).await,
                _ => answer,
            })
        }))
    })
}

/// An answer, or how it comes about. What is known at once needs no state to wait in:
/// that of the rest is large, and would be moved for each request.
enum Answering<F> {
    Now(Option<Response<OpenBody>>),
    Later(Pin<Box<F>>),
}

impl<F: Future<Output = io::Result<Response<OpenBody>>>> Future for Answering<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<F::Output> {
        match self.get_mut() {
            Self::Now(answer) => {
                let again = || io::Error::other("polled again after its end");
                Poll::Ready(answer.take().ok_or_else(again))
            }
            Self::Later(answer) => answer.as_mut().poll(context),
        }
    }
}

async fn speak_http_1<S: Store>(
    app: Arc<App<S>>,
    stream: WatchedStream,
    peer: Peer,
    state: Arc<ConnectionState>,
) -> io::Result<()> {
    let handover = Arc::new(Handover::default());
    let requests = requests(app, peer, &state, Some(Arc::clone(&handover)));
    let mut connection = http1::Builder::new()
        // A client that sends no more may still wait for its answer.
        .half_close(true)
        .max_buf_size(HTTP_1_BUFFER)
        .max_headers(HTTP_1_FIELDS)
        .serve_connection(TokioIo::new(stream), requests);
    let mut finish = Some(Box::pin(state.finish.notified()));
    let ended = poll_fn(|context| {
        loop {
            if let Poll::Ready(ended) = Pin::new(&mut connection).poll(context) {
                return Poll::Ready(Some(ended));
            }
            // hyper has written and flushed what it had, unless the client is slow.
            if handover.is_due() && !state.is_stalled() {
                return Poll::Ready(None);
            }
            let told = finish.as_mut().map(|finish| finish.as_mut().poll(context));
            if told != Some(Poll::Ready(())) {
                return Poll::Pending;
            }
            finish = None;
            Pin::new(&mut connection).graceful_shutdown();
        }
    });
    if let Some(ended) = ended.await {
        return ended.map_err(io::Error::other);
    }
    drop(finish);
    let mut stream = connection.into_parts().io.into_inner();
    match handover.answer() {
        Some(answer) => handover::write(&mut stream, answer).await,
        None => Ok(()),
    }
}

async fn speak_http_2<S: Store>(
    app: Arc<App<S>>,
    stream: WatchedStream,
    peer: Peer,
    state: Arc<ConnectionState>,
) -> hyper::Result<()> {
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP_2_STREAMS)
        .initial_stream_window_size(HTTP_2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP_2_CONNECTION_WINDOW)
        .max_send_buf_size(HTTP_2_SEND_BUFFER)
        .max_header_list_size(u32::try_from(HTTP_1_BUFFER).unwrap_or(u32::MAX))
        .keep_alive_interval(HTTP_2_PING)
        .serve_connection(TokioIo::new(stream), requests(app, peer, &state, None));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        result = connection.as_mut() => return result,
        () = state.finish.notified() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

/// One request that is not completely answered. Held by its answer's body.
#[derive(Debug)]
pub(crate) struct Open(Arc<ConnectionState>);

impl Open {
    /// That of a request which came on no connection.
    #[cfg(feature = "testing")]
    pub(crate) fn apart() -> Self {
        let state = ConnectionState::new(Arc::default());
        Self::begin(&Arc::new(state)).1
    }

    fn begin(state: &Arc<ConnectionState>) -> (Option<Doubt>, Self) {
        let doubt = state.request_begins();
        (doubt, Self(state.clone()))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.request_ends();
    }
}

pub(crate) use framing::Doubt as FramingDoubt;

/// Says that there are too many connections.
async fn turn_away(mut stream: TcpStream) -> io::Result<()> {
    let problem = Kind::Unavailable.because("the server has as many connections as it takes");
    let date = now().http_date();
    let wait = RETRY_AFTER_SECS.to_string();
    let fields = [("date", date.as_str()), ("retry-after", wait.as_str())];
    let answer = refusal::message(&problem, Uuid::now_v7(), fields);
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    let mut rest = [0; 1_024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// The body of an answer on its way; the request stays open until it is written.
pub(crate) struct OpenBody {
    pub(crate) body: Body,
    #[allow(dead_code, reason = "held for as long as the answer is written")]
    pub(crate) open: Open,
}

impl OpenBody {
    /// Whether it is an event stream.
    fn is_events(&self) -> bool {
        matches!(self.body, Body::Events(_))
    }
}

impl hyper::body::Body for OpenBody {
    type Data = Piece;
    type Error = io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<io::Result<hyper::body::Frame<Piece>>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}
