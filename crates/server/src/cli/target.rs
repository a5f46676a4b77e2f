//! Where a request goes: a URL, or a path on `--server`.

use std::fmt::Write as _;

use super::exit::Failure;

/// A server and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// HTTPS instead of HTTP.
    pub(crate) is_tls: bool,
    /// Host and port as `Host` has them.
    pub(crate) authority: String,
    /// Path and query, percent-encoded where a request target needs it.
    pub(crate) path: String,
}

impl Target {
    /// Reads PATH; if it has no scheme it is on `server`.
    ///
    /// # Errors
    /// Wrong usage, if one of the two is no URL of HTTP.
    pub(crate) fn join(server: &str, path: &str) -> Result<Self, Failure> {
        if has_scheme(path) {
            return Self::parse(path);
        }
        let mut target = Self::parse(server)?;
        let prefix = target.path.trim_end_matches('/');
        let slash = if path.starts_with('/') { "" } else { "/" };
        target.path = encode(&format!("{prefix}{slash}{path}"));
        Ok(target)
    }

    fn parse(url: &str) -> Result<Self, Failure> {
        let fault = || Failure::usage(format!("{url:?} is not a URL of the form http://host:port"));
        let (scheme, rest) = url.split_once("://").ok_or_else(fault)?;
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(fault()),
        };
        let rest = rest.split('#').next().unwrap_or(rest);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let is_good = authority.parse::<http::uri::Authority>().is_ok();
        if !is_good || authority.contains('@') {
            return Err(fault());
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self {
            is_tls,
            authority: authority.to_owned(),
            path: encode(&format!("{slash}{path}")),
        })
    }

    /// The same server with another path.
    #[must_use]
    pub(crate) fn with_path(&self, path: &str) -> Self {
        Self {
            path: encode(path),
            ..self.clone()
        }
    }

    /// Follows a reference that the server gave: a URL's path and query, or the query
    /// alone.
    #[must_use]
    pub(crate) fn follow(&self, reference: &str) -> Self {
        if let Ok(target) = Self::parse(reference) {
            return self.with_path(&target.path);
        }
        if reference.starts_with('?') {
            let path = self.path.split('?').next().unwrap_or(&self.path);
            return self.with_path(&format!("{path}{reference}"));
        }
        self.with_path(reference)
    }

    /// Host without brackets, and port.
    pub(crate) fn host_and_port(&self) -> (&str, u16) {
        let default_port = if self.is_tls { 443 } else { 80 };
        let (host, port) = match self.authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().unwrap_or(default_port))
            }
            _ => (self.authority.as_str(), default_port),
        };
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        (bare.unwrap_or(host), port)
    }

    /// The same path with a query term more; name and value are encoded.
    pub(crate) fn push_query(&mut self, name: &str, value: &str) {
        self.path
            .push(if self.path.contains('?') { '&' } else { '?' });
        self.path.push_str(&encode_component(name));
        self.path.push('=');
        self.path.push_str(&encode_component(value));
    }
}

fn has_scheme(path: &str) -> bool {
    path.split_once("://")
        .is_some_and(|(scheme, _)| scheme.bytes().all(|byte| byte.is_ascii_alphabetic()))
}

/// Encodes what must not stand raw in a request target, and leaves all else alone:
/// whoever writes `%2F` or `?` means it.
fn encode(path: &str) -> String {
    encode_unless(path, |byte| {
        byte.is_ascii_graphic()
            && !matches!(
                byte,
                b'"' | b'<' | b'>' | b'#' | b'\\' | b'^' | b'`' | b'{' | b'}'
            )
    })
}

fn encode_component(text: &str) -> String {
    encode_unless(text, |byte| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b',' | b'*')
    })
}

fn encode_unless(text: &str, is_fine: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_fine(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_joins_the_server_and_a_url_stands_alone() {
        let cases = [
            ("http://h:1", "/notes/1", "http h:1 /notes/1"),
            ("http://h:1/", "notes/1", "http h:1 /notes/1"),
            ("https://h/api/", "/notes/1", "https h /api/notes/1"),
            ("http://h:1", "/", "http h:1 /"),
            ("http://h:1", "", "http h:1 /"),
            ("http://h:1", "HTTPS://g/x?y=1#z", "https g /x?y=1"),
            ("http://h:1", "http://g", "http g /"),
            ("http://h:1", "/a/b c", "http h:1 /a/b%20c"),
            ("http://h:1", "/a/é%2F#", "http h:1 /a/%C3%A9%2F%23"),
            ("http://h:1", "/a/x://y", "http h:1 /a/x://y"),
        ];
        for (server, path, expected) in cases {
            let target = Target::join(server, path).unwrap();
            let scheme = if target.is_tls { "https" } else { "http" };
            let joined = format!("{scheme} {} {}", target.authority, target.path);
            assert_eq!(joined, expected, "{server} {path}");
        }
        for (server, path) in [("h:1", "/x"), ("http://", "/x"), ("http://h", "ftp://x/y")] {
            assert!(Target::join(server, path).is_err(), "{server} {path}");
        }
    }

    #[test]
    fn host_and_port_are_found_also_in_ipv6() {
        let cases = [
            ("http://h", "h", 80),
            ("https://h", "h", 443),
            ("http://h:7", "h", 7),
            ("http://[::1]", "::1", 80),
            ("http://[::1]:7", "::1", 7),
        ];
        for (url, host, port) in cases {
            let target = Target::join(url, "/").unwrap();
            assert_eq!(target.host_and_port(), (host, port), "{url}");
        }
    }

    #[test]
    fn references_and_queries_extend_a_target() {
        let mut target = Target::join("http://h", "/notes").unwrap();
        target.push_query("title:prefix", "a&b c");
        target.push_query("_limit", "5");
        assert_eq!(target.path, "/notes?title:prefix=a%26b%20c&_limit=5");
        assert_eq!(target.follow("?_after=x").path, "/notes?_after=x");
        assert_eq!(target.follow("/notes?_after=y").path, "/notes?_after=y");
        let absolute = target.follow("http://elsewhere/notes?_after=z");
        assert_eq!(
            (absolute.authority.as_str(), absolute.path.as_str()),
            ("h", "/notes?_after=z")
        );
    }
}
