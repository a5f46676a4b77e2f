//! A byte stream under HTTP: plain or TLS, watched for framing and for progress.
//!
//! It also sees when hyper answers by itself, and says more than hyper does
//! ([`Refusal`]). No byte of a document can be taken for such an answer:
//!
//! 1. hyper passes a flush on only when it holds no more bytes to write.
//! 2. An [`Open`](super::Open) request ends only when all of its answer is with hyper.
//! 3. So at a flush without an open request, all answers are written in full; and
//!    until the next request is handed over, what is written belongs to none of them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;

use super::framing::Tracker;
use super::refusal::{Circumstances, Refusal};
use super::state::ConnectionState;

/// Longest time that is spent, after the last answer, on reading what the client still
/// sends. Closing at once would make its kernel throw that answer away (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(2);

/// Most bytes read in that time.
const LINGER_BYTES: usize = 8 * 1_024 * 1_024;

/// Plain or TLS.
pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What HTTP reads from and writes to.
pub(crate) struct WatchedStream {
    transport: Transport,
    /// Bytes read while the protocol was found out.
    prefix: Vec<u8>,
    state: Arc<ConnectionState>,
    /// `None` under HTTP/2, whose frames leave no doubt.
    tracker: Option<Tracker>,
    /// A head was doubtful or was refused: nothing behind it is passed on.
    closed: bool,
    /// The content broke: nothing from there on is passed.
    cut_off: bool,
    linger: Option<Linger>,
    /// How many requests had been handed over when last all were answered in full.
    settled: u64,
    /// Is written in the place of hyper's answer.
    refusal: Option<Refusal>,
}

struct Linger {
    until: Pin<Box<Sleep>>,
    bytes: usize,
}

impl WatchedStream {
    pub(crate) fn new(
        transport: Transport,
        prefix: Vec<u8>,
        state: Arc<ConnectionState>,
        is_http_1: bool,
    ) -> Self {
        Self {
            transport,
            prefix,
            state,
            tracker: is_http_1.then(Tracker::new),
            closed: false,
            cut_off: false,
            linger: None,
            settled: 0,
            refusal: None,
        }
    }

    /// Whether what is written now belongs to no answer of the server's.
    fn is_settled(&self) -> bool {
        self.settled == self.state.requests()
    }

    /// Notes if all requests are answered in full: hyper holds nothing back.
    fn flushes(&mut self) {
        if self.state.is_answered() {
            self.settled = self.state.requests();
        }
    }

    /// Finds out whether hyper refuses a request by itself.
    fn will_write(&mut self, bytes: &[u8]) {
        if !self.is_settled() || self.refusal.is_some() {
            return;
        }
        let Some(tracker) = &self.tracker else {
            return;
        };
        let known = Circumstances {
            doubt: self.state.next_doubt(),
            in_request_line: tracker.is_in_request_line(),
        };
        self.refusal = Refusal::in_place_of(bytes, known);
        self.closed |= self.refusal.is_some();
    }

    /// Writes the refusal that is due, if one is.
    fn poll_refusal(&mut self, context: &mut Context<'_>) -> Option<Poll<io::Result<usize>>> {
        let refusal = self.refusal.as_mut()?;
        let result = refusal.poll_write(&mut self.transport, context);
        if result.is_ready() {
            self.refusal = None;
        }
        Some(result)
    }

    fn watch(&mut self, buffer: &mut ReadBuf<'_>, filled_before: usize) {
        let Some(tracker) = &mut self.tracker else {
            return;
        };
        let bytes = buffer.filled().get(filled_before..).unwrap_or_default();
        if bytes.is_empty() {
            return;
        }
        let doubtful = tracker.read(bytes);
        self.state.heads_begin(tracker.heads_begun());
        if let Some(doubtful) = doubtful {
            self.state.doubt(doubtful);
            self.closed = true;
            buffer.set_filled(filled_before + doubtful.ends_at);
        }
        if let Some(sound) = tracker.broken_at() {
            self.cut_off = true;
            buffer.set_filled(filled_before + sound);
        }
    }

    /// Reads and forgets until the client has seen the end, within bounds.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let linger = self.linger.get_or_insert_with(|| Linger {
            until: Box::pin(tokio::time::sleep_until(Instant::now() + LINGER)),
            bytes: 0,
        });
        let mut space = [0_u8; 16 * 1_024];
        loop {
            if linger.bytes > LINGER_BYTES || linger.until.as_mut().poll_is_ready(context) {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.transport).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => linger.bytes += buffer.filled().len(),
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// `Future::poll`, as a question.
trait PollIsReady {
    fn poll_is_ready(self, context: &mut Context<'_>) -> bool;
}

impl PollIsReady for Pin<&mut Sleep> {
    fn poll_is_ready(self, context: &mut Context<'_>) -> bool {
        std::future::Future::poll(self, context).is_ready()
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.closed {
            // The answer is on its way; whoever writes it closes the connection.
            return Poll::Pending;
        }
        if this.cut_off {
            // As if the client had ended: whoever reads the content sees it incomplete.
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        if this.prefix.is_empty() {
            ready!(Pin::new(&mut this.transport).poll_read(context, buffer))?;
        } else {
            let take = this.prefix.len().min(buffer.remaining());
            let rest = this.prefix.split_off(take);
            buffer.put_slice(&std::mem::replace(&mut this.prefix, rest));
        }
        this.watch(buffer, before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.will_write(bytes);
        let result = match this.poll_refusal(context) {
            Some(result) => result,
            None => Pin::new(&mut this.transport).poll_write(context, bytes),
        };
        this.state.wrote(result.is_ready());
        result
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // hyper writes its own answer in one piece.
        if let [bytes] = slices {
            this.will_write(bytes);
        }
        let result = match this.poll_refusal(context) {
            Some(result) => result,
            None => Pin::new(&mut this.transport).poll_write_vectored(context, slices),
        };
        this.state.wrote(result.is_ready());
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.flushes();
        Pin::new(&mut this.transport).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.transport).poll_shutdown(context))?;
        }
        let all_was_read = this.tracker.as_ref().is_none_or(Tracker::is_in_head);
        if all_was_read && !this.closed {
            return Poll::Ready(Ok(()));
        }
        this.poll_linger(context)
    }
}

macro_rules! either {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Transport::Plain($stream) => $call,
            Transport::Tls($stream) => $call,
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_read(context, buffer))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => Pin::new(stream).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_shutdown(context))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Response;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::super::{HTTP_1_BUFFER, HTTP_1_FIELDS, Open, OpenBody};
    use super::*;
    use crate::body::Body;

    /// What hyper says when it cannot parse a request; here, a document too.
    const BARE: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";

    async fn pair() -> (TcpStream, WatchedStream, Arc<ConnectionState>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let client = client.await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let state = Arc::new(ConnectionState::new(Arc::default()));
        let transport = Transport::Plain(server);
        let stream = WatchedStream::new(transport, Vec::new(), state.clone(), true);
        (client, stream, state)
    }

    /// All that is answered to these bytes, where the answer to each good request is
    /// `BARE`: whole if it is the first, in pieces if not.
    async fn talk(bytes: &str) -> String {
        let (mut client, stream, state) = pair().await;
        let service = service_fn(move |_| {
            let (_, open) = Open::begin(&state);
            let body = if state.requests() == 1 {
                Body::from(Bytes::from_static(BARE.as_bytes()))
            } else {
                let (sender, pieces) = mpsc::channel(1);
                tokio::spawn(async move {
                    for _ in 0..3 {
                        let piece = Bytes::from_static(BARE.as_bytes());
                        sender.send(Ok(piece)).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                });
                Body::Stream(pieces)
            };
            let response = Response::new(OpenBody { body, open });
            std::future::ready(Ok::<_, io::Error>(response))
        });
        let connection = http1::Builder::new()
            .max_buf_size(HTTP_1_BUFFER)
            .max_headers(HTTP_1_FIELDS)
            .serve_connection(TokioIo::new(stream), service);
        let served = tokio::spawn(connection);
        client.write_all(bytes.as_bytes()).await.unwrap();
        let mut answers = String::new();
        client.read_to_string(&mut answers).await.unwrap();
        drop(client);
        let _ = served.await.unwrap();
        answers
    }

    #[tokio::test]
    async fn section_10_what_hyper_refuses_is_a_problem_with_the_answers_before_it_untouched() {
        let get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
        let old = "GET /a HTTP/1.0\r\n\r\n";
        let cases = [
            ("GARBAGE\r\n\r\n".to_owned(), 0, true),
            ("GET /a b HTTP/1.1\r\n\r\n".to_owned(), 0, true),
            (format!("{get}GARBAGE\r\n\r\n"), 1, true),
            (format!("{get}{get}GARBAGE\r\n\r\n"), 4, true),
            (format!("{get}{get}{get}{old}GARBAGE\r\n\r\n"), 10, false),
            (format!("{old}GARBAGE\r\n\r\n"), 1, false),
        ];
        for (bytes, documents, refused) in cases {
            let answers = talk(&bytes).await;
            assert_eq!(answers.matches(BARE).count(), documents, "{answers}");
            let problem = answers
                .split("HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n");
            assert_eq!(problem.count() == 2, refused, "{bytes:?}: {answers}");
            let end = if refused { "\"}" } else { "\r\n\r\n" };
            assert!(answers.ends_with(end), "{answers}");
        }
    }

    #[tokio::test]
    async fn section_3_line_1_what_is_too_large_for_hyper() {
        let long = "a".repeat(2 * HTTP_1_BUFFER);
        let get = "GET /a HTTP/1.1\r\nHost: x\r\n";
        let many = "A: b\r\n".repeat(2 * HTTP_1_FIELDS);
        let cases = [
            (format!("GET /{long} HTTP/1.1\r\n\r\n"), "414 URI Too Long"),
            (format!("{get}\r\nGET /{long}"), "414 URI Too Long"),
            (
                format!("{get}A: {long}\r\n\r\n"),
                "431 Request Header Fields Too Large",
            ),
            (
                format!("{get}{many}\r\n"),
                "431 Request Header Fields Too Large",
            ),
        ];
        for (bytes, status) in cases {
            let answers = talk(&bytes).await;
            let begin = format!("HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\n");
            assert_eq!(answers.matches(&begin).count(), 1, "{answers}");
        }
    }

    #[tokio::test]
    async fn what_may_belong_to_an_answer_is_never_replaced() {
        let (_client, mut stream, state) = pair().await;
        let replaces = |stream: &mut WatchedStream| {
            stream.will_write(BARE.as_bytes());
            stream.refusal.take().is_some()
        };
        assert!(replaces(&mut stream));
        state.request_begins();
        assert!(!replaces(&mut stream));
        // The beginning of the answer is written, and the rest of it is not ready.
        stream.flushes();
        assert!(!replaces(&mut stream));
        // All of it is with hyper, and not written.
        state.request_ends();
        assert!(!replaces(&mut stream));
        stream.flushes();
        assert!(replaces(&mut stream));
        state.request_begins();
        state.request_ends();
        assert!(!replaces(&mut stream));
    }
}
