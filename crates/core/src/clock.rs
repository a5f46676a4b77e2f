//! Times that inform and never order (contract §1). Reading the clock is the
//! server's business.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, in whole milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last moment that RFC 3339 can write: the end of the year 9999.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// The moment so many milliseconds after 1970, at most [`Timestamp::MAX`].
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        if millis < Self::MAX.0 {
            Self(millis)
        } else {
            Self::MAX
        }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970: the resolution of an HTTP date.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000
    }

    /// As an HTTP date (RFC 9110 §5.6.7), the milliseconds cut off.
    #[must_use]
    pub fn http_date(self) -> String {
        httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(self.as_secs()))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// RFC 3339 with milliseconds, in UTC: `2026-01-31T12:00:00.000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, millis) = (self.0 / 86_400_000, self.0 % 86_400_000);
        // Civil date from a day count, with the year starting in March so that the
        // leap day comes last (Howard Hinnant, 'chrono-Compatible Low-Level Date
        // Algorithms').
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let (seconds, millis) = (millis / 1_000, millis % 1_000);
        // Digit by digit: each event of a feed has one.
        let mut text = *b"0000-00-00T00:00:00.000Z";
        for (end, mut number) in [
            (4, year),
            (7, month),
            (10, day),
            (13, seconds / 3_600),
            (16, seconds / 60 % 60),
            (19, seconds % 60),
            (23, millis),
        ] {
            for place in text.iter_mut().take(end).rev() {
                if number == 0 {
                    break;
                }
                *place = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// The text is no [`Timestamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTime;

/// Reads what [`Timestamp`] writes, also without the milliseconds.
impl FromStr for Timestamp {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        let seconds = text.strip_suffix('Z').ok_or(NoTime)?;
        let whole = match seconds.len() {
            19 => format!("{seconds}.000Z"),
            _ => text.to_owned(),
        };
        let number = |from: usize, to: usize| {
            let digits = whole.get(from..to).ok_or(NoTime)?;
            digits.parse::<u64>().map_err(|_| NoTime)
        };
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day)
        {
            return Err(NoTime);
        }
        // The other way round than in `fmt`.
        let year = year - u64::from(month <= 2);
        let month_from_march = (month + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
        let leap_days = year / 4 - year / 100 + year / 400;
        let days = year * 365 + leap_days + day_of_year - 719_468;
        let of_day = number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
        let time = Self::from_millis((days * 86_400 + of_day) * 1_000 + number(20, 23)?);
        // The 30th of February, the 25th hour and a comma are not written so.
        if time.to_string() == whole {
            Ok(time)
        } else {
            Err(NoTime)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_agrees_with_the_http_date() {
        let cases = [
            (
                0,
                "1970-01-01T00:00:00.000Z",
                "Thu, 01 Jan 1970 00:00:00 GMT",
            ),
            (
                951_782_400_123,
                "2000-02-29T00:00:00.123Z",
                "Tue, 29 Feb 2000 00:00:00 GMT",
            ),
            (
                1_798_761_599_999,
                "2026-12-31T23:59:59.999Z",
                "Thu, 31 Dec 2026 23:59:59 GMT",
            ),
            (
                u64::MAX,
                "9999-12-31T23:59:59.999Z",
                "Fri, 31 Dec 9999 23:59:59 GMT",
            ),
        ];
        for (millis, rfc_3339, http) in cases {
            let moment = Timestamp::from_millis(millis);
            assert_eq!(moment.to_string(), rfc_3339);
            assert_eq!(moment.http_date(), http);
            assert_eq!(rfc_3339.parse(), Ok(moment));
        }
    }

    #[test]
    fn rfc_3339_is_read_with_and_without_milliseconds() {
        let read = |text: &str| text.parse().map(Timestamp::as_millis);
        assert_eq!(read("1970-01-02T00:00:01Z"), Ok(86_401_000));
        assert_eq!(read("2000-03-01T00:00:00.001Z"), Ok(951_868_800_001));
        for bad in [
            "",
            "Z",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00:00+01:00",
            "1970-01-01 00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2001-02-29T00:00:00Z",
            "2001-13-01T00:00:00Z",
            "2001-01-00T00:00:00Z",
            "2001-01-01T24:00:00Z",
            "2001-01-01T00:60:00Z",
            "2001-01-01T00:00:60Z",
            "2001-01-01T00:00:00,000Z",
            "+001-01-01T00:00:00Z",
            "2001-01-0é:00:00:00.0Z",
        ] {
            assert_eq!(read(bad), Err(NoTime), "{bad}");
        }
    }
}
