//! The content of an event stream.

use std::task::{Context, Poll};

use tokio::sync::mpsc;

use super::blocks::Blocks;
use super::channel::{Subscription, Taken};

/// What comes out of a reader that is behind.
pub(super) enum Message {
    /// The next blocks.
    Blocks(Blocks),
    /// The last blocks.
    End(Blocks),
    /// It has come to the end of the log.
    Even(Subscription),
}

/// The events of one reader.
pub(crate) struct EventStream(State);

enum State {
    /// It is behind, and a task of its own reads for it.
    Behind(mpsc::Receiver<Message>),
    /// It takes what the follower tells, after these blocks.
    Even(Option<Blocks>, Subscription),
    Ended,
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventStream")
    }
}

impl EventStream {
    pub(super) fn behind(messages: mpsc::Receiver<Message>) -> Self {
        Self(State::Behind(messages))
    }

    pub(super) fn even(first: Blocks, subscription: Subscription) -> Self {
        Self(State::Even(Some(first), subscription))
    }

    /// A stream of nothing.
    pub(super) const fn empty() -> Self {
        Self(State::Ended)
    }

    /// The next blocks; `None` at the end.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Blocks>> {
        loop {
            match &mut self.0 {
                State::Ended => return Poll::Ready(None),
                State::Behind(messages) => match std::task::ready!(messages.poll_recv(context)) {
                    Some(Message::Blocks(blocks)) => return Poll::Ready(Some(blocks)),
                    Some(Message::End(blocks)) => {
                        self.0 = State::Ended;
                        return Poll::Ready(Some(blocks));
                    }
                    Some(Message::Even(subscription)) => self.0 = State::Even(None, subscription),
                    None => self.0 = State::Ended,
                },
                State::Even(first, subscription) => {
                    if let Some(first) = first.take() {
                        return Poll::Ready(Some(first));
                    }
                    match std::task::ready!(subscription.poll_take(context)) {
                        Taken::Frame { blocks, .. } => return Poll::Ready(Some(blocks)),
                        Taken::End(blocks) => {
                            self.0 = State::Ended;
                            return Poll::Ready(Some(blocks));
                        }
                        Taken::Lost => {
                            let blocks = subscription.too_slow();
                            self.0 = State::Ended;
                            return Poll::Ready(Some(blocks));
                        }
                    }
                }
            }
        }
    }
}
