//! What documents are there, and what a request comes to.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;

use super::client::{Answer, Ask, Client};
use super::fault::Fault;
use crate::input::Input;
use crate::oracle::{Read, Refused, Value, merged, patched};

const COLLECTION: &str = "/c";
const DOCUMENTS: [&str; 4] = ["/c/a", "/c/b", "/c/c", "/c/%C3%A9"];
const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const PATCH: &str = "application/json-patch+json";

const CONTENTS: [&str; 8] = [
    r#"{"n":0}"#,
    r#"{ "n": 1 }"#,
    r#"{"n":1.0,"a":[1,2],"b":{"c":null}}"#,
    "[]",
    "[1e400]",
    r#""x""#,
    r#"{"n":1,"n":2}"#,
    "{",
];

/// Those before are documents.
const MALFORMED: usize = 6;

const MERGES: [&str; 7] = [
    r#"{"n":0}"#,
    r#"{"n":null}"#,
    r#"{"b":{"c":1,"d":null}}"#,
    "{}",
    "[1]",
    r#"{"n":1.0}"#,
    r#"{"n""#,
];

const PATCHES: [&str; 8] = [
    "[]",
    r#"[{"op":"add","path":"/n","value":5}]"#,
    r#"[{"op":"test","path":"/n","value":1.0}]"#,
    r#"[{"op":"test","path":"/n","value":1},{"op":"replace","path":"/n","value":2}]"#,
    r#"[{"op":"remove","path":"/a"}]"#,
    r#"[{"op":"add","path":"","value":{"a":[3]}}]"#,
    r#"[{"op":"add","path":"/a/-","value":7},{"op":"remove","path":"/none"}]"#,
    r#"[{"op":"none","path":""}]"#,
];

/// A document that is there.
#[derive(Clone, Debug, PartialEq)]
struct Held {
    body: String,
    /// `None` while that is not known.
    tag: Option<String>,
}

type Documents = BTreeMap<String, Held>;

/// What stands in a conditional field.
#[derive(Clone, Debug)]
enum List {
    Absent,
    Any,
    Tags(Vec<String>),
    Malformed,
}

impl List {
    fn field(&self) -> Option<String> {
        match self {
            Self::Absent => None,
            Self::Any => Some("*".to_owned()),
            Self::Tags(tags) => Some(tags.join(", ")),
            Self::Malformed => Some("unquoted".to_owned()),
        }
    }
}

/// Preconditions.
#[derive(Clone, Debug)]
struct Given {
    if_match: List,
    if_none_match: List,
}

impl Given {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let fields = [
            ("If-Match", &self.if_match),
            ("If-None-Match", &self.if_none_match),
        ];
        let fields = fields
            .into_iter()
            .filter_map(|(name, list)| Some((name, list.field()?)));
        fields.collect()
    }

    fn is_malformed(&self) -> bool {
        matches!(self.if_match, List::Malformed) || matches!(self.if_none_match, List::Malformed)
    }

    /// Whether `If-Match` holds, by strong comparison.
    fn matches(&self, held: Option<&Held>) -> bool {
        match &self.if_match {
            List::Absent | List::Malformed => true,
            List::Any => held.is_some(),
            List::Tags(tags) => {
                let tag = held.and_then(|held| held.tag.as_ref());
                tag.is_some_and(|tag| tags.contains(tag))
            }
        }
    }

    /// Whether `If-None-Match` holds, by weak comparison.
    fn matches_none(&self, held: Option<&Held>) -> bool {
        match &self.if_none_match {
            List::Absent | List::Malformed => true,
            List::Any => held.is_none(),
            List::Tags(tags) => {
                let tag = held.and_then(|held| held.tag.as_ref());
                let mut plain = tags.iter().map(|tag| tag.trim_start_matches("W/"));
                tag.is_none_or(|tag| !plain.any(|plain| plain == tag))
            }
        }
    }
}

/// A write, before it is asked for.
#[derive(Clone, Debug)]
struct Save {
    method: &'static str,
    path: &'static str,
    given: Given,
    content: Option<(&'static str, &'static str)>,
}

impl Save {
    fn ask(&self) -> Ask {
        let mut fields = self.given.fields();
        fields.extend(
            self.content
                .map(|(media, _)| ("Content-Type", media.to_owned())),
        );
        Ask {
            method: self.method,
            target: self.path.to_owned(),
            fields,
            body: self.content.map(|(_, body)| body.to_owned()),
        }
    }

    /// The request within a batch.
    fn item(&self) -> String {
        let fields = self.given.fields().into_iter();
        let fields = fields.map(|(name, value)| format!("\"{name}\":{}", serde_json::json!(value)));
        let fields: Vec<_> = fields.collect();
        let body = self.content.map_or("null", |(_, body)| body);
        format!(
            r#"{{"method":"{}","path":"{}","headers":{{{}}},"body":{body}}}"#,
            self.method,
            self.path,
            fields.join(",")
        )
    }

    /// What it comes to, and does (contract §3).
    fn done(&self, documents: &mut Documents) -> u16 {
        let held = documents.get(self.path);
        if self.given.is_malformed() {
            return 400;
        }
        if held.is_none() && self.method != "PUT" {
            return 404;
        }
        let is_unguarded = matches!(self.given.if_match, List::Absent)
            && !matches!(self.given.if_none_match, List::Any);
        if held.is_some() && is_unguarded {
            return 428;
        }
        if !self.given.matches(held) || !self.given.matches_none(held) {
            return 412;
        }
        let Some((media, content)) = self.content else {
            documents.remove(self.path);
            return 204;
        };
        let Some(content) = Read::of(content) else {
            return 400;
        };
        let body = match (media, held) {
            (JSON, _) | (_, None) => Ok(content.text.to_owned()),
            (_, Some(held)) => patched_text(held, media, &content),
        };
        let body = match body {
            Ok(body) => body,
            Err(status) => return status,
        };
        match held {
            Some(held) if held.body == body => 204,
            Some(_) => {
                documents.insert(self.path.to_owned(), Held { body, tag: None });
                204
            }
            None => {
                documents.insert(self.path.to_owned(), Held { body, tag: None });
                201
            }
        }
    }
}

/// What a patch makes of a document, in a spelling of our own where it changes anything.
fn patched_text(held: &Held, media: &str, content: &Read<'_>) -> Result<String, u16> {
    let before = Read::of(&held.body).unwrap();
    let after = match media {
        MERGE => merged(Some(before.value.clone()), &content.value),
        _ => patched(&before.value, &content.value).map_err(|refused| match refused {
            Refused::Conflict => 409_u16,
            _ => 400,
        })?,
    };
    // Spelling is another property's; here it is enough whether anything becomes other.
    let spelled = match media {
        MERGE => matchbook_core::json::merge(before.text, content.text, 1 << 20).ok(),
        _ => {
            let patch = matchbook_core::json::Patch::parse(content.text).unwrap();
            patch.apply(before.text, 1 << 20).ok()
        }
    };
    let spelled = spelled.unwrap();
    assert_eq!(Read::of(&spelled).unwrap().value, after);
    Ok(spelled)
}

pub(super) struct Model {
    client: Client,
    documents: Documents,
    /// Every tag that was ever given: none is given to another version.
    given: HashSet<String>,
    /// Where the changes begin.
    cursor: String,
}

impl Model {
    pub(super) fn new(address: SocketAddr, fault: Option<Fault>) -> Self {
        let mut client = Client::new(address, fault);
        let list = client.ask(&get(COLLECTION, Vec::new()));
        Self {
            client,
            documents: Documents::new(),
            given: HashSet::new(),
            cursor: list.json()["cursor"].as_str().unwrap().to_owned(),
        }
    }

    pub(super) fn step(&mut self, input: &mut Input<'_>) {
        match input.below(12) {
            0..=2 => self.save("PUT", Some((JSON, &CONTENTS)), input),
            3..=4 => self.save("PATCH", Some((MERGE, &MERGES)), input),
            5..=6 => self.save("PATCH", Some((PATCH, &PATCHES)), input),
            7 => self.save("DELETE", None, input),
            8 => self.read("GET", input),
            9 => self.read("HEAD", input),
            10 => self.batch(input),
            _ => self.list(),
        }
    }

    /// Preconditions, of tags that were given and of others.
    fn conditions(&self, path: &str, may_be_malformed: bool, input: &mut Input<'_>) -> Given {
        let held = self.documents.get(path).and_then(|held| held.tag.clone());
        let other = self
            .given
            .iter()
            .filter(|tag| Some(*tag) != held.as_ref())
            .min();
        let other = other
            .cloned()
            .unwrap_or_else(|| "\"aaaaaaaa-1\"".to_owned());
        let now = held.unwrap_or_else(|| other.clone());
        let tags = |tags: &[&String]| List::Tags(tags.iter().map(|tag| (*tag).clone()).collect());
        let weak = format!("W/{now}");
        let (if_match, if_none_match) = match input.below(12) {
            0..=2 => (tags(&[&now]), List::Absent),
            3 => (tags(&[&other]), List::Absent),
            4 => (List::Any, List::Absent),
            5 => (List::Absent, List::Any),
            6 => (tags(&[&weak]), List::Absent),
            7 => (tags(&[&other, &now]), List::Absent),
            8 => (List::Absent, tags(&[&weak, &other])),
            9 => (tags(&[&now]), List::Any),
            10 if may_be_malformed => (List::Malformed, List::Absent),
            _ => (List::Absent, List::Absent),
        };
        Given {
            if_match,
            if_none_match,
        }
    }

    fn save(
        &mut self,
        method: &'static str,
        contents: Option<(&'static str, &[&'static str])>,
        input: &mut Input<'_>,
    ) {
        let path = input.pick(&DOCUMENTS);
        let save = Save {
            method,
            path,
            given: self.conditions(path, true, input),
            content: contents.map(|(media, contents)| (media, input.pick(contents))),
        };
        let before = self.documents.get(path).cloned();
        let status = save.done(&mut self.documents);
        let answer = self.client.ask(&save.ask());
        assert_eq!(answer.status, status, "{save:?} of {before:?}: {answer:?}");
        if matches!(status, 201 | 204) {
            assert!(answer.body.is_empty() || status == 201, "{answer:?}");
            self.tagged(path, answer.field("etag"));
        }
    }

    /// What a write of a batch made. What has stayed keeps the tag that is known by now.
    fn became(&mut self, path: &str, after: Option<Held>) {
        match after {
            Some(after) => {
                let before = self.documents.get(path);
                if before.is_none_or(|before| before.body != after.body) {
                    self.documents.insert(path.to_owned(), after);
                }
            }
            None => {
                self.documents.remove(path);
            }
        }
    }

    /// A new version has a new tag; an old one keeps its own.
    fn tagged(&mut self, path: &str, tag: Option<&str>) {
        let Some(held) = self.documents.get_mut(path) else {
            return assert_eq!(tag, None);
        };
        let tag = tag.expect("a version has a tag").to_owned();
        match &held.tag {
            Some(known) => assert_eq!(*known, tag, "nothing has changed"),
            None => {
                held.tag = Some(tag.clone());
                assert!(self.given.insert(tag), "it was given before");
            }
        }
    }

    fn read(&mut self, method: &'static str, input: &mut Input<'_>) {
        let path = input.pick(&DOCUMENTS);
        let given = self.conditions(path, true, input);
        let held = self.documents.get(path);
        let status = match held {
            _ if given.is_malformed() => 400,
            None => 404,
            Some(_) if !given.matches(held) => 412,
            Some(_) if !given.matches_none(held) => 304,
            Some(_) => 200,
        };
        let ask = Ask {
            method,
            ..get(path, given.fields())
        };
        let answer = self.client.ask(&ask);
        assert_eq!(answer.status, status, "{ask:?} of {held:?}: {answer:?}");
        if let (200 | 304, Some(held)) = (status, held) {
            assert_eq!(answer.field("etag"), held.tag.as_deref());
        }
        if let (200, Some(held), "GET") = (status, held, method) {
            assert_eq!(answer.text(), held.body);
        }
    }

    /// Two or three writes at once, all or none.
    fn batch(&mut self, input: &mut Input<'_>) {
        let count = 2 + input.below(2);
        let saves = (0..count).map(|_| {
            let path = input.pick(&DOCUMENTS);
            let is_put = input.below(3) > 0;
            Save {
                method: if is_put { "PUT" } else { "DELETE" },
                path,
                given: self.conditions(path, false, input),
                content: is_put.then(|| (JSON, input.pick(&CONTENTS[..MALFORMED]))),
            }
        });
        let saves: Vec<_> = saves.collect();
        let mut documents = self.documents.clone();
        let mut made = Vec::new();
        for save in &saves {
            let status = save.done(&mut documents);
            made.push((status, documents.get(save.path).cloned()));
            if status >= 400 {
                break;
            }
        }
        let items: Vec<_> = saves.iter().map(Save::item).collect();
        let ask = Ask {
            method: "POST",
            target: "/_/batch".to_owned(),
            fields: vec![("Content-Type", JSON.to_owned())],
            body: Some(format!(r#"{{"requests":[{}]}}"#, items.join(","))),
        };
        let answer = self.client.ask(&ask);
        let last = made.last().map_or(200, |(status, _)| *status);
        if last >= 400 {
            assert_eq!(answer.status, last, "{ask:?}: {answer:?}");
            assert_eq!(answer.json()["failed"], made.len() - 1);
            return;
        }
        assert_eq!(answer.status, 200, "{ask:?}: {answer:?}");
        let answers = answer.json();
        for (at, (save, (status, after))) in saves.iter().zip(made).enumerate() {
            let answer = &answers["responses"][at];
            assert_eq!(answer["status"], status, "{ask:?}: {answers}");
            self.became(save.path, after);
            self.tagged(save.path, answer["headers"]["etag"].as_str());
        }
    }

    fn list(&mut self) {
        let list = self.client.ask(&get(COLLECTION, Vec::new()));
        let list = Read::of(list.text()).expect("it is JSON").value;
        let Some(Value::Array(items)) = member(&list, "items") else {
            panic!("no items: {list:?}");
        };
        assert_eq!(items.len(), self.documents.len());
        for (item, (path, held)) in items.iter().zip(&self.documents) {
            let text = |text: &str| Value::String(text.to_owned());
            assert_eq!(member(item, "path"), Some(&text(path)));
            assert_eq!(member(item, "etag").cloned(), held.tag.as_deref().map(text));
            let document = Read::of(&held.body).unwrap().value;
            assert_eq!(member(item, "document"), Some(&document));
        }
    }

    /// The changes from the beginning come to what is there.
    pub(super) fn is_told(&mut self) {
        self.list();
        let target = format!("{COLLECTION}?_since={}", self.cursor);
        let accept = vec![("Accept", JSON.to_owned())];
        let page: Answer = self.client.ask(&get(&target, accept));
        let page = Read::of(page.text()).expect("it is JSON").value;
        let Some(Value::Array(changes)) = member(&page, "changes") else {
            panic!("no changes: {page:?}");
        };
        let mut told: BTreeMap<String, Value> = BTreeMap::new();
        for change in changes {
            let text = |name| match member(change, name) {
                Some(Value::String(text)) => text.as_str(),
                other => panic!("{name} is {other:?}"),
            };
            let path = text("path");
            let there = match text("event") {
                "put" => member(change, "document").cloned(),
                "delete" => None,
                "patch" => {
                    let patch = member(change, "patch").expect("a patch");
                    Some(patched(&told[path], patch).expect("it applies"))
                }
                other => panic!("{other}"),
            };
            match there {
                Some(document) => told.insert(path.to_owned(), document),
                None => told.remove(path),
            };
        }
        let held = self.documents.iter();
        let held = held.map(|(path, held)| (path.clone(), Read::of(&held.body).unwrap().value));
        assert_eq!(told, held.collect());
    }
}

fn get(target: &str, fields: Vec<(&'static str, String)>) -> Ask {
    Ask {
        method: "GET",
        target: target.to_owned(),
        fields,
        body: None,
    }
}

fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => members.get(name),
        _ => None,
    }
}
