//! Clients that read and write.

use std::collections::BTreeMap;
use std::rc::Rc;

use http::Method;
use matchbook_core::tag::Version;
use serde_json::{Value, json};

use crate::ask::{Asked, Reply, ask, version};
use crate::history::{Done, Effect, Expected, Fate, What, Wrote};
use crate::world::World;

/// How often a request with an idempotency key is sent again.
const REPEATS: usize = 12;

pub(crate) const COLLECTIONS: [&str; 2] = ["/a", "/b"];

pub(crate) struct Writer {
    world: Rc<World>,
    client: usize,
    /// The tags that it saw last.
    known: BTreeMap<String, Version>,
    lists: BTreeMap<&'static str, List>,
    keys: usize,
}

/// A whole collection at one moment.
struct List {
    tag: String,
    saw: Vec<(String, Option<Version>)>,
}

impl Writer {
    pub(crate) fn new(world: Rc<World>, client: usize) -> Self {
        Self {
            world,
            client,
            known: BTreeMap::new(),
            lists: BTreeMap::new(),
            keys: 0,
        }
    }

    pub(crate) async fn run(mut self) {
        for _ in 0..self.world.plan.steps {
            self.world.pause(self.world.plan.pause_ms).await;
            match self.world.below(12) {
                0..=2 => self.read().await,
                3 => self.list().await,
                4 | 5 => self.batch().await,
                _ => self.write().await,
            }
        }
    }

    fn paths(&self) -> Vec<String> {
        let documents = self.world.plan.documents;
        let paths = COLLECTIONS.iter().flat_map(|collection| {
            (0..documents).map(move |number| format!("{collection}/{number}"))
        });
        paths.collect()
    }

    fn moment(&self) -> u64 {
        self.world.history.borrow_mut().moment()
    }

    fn note(&self, path: &str, began: u64, ended: Option<u64>, what: What) {
        self.world.history.borrow_mut().done.push(Done {
            path: path.to_owned(),
            began,
            ended,
            what,
        });
    }

    fn saw(&mut self, path: &str, began: u64, seen: Option<Version>, content: Option<Value>) {
        let ended = Some(self.moment());
        match seen {
            Some(version) => self.known.insert(path.to_owned(), version),
            None => self.known.remove(path),
        };
        self.note(path, began, ended, What::Saw(seen, content));
    }

    async fn read(&mut self) {
        let path = self.world.one_of(&self.paths()).clone();
        let known = self.known.get(&path).copied();
        let mut asked = Asked::new(Method::GET, &path);
        if let Some(known) = known.filter(|_| self.world.happens(300)) {
            asked = asked.field("if-none-match", known.etag());
        }
        let began = self.moment();
        let Some(reply) = ask(&self.world, self.client, &asked).await else {
            return;
        };
        match reply.status.as_u16() {
            200 => self.saw(&path, began, reply.etag, Some(reply.json())),
            304 => self.saw(&path, began, known, None),
            404 => self.saw(&path, began, None, None),
            500 | 503 => {}
            other => panic!("GET {path}: {other}"),
        }
    }

    async fn list(&mut self) {
        let collection = *self.world.one_of(&COLLECTIONS);
        let mut asked = Asked::new(Method::GET, collection);
        if let Some(list) = self.lists.get(collection) {
            asked = asked.field("if-none-match", &list.tag);
        }
        let began = self.moment();
        let Some(reply) = ask(&self.world, self.client, &asked).await else {
            return;
        };
        match reply.status.as_u16() {
            304 => {
                let same = self.lists.get(collection).map(|list| list.saw.clone());
                for (path, seen) in same.unwrap_or_default() {
                    self.saw(&path, began, seen, None);
                }
            }
            200 => self.take_list(collection, began, &reply),
            500 | 503 => {}
            other => panic!("GET {collection}: {other}"),
        }
    }

    fn take_list(&mut self, collection: &'static str, began: u64, reply: &Reply) {
        let page = reply.json();
        let mut saw = Vec::new();
        for item in page["items"].as_array().unwrap() {
            let path = item["path"].as_str().unwrap().to_owned();
            let seen = version(item["etag"].as_str().unwrap());
            self.saw(&path, began, seen, Some(item["document"].clone()));
            saw.push((path, seen));
        }
        self.lists.remove(collection);
        // Without a next page, what is not in it is not there.
        if page.get("next").is_none_or(Value::is_null) {
            let prefix = format!("{collection}/");
            for path in self.paths() {
                if path.starts_with(&prefix) && saw.iter().all(|(seen, _)| *seen != path) {
                    self.saw(&path, began, None, None);
                    saw.push((path, None));
                }
            }
            if let Some(tag) = reply.tag.clone() {
                self.lists.insert(collection, List { tag, saw });
            }
        }
    }

    /// A write to a document, by what is known of it.
    fn plan(&self, path: &str, batch: Option<u64>) -> Wrote {
        let mark = self.world.history.borrow_mut().mark();
        let document = json!({
            "mark": mark,
            "even": mark.is_multiple_of(2),
            "by": self.client,
            // Where it is long, changes are told as patches.
            "text": "\u{e9}\n".repeat(usize::try_from(self.world.below(3) * 90).unwrap()),
        });
        let put = Effect::Put { mark, document };
        let (effect, expected) = match self.known.get(path) {
            Some(known) => {
                let merge = match self.world.below(3) {
                    0 => json!({ "mark": mark, "by": null }),
                    1 => json!({ "mark": mark, "even": mark.is_multiple_of(3) }),
                    _ => json!({ "mark": mark, "note": "\u{e9}".repeat(40) }),
                };
                let effect = match self.world.below(8) {
                    0 | 1 => Effect::Delete,
                    2..=4 => Effect::Patch { mark, merge },
                    _ => put,
                };
                let any = matches!(effect, Effect::Put { .. }) && self.world.happens(150);
                let expected = if any {
                    Expected::Present
                } else {
                    Expected::At(*known)
                };
                (effect, expected)
            }
            None if self.world.happens(150) => (put, Expected::Present),
            None => (put, Expected::Absent),
        };
        Wrote {
            effect,
            expected,
            batch,
        }
    }

    async fn write(&mut self) {
        let path = self.world.one_of(&self.paths()).clone();
        let wrote = self.plan(&path, None);
        let (method, body) = parts(&wrote.effect);
        let mut asked = Asked::new(method, &path);
        let (name, value) = precondition(wrote.expected);
        asked = asked.field(name, value);
        if let Some((content_type, body)) = body {
            asked = asked.json(content_type, body);
        }
        let began = self.moment();
        let reply = self.send(asked).await;
        let fate = reply.as_ref().map_or(Fate::Unknown, fate);
        self.learn(&path, began, &wrote, fate);
        let Some(reply) = reply.filter(|reply| reply.status == 412) else {
            return;
        };
        // The refusal tells what stands there.
        let current = reply.json()["current"].as_str().and_then(version);
        if let Some(current) = current {
            if wrote.expected == Expected::At(current) {
                self.fault(format!("412 to a write of {path} at its version {current}"));
            }
            self.saw(&path, began, Some(current), None);
        }
    }

    fn fault(&self, what: String) {
        self.world.fault(what);
    }

    /// Notes a write, and what is known after it.
    fn learn(&mut self, path: &str, began: u64, wrote: &Wrote, fate: Fate) {
        let ended = (fate != Fate::Unknown).then(|| self.moment());
        match fate {
            Fate::Applied(Some(version)) => {
                self.known.insert(path.to_owned(), version);
            }
            Fate::Applied(None) => {
                self.known.remove(path);
            }
            Fate::Refused | Fate::Unknown => {}
        }
        self.note(path, began, ended, What::Wrote(wrote.clone(), fate));
    }

    async fn batch(&mut self) {
        let mut paths = self.paths();
        let count = 2 + self.world.below(3);
        while paths.len() as u64 > count {
            let out = self.world.below(paths.len() as u64);
            paths.remove(usize::try_from(out).unwrap());
        }
        let is_atomic = self.world.happens(800);
        let batch = is_atomic.then(|| self.world.history.borrow_mut().batch());
        let writes: Vec<_> = paths
            .into_iter()
            .map(|path| {
                let wrote = self.plan(&path, batch);
                (path, wrote)
            })
            .collect();
        let requests = writes.iter().map(|(path, wrote)| {
            let (method, body) = parts(&wrote.effect);
            let (name, value) = precondition(wrote.expected);
            let mut item = json!({ "method": method.as_str(), "path": path });
            item["headers"] = json!({ name: value });
            if let Some((content_type, body)) = body {
                item["headers"]["content-type"] = content_type.into();
                item["body"] = body.clone();
            }
            item
        });
        let body = json!({ "atomic": is_atomic, "requests": requests.collect::<Vec<_>>() });
        let asked = Asked::new(Method::POST, "/_/batch").json("application/json", &body);
        let began = self.moment();
        let reply = self.send(asked).await;
        let whole = reply.as_ref().map_or(Fate::Unknown, fate);
        let answers = reply.map(|reply| reply.json());
        for (index, (path, wrote)) in writes.iter().enumerate() {
            let fate = match (whole, &answers) {
                (Fate::Applied(_), Some(answers)) => item_fate(&answers["responses"][index]),
                (whole, _) => whole,
            };
            self.learn(path, began, wrote, fate);
        }
    }

    /// Sends a request, with a key again and again, until its fate is known.
    async fn send(&mut self, asked: Asked) -> Option<Reply> {
        if !self.world.happens(self.world.plan.keyed_per_mille) {
            return ask(&self.world, self.client, &asked).await;
        }
        self.keys += 1;
        let key = format!("\"key-{}-{}\"", self.client, self.keys);
        let asked = asked.field("idempotency-key", key);
        let mut is_open = false;
        for _ in 0..REPEATS {
            match ask(&self.world, self.client, &asked).await {
                Some(reply) if reply.status.as_u16() < 500 => {
                    // And once more, sometimes, although it is known.
                    if self.world.happens(150) {
                        self.repeat(&asked, &reply).await;
                    }
                    return Some(reply);
                }
                Some(reply) if fate(&reply) == Fate::Refused && !is_open => return Some(reply),
                Some(reply) => is_open |= fate(&reply) == Fate::Unknown,
                None => is_open = true,
            }
            self.world.pause(self.world.plan.pause_ms).await;
        }
        None
    }

    async fn repeat(&self, asked: &Asked, first: &Reply) {
        // A refusal that cannot be kept is given all the same: it changed nothing, and a
        // repeat is decided anew.
        let options = self.world.plan.options;
        let keeps = options.full_per_mille == 0 && options.lost_per_mille == 0;
        if !(first.status.is_success() || keeps && first.status == 412) {
            return;
        }
        let Some(again) = ask(&self.world, self.client, asked).await else {
            return;
        };
        if again.status.as_u16() >= 500 {
            return;
        }
        if (again.status, &again.tag) != (first.status, &first.tag) {
            let Asked { method, target, .. } = asked;
            self.fault(format!(
                "{method} {target} again: {again:?} after {first:?}"
            ));
        }
    }
}

fn parts(effect: &Effect) -> (Method, Option<(&'static str, &Value)>) {
    match effect {
        Effect::Put { document, .. } => (Method::PUT, Some(("application/json", document))),
        Effect::Patch { merge, .. } => {
            let content_type = "application/merge-patch+json";
            (Method::PATCH, Some((content_type, merge)))
        }
        Effect::Delete => (Method::DELETE, None),
    }
}

fn precondition(expected: Expected) -> (&'static str, String) {
    match expected {
        Expected::Absent => ("if-none-match", "*".to_owned()),
        Expected::At(version) => ("if-match", version.etag()),
        Expected::Present => ("if-match", "*".to_owned()),
    }
}

fn fate(reply: &Reply) -> Fate {
    match reply.status.as_u16() {
        200 | 201 | 204 => Fate::Applied(reply.etag),
        404 | 412 | 503 | 507 => Fate::Refused,
        500 => Fate::Unknown,
        other => panic!("{other}: {reply:?}"),
    }
}

/// What became of one write of a batch that was answered.
fn item_fate(answer: &Value) -> Fate {
    match answer["status"].as_u64() {
        Some(200..=299) => Fate::Applied(answer["headers"]["etag"].as_str().and_then(version)),
        Some(404 | 412) => Fate::Refused,
        _ => panic!("an item of a batch: {answer}"),
    }
}
