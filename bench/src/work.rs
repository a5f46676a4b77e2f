//! The kinds of work: which requests are sent and which answers are right.

use std::fmt;
use std::io::Write;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::contender::Contender;
use crate::corpus::{Corpus, Tag};
use crate::dialect::{Ask, Dialect, PAGE_DOCUMENTS, Tells};
use crate::document::PRIORITIES;
use crate::load::Source;
use crate::response::Response;

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Work {
    /// PUT of 1 KiB with If-Match and the current tag: 204 with the next tag
    Put,
    /// PATCH of one member (merge patch) with If-Match: 204 with the next tag
    Patch,
    /// PUT of a new document with If-None-Match: * : 201
    Create,
    /// GET: 200 with 1 KiB
    Get,
    /// GET with If-None-Match and the current tag: 304
    #[value(name = "304")]
    #[serde(rename = "304")]
    NotModified,
    /// GET of the first 100 documents: 200
    List,
    /// The same, of those with one of five priorities
    Filter,
}

impl fmt::Display for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Create => "create",
            Self::Get => "get",
            Self::NotModified => "304",
            Self::List => "list",
            Self::Filter => "filter",
        })
    }
}

impl Work {
    /// Whether it saves.
    pub(crate) fn is_write(self) -> bool {
        matches!(self, Self::Put | Self::Patch | Self::Create)
    }

    /// Whether it names the document by a validator that has to be known before.
    fn needs_tag(self) -> bool {
        matches!(self, Self::Put | Self::Patch | Self::NotModified)
    }
}

/// Stands for a document whose tag is not known.
const UNKNOWN: u64 = u64::MAX;

/// One kind of work on one server over some connections.
pub(crate) struct Job<'a> {
    work: Work,
    dialect: &'static dyn Dialect,
    corpus: &'a mut Corpus,
    random: fastrand::Rng,
    /// How many documents each connection has written.
    turns: Vec<usize>,
    walked_before: usize,
}

impl<'a> Job<'a> {
    pub(crate) fn new(
        work: Work,
        contender: Contender,
        corpus: &'a mut Corpus,
        connections: usize,
    ) -> Self {
        let random = fastrand::Rng::with_seed(corpus.edits);
        let walked_before = corpus.walked;
        Self {
            work,
            dialect: contender.dialect(),
            corpus,
            random,
            turns: vec![0; connections],
            walked_before,
        }
    }

    /// The next slot for a write by `connection`. The slots of one connection are all
    /// alike modulo the number of connections, so no two connections share one.
    fn owned_slot(&mut self, connection: usize) -> usize {
        let connections = self.turns.len().max(1);
        let sample = self.corpus.sample_size();
        let usable = (sample - sample % connections).max(1);
        let Some(turn) = self.turns.get_mut(connection) else {
            return 0;
        };
        let slot = (self.walked_before + connection + *turn * connections) % usable;
        *turn += 1;
        self.corpus.walked += 1;
        slot
    }

    /// Checks what a right status promises besides.
    fn verify(&mut self, token: u64, response: &Response<'_>) -> Result<(), &'static str> {
        if !self.dialect.has_held(self.work, response) {
            return Err("the condition did not hold");
        }
        self.verify_length(token, response.content_bytes)?;
        let told = match self.work {
            Work::Get | Work::NotModified => self.dialect.tells() != Tells::Nothing,
            Work::Put | Work::Patch | Work::Create => self.dialect.tells() == Tells::ReadsAndWrites,
            Work::List | Work::Filter => false,
        };
        if !told {
            return Ok(());
        }
        let Some(tag) = self.dialect.tag(self.work, response) else {
            return Err("no ETag");
        };
        self.verify_tag(token, tag)
    }

    fn verify_length(&self, token: u64, content_bytes: usize) -> Result<(), &'static str> {
        let right = match self.work {
            Work::Get => self.dialect.document_bytes().contains(&content_bytes),
            Work::List | Work::Filter => {
                let (size, templates) = (self.corpus.size, &self.corpus.templates);
                let there = match self.work {
                    Work::Filter => templates.count_of(token, size),
                    _ => size,
                };
                let least = usize::try_from(there)
                    .unwrap_or(usize::MAX)
                    .min(PAGE_DOCUMENTS);
                let item = self.dialect.item_bytes();
                // Documents that were created meanwhile may be among them.
                let most = (PAGE_DOCUMENTS + 1) * item.end();
                (least * item.start()..=most).contains(&content_bytes)
            }
            _ => true,
        };
        if right {
            Ok(())
        } else {
            Err("a document or a list of another length")
        }
    }

    fn verify_tag(&mut self, token: u64, tag: &[u8]) -> Result<(), &'static str> {
        let slot = usize::try_from(token).unwrap_or(usize::MAX);
        let is_known = self.corpus.tag(slot).as_bytes() == tag;
        match self.work {
            Work::Get | Work::NotModified if token == UNKNOWN || is_known => Ok(()),
            Work::Get | Work::NotModified => Err("another ETag than the current one"),
            Work::Put | Work::Patch => {
                let learnt = self.corpus.learn(slot, Some(tag));
                match (is_known, learnt) {
                    (true, _) => Err("the same ETag as before: nothing was saved"),
                    (false, false) => Err("an ETag that is too long"),
                    (false, true) => Ok(()),
                }
            }
            Work::Create | Work::List | Work::Filter => Ok(()),
        }
    }

    /// Which document the next request of `connection` is about: its number, and the
    /// token that its answer is known by.
    fn choose(&mut self, connection: usize) -> (u64, u64) {
        match self.work {
            Work::Get if !self.corpus.is_whole() => (self.random.u64(..self.corpus.size), UNKNOWN),
            Work::Get | Work::NotModified => {
                let slot = self.random.usize(..self.corpus.sample_size());
                (self.corpus.number(slot), slot as u64)
            }
            Work::Put | Work::Patch => {
                let slot = self.owned_slot(connection);
                (self.corpus.number(slot), slot as u64)
            }
            Work::Create => {
                let number = self.corpus.size + self.corpus.created;
                self.corpus.created += 1;
                (number, number)
            }
            Work::List => (0, 0),
            Work::Filter => {
                let priority = u64::from(self.random.u8(PRIORITIES));
                (priority, priority)
            }
        }
    }
}

impl Source for Job<'_> {
    fn next(&mut self, connection: usize, wire: &mut Vec<u8>) -> Option<u64> {
        let (number, token) = self.choose(connection);
        self.corpus.edits += 1;
        let edit = self.corpus.edits;
        let tag = if self.work.needs_tag() {
            *self
                .corpus
                .tag(usize::try_from(token).unwrap_or(usize::MAX))
        } else {
            Tag::ANY
        };
        let Corpus {
            templates, host, ..
        } = &mut *self.corpus;
        let body = match self.work {
            Work::Put | Work::Create => templates.document(number, edit),
            Work::Patch => templates.patch(edit),
            Work::Get | Work::NotModified | Work::List | Work::Filter => &[],
        };
        let ask = Ask {
            work: self.work,
            number,
            host,
            tag: tag.as_bytes(),
            body,
        };
        self.dialect.request(&ask, wire);
        Some(token)
    }

    fn answered(&mut self, token: u64, response: &Response<'_>) -> Result<(), String> {
        let expected = self.dialect.status(self.work);
        if response.status != expected {
            if matches!(self.work, Work::Put | Work::Patch) {
                self.corpus
                    .learn(usize::try_from(token).unwrap_or(usize::MAX), None);
            }
            return Err(format!(
                "{}: {} instead of {expected}",
                self.work, response.status
            ));
        }
        self.verify(token, response)
            .map_err(|reason| format!("{}: {reason}", self.work))
    }

    fn refused(&mut self, _token: u64, response: &Response<'_>) -> bool {
        self.dialect.is_refusal(response)
    }
}

/// Begins a request. `host` is the value of `Host`, with the fields that are in every
/// request after it.
pub(crate) fn head(wire: &mut Vec<u8>, method: &str, number: u64, host: &str) {
    // Writing to a vector cannot fail.
    let _ = write!(
        wire,
        "{method} /bench/{number} HTTP/1.1\r\nHost: {host}\r\n"
    );
}

pub(crate) fn field(wire: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for piece in [name, b": ", value, b"\r\n"] {
        wire.extend_from_slice(piece);
    }
}

pub(crate) fn content(wire: &mut Vec<u8>, media_type: &str, body: &[u8]) {
    let length = body.len();
    // Writing to a vector cannot fail.
    let _ = write!(
        wire,
        "Content-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n"
    );
    wire.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn connections_never_share_a_document() {
        let mut corpus = Corpus::new(203, 203);
        for connections in [1, 16, 64] {
            let mut job = Job::new(Work::Put, Contender::Matchbook, &mut corpus, connections);
            let mut owners = HashMap::new();
            for _ in 0..500 {
                for connection in 0..connections {
                    let slot = job.owned_slot(connection);
                    assert_eq!(*owners.entry(slot).or_insert(connection), connection);
                }
            }
        }
    }

    #[test]
    fn an_unexpected_status_is_a_fault_and_forgets_the_tag() {
        let mut corpus = Corpus::new(4, 4);
        let mut job = Job::new(Work::Put, Contender::Matchbook, &mut corpus, 1);
        let mut answer = Response {
            status: 412,
            etag: Some(b"\"e-9\""),
            body: b"",
            content_bytes: 0,
            closes: false,
            wire_bytes: 0,
        };
        let mut wire = Vec::new();
        let token = job.next(0, &mut wire).unwrap();
        assert!(job.answered(token, &answer).is_err());
        let slot = usize::try_from(token).unwrap();
        assert_eq!(job.corpus.tag(slot).as_bytes(), b"*");
        answer.status = 204;
        assert!(job.answered(token, &answer).is_ok());
        assert_eq!(job.corpus.tag(slot).as_bytes(), b"\"e-9\"");
        assert!(
            job.answered(token, &answer).is_err(),
            "a save without a new tag"
        );
    }
}
