//! `Origin` (RFC 6454 §7, narrowed by the Fetch standard to one origin):
//!
//! ```text
//! Origin            = "null" / serialized-origin
//! serialized-origin = scheme "://" host [ ":" port ]
//! ```
//!
//! `https://app.example`, `null`
//!
//! Lists, which RFC 6454 has and no browser sends, are a fault. `file://` has no host;
//! some web views send it.
//!
//! `headers::Origin` lets user information pass.

use super::cursor::Cursor;
use super::host::Host;
use super::{FieldFault, single};

/// Where a request comes from, according to the browser.
#[derive(Clone, Copy, Debug)]
pub enum Origin<'a> {
    /// `null`: sandboxed, redirected or otherwise hidden. Like no other origin.
    Null,
    /// A scheme, a host and a port.
    Site(Site<'a>),
}

/// An origin that is not `null`.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    text: &'a str,
    scheme: &'a str,
    /// `None` in `file://`.
    host: Option<Host<'a>>,
}

impl<'a> Origin<'a> {
    /// Reads the lines of `Origin`.
    ///
    /// # Errors
    /// A [`FieldFault`] if there are several lines, or the line is not one origin.
    pub fn parse(lines: impl Iterator<Item = &'a [u8]>) -> Result<Option<Self>, FieldFault> {
        const FIELD: &str = "Origin";
        let Some(line) = single(FIELD, lines)? else {
            return Ok(None);
        };
        let text = std::str::from_utf8(line.trim_ascii()).ok();
        let origin = text.and_then(Self::read);
        origin.map(Some).ok_or(FieldFault {
            field: FIELD,
            detail: "not an origin; send 'null' or one as 'https://app.example'",
        })
    }

    /// Reads one origin, such as a configured one; `None` for anything else.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        if text == "null" {
            return Some(Self::Null);
        }
        let mut cursor = Cursor::new(text.as_bytes());
        let scheme = cursor.take_while(is_scheme);
        let alphabetic = scheme.first().is_some_and(u8::is_ascii_alphabetic);
        let scheme = std::str::from_utf8(scheme).ok().filter(|_| alphabetic)?;
        let rest = text.strip_prefix(scheme)?.strip_prefix("://")?;
        let host = Host::read(rest.as_bytes());
        let hostless = rest.is_empty() && scheme.eq_ignore_ascii_case("file");
        (host.is_some() || hostless).then_some(Self::Site(Site { text, scheme, host }))
    }

    /// Whether both are the same origin (RFC 6454 §5): scheme, host and port, the
    /// default ports of http and https taken for what they are. Neither `null` nor
    /// `file://` is the same as anything.
    #[must_use]
    pub fn is_same(&self, other: &Origin<'_>) -> bool {
        match (self, other) {
            (Self::Site(one), Origin::Site(other)) => {
                other.host.is_some_and(|host| one.is(other.scheme, &host))
            }
            _ => false,
        }
    }

    /// Whether it is the origin of what this scheme and host serve.
    #[must_use]
    pub fn is_of(&self, scheme: &str, host: &Host<'_>) -> bool {
        match self {
            Self::Site(site) => site.is(scheme, host),
            Self::Null => false,
        }
    }

    /// The origin as it was sent: what `Access-Control-Allow-Origin` repeats.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        match self {
            Self::Null => "null",
            Self::Site(site) => site.text,
        }
    }
}

impl Site<'_> {
    fn is(&self, scheme: &str, host: &Host<'_>) -> bool {
        let default = default_port(scheme);
        self.scheme.eq_ignore_ascii_case(scheme)
            && self.host.is_some_and(|own| {
                own.same_name(host) && own.port().or(default) == host.port().or(default)
            })
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    if scheme.eq_ignore_ascii_case("http") {
        Some(80)
    } else if scheme.eq_ignore_ascii_case("https") {
        Some(443)
    } else {
        None
    }
}

const fn is_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse<'a>(lines: &[&'a str]) -> Result<Option<Origin<'a>>, FieldFault> {
        Origin::parse(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn well_formed_and_malformed_origins() {
        let good = [
            "null",
            "http://localhost:2040",
            "https://app.example",
            "https://[::1]:8443",
            "chrome-extension://abcdefghijklmnop",
            "capacitor://localhost",
            "app://-",
            "file://",
        ];
        for text in good {
            let origin = parse(&[text]).unwrap().unwrap();
            assert_eq!(origin.as_str(), text);
        }
        let bad: [&[&str]; 17] = [
            &[""],
            &["NULL"],
            &["*"],
            &["app.example"],
            &["app.example:443"],
            &["//app.example"],
            &["http:/a"],
            &["http://"],
            &["://a"],
            &["1http://a"],
            &["http://a/"],
            &["http://a/b"],
            &["http://user@a"],
            &["http://a http://b"],
            &["http://a, http://b"],
            &["http://a", "http://a"],
            &["null", "http://a"],
        ];
        for lines in bad {
            assert!(parse(lines).is_err(), "{lines:?}");
        }
        assert!(matches!(parse(&[]), Ok(None)));
    }

    #[test]
    fn the_same_origin_has_scheme_host_and_port_in_common() {
        let cases = [
            ("http://a", "http://a", true),
            ("http://a", "HTTP://A:80", true),
            ("https://a:443", "https://a", true),
            ("http://a:443", "https://a", false),
            ("http://a", "https://a", false),
            ("http://a", "http://a:8080", false),
            ("http://a", "http://a.", false),
            ("http://a", "http://b", false),
            ("http://a", "http://a.b", false),
            ("http://localhost", "http://127.0.0.1", false),
            ("app://a", "app://a", true),
            ("app://a:80", "app://a", false),
            ("null", "null", false),
            ("file://", "file://", false),
            ("file://", "null", false),
        ];
        for (one, other, same) in cases {
            let (a, b) = (Origin::read(one).unwrap(), Origin::read(other).unwrap());
            assert_eq!(a.is_same(&b), same, "{one} {other}");
            assert_eq!(b.is_same(&a), same, "{other} {one}");
        }
        let host = Host::read(b"Localhost:2040").unwrap();
        let is_ours = |text| Origin::read(text).unwrap().is_of("http", &host);
        assert!(is_ours("http://localhost:2040"));
        assert!(!is_ours("https://localhost:2040"));
        assert!(!is_ours("http://localhost"));
        assert!(!is_ours("null"));
        assert!(!is_ours("file://"));
    }

    proptest! {
        #[test]
        fn nothing_panics(line in any::<Vec<u8>>()) {
            let _ = Origin::parse(std::iter::once(line.as_slice()));
        }

        #[test]
        fn what_is_written_is_read(
            scheme in "[a-z][a-z0-9+.-]{0,6}", name in "[a-zA-Z0-9.-]{1,20}", port in 1u16..,
        ) {
            let written = format!("{scheme}://{name}:{port}");
            let host = format!("{name}:{port}");
            let origin = Origin::read(&written).unwrap();
            prop_assert!(origin.is_of(&scheme, &Host::read(host.as_bytes()).unwrap()));
        }
    }
}
