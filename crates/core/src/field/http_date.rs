//! HTTP dates (RFC 9110 §5.6.7) in `If-Modified-Since`, `If-Unmodified-Since` and
//! `If-Range`. Three spellings are read:
//!
//! ```text
//! Sun, 06 Nov 1994 08:49:37 GMT     IMF-fixdate
//! Sunday, 06-Nov-94 08:49:37 GMT    RFC 850, obsolete
//! Sun Nov  6 08:49:37 1994          asctime, obsolete
//! ```
//!
//! The `httpdate` crate reads them. It is stricter than the grammar in that a wrong
//! weekday, a leap second (`:60`) and a year before 1970 are no dates. Its two-digit
//! years turn at 70, where the RFC's turn 50 years from now. None of this can make a
//! stale validator pass for a fresh one: `Last-Modified` is always an IMF-fixdate
//! after 1970, and a client sends back what it got.
//!
//! RFC 9110 §13.1.3 and §13.1.4 have a recipient ignore a field that is no date,
//! several lines included. An ignored `If-Unmodified-Since` is a write without its
//! condition, so the fault is reported and the decision answers it (contract §3,
//! line 1).

use std::time::UNIX_EPOCH;

use super::{FieldFault, single};

/// A moment in whole seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpDate(u64);

impl HttpDate {
    /// Reads the lines of the field that `field` names.
    ///
    /// # Errors
    /// A [`FieldFault`] if there are several lines or the line is no HTTP date.
    pub fn parse<'a>(
        field: &'static str,
        lines: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, FieldFault> {
        single(field, lines)?
            .map(|line| {
                Self::read(line).ok_or(FieldFault {
                    field,
                    detail: "not an HTTP date; send one as 'Sun, 06 Nov 1994 08:49:37 GMT'",
                })
            })
            .transpose()
    }

    /// Reads one date; `None` for anything else.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        let moment = httpdate::parse_http_date(std::str::from_utf8(text).ok()?).ok()?;
        let since = moment.duration_since(UNIX_EPOCH).ok()?;
        Some(Self(since.as_secs()))
    }

    /// Seconds since 1970, to compare with
    /// [`Timestamp::as_secs`](crate::clock::Timestamp::as_secs).
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use proptest::prelude::*;

    fn parse(lines: &[&str]) -> Result<Option<HttpDate>, FieldFault> {
        let lines = lines.iter().map(|line| line.as_bytes());
        HttpDate::parse("If-Modified-Since", lines)
    }

    #[test]
    fn dates_of_the_three_spellings() {
        let good = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
            (" Sun, 06 Nov 1994 08:49:37 GMT\t", 784_111_777),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
            // The two-digit years turn at 70.
            ("Thursday, 01-Jan-70 00:00:00 GMT", 0),
            ("Tuesday, 01-Jan-69 00:00:00 GMT", 3_124_224_000),
        ];
        for (text, secs) in good {
            assert_eq!(parse(&[text]), Ok(Some(HttpDate(secs))), "{text}");
        }
        let bad = [
            "",
            "0",
            "784111777",
            "1994-11-06T08:49:37Z",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37 gmt",
            "sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Thu, 30 Feb 2023 00:00:00 GMT",
            "Wed, 29 Feb 1900 00:00:00 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sat, 31 Dec 2016 23:59:60 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
            "\"Sun, 06 Nov 1994 08:49:37 GMT\"",
            "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        ];
        for text in bad {
            assert!(parse(&[text]).is_err(), "{text}");
        }
    }

    #[test]
    fn one_line_only() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(parse(&[]), Ok(None));
        assert!(parse(&[date, date]).is_err());
        assert!(parse(&[date, ""]).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(line in any::<Vec<u8>>()) {
            let _ = HttpDate::read(&line);
        }

        #[test]
        fn near_misses_do_not_panic(
            line in "(Sun|Sunday|Wednesday|Xyz)[, ]{0,2}[0-9 ]{2}[ -](Nov|Feb)[ -][0-9]{2,4} [0-9:]{8} (GMT)?",
        ) {
            let _ = HttpDate::read(line.as_bytes());
        }

        #[test]
        fn what_is_written_is_read(secs in 0u64..=253_402_300_799) {
            let written = Timestamp::from_millis(secs * 1_000).http_date();
            prop_assert_eq!(HttpDate::read(written.as_bytes()).map(HttpDate::as_secs), Some(secs));
        }
    }
}
