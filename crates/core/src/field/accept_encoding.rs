//! `Accept-Encoding` (RFC 9110 §12.5.3): which content codings a client can undo.
//!
//! ```text
//! Accept-Encoding = #( codings [ weight ] )
//! codings         = content-coding / "identity" / "*"
//! ```
//!
//! `gzip;q=0.8, br, identity;q=0.1`
//!
//! Codings that this server does not write are skipped; of one that is named twice
//! the first counts. Without the field a client may get any coding; the server then
//! chooses identity, which all can read.
//!
//! The `headers` crate has no `Accept-Encoding`.

use super::FieldFault;
use super::coding::Coding;
use super::cursor::Cursor;
use super::quality::Quality;

/// The weights that a client gave to the codings the server knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptEncoding {
    identity: Option<Quality>,
    gzip: Option<Quality>,
    brotli: Option<Quality>,
    zstd: Option<Quality>,
    /// What `*` gives to those that are not named.
    others: Option<Quality>,
}

impl AcceptEncoding {
    /// Reads the lines of `Accept-Encoding`.
    ///
    /// # Errors
    /// A [`FieldFault`] if an element is no coding, or its weight is no number from 0
    /// to 1 with at most three decimals.
    pub fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<Option<Self>, FieldFault> {
        let mut accepted = None;
        for line in lines {
            let accepted = accepted.get_or_insert_with(Self::default);
            let mut cursor = Cursor::new(line);
            while cursor.next_element() {
                let (token, quality) = read_element(&mut cursor).ok_or(FieldFault {
                    field: "Accept-Encoding",
                    detail: "not a list of content codings; send one as 'gzip, br;q=0.5'",
                })?;
                if let Some(slot) = accepted.slot(token) {
                    slot.get_or_insert(quality);
                }
            }
        }
        Ok(accepted)
    }

    fn slot(&mut self, token: &[u8]) -> Option<&mut Option<Quality>> {
        if token == b"*" {
            return Some(&mut self.others);
        }
        Some(match Coding::from_token(token)? {
            Coding::Identity => &mut self.identity,
            Coding::Gzip => &mut self.gzip,
            Coding::Brotli => &mut self.brotli,
            Coding::Zstd => &mut self.zstd,
        })
    }

    /// How much a coding is wanted. Identity is acceptable unless it is ruled out,
    /// and where nothing names it, less than all that is.
    #[must_use]
    pub fn quality(&self, coding: Coding) -> Quality {
        let (named, otherwise) = match coding {
            Coding::Identity => (self.identity, Quality::LEAST),
            Coding::Gzip => (self.gzip, Quality::ZERO),
            Coding::Brotli => (self.brotli, Quality::ZERO),
            Coding::Zstd => (self.zstd, Quality::ZERO),
        };
        named.or(self.others).unwrap_or(otherwise)
    }

    /// The coding that is wanted most, the earlier one of two that are wanted
    /// equally: `available` is in the server's order. `None` if none can be used
    /// (406).
    #[must_use]
    pub fn choose(&self, available: &[Coding]) -> Option<Coding> {
        let mut best = None;
        let mut best_quality = Quality::ZERO;
        for &coding in available {
            let quality = self.quality(coding);
            if quality > best_quality {
                (best, best_quality) = (Some(coding), quality);
            }
        }
        best
    }
}

fn read_element<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a [u8], Quality)> {
    let token = cursor.token().ok()?;
    let quality = match cursor.parameter().ok()? {
        None => Quality::ONE,
        Some((name, value)) if name.eq_ignore_ascii_case(b"q") => Quality::read(value)?,
        Some(_) => return None,
    };
    cursor.end_element().ok()?;
    Some((token, quality))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SERVER: [Coding; 4] = [Coding::Brotli, Coding::Zstd, Coding::Gzip, Coding::Identity];

    fn parse(lines: &[&str]) -> Result<Option<AcceptEncoding>, FieldFault> {
        AcceptEncoding::parse(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn the_coding_that_is_wanted_most() {
        use Coding::{Brotli, Gzip, Identity, Zstd};
        let cases: [(&[&str], Option<Coding>); 27] = [
            (&[""], Some(Identity)),
            (&[","], Some(Identity)),
            (&["gzip"], Some(Gzip)),
            (&["GZIP"], Some(Gzip)),
            (&["x-gzip"], Some(Gzip)),
            (&["gzip, deflate, br, zstd"], Some(Brotli)),
            (&["gzip, zstd"], Some(Zstd)),
            (&["gzip", "br;q=0.5"], Some(Gzip)),
            (&["gzip;q=0.5, br;q=0.5"], Some(Brotli)),
            (&["gzip;q=0.001"], Some(Gzip)),
            (&["gzip ; Q=0.5 , br;q=0.6"], Some(Brotli)),
            (&["gzip;q=0"], Some(Identity)),
            (&["gzip;q=0.5, identity"], Some(Identity)),
            (&["gzip;q=0.5, identity;q=0.5"], Some(Gzip)),
            (&["deflate, compress"], Some(Identity)),
            (&["*"], Some(Brotli)),
            (&["*, br;q=0.1"], Some(Zstd)),
            (&["*;q=0"], None),
            (&["*;q=0, gzip"], Some(Gzip)),
            (&["*;q=0, identity;q=0.1"], Some(Identity)),
            (&["identity;q=0"], None),
            (&["identity;q=0, gzip;q=0.1"], Some(Gzip)),
            (&["identity;q=0, *"], Some(Brotli)),
            (&["identity;q=0, deflate"], None),
            (&["gzip;q=0, gzip, x-gzip"], Some(Identity)),
            (&["identity"], Some(Identity)),
            (&["gzip;"], Some(Gzip)),
        ];
        for (lines, expected) in cases {
            let accepted = parse(lines).unwrap().unwrap();
            assert_eq!(accepted.choose(&SERVER), expected, "{lines:?}");
        }
        assert_eq!(parse(&[]), Ok(None));
        let any = parse(&["*"]).unwrap().unwrap();
        assert_eq!(any.choose(&[]), None);
    }

    #[test]
    fn malformed_lists() {
        let cases = [
            "gzip br",
            "gzip;q=",
            "gzip;q=1.5",
            "gzip;q=0.1234",
            "gzip;q=0.5;q=1",
            "gzip;level=9",
            "gzip q=0.5",
            "\"gzip\"",
            ";q=1",
            "é",
        ];
        for line in cases {
            assert!(parse(&[line]).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(lines in prop::collection::vec(any::<Vec<u8>>(), 0..3)) {
            let _ = AcceptEncoding::parse(lines.iter().map(Vec::as_slice));
        }

        #[test]
        fn near_misses_do_not_panic(line in "((gzip|br|identity|\\*|;q=|0\\.5|0|1|,| ){0,9})") {
            if let Ok(Some(accepted)) = parse(&[&line]) {
                let chosen = accepted.choose(&SERVER);
                prop_assert!(chosen.is_none_or(|c| accepted.quality(c).is_acceptable()));
            }
        }
    }
}
