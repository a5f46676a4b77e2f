//! Kinto on PostgreSQL (`bench/peers/kinto/`).
//!
//! A document is the `data` of a record; its validator is the time of its last change, as
//! an `ETag`. Every write answers with the whole record.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::bail;

use super::install::run;
use super::postgres::{self, Cluster};
use super::{Programs, granian};
use crate::client::Client;
use crate::dialect::{Ask, Dialect, PAGE_DOCUMENTS, condition, method};
use crate::document::DOCUMENT_BYTES;
use crate::response::Response;
use crate::server::Server;
use crate::work::Work;

const NAME: &str = "kinto";

/// Where the documents are.
const COLLECTION: &str = "/v1/buckets/bench/collections/bench";

/// "bench:bench": Kinto knows whoever comes by the name that they give.
const AUTHORIZATION: (&str, &str) = ("Authorization", "Basic YmVuY2g6YmVuY2g=");

/// Making some tables.
const MIGRATE_AT_MOST: Duration = Duration::from_secs(60);

pub(super) fn prepare(programs: &Programs) -> anyhow::Result<String> {
    programs.python(NAME)?;
    let pinned = programs.pinned(NAME, &["kinto", "granian"])?;
    let database = postgres::version()?;
    Ok(format!("{pinned} with {}; {database}", granian::about()))
}

pub(super) fn start(programs: &Programs, directory: &Path) -> anyhow::Result<Server> {
    let environment = programs.environment(NAME);
    let sources = programs.peers.join(NAME);
    let Cluster { server, url } = postgres::start(directory, NAME)?;
    let with_database = |command: &mut Command| {
        command
            .env("KINTO_STORAGE_URL", &url)
            .env("KINTO_PERMISSION_URL", &url);
    };
    let mut migrate = Command::new(environment.join("bin/kinto"));
    migrate
        .args(["migrate", "--ini"])
        .arg(sources.join("kinto.ini"));
    with_database(&mut migrate);
    run(&mut migrate, MIGRATE_AT_MOST)?;
    let command = |address| {
        let application = "service:application";
        let mut command = granian::command(&environment, &sources, application, address);
        with_database(&mut command);
        Ok(command)
    };
    let log = directory.join("kinto.log");
    let kinto = Server::start(command, &log, "/v1/__lbheartbeat__", true)?.upon(server);
    make_collection(kinto.address())?;
    Ok(kinto)
}

fn make_collection(address: SocketAddr) -> anyhow::Result<()> {
    let (name, value) = AUTHORIZATION;
    for target in ["/v1/buckets/bench", COLLECTION] {
        let mut client = Client::connect(address)?;
        let host = &client.host;
        let request = format!(
            "PUT {target} HTTP/1.1\r\nHost: {host}\r\n{name}: {value}\r\nContent-Length: 0\r\n\r\n"
        );
        client.request.extend_from_slice(request.as_bytes());
        let status = client.exchange()?.status;
        if status != 201 {
            bail!("{status} instead of 201 to PUT {target}");
        }
    }
    Ok(())
}

/// Records of one collection.
pub(super) struct Records;

impl Dialect for Records {
    fn common_field(&self) -> Option<(&'static str, &'static str)> {
        Some(AUTHORIZATION)
    }

    fn request(&self, ask: &Ask<'_>, wire: &mut Vec<u8>) {
        let (method, host) = (method(ask.work), ask.host);
        let target = match ask.work {
            Work::List => format!("?_limit={PAGE_DOCUMENTS}"),
            Work::Filter => format!("?_limit={PAGE_DOCUMENTS}&priority={}", ask.number),
            _ => format!("/{}", ask.number),
        };
        let head = format!("{method} {COLLECTION}/records{target} HTTP/1.1\r\nHost: {host}\r\n");
        wire.extend_from_slice(head.as_bytes());
        condition(ask, wire);
        if matches!(ask.work, Work::Put | Work::Patch | Work::Create) {
            let (before, after) = (br#"{"data":"#, b"}");
            let length = before.len() + ask.body.len() + after.len();
            let fields =
                format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
            wire.extend_from_slice(fields.as_bytes());
            for piece in [before.as_slice(), ask.body, after.as_slice()] {
                wire.extend_from_slice(piece);
            }
        } else {
            wire.extend_from_slice(b"\r\n");
        }
    }

    fn status(&self, work: Work) -> u16 {
        match work {
            Work::NotModified => 304,
            Work::Create => 201,
            Work::Get | Work::List | Work::Filter | Work::Put | Work::Patch => 200,
        }
    }

    /// Two records of a collection cannot have changed in the same millisecond: where two
    /// writes meet, one is refused.
    fn is_refusal(&self, response: &Response<'_>) -> bool {
        response.status == 409
    }

    fn document_bytes(&self) -> RangeInclusive<usize> {
        DOCUMENT_BYTES..=2 * DOCUMENT_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::tests::asked;

    #[test]
    fn a_document_is_the_data_of_a_record() {
        let wire = asked(&Records, Work::Put);
        assert!(wire.starts_with("PUT /v1/buckets/bench/collections/bench/records/7 HTTP/1.1\r\n"));
        assert!(wire.contains("If-Match: \"t\"\r\n"));
        assert!(wire.ends_with("Content-Length: 11\r\n\r\n{\"data\":{}}"));
    }
}
