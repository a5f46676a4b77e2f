//! A follower that loses its line now and then, and writes down what it was told.

use std::io;
use std::net::SocketAddr;

use super::client::{target, told};
use super::plan::PATHS;
use super::record::{Answer, Asked, Operation, Scope, Stream, collection_of};
use super::run::Run;
use crate::harness::random::Random;
use crate::harness::replica::revision;
use crate::harness::{Event, Events};

/// What the contents begin with that are written last.
pub(super) const MARK: &str = "end-";

/// Events that a line lives for, at most.
const LIFE: usize = 400;

/// More than there are, with one in fifteen seconds, while a history is recorded.
const HEARTBEATS: usize = 20;

struct Follower<'a> {
    run: &'a Run,
    random: Random,
    /// When it came, by its first line, and from where on it was told.
    begun: Option<Operation>,
    stream: Stream,
    /// The last id that it got.
    id: Option<String>,
    heartbeats: usize,
    is_done: bool,
}

/// Follows a scope until what is written last in it was told.
pub(super) fn follow(
    run: &Run,
    number: usize,
    random: Random,
    scope: Scope,
) -> (Operation, Stream) {
    let mut follower = Follower {
        run,
        random,
        begun: None,
        stream: Stream {
            scope,
            start: 0,
            told: Vec::new(),
            end: 0,
        },
        id: None,
        heartbeats: 0,
        is_done: false,
    };
    let mut starts = 0;
    while let Some((address, start)) = run.server(starts) {
        while !follower.is_done && follower.line(number, address).is_ok() {}
        if follower.is_done {
            break;
        }
        starts = start;
    }
    assert!(
        follower.is_done,
        "the mark was not told: {:?}",
        follower.stream
    );
    (follower.begun.unwrap(), follower.stream)
}

/// The document of a scope that is written last.
fn last(scope: &Scope) -> &str {
    let mut of_scope = PATHS.iter().rev().filter(|path| scope.holds(path));
    of_scope.next().unwrap()
}

impl Follower<'_> {
    /// Reads one connection, up to its end or to where it is left.
    ///
    /// # Errors
    /// Nobody is there.
    fn line(&mut self, number: usize, address: SocketAddr) -> io::Result<()> {
        let mut fields = Vec::new();
        fields.extend(self.id.as_deref().map(|id| ("Last-Event-ID", id)));
        if self.random.percent(30) {
            fields.push(("Accept-Encoding", "gzip"));
        }
        let began = self.run.now();
        let mut events = Events::try_open(address, target(&self.stream.scope), &fields)?;
        events.head.status(200);
        let life = 1 + self.random.below(LIFE);
        let mut batch = Vec::new();
        for _ in 0..life {
            let Ok(Some(event)) = events.try_next() else {
                break;
            };
            events.anew();
            let tick = self.run.now();
            match event.name.as_str() {
                "put" | "patch" | "delete" => {
                    let told = told(&event.name, &event.json(), Some(revision(&event.id)));
                    let is_last = !told.more;
                    batch.push((tick, told));
                    if is_last {
                        self.stream.told.append(&mut batch);
                        self.is_done = self.is_mark(&event);
                    }
                }
                "synced" => self.synced(number, began, &event),
                // Whoever writes has failed, and waits for those who follow.
                "heartbeat" => {
                    self.heartbeats += 1;
                    assert!(self.heartbeats < HEARTBEATS, "nothing is told any more");
                }
                "end" => break,
                _ => panic!("{event:?} after {:?}", self.id),
            }
            self.id = Some(event.id);
            if self.is_done {
                break;
            }
        }
        Ok(())
    }

    fn synced(&mut self, number: usize, began: u64, event: &Event) {
        let at = event.id.clone();
        self.stream.end = self.stream.end.max(revision(&at));
        if self.begun.is_none() {
            self.stream.start = revision(&at);
            self.begun = Some(Operation {
                client: number,
                began,
                asked: Asked::Follow,
                ended: Some((self.run.now(), Answer::Following { at })),
            });
        }
    }

    fn is_mark(&self, event: &Event) -> bool {
        let path = event.json()["path"].clone();
        let is_marked = event.data.contains(&format!("\"{MARK}"));
        is_marked && path == last(&self.stream.scope)
    }
}

/// The scope of a follower.
pub(super) fn scope(random: &mut Random) -> Scope {
    match random.below(5) {
        0 => Scope::All,
        1 => Scope::Document(PATHS[0].to_owned()),
        2 => Scope::Document(PATHS[1].to_owned()),
        _ => {
            let path = random.pick::<&str>(&PATHS);
            Scope::Collection(collection_of(path).to_owned())
        }
    }
}
