//! `Prefer` (RFC 7240): what a client would like, without insisting.
//!
//! ```text
//! Prefer     = 1#preference
//! preference = token [ BWS "=" BWS word ] *( OWS ";" [ OWS parameter ] )
//! parameter  = token [ BWS "=" BWS word ]
//! word       = token / quoted-string
//! ```
//!
//! `return=representation, wait=25`
//!
//! Names and the values of `return` are compared without case, quoted or not; an
//! empty value is none. Of a repeated preference the first counts, whatever its value
//! (contract §4.6): so `return=minimal, return=representation` is `minimal`, where
//! RFC 7240 §4.2 lets a server ignore both. What is unknown or malformed is skipped,
//! as far as the next comma outside quotes: a preference never makes a request fail.
//!
//! The `headers` crate has no `Prefer`.

use super::cursor::{Cursor, Unexpected, is_tchar, unquoted};

/// The preferences that this server knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefer {
    /// What the answer to a write should hold.
    pub returns: Option<Return>,
    /// How long the client would wait for an answer, in seconds; at most
    /// [`u32::MAX`].
    pub wait_secs: Option<u32>,
}

/// RFC 7240 §4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// As little as possible: what writes do by default.
    Minimal,
    /// The representation as it is now.
    Representation,
}

impl Return {
    /// The preference as `Preference-Applied` repeats it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minimal => "return=minimal",
            Self::Representation => "return=representation",
        }
    }
}

impl Prefer {
    /// Reads the lines of `Prefer`; without any, there are no preferences.
    #[must_use]
    pub fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut prefer = Self::default();
        let (mut return_seen, mut wait_seen) = (false, false);
        for line in lines {
            let mut cursor = Cursor::new(line);
            while cursor.next_element() {
                let start = cursor;
                let Ok((name, value)) = read_preference(&mut cursor) else {
                    cursor = start;
                    skip_element(&mut cursor);
                    continue;
                };
                if name.eq_ignore_ascii_case(b"return") && !return_seen {
                    return_seen = true;
                    prefer.returns = read_return(value);
                } else if name.eq_ignore_ascii_case(b"wait") && !wait_seen {
                    wait_seen = true;
                    prefer.wait_secs = read_seconds(value);
                }
            }
        }
        prefer
    }
}

/// Reads one preference, its parameters included, up to where an element ends.
fn read_preference<'a>(cursor: &mut Cursor<'a>) -> Result<(&'a [u8], &'a [u8]), Unexpected> {
    let preference = read_pair(cursor)?;
    loop {
        cursor.skip_ows();
        if !cursor.eat(b";") {
            break;
        }
        cursor.skip_ows();
        if cursor.peek().is_some_and(is_tchar) {
            read_pair(cursor)?;
        }
    }
    cursor.end_element()?;
    Ok(preference)
}

/// A name, and its value as sent, or nothing.
fn read_pair<'a>(cursor: &mut Cursor<'a>) -> Result<(&'a [u8], &'a [u8]), Unexpected> {
    let name = cursor.token()?;
    cursor.skip_ows();
    if !cursor.eat(b"=") {
        return Ok((name, &[]));
    }
    cursor.skip_ows();
    let value = match cursor.peek() {
        Some(b'"') => cursor.quoted_string()?,
        _ => cursor.token()?,
    };
    Ok((name, value))
}

/// Steps to the next comma outside quotes; to the end if a quote is not closed.
fn skip_element(cursor: &mut Cursor<'_>) {
    loop {
        cursor.take_while(|byte| !matches!(byte, b',' | b'"'));
        match cursor.peek() {
            Some(b'"') if cursor.quoted_string().is_ok() => {}
            Some(b'"') => {
                cursor.take_while(|_| true);
            }
            _ => return,
        }
    }
}

fn read_return(value: &[u8]) -> Option<Return> {
    let is = |text: &str| {
        let lower = unquoted(value).map(|byte| byte.to_ascii_lowercase());
        lower.eq(text.bytes())
    };
    if is("minimal") {
        Some(Return::Minimal)
    } else if is("representation") {
        Some(Return::Representation)
    } else {
        None
    }
}

/// `delta-seconds`; what is larger than the type can hold is as good as its largest.
fn read_seconds(value: &[u8]) -> Option<u32> {
    let mut digits = unquoted(value).peekable();
    digits.peek()?;
    digits.try_fold(0u32, |number, digit| {
        let digit = digit.is_ascii_digit().then_some(digit & 0x0f)?;
        Some(number.saturating_mul(10).saturating_add(u32::from(digit)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(lines: &[&str]) -> (Option<Return>, Option<u32>) {
        let prefer = Prefer::parse(lines.iter().map(|line| line.as_bytes()));
        (prefer.returns, prefer.wait_secs)
    }

    #[test]
    fn section_4_6_preferences() {
        const MINIMAL: Option<Return> = Some(Return::Minimal);
        const WHOLE: Option<Return> = Some(Return::Representation);
        type Case = (&'static [&'static str], (Option<Return>, Option<u32>));
        let cases: [Case; 38] = [
            (&[], (None, None)),
            (&[""], (None, None)),
            (&["return=minimal"], (MINIMAL, None)),
            (&["return=representation"], (WHOLE, None)),
            (&["RETURN=Representation"], (WHOLE, None)),
            (&["return=\"representation\""], (WHOLE, None)),
            (&["return=\"re\\presentation\""], (WHOLE, None)),
            (&["return = minimal"], (MINIMAL, None)),
            (&["wait=25"], (None, Some(25))),
            (&["wait=\"25\""], (None, Some(25))),
            (&["wait=0"], (None, Some(0))),
            (&["wait=007"], (None, Some(7))),
            (&["wait=99999999999999999999"], (None, Some(u32::MAX))),
            (&["return=minimal, wait=5"], (MINIMAL, Some(5))),
            (&["return=minimal", "wait=5"], (MINIMAL, Some(5))),
            (&["respond-async, wait=10"], (None, Some(10))),
            (
                &["return=minimal; foo=\"some, value\", wait=1"],
                (MINIMAL, Some(1)),
            ),
            (&["return=minimal;;a ;b=c; , wait=1"], (MINIMAL, Some(1))),
            (&["foo; return=minimal"], (None, None)),
            // The first of a repeated one counts.
            (&["return=minimal, return=representation"], (MINIMAL, None)),
            (&["return=representation", "return=minimal"], (WHOLE, None)),
            (&["return=other, return=minimal"], (None, None)),
            (&["wait=x, wait=5"], (None, None)),
            (&["wait=1, wait=2"], (None, Some(1))),
            // No value that this server knows.
            (&["return"], (None, None)),
            (&["return=\"\""], (None, None)),
            (&["wait"], (None, None)),
            (&["wait=-1"], (None, None)),
            (&["wait=1.5"], (None, None)),
            (&["wait=\"\""], (None, None)),
            // Malformed elements are skipped, the others are not.
            (&["return="], (None, None)),
            (&["=x, return=minimal"], (MINIMAL, None)),
            (&["foo bar, return=minimal"], (MINIMAL, None)),
            (&["é=\"a, wait=9\" x, return=minimal"], (MINIMAL, None)),
            (&["foo=\"a, return=minimal"], (None, None)),
            (&["foo=\"a", "return=minimal"], (MINIMAL, None)),
            (&["return=minimal x, wait=3"], (None, Some(3))),
            (&["return==minimal, wait=3"], (None, Some(3))),
        ];
        for (lines, expected) in cases {
            assert_eq!(parse(lines), expected, "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(lines in prop::collection::vec(any::<Vec<u8>>(), 0..3)) {
            let _ = Prefer::parse(lines.iter().map(Vec::as_slice));
        }

        #[test]
        fn what_follows_a_well_quoted_element_is_read(
            noise in r#"[a-z=; ]{0,12}("[a-z,;= ]{0,8}"[a-z=; ]{0,4})?"#,
            wait in any::<u32>(),
        ) {
            prop_assume!(!noise.contains("wait"));
            let line = format!("{noise}, wait={wait}");
            prop_assert_eq!(parse(&[&line]).1, Some(wait));
        }
    }
}
