//! `Accept` (RFC 9110 §12.5.1): which media types a client can use.
//!
//! ```text
//! Accept      = #( media-range [ weight ] )
//! media-range = ( "*/*" / ( type "/" "*" ) / ( type "/" subtype ) ) parameters
//! ```
//!
//! `application/json, text/*;q=0.5, */*;q=0.1`
//!
//! The most specific range that matches a type gives its weight. No field, or an
//! empty one, accepts everything. A parameter of a range must be in the type too,
//! except `charset`: all that the server makes is UTF-8, and clients ask JSON for it
//! although JSON has none. A lone `*` is read as `*/*`, since clients on the older
//! `java.net.HttpURLConnection` send it.
//!
//! The `headers` crate has no `Accept`.

use super::FieldFault;
use super::cursor::{Cursor, Parameter, Unexpected, span, unquoted};
use super::media_type::{MediaType, parameters};
use super::quality::Quality;

/// What a client accepts. [`Accept::default`] is everything: what no field says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accept<'a> {
    /// `None`: everything. It lies inline: most clients send one range.
    first: Option<Range<'a>>,
    more: Vec<Range<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range<'a> {
    type_: &'a [u8],
    subtype: &'a [u8],
    /// The parameters as sent, the weight among them.
    parameters: &'a [u8],
    quality: Quality,
}

impl<'a> Accept<'a> {
    /// Reads the lines of `Accept`.
    ///
    /// # Errors
    /// A [`FieldFault`] if an element is no media range, or its weight is no number
    /// from 0 to 1 with at most three decimals.
    pub fn parse(lines: impl Iterator<Item = &'a [u8]>) -> Result<Option<Self>, FieldFault> {
        let mut lines = lines.peekable();
        if lines.peek().is_none() {
            return Ok(None);
        }
        let mut accept = Self::default();
        for line in lines {
            let mut cursor = Cursor::new(line);
            while cursor.next_element() {
                let range = Range::read(&mut cursor).map_err(|detail| FieldFault {
                    field: "Accept",
                    detail,
                })?;
                match accept.first {
                    None => accept.first = Some(range),
                    Some(_) => accept.more.push(range),
                }
            }
        }
        Ok(Some(accept))
    }

    /// How much a representation of this type is wanted.
    #[must_use]
    pub fn quality(&self, media: &MediaType<'_>) -> Quality {
        let Some(first) = &self.first else {
            return Quality::ONE;
        };
        let mut best = (0, Quality::ZERO);
        for range in std::iter::once(first).chain(&self.more) {
            let specificity = range.specificity(media);
            if specificity > best.0 {
                best = (specificity, range.quality);
            }
        }
        best.1
    }

    /// Whether a representation of this type can be used at all.
    #[must_use]
    pub fn accepts(&self, media: &MediaType<'_>) -> bool {
        self.quality(media).is_acceptable()
    }

    /// Whether a range is this very type, and not one of many.
    #[must_use]
    pub fn names(&self, media: &str) -> bool {
        let Some(media) = MediaType::read(media) else {
            return false;
        };
        let mut ranges = self.first.iter().chain(&self.more);
        ranges.any(|range| range.specificity(&media) >= EXACT)
    }

    /// The place of the type that is wanted most, the earlier one of two that are
    /// wanted equally; `None` if none can be used (406).
    #[must_use]
    pub fn best_of(&self, offers: &[&str]) -> Option<usize> {
        let mut best = None;
        let mut best_quality = Quality::ZERO;
        for (place, offer) in offers.iter().enumerate() {
            let Some(media) = MediaType::read(offer) else {
                continue;
            };
            let quality = self.quality(&media);
            if quality > best_quality {
                (best, best_quality) = (Some(place), quality);
            }
        }
        best
    }
}

const RANGE: &str =
    "not a media range; send a list as 'application/json' or 'application/json, */*;q=0.1'";
const WEIGHT: &str = "a weight (q) is a number from 0 to 1 with at most three decimals";

/// The specificity of a range without a wildcard.
const EXACT: usize = 3;

impl<'a> Range<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, &'static str> {
        let type_ = cursor.token().map_err(|_| RANGE)?;
        let subtype = if cursor.eat(b"/") {
            cursor.token().map_err(|_| RANGE)?
        } else if type_ == b"*" {
            type_
        } else {
            return Err(RANGE);
        };
        if type_ == b"*" && subtype != b"*" {
            return Err(RANGE);
        }
        let text = span(cursor, skip_parameters).map_err(|_| RANGE)?;
        cursor.end_element().map_err(|_| RANGE)?;
        let weight = parameters(text).find(is_weight);
        let quality = weight.map_or(Some(Quality::ONE), |(_, value)| Quality::read(value));
        Ok(Self {
            type_,
            subtype,
            parameters: text,
            quality: quality.ok_or(WEIGHT)?,
        })
    }

    /// The parameters that a type must have: all but the weight and `charset`.
    fn conditions(&self) -> impl Iterator<Item = Parameter<'a>> + use<'a> {
        parameters(self.parameters)
            .filter(|it| !is_weight(it) && !it.0.eq_ignore_ascii_case(b"charset"))
    }

    /// 0 if the range does not match the type; otherwise more for the more specific.
    fn specificity(&self, media: &MediaType<'_>) -> usize {
        let same = |range: &[u8], text: &str| range.eq_ignore_ascii_case(text.as_bytes());
        let base = if self.type_ == b"*" {
            1
        } else if !same(self.type_, media.type_()) {
            return 0;
        } else if self.subtype == b"*" {
            2
        } else if same(self.subtype, media.subtype()) {
            EXACT
        } else {
            return 0;
        };
        let mut count = 0;
        for condition in self.conditions() {
            if !media.parameters().any(|has| same_parameter(has, condition)) {
                return 0;
            }
            count += 1;
        }
        if base == EXACT { base + count } else { base }
    }
}

fn skip_parameters(cursor: &mut Cursor<'_>) -> Result<(), Unexpected> {
    while cursor.parameter()?.is_some() {}
    Ok(())
}

fn is_weight(parameter: &Parameter<'_>) -> bool {
    parameter.0.eq_ignore_ascii_case(b"q")
}

/// Names without case; values by what they mean, quoted or not.
fn same_parameter(one: Parameter<'_>, other: Parameter<'_>) -> bool {
    one.0.eq_ignore_ascii_case(other.0) && unquoted(one.1).eq(unquoted(other.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse<'a>(lines: &[&'a str]) -> Result<Option<Accept<'a>>, FieldFault> {
        Accept::parse(lines.iter().map(|line| line.as_bytes()))
    }

    fn quality(field: &str, media: &str) -> u16 {
        let accept = parse(&[field]).unwrap().unwrap();
        let media = MediaType::read(media).unwrap();
        accept.quality(&media).thousandths()
    }

    #[test]
    fn the_example_of_rfc_9110_section_12_5_1() {
        let field = "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, \
                     text/plain;format=fixed;q=0.4, */*;q=0.5";
        let cases = [
            ("text/plain;format=flowed", 1_000),
            ("text/plain", 700),
            ("text/html", 300),
            ("image/jpeg", 500),
            ("text/plain;format=fixed", 400),
            ("text/html;level=3", 300),
        ];
        for (media, expected) in cases {
            assert_eq!(quality(field, media), expected, "{media}");
        }
    }

    #[test]
    fn the_most_specific_range_decides() {
        let json = "application/json";
        let cases = [
            ("", json, 1_000),
            (",", json, 1_000),
            ("*/*", json, 1_000),
            ("*/*;q=0.8", json, 800),
            ("*/*;q=0", json, 0),
            ("*", json, 1_000),
            ("Application/JSON", json, 1_000),
            ("application/json", "APPLICATION/json", 1_000),
            ("application/json;q=0, */*", json, 0),
            ("*/*, application/json;q=0", json, 0),
            ("application/*;q=0.2, */*", json, 200),
            ("application/json ; Q=0.5", json, 500),
            ("application/json;q=0.5;ext=1", json, 0),
            ("application/json;charset=utf-8", json, 1_000),
            ("application/json; Charset=\"UTF-8\";q=0.4", json, 400),
            ("application/json;version=1", json, 0),
            ("a/b;x=\"1\"", "a/b;X=1", 1_000),
            ("a/b;x=y", "a/b;x=z", 0),
            ("text/html", json, 0),
            ("application/jso", json, 0),
            (
                "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
                json,
                200,
            ),
            (
                "application/signed-exchange;v=b3;q=0.7,*/*;q=0.8",
                json,
                800,
            ),
        ];
        for (field, media, expected) in cases {
            assert_eq!(quality(field, media), expected, "{field:?} {media}");
        }
    }

    #[test]
    fn malformed_ranges() {
        let cases = [
            "json",
            "application/",
            "/json",
            "*/json",
            "application/json text/html",
            "application/json;q",
            "application/json;q=",
            "application/json;q=2",
            "application/json;q=0.1234",
            "application/json;q=-1",
            "application/json;q = 1",
            "application/json;q=\"1\"",
            "application/json;a=\"",
            "a/b;q=1 c",
            "a/b/c",
        ];
        for field in cases {
            assert!(parse(&[field]).is_err(), "{field}");
            assert!(parse(&["*/*", field]).is_err(), "{field}");
        }
        assert_eq!(parse(&[]), Ok(None));
    }

    #[test]
    fn the_best_offer_is_the_first_of_those_wanted_most() {
        let offers = [
            "application/json",
            "application/x-ndjson",
            "text/event-stream",
        ];
        let cases: [(&[&str], Option<usize>); 8] = [
            (&["*/*"], Some(0)),
            (&["text/event-stream"], Some(2)),
            (&["text/event-stream", "*/*;q=0.1"], Some(2)),
            (&["application/*"], Some(0)),
            (&["application/*", "application/json;q=0.9"], Some(1)),
            (&["application/json, text/plain, */*"], Some(0)),
            (&["text/html"], None),
            (&["*/*;q=0"], None),
        ];
        for (lines, expected) in cases {
            let accept = parse(lines).unwrap().unwrap();
            assert_eq!(accept.best_of(&offers), expected, "{lines:?}");
        }
        assert_eq!(Accept::default().best_of(&offers), Some(0));
        assert_eq!(Accept::default().best_of(&["no type", "a/b"]), Some(1));
        assert!(Accept::default().accepts(&MediaType::JSON));
    }

    proptest! {
        #[test]
        fn nothing_panics(lines in prop::collection::vec(any::<Vec<u8>>(), 0..3)) {
            let _ = Accept::parse(lines.iter().map(Vec::as_slice));
        }

        #[test]
        fn near_misses_do_not_panic(line in r#"[ab*/;=q,. 01"]{0,24}"#) {
            if let Ok(Some(accept)) = parse(&[&line]) {
                let _ = accept.best_of(&["a/b", "a/b;q=1", "b/a;a=\"b\""]);
            }
        }

        #[test]
        fn what_is_written_is_read(weights in prop::collection::vec(0u16..=1_000, 1..6)) {
            let written: Vec<_> = weights
                .iter()
                .enumerate()
                .map(|(n, w)| format!("t/s{n};q={}.{:03}", w / 1_000, w % 1_000))
                .collect();
            let field = written.join(", ");
            for (n, weight) in weights.iter().enumerate() {
                prop_assert_eq!(quality(&field, &format!("t/s{n}")), *weight);
            }
        }
    }
}
