//! `Sec-Fetch-Site` (W3C Fetch Metadata §2.4): how the page that asks is related to
//! this server, according to the browser. Scripts cannot set it.
//!
//! ```text
//! Sec-Fetch-Site = "cross-site" / "same-origin" / "same-site" / "none"
//! ```
//!
//! `same-origin`

use super::{FieldFault, single};

/// Who makes the browser send a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecFetchSite {
    /// A page of this very origin.
    SameOrigin,
    /// A page of another origin under the same registrable domain.
    SameSite,
    /// A page of a foreign site.
    CrossSite,
    /// The user: an address typed, a bookmark.
    None,
}

impl SecFetchSite {
    /// Reads the lines of `Sec-Fetch-Site`. An unknown value is as good as no field,
    /// as Fetch Metadata §2 asks for the sake of later ones: `Origin` still decides.
    ///
    /// # Errors
    /// A [`FieldFault`] if there are several lines.
    pub fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<Option<Self>, FieldFault> {
        let line = single("Sec-Fetch-Site", lines)?.map(<[u8]>::trim_ascii);
        Ok(match line {
            Some(b"same-origin") => Some(Self::SameOrigin),
            Some(b"same-site") => Some(Self::SameSite),
            Some(b"cross-site") => Some(Self::CrossSite),
            Some(b"none") => Some(Self::None),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_values_and_nothing_else() {
        let cases: [(&[&[u8]], Option<SecFetchSite>); 10] = [
            (&[], None),
            (&[b"same-origin"], Some(SecFetchSite::SameOrigin)),
            (&[b"same-site"], Some(SecFetchSite::SameSite)),
            (&[b"cross-site"], Some(SecFetchSite::CrossSite)),
            (&[b" none "], Some(SecFetchSite::None)),
            (&[b""], None),
            (&[b"Same-Origin"], None),
            (&[b"same-origin;x"], None),
            (&[b"same-origin, none"], None),
            (&[b"\xff"], None),
        ];
        for (lines, expected) in cases {
            let read = SecFetchSite::parse(lines.iter().copied());
            assert_eq!(read, Ok(expected), "{lines:?}");
        }
        let twice = [b"none".as_slice(), b"none"];
        assert!(SecFetchSite::parse(twice.into_iter()).is_err());
    }
}
