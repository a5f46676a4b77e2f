//! etcd through its JSON gateway, one member, durable as it is by default.
//!
//! A document is the value of a key, in base64. Its validator is the revision that last
//! changed the key (`mod_revision`), and a save is a transaction that compares it.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;

use super::{Programs, version_of};
use crate::dialect::{Ability, Ask, Dialect, PAGE_DOCUMENTS};
use crate::document::DOCUMENT_BYTES;
use crate::response::Response;
use crate::server::{Server, free_address};
use crate::work::Work;

/// Room for a long run; the default is 2 GiB.
const QUOTA: &str = "8589934592";

/// What history is kept: far more than the client of a save may be behind.
const REVISIONS_KEPT: &str = "100000";

pub(super) fn prepare(programs: &Programs) -> anyhow::Result<String> {
    // As "etcd Version: 3.4.23".
    let printed = version_of(Command::new(program(programs)?).arg("--version"))?;
    let version = printed.rsplit(' ').next().unwrap_or_default();
    Ok(format!("etcd {version}"))
}

fn program(programs: &Programs) -> anyhow::Result<PathBuf> {
    programs.debian("etcd-server", "usr/bin/etcd")
}

pub(super) fn start(programs: &Programs, directory: &Path) -> anyhow::Result<Server> {
    let program = program(programs)?;
    let command = |address: SocketAddr| {
        let (clients, peers) = (
            format!("http://{address}"),
            format!("http://{}", free_address()?),
        );
        let mut command = Command::new(&program);
        command
            .env_clear()
            .arg("--data-dir")
            .arg(directory.join("data"))
            .args(["--listen-client-urls", &clients])
            .args(["--advertise-client-urls", &clients])
            .args(["--listen-peer-urls", &peers])
            .args(["--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &format!("default={peers}")])
            .args(["--logger", "zap", "--log-level", "error"])
            .args(["--auto-compaction-mode", "revision"])
            .args(["--auto-compaction-retention", REVISIONS_KEPT])
            .args(["--quota-backend-bytes", QUOTA]);
        Ok(command)
    };
    Server::start(command, &directory.join("etcd.log"), "/health", true)
}

/// Keys and transactions, all by POST.
pub(super) struct Gateway;

impl Dialect for Gateway {
    fn ability(&self, work: Work) -> Ability {
        match work {
            Work::Put | Work::Create | Work::Get | Work::List => Ability::Whole,
            Work::Patch | Work::NotModified | Work::Filter => Ability::None,
        }
    }

    fn request(&self, ask: &Ask<'_>, wire: &mut Vec<u8>) {
        let key = STANDARD.encode(format!("bench/{}", ask.number));
        match ask.work {
            Work::Put => {
                let revision = String::from_utf8_lossy(ask.tag);
                let known = format!(r#""target":"MOD","mod_revision":"{revision}""#);
                post(wire, ask.host, "txn", &guarded_put(&key, &known, ask.body));
            }
            Work::Create => {
                let absent = r#""target":"CREATE","create_revision":"0""#;
                post(wire, ask.host, "txn", &guarded_put(&key, absent, ask.body));
            }
            Work::List => {
                // All keys that begin with "bench/": '0' comes after '/'.
                let (first, end) = (STANDARD.encode("bench/"), STANDARD.encode("bench0"));
                let range = format!(
                    r#"{{"key":"{first}","range_end":"{end}","limit":"{PAGE_DOCUMENTS}"}}"#
                );
                post(wire, ask.host, "range", &range);
            }
            _ => post(wire, ask.host, "range", &format!(r#"{{"key":"{key}"}}"#)),
        }
    }

    fn status(&self, _work: Work) -> u16 {
        200
    }

    fn has_held(&self, work: Work, response: &Response<'_>) -> bool {
        let is_read = matches!(work, Work::Get | Work::List);
        is_read || memmem::find(response.body, br#""succeeded":true"#).is_some()
    }

    fn tag<'a>(&self, work: Work, response: &Response<'a>) -> Option<&'a [u8]> {
        let member: &[u8] = match work {
            Work::Get => br#""mod_revision":""#,
            _ => br#""revision":""#,
        };
        let from = memmem::rfind(response.body, member)? + member.len();
        response
            .body
            .get(from..)?
            .split(|&byte| byte == b'"')
            .next()
    }

    fn document_bytes(&self) -> RangeInclusive<usize> {
        encoded_bytes()..=2 * DOCUMENT_BYTES
    }

    fn item_bytes(&self) -> RangeInclusive<usize> {
        encoded_bytes()..=2 * DOCUMENT_BYTES
    }
}

/// A document in base64.
fn encoded_bytes() -> usize {
    DOCUMENT_BYTES.div_ceil(3) * 4
}

fn guarded_put(key: &str, compare: &str, document: &[u8]) -> String {
    let value = STANDARD.encode(document);
    format!(
        r#"{{"compare":[{{"key":"{key}","result":"EQUAL",{compare}}}],"success":[{{"request_put":{{"key":"{key}","value":"{value}"}}}}]}}"#
    )
}

fn post(wire: &mut Vec<u8>, host: &str, what: &str, body: &str) {
    let length = body.len();
    let request = format!(
        "POST /v3/kv/{what} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    wire.extend_from_slice(request.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::tests::asked;

    fn answer(body: &[u8]) -> Response<'_> {
        Response {
            status: 200,
            etag: None,
            body,
            content_bytes: body.len(),
            closes: false,
            wire_bytes: body.len(),
        }
    }

    #[test]
    fn a_save_compares_the_revision() {
        let wire = asked(&Gateway, Work::Put);
        let (_, body) = wire.split_once("\r\n\r\n").unwrap();
        assert!(body.contains(r#""key":"YmVuY2gvNw==","result":"EQUAL","target":"MOD""#));
        assert!(wire.contains(&format!("Content-Length: {}\r\n", body.len())));
    }

    #[test]
    fn a_transaction_tells_whether_it_held_and_its_revision() {
        let held = br#"{"header":{"revision":"3"},"succeeded":true,"responses":[{"response_put":{"header":{"revision":"3"}}}]}"#;
        assert!(Gateway.has_held(Work::Put, &answer(held)));
        assert_eq!(Gateway.tag(Work::Put, &answer(held)), Some(&b"3"[..]));
        let stale = br#"{"header":{"revision":"3"}}"#;
        assert!(!Gateway.has_held(Work::Put, &answer(stale)));
        let read = br#"{"header":{"revision":"9"},"kvs":[{"key":"k","create_revision":"2","mod_revision":"4","value":"e30="}]}"#;
        assert_eq!(Gateway.tag(Work::Get, &answer(read)), Some(&b"4"[..]));
    }
}
