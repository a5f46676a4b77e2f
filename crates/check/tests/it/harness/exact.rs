//! JSON read so that values are equal exactly where the contract says so (§6):
//! `serde_json` makes a float of `1e400` and of a number of thirty digits. So each
//! number is read as a string that no document of a test holds, with its exact decimal
//! value.

use serde_json::Value;

/// Begins a string that stands for a number: a character of private use.
const NUMBER: char = '\u{F8FF}';

/// The value of a JSON text.
#[track_caller]
pub(crate) fn value(text: &str) -> Value {
    match serde_json::from_str(&without_numbers(text)) {
        Ok(value) => value,
        Err(error) => panic!("no JSON ({error}): {text}"),
    }
}

/// The same text with a string in the place of each number.
fn without_numbers(text: &str) -> String {
    let mut rest = text;
    let mut result = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '-' | '0'..='9' => {
                let end = |c: char| !matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9');
                rest.find(end).unwrap_or(rest.len())
            }
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        if first == '-' || first.is_ascii_digit() {
            result.push('"');
            result.push(NUMBER);
            result.push_str(&decimal(token));
            result.push('"');
        } else {
            result.push_str(token);
        }
        rest = after;
    }
    result
}

/// Bytes of the string that a text begins with, quotes included.
fn string_length(text: &str) -> usize {
    let mut is_escaped = true;
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return place + 1,
            _ => {}
        }
    }
    text.len()
}

/// One spelling for each value: digits without zeros at either end, and the power of
/// ten that they count.
fn decimal(number: &str) -> String {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: i64 = exponent.trim_start_matches('+').parse().unwrap();
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    let power = exponent - i64::try_from(fraction.len()).unwrap()
        + i64::try_from(digits.len() - significant.len()).unwrap();
    format!("{sign}{significant}e{power}")
}

#[test]
fn equal_numbers_are_equal_and_others_are_not() {
    let groups = [
        &["1", "1.0", "1e0", "10E-1", "0.1e+1"][..],
        &["0", "-0", "0.000", "0e9", "-0.0E-3"],
        &["-1200", "-1.2e3", "-12E+2"],
        &["9007199254740993"],
        &["9007199254740992"],
        &["1e400", "10e399"],
        &[r#""1""#],
        &[r#""\"1""#],
        &[
            r#"{"1":[1, 2.0,"3\\"]}"#,
            "{ \"1\" : [1.0,\n2,\"3\\u005c\"] }",
        ],
    ];
    for (one, group) in groups.iter().enumerate() {
        for (other, others) in groups.iter().enumerate() {
            for (a, b) in group
                .iter()
                .flat_map(|a| others.iter().map(move |b| (a, b)))
            {
                assert_eq!(value(a) == value(b), one == other, "{a} {b}");
            }
        }
    }
}
