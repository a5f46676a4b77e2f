//! A client that asks over a socket, and writes down what came of it.

use std::collections::HashMap;
use std::io;

use serde_json::{Value as Json, json};

use super::plan::Planner;
use super::record::{
    Answer, Asked, Condition, Content, Cursor, Done, Effect, Item, Listed, Operation, Refusal,
    Scope, Tag, Told, document, value_in, value_of,
};
use super::run::{Count, Run};
use crate::harness;
use crate::harness::client::Connection;
use crate::harness::random::Random;

pub(super) struct Client<'a> {
    number: usize,
    run: &'a Run,
    random: Random,
    /// The tag of each list, and what it listed.
    lists: HashMap<String, (Tag, Vec<Listed>)>,
    /// What it asked for.
    pub(super) operations: Vec<Operation>,
}

/// Asks until the run is over.
pub(super) fn work(
    run: &Run,
    number: usize,
    random: Random,
    mut planner: Planner,
    count: &Count,
) -> Vec<Operation> {
    let mut client = Client::new(run, number, random);
    let mut starts = 0;
    while let Some((address, start)) = run.server(starts) {
        while let Ok(mut connection) = Connection::try_open(address) {
            while !run.is_over() {
                let asked = planner.next();
                let answer = client.ask(&mut connection, &asked);
                let _ = count.send(());
                match answer {
                    Some(answer) => planner.learn(&asked, &answer),
                    None => break,
                }
            }
            if run.is_over() {
                break;
            }
        }
        starts = start;
    }
    client.operations
}

impl<'a> Client<'a> {
    pub(super) fn new(run: &'a Run, number: usize, random: Random) -> Self {
        Self {
            number,
            run,
            random,
            lists: HashMap::new(),
            operations: Vec::new(),
        }
    }

    /// Asks, and writes it down. `None` if no answer came.
    pub(super) fn ask(&mut self, connection: &mut Connection, asked: &Asked) -> Option<Answer> {
        let began = self.run.now();
        let answer = self.exchange(connection, asked).unwrap_or_default();
        let ended = answer.clone().map(|answer| (self.run.now(), answer));
        self.operations.push(Operation {
            client: self.number,
            began,
            asked: asked.clone(),
            ended,
        });
        answer
    }

    /// `None` if the server says that it does not know.
    fn exchange(
        &mut self,
        connection: &mut Connection,
        asked: &Asked,
    ) -> io::Result<Option<Answer>> {
        let (method, bytes) = self.request(connection, asked);
        connection.try_send(bytes)?;
        let answer = connection.try_read(method)?;
        if [500, 503].contains(&answer.code) {
            return Ok(None);
        }
        Ok(Some(match asked {
            Asked::Write(items) => match &items[..] {
                [item] => written(item, &answer),
                _ => batch_written(&answer),
            },
            Asked::Read { head, .. } => read(*head, &answer),
            Asked::List { collection } => self.listed(collection, &answer),
            Asked::Changes { .. } => changed(&answer),
            Asked::Follow => panic!("followers follow"),
        }))
    }

    fn request(&mut self, connection: &mut Connection, asked: &Asked) -> (&'static str, Vec<u8>) {
        let (method, request) = match asked {
            Asked::Write(items) => match &items[..] {
                [item] => {
                    let method = method(item);
                    let mut request = connection.request(method, &item.path);
                    if let Some((name, value)) = condition(item) {
                        request = request.field(name, value);
                    }
                    if let Some(content) = content(item) {
                        request = request.content(media_type(item), content);
                    }
                    (method, request)
                }
                items => {
                    let items: Vec<_> = items.iter().map(part).collect();
                    let body = format!("{{\"requests\":[{}]}}", items.join(","));
                    ("POST", connection.request("POST", "/_/batch").json(body))
                }
            },
            Asked::Read { path, unless, head } => {
                let method = if *head { "HEAD" } else { "GET" };
                let request = connection.request(method, path);
                match unless {
                    Some(tag) => (method, request.if_none_match(tag)),
                    None => (method, request),
                }
            }
            Asked::List { collection } => {
                let request = connection.get(collection);
                let known = self.lists.get(collection);
                match known.filter(|_| self.random.percent(60)) {
                    Some((tag, _)) => ("GET", request.if_none_match(tag)),
                    None => ("GET", request),
                }
            }
            Asked::Changes { scope, since } => {
                let target = format!("{}?_since={since}", target(scope));
                ("GET", connection.get(&target))
            }
            Asked::Follow => panic!("followers follow"),
        };
        (method, request.bytes())
    }

    fn listed(&mut self, collection: &str, answer: &harness::Answer) -> Answer {
        if answer.code == 304 {
            let (tag, items) = &self.lists[collection];
            answer.has("etag", tag);
            return Answer::Listed {
                items: items.clone(),
                at: None,
            };
        }
        let page = answer.status(200).json();
        assert!(page.get("next").is_none(), "{answer}");
        let items = page["items"].as_array().unwrap().iter();
        let items: Vec<_> = items
            .map(|item| {
                let value = value_of(&item["document"]);
                let value = value.unwrap_or_else(|| panic!("foreign content: {item}"));
                (text(&item["path"]), text(&item["etag"]), value)
            })
            .collect();
        let known = (answer.tag(), items.clone());
        self.lists.insert(collection.to_owned(), known);
        Answer::Listed {
            items,
            at: Some(text(&page["cursor"])),
        }
    }
}

/// The target of a feed.
pub(super) fn target(scope: &Scope) -> &str {
    match scope {
        Scope::All => "/_/changes",
        Scope::Collection(path) | Scope::Document(path) => path,
    }
}

fn method(item: &Item) -> &'static str {
    match item.effect {
        Effect::Put(_) | Effect::Same(_) => "PUT",
        Effect::Patch(_) => "PATCH",
        Effect::Delete => "DELETE",
    }
}

fn condition(item: &Item) -> Option<(&'static str, &str)> {
    match &item.condition {
        Condition::Free => None,
        Condition::Absent => Some(("If-None-Match", "*")),
        Condition::Any => Some(("If-Match", "*")),
        Condition::Tag(tag) => Some(("If-Match", tag)),
    }
}

fn media_type(item: &Item) -> &'static str {
    match item.effect {
        Effect::Patch(_) => "application/merge-patch+json",
        _ => "application/json",
    }
}

fn content(item: &Item) -> Option<String> {
    match &item.effect {
        Effect::Put(value) | Effect::Same(value) => Some(document(value)),
        Effect::Patch(value) => Some(json!({"value": value}).to_string()),
        Effect::Delete => None,
    }
}

/// A request of a batch. It is put together by hand, so that the content's bytes are those
/// of a request of its own.
fn part(item: &Item) -> String {
    let mut fields = serde_json::Map::new();
    fields.extend(condition(item).map(|(name, value)| (name.to_owned(), json!(value))));
    let mut text = format!(
        "{{\"method\":\"{}\",\"path\":\"{}\"",
        method(item),
        item.path
    );
    if let Some(content) = content(item) {
        fields.insert("Content-Type".to_owned(), json!(media_type(item)));
        text.push_str(",\"body\":");
        text.push_str(&content);
    }
    text.push_str(&format!(",\"headers\":{}}}", Json::Object(fields)));
    text
}

fn written(item: &Item, answer: &harness::Answer) -> Answer {
    match answer.code {
        201 | 204 => {
            let tag = answer.maybe("etag").map(str::to_owned);
            assert!(tag.is_some() != (item.effect == Effect::Delete), "{answer}");
            Answer::Done(vec![Done {
                created: answer.code == 201,
                tag,
            }])
        }
        _ => refused(0, answer),
    }
}

fn batch_written(answer: &harness::Answer) -> Answer {
    if answer.code != 200 {
        let at = answer.json()["failed"].as_u64();
        let at = at.unwrap_or_else(|| panic!("{answer}"));
        return refused(usize::try_from(at).unwrap(), answer);
    }
    let page = answer.json();
    let answers = page["responses"].as_array().unwrap().iter();
    let done = answers.map(|one| {
        let code = one["status"].as_u64().unwrap();
        assert!([201, 204].contains(&code), "{answer}");
        Done {
            created: code == 201,
            tag: one["headers"]["etag"].as_str().map(str::to_owned),
        }
    });
    Answer::Done(done.collect())
}

fn refused(at: usize, answer: &harness::Answer) -> Answer {
    let problem = answer.json();
    let why = match answer.code {
        404 => Refusal::Missing,
        428 => Refusal::Required,
        412 => Refusal::Stale {
            current: problem["current"].as_str().map(str::to_owned),
            changes: problem.get("changes").cloned(),
            same: problem["same"] == true,
        },
        _ => panic!("{answer}"),
    };
    Answer::Refused { at, why }
}

fn read(head: bool, answer: &harness::Answer) -> Answer {
    let tag = || answer.tag();
    match answer.code {
        404 => Answer::Missing,
        304 => Answer::NotModified { tag: tag() },
        200 => {
            let value = || value_in(&answer.body).unwrap_or_else(|| panic!("foreign: {answer}"));
            Answer::Found {
                tag: tag(),
                value: (!head).then(value),
            }
        }
        _ => panic!("{answer}"),
    }
}

fn changed(answer: &harness::Answer) -> Answer {
    let page = answer.status(200).json();
    let changes = page["changes"].as_array().unwrap().iter();
    let told = changes.map(|change| told(&text(&change["event"]), change, None));
    Answer::Changed {
        told: told.collect(),
        at: cursor(&page["cursor"]),
        more: page["more"] == true,
    }
}

fn cursor(value: &Json) -> Cursor {
    text(value)
}

/// A change, by the name of its event and its data.
pub(super) fn told(event: &str, data: &Json, id: Option<u64>) -> Told {
    let tag = |member: &str| data[member].as_str().map(str::to_owned);
    Told {
        path: text(&data["path"]),
        previous: tag("previous"),
        tag: tag("etag"),
        content: match event {
            "put" => Content::Document(data["document"].clone()),
            "patch" => Content::Patch(data["patch"].clone()),
            "delete" => Content::Gone,
            _ => panic!("{event}: {data}"),
        },
        more: data["more"] == true,
        id,
    }
}

fn text(value: &Json) -> String {
    let text = value.as_str().map(str::to_owned);
    text.unwrap_or_else(|| panic!("no text: {value}"))
}
