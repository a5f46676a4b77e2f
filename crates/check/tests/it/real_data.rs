//! Real documents and real edits.

use std::fs::File;
use std::io::{BufRead, BufReader};

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::harness::Server;
use crate::harness::data::shared;

/// Transactions that are replayed of each trace.
const TRANSACTIONS: usize = 1_000;

#[test]
fn section_2_countries_come_back_byte_for_byte() {
    let Some(path) = shared("countries.ndjson") else {
        return;
    };
    let server = Server::start();
    let mut connection = server.connect();
    let mut kept = Vec::new();
    for line in BufReader::new(File::open(path).unwrap()).lines() {
        let line = line.unwrap();
        let document: Value = serde_json::from_str(&line).unwrap();
        let target = format!("/countries/{}", document["cca3"].as_str().unwrap());
        let made = connection.put(&target, &line).send();
        kept.push((target, line, made.status(201).tag()));
    }
    assert_eq!(kept.len(), 250);
    for (target, line, tag) in &kept {
        let read = connection.get(target).send();
        read.status(200).is_body(line).has("etag", tag);
    }
    let found = |query: &str| {
        let page = server
            .get(&format!("/countries?_count=true&{query}"))
            .send();
        page.status(200).json()["count"].as_u64().unwrap()
    };
    let expected = |test: fn(&Value) -> bool| {
        let documents = kept.iter();
        let documents = documents.map(|(_, line, _)| serde_json::from_str(line).unwrap());
        documents.filter(test).count() as u64
    };
    assert_eq!(
        found("region=Europe"),
        expected(|it| it["region"] == "Europe")
    );
    assert_eq!(
        found("area:gt=1e6"),
        expected(|it| it["area"].as_f64() > Some(1e6))
    );
    assert_eq!(
        found("borders:contains=FRA"),
        expected(|it| {
            it["borders"]
                .as_array()
                .is_some_and(|borders| borders.contains(&json!("FRA")))
        })
    );
    assert_eq!(
        found("name.common:prefix=S"),
        expected(|it| {
            it["name"]["common"]
                .as_str()
                .is_some_and(|name| name.starts_with('S'))
        })
    );
}

/// A text as its lines, which is how an editor would keep it in a document.
struct Text {
    lines: Vec<String>,
}

impl Text {
    fn new(text: &str) -> Self {
        let lines = text.split('\n').map(str::to_owned).collect();
        Self { lines }
    }

    /// The line and the byte in it where a code point of the text is.
    fn place(&self, mut position: usize) -> (usize, usize) {
        for (index, line) in self.lines.iter().enumerate() {
            let length = line.chars().count();
            if position <= length {
                let byte = line.char_indices().nth(position).map(|(byte, _)| byte);
                return (index, byte.unwrap_or(line.len()));
            }
            position -= length + 1;
        }
        panic!("outside of the text");
    }

    /// Deletes and inserts, and gives the operations of a JSON Patch that do the same
    /// to the document.
    fn edit(&mut self, position: usize, deleted: usize, inserted: &str) -> Vec<Value> {
        let (first, begin) = self.place(position);
        let (last, end) = self.place(position + deleted);
        let changed = format!(
            "{}{inserted}{}",
            &self.lines[first][..begin],
            &self.lines[last][end..]
        );
        let changed: Vec<_> = changed.split('\n').map(str::to_owned).collect();
        let path = |line: usize| format!("/lines/{line}");
        let replaced = json!({"op": "replace", "path": path(first), "value": changed[0]});
        let removed = (first..last).map(|_| json!({"op": "remove", "path": path(first + 1)}));
        let added = changed.iter().enumerate().skip(1);
        let added = added.map(
            |(offset, line)| json!({"op": "add", "path": path(first + offset), "value": line}),
        );
        let operations = std::iter::once(replaced).chain(removed).chain(added);
        let operations = operations.collect();
        self.lines.splice(first..=last, changed);
        operations
    }
}

/// The same edit of the text as a whole, done without lines.
fn edit_flat(text: &mut Vec<char>, position: usize, deleted: usize, inserted: &str) {
    text.splice(position..position + deleted, inserted.chars());
}

fn replay(name: &str) {
    let Some(path) = shared(&format!("editing-traces/{name}")) else {
        return;
    };
    let trace: Value = serde_json::from_reader(GzDecoder::new(File::open(path).unwrap())).unwrap();
    let start = trace["startContent"].as_str().unwrap();
    let mut text = Text::new(start);
    let mut flat: Vec<char> = start.chars().collect();
    let server = Server::start();
    let document = json!({"title": name, "lines": text.lines});
    let mut tag = server.create("/texts/1", document.to_string());
    let mut connection = server.connect();
    let transactions = trace["txns"].as_array().unwrap().iter();
    for transaction in transactions.take(TRANSACTIONS) {
        let mut operations = Vec::new();
        for patch in transaction["patches"].as_array().unwrap() {
            let count = |index: usize| usize::try_from(patch[index].as_u64().unwrap()).unwrap();
            let inserted = patch[2].as_str().unwrap();
            operations.extend(text.edit(count(0), count(1), inserted));
            edit_flat(&mut flat, count(0), count(1), inserted);
        }
        let saved = connection
            .request("PATCH", "/texts/1")
            .content(
                "application/json-patch+json",
                Value::from(operations).to_string(),
            )
            .if_match(&tag)
            .send();
        tag = saved.status(204).tag();
    }
    let read = server.get("/texts/1").send();
    let document = read.has("etag", &tag).json();
    assert_eq!(document, json!({"title": name, "lines": text.lines}));
    let joined = text.lines.join("\n");
    assert_eq!(joined, flat.into_iter().collect::<String>());
}

#[test]
fn section_4_2_a_trace_of_a_program_is_replayed() {
    replay("sveltecomponent.json.gz");
}

#[test]
fn section_4_2_a_trace_of_two_writers_is_replayed() {
    replay("friendsforever_flat.json.gz");
}
