//! Quality values (RFC 9110 §12.4.2), the weights of content negotiation:
//!
//! ```text
//! weight = OWS ";" OWS "q=" qvalue
//! qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
//! ```
//!
//! `q=0.5`. A value that begins with its point (`q=.2`) is read as well:
//! `java.net.HttpURLConnection` sent it by default for two decades.

/// A weight, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quality(u16);

impl Quality {
    /// Not acceptable.
    pub const ZERO: Self = Self(0);
    /// The smallest weight that is acceptable.
    pub const LEAST: Self = Self(1);
    /// The weight of what has none.
    pub const ONE: Self = Self(1_000);

    /// Reads a `qvalue`; `None` for anything else.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        let (whole, decimals) = match text {
            [b'0', b'.', decimals @ ..] => (0, decimals),
            [b'1', b'.', decimals @ ..] => (1_000, decimals),
            [b'.', decimals @ ..] if !decimals.is_empty() => (0, decimals),
            b"0" => (0, [].as_slice()),
            b"1" => (1_000, [].as_slice()),
            _ => return None,
        };
        if decimals.len() > 3 || !decimals.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let places = [100, 10, 1];
        let digits = decimals.iter().map(|digit| u16::from(digit - b'0'));
        let thousandths = whole + digits.zip(places).map(|(d, p)| d * p).sum::<u16>();
        (thousandths <= 1_000).then_some(Self(thousandths))
    }

    /// Whether it is more than zero.
    #[must_use]
    pub const fn is_acceptable(self) -> bool {
        self.0 > 0
    }

    /// The weight in thousandths.
    #[must_use]
    pub const fn thousandths(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_have_at_most_three_decimals() {
        let good: [(&str, u16); 11] = [
            ("0", 0),
            ("0.", 0),
            ("0.000", 0),
            ("0.001", 1),
            ("0.5", 500),
            ("0.25", 250),
            ("0.999", 999),
            (".2", 200),
            ("1", 1_000),
            ("1.", 1_000),
            ("1.000", 1_000),
        ];
        for (text, thousandths) in good {
            let read = Quality::read(text.as_bytes()).map(Quality::thousandths);
            assert_eq!(read, Some(thousandths), "{text}");
        }
        let bad = [
            "", ".", "2", "1.001", "1.1", "0.0001", "00", "01", "-0", "+1", "0,5", "0.5 ", "\"1\"",
            "0.a", "1e0", "nan",
        ];
        for text in bad {
            assert_eq!(Quality::read(text.as_bytes()), None, "{text}");
        }
    }
}
