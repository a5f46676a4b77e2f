//! Event streams over HTTP/1.1, which leave hyper when they begin.
//!
//! A stream that mostly waits needs no parser, no buffers and no encoder: what it sends
//! was made ready for all its readers, chunk framing included ([`Blocks`]). So when a
//! request is answered with events, the connection is taken from hyper, and from then on
//! it is a place in a ring and a socket. That is a third of the memory, and half of the
//! time for an event. The connection serves no other request.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::{Buf, Bytes};
use http::Response;
use matchbook_core::clock::Timestamp;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::OpenBody;
use crate::body::Body;
use crate::feed::EventStream;

/// What ends a chunked message (RFC 9112 §7.1).
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The place where an answer waits until the connection is taken from hyper.
#[derive(Default)]
pub(super) struct Handover {
    answer: Mutex<Option<Response<OpenBody>>>,
    is_due: AtomicBool,
}

impl Handover {
    /// Takes an answer, and never comes back: it is dropped with the rest of what hyper
    /// holds.
    pub(super) async fn take(&self, answer: Response<OpenBody>) -> Response<OpenBody> {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        self.is_due.store(true, Relaxed);
        pending().await
    }

    /// Whether an answer waits. Asked whenever the connection was polled.
    pub(super) fn is_due(&self) -> bool {
        self.is_due.load(Relaxed)
    }

    /// The answer.
    pub(super) fn answer(&self) -> Option<Response<OpenBody>> {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.take()
    }
}

/// Writes an event stream to its end.
///
/// # Errors
/// Those of the connection.
pub(super) async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    answer: Response<OpenBody>,
) -> io::Result<()> {
    let (parts, OpenBody { body, open }) = answer.into_parts();
    let Body::Events(mut events) = body else {
        return Ok(());
    };
    stream.write_all(&head(&parts)).await?;
    drop(parts);
    let mut rest = Bytes::new();
    std::future::poll_fn(|context| poll_write(stream, &mut events, &mut rest, context)).await?;
    stream.write_all(LAST_CHUNK).await?;
    drop(open);
    stream.shutdown().await
}

fn poll_write(
    stream: &mut (impl AsyncWrite + Unpin),
    events: &mut EventStream,
    rest: &mut Bytes,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    loop {
        while rest.has_remaining() {
            match ready!(Pin::new(&mut *stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => rest.advance(written),
            }
        }
        // Holds nothing of what was written while it waits.
        *rest = Bytes::new();
        // TLS keeps what it has encrypted until it is flushed.
        ready!(Pin::new(&mut *stream).poll_flush(context))?;
        match ready!(events.poll_next(context)) {
            Some(blocks) => *rest = blocks.into_chunk(),
            None => return Poll::Ready(Ok(())),
        }
    }
}

/// The header section (RFC 9112 §2.1).
fn head(parts: &http::response::Parts) -> Vec<u8> {
    let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
    let date = Timestamp::from(SystemTime::now()).http_date();
    let fields = parts.headers.iter();
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
    let framing = [
        ("connection", &b"close"[..]),
        ("transfer-encoding", b"chunked"),
        ("date", date.as_bytes()),
    ];
    for (name, value) in fields
        .filter(|(name, _)| *name != "connection")
        .chain(framing)
    {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}
