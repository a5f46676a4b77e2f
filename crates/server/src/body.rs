//! The content of an answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use matchbook_store::Document;
use tokio::sync::mpsc;

use crate::feed::EventStream;

/// Nothing, all at once, or in pieces.
#[derive(Debug)]
pub(crate) enum Body {
    /// No content.
    Empty,
    /// All of it; `None` once it was taken.
    Full(Option<Bytes>),
    /// All of a document; `None` once it was taken.
    Stored(Option<Arc<Document>>),
    /// Pieces as they come. An error ends the connection, so that a client never takes
    /// a part for the whole.
    Stream(mpsc::Receiver<io::Result<Bytes>>),
    /// Events, which go on.
    Events(Box<EventStream>),
}

impl Body {
    /// All of it, if it is at hand.
    pub(crate) fn whole(self) -> Option<Bytes> {
        match self {
            Self::Empty => Some(Bytes::new()),
            Self::Full(bytes) => bytes,
            Self::Stored(document) => Some(document?.body.clone()),
            Self::Stream(_) | Self::Events(_) => None,
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Full(Some(bytes))
    }
}

impl From<Arc<Document>> for Body {
    fn from(document: Arc<Document>) -> Self {
        Self::Stored(Some(document))
    }
}

/// A piece of content.
#[derive(Debug)]
pub(crate) enum Piece {
    Bytes(Bytes),
    /// A document's body, and how much of it was taken. It is held by the document,
    /// whose counter is at hand: that of its bytes lies elsewhere in memory, and to
    /// fetch it was a fiftieth of the time of an answer.
    Stored(Arc<Document>, usize),
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.chunk().len()
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Stored(document, taken) => document.body.get(*taken..).unwrap_or_default(),
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Bytes(bytes) => bytes.advance(count),
            Self::Stored(_, taken) => *taken = taken.saturating_add(count),
        }
    }
}

impl HttpBody for Body {
    type Data = Piece;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Piece>>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(
                bytes
                    .take()
                    .map(|bytes| Ok(Frame::data(Piece::Bytes(bytes)))),
            ),
            Self::Stored(document) => {
                let piece = document.take().map(|document| Piece::Stored(document, 0));
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
            }
            Self::Events(events) => events.poll_next(context).map(|blocks| {
                blocks.map(|blocks| Ok(Frame::data(Piece::Bytes(blocks.into_content()))))
            }),
            Self::Stream(pieces) => pieces.poll_recv(context).map(|piece| {
                piece.map(|bytes| bytes.map(|bytes| Frame::data(Piece::Bytes(bytes))))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Empty | Self::Full(None) | Self::Stored(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Full(None) | Self::Stored(None) => SizeHint::with_exact(0),
            Self::Stored(Some(document)) => SizeHint::with_exact(document.body.len() as u64),
            Self::Full(Some(bytes)) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) | Self::Events(_) => SizeHint::default(),
        }
    }
}
