//! JSON Pointer: a place in a document (RFC 6901).

use std::fmt;

/// A parsed JSON Pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointer {
    tokens: Vec<String>,
}

/// The text is no JSON Pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointerFault {
    /// It is neither empty nor begins with `/`.
    NoSlash,
    /// `~` without `0` or `1` behind it.
    Escape,
}

impl fmt::Display for PointerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSlash => "a JSON Pointer is empty or begins with '/'",
            Self::Escape => "'~' in a JSON Pointer must be followed by 0 or 1",
        })
    }
}

impl std::error::Error for PointerFault {}

impl Pointer {
    /// Reads a pointer from its text.
    ///
    /// # Errors
    /// A [`PointerFault`] if it is malformed.
    ///
    /// ```
    /// use matchbook_core::json::Pointer;
    /// let pointer = Pointer::parse("/a~1b/0").unwrap_or_default();
    /// assert_eq!(pointer.tokens(), ["a/b", "0"]);
    /// assert!(Pointer::parse("a").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, PointerFault> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let rest = text.strip_prefix('/').ok_or(PointerFault::NoSlash)?;
        let tokens = rest.split('/').map(decode).collect::<Result<_, _>>()?;
        Ok(Self { tokens })
    }

    /// The reference tokens, decoded, outermost first.
    #[must_use]
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Whether the place lies within the value at the other one.
    #[must_use]
    pub fn is_below(&self, other: &Self) -> bool {
        self.tokens.len() > other.tokens.len() && self.tokens.starts_with(&other.tokens)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tokens
            .iter()
            .try_for_each(|token| write!(f, "/{}", token.replace('~', "~0").replace('/', "~1")))
    }
}

fn decode(token: &str) -> Result<String, PointerFault> {
    let mut pieces = token.split('~');
    let mut decoded = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (character, rest) = match piece.split_at_checked(1) {
            Some(("0", rest)) => ('~', rest),
            Some(("1", rest)) => ('/', rest),
            _ => return Err(PointerFault::Escape),
        };
        decoded.push(character);
        decoded.push_str(rest);
    }
    Ok(decoded)
}

/// The array index that a token spells: digits, without leading zeros.
pub(super) fn array_index(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with('0');
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    token.parse().ok().filter(|_| canonical && digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_6901_section_5_the_examples() {
        let cases: [(&str, &[&str]); 12] = [
            ("", &[]),
            ("/foo", &["foo"]),
            ("/foo/0", &["foo", "0"]),
            ("/", &[""]),
            ("/a~1b", &["a/b"]),
            ("/c%d", &["c%d"]),
            ("/i\\j", &["i\\j"]),
            ("/k\"l", &["k\"l"]),
            ("/ ", &[" "]),
            ("/m~0n", &["m~n"]),
            ("/~01", &["~1"]),
            ("//é~1~0", &["", "é/~"]),
        ];
        for (text, tokens) in cases {
            let pointer = Pointer::parse(text).unwrap();
            assert_eq!(pointer.tokens(), tokens, "{text}");
            assert_eq!(pointer.to_string(), text);
        }
    }

    #[test]
    fn rfc_6901_section_3_what_is_malformed() {
        assert_eq!(Pointer::parse("a"), Err(PointerFault::NoSlash));
        assert_eq!(Pointer::parse("/~"), Err(PointerFault::Escape));
        assert_eq!(Pointer::parse("/a~2"), Err(PointerFault::Escape));
        assert_eq!(Pointer::parse("/~é"), Err(PointerFault::Escape));
    }

    #[test]
    fn rfc_6901_section_4_an_index_has_one_spelling() {
        let cases = [
            ("0", Some(0)),
            ("10", Some(10)),
            ("01", None),
            ("00", None),
            ("-", None),
            ("-1", None),
            ("+1", None),
            ("1e0", None),
            ("", None),
            ("99999999999999999999999", None),
        ];
        for (token, index) in cases {
            assert_eq!(array_index(token), index, "{token}");
        }
    }
}
