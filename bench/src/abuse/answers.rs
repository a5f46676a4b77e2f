//! What the server said on one connection: the statuses of HTTP/1.1, or the end of
//! HTTP/2. It need not be understood in full, only counted.

use std::collections::BTreeMap;

use super::crowd::Toll;

/// Begins every answer of HTTP/1.1, and has the three digits of the status after it.
const BEGIN: &[u8] = b"HTTP/1.1 ";

const STATUS_DIGITS: usize = 3;

/// The frames of HTTP/2 that are kept: its end is told within them.
const FRAMES_BYTES: usize = 64 * 1024;

/// The bytes before a frame's payload, and the type that ends a connection (RFC 9113
/// §4.1, §6.8).
const FRAME_HEAD_BYTES: usize = 9;
const GOAWAY: u8 = 7;

/// As far as they have arrived.
#[derive(Debug, Default)]
pub(super) struct Answers {
    statuses: BTreeMap<u16, u64>,
    /// What could be the beginning of an answer, of the piece before.
    tail: Vec<u8>,
    /// The beginning of what is not HTTP/1.1.
    frames: Vec<u8>,
    is_http_1: Option<bool>,
}

impl Answers {
    pub(super) fn feed(&mut self, piece: &[u8]) {
        let is_http_1 = *self
            .is_http_1
            .get_or_insert_with(|| piece.starts_with(b"HTTP/"));
        if is_http_1 {
            self.tail.extend_from_slice(piece);
            let mut done = 0;
            for at in memchr::memmem::find_iter(&self.tail, BEGIN) {
                let digits = at + BEGIN.len();
                let Some(status) = self.tail.get(digits..digits + STATUS_DIGITS) else {
                    break;
                };
                done = digits + STATUS_DIGITS;
                let status = std::str::from_utf8(status).unwrap_or_default();
                let status = status.parse().unwrap_or_default();
                *self.statuses.entry(status).or_default() += 1;
            }
            let kept = BEGIN.len() + STATUS_DIGITS - 1;
            let from = self.tail.len().saturating_sub(kept).max(done);
            self.tail.drain(..from);
        } else {
            let room = FRAMES_BYTES.saturating_sub(self.frames.len());
            let piece = piece.get(..room).unwrap_or(piece);
            self.frames.extend_from_slice(piece);
        }
    }

    /// Whether there is a GOAWAY that names an error.
    fn went_away(&self) -> bool {
        let mut rest = self.frames.as_slice();
        while let Some((head, after)) = rest.split_at_checked(FRAME_HEAD_BYTES) {
            let [high, middle, low, kind, ..] = *head else {
                return false;
            };
            let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            let Some((payload, after)) = after.split_at_checked(length) else {
                return false;
            };
            if kind == GOAWAY && payload.get(4..8).is_some_and(|code| code != [0; 4]) {
                return true;
            }
            rest = after;
        }
        false
    }

    pub(super) fn add_to(&self, toll: &mut Toll) {
        for (status, count) in &self.statuses {
            *toll.answers.entry(*status).or_default() += count;
        }
        toll.goaways += u64::from(self.went_away());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toll(pieces: &[&[u8]]) -> Toll {
        let (mut answers, mut toll) = (Answers::default(), Toll::default());
        for piece in pieces {
            answers.feed(piece);
        }
        answers.add_to(&mut toll);
        toll
    }

    #[test]
    fn statuses_are_counted_wherever_they_are_cut() {
        let text = b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 431 Too large\r\n\r\nHTTP/1.1 204 ";
        for cut in 5..text.len() {
            let (begin, end) = text.split_at(cut);
            let found = toll(&[begin, end]);
            assert_eq!(found.answers, BTreeMap::from([(204, 2), (431, 1)]), "{cut}");
        }
    }

    #[test]
    fn the_end_of_http_2_counts_if_it_names_an_error() {
        let goaway = |code: u8| [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, code];
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        assert_eq!(toll(&[&settings, &goaway(11)]).goaways, 1);
        assert_eq!(toll(&[&settings, &goaway(0)]).goaways, 0);
        assert_eq!(toll(&[&settings, &goaway(11)[..16]]).goaways, 0);
    }
}
