//! A store that is right, and histories of clients that use it at the same time: what the
//! checker has to accept.

use std::collections::BTreeMap;

use serde_json::json;

use super::plan::{COLLECTIONS, PATHS, Planner};
use super::record::{
    Answer, Asked, Condition, Content, Cursor, Done, Effect, History, Item, Operation, Refusal,
    Scope, Stream, Tag, Tick, Told, Value, collection_of, parsed,
};
use crate::harness::random::Random;
use crate::harness::replica::revision;

/// The store.
struct Model {
    documents: BTreeMap<String, (Tag, Value)>,
    epoch: usize,
    revision: u64,
    log: Vec<Told>,
    random: Random,
}

impl Model {
    fn cursor(&self) -> Cursor {
        format!("epoch{}-{}", self.epoch, self.revision)
    }

    fn perform(&mut self, asked: &Asked) -> Answer {
        match asked {
            Asked::Write(items) => self.write(items),
            Asked::Read { path, unless, head } => match self.documents.get(path) {
                None => Answer::Missing,
                Some((tag, _)) if Some(tag) == unless.as_ref() => {
                    Answer::NotModified { tag: tag.clone() }
                }
                Some((tag, value)) => Answer::Found {
                    tag: tag.clone(),
                    value: (!head).then(|| value.clone()),
                },
            },
            Asked::List { collection } => {
                let items = self.documents.iter();
                let items = items.filter(|(path, _)| collection_of(path) == collection);
                let items =
                    items.map(|(path, (tag, value))| (path.clone(), tag.clone(), value.clone()));
                Answer::Listed {
                    items: items.collect(),
                    at: self.random.percent(80).then(|| self.cursor()),
                }
            }
            Asked::Changes { scope, since } => Answer::Changed {
                told: told(&self.log, scope, revision(since))
                    .map(|told| Told { id: None, ..told })
                    .collect(),
                at: self.cursor(),
                more: false,
            },
            Asked::Follow => Answer::Following { at: self.cursor() },
        }
    }

    fn write(&mut self, items: &[Item]) -> Answer {
        for (at, item) in items.iter().enumerate() {
            if let Some(why) = self.refuses(item) {
                return Answer::Refused { at, why };
            }
        }
        let before = self.revision;
        let first = self.log.len();
        let done = items.iter().map(|item| self.apply(item)).collect();
        for told in &mut self.log[first..] {
            (told.more, told.id) = (true, Some(before));
        }
        if let Some(last) = self.log[first..].last_mut() {
            (last.more, last.id) = (false, Some(self.revision));
        }
        Answer::Done(done)
    }

    fn refuses(&mut self, item: &Item) -> Option<Refusal> {
        let current = self.documents.get(&item.path).cloned();
        let tag = current.as_ref().map(|(tag, _)| tag.clone());
        let patches = matches!(item.effect, Effect::Patch(_) | Effect::Delete);
        let is_met = match (&item.condition, &tag) {
            (Condition::Free, Some(_)) => return Some(Refusal::Required),
            (Condition::Tag(_) | Condition::Any, None) if patches => {
                return Some(Refusal::Missing);
            }
            (Condition::Free | Condition::Absent, None) | (Condition::Any, Some(_)) => true,
            (Condition::Tag(wanted), Some(tag)) => wanted == tag,
            (Condition::Absent, Some(_)) | (Condition::Tag(_) | Condition::Any, None) => false,
        };
        let changes = current.filter(|_| matches!(item.condition, Condition::Tag(_)));
        let changes = changes.map(|(_, value)| patch(&value));
        (!is_met).then(|| Refusal::Stale {
            current: tag,
            changes: changes.filter(|_| self.random.percent(70)),
            same: false,
        })
    }

    fn apply(&mut self, item: &Item) -> Done {
        let before = self.documents.get(&item.path).cloned();
        let previous = before.map(|(tag, _)| tag);
        if !item.effect.changes() {
            return Done {
                created: false,
                tag: previous,
            };
        }
        self.revision += 1;
        let tag = format!("\"{}\"", self.cursor());
        let value = item.effect.value();
        let content = match value {
            Some(value) if previous.is_some() && self.random.percent(60) => {
                Content::Patch(patch(value))
            }
            Some(value) => Content::Document(parsed(value)),
            None => Content::Gone,
        };
        match value {
            Some(value) => {
                let made = (tag.clone(), value.clone());
                self.documents.insert(item.path.clone(), made);
            }
            None => drop(self.documents.remove(&item.path)),
        }
        let tag = value.map(|_| tag);
        let created = previous.is_none();
        self.log.push(Told {
            path: item.path.clone(),
            previous,
            tag: tag.clone(),
            content,
            more: false,
            id: None,
        });
        Done { created, tag }
    }
}

fn patch(value: &str) -> serde_json::Value {
    json!([{"op": "replace", "path": "/value", "value": value}])
}

/// What a feed tells of a scope after a revision: of each batch, the last that is visible
/// ends it.
fn told(log: &[Told], scope: &Scope, since: u64) -> impl Iterator<Item = Told> {
    let mut all = Vec::new();
    let mut batch = Vec::<Told>::new();
    for told in log {
        if scope.holds(&told.path) {
            batch.push(told.clone());
        }
        if !told.more {
            if let Some(last) = batch.last_mut() {
                (last.more, last.id) = (false, told.id);
            }
            if told.id > Some(since) {
                all.append(&mut batch);
            }
            batch.clear();
        }
    }
    all.into_iter()
}

/// What a client is doing.
enum State {
    Idle,
    Began(Tick, Asked),
    Performed(Tick, Asked, Answer),
}

/// Clients, followers and a store that take their steps in an order of chance.
struct World {
    model: Model,
    random: Random,
    tick: Tick,
    clients: Vec<(Planner, State)>,
    followers: Vec<Stream>,
    history: History,
}

/// A history that is right, of so many clients and steps.
pub(super) fn history(seed: u64, clients: usize, steps: usize) -> History {
    let mut random = Random::new(seed);
    let documents = 2 + random.below(PATHS.len() - 1);
    let planner = |client| (Planner::new(client, random.other(), documents), State::Idle);
    let clients = (0..clients).map(planner).collect();
    let model = Model {
        documents: BTreeMap::new(),
        epoch: 0,
        revision: 0,
        log: Vec::new(),
        random: random.other(),
    };
    let mut world = World {
        model,
        random,
        tick: 0,
        clients,
        followers: Vec::new(),
        history: History::default(),
    };
    for _ in 0..steps {
        world.step();
    }
    world.end()
}

impl World {
    fn now(&mut self) -> Tick {
        self.tick += 1;
        self.tick
    }

    fn step(&mut self) {
        match self.random.below(200) {
            0 => self.crash(),
            1 => self.follow(),
            2..20 => self.tell(),
            _ => {
                let client = self.random.below(self.clients.len());
                self.advance(client);
            }
        }
    }

    fn advance(&mut self, client: usize) {
        let tick = self.now();
        let is_lost = self.random.below(60) == 0;
        let (planner, state) = &mut self.clients[client];
        *state = match std::mem::replace(state, State::Idle) {
            State::Idle => State::Began(tick, planner.next()),
            State::Began(began, asked) | State::Performed(began, asked, _) if is_lost => {
                self.history.operations.push(Operation {
                    client,
                    began,
                    asked,
                    ended: None,
                });
                State::Idle
            }
            State::Began(began, asked) => {
                let answer = self.model.perform(&asked);
                State::Performed(began, asked, answer)
            }
            State::Performed(began, asked, answer) => {
                planner.learn(&asked, &answer);
                self.history.operations.push(Operation {
                    client,
                    began,
                    asked,
                    ended: Some((tick, answer)),
                });
                State::Idle
            }
        };
    }

    /// Nobody gets an answer, and a new epoch begins.
    fn crash(&mut self) {
        for (client, (_, state)) in self.clients.iter_mut().enumerate() {
            let state = std::mem::replace(state, State::Idle);
            if let State::Began(began, asked) | State::Performed(began, asked, _) = state {
                self.history.operations.push(Operation {
                    client,
                    began,
                    asked,
                    ended: None,
                });
            }
        }
        self.model.epoch += 1;
    }

    fn follow(&mut self) {
        let (began, asked) = (self.now(), Asked::Follow);
        let answer = self.model.perform(&asked);
        let scope = match self.random.below(4) {
            0 => Scope::All,
            1 => Scope::Document((*self.random.pick(&PATHS)).to_owned()),
            _ => Scope::Collection((*self.random.pick(&COLLECTIONS)).to_owned()),
        };
        let start = self.model.revision;
        self.followers.push(Stream {
            scope,
            start,
            told: Vec::new(),
            end: start,
        });
        let ended = Some((self.now(), answer));
        self.history.operations.push(Operation {
            client: self.clients.len() + self.followers.len(),
            began,
            asked,
            ended,
        });
    }

    /// A follower is told a batch.
    fn tell(&mut self) {
        if self.followers.is_empty() {
            return;
        }
        let place = self.random.below(self.followers.len());
        let follower = &mut self.followers[place];
        for told in told(&self.model.log, &follower.scope, follower.end) {
            let is_last = !told.more;
            self.tick += 1;
            follower.end = follower.end.max(told.id.unwrap_or_default());
            follower.told.push((self.tick, told));
            if is_last {
                break;
            }
        }
    }

    fn end(mut self) -> History {
        self.crash();
        for follower in &mut self.followers {
            for told in told(&self.model.log, &follower.scope, follower.end) {
                self.tick += 1;
                follower.told.push((self.tick, told));
            }
            follower.end = self.model.revision;
        }
        self.history.streams = self.followers;
        self.history.log = self.model.log;
        self.history
    }
}
