//! A load whose every write is noted, with its place in the disk's log.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::json;

use crate::harness::client::Connection;
use crate::harness::random::Random;
use crate::harness::{Answer, Server};

/// Writers of one document each. As many again save two at once.
const WRITERS: usize = 2;

/// What a write was to make of a document.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// `None`: it was deleted.
    pub(super) body: Option<String>,
    /// The length of the log before it was sent.
    pub(super) sent: u64,
    /// The length of the log after it was acknowledged.
    pub(super) acknowledged: u64,
    pub(super) tag: Option<String>,
}

/// All writes to a document, in their order: it has one writer, who waits for each answer.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) path: String,
    pub(super) steps: Vec<Step>,
}

/// Those of one writer. Each step of several chains is one batch.
pub(super) type Writer = Vec<Chain>;

/// The writers before their first write.
pub(super) fn writers() -> Vec<Writer> {
    let chain = |path: String| Chain {
        path,
        steps: Vec::new(),
    };
    let single = |writer| vec![chain(format!("/power/{writer}"))];
    let pair = |writer| ["a", "b"].map(|one| chain(format!("/power/{writer}{one}")));
    let singles = (0..WRITERS).map(single);
    let pairs = (WRITERS..2 * WRITERS).map(|writer| pair(writer).into());
    singles.chain(pairs).collect()
}

/// Has each writer write so often, all at the same time, contents of about these lengths.
pub(super) fn write(
    server: &Server,
    log: &Path,
    writers: &mut Vec<Writer>,
    (count, lengths): (usize, &'static [usize]),
) {
    let threads = std::mem::take(writers).into_iter().enumerate();
    let threads = threads.map(|(number, chains)| {
        let work = Work {
            address: server.address(),
            log: log.to_owned(),
            random: Random::new((chains[0].steps.len() * 31 + number) as u64),
            lengths,
            chains,
        };
        thread::spawn(move || work.run(count))
    });
    let threads: Vec<_> = threads.collect();
    let done = threads.into_iter().map(|thread| thread.join().unwrap());
    writers.extend(done);
}

struct Work {
    address: SocketAddr,
    log: PathBuf,
    random: Random,
    lengths: &'static [usize],
    chains: Writer,
}

impl Work {
    fn run(mut self, count: usize) -> Writer {
        let mut connection = Connection::open(self.address);
        for _ in 0..count {
            let body = self.next_body();
            let sent = length(&self.log);
            let tags = match self.chains.as_slice() {
                [chain] => vec![save(&mut connection, chain, body.as_deref())],
                chains => save_together(&mut connection, chains, body.as_deref()),
            };
            let acknowledged = length(&self.log);
            for (chain, tag) in self.chains.iter_mut().zip(tags) {
                chain.steps.push(Step {
                    body: body.clone(),
                    sent,
                    acknowledged,
                    tag,
                });
            }
        }
        self.chains
    }

    /// Another one each time.
    fn next_body(&mut self) -> Option<String> {
        let chain = &self.chains[0];
        let is_there = chain.steps.last().is_some_and(|step| step.body.is_some());
        if is_there && self.random.percent(15) {
            return None;
        }
        let length = *self.random.pick(self.lengths);
        let pad = "x".repeat(length / 2 + self.random.below(length));
        let count = chain.steps.len();
        Some(format!(
            "{{\"count\":{count},\"of\":\"{}\",\"pad\":\"{pad}\"}}",
            chain.path
        ))
    }
}

fn length(log: &Path) -> u64 {
    std::fs::metadata(log).unwrap().len()
}

/// The precondition of the next write.
fn precondition(chain: &Chain) -> (&'static str, &str) {
    let tag = chain.steps.last().and_then(|step| step.tag.as_deref());
    tag.map_or(("If-None-Match", "*"), |tag| ("If-Match", tag))
}

fn save(connection: &mut Connection, chain: &Chain, body: Option<&str>) -> Option<String> {
    let (name, value) = precondition(chain);
    let request = match body {
        Some(body) => connection.put(&chain.path, body),
        None => connection.request("DELETE", &chain.path),
    };
    let answer = request.field(name, value).send();
    assert!([201, 204].contains(&answer.code), "{answer}");
    body.map(|_| answer.tag())
}

fn save_together(
    connection: &mut Connection,
    chains: &[Chain],
    body: Option<&str>,
) -> Vec<Option<String>> {
    let requests = chains.iter().map(|chain| {
        let (name, value) = precondition(chain);
        let body: Option<serde_json::Value> = body.map(|body| serde_json::from_str(body).unwrap());
        let method = if body.is_some() { "PUT" } else { "DELETE" };
        json!({"method": method, "path": chain.path, "headers": {name: value}, "body": body})
    });
    let requests: Vec<_> = requests.collect();
    let batch = json!({"atomic": true, "requests": requests}).to_string();
    let request = connection.request("POST", "/_/batch").json(batch);
    let answer: Answer = request.send();
    let answers = answer.status(200).json();
    let answers = answers["responses"].as_array().unwrap();
    let tag = |answer: &serde_json::Value| {
        let status = answer["status"].as_u64().unwrap();
        assert!([201, 204].contains(&status), "{answer}");
        let tag = answer["headers"]["etag"].as_str().map(str::to_owned);
        tag.filter(|_| body.is_some())
    };
    answers.iter().map(tag).collect()
}
