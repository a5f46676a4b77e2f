//! `If-Range` (RFC 9110 §13.1.5): the part if nothing changed, otherwise the whole.
//!
//! ```text
//! If-Range = entity-tag / HTTP-date
//! ```
//!
//! `"k3v4q2ab-17"`
//!
//! A weak tag parses and never matches. A date matches only if it equals
//! `Last-Modified` and is a strong validator, which one of whole seconds seldom is
//! (RFC 9110 §8.8.2.2).

use super::entity_tag::EntityTag;
use super::http_date::HttpDate;
use super::{FieldFault, single};

/// What `If-Range` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfRange<'a> {
    /// To be compared strongly with the entity tag of the selected representation.
    Tag(EntityTag<'a>),
    /// To be compared for equality with its `Last-Modified`.
    Date(HttpDate),
}

impl<'a> IfRange<'a> {
    /// Reads the lines of `If-Range`.
    ///
    /// # Errors
    /// A [`FieldFault`] if there are several lines, or the line is neither one entity
    /// tag nor a date.
    pub fn parse(lines: impl Iterator<Item = &'a [u8]>) -> Result<Option<Self>, FieldFault> {
        const FIELD: &str = "If-Range";
        let Some(line) = single(FIELD, lines)?.map(<[u8]>::trim_ascii) else {
            return Ok(None);
        };
        if let Some(date) = HttpDate::read(line) {
            return Ok(Some(Self::Date(date)));
        }
        EntityTag::parse(FIELD, line).map(|tag| Some(Self::Tag(tag)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tag_or_a_date() {
        let parse =
            |lines: &[&'static str]| IfRange::parse(lines.iter().map(|line| line.as_bytes()));
        let tag = |text: &'static str| EntityTag::parse("ETag", text.as_bytes()).unwrap();
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(parse(&[]), Ok(None));
        for text in [r#""a""#, r#"W/"a""#] {
            assert_eq!(parse(&[text]), Ok(Some(IfRange::Tag(tag(text)))));
        }
        let read = HttpDate::read(date.as_bytes()).unwrap();
        assert_eq!(parse(&[date]), Ok(Some(IfRange::Date(read))));
        let bad: [&[&str]; 8] = [
            &[""],
            &["*"],
            &["a"],
            &[r#""a", "b""#],
            &[r#"w/"a""#],
            &["Mon, 06 Nov 1994 08:49:37 GMT"],
            &[r#""a""#, r#""a""#],
            &[date, date],
        ];
        for lines in bad {
            assert!(parse(lines).is_err(), "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(line in any::<Vec<u8>>()) {
            let _ = IfRange::parse(std::iter::once(line.as_slice()));
        }
    }
}
