//! The types of settings, and how each is read from text.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// How a setting is written: decides its flag, its TOML type and how it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`; a bare flag means `true`.
    Switch,
    /// An integer.
    Number,
    /// A string.
    Text,
    /// A list of strings: a flag that repeats; commas in the environment.
    List,
}

/// A type that a setting can have.
pub(super) trait Value: Sized {
    const KIND: Kind;

    fn read(texts: &[String]) -> Result<Self, String>;
}

/// A type that one text makes.
pub(super) trait Scalar: Sized {
    fn scalar(text: &str) -> Result<Self, String>;
}

macro_rules! scalars {
    ($($type:ty: $kind:ident),+ $(,)?) => { $(
        impl Value for $type {
            const KIND: Kind = Kind::$kind;

            fn read(texts: &[String]) -> Result<Self, String> {
                // The last one counts, as with most programs' flags.
                Self::scalar(texts.last().map_or("", String::as_str))
            }
        }
    )+ };
}

scalars! {
    bool: Switch,
    u64: Number,
    NonZeroUsize: Number,
    PathBuf: Text,
    SocketAddr: Text,
    LogFormat: Text,
}

impl Value for Option<PathBuf> {
    const KIND: Kind = Kind::Text;

    fn read(texts: &[String]) -> Result<Self, String> {
        texts.last().map(|text| PathBuf::scalar(text)).transpose()
    }
}

impl Value for Option<String> {
    const KIND: Kind = Kind::Text;

    fn read(texts: &[String]) -> Result<Self, String> {
        match texts.last() {
            Some(text) if text.is_empty() => Err("the text is empty".to_owned()),
            text => Ok(text.cloned()),
        }
    }
}

impl<T: Scalar> Value for Vec<T> {
    const KIND: Kind = Kind::List;

    fn read(texts: &[String]) -> Result<Self, String> {
        texts.iter().map(|text| T::scalar(text)).collect()
    }
}

impl Scalar for bool {
    fn scalar(text: &str) -> Result<Self, String> {
        match text {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(format!("{text:?} is neither true nor false")),
        }
    }
}

impl Scalar for u64 {
    fn scalar(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| format!("{text:?} is not a whole number"))
    }
}

impl Scalar for NonZeroUsize {
    fn scalar(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| format!("{text:?} is not a whole number above zero"))
    }
}

impl Scalar for PathBuf {
    fn scalar(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("the path is empty".to_owned());
        }
        Ok(Self::from(text))
    }
}

impl Scalar for SocketAddr {
    fn scalar(text: &str) -> Result<Self, String> {
        if let Some(port) = text.strip_prefix("localhost:")
            && let Ok(port) = port.parse()
        {
            return Ok(Self::from((Ipv4Addr::LOCALHOST, port)));
        }
        text.parse().map_err(|_| {
            format!("{text:?} is not an address with a port, such as 127.0.0.1:2040 or [::1]:2040")
        })
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person at a terminal.
    Human,
    /// One JSON object a line.
    Json,
}

impl Scalar for LogFormat {
    fn scalar(text: &str) -> Result<Self, String> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err(format!("{text:?} is neither human nor json")),
        }
    }
}

/// A host's name as it stands in `Host`, lower-case, without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for HostName {
    fn scalar(text: &str) -> Result<Self, String> {
        let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if let Some(address) = text.strip_prefix('[') {
            let address = address.strip_suffix(']').and_then(|a| a.parse().ok());
            let address: std::net::Ipv6Addr =
                address.ok_or_else(|| format!("{text:?} is not an IPv6 address in brackets"))?;
            return Ok(Self(format!("[{address}]")));
        }
        if text.is_empty() || !text.chars().all(is_good) {
            return Err(format!(
                "{text:?} is not a host's name (write it without scheme, port and path)"
            ));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An origin exactly as a browser sends it in `Origin` (RFC 6454 §6.2): scheme and
/// host in lower case, no default port, no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// The origin's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for Origin {
    fn scalar(text: &str) -> Result<Self, String> {
        let fault = || {
            format!(
                "{text:?} is not an origin, such as https://app.example or http://localhost:5173"
            )
        };
        if text == "*" {
            return Err("'*' is not an origin: name each one that may call".to_owned());
        }
        let uri: http::Uri = text.parse().map_err(|_| fault())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(fault());
        };
        let bare = text.strip_suffix('/').unwrap_or(text);
        let is_whole = bare.len() == scheme.len() + "://".len() + authority.as_str().len();
        if !is_whole || authority.as_str().contains('@') || authority.as_str().ends_with(':') {
            return Err(fault());
        }
        let origin = bare.to_ascii_lowercase();
        let default_port = match scheme.to_ascii_lowercase().as_str() {
            "http" => ":80",
            "https" => ":443",
            _ => return Err(fault()),
        };
        Ok(Self(
            origin
                .strip_suffix(default_port)
                .unwrap_or(&origin)
                .to_owned(),
        ))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_browsers_send() {
        let cases = [
            ("https://app.example", Some("https://app.example")),
            ("HTTPS://App.Example", Some("https://app.example")),
            ("https://app.example:443/", Some("https://app.example")),
            ("http://app.example:443", Some("http://app.example:443")),
            ("http://localhost:5173", Some("http://localhost:5173")),
            ("http://[::1]:80", Some("http://[::1]")),
            ("*", None),
            ("app.example", None),
            ("https://app.example/path", None),
            ("https://app.example?x", None),
            ("https://me@app.example", None),
            ("https://app.example:", None),
            ("ftp://app.example", None),
            ("null", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let read = Origin::scalar(text).ok();
            assert_eq!(read.as_ref().map(Origin::as_str), expected, "{text}");
        }
    }

    #[test]
    fn a_host_name_has_no_port() {
        let cases = [
            ("Matchbook.Local", Some("matchbook.local")),
            ("10.0.0.7", Some("10.0.0.7")),
            ("[0::7]", Some("[::7]")),
            ("[7]", None),
            ("a:80", None),
            ("http://a", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let read = HostName::scalar(text).ok();
            assert_eq!(read.as_ref().map(HostName::as_str), expected, "{text}");
        }
    }

    #[test]
    fn an_address_needs_its_port() {
        let cases = [
            ("127.0.0.1:2040", Some("127.0.0.1:2040")),
            ("localhost:7", Some("127.0.0.1:7")),
            ("[::1]:2040", Some("[::1]:2040")),
            ("127.0.0.1", None),
            (":2040", None),
            ("localhost:99999", None),
        ];
        for (text, expected) in cases {
            let read = SocketAddr::scalar(text).ok().map(|read| read.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
