//! The content of an event stream.

use std::task::{Context, Poll};

use matchbook_core::feed::{EndReason, Event};
use tokio::sync::mpsc;

use super::RETRY_MS;
use super::blocks::Blocks;
use super::channel::{Subscription, Taken};
use super::gzip::{self, Sum};
use crate::app::now;

/// What comes out of a reader that is behind.
pub(super) enum Message {
    /// The next blocks.
    Blocks(Blocks),
    /// The next blocks for a reader of gzip, and the sum of all up to them.
    Compressed(Blocks, Sum),
    /// The last blocks, not coded.
    End(String),
    /// It has come to the end of the log.
    Even(Subscription),
}

/// The events of one reader.
pub(crate) struct EventStream {
    state: State,
    /// The sum of what a reader of gzip was sent before it was even.
    sent: Option<Sum>,
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
    pub(super) fn behind(messages: mpsc::Receiver<Message>, sent: Option<Sum>) -> Self {
        Self::new(State::Behind(messages), sent)
    }

    pub(super) fn even(first: &str, subscription: Subscription) -> Self {
        let (first, sent) = if subscription.is_gzip() {
            let sent = Sum::default().and(first.as_bytes());
            (Blocks::new(gzip::begin(first)), Some(sent))
        } else {
            (Blocks::new(first), None)
        };
        Self::new(State::Even(Some(first), subscription), sent)
    }

    /// A stream of nothing.
    pub(super) const fn empty() -> Self {
        Self::new(State::Ended, None)
    }

    const fn new(state: State, sent: Option<Sum>) -> Self {
        Self {
            state,
            sent,
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
            // It tells no more than where the reader begins.
            State::Ended | State::Even(Some(_), _) => return None,
            State::Even(None, subscription) => {
                let told = subscription.told();
                Event::End(EndReason::TokenExpired).block_into(&mut text, &told, Some(RETRY_MS));
            }
            // How far it is, the task knows that reads for it. An end without id leaves
            // the client the one that it has.
            State::Behind(_) => EndReason::TokenExpired.refusal_into(&mut text, RETRY_MS),
        }
        Some(text)
    }

    /// The next blocks; `None` at the end.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Blocks>> {
        if let Some(text) = self.expired() {
            return Poll::Ready(Some(self.end(&text)));
        }
        loop {
            match &mut self.state {
                State::Ended => return Poll::Ready(None),
                State::Behind(messages) => match std::task::ready!(messages.poll_recv(context)) {
                    Some(Message::Blocks(blocks)) => return Poll::Ready(Some(blocks)),
                    Some(Message::Compressed(blocks, sent)) => {
                        self.sent = Some(sent);
                        return Poll::Ready(Some(blocks));
                    }
                    Some(Message::End(text)) => return Poll::Ready(Some(self.end(&text))),
                    Some(Message::Even(subscription)) => {
                        self.state = State::Even(None, subscription);
                    }
                    None => self.state = State::Ended,
                },
                State::Even(first, subscription) => {
                    if let Some(first) = first.take() {
                        return Poll::Ready(Some(first));
                    }
                    match std::task::ready!(subscription.poll_take(context)) {
                        Taken::Frame { blocks, .. } => return Poll::Ready(Some(blocks)),
                        Taken::End(text) => return Poll::Ready(Some(self.end(&text))),
                        Taken::Lost => {
                            let text = subscription.too_slow();
                            return Poll::Ready(Some(self.end(&text)));
                        }
                    }
                }
            }
        }
    }

    /// Ends the stream with these blocks.
    fn end(&mut self, text: &str) -> Blocks {
        let state = std::mem::replace(&mut self.state, State::Ended);
        match (self.sent, state) {
            (None, _) => Blocks::new(text),
            (Some(sent), State::Even(_, subscription)) => {
                Blocks::new(gzip::end(subscription.sum_after(sent), text))
            }
            (Some(sent), _) => Blocks::new(gzip::end(sent, text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::Arc;
    use std::task::Waker;

    use flate2::read::GzDecoder;
    use matchbook_core::feed::EndReason;
    use matchbook_core::field::coding::Coding;
    use matchbook_core::tag::Version;

    use super::*;
    use crate::feed::channel::Channel;
    use crate::feed::hub::Hub;
    use crate::feed::ring::{Encoded, FRAMES};
    use crate::feed::spec::Spec;

    const TOLD: u64 = 120;

    /// From this frame on somebody reads gzip.
    const FIRST: u64 = 7;

    /// A frame that is larger than what can be referred to.
    const LARGE: u64 = 40;

    fn version(revision: u64) -> Version {
        format!("aaaaaaaa-{revision}").parse().unwrap()
    }

    fn text(number: u64) -> String {
        let words = match number {
            LARGE => 9_000,
            _ => number * number % 90,
        };
        let words: Vec<_> = (0..words)
            .map(|n| (n * n % 7_919 + number).to_string())
            .collect();
        format!("id: aaaaaaaa-{number}\ndata: {}\n\n", words.concat())
    }

    fn push(channel: &Channel, number: u64) {
        let text = text(number);
        let content = Encoded {
            blocks: Blocks::new(&text),
            compressed: channel.is_compressed().then(|| channel.compress(&text)),
        };
        channel.push(content, version(number));
    }

    /// A reader and what it has received.
    struct Reader {
        stream: EventStream,
        received: Vec<u8>,
        sizes: Vec<usize>,
        has_ended: bool,
    }

    impl Reader {
        fn join(hub: &Arc<Hub>, at: u64, coding: Coding) -> Self {
            let spec = Arc::new(Spec::of_all());
            let mut subscription = hub.join(&spec, || version(0)).coded(coding);
            assert!(subscription.attach(version(at)));
            Self {
                stream: EventStream::even("first\n\n", subscription),
                received: Vec::new(),
                sizes: Vec::new(),
                has_ended: false,
            }
        }

        fn read(&mut self) {
            let mut context = Context::from_waker(Waker::noop());
            while let Poll::Ready(blocks) = self.stream.poll_next(&mut context) {
                let Some(blocks) = blocks else {
                    self.has_ended = true;
                    return;
                };
                self.sizes.push(blocks.content().len());
                self.received.extend(blocks.content());
            }
        }

        fn decoded(&self) -> String {
            let mut text = String::new();
            let mut decoder = GzDecoder::new(&*self.received);
            decoder.read_to_string(&mut text).unwrap();
            text
        }
    }

    fn channel(reader: &Reader) -> Arc<Channel> {
        match &reader.stream.state {
            State::Even(_, subscription) => Arc::clone(&subscription.channel),
            _ => panic!("it is not even"),
        }
    }

    #[test]
    fn readers_of_gzip_get_what_others_get_wherever_they_join() {
        let hub = Arc::new(Hub::new());
        let mut plain = vec![Reader::join(&hub, 0, Coding::Identity)];
        let mut coded: Vec<Reader> = Vec::new();
        let channel = channel(&plain[0]);
        for number in 1..=TOLD {
            push(&channel, number);
            if number < FIRST {
                continue;
            }
            // Some go on behind frames that are there, and some wait for the next.
            let at = number.saturating_sub(number % 5);
            plain.push(Reader::join(&hub, at, Coding::Identity));
            coded.push(Reader::join(&hub, at, Coding::Gzip));
            for reader in plain.iter_mut().skip(1).chain(&mut coded).step_by(3) {
                reader.read();
            }
        }
        channel.end(EndReason::Draining, 5);
        for (plain, coded) in plain.iter_mut().skip(1).zip(&mut coded) {
            plain.read();
            coded.read();
            assert!(plain.has_ended && coded.has_ended);
            assert_eq!(coded.decoded().as_bytes(), plain.received);
        }
        // The one who joined last but one had to wait for what it can refer to.
        let last = |reader: &Reader| reader.sizes[reader.sizes.len() - 2];
        assert!(last(&coded[0]) < last(&coded[coded.len() - 2]));
        drop(coded);
        assert!(!channel.is_compressed());
    }

    #[test]
    fn a_reader_of_gzip_that_is_too_slow_gets_a_whole_member() {
        let hub = Arc::new(Hub::new());
        let mut reader = Reader::join(&hub, 0, Coding::Gzip);
        let channel = channel(&reader);
        push(&channel, 1);
        reader.read();
        for number in 2..FRAMES as u64 + 5 {
            let content = Encoded {
                blocks: Blocks::new(text(0)),
                compressed: None,
            };
            channel.push(content, version(number));
        }
        reader.read();
        assert!(reader.has_ended);
        let told = reader.decoded();
        let begin = format!("first\n\n{}event: end\n", text(1));
        assert!(told.starts_with(&begin) && told.contains("slow"), "{told}");
    }
}
