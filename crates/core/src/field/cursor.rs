//! A place in a field line, and the rules of RFC 9110 §5.6 that the fields share:
//!
//! ```text
//! #element      = [ element ] *( OWS "," OWS [ element ] )
//! token         = 1*tchar
//! quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE
//! parameters    = *( OWS ";" OWS [ token "=" ( token / quoted-string ) ] )
//! ```

/// What is left of a field line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

/// The rule that was expected is not what stands here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unexpected;

/// A parameter: its name, and its value as sent, quotes included.
pub(super) type Parameter<'a> = (&'a [u8], &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) const fn new(line: &'a [u8]) -> Self {
        Self { rest: line }
    }

    pub(super) const fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Steps over `text` if it stands here.
    pub(super) fn eat(&mut self, text: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|&byte| !wanted(byte));
        let (taken, rest) = self
            .rest
            .split_at_checked(end.unwrap_or(self.rest.len()))
            .unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    pub(super) fn skip_ows(&mut self) {
        self.take_while(is_ows);
    }

    /// Steps to the next element of a list; false at the end.
    pub(super) fn next_element(&mut self) -> bool {
        self.take_while(|byte| is_ows(byte) || byte == b',');
        !self.at_end()
    }

    /// Steps over white space to where an element may end: a comma or the end.
    pub(super) fn end_element(&mut self) -> Result<(), Unexpected> {
        self.skip_ows();
        match self.peek() {
            None | Some(b',') => Ok(()),
            Some(_) => Err(Unexpected),
        }
    }

    pub(super) fn token(&mut self) -> Result<&'a [u8], Unexpected> {
        let token = self.take_while(is_tchar);
        if token.is_empty() {
            Err(Unexpected)
        } else {
            Ok(token)
        }
    }

    /// A quoted string with its quotes, escapes not undone.
    pub(super) fn quoted_string(&mut self) -> Result<&'a [u8], Unexpected> {
        span(self, |cursor| {
            if !cursor.eat(b"\"") {
                return Err(Unexpected);
            }
            loop {
                cursor.take_while(|byte| is_text(byte) && !matches!(byte, b'"' | b'\\'));
                if cursor.eat(b"\"") {
                    return Ok(());
                }
                match cursor.rest {
                    [b'\\', escaped, rest @ ..] if is_text(*escaped) => cursor.rest = rest,
                    _ => return Err(Unexpected),
                }
            }
        })
    }

    /// The next of a list of parameters; `None` where the list ends.
    pub(super) fn parameter(&mut self) -> Result<Option<Parameter<'a>>, Unexpected> {
        loop {
            let before = *self;
            self.skip_ows();
            if !self.eat(b";") {
                *self = before;
                return Ok(None);
            }
            self.skip_ows();
            if self.peek().is_none_or(|byte| matches!(byte, b';' | b',')) {
                continue;
            }
            let name = self.token()?;
            if !self.eat(b"=") {
                return Err(Unexpected);
            }
            let value = match self.peek() {
                Some(b'"') => self.quoted_string()?,
                _ => self.token()?,
            };
            return Ok(Some((name, value)));
        }
    }
}

const fn is_ows(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What `qdtext` and `quoted-pair` may hold between them.
const fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// RFC 9110 §5.6.2. A table, because most bytes of most fields are asked about.
pub(super) fn is_tchar(byte: u8) -> bool {
    const TCHARS: [bool; 256] = tchars(b"!#$%&'*+-.^_`|~");
    TCHARS.get(usize::from(byte)).copied().unwrap_or(false)
}

const fn tchars(marks: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut entries = table.as_mut_slice();
    let mut byte = 0u8;
    while let [entry, rest @ ..] = entries {
        *entry = byte.is_ascii_alphanumeric() || contains(marks, byte);
        byte = byte.wrapping_add(1);
        entries = rest;
    }
    table
}

const fn contains(mut bytes: &[u8], wanted: u8) -> bool {
    while let [byte, rest @ ..] = bytes {
        if *byte == wanted {
            return true;
        }
        bytes = rest;
    }
    false
}

/// What `read` steps over, as it was sent.
pub(super) fn span<'a>(
    cursor: &mut Cursor<'a>,
    read: impl FnOnce(&mut Cursor<'a>) -> Result<(), Unexpected>,
) -> Result<&'a [u8], Unexpected> {
    let all = cursor.rest;
    read(cursor)?;
    let length = all.len() - cursor.rest.len();
    all.get(..length).ok_or(Unexpected)
}

/// The characters that a parameter's value means, without quotes and escapes.
pub(super) fn unquoted(value: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let inner = value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""));
    let quoted = inner.is_some();
    let mut bytes = inner.unwrap_or(value).iter().copied();
    std::iter::from_fn(move || match bytes.next() {
        Some(b'\\') if quoted => bytes.next(),
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_strings_end_at_the_quote_that_is_not_escaped() {
        let good: [(&[u8], &[u8]); 4] = [
            (br#""a" b"#, br#""a""#),
            (br#""""#, br#""""#),
            (br#""a\"b"c"#, br#""a\"b""#),
            (b"\"\xff\t\"", b"\"\xff\t\""),
        ];
        for (line, expected) in good {
            assert_eq!(Cursor::new(line).quoted_string(), Ok(expected));
        }
        let bad: [&[u8]; 4] = [br#""a"#, br#""a\""#, b"\"a\n\"", b"a"];
        for line in bad {
            assert_eq!(Cursor::new(line).quoted_string(), Err(Unexpected));
        }
        assert!(unquoted(br#""a\"\\b""#).eq(*br#"a"\b"#));
        assert!(unquoted(br"plain").eq(*b"plain"));
    }

    #[test]
    fn token_characters_are_those_of_rfc_9110_section_5_6_2() {
        let delimiters = b"\"(),/:;<=>?@[\\]{}";
        for byte in 0..=u8::MAX {
            let visible = byte.is_ascii_graphic();
            assert_eq!(
                is_tchar(byte),
                visible && !delimiters.contains(&byte),
                "{byte}"
            );
        }
    }
}
