//! What a channel keeps of its frames.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use matchbook_core::feed::EndReason;
use matchbook_core::tag::{Revision, Version};
use tokio::time::Instant;

use super::blocks::Blocks;
use super::gzip::{self, REACH_BYTES, Sum};

/// Frames of a channel: more than the largest batch of the heaviest writer makes while
/// a reader's turn comes.
pub(super) const FRAMES: usize = 8_192;

/// Bytes of a channel's frames, of which the last is kept however large it is.
const FRAMES_BYTES: usize = 8 * 1_024 * 1_024;

/// How long a frame is kept. A reader that does not take it by then does not keep up.
const KEPT: Duration = Duration::from_secs(30);

pub(super) struct Ring {
    pub(super) frames: VecDeque<Frame>,
    bytes: usize,
    /// Number of the first frame, counted from the channel's beginning.
    pub(super) first: u64,
    /// Every change after this is in a frame, as far as the follower has come.
    pub(super) begin: Revision,
    pub(super) last_frame: Instant,
    /// The position that was told last, and when.
    pub(super) bookmark: (Version, Instant),
    /// Why and until when all are sent away.
    pub(super) end: Option<(EndReason, u32)>,
    /// The sum of all frames from the channel's beginning.
    sum: Sum,
}

/// Blocks, and what readers of gzip get in their place.
pub(super) struct Encoded {
    pub(super) blocks: Blocks,
    /// `None` where nobody reads gzip.
    pub(super) compressed: Option<Compressed>,
}

/// Compressed blocks for readers who have what they refer to.
#[derive(Clone)]
pub(super) struct Compressed {
    pub(super) blocks: Blocks,
    /// How many bytes of the frames just before they refer to.
    pub(super) reach_bytes: u64,
}

pub(super) struct Frame {
    /// The position with it. A reader that is there already skips changes, and one that is
    /// further skips what tells that the line is alive, too.
    pub(super) position: Version,
    /// Whether it tells of changes.
    pub(super) is_changes: bool,
    pub(super) blocks: Blocks,
    compressed: Option<Compressed>,
    /// For readers of gzip who came too late for the other form.
    alone: Option<Arc<OnceLock<Blocks>>>,
    /// The sum of all frames before it.
    begin: Sum,
    /// That with it.
    end: Sum,
    made: Instant,
}

impl Ring {
    pub(super) fn new(position: Version, now: Instant) -> Self {
        Self {
            frames: VecDeque::new(),
            bytes: 0,
            first: 0,
            begin: position.revision,
            last_frame: now,
            bookmark: (position, now),
            end: None,
            sum: Sum::default(),
        }
    }

    /// Adds the changes up to a position.
    pub(super) fn push(&mut self, content: Encoded, position: Version) {
        self.add(content, position, true);
    }

    /// Adds what tells that the line is alive, and how far the log has come.
    pub(super) fn push_sign(&mut self, content: Encoded, position: Version) {
        self.add(content, position, false);
    }

    fn add(&mut self, content: Encoded, position: Version, is_changes: bool) {
        let made = Instant::now();
        let begin = self.sum;
        self.sum = begin.and(content.blocks.content());
        let frame = Frame {
            position,
            is_changes,
            blocks: content.blocks,
            compressed: content.compressed,
            alone: None,
            begin,
            end: self.sum,
            made,
        };
        self.bytes += frame.len();
        self.frames.push_back(frame);
        self.last_frame = made;
        while self.frames.len() > FRAMES || (self.bytes > FRAMES_BYTES && self.frames.len() > 1) {
            self.drop_first();
        }
    }

    pub(super) fn forget(&mut self, now: Instant) {
        while let Some(frame) = self.frames.front()
            && now.duration_since(frame.made) >= KEPT
        {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(frame) = self.frames.pop_front() {
            self.bytes -= frame.len();
            self.first += 1;
            if frame.is_changes {
                self.begin = frame.position.revision;
            }
        }
    }

    /// The sum of all frames from the channel's beginning.
    pub(super) fn sum(&self) -> Sum {
        self.sum
    }

    /// The end of what the frames hold that there are.
    pub(super) fn last_content(&self, most_bytes: usize) -> Vec<u8> {
        let mut parts = Vec::new();
        let mut left = most_bytes;
        for frame in self.frames.iter().rev() {
            let content = frame.blocks.content();
            let from = content.len().saturating_sub(left);
            parts.push(content.get(from..).unwrap_or_default());
            left = left.saturating_sub(content.len());
            if left == 0 {
                break;
            }
        }
        parts.reverse();
        parts.concat()
    }
}

impl Frame {
    fn len(&self) -> usize {
        let compressed = self.compressed.as_ref();
        self.blocks.len() + compressed.map_or(0, |compressed| compressed.blocks.len())
    }
}

/// The frames that a reader of gzip has taken.
#[derive(Default)]
pub(super) struct Run {
    /// Those before a gap: their sum.
    earlier: Sum,
    /// Those without a gap: the sum of the channel's frames before them, and with them.
    begin: Sum,
    end: Sum,
    /// The number of the frame behind them.
    next: u64,
}

/// What a reader of gzip gets for a frame.
pub(super) enum Form {
    Compressed(Blocks),
    /// Made by the first who wants it, of these blocks.
    Alone(Arc<OnceLock<Blocks>>, Blocks),
}

impl Run {
    /// Takes the frame with this number.
    pub(super) fn take(&mut self, number: u64, frame: &mut Frame) -> Form {
        if number != self.next {
            self.earlier = self.sum_after(Sum::default());
            (self.begin, self.end) = (frame.begin, frame.begin);
        }
        let known_bytes = self.end.length - self.begin.length;
        self.end = frame.end;
        self.next = number + 1;
        match &frame.compressed {
            Some(compressed) if compressed.reach_bytes <= known_bytes => {
                Form::Compressed(compressed.blocks.clone())
            }
            _ => {
                let alone = frame.alone.get_or_insert_default();
                Form::Alone(Arc::clone(alone), frame.blocks.clone())
            }
        }
    }

    /// The sum of all that were taken, after what was sent before them.
    pub(super) fn sum_after(&self, sent: Sum) -> Sum {
        sent.and_between(Sum::default(), self.earlier)
            .and_between(self.begin, self.end)
    }
}

impl Form {
    pub(super) fn into_blocks(self) -> Blocks {
        match self {
            Self::Compressed(blocks) => blocks,
            Self::Alone(alone, blocks) => {
                let made = alone.get_or_init(|| {
                    let text = blocks.content();
                    // A large one was compressed without what is before it, if somebody
                    // read gzip when it came. There is no time for that here.
                    Blocks::new(if text.len() < REACH_BYTES {
                        gzip::alone(text)
                    } else {
                        gzip::stored(text)
                    })
                });
                made.clone()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames that need all that is before them.
    fn ring(texts: &[&str]) -> Ring {
        let position = "aaaaaaaa-1".parse().unwrap();
        let mut ring = Ring::new(position, Instant::now());
        for text in texts {
            let compressed = Compressed {
                blocks: Blocks::new("compressed"),
                reach_bytes: ring.last_content(REACH_BYTES).len() as u64,
            };
            let content = Encoded {
                blocks: Blocks::new(text),
                compressed: Some(compressed),
            };
            ring.push_sign(content, position);
        }
        ring
    }

    fn is_compressed(form: Form) -> bool {
        matches!(form, Form::Compressed(_))
    }

    #[test]
    fn what_was_not_taken_is_not_referred_to_nor_counted() {
        let mut ring = ring(&["one", "two", "three", "four"]);
        let frames = ring.frames.make_contiguous();
        let mut run = Run::default();
        assert!(is_compressed(run.take(0, &mut frames[0])));
        assert!(is_compressed(run.take(1, &mut frames[1])));
        assert!(!is_compressed(run.take(3, &mut frames[3])));
        let sent = Sum::default().and(b"before");
        assert_eq!(run.sum_after(sent), sent.and(b"onetwofour"));
        let mut late = Run::default();
        assert!(!is_compressed(late.take(1, &mut frames[1])));
        assert!(!is_compressed(late.take(2, &mut frames[2])));
        assert_eq!(late.sum_after(sent), sent.and(b"twothree"));
        assert_eq!(Run::default().sum_after(sent), sent);
    }

    #[test]
    fn what_can_be_referred_to_is_the_end() {
        let ring = ring(&["one", "two"]);
        assert_eq!(ring.last_content(100), b"onetwo");
        assert_eq!(ring.last_content(4), b"etwo");
        assert_eq!(ring.last_content(2), b"wo");
    }
}
