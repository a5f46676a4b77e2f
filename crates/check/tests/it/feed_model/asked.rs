//! What a reader asks for, and what a list says of the same.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use serde_json::Value;

use crate::harness::client::Connection;
use crate::harness::exact;
use crate::harness::random::Random;
use crate::harness::replica::Held;

/// All documents are in these.
pub(super) const COLLECTIONS: [&str; 2] = ["/a", "/b/1/c"];

/// A document of each collection that readers follow alone.
pub(super) const FOLLOWED: [&str; 2] = ["/a/0", "/b/1/c/caf%C3%A9"];

/// All of them match [`marked`].
const FILTERS: [&str; 20] = [
    "",
    "",
    "n=1",
    "n:ne=2",
    "n:lt=2",
    "n:lte=1.0",
    "n:gt=0",
    "n:gte=1e0",
    "n:in=1,7",
    "t:contains=x",
    "s:prefix=ab",
    "s:contains=b",
    "s:ne=zzz",
    "b=true",
    "b=true&n=1",
    "o.k=1",
    "o.l:exists=true",
    "_where./o/l/0:gte=1",
    "none:exists=false",
    "n=1&s:exists=true&o.k:in=1,2",
];

/// All of them show the mark.
const FIELDS: [&str; 6] = ["", "", "n,mark", "o.k,text,mark", "none,mark", "o,t,s,mark"];

/// A document that every filter matches, with a mark.
pub(super) fn marked(mark: &str) -> String {
    format!(
        "{{\"n\":1,\"s\":\"abc\",\"t\":[\"x\",\"abc\"],\"b\":true,\"o\":{{\"k\":1,\"l\":[1,2,3]}},\"mark\":\"{mark}\"}}"
    )
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scope {
    All,
    Collection(&'static str),
    Document(&'static str),
}

/// What a reader asks for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) scope: Scope,
    filter: &'static str,
    fields: &'static str,
}

impl Asked {
    pub(super) fn random(random: &mut Random) -> Self {
        Self {
            scope: match random.below(10) {
                0..3 => Scope::All,
                3..8 => Scope::Collection(random.pick::<&str>(&COLLECTIONS)),
                _ => Scope::Document(random.pick::<&str>(&FOLLOWED)),
            },
            filter: random.pick::<&str>(&FILTERS),
            fields: random.pick::<&str>(&FIELDS),
        }
    }

    /// Whether it is all of every document.
    pub(super) fn is_everything(&self) -> bool {
        self.scope == Scope::All && self.filter.is_empty()
    }

    /// The target of a feed, with more parameters.
    pub(super) fn target(&self, more: &str) -> String {
        let path = match self.scope {
            Scope::All => "/_/changes",
            Scope::Collection(path) | Scope::Document(path) => path,
        };
        self.with_query(path, more)
    }

    /// The collections whose lists say the same as the feed.
    pub(super) fn lists(&self) -> Vec<&'static str> {
        match self.scope {
            Scope::All => COLLECTIONS.to_vec(),
            Scope::Collection(path) => vec![path],
            Scope::Document(path) => vec![path.rsplit_once('/').unwrap().0],
        }
    }

    /// The target of a list, with more parameters.
    pub(super) fn list(&self, collection: &str, more: &str) -> String {
        self.with_query(collection, more)
    }

    fn with_query(&self, path: &str, more: &str) -> String {
        let fields = match self.fields {
            "" => String::new(),
            fields => format!("_fields={fields}"),
        };
        let parts = [self.filter, &fields, more];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        match parts.is_empty() {
            true => path.to_owned(),
            false => format!("{path}?{}", parts.join("&")),
        }
    }

    /// Whether it is about this path.
    pub(super) fn covers(&self, path: &str) -> bool {
        match self.scope {
            Scope::Document(followed) => followed == path,
            _ => true,
        }
    }

    /// The document that is marked last of those that it is about.
    pub(super) fn mark_path(&self) -> String {
        match self.scope {
            Scope::All => format!("{}/mark", COLLECTIONS[1]),
            Scope::Collection(path) => format!("{path}/mark"),
            Scope::Document(path) => path.to_owned(),
        }
    }

    /// What is stored.
    ///
    /// # Errors
    /// The server is gone.
    pub(super) fn stored(&self, address: SocketAddr) -> io::Result<BTreeMap<String, Held>> {
        let mut stored = BTreeMap::new();
        let mut connection = Connection::try_open(address)?;
        for collection in self.lists() {
            let get = connection.get(&self.list(collection, "_limit=1000"));
            let bytes = get.bytes();
            connection.try_send(bytes)?;
            let answer = connection.try_read("GET")?;
            if answer.code == 503 {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let page = exact::value(std::str::from_utf8(&answer.status(200).body).unwrap());
            assert!(page.get("next").is_none_or(Value::is_null), "{answer}");
            for item in page["items"].as_array().unwrap() {
                let path = item["path"].as_str().unwrap().to_owned();
                if self.covers(&path) {
                    stored.insert(path, Held::read(item));
                }
            }
        }
        Ok(stored)
    }
}
