//! Numbers by their exact decimal value (contract §6): `1`, `1.0` and `1e0` are one
//! number, and `1e400` is larger than any of them.
//!
//! RFC 8259 §6 bounds neither the digits of a number nor those of its exponent, so no
//! machine type holds them all. [`Decimal`] is a normal form over the text itself: it
//! is not converted, only read.

use std::cmp::Ordering;

/// Orders two JSON numbers by value.
///
/// ```
/// use matchbook_core::json::number::compare;
/// use std::cmp::Ordering::{Equal, Less};
/// assert_eq!(compare("100", "1.0e2"), Equal);
/// assert_eq!(compare("0.1", "1e400"), Less);
/// ```
#[must_use]
pub fn compare(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    Decimal::read(a).cmp(&Decimal::read(b))
}

/// A number's normal form: `± 0.d₁d₂d₃… × 10^exponent`, where neither the first nor the
/// last digit is 0. Equal numbers have equal forms; zero has no digits and no sign.
#[derive(Clone, Debug)]
pub struct Decimal<'a> {
    negative: bool,
    exponent: Exponent,
    /// The mantissa from the first significant digit to the last, perhaps with a point
    /// between them.
    mantissa: &'a str,
}

impl<'a> Decimal<'a> {
    /// Reads the text of a JSON number.
    #[must_use]
    pub fn read(text: &'a str) -> Self {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (digits, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (
                unsigned.get(..at).unwrap_or_default(),
                unsigned.get(at + 1..).unwrap_or_default(),
            ),
            None => (unsigned, ""),
        };
        let from_first = digits.trim_start_matches(['0', '.']);
        let mantissa = from_first.trim_end_matches(['0', '.']);
        if mantissa.is_empty() {
            return Self {
                negative: false,
                exponent: Exponent::Small(0),
                mantissa,
            };
        }
        let first = as_i128(digits.len() - from_first.len());
        let point = as_i128(digits.find('.').unwrap_or(digits.len()));
        let shift = if first < point {
            point - first
        } else {
            point + 1 - first
        };
        Self {
            negative,
            exponent: Exponent::read(exponent, shift),
            mantissa,
        }
    }

    /// Whether it is less than zero.
    #[must_use]
    pub const fn is_negative(&self) -> bool {
        self.negative
    }

    /// Whether it is zero.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.mantissa.is_empty()
    }

    /// The power of ten that the fraction is multiplied by.
    #[must_use]
    pub const fn exponent(&self) -> &Exponent {
        &self.exponent
    }

    /// The significant digits, each 0 to 9, the most significant first.
    pub fn digits(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.mantissa
            .bytes()
            .filter(u8::is_ascii_digit)
            .map(|digit| digit - b'0')
    }

    /// Orders by absolute value.
    fn compare_magnitude(&self, other: &Self) -> Ordering {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self
                .exponent
                .cmp(&other.exponent)
                .then_with(|| self.digits().cmp(other.digits())),
        }
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.compare_magnitude(other),
            (true, true) => other.compare_magnitude(self),
        }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal<'_> {}

/// Digits that an `i128` holds with room for a shift by the length of any text.
const SMALL_DIGITS: usize = 36;

/// The least magnitude of a [`Exponent::Huge`]: ten to the power of [`SMALL_DIGITS`].
const HUGE: i128 = 10_i128.pow(36);

/// An integer of any size, as the text of a number's exponent can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exponent {
    /// Of a magnitude below 10³⁶.
    Small(i128),
    /// Of any other magnitude.
    Huge {
        /// Its sign.
        negative: bool,
        /// Its decimal digits, without leading zeros.
        digits: String,
    },
}

impl Exponent {
    /// The sum of an exponent's text (empty: 0) and a shift that is bounded by the
    /// length of a text in memory.
    fn read(text: &str, shift: i128) -> Self {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let digits = digits.trim_start_matches('0');
        let shift = if negative { -shift } else { shift };
        let split = digits.len().saturating_sub(SMALL_DIGITS);
        let head = digits.get(..split).unwrap_or_default();
        let tail = digits.get(split..).unwrap_or_default();
        // The magnitude is head × HUGE + sum.
        let sum = tail.parse::<i128>().unwrap_or(0) + shift;
        let (carry, rest) = (sum.div_euclid(HUGE), sum.rem_euclid(HUGE));
        if head.is_empty() && carry <= 0 {
            return Self::Small(if negative { -sum } else { sum });
        }
        let head = match carry {
            0 => head.to_owned(),
            1.. => successor(head),
            _ => predecessor(head),
        };
        if head.is_empty() {
            return Self::Small(if negative { -rest } else { rest });
        }
        Self::Huge {
            negative,
            digits: format!("{head}{rest:036}"),
        }
    }
}

impl Ord for Exponent {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Small(a), Self::Small(b)) => a.cmp(b),
            (Self::Small(_), Self::Huge { negative, .. }) => {
                if *negative {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (Self::Huge { .. }, Self::Small(_)) => other.cmp(self).reverse(),
            (
                Self::Huge {
                    negative: a_negative,
                    digits: a,
                },
                Self::Huge {
                    negative: b_negative,
                    digits: b,
                },
            ) => match (a_negative, b_negative) {
                (false, true) => Ordering::Greater,
                (true, false) => Ordering::Less,
                (false, false) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
                (true, true) => b.len().cmp(&a.len()).then_with(|| b.cmp(a)),
            },
        }
    }
}

impl PartialOrd for Exponent {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn as_i128(length: usize) -> i128 {
    i128::try_from(length).unwrap_or(i128::MAX)
}

/// The decimal number plus one; empty is zero.
fn successor(digits: &str) -> String {
    let head = digits.trim_end_matches('9');
    let nines = digits.len() - head.len();
    let mut next: Vec<char> = head.chars().collect();
    match next.pop() {
        Some(last) => next.push(char::from_u32(u32::from(last) + 1).unwrap_or(last)),
        None => next.push('1'),
    }
    next.into_iter()
        .chain(std::iter::repeat_n('0', nines))
        .collect()
}

/// A positive decimal number minus one; empty is zero.
fn predecessor(digits: &str) -> String {
    let head = digits.trim_end_matches('0');
    let zeros = digits.len() - head.len();
    let mut next: Vec<char> = head.chars().collect();
    if let Some(last) = next.pop() {
        next.push(char::from_u32(u32::from(last).saturating_sub(1)).unwrap_or(last));
    }
    let less: String = next
        .into_iter()
        .chain(std::iter::repeat_n('9', zeros))
        .collect();
    less.trim_start_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_value_are_equal() {
        let huge = "9".repeat(5_000);
        let classes: &[&[&str]] = &[
            &[
                "0",
                "-0",
                "0.0",
                "-0.000",
                "0e999999999999999999999",
                "0E-5",
            ],
            &[
                "1",
                "1.0",
                "1e0",
                "1E+0",
                "10e-1",
                "0.1e1",
                "0.001e3",
                "1.000e-000",
            ],
            &["-12.5", "-1.25e1", "-125e-1", "-0.125E+2"],
            &[
                "123456789012345678901234567890",
                "1.2345678901234567890123456789e29",
            ],
            &["1e400", "10e399", "0.1e401", "1.0e+0400"],
            &[
                "1e1000000000000000000000000000000000000",
                "0.1e1000000000000000000000000000000000001",
                "100e999999999999999999999999999999999998",
            ],
            &[
                "1e-1000000000000000000000000000000000000",
                "10e-1000000000000000000000000000000000001",
                "0.01e-999999999999999999999999999999999998",
            ],
            &[
                &format!("1e{huge}"),
                &format!("10.0e{}8", "9".repeat(4_999)),
            ],
            &[&format!("1e1{}", "0".repeat(5_000)), &format!("10e{huge}")],
        ];
        for class in classes {
            for a in *class {
                for b in *class {
                    assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
                }
            }
        }
    }

    #[test]
    fn the_order_is_that_of_the_values() {
        let (nines, more) = ("9".repeat(4_000), "9".repeat(4_001));
        let ascending = [
            &format!("-1e{more}"),
            &format!("-1e{nines}"),
            "-1e999999999999999999",
            "-1e400",
            "-123456789012345678901234567891",
            "-123456789012345678901234567890",
            "-2",
            "-1.01",
            "-1",
            "-0.1",
            "-1e-999999999999999999",
            &format!("-1e-{nines}"),
            "0",
            &format!("1e-{more}"),
            &format!("1e-{nines}"),
            "1e-999999999999999999",
            "0.09",
            "0.1",
            "0.10000000000000000000000000000000001",
            "0.11",
            "1",
            "1.5",
            "9",
            "10",
            "9007199254740992",
            "9007199254740993",
            "123456789012345678901234567890",
            "123456789012345678901234567891",
            "1e400",
            "1.1e400",
            "1e999999999999999999",
            &format!("1e{nines}"),
            &format!("1.5e{nines}"),
            &format!("1e{more}"),
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn text_that_is_no_number_does_not_panic() {
        for text in [
            "", "-", ".", "e", "1e", "1e+", "--1", "1e1e1", "é", "1.2.3", "1eé",
        ] {
            assert_eq!(compare(text, text), Ordering::Equal);
            let _ = compare(text, "1");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_integers(
            a in -10_000_i64..10_000, a_shift in 0_u32..5,
            b in -10_000_i64..10_000, b_shift in 0_u32..5,
        ) {
            // a × 10^-shift, spelt with an exponent; compared over a common denominator.
            let common = |value: i64, shift: u32| value * 10_i64.pow(5 - shift);
            prop_assert_eq!(
                compare(&format!("{a}e-{a_shift}"), &format!("{b}E-{b_shift}")),
                common(a, a_shift).cmp(&common(b, b_shift))
            );
        }

        #[test]
        fn moving_the_point_and_the_exponent_changes_nothing(
            digits in "[1-9][0-9]{0,30}",
            exponent in prop_oneof![-50_i128..50, (HUGE - 40)..(HUGE + 40), (-HUGE - 40)..(40 - HUGE)],
            zeros in 0_usize..80,
        ) {
            let shift = as_i128(zeros);
            let plain = format!("{digits}e{exponent}");
            let wide = format!("{digits}{}.00e{}", "0".repeat(zeros), exponent - shift);
            let small = format!("0.{}{digits}e{}", "0".repeat(zeros), exponent + shift + as_i128(digits.len()));
            prop_assert_eq!(compare(&plain, &wide), Ordering::Equal);
            prop_assert_eq!(compare(&plain, &small), Ordering::Equal);
            prop_assert_eq!(compare(&plain, &format!("{digits}e{}", exponent + 1)), Ordering::Less);
        }

        #[test]
        fn never_panics(a in "\\PC{0,12}", b in "[-+.eE0-9]{0,12}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
        }
    }
}
