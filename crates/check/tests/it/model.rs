//! Random saves against a model of a few lines: whatever is asked in whatever order,
//! status, content, tags and list are those of the model.

use std::collections::{BTreeMap, HashSet};

use crate::harness::request::Request;
use crate::harness::{Answer, Server};
use crate::lists::ids;

const STEPS: usize = 1_500;
const STEPS_BETWEEN_RESTARTS: usize = 300;

/// Xorshift: the same steps in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Condition {
    None,
    Current,
    Old,
    Any,
    Absent,
}

const CONDITIONS: [Condition; 5] = [
    Condition::None,
    Condition::Current,
    Condition::Old,
    Condition::Any,
    Condition::Absent,
];

struct Held {
    body: String,
    tag: String,
}

struct Model {
    server: Server,
    random: Random,
    documents: BTreeMap<String, Held>,
    /// Every tag that was ever given, with its document.
    given: Vec<(String, String)>,
    list_tag: String,
}

impl Model {
    fn new(seed: u64) -> Self {
        let server = Server::start();
        let list_tag = server.get("/c").send().tag();
        Self {
            server,
            random: Random(seed),
            documents: BTreeMap::new(),
            given: Vec::new(),
            list_tag,
        }
    }

    /// Adds a condition; and says what a write under it comes to, 0 for 'go on'.
    fn guard(
        &mut self,
        request: Request<'static>,
        id: &str,
        creates: bool,
    ) -> (Request<'static>, u16) {
        let held = self.documents.get(id).map(|held| held.tag.clone());
        let old = self
            .given
            .iter()
            .filter(|(of, tag)| of == id && Some(tag) != held.as_ref());
        let old: Vec<_> = old.map(|(_, tag)| tag.clone()).collect();
        let condition = *self.random.pick(&CONDITIONS);
        let request = match (condition, &held) {
            (Condition::Current, Some(tag)) => request.if_match(tag),
            (Condition::Old, _) if !old.is_empty() => {
                request.if_match(self.random.pick::<String>(&old))
            }
            (Condition::Any, _) => request.if_match("*"),
            (Condition::Absent, _) => request.if_none_match("*"),
            _ => {
                let without = match (held.is_some(), creates) {
                    (true, _) => 428,
                    (false, true) => 0,
                    (false, false) => 404,
                };
                return (request, without);
            }
        };
        let code = match (condition, held.is_some()) {
            (_, false) if !creates => 404,
            (Condition::Current | Condition::Any, true) | (Condition::Absent, false) => 0,
            _ => 412,
        };
        (request, code)
    }

    fn put(&mut self, id: &str) {
        let body = format!("{{ \"n\": {} }}", self.random.below(4));
        let request = self.server.put(&format!("/c/{id}"), &body);
        let (request, refused) = self.guard(request, id, true);
        let answer = request.send();
        if refused == 0 {
            let code = if self.documents.contains_key(id) {
                204
            } else {
                201
            };
            self.saved(id, body, answer.status(code));
        } else {
            answer.status(refused);
        }
    }

    fn merge(&mut self, id: &str) {
        let number = self.random.below(4);
        let request = self
            .server
            .merge(&format!("/c/{id}"), format!("{{\"n\":{number}}}"));
        let (request, refused) = self.guard(request, id, false);
        let answer = request.send();
        if refused == 0 {
            self.saved(id, format!("{{ \"n\": {number} }}"), answer.status(204));
        } else {
            answer.status(refused);
        }
    }

    fn delete(&mut self, id: &str) {
        let request = self.server.delete(&format!("/c/{id}"));
        let (request, refused) = self.guard(request, id, false);
        let answer = request.send();
        if refused == 0 {
            answer.status(204);
            self.documents.remove(id);
            self.list_changed(true);
        } else {
            answer.status(refused);
        }
    }

    /// A new tag for new content, the old one for the old content.
    fn saved(&mut self, id: &str, body: String, answer: &Answer) {
        let tag = answer.tag();
        let before = self.documents.get(id);
        let changed = before.is_none_or(|held| held.body != body);
        if changed {
            let known = self.given.iter().any(|(_, known)| *known == tag);
            assert!(!known, "{tag} was given before");
            self.given.push((id.to_owned(), tag.clone()));
        } else {
            assert_eq!(before.map(|held| &held.tag), Some(&tag));
        }
        self.documents.insert(id.to_owned(), Held { body, tag });
        self.list_changed(changed);
    }

    fn list_changed(&mut self, changed: bool) {
        let list = self.server.get("/c").if_none_match(&self.list_tag).send();
        list.status(if changed { 200 } else { 304 });
        self.list_tag = list.tag();
    }

    fn read(&mut self, id: &str) {
        let get = self.server.get(&format!("/c/{id}"));
        match self.documents.get(id) {
            Some(held) => {
                let known = self.random.pick(&self.given).1.clone();
                let code = if known == held.tag { 304 } else { 200 };
                let answer = get.if_none_match(&known).send();
                answer.status(code).has("etag", &held.tag);
                answer.is_body(if code == 200 { &held.body } else { "" });
            }
            None => {
                get.send().status(404);
            }
        }
    }

    fn list(&self) {
        let page = self.server.get("/c").send().json();
        assert_eq!(ids(&page), self.documents.keys().collect::<Vec<_>>());
        for (item, held) in page["items"]
            .as_array()
            .unwrap()
            .iter()
            .zip(self.documents.values())
        {
            assert_eq!(item["etag"], held.tag.as_str());
            let document: serde_json::Value = serde_json::from_str(&held.body).unwrap();
            assert_eq!(item["document"], document);
        }
    }

    fn step(&mut self) {
        let id = *self.random.pick(&["a", "b", "c", "d"]);
        match self.random.below(10) {
            0..=3 => self.put(id),
            4..=5 => self.merge(id),
            6..=7 => self.delete(id),
            8 => self.read(id),
            _ => self.list(),
        }
    }
}

#[test]
fn section_4_random_saves_do_what_a_model_does() {
    let mut model = Model::new(0x9E37_79B9_7F4A_7C15);
    for step in 1..=STEPS {
        model.step();
        if step % STEPS_BETWEEN_RESTARTS == 0 {
            if step % (2 * STEPS_BETWEEN_RESTARTS) == 0 {
                model.server.kill();
                model.server.start_again();
            } else {
                model.server.restart();
            }
            model.list_tag = model.server.get("/c").send().tag();
        }
    }
    model.list();
    let tags: HashSet<_> = model.given.iter().map(|(_, tag)| tag).collect();
    assert_eq!(tags.len(), model.given.len());
    assert!(
        tags.len() > STEPS / 10,
        "the steps are hardly ever accepted"
    );
}
