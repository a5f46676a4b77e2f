//! Where the keys are that tokens are checked with.

use std::fmt;
use std::path::PathBuf;

use http::Uri;
use matchbook_core::field::host::Host;

use super::value::Scalar;

/// A file or a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The operator's own file.
    File(PathBuf),
    /// A JWK set that its issuer publishes.
    Url(JwksUrl),
}

impl Scalar for KeySource {
    fn scalar(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            return JwksUrl::read(text).map(Self::Url);
        }
        PathBuf::scalar(text).map(Self::File)
    }
}

/// A URL from which keys may be taken: what comes from it decides who is let in, so
/// that only TLS will do, except within this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwksUrl {
    uri: Uri,
    is_tls: bool,
}

impl JwksUrl {
    fn read(text: &str) -> Result<Self, String> {
        let fault = || format!("{text:?} is not a URL such as https://issuer.example/jwks.json");
        let uri: Uri = text.parse().map_err(|_| fault())?;
        let authority = uri.authority().ok_or_else(fault)?.as_str();
        let host = Host::read(authority.as_bytes()).ok_or_else(fault)?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if host.is_loopback() => false,
            Some("http") => {
                return Err(format!(
                    "{text:?}: keys that decide who is let in are fetched by https only"
                ));
            }
            _ => return Err(fault()),
        };
        Ok(Self { uri, is_tls })
    }

    /// Whether it is https.
    pub(crate) const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Host and port as `Host` has them.
    pub(crate) fn authority(&self) -> &str {
        self.uri
            .authority()
            .map_or("", http::uri::Authority::as_str)
    }

    /// The host's name, without brackets.
    pub(crate) fn host(&self) -> &str {
        let host = self.uri.host().unwrap_or_default();
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        bare.unwrap_or(host)
    }

    pub(crate) fn port(&self) -> u16 {
        let default_port = if self.is_tls { 443 } else { 80 };
        self.uri.port_u16().unwrap_or(default_port)
    }

    /// Path and query.
    pub(crate) fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }
}

impl fmt::Display for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_11_keys_come_by_tls_or_from_this_machine() {
        let cases = [
            ("https://issuer.example/jwks", Some(("issuer.example", 443))),
            (
                "https://issuer.example:8443/a?b",
                Some(("issuer.example", 8_443)),
            ),
            ("http://127.0.0.1:8080/jwks", Some(("127.0.0.1", 8_080))),
            ("http://localhost/jwks", Some(("localhost", 80))),
            ("http://[::1]:7/", Some(("::1", 7))),
            ("http://issuer.example/jwks", None),
            ("http://localhost.evil.example/", None),
            ("https://user@issuer.example/", None),
            ("ftp://issuer.example/", None),
            ("https://", None),
        ];
        for (text, expected) in cases {
            let read = JwksUrl::read(text).ok();
            let found = read.as_ref().map(|url| (url.host(), url.port()));
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(
            KeySource::scalar("keys/a.pem"),
            Ok(KeySource::File("keys/a.pem".into()))
        );
        assert!(KeySource::scalar("").is_err());
    }
}
