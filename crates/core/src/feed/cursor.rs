//! Cursors: how far a reader of the change feed has come (contract §1, §7.3, §7.4).
//!
//! ```text
//! cursor   = version [ "." view ] [ "~" place ]
//! version  = epoch "-" revision        ; "k3v4q2ab-17"
//! view     = 13( a-z / 2-7 )           ; what its holder could see
//! place    = "" / shown / shown path   ; how far a snapshot has come
//! shown    = version                   ; how late its pieces may be
//! path     = the canonical path of a document, with "*" for "%"
//! ```
//!
//! `k3v4q2ab-17`, `k3v4q2ab-17~`, `k3v4q2ab-17~k3v4q2ab-21/notes/caf*C3*A9`,
//! `k3v4q2ab-18~k3v4q2ab-21`
//!
//! The pieces of a snapshot are later than its beginning. If an older copy of the data
//! comes back, a position may still be one of theirs while what was shown is not: so
//! both are told, until the position has come so far.
//!
//! Opaque to clients, who only hand it back. It stands unchanged and without escapes in
//! an `id:` line, in `Last-Event-ID`, in a JSON string, and in the query component of a
//! URL: a `%` there would be decoded once too often by whoever pastes it, and a
//! canonical path holds no `*`.

use std::fmt;
use std::str::FromStr;

use crate::limits::PATH_BYTES;
use crate::name::DocumentPath;
use crate::tag::Version;

/// How far a reader has come. Nothing may be concluded from one that a client sent: it
/// can be forged, so it leads to no more than its holder may read anyway.
///
/// ```
/// use matchbook_core::feed::Cursor;
/// let cursor: Cursor = "k3v4q2ab-17~k3v4q2ab-21/notes/9".parse()?;
/// assert_eq!(cursor.at.revision.get(), 17);
/// assert_eq!(cursor.to_string(), "k3v4q2ab-17~k3v4q2ab-21/notes/9");
/// # Ok::<(), matchbook_core::feed::NotACursor>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// All changes up to here were seen; or the snapshot began here.
    pub at: Version,
    /// How far the snapshot has come, while one is being read.
    pub snapshot: Option<SnapshotPlace>,
    /// What the holder could see; `None` is everything.
    pub view: Option<View>,
}

/// How far the reading of a snapshot, in key order, has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotPlace {
    /// Nothing was sent yet.
    Beginning,
    /// Some documents were sent.
    After {
        /// The last one.
        path: DocumentPath,
        /// They are as they were at this version or before.
        shown: Version,
    },
    /// All documents were sent, and not yet all that was changed meanwhile.
    Over {
        /// The documents are as they were at this version or before.
        shown: Version,
    },
}

impl SnapshotPlace {
    /// How late what was sent may be.
    #[must_use]
    pub const fn shown(&self) -> Option<Version> {
        match self {
            Self::Beginning => None,
            Self::After { shown, .. } | Self::Over { shown } => Some(*shown),
        }
    }
}

/// A hash of what the holder of a cursor could see (contract §7.7). Where it differs
/// from what the caller can see now, what the caller holds may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct View(u64);

impl Cursor {
    /// Longest cursor: two versions, a view, and a path of [`PATH_BYTES`], each of them
    /// percent-encoded.
    pub const MAX_BYTES: usize = 28 + 1 + View::LENGTH + 1 + 28 + 3 * PATH_BYTES;

    /// The plain position.
    #[must_use]
    pub const fn position(at: Version) -> Self {
        Self {
            at,
            snapshot: None,
            view: None,
        }
    }
}

impl From<Version> for Cursor {
    fn from(at: Version) -> Self {
        Self::position(at)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.at.text().opaque())?;
        if let Some(view) = self.view {
            write!(f, ".{view}")?;
        }
        match &self.snapshot {
            None => Ok(()),
            Some(SnapshotPlace::Beginning) => f.write_str("~"),
            Some(SnapshotPlace::After { path, shown }) => {
                let path = path.as_str().replace('%', "*");
                write!(f, "~{}{path}", shown.text().opaque())
            }
            Some(SnapshotPlace::Over { shown }) => write!(f, "~{}", shown.text().opaque()),
        }
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    /// Accepts only what [`Cursor`]'s `Display` writes, so that a cursor has one
    /// spelling.
    fn from_str(text: &str) -> Result<Self, NotACursor> {
        if text.len() > Self::MAX_BYTES {
            return Err(NotACursor);
        }
        let (position, place) = match text.split_once('~') {
            Some((position, place)) => (position, Some(place)),
            None => (text, None),
        };
        let (at, view) = match position.split_once('.') {
            Some((at, view)) => (at, Some(view)),
            None => (position, None),
        };
        Ok(Self {
            at: at.parse().map_err(|_| NotACursor)?,
            view: view.map(str::parse).transpose()?,
            snapshot: place.map(str::parse).transpose()?,
        })
    }
}

impl FromStr for SnapshotPlace {
    type Err = NotACursor;

    fn from_str(place: &str) -> Result<Self, NotACursor> {
        if place.is_empty() {
            return Ok(Self::Beginning);
        }
        let (shown, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        let shown = shown.parse().map_err(|_| NotACursor)?;
        if path.is_empty() {
            return Ok(Self::Over { shown });
        }
        let text = path.replace('*', "%");
        let canonical = DocumentPath::parse(&text).map_err(|_| NotACursor)?;
        if canonical.as_str() != text || path.contains('%') {
            return Err(NotACursor);
        }
        Ok(Self::After {
            path: canonical,
            shown,
        })
    }
}

impl View {
    /// Characters: 64 bits, five to a character.
    const LENGTH: usize = 13;

    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

    /// The view that hashes to these bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// The lowest bits first.
impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in 0..Self::LENGTH {
            let index = (self.0 >> (5 * place)) as usize & 31;
            let character = Self::ALPHABET.get(index).copied().unwrap_or(b'a');
            fmt::Write::write_char(f, char::from(character))?;
        }
        Ok(())
    }
}

impl FromStr for View {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        if text.len() != Self::LENGTH {
            return Err(NotACursor);
        }
        let mut bits = 0_u128;
        for character in text.bytes().rev() {
            let mut known = Self::ALPHABET.iter();
            let index = known.position(|known| *known == character);
            bits = bits << 5 | index.ok_or(NotACursor)? as u128;
        }
        // Thirteen characters could spell one bit more than there is.
        u64::try_from(bits).map(Self).map_err(|_| NotACursor)
    }
}

/// The text is no cursor of this server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotACursor;

impl fmt::Display for NotACursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a cursor that this server gave out")
    }
}

impl std::error::Error for NotACursor {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::text::quote_into;
    use crate::limits::SEGMENT_BYTES;
    use crate::tag::{Epoch, Revision};
    use proptest::prelude::*;

    #[test]
    fn section_7_3_a_cursor_tells_position_view_and_place() {
        let at: Version = "k3v4q2ab-17".parse().unwrap();
        let shown: Version = "aaaaaaaa-21".parse().unwrap();
        let after = |path| {
            let path = DocumentPath::parse(path).unwrap();
            Some(SnapshotPlace::After { path, shown })
        };
        let over = Some(SnapshotPlace::Over { shown });
        let cases = [
            ("k3v4q2ab-17", None, None),
            ("k3v4q2ab-17~", None, Some(SnapshotPlace::Beginning)),
            ("k3v4q2ab-17~aaaaaaaa-21", None, over.clone()),
            ("k3v4q2ab-17~aaaaaaaa-21/c/9", None, after("/c/9")),
            ("k3v4q2ab-17~aaaaaaaa-21/c/~.a~", None, after("/c/~.a~")),
            (
                "k3v4q2ab-17~aaaaaaaa-21/c/caf*C3*A9*2A",
                None,
                after("/c/caf%c3%a9*"),
            ),
            ("k3v4q2ab-17.aaaaaaaaaaaaa", Some(0), None),
            (
                "k3v4q2ab-17.baaaaaaaaaaaa~aaaaaaaa-21/c/9",
                Some(1),
                after("/c/9"),
            ),
            ("k3v4q2ab-17.baaaaaaaaaaaa~aaaaaaaa-21", Some(1), over),
            (
                "k3v4q2ab-17.777777777777p~",
                Some(u64::MAX),
                Some(SnapshotPlace::Beginning),
            ),
        ];
        for (text, view, snapshot) in cases {
            let view = view.map(View::from_bits);
            let cursor = Cursor { at, snapshot, view };
            assert_eq!(cursor.to_string(), text);
            assert_eq!(text.parse(), Ok(cursor));
        }
        assert_eq!(Cursor::from(at).to_string(), at.to_string());
    }

    #[test]
    fn section_7_4_what_no_server_wrote_is_malformed() {
        let bad = [
            "",
            "~",
            "17",
            "k3v4q2ab-",
            "k3v4q2ab-017",
            "k3v4q2ab-17 ",
            "\"k3v4q2ab-17\"",
            "k3v4q2ab-17+gzip",
            "k3v4q2ab-17,k3v4q2ab-18",
            "k3v4q2ab-9223372036854775808",
            "k3v4q2ab-17.",
            "k3v4q2ab-17.~",
            "k3v4q2ab-17.aaaaaaaaaaaa",
            "k3v4q2ab-17.aaaaaaaaaaaaaa",
            "k3v4q2ab-17.aaaaaaaaaaaaq",
            "k3v4q2ab-17.AAAAAAAAAAAAA",
            "k3v4q2ab-17.aaaaaaaaaaaaa.aaaaaaaaaaaaa",
            "k3v4q2ab-17.aaaaaaaaaaaa\u{e9}",
            "k3v4q2ab-17~/c/9",
            "k3v4q2ab-17~21/c/9",
            "k3v4q2ab-17~k3v4q2ab-021/c/9",
            "k3v4q2ab-17~k3v4q2ab-21~",
            "k3v4q2ab-17~k3v4q2ab-21.aaaaaaaaaaaaa",
            "k3v4q2ab-17~k3v4q2ab-21c/9",
            "k3v4q2ab-17~k3v4q2ab-21/",
            "k3v4q2ab-17~k3v4q2ab-21/c",
            "k3v4q2ab-17~k3v4q2ab-21/c/9/",
            "k3v4q2ab-17~k3v4q2ab-21/c//9/1",
            "k3v4q2ab-17~k3v4q2ab-21/c/..",
            "k3v4q2ab-17~k3v4q2ab-21/_/health",
            "k3v4q2ab-17~k3v4q2ab-21/c/*c3*a9",
            "k3v4q2ab-17~k3v4q2ab-21/c/*41",
            "k3v4q2ab-17~k3v4q2ab-21/c/%C3%A9",
            "k3v4q2ab-17~k3v4q2ab-21/c/*C3%A9",
            "k3v4q2ab-17~k3v4q2ab-21/c/\u{e9}",
            "k3v4q2ab-17~k3v4q2ab-21/c/a*",
            "k3v4q2ab-17~k3v4q2ab-21/c/a@b",
            "k3v4q2ab-17~k3v4q2ab-21/c/9\n",
            "k3v4q2ab-17~k3v4q2ab-21/c/9\0",
        ];
        for text in bad {
            assert_eq!(text.parse::<Cursor>(), Err(NotACursor), "{text}");
        }
    }

    #[test]
    fn the_largest_cursor_is_read_and_a_larger_one_is_not() {
        let segment = "*C3*A9".repeat(SEGMENT_BYTES / 2);
        let path = format!("/{segment}").repeat(4);
        let version = format!("k3v4q2ab-{}", Revision::MAX);
        let text = format!("{version}.777777777777p~{version}{path}");
        let cursor: Cursor = text.parse().unwrap();
        assert_eq!(cursor.to_string(), text);
        assert!(text.len() <= Cursor::MAX_BYTES && text.len() + 100 > Cursor::MAX_BYTES);
        let deeper = format!("{text}{path}");
        assert_eq!(deeper.parse::<Cursor>(), Err(NotACursor));
    }

    fn cursor() -> impl Strategy<Value = Cursor> {
        let segment = "[a-z0-9~._*%@ é😀-]{1,12}".prop_filter("dots", |segment| {
            segment.chars().any(|character| character != '.')
        });
        let place = prop::collection::vec(segment, 2..5).prop_map(|segments| {
            let even = segments.len() / 2 * 2;
            let encode =
                |segment: &String| segment.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let encoded: Vec<String> = segments.iter().take(even).map(encode).collect();
            DocumentPath::parse(&format!("/x{}", encoded.join("/"))).unwrap()
        });
        let version = || {
            (any::<u64>(), 0..=Revision::MAX.get()).prop_map(|(bits, number)| Version {
                epoch: Epoch::from_bits(bits),
                revision: Revision::new(number).unwrap(),
            })
        };
        let after = (place, version());
        let place = prop_oneof![
            Just(SnapshotPlace::Beginning),
            version().prop_map(|shown| SnapshotPlace::Over { shown }),
            after.prop_map(|(path, shown)| SnapshotPlace::After { path, shown }),
        ];
        let view = prop::option::of(any::<u64>().prop_map(View::from_bits));
        (version(), prop::option::of(place), view).prop_map(|(at, snapshot, view)| Cursor {
            at,
            snapshot,
            view,
        })
    }

    proptest! {
        #[test]
        fn a_cursor_is_read_as_it_was_written(cursor in cursor()) {
            let text = cursor.to_string();
            prop_assert!(text.len() <= Cursor::MAX_BYTES);
            // Nothing that a URL, a header field, a JSON string or an event would escape.
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~*/".contains(&byte)), "{}", text);
            let mut json = String::new();
            quote_into(&mut json, &text);
            prop_assert_eq!(json, format!("\"{text}\""));
            prop_assert_eq!(text.parse(), Ok(cursor));
        }

        #[test]
        fn a_cursor_has_one_spelling(text in "k3v4q2ab-[0-9]{1,3}(\\.[a-z2-7]{13})?(~([a-b]{8}-[0-9]{1,2})?(/[a-c]{1,2}){0,4}(\\*[0-9A-Fa-f]{2})?)?") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,40}|[a-z2-7.~*/%-]{0,40}") {
            let _ = text.parse::<Cursor>();
        }
    }
}
