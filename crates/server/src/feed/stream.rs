//! The content of an event stream.

use std::task::{Context, Poll};

use matchbook_core::feed::{Cursor, EndReason, Event};
use tokio::sync::mpsc;

use super::RETRY_MS;
use super::blocks::Blocks;
use super::channel::{Subscription, Taken};
use crate::app::now;

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
pub(crate) struct EventStream {
    state: State,
    /// From when on the reader's credentials are no longer good, in seconds since 1970.
    until_secs: Option<u64>,
}

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
        Self::new(State::Behind(messages))
    }

    pub(super) fn even(first: Blocks, subscription: Subscription) -> Self {
        Self::new(State::Even(Some(first), subscription))
    }

    /// A stream of nothing.
    pub(super) const fn empty() -> Self {
        Self::new(State::Ended)
    }

    const fn new(state: State) -> Self {
        Self {
            state,
            until_secs: None,
        }
    }

    /// The same, ending at this time.
    pub(super) const fn until(mut self, until_secs: Option<u64>) -> Self {
        self.until_secs = until_secs;
        self
    }

    /// What is told in place of what comes next, if the reader may no longer have that.
    /// Nobody sets a clock for it: heartbeats come in time.
    fn expired(&self) -> Option<String> {
        self.until_secs.filter(|secs| now().as_secs() >= *secs)?;
        let mut text = String::new();
        match &self.state {
            State::Ended => return None,
            State::Even(None, subscription) => {
                let told = Cursor::from(subscription.seen());
                Event::End(EndReason::TokenExpired).block_into(&mut text, &told, Some(RETRY_MS));
            }
            // How far it is, the task knows that reads for it. An end without id leaves
            // the client the one that it has.
            State::Behind(_) | State::Even(Some(_), _) => {
                EndReason::TokenExpired.refusal_into(&mut text, RETRY_MS);
            }
        }
        Some(text)
    }

    /// The next blocks; `None` at the end.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Blocks>> {
        if let Some(text) = self.expired() {
            self.state = State::Ended;
            return Poll::Ready(Some(Blocks::new(&text)));
        }
        loop {
            match &mut self.state {
                State::Ended => return Poll::Ready(None),
                State::Behind(messages) => match std::task::ready!(messages.poll_recv(context)) {
                    Some(Message::Blocks(blocks)) => return Poll::Ready(Some(blocks)),
                    Some(Message::End(blocks)) => {
                        self.state = State::Ended;
                        return Poll::Ready(Some(blocks));
                    }
                    Some(Message::Even(subscription)) => {
                        self.state = State::Even(None, subscription)
                    }
                    None => self.state = State::Ended,
                },
                State::Even(first, subscription) => {
                    if let Some(first) = first.take() {
                        return Poll::Ready(Some(first));
                    }
                    match std::task::ready!(subscription.poll_take(context)) {
                        Taken::Frame { blocks, .. } => return Poll::Ready(Some(blocks)),
                        Taken::End(blocks) => {
                            self.state = State::Ended;
                            return Poll::Ready(Some(blocks));
                        }
                        Taken::Lost => {
                            let blocks = subscription.too_slow();
                            self.state = State::Ended;
                            return Poll::Ready(Some(blocks));
                        }
                    }
                }
            }
        }
    }
}
