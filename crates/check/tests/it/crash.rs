//! The server is killed: what was acknowledged is there, byte for byte, and no tag is given
//! twice (contract §1, §5.1). `MATCHBOOK_CRASH_ROUNDS` sets how often.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use crate::harness::Server;
use crate::harness::client::Connection;

const WRITERS: usize = 16;
const DOCUMENTS: usize = 4;

/// Tags of a document that are tried again: its own, and two that must be stale.
const TRIED: usize = 3;

/// A writer's own document.
#[derive(Clone, Default)]
struct Known {
    path: String,
    /// Content and tag of the last acknowledged write.
    acknowledged: Option<(String, String)>,
    /// The write that was not answered.
    pending: Option<String>,
    /// The tags that answers gave it since the last crash and some before, the oldest first.
    tags: Vec<String>,
    /// How many of them are known to be given once.
    counted: usize,
}

fn rounds() -> usize {
    let set = std::env::var("MATCHBOOK_CRASH_ROUNDS").ok();
    set.map_or(20, |text| text.parse().unwrap())
}

/// Different in each write, and of many lengths.
fn content(writer: usize, count: usize, round: usize) -> String {
    let pad = "x".repeat((count * 7_919 + writer * 104_729) % 20_000);
    format!("{{\"writer\": {writer}, \"round\": {round}, \"count\": {count}, \"pad\": \"{pad}\"}}")
}

/// Writes, one after the other, until the connection breaks.
fn write(
    address: SocketAddr,
    mut known: Vec<Known>,
    acknowledged: &mpsc::Sender<()>,
    (writer, round): (usize, usize),
) -> Vec<Known> {
    let mut connection = Connection::open(address);
    for count in 0.. {
        let place = count % known.len();
        let document = &mut known[place];
        let body = content(writer, count, round);
        let mut request = connection.put(&document.path, &body);
        request = match &document.acknowledged {
            Some((_, tag)) => request.if_match(tag),
            None => request.if_none_match("*"),
        };
        let bytes = request.bytes();
        document.pending = Some(body.clone());
        connection.send(bytes);
        let Ok(answer) = connection.try_read("PUT") else {
            break;
        };
        assert!([201, 204].contains(&answer.code), "{answer}");
        document.pending = None;
        document.tags.push(answer.tag());
        document.acknowledged = Some((body, answer.tag()));
        let _ = acknowledged.send(());
    }
    known
}

impl Known {
    /// Adds its new tags to those that were given, and forgets most of them.
    fn count(&mut self, given: &mut HashSet<String>) {
        for tag in self.tags.iter().skip(self.counted) {
            assert!(given.insert(tag.clone()), "{tag} was given twice");
        }
        let surplus = self.tags.len().saturating_sub(TRIED);
        self.tags.drain(..surplus);
        self.counted = self.tags.len();
    }
}

/// Compares a document with what its writer knows, and takes over what stands.
fn verify(server: &Server, document: &mut Known, given: &mut HashSet<String>) {
    let answer = server.get(&document.path).send();
    if answer.code == 404 {
        assert!(document.acknowledged.is_none(), "{} is lost", document.path);
        document.pending = None;
        return;
    }
    let tag = answer.status(200).tag();
    let last = document.acknowledged.as_ref().map(|(_, tag)| tag);
    if last == Some(&tag) {
        let (body, _) = document.acknowledged.as_ref().unwrap();
        answer.is_body(body);
    } else {
        let pending = document.pending.take().expect("nothing else was sent");
        answer.is_body(&pending);
        document.tags.push(tag.clone());
        document.count(given);
        document.acknowledged = Some((pending, tag));
    }
    document.pending = None;
    let (current, old) = document.tags.split_last().unwrap();
    for old in old {
        let late = server.put(&document.path, "0").if_match(old).send();
        late.status(412).problem("stale");
    }
    let read = server.get(&document.path).if_none_match(current).send();
    read.status(304);
}

#[test]
fn section_5_1_what_was_acknowledged_survives_kill_9_under_load() {
    let mut server = Server::start();
    let documents = |writer: usize| {
        let path = |n: usize| format!("/writers/{writer}/documents/{n}");
        let known = |n| Known {
            path: path(n),
            ..Known::default()
        };
        (0..DOCUMENTS).map(known).collect::<Vec<_>>()
    };
    let mut all: Vec<Vec<Known>> = (0..WRITERS).map(documents).collect();
    let mut given = HashSet::new();
    for round in 0..rounds() {
        let (acknowledged, acknowledgements) = mpsc::channel();
        let address = server.address();
        let writers = all.into_iter().enumerate().map(|(writer, known)| {
            let acknowledged = acknowledged.clone();
            thread::spawn(move || write(address, known, &acknowledged, (writer, round)))
        });
        let writers: Vec<_> = writers.collect();
        let enough = 100 + 61 * (round % 16);
        assert_eq!(acknowledgements.iter().take(enough).count(), enough);
        server.kill();
        all = writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect();
        server.start_again();
        for document in all.iter_mut().flatten() {
            document.count(&mut given);
        }
        for document in all.iter_mut().flatten() {
            verify(&server, document, &mut given);
        }
    }
    println!("{} kills, {} writes", rounds(), given.len());
}
