//! The credentials in a header section: `Authorization` (RFC 6750 §2.1), or the cookie of
//! a session (contract §7.6).

use http::header::{self, HeaderMap, HeaderValue};
use matchbook_core::field::host::Host;
use matchbook_core::request::{Method, Request};

use super::session::{HOST_COOKIE, LOOPBACK_COOKIE};

/// What came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent<'a> {
    /// Nothing.
    Nothing,
    /// A token or an API key, in `Authorization`.
    Bearer(&'a str),
    /// A token, in the cookie of a session.
    Cookie(&'a str),
    /// Something that cannot be used, for this reason.
    Unusable(&'static str),
}

impl<'a> Sent<'a> {
    /// What came in `Authorization`.
    pub(crate) const fn bearer(self) -> Option<&'a str> {
        match self {
            Self::Bearer(token) => Some(token),
            _ => None,
        }
    }

    /// Whether it has to be checked.
    pub(crate) const fn is_a_guess(self) -> bool {
        matches!(self, Self::Bearer(_) | Self::Cookie(_))
    }
}

/// Finds the credentials. `Authorization` beats the cookie, which counts for GET and HEAD
/// only: no page of another site can do more with it than look.
pub(crate) fn sent<'a>(headers: &'a HeaderMap, request: &Request<'_>) -> Sent<'a> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => bearer(line),
        (Some(_), Some(_)) => Sent::Unusable("Authorization came more than once"),
        (None, _) if matches!(request.method, Method::Get | Method::Head) => {
            let is_loopback = request.host.as_ref().is_some_and(Host::is_loopback);
            cookie(headers, is_loopback && !request.secure)
        }
        (None, _) => Sent::Nothing,
    }
}

fn bearer(line: &HeaderValue) -> Sent<'_> {
    let text = line.to_str().unwrap_or_default();
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    let token = rest.trim_matches(' ');
    // RFC 6750 §2.1: `b64token`.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if !scheme.eq_ignore_ascii_case("bearer") {
        Sent::Unusable("Authorization is not of the scheme Bearer")
    } else if token.is_empty() || !token.bytes().all(is_token) {
        Sent::Unusable("Authorization holds no token")
    } else {
        Sent::Bearer(token)
    }
}

fn cookie(headers: &HeaderMap, is_loopback: bool) -> Sent<'_> {
    let pairs = headers.get_all(header::COOKIE).iter();
    let pairs = pairs.flat_map(|line| line.to_str().unwrap_or_default().split(';'));
    for pair in pairs {
        // Of two with the same name, the first is the more specific (RFC 6265 §5.4).
        match pair.trim().split_once('=') {
            Some((HOST_COOKIE, token)) => return Sent::Cookie(token),
            Some((LOOPBACK_COOKIE, token)) if is_loopback => return Sent::Cookie(token),
            _ => {}
        }
    }
    Sent::Nothing
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, Uri, Version};
    use matchbook_core::request::Head;

    use super::*;

    type Fields<'a> = &'a [(&'static str, &'static str)];

    fn found(method: &str, host: &str, fields: Fields<'_>) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        for (name, value) in fields {
            let value = HeaderValue::from_static(value);
            headers.append(HeaderName::from_static(name), value);
        }
        let (method, uri) = (method.parse().unwrap(), Uri::from_static("/c/d"));
        let (request, _) = Request::read(Head {
            method: &method,
            uri: &uri,
            version: Version::HTTP_11,
            headers: &headers,
            framing_fault: None,
            secure: false,
        });
        match sent(&headers, &request) {
            Sent::Nothing => "nothing".to_owned(),
            Sent::Bearer(token) => format!("bearer {token}"),
            Sent::Cookie(token) => format!("cookie {token}"),
            Sent::Unusable(_) => "unusable".to_owned(),
        }
    }

    #[test]
    fn rfc_6750_section_2_1_authorization() {
        let cases = [
            ("Bearer a.b.c", "bearer a.b.c"),
            ("bearer a-_~+/=", "bearer a-_~+/="),
            ("BEARER  a ", "bearer a"),
            ("Bearer", "unusable"),
            ("Bearer ", "unusable"),
            ("Bearer a b", "unusable"),
            ("Bearer \"a\"", "unusable"),
            ("Basic YTpi", "unusable"),
            ("a.b.c", "unusable"),
            ("", "unusable"),
        ];
        for (value, expected) in cases {
            let found = found("PUT", "h", &[("authorization", value)]);
            assert_eq!(found, expected, "{value:?}");
        }
        let twice = [("authorization", "Bearer a"), ("authorization", "Bearer a")];
        assert_eq!(found("GET", "h", &twice), "unusable");
        assert_eq!(found("GET", "h", &[]), "nothing");
    }

    #[test]
    fn section_7_6_the_cookie_counts_for_get_and_head() {
        let host = ("cookie", "a=1; __Host-matchbook=t; b=2");
        let loopback = ("cookie", "matchbook-session=t");
        let authorization = ("authorization", "Bearer u");
        let cases: [(&str, &str, Fields<'_>, &str); 9] = [
            ("GET", "h", &[host], "cookie t"),
            ("HEAD", "h", &[host], "cookie t"),
            ("PUT", "h", &[host], "nothing"),
            ("POST", "h", &[host], "nothing"),
            ("GET", "h", &[host, authorization], "bearer u"),
            ("GET", "h", &[("cookie", "x=1"), host], "cookie t"),
            ("GET", "localhost:7", &[loopback], "cookie t"),
            // Any page of that host's name without TLS could have set it.
            ("GET", "h", &[loopback], "nothing"),
            ("GET", "h", &[("cookie", "matchbook=t")], "nothing"),
        ];
        for (method, host, fields, expected) in cases {
            let found = found(method, host, fields);
            assert_eq!(found, expected, "{method} {host} {fields:?}");
        }
    }
}
