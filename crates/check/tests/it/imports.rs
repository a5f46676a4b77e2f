//! `matchbook import` of real data: every document comes back byte for byte.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Command;

use flate2::read::GzDecoder;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::harness::data::shared;
use crate::harness::{Server, binary};

/// Imports a file; answers what was said of lines or elements that were refused.
fn import(server: &Server, collection: &str, file: &Path, flags: &[&str]) -> Vec<String> {
    let ended = Command::new(binary::path())
        .arg("import")
        .arg(collection)
        .arg(file)
        .args(["--server", &format!("http://{}", server.address())])
        .args(flags)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    let refused = said.lines().filter(|line| line.contains(": 4"));
    let refused: Vec<_> = refused.map(str::to_owned).collect();
    let expected = i32::from(!refused.is_empty());
    assert_eq!(ended.status.code(), Some(expected), "{said}");
    refused
}

/// All bodies of a collection, each read by itself, with how often it occurs.
fn bodies(server: &Server, collection: &str) -> HashMap<Vec<u8>, usize> {
    let list = server.get(&format!("{collection}?_limit=1000")).send();
    let list = list.status(200).json();
    assert!(list.get("next").is_none(), "one page holds all");
    let mut connection = server.connect();
    let mut bodies = HashMap::new();
    for item in list["items"].as_array().unwrap() {
        let read = connection.get(item["path"].as_str().unwrap()).send();
        *bodies.entry(read.status(200).body.clone()).or_default() += 1;
    }
    bodies
}

fn counted<'a>(texts: impl Iterator<Item = &'a str>) -> HashMap<Vec<u8>, usize> {
    let mut counts = HashMap::new();
    for text in texts {
        *counts.entry(text.as_bytes().to_vec()).or_default() += 1;
    }
    counts
}

#[test]
fn countries_by_their_code_and_again_without_a_change() {
    let Some(file) = shared("countries.ndjson") else {
        return;
    };
    let server = Server::start();
    let refused = import(&server, "/countries", &file, &["--id", "/cca3"]);
    assert!(refused.is_empty(), "{refused:?}");
    let lines = fs::read_to_string(&file).unwrap();
    let mut tags = Vec::new();
    for line in lines.lines() {
        let document: Value = serde_json::from_str(line).unwrap();
        let target = format!("/countries/{}", document["cca3"].as_str().unwrap());
        let read = server.get(&target).send();
        tags.push((target, read.status(200).is_body(line).tag()));
    }
    assert_eq!(tags.len(), 250);
    let refused = import(&server, "/countries", &file, &["--id", "/cca3"]);
    assert!(refused.is_empty(), "{refused:?}");
    for (target, tag) in &tags {
        server.get(target).send().has("etag", tag);
    }
}

#[test]
fn arrays_element_by_element() {
    let names = [
        // One element of each has a member name twice and is refused (§2); the rest goes on.
        ("json-patch-tests/tests.json", Some(86)),
        ("json-patch-tests/spec_tests.json", Some(14)),
        ("merge-patch/merge_tests.json", None),
    ];
    for (name, twice) in names {
        let Some(file) = shared(name) else {
            return;
        };
        let server = Server::start();
        let refused = import(&server, "/cases", &file, &[]);
        let expected = twice.map(|element| format!("element {element}: 400"));
        assert_eq!(refused.len(), usize::from(twice.is_some()), "{refused:?}");
        for (refused, expected) in refused.iter().zip(expected) {
            assert!(refused.starts_with(&expected), "{refused}");
        }
        let text = fs::read_to_string(&file).unwrap();
        let elements: Vec<&RawValue> = serde_json::from_str(&text).unwrap();
        let kept = elements.iter().enumerate();
        let kept = kept.filter(|(index, _)| Some(index + 1) != twice);
        let expected = counted(kept.map(|(_, element)| element.get()));
        assert_eq!(bodies(&server, "/cases"), expected, "{name}");
    }
}

#[test]
fn editing_traces_as_documents_of_megabytes() {
    for name in ["friendsforever_flat", "sveltecomponent"] {
        let Some(packed) = shared(&format!("editing-traces/{name}.json.gz")) else {
            return;
        };
        let mut text = String::new();
        let mut unpacked = GzDecoder::new(File::open(packed).unwrap());
        unpacked.read_to_string(&mut text).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("trace.ndjson");
        fs::write(&file, &text).unwrap();
        let server = Server::start();
        let refused = import(&server, "/traces", &file, &[]);
        assert!(refused.is_empty(), "{refused:?}");
        assert_eq!(bodies(&server, "/traces"), counted(text.lines()), "{name}");
    }
}
