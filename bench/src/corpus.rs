//! The documents that a server holds, as far as the generator knows them: how many
//! there are, and for a sample of them (all, where they are few) the current tag.
//!
//! The sample is in random order, and writes walk through it: no document is written
//! twice before all others were, and each connection owns the documents that it
//! writes, so that no save is ever stale.

use crate::document::Templates;

/// Longer than any tag that a server under test makes.
const TAG_BYTES_MAX: usize = 47;

/// An entity tag as sent, quotes included.
#[derive(Clone, Copy)]
pub(crate) struct Tag {
    length: u8,
    bytes: [u8; TAG_BYTES_MAX],
}

impl Tag {
    /// Fits every document. It stands for a tag that was lost with a failed request,
    /// so that one fault does not make others.
    pub(crate) const ANY: Self = Self::of(b"*");

    /// Has the length of a real one.
    const MADE_UP: Self = Self::of(b"\"k3v9x2ab-1000000\"");

    const fn of(text: &[u8]) -> Self {
        let mut bytes = [0; TAG_BYTES_MAX];
        let (head, _) = bytes.split_at_mut(text.len());
        head.copy_from_slice(text);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "both texts above are short"
        )]
        Self {
            length: text.len() as u8,
            bytes,
        }
    }

    fn learn(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; TAG_BYTES_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self {
            length: u8::try_from(text.len()).ok()?,
            bytes,
        })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

/// What one server holds.
pub(crate) struct Corpus {
    /// Documents `0..size` are there.
    pub(crate) size: u64,
    /// Made later, with the numbers from `size` on.
    pub(crate) created: u64,
    /// Every edit has a number of its own, so that no save is equal to the one before.
    pub(crate) edits: u64,
    /// How far writes have walked through the sample.
    pub(crate) walked: usize,
    pub(crate) templates: Templates,
    /// The value of `Host`, and what every request has after it ([`Corpus::with_field`]).
    pub(crate) host: String,
    numbers: Vec<u64>,
    tags: Vec<Tag>,
}

impl Corpus {
    /// Knows `sample` of the documents `0..size`.
    pub(crate) fn new(size: u64, sample: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(size);
        let count = usize::try_from(sample.min(size)).unwrap_or(usize::MAX);
        let mut numbers: Vec<u64> = if sample >= size {
            (0..size).collect()
        } else {
            // One from each of `count` equal ranges: none twice, and spread over all.
            let width = size / sample;
            (0..sample)
                .map(|index| index * width + random.u64(..width))
                .collect()
        };
        random.shuffle(&mut numbers);
        Self {
            size,
            created: 0,
            edits: 0,
            walked: 0,
            templates: Templates::new(),
            host: String::new(),
            numbers,
            tags: vec![Tag::MADE_UP; count],
        }
    }

    /// From now on every request has this field.
    pub(crate) fn with_field(&mut self, name: &str, value: &str) {
        self.host = format!("{}\r\n{name}: {value}", self.host);
    }

    /// How many documents the sample has.
    pub(crate) fn sample_size(&self) -> usize {
        self.numbers.len()
    }

    /// Whether the sample is all there is.
    pub(crate) fn is_whole(&self) -> bool {
        self.numbers.len() as u64 == self.size
    }

    /// The number of the document at `slot` of the sample.
    pub(crate) fn number(&self, slot: usize) -> u64 {
        self.numbers.get(slot).copied().unwrap_or_default()
    }

    /// The tag of the document at `slot` of the sample.
    pub(crate) fn tag(&self, slot: usize) -> &Tag {
        self.tags.get(slot).unwrap_or(&Tag::ANY)
    }

    /// Keeps the new tag of the document at `slot`; false if there is none to keep.
    pub(crate) fn learn(&mut self, slot: usize, tag: Option<&[u8]>) -> bool {
        let learnt = tag.and_then(Tag::learn);
        if let Some(kept) = self.tags.get_mut(slot) {
            *kept = learnt.unwrap_or(Tag::ANY);
        }
        learnt.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_no_document_twice_and_none_that_is_not_there() {
        for (size, sample) in [(10, 10), (10, 99), (1_000, 100), (1_003, 100)] {
            let corpus = Corpus::new(size, sample);
            let mut numbers = corpus.numbers.clone();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len() as u64, sample.min(size));
            assert!(numbers.iter().all(|&number| number < size));
            assert_eq!(corpus.is_whole(), sample >= size);
        }
    }

    #[test]
    fn a_tag_is_kept_as_sent_and_a_missing_one_fits_all() {
        let mut corpus = Corpus::new(2, 2);
        assert!(corpus.learn(1, Some(b"\"e-7\"")));
        assert_eq!(corpus.tag(1).as_bytes(), b"\"e-7\"");
        assert!(!corpus.learn(1, None));
        assert_eq!(corpus.tag(1).as_bytes(), b"*");
        assert!(!corpus.learn(1, Some(&[b'x'; 99])));
    }
}
