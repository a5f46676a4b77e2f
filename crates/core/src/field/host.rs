//! `Host` (RFC 9110 §7.2), and HTTP/2's `:authority`, which has its form:
//!
//! ```text
//! Host     = uri-host [ ":" port ]
//! uri-host = IP-literal / IPv4address / reg-name
//! ```
//!
//! `localhost:2040`, `[::1]:2040`
//!
//! Narrower than RFC 3986 in what it takes for a name: letters, digits and `-._~`. No
//! host that resolves is spelt with `%` or with sub-delimiters, and a comma is how an
//! intermediary would join two hosts into one. An empty host, which RFC 9112 §3.2 has
//! for targets without an authority, is a fault: here each target has one.
//!
//! `headers::Host` takes the first of several lines, and `http::uri::Authority`, on
//! which it rests, lets user information pass.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::cursor::{Cursor, Unexpected, span};
use super::{FieldFault, single};

/// A host, and the port if one was named.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    name: &'a str,
    port: Option<u16>,
}

/// Longest name: that of a DNS name in text, with its final dot (RFC 1035 §2.3.4).
const NAME_BYTES: usize = 254;

impl<'a> Host<'a> {
    /// Reads the lines of `Host`.
    ///
    /// # Errors
    /// A [`FieldFault`] if there are several lines, or the line is no host. That there
    /// must be one in HTTP/1.1 is not known here.
    pub fn parse(lines: impl Iterator<Item = &'a [u8]>) -> Result<Option<Self>, FieldFault> {
        const FIELD: &str = "Host";
        let Some(line) = single(FIELD, lines)? else {
            return Ok(None);
        };
        let host = Self::read(line.trim_ascii());
        host.map(Some).ok_or(FieldFault {
            field: FIELD,
            detail: "not a host; send the one of the URL, as 'localhost:2040'",
        })
    }

    /// Reads one host, such as the value of `:authority`; `None` for anything else.
    #[must_use]
    pub fn read(text: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        let name = if cursor.peek() == Some(b'[') {
            read_ip_literal(&mut cursor)?
        } else {
            std::str::from_utf8(cursor.take_while(is_name)).ok()?
        };
        let port = if cursor.eat(b":") {
            read_port(cursor.take_while(|byte| byte.is_ascii_digit()))?
        } else {
            None
        };
        let good = cursor.at_end() && (1..=NAME_BYTES).contains(&name.len());
        good.then_some(Self { name, port })
    }

    /// The name or address, with the brackets of an IPv6 address, in the case that
    /// was sent.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The port, if one was named.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The name as it is compared: in lower case.
    #[must_use]
    pub fn lower_name(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    /// Whether the names are the same; ports are not looked at.
    #[must_use]
    pub fn same_name(&self, other: &Host<'_>) -> bool {
        self.name.eq_ignore_ascii_case(other.name)
    }

    /// Whether it is an IP address: no DNS was asked for it.
    #[must_use]
    pub fn is_address(&self) -> bool {
        ip_literal(self.name).is_some() || self.name.parse::<Ipv4Addr>().is_ok()
    }

    /// Whether it can only mean this machine: `localhost` and what is below it (RFC
    /// 6761 §6.3), 127.0.0.0/8 and `[::1]`. A name that an attacker's DNS answers for
    /// is none of these, which is what stops DNS rebinding (contract §3, line 1).
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        if matches!(self.name, "localhost" | "127.0.0.1") {
            return true;
        }
        if let Some(address) = ip_literal(self.name) {
            return address.to_canonical().is_loopback();
        }
        let name = self.name.strip_suffix('.').unwrap_or(self.name);
        if let Ok(address) = name.parse::<Ipv4Addr>() {
            return address.is_loopback();
        }
        let label = name.rsplit('.').next().unwrap_or_default();
        label.eq_ignore_ascii_case("localhost")
    }
}

/// An IPv6 address in brackets, which stay. Zones and future versions are refused.
fn read_ip_literal<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    let literal = span(cursor, |cursor| {
        cursor.take_while(|byte| byte != b']');
        if cursor.eat(b"]") {
            Ok(())
        } else {
            Err(Unexpected)
        }
    });
    let literal = std::str::from_utf8(literal.ok()?).ok()?;
    ip_literal(literal).map(|_| literal)
}

fn ip_literal(name: &str) -> Option<Ipv6Addr> {
    let inner = name.strip_prefix('[')?.strip_suffix(']')?;
    inner.parse().ok()
}

/// The port; `Some(None)` where it is empty, as RFC 3986 §3.2.3 allows.
fn read_port(digits: &[u8]) -> Option<Option<u16>> {
    if digits.is_empty() {
        return Some(None);
    }
    let port = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (port > 0).then_some(Some(port))
}

/// RFC 3986's `unreserved`.
const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse<'a>(lines: &[&'a str]) -> Result<Option<Host<'a>>, FieldFault> {
        Host::parse(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn good_hosts() {
        let cases = [
            ("localhost", "localhost", None),
            ("LocalHost:2040", "localhost", Some(2040)),
            ("localhost.", "localhost.", None),
            ("localhost:", "localhost", None),
            (" a.example:1 ", "a.example", Some(1)),
            ("127.0.0.1:65535", "127.0.0.1", Some(65_535)),
            ("127.0.0.1:00080", "127.0.0.1", Some(80)),
            ("[::1]", "[::1]", None),
            ("[::FFFF:127.0.0.1]:80", "[::ffff:127.0.0.1]", Some(80)),
            ("my_host-1.a~b", "my_host-1.a~b", None),
            ("xn--bcher-kva.example", "xn--bcher-kva.example", None),
        ];
        for (line, name, port) in cases {
            let host = parse(&[line]).unwrap().unwrap();
            assert_eq!(
                (host.lower_name().as_str(), host.port()),
                (name, port),
                "{line}"
            );
        }
        assert!(matches!(parse(&[]), Ok(None)));
    }

    #[test]
    fn bad_hosts() {
        let long = "a".repeat(255);
        let cases: [&[&str]; 27] = [
            &[""],
            &[":2040"],
            &["a b"],
            &["a,b"],
            &["a, b"],
            &["a/"],
            &["http://a"],
            &["user@a"],
            &["user:x@a"],
            &["a:", "a"],
            &["a", "a"],
            &["a", ""],
            &["a:b"],
            &["a:1:2"],
            &["a:65536"],
            &["a:0"],
            &["a:-1"],
            &["a: 80"],
            &["::1"],
            &["[::1"],
            &["[::1]x"],
            &["[127.0.0.1]"],
            &["[fe80::1%25lo]"],
            &["[v1.a]"],
            &["%6cocalhost"],
            &["bücher.example"],
            &[&long],
        ];
        for lines in cases {
            assert!(parse(lines).is_err(), "{lines:?}");
        }
    }

    #[test]
    fn section_3_what_only_means_this_machine() {
        let loopback = [
            "localhost",
            "LOCALHOST:2040",
            "localhost.",
            "app.localhost",
            "a.b.localhost.:80",
            "127.0.0.1",
            "127.0.0.1.",
            "127.255.255.254:1",
            "[::1]:2040",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
        ];
        for text in loopback {
            assert!(Host::read(text.as_bytes()).unwrap().is_loopback(), "{text}");
        }
        let foreign = [
            "example.com",
            "localhost.example.com",
            "notlocalhost",
            "localhost..",
            "127.0.0.1.example.com",
            "127.1",
            "127.0.0.01",
            "2130706433",
            "0x7f000001",
            "128.0.0.1",
            "0.0.0.0",
            "10.0.0.1",
            "192.168.0.1",
            "[::]",
            "[::2]",
            "[::ffff:10.0.0.1]",
        ];
        for text in foreign {
            assert!(
                !Host::read(text.as_bytes()).unwrap().is_loopback(),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(line in any::<Vec<u8>>()) {
            let _ = Host::read(&line);
        }

        #[test]
        fn near_misses_do_not_panic(line in r"[\[\]:a1.%@]{0,16}") {
            if let Some(host) = Host::read(line.as_bytes()) {
                let _ = host.is_loopback();
            }
        }

        #[test]
        fn what_is_written_is_read(name in "[a-zA-Z0-9._~-]{1,60}", port in 1u16..) {
            let written = format!("{name}:{port}");
            let host = Host::read(written.as_bytes()).unwrap();
            prop_assert_eq!((host.name(), host.port()), (name.as_str(), Some(port)));
        }

        #[test]
        fn addresses_are_read(address in any::<u128>()) {
            let written = format!("[{}]", Ipv6Addr::from_bits(address));
            let host = Host::read(written.as_bytes()).unwrap();
            prop_assert_eq!(host.name(), written.as_str());
        }
    }
}
