//! gzip (RFC 1952) out of pieces that many readers share.
//!
//! A member is a head, deflate blocks (RFC 1951) and the sum of what they hold. Blocks
//! that end in a sync flush end at a byte, so a piece can stand behind any other. It may
//! refer back to text that every reader of it has just before it. That text can be given
//! anew each time, so that no compressor has to be kept for a channel or a reader.

use std::cell::RefCell;

use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress, Status};

use crate::content::OFFLOAD_BYTES;

/// How far a piece can refer back (RFC 1951 §2).
pub(super) const REACH_BYTES: usize = 32 * 1_024;

/// No flags, no time, no operating system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Longest block of bytes as they are (RFC 1951 §3.2.4).
const STORED_BYTES: usize = 65_535;

/// What is sent of a piece besides its text, if that is small.
const SPARE_BYTES: usize = 64;

/// The sum of some text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    crc: u32,
    pub(super) length: u64,
}

impl Sum {
    /// That of this and a text behind it.
    pub(super) fn and(self, text: &[u8]) -> Self {
        let mut hasher = Hasher::new_with_initial_len(self.crc, self.length);
        hasher.update(text);
        Self {
            length: hasher.total_len(),
            crc: hasher.finalize(),
        }
    }

    /// That of this and what lies between two places of a text, each known by the sum of
    /// what is before it.
    pub(super) fn and_between(self, from: Self, to: Self) -> Self {
        let length = to.length.saturating_sub(from.length);
        if length == 0 {
            return self;
        }
        // To append is linear: the part before `from` takes itself out.
        let mut hasher = Hasher::new_with_initial_len(self.crc ^ from.crc, 0);
        hasher.combine(&Hasher::new_with_initial_len(to.crc, length));
        Self {
            crc: hasher.finalize(),
            length: self.length.wrapping_add(length),
        }
    }
}

/// What a member begins with: the head, and a text as it is.
pub(super) fn begin(text: &str) -> Vec<u8> {
    let mut piece = head(Sum::default()).to_vec();
    stored_into(&mut piece, text.as_bytes(), false);
    piece
}

/// The head, if nothing was sent yet.
pub(super) fn head(sent: Sum) -> &'static [u8] {
    if sent.length == 0 { &HEAD } else { &[] }
}

/// What a member ends with: a last text as it is, and the sum of all.
pub(super) fn end(sent: Sum, text: &str) -> Vec<u8> {
    let mut piece = head(sent).to_vec();
    stored_into(&mut piece, text.as_bytes(), true);
    let sum = sent.and(text.as_bytes());
    piece.extend_from_slice(&sum.crc.to_le_bytes());
    // The length modulo 2^32 (RFC 1952 §2.3.1).
    piece.extend(sum.length.to_le_bytes().iter().take(4));
    piece
}

/// A text as it is.
pub(super) fn stored(text: &[u8]) -> Vec<u8> {
    let mut piece = Vec::with_capacity(text.len() + SPARE_BYTES);
    stored_into(&mut piece, text, false);
    piece
}

fn stored_into(piece: &mut Vec<u8>, text: &[u8], is_last: bool) {
    let (mut block, mut rest) = text.split_at(text.len().min(STORED_BYTES));
    loop {
        piece.push(u8::from(is_last && rest.is_empty()));
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        piece.extend_from_slice(&length.to_le_bytes());
        piece.extend_from_slice(&(!length).to_le_bytes());
        piece.extend_from_slice(block);
        if rest.is_empty() {
            return;
        }
        (block, rest) = rest.split_at(rest.len().min(STORED_BYTES));
    }
}

/// A text, compressed, that refers to nothing before it.
pub(super) fn alone(text: &[u8]) -> Vec<u8> {
    thread_local! {
        static DEFLATER: RefCell<Deflater> = RefCell::default();
    }
    DEFLATER.with_borrow_mut(|deflater| {
        deflater.begin(b"");
        deflater.piece(text).unwrap_or_else(|| stored(text))
    })
}

/// A place in the text of a channel: the channel, and the sum of what is before it.
pub(super) type Place = (u64, Sum);

/// A text, compressed, and how far it refers back. `before` gives what stands just before
/// this place, or the end of that.
///
/// Whoever goes on where it stopped needs no `before`, and a fifth of the time.
pub(super) fn next(
    place: Place,
    text: &[u8],
    before: impl FnOnce() -> Vec<u8>,
) -> (Vec<u8>, usize) {
    thread_local! {
        static DEFLATER: RefCell<(Option<Place>, Deflater)> = RefCell::default();
    }
    DEFLATER.with_borrow_mut(|(stopped, deflater)| {
        if stopped.take() != Some(place) {
            deflater.begin(&before());
        }
        let reach_bytes = deflater.known_bytes.min(REACH_BYTES);
        let Some(piece) = deflater.piece(text) else {
            return (stored(text), 0);
        };
        let (channel, sum) = place;
        *stopped = Some((channel, sum.and(text)));
        (piece, reach_bytes)
    })
}

/// A compressor: a quarter of a MiB, which takes longer to get than to clear.
struct Deflater {
    compress: Compress,
    /// How much it has seen that can be referred to.
    known_bytes: usize,
}

impl Default for Deflater {
    fn default() -> Self {
        Self {
            compress: Compress::new(Compression::default(), false),
            known_bytes: 0,
        }
    }
}

impl Deflater {
    /// Begins behind this text.
    fn begin(&mut self, before: &[u8]) {
        self.compress.reset();
        let set = self.compress.set_dictionary(before);
        self.known_bytes = set.map_or(0, |_| before.len());
    }

    /// The next text; `None`: it has to be sent as it is, and this one has to begin anew.
    fn piece(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        let begin = self.compress.total_in();
        let mut piece = Vec::with_capacity(text.len() + SPARE_BYTES);
        loop {
            let taken = usize::try_from(self.compress.total_in() - begin).ok()?;
            let rest = text.get(taken..)?;
            let status = self
                .compress
                .compress_vec(rest, &mut piece, FlushCompress::Sync);
            if piece.len() < piece.capacity() {
                self.known_bytes = self.known_bytes.saturating_add(text.len());
                return matches!(status, Ok(Status::Ok)).then_some(piece);
            }
            // What is larger than the text is of no use.
            if status.is_err() || piece.len() > text.len() + SPARE_BYTES {
                return None;
            }
            piece.reserve(SPARE_BYTES);
        }
    }
}

/// Does what takes the longer the larger it is, elsewhere if it is large. `None`: it was
/// not done.
pub(super) async fn offload<T: Send + 'static>(
    size_bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    if size_bytes < OFFLOAD_BYTES {
        return Some(work());
    }
    tokio::task::spawn_blocking(work).await.ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    fn decoded(member: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        GzDecoder::new(member).read_to_end(&mut text).unwrap();
        text
    }

    fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let words = prop::collection::vec("[ab]{1,3}", 0..400).prop_map(|words| words.concat());
        let noise = prop::collection::vec(any::<u8>(), 0..70_000);
        let text = prop_oneof![4 => words.prop_map(String::into_bytes), 1 => noise];
        prop::collection::vec(text, 0..8)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn pieces_make_a_member(texts in texts(), reach in 0..=REACH_BYTES) {
            let mut member = begin("x");
            let mut whole = b"x".to_vec();
            for (number, text) in texts.iter().enumerate() {
                // The one before stops where this one goes on, or not.
                let place = (number as u64 / 3, Sum::default().and(&whole));
                let from = whole.len().saturating_sub(reach);
                let (piece, reach_bytes) = next(place, text, || whole[from..].to_vec());
                prop_assert!(reach_bytes <= whole.len());
                member.extend(piece);
                whole.extend(text);
            }
            let sent = Sum::default().and(&whole);
            member.extend(end(sent, "end"));
            whole.extend(b"end");
            prop_assert_eq!(decoded(&member), whole);
        }

        #[test]
        fn sums_of_stretches_add_up(one in ".*", other in ".*", rest in ".*") {
            let from = Sum::default().and(one.as_bytes());
            let to = from.and(other.as_bytes());
            let sent = Sum::default().and(rest.as_bytes());
            prop_assert_eq!(sent.and_between(from, to), sent.and(other.as_bytes()));
        }
    }

    #[test]
    fn a_member_may_be_all_end() {
        assert_eq!(decoded(&end(Sum::default(), "end")), b"end");
        let long = "x".repeat(2 * STORED_BYTES + 1);
        assert_eq!(decoded(&end(Sum::default(), &long)), long.as_bytes());
    }

    #[test]
    fn what_was_there_before_costs_little() {
        let text: String = (0..200).map(|n| format!("{:x} ", n * n * 7_919)).collect();
        let text = text.as_bytes();
        let alone = alone(text).len();
        let mut place = (0, Sum::default());
        for expected_reach in [text.len(), 2 * text.len()] {
            let (piece, reach_bytes) = next(place, text, || text.to_vec());
            assert!(piece.len() * 10 < alone, "{} of {alone}", piece.len());
            assert_eq!(reach_bytes, expected_reach);
            place.1 = place.1.and(text);
        }
    }
}
