//! One number is everything: revisions, epochs, and the validators made of them
//! (contract §1).
//!
//! A [`Version`] is `<epoch>-<revision>`. In quotes it is a document's strong
//! entity tag (RFC 9110 §8.8.3); bare it is a cursor into the change log.
//!
//! Invariants:
//! 1. Within one history of the store, a later accepted write has a larger revision.
//! 2. No two openings of the data share an epoch.
//! 3. A version names the epoch *under which the revision was written*. With 1 and
//!    2, a version from a history that was lost never equals one of the history that
//!    took its place.

use std::fmt;
use std::str::FromStr;

/// Position of an accepted write in the change log; 0 is 'before the first write'.
///
/// Ordered and unique, not dense: nothing may compute the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(u64);

impl Revision {
    /// The position before every write.
    pub const ZERO: Self = Self(0);

    /// The largest revision: what a signed 64-bit column holds.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// Takes a number as a revision; `None` over [`Revision::MAX`].
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        if number <= Self::MAX.0 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The name of one run of the store: eight characters of `a-z2-7`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch([u8; Self::LENGTH]);

impl Epoch {
    /// Characters in a name. 40 random bits: among a thousand openings of the same
    /// data two share a name with a chance of one in two million.
    pub const LENGTH: usize = 8;

    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

    /// Makes the name that these random bits spell; the upper 24 bits are not used.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        let mut name = [b'a'; Self::LENGTH];
        for (place, character) in name.iter_mut().enumerate() {
            let index = (bits >> (5 * place)) as usize & 31;
            *character = Self::ALPHABET.get(index).copied().unwrap_or(b'a');
        }
        Self(name)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Both constructors admit ASCII only.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Epoch {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let name: [u8; Self::LENGTH] = text.as_bytes().try_into().map_err(|_| NotAVersion)?;
        if name.iter().all(|c| Self::ALPHABET.contains(c)) {
            Ok(Self(name))
        } else {
            Err(NotAVersion)
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

/// A revision together with the epoch under which it was written.
///
/// ```
/// use matchbook_core::tag::Version;
/// let version: Version = "k3v4q2ab-17".parse().unwrap_or_else(|_| unreachable!());
/// assert_eq!(version.revision.get(), 17);
/// assert_eq!(version.etag(), "\"k3v4q2ab-17\"");
/// assert!("k3v4q2ab-017".parse::<Version>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// The run of the store that wrote the revision.
    pub epoch: Epoch,
    /// The position in the change log.
    pub revision: Revision,
}

impl Version {
    /// The strong entity tag of the identity representation, with its quotes.
    #[must_use]
    pub fn etag(&self) -> String {
        self.text().etag().to_owned()
    }

    /// The version as text, made without an allocation: each answer needs it.
    #[must_use]
    pub fn text(&self) -> VersionText {
        let mut bytes = [b'"'; VersionText::BYTES];
        // Backwards, since the digits come out that way.
        let mut at = VersionText::BYTES - 1;
        let mut put = |byte| {
            at = at.saturating_sub(1);
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        };
        let mut rest = self.revision.get();
        loop {
            put(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        put(b'-');
        self.epoch.0.iter().rev().for_each(|byte| put(*byte));
        VersionText { bytes, begin: at }
    }
}

/// A [`Version`] as text.
#[derive(Clone, Copy, Debug)]
pub struct VersionText {
    /// The text at the end, between quotes.
    bytes: [u8; Self::BYTES],
    /// Where the text begins, behind its quote.
    begin: usize,
}

impl VersionText {
    /// Two quotes, an epoch, a hyphen, and the digits of the largest revision.
    const BYTES: usize = 2 + Epoch::LENGTH + 1 + 19;

    /// The strong entity tag, with its quotes.
    #[must_use]
    pub fn etag(&self) -> &str {
        self.from(self.begin.saturating_sub(1), Self::BYTES)
    }

    /// The opaque part of the tag, which is the cursor too.
    #[must_use]
    pub fn opaque(&self) -> &str {
        self.from(self.begin, Self::BYTES - 1)
    }

    fn from(&self, begin: usize, end: usize) -> &str {
        let text = self.bytes.get(begin..end).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().opaque())
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    /// Accepts only what [`Version`]'s `Display` writes, so that a version has one
    /// spelling.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let (epoch, number) = text.split_once('-').ok_or(NotAVersion)?;
        let canonical = number == "0" || !number.starts_with(['0', '+']);
        let revision = number
            .parse()
            .ok()
            .filter(|_| canonical)
            .and_then(Revision::new)
            .ok_or(NotAVersion)?;
        Ok(Self {
            epoch: epoch.parse()?,
            revision,
        })
    }
}

/// The text is no version of this server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAVersion;

impl fmt::Display for NotAVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not of the form <epoch>-<revision>")
    }
}

impl std::error::Error for NotAVersion {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_1_a_version_has_one_spelling() {
        let epoch: Epoch = "k3v4q2ab".parse().unwrap();
        for number in [0, 7, 10, 12_345, u64::from(u32::MAX), Revision::MAX.get()] {
            let revision = Revision::new(number).unwrap();
            let version = Version { epoch, revision };
            let text = format!("k3v4q2ab-{number}");
            assert_eq!(version.to_string(), text);
            assert_eq!(version.etag(), format!("\"{text}\""));
            assert_eq!(text.parse(), Ok(version));
        }
        let bad = [
            "",
            "-",
            "k3v4q2ab",
            "k3v4q2ab-",
            "k3v4q2ab-01",
            "k3v4q2ab-+1",
            "k3v4q2ab--1",
            "K3V4Q2AB-1",
            "k3v4q2a-1",
            "k3v4q2abc-1",
            "k3v4q2ab-1 ",
            "k3v4q2ab-9223372036854775808",
        ];
        for text in bad {
            assert_eq!(text.parse::<Version>(), Err(NotAVersion), "{text}");
        }
    }

    #[test]
    fn bits_spell_an_epoch() {
        assert_eq!(Epoch::from_bits(0).as_str(), "aaaaaaaa");
        assert_eq!(Epoch::from_bits(u64::MAX).as_str(), "77777777");
        assert_eq!(Epoch::from_bits(1).as_str(), "baaaaaaa");
    }
}
