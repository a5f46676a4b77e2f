//! A byte stream under HTTP: plain or TLS, watched for framing and for progress.

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
    /// A doubtful head was passed on: nothing behind it may be.
    closed: bool,
    /// The content broke: nothing from there on is passed.
    cut_off: bool,
    linger: Option<Linger>,
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
        }
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
        let result = Pin::new(&mut this.transport).poll_write(context, bytes);
        this.state.wrote(result.is_ready());
        result
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.transport).poll_write_vectored(context, slices);
        this.state.wrote(result.is_ready());
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_flush(context)
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
