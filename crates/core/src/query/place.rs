//! Places between items, and the page tokens that hold them (contract §6).
//!
//! A token is unpadded base64url (RFC 4648 §5) of: a format byte, the fingerprint, the
//! length of the key in two bytes, the key, the id. It is opaque, not secret: what it
//! holds is in the page that it came with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::fault::QueryFault;
use crate::limits::{SEGMENT_BYTES, SORT_KEY_BYTES};

/// The first byte of a token.
const FORMAT: u8 = 1;

/// Longest canonical segment: each byte percent-encoded.
const ID_BYTES: usize = 3 * SEGMENT_BYTES;

/// Longest token: well within a request target, with room for the rest of the query.
const TOKEN_BYTES: usize = (1 + 16 + 2 + SORT_KEY_BYTES + ID_BYTES).div_ceil(3) * 4;

/// A place between two items of an ordered list: where a page ended. Places are ordered
/// as the items of the list are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The [`order_key`](super::Query::order_key) of the last item.
    pub key: Vec<u8>,
    /// The last segment of its canonical path.
    pub id: String,
}

/// Names a filter, an order and a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// FNV-1a over lists of texts, each with its length. It guards against mistakes;
    /// a forged token reads no more than its forger may read.
    pub(super) fn of(lists: [&[&str]; 3]) -> Self {
        let mut hash = Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        for list in lists {
            hash.add(&(list.len() as u64).to_be_bytes());
            for text in list {
                hash.add(&(text.len() as u64).to_be_bytes());
                hash.add(text.as_bytes());
            }
        }
        hash
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte))
                .wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013B);
        }
    }
}

impl Place {
    /// The page token, for `_after`.
    #[must_use]
    pub fn token(&self, fingerprint: Fingerprint) -> String {
        let key_bytes = u16::try_from(self.key.len()).unwrap_or(u16::MAX);
        let mut token = vec![FORMAT];
        token.extend(fingerprint.0.to_be_bytes());
        token.extend(key_bytes.to_be_bytes());
        token.extend(self.key.iter().take(key_bytes.into()));
        token.extend(self.id.bytes());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Reads a page token, and what it was made for.
    ///
    /// # Errors
    /// [`QueryFault::Token`] if it is none.
    pub fn from_token(token: &str) -> Result<(Self, Fingerprint), QueryFault> {
        Self::read(token).ok_or(QueryFault::Token)
    }

    fn read(token: &str) -> Option<(Self, Fingerprint)> {
        if token.len() > TOKEN_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (&[FORMAT], rest) = bytes.split_first_chunk()? else {
            return None;
        };
        let (fingerprint, rest) = rest.split_first_chunk()?;
        let (key_bytes, rest) = rest.split_first_chunk()?;
        let (key, id) = rest.split_at_checked(u16::from_be_bytes(*key_bytes).into())?;
        let id = std::str::from_utf8(id).ok()?;
        let bounded = key.len() <= SORT_KEY_BYTES && id.len() <= ID_BYTES;
        let place = Self {
            key: key.to_owned(),
            id: id.to_owned(),
        };
        bounded.then_some((place, Fingerprint(u128::from_be_bytes(*fingerprint))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fingerprint(principal: &str) -> Fingerprint {
        Fingerprint::of([&["/a:eq=1"], &[], &[principal]])
    }

    #[test]
    fn the_largest_token_is_read_and_a_larger_one_is_not() {
        let mut place = Place {
            key: vec![0xFF; SORT_KEY_BYTES],
            id: "%FF".repeat(SEGMENT_BYTES),
        };
        let token = place.token(fingerprint("a"));
        assert!(token.len() <= TOKEN_BYTES);
        assert_eq!(
            Place::from_token(&token),
            Ok((place.clone(), fingerprint("a")))
        );
        place.id.push('x');
        let token = place.token(fingerprint("a"));
        assert_eq!(Place::from_token(&token), Err(QueryFault::Token));
    }

    #[test]
    fn fingerprints_tell_lists_apart() {
        let all = [
            Fingerprint::of([&[], &[], &[]]),
            Fingerprint::of([&["a"], &[], &[]]),
            Fingerprint::of([&[], &["a"], &[]]),
            Fingerprint::of([&[], &[], &["a"]]),
            Fingerprint::of([&["ab"], &[], &[]]),
            Fingerprint::of([&["a", "b"], &[], &[]]),
            Fingerprint::of([&[""], &[], &[]]),
        ];
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert_eq!(a == b, i == j);
            }
        }
    }

    proptest! {
        #[test]
        fn a_token_is_read_as_it_was_made(key in prop::collection::vec(any::<u8>(), 0..40), id in "[a-z%0-9]{1,20}", principal in "[a-z]{0,3}") {
            let place = Place { key, id };
            let token = place.token(fingerprint(&principal));
            prop_assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            prop_assert_eq!(Place::from_token(&token), Ok((place, fingerprint(&principal))));
        }

        #[test]
        fn what_is_no_token_is_refused(token in "[A-Za-z0-9_-]{0,60}|\\PC{0,10}") {
            if let Ok((place, fingerprint)) = Place::from_token(&token) {
                prop_assert_eq!(place.token(fingerprint), token);
            }
        }
    }
}
