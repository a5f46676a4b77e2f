//! The `Content-Length` that a request announces (RFC 9110 §8.6):
//!
//! ```text
//! Content-Length = 1*DIGIT
//! ```
//!
//! `1024`
//!
//! Repeated lines and lists are a fault even where all values agree, which RFC 9112
//! §6.3 lets a recipient choose: framing that two parsers can read in two ways is how
//! requests are smuggled. `headers::ContentLength` accepts equal lines, and `+5`.

use super::{FieldFault, single};

/// Reads the lines of `Content-Length`. A number over [`u64::MAX`] is taken as that:
/// it is too large for any limit (413).
///
/// # Errors
/// A [`FieldFault`] if there are several lines, or the line is not digits alone.
pub fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<Option<u64>, FieldFault> {
    const FIELD: &str = "Content-Length";
    let Some(digits) = single(FIELD, lines)?.map(<[u8]>::trim_ascii) else {
        return Ok(None);
    };
    let number = digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.is_ascii_digit().then_some(digit & 0x0f)?;
        Some(number.saturating_mul(10).saturating_add(u64::from(digit)))
    });
    let number = number.filter(|_| !digits.is_empty());
    number.map(Some).ok_or(FieldFault {
        field: FIELD,
        detail: "not a length; send the number of bytes in decimal digits",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(lines: &[&str]) -> Result<Option<u64>, FieldFault> {
        parse(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn digits_once() {
        let good: [(&[&str], Option<u64>); 5] = [
            (&[], None),
            (&["0"], Some(0)),
            (&[" 007\t"], Some(7)),
            (&["18446744073709551615"], Some(u64::MAX)),
            (&["99999999999999999999"], Some(u64::MAX)),
        ];
        for (lines, expected) in good {
            assert_eq!(read(lines), Ok(expected), "{lines:?}");
        }
        let bad: [&[&str]; 9] = [
            &[""],
            &["+5"],
            &["-5"],
            &["5 5"],
            &["5, 5"],
            &["5", "5"],
            &["0x5"],
            &["5.0"],
            &["٥"],
        ];
        for lines in bad {
            assert!(read(lines).is_err(), "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(line in any::<Vec<u8>>()) {
            let _ = parse(std::iter::once(line.as_slice()));
        }

        #[test]
        fn what_is_written_is_read(length in any::<u64>()) {
            prop_assert_eq!(read(&[&length.to_string()]), Ok(Some(length)));
        }
    }
}
