//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a name that a client
//! gives to a request, so that a repeat of it is not done a second time.
//!
//! ```text
//! Idempotency-Key = sf-string
//! ```
//!
//! A key without the quotes is taken as well, because most clients and services write
//! it so; with and without them it is the same key.

use super::{FieldFault, single};

/// Longest key. A UUID has 36 characters; a bound keeps what is made of it small.
const KEY_BYTES: usize = 255;

/// Reads the lines of `Idempotency-Key`.
///
/// # Errors
/// A [`FieldFault`] if there are several lines, or the key is empty, too long, or holds
/// more than visible ASCII characters: it guards a write, and is never guessed at.
pub fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<Option<&'a str>, FieldFault> {
    const FIELD: &str = "Idempotency-Key";
    let Some(line) = single(FIELD, lines)?.map(<[u8]>::trim_ascii) else {
        return Ok(None);
    };
    let quoted = line
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    let key = quoted.unwrap_or(line);
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b',');
    let fault = FieldFault {
        field: FIELD,
        detail: "send 1 to 255 visible ASCII characters, best a new UUID for each new request",
    };
    let is_key = (1..=KEY_BYTES).contains(&key.len()) && key.iter().all(is_plain);
    match std::str::from_utf8(key) {
        Ok(key) if is_key => Ok(Some(key)),
        _ => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_name_with_or_without_quotes() {
        let long = "k".repeat(KEY_BYTES + 1);
        type Case<'a> = (&'a [&'a str], Result<Option<&'a str>, ()>);
        let cases: [Case<'_>; 13] = [
            (&[], Ok(None)),
            (&["\"a-1\""], Ok(Some("a-1"))),
            (&[" a-1 "], Ok(Some("a-1"))),
            (&["a=b;c:d/e+f"], Ok(Some("a=b;c:d/e+f"))),
            (&[&long[1..]], Ok(Some(&long[1..]))),
            (&[&long], Err(())),
            (&[""], Err(())),
            (&["\"\""], Err(())),
            (&["\"a"], Err(())),
            (&["a b"], Err(())),
            (&["a, b"], Err(())),
            (&["é"], Err(())),
            (&["a", "a"], Err(())),
        ];
        for (lines, expected) in cases {
            let lines_read = lines.iter().map(|line| line.as_bytes());
            assert_eq!(parse(lines_read).map_err(drop), expected, "{lines:?}");
        }
    }
}
