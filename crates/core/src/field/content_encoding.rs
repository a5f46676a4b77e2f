//! The `Content-Encoding` of a request (RFC 9110 §8.4):
//!
//! ```text
//! Content-Encoding = #content-coding
//! ```
//!
//! `gzip`
//!
//! The server undoes gzip, once (contract §2). Codings on top of each other are
//! refused: each layer multiplies what a small body can grow to.
//!
//! `headers::ContentEncoding` only tells whether a coding is in the list.

use super::FieldFault;
use super::coding::Coding;
use super::cursor::Cursor;

/// How the body of a request is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentEncoding {
    /// Not at all: `identity`, or an empty field.
    Identity,
    /// gzip, once.
    Gzip,
    /// Something that the server does not undo (415).
    Unsupported,
}

impl ContentEncoding {
    /// What a 415 says in `Accept-Encoding`.
    pub const ACCEPTED: &'static str = "gzip, identity";

    /// Reads the lines of `Content-Encoding`.
    ///
    /// # Errors
    /// A [`FieldFault`] if the field is no list of tokens.
    pub fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<Option<Self>, FieldFault> {
        let mut codings = 0;
        let mut encoding = None;
        for line in lines {
            encoding = encoding.or(Some(Self::Identity));
            let mut cursor = Cursor::new(line);
            while cursor.next_element() {
                let token = cursor.token();
                let element = cursor.end_element().and(token).map_err(|_| FieldFault {
                    field: "Content-Encoding",
                    detail: "not a content coding; send 'gzip', or leave the field out",
                })?;
                codings += 1;
                encoding = Some(match Coding::from_token(element) {
                    _ if codings > 1 => Self::Unsupported,
                    Some(Coding::Identity) => Self::Identity,
                    Some(Coding::Gzip) => Self::Gzip,
                    _ => Self::Unsupported,
                });
            }
        }
        Ok(encoding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(lines: &[&str]) -> Result<Option<ContentEncoding>, FieldFault> {
        ContentEncoding::parse(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn section_2_gzip_and_identity_once() {
        use ContentEncoding::{Gzip, Identity, Unsupported};
        let cases: [(&[&str], Option<ContentEncoding>); 14] = [
            (&[], None),
            (&[""], Some(Identity)),
            (&["identity"], Some(Identity)),
            (&["gzip"], Some(Gzip)),
            (&["GZip"], Some(Gzip)),
            (&["x-gzip"], Some(Gzip)),
            (&[", gzip ,"], Some(Gzip)),
            (&["br"], Some(Unsupported)),
            (&["deflate"], Some(Unsupported)),
            (&["*"], Some(Unsupported)),
            (&["gzip, gzip"], Some(Unsupported)),
            (&["gzip, identity"], Some(Unsupported)),
            (&["gzip", "identity"], Some(Unsupported)),
            (&["br, gzip, gzip"], Some(Unsupported)),
        ];
        for (lines, expected) in cases {
            assert_eq!(parse(lines), Ok(expected), "{lines:?}");
        }
        for line in ["gzip br", "gzip;q=1", "\"gzip\"", "é"] {
            assert!(parse(&[line]).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(lines in prop::collection::vec(any::<Vec<u8>>(), 0..3)) {
            let _ = ContentEncoding::parse(lines.iter().map(Vec::as_slice));
        }
    }
}
