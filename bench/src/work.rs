//! The kinds of work: which requests are sent and which answers are right.

use std::fmt;
use std::io::Write;

use clap::ValueEnum;
use serde::Serialize;

use crate::contender::Contender;
use crate::corpus::Corpus;
use crate::document::DOCUMENT_BYTES;
use crate::load::Source;
use crate::response::Response;

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
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
}

impl fmt::Display for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Create => "create",
            Self::Get => "get",
            Self::NotModified => "304",
        })
    }
}

impl Work {
    fn expected_status(self, contender: Contender) -> u16 {
        match self {
            Self::Get => 200,
            Self::NotModified => 304,
            Self::Create if contender.stores() => 201,
            Self::Put | Self::Patch | Self::Create => 204,
        }
    }
}

/// Stands for a document whose tag is not known.
const UNKNOWN: u64 = u64::MAX;

/// One kind of work on one server over some connections.
pub(crate) struct Job<'a> {
    work: Work,
    contender: Contender,
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
            contender,
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
        if self.work == Work::Get && response.content_bytes != DOCUMENT_BYTES {
            return Err("a document of another length");
        }
        if !self.contender.stores() {
            return Ok(());
        }
        let Some(tag) = response.etag else {
            return Err("no ETag");
        };
        let slot = usize::try_from(token).unwrap_or(usize::MAX);
        match self.work {
            Work::Create => Ok(()),
            Work::Get | Work::NotModified => {
                let same = token == UNKNOWN || self.corpus.tag(slot).as_bytes() == tag;
                if same {
                    Ok(())
                } else {
                    Err("another ETag than the current one")
                }
            }
            Work::Put | Work::Patch => {
                let unchanged = self.corpus.tag(slot).as_bytes() == tag;
                let learnt = self.corpus.learn(slot, Some(tag));
                match (unchanged, learnt) {
                    (true, _) => Err("the same ETag as before: nothing was saved"),
                    (false, false) => Err("an ETag that is too long"),
                    (false, true) => Ok(()),
                }
            }
        }
    }
}

impl Source for Job<'_> {
    fn next(&mut self, connection: usize, wire: &mut Vec<u8>) -> Option<u64> {
        let token = match self.work {
            Work::Get if !self.corpus.is_whole() => {
                let number = self.random.u64(..self.corpus.size);
                head(wire, "GET", number, &self.corpus.host);
                UNKNOWN
            }
            Work::Get | Work::NotModified => {
                let slot = self.random.usize(..self.corpus.sample_size());
                head(wire, "GET", self.corpus.number(slot), &self.corpus.host);
                if self.work == Work::NotModified {
                    field(wire, b"If-None-Match", self.corpus.tag(slot).as_bytes());
                }
                slot as u64
            }
            Work::Put | Work::Patch => {
                let slot = self.owned_slot(connection);
                let method = if self.work == Work::Put {
                    "PUT"
                } else {
                    "PATCH"
                };
                head(wire, method, self.corpus.number(slot), &self.corpus.host);
                field(wire, b"If-Match", self.corpus.tag(slot).as_bytes());
                slot as u64
            }
            Work::Create => {
                let number = self.corpus.size + self.corpus.created;
                self.corpus.created += 1;
                head(wire, "PUT", number, &self.corpus.host);
                field(wire, b"If-None-Match", b"*");
                number
            }
        };
        self.body(token, wire);
        Some(token)
    }

    fn answered(&mut self, token: u64, response: &Response<'_>) -> Result<(), String> {
        let expected = self.work.expected_status(self.contender);
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
}

impl Job<'_> {
    /// Ends the head and appends the body, if there is one.
    fn body(&mut self, token: u64, wire: &mut Vec<u8>) {
        self.corpus.edits += 1;
        let edit = self.corpus.edits;
        match self.work {
            Work::Get | Work::NotModified => wire.extend_from_slice(b"\r\n"),
            Work::Patch => {
                content(
                    wire,
                    "application/merge-patch+json",
                    self.corpus.templates.patch(edit),
                );
            }
            Work::Put => {
                let number = self
                    .corpus
                    .number(usize::try_from(token).unwrap_or_default());
                let document = self.corpus.templates.document(number, edit);
                content(wire, "application/json", document);
            }
            Work::Create => {
                let document = self.corpus.templates.document(token, edit);
                content(wire, "application/json", document);
            }
        }
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
