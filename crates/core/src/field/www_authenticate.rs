//! `WWW-Authenticate` (RFC 9110 §11.6.1) with a challenge of the Bearer scheme
//! (RFC 6750 §3), on each 401, and on each 403 for want of rights.
//!
//! Example: `Bearer realm="matchbook", error="invalid_token",
//! error_description="the token has expired"`

use std::fmt::{self, Write as _};

/// What every challenge begins with.
const BEGIN: &str = "Bearer realm=\"matchbook\"";

/// A challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// No credentials came. RFC 6750 §3.1: then nothing is said of errors.
    Missing,
    /// Those that came are not good, for this reason.
    InvalidToken(&'static str),
    /// They are good, and do not permit this action.
    InsufficientScope(&'static str),
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(BEGIN)?;
        match self {
            Self::Missing => Ok(()),
            Self::InvalidToken(reason) => {
                f.write_str(", error=\"invalid_token\", error_description=\"")?;
                write_quotable(f, reason)?;
                f.write_char('"')
            }
            Self::InsufficientScope(action) => {
                f.write_str(", error=\"insufficient_scope\", scope=\"")?;
                write_quotable(f, action)?;
                f.write_char('"')
            }
        }
    }
}

/// RFC 6750 §3 allows printable ASCII, without the two that would need an escape.
fn write_quotable(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        f.write_char(match c {
            '"' | '\\' => '\'',
            ' '..='~' => c,
            _ => '?',
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_6750_section_3_challenges() {
        let cases = [
            (Challenge::Missing, r#"Bearer realm="matchbook""#),
            (
                Challenge::InvalidToken("the token has expired"),
                r#"Bearer realm="matchbook", error="invalid_token", error_description="the token has expired""#,
            ),
            (
                Challenge::InvalidToken("a \"quoted\\ \r\né"),
                r#"Bearer realm="matchbook", error="invalid_token", error_description="a 'quoted' ???""#,
            ),
            (
                Challenge::InsufficientScope("update"),
                r#"Bearer realm="matchbook", error="insufficient_scope", scope="update""#,
            ),
        ];
        for (challenge, text) in cases {
            assert_eq!(challenge.to_string(), text);
        }
    }
}
