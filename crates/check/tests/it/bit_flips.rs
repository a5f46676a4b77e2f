//! Bits of the data that are not what was written: what is served is what was stored, or an
//! error. `MATCHBOOK_FLIP_ROUNDS` sets how often bits are flipped.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::Server;
use crate::harness::client::Connection;
use crate::harness::disk;
use crate::harness::random::Random;
use crate::power_loss::files::{Image, image_of, put_down};

const DATABASE: &str = "data/matchbook.db";
const LOG: &str = "data/matchbook.db-wal";

/// Each version of a document, the last one last; a deletion has neither tag nor bytes.
type Versions = Vec<Option<(String, String)>>;

/// Data, and what is in it.
struct Written {
    documents: HashMap<String, Versions>,
    cursor: String,
    image: Image,
    /// How long the log was before the last three writes.
    log_bytes: usize,
}

/// What a server did with damaged data.
#[derive(Debug, Default)]
struct Tally {
    /// It did not start.
    refused: usize,
    /// What was asked for came as it was written.
    right: usize,
    /// An error came in its place.
    errors: usize,
    /// It was said not to be there.
    missing: usize,
    /// An earlier version came.
    old: usize,
}

fn rounds() -> u64 {
    let set = std::env::var("MATCHBOOK_FLIP_ROUNDS").ok();
    set.map_or(40, |text| text.parse().unwrap())
}

fn body(count: usize, random: &mut Random) -> String {
    let length = *random.pick(&[5, 50, 500, 5_000, 20_000]);
    let pad: String = (0..random.below(length))
        .map(|_| char::from(b'a' + u8::try_from(random.below(26)).unwrap()))
        .collect();
    format!("{{\"count\":{count},\"pad\":\"{pad}\"}}")
}

/// Documents of many lengths, some of them written several times, some deleted. The log is
/// copied back if the server is stopped rather than killed.
fn write(stopped: bool) -> Written {
    let place = disk::temporary();
    let mut server = Server::on(&place.path().join("data"), &[]);
    let mut random = Random::new(7);
    let mut documents: HashMap<String, Versions> = HashMap::new();
    let cursor = server.create("/first/1", "1");
    let mut connection = server.connect();
    let mut log_bytes = 0;
    for count in 0..150 {
        if count < 148 {
            let log = fs::metadata(place.path().join(LOG)).unwrap();
            log_bytes = usize::try_from(log.len()).unwrap();
        }
        let path = format!("/flips/{}", random.below(60));
        let versions = documents.entry(path.clone()).or_default();
        let now = versions.last().cloned().flatten();
        let version = if now.is_some() && random.percent(10) {
            let request = connection.request("DELETE", &path);
            request.if_match("*").send().status(204);
            None
        } else {
            let body = body(count, &mut random);
            let request = connection.put(&path, &body);
            let (name, value) = match &now {
                Some((tag, _)) => ("If-Match", tag.as_str()),
                None => ("If-None-Match", "*"),
            };
            Some((request.field(name, value).send().tag(), body))
        };
        versions.push(version);
    }
    if stopped {
        server.stop();
    } else {
        server.kill();
    }
    Written {
        documents,
        cursor: cursor.trim_matches('"').to_owned(),
        image: image_of(place.path()),
        log_bytes,
    }
}

impl Written {
    /// What a document is.
    fn last(&self, path: &str) -> Option<&(String, String)> {
        self.documents[path].last().unwrap().as_ref()
    }

    /// Compares what came for a document.
    fn compare(&self, path: &str, tag: &str, is_body: impl Fn(&str) -> bool, tally: &mut Tally) {
        let versions = &self.documents[path];
        let known = versions.iter().flatten().find(|(known, _)| known == tag);
        let (_, body) = known.unwrap_or_else(|| panic!("{path} never had the tag {tag}"));
        assert!(is_body(body), "{path} {tag} has other bytes");
        match self.last(path) {
            Some((last, _)) if last == tag => tally.right += 1,
            _ => tally.old += 1,
        }
    }

    fn ask(&self, server: &Server, tally: &mut Tally) {
        let mut connection = server.connect();
        for path in self.documents.keys() {
            let answer = connection.get(path).send();
            match answer.code {
                200 => {
                    let is_body = |body: &str| answer.body == body.as_bytes();
                    self.compare(path, &answer.tag(), is_body, tally);
                }
                404 if self.last(path).is_some() => tally.missing += 1,
                404 => tally.right += 1,
                _ => {
                    answer.status(500).problem("internal");
                    tally.errors += 1;
                }
            }
        }
        self.ask_for_list(&mut connection, tally);
        self.ask_for_changes(&mut connection, tally);
    }

    fn ask_for_list(&self, connection: &mut Connection, tally: &mut Tally) {
        let list = connection.get("/flips?_limit=1000").send();
        if list.code != 200 {
            list.status(500).problem("internal");
            tally.errors += 1;
            return;
        }
        let page = list.json();
        let items = page["items"].as_array().unwrap();
        for item in items {
            let path = item["path"].as_str().unwrap();
            let is_body = |body: &str| parse(body) == item["document"];
            self.compare(path, item["etag"].as_str().unwrap(), is_body, tally);
        }
        let paths = self.documents.keys();
        let expected = paths.filter(|path| self.last(path).is_some()).count();
        tally.missing += expected.saturating_sub(items.len());
        tally.old += items.len().saturating_sub(expected);
    }

    fn ask_for_changes(&self, connection: &mut Connection, tally: &mut Tally) {
        let target = format!("/flips?_since={}&_limit=10000", self.cursor);
        let page = connection.get(&target).send();
        if page.code != 200 {
            assert!([410, 500].contains(&page.code), "{page}");
            tally.errors += 1;
            return;
        }
        let mut count = 0;
        for change in page.json()["changes"].as_array().unwrap() {
            let path = change["path"].as_str().unwrap();
            count += 1;
            let Some(tag) = change["etag"].as_str() else {
                continue;
            };
            let is_body = |body: &str| {
                change
                    .get("document")
                    .is_none_or(|sent| *sent == parse(body))
            };
            self.compare(path, tag, is_body, &mut Tally::default());
        }
        let all = self.documents.values().map(Vec::len).sum::<usize>();
        if count == all {
            tally.right += 1;
        } else {
            tally.missing += 1;
        }
    }

    /// Starts on the data with bits flipped in the first bytes of one file.
    fn look(&self, (file, bytes): (&str, usize), seed: u64, root: &Path, tally: &mut Tally) {
        let mut random = Random::new(seed);
        put_down(&self.image, root);
        let mut content = self.image[file].clone().unwrap();
        for _ in 0..*random.pick(&[1, 1, 1, 2, 8, 64]) {
            content[random.below(bytes)] ^= 1 << random.below(8);
        }
        fs::write(root.join(file), content).unwrap();
        match Server::try_on(&root.join("data"), &[], Vec::new()) {
            Ok(server) => self.ask(&server, tally),
            Err(said) => {
                assert!(!said.contains("panicked"), "{said}");
                assert!(said.contains("damaged") || file == DATABASE, "{said}");
                tally.refused += 1;
            }
        }
    }
}

fn parse(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

fn flip(written: &Written, file: &str, bytes: usize) -> Tally {
    let place = disk::temporary();
    let root = place.path().join("root");
    let mut tally = Tally::default();
    for seed in 0..rounds() {
        written.look((file, bytes), seed, &root, &mut tally);
    }
    println!("{file}: {} rounds, {tally:?}", rounds());
    assert_eq!(tally.old, 0, "what was overwritten is served");
    tally
}

#[test]
fn flipped_bits_in_the_database_are_found() {
    let written = write(true);
    let bytes = written.image[DATABASE].as_ref().unwrap().len();
    let tally = flip(&written, DATABASE, bytes);
    assert_eq!(tally.missing, 0, "what is there is denied: {tally:?}");
    assert!(tally.errors > 0, "nothing was found");
}

/// All but the last two transactions, whose damage may look like the end that a crash
/// leaves.
#[test]
fn flipped_bits_in_the_log_are_found_at_the_start() {
    let written = write(false);
    let tally = flip(&written, LOG, written.log_bytes);
    assert_eq!(tally.refused as u64, rounds(), "{tally:?}");
}
