//! The power goes at any moment: a run is recorded, and for every prefix of what it did
//! to its disk, the server starts on what the disk may hold then (contract §5.1).
//!
//! `MATCHBOOK_POWER_LOSS_SEEDS` sets in how many ways what was not synced gets lost by
//! chance, at each prefix.

pub(crate) mod files;
mod load;
pub(crate) mod log;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;

use crate::harness::disk::{self, Disk};
use crate::harness::random::Random;
use crate::harness::{Answer, Server};
use files::{Files, Image, Loss, image_of, put_down};
use load::{Chain, Step};
use log::{Entry, Operation};

/// What each writer writes before the server stops, is killed and stops again, and how
/// long that is: from some bytes to several pages.
const SHORT: &[(usize, &[usize])] = &[(5, LENGTHS), (5, LENGTHS), (2, LENGTHS)];
const LENGTHS: &[usize] = &[10, 200, 2_000, 6_000];

/// Enough for the log to be copied back, and begun anew, while the writers go on.
const LONG: &[(usize, &[usize])] = &[(40, &[200_000])];

/// Prefixes of a long run that are tried for each seed, beside those around each sync of
/// the database and each new beginning of the log.
const SAMPLES: u64 = 8;

/// A run: all that was done to the disk, and what the clients know.
struct Recorded {
    entries: Vec<Entry>,
    chains: Vec<Chain>,
    /// Every tag that was ever given.
    tags: HashSet<String>,
}

fn seeds() -> u64 {
    let set = std::env::var("MATCHBOOK_POWER_LOSS_SEEDS").ok();
    set.map_or(1, |text| text.parse().unwrap())
}

fn record(rounds: &[(usize, &'static [usize])]) -> Recorded {
    let disk = Disk::new();
    let mut writers = load::writers();
    for (round, writes) in rounds.iter().enumerate() {
        let mut server = disk.serve();
        load::write(&server, &disk.log(), &mut writers, *writes);
        if round == 1 {
            server.kill();
        } else {
            server.stop();
        }
    }
    let entries = log::read(&disk.log());
    let mut files = Files::default();
    entries.iter().for_each(|entry| files.apply(entry));
    assert_eq!(
        names_and_lengths(&files.after(Loss::None)),
        names_and_lengths(&image_of(disk.root())),
    );
    assert!(
        files.after(Loss::None) == image_of(disk.root()),
        "what was recorded is not what was done"
    );
    let chains: Vec<Chain> = writers.into_iter().flatten().collect();
    let steps = chains.iter().flat_map(|chain| &chain.steps);
    let tags = steps.filter_map(|step| step.tag.clone());
    Recorded {
        tags: tags.collect(),
        entries,
        chains,
    }
}

fn names_and_lengths(image: &Image) -> Vec<(&str, Option<usize>)> {
    let length = |content: &Option<Vec<u8>>| content.as_ref().map(Vec::len);
    image
        .iter()
        .map(|(name, content)| (name.as_str(), length(content)))
        .collect()
}

impl Recorded {
    /// Which step each document may stand at when the power goes at this length of the log:
    /// the last that was acknowledged or a later one that was sent, if it has a body.
    fn allowed<'a>(&self, chain: &'a Chain, end: u64) -> Vec<&'a Step> {
        let floor = chain
            .steps
            .iter()
            .rposition(|step| step.acknowledged <= end);
        let sent = chain.steps.iter().take_while(|step| step.sent < end);
        sent.skip(floor.unwrap_or_default()).collect()
    }

    fn acknowledged(&self, end: u64) -> usize {
        let steps = self.chains.iter().flat_map(|chain| &chain.steps);
        steps.filter(|step| step.acknowledged <= end).count()
    }

    /// Starts the server on what a disk holds, and looks whether all is well.
    fn verify(&self, root: &Path, end: u64) {
        let server = Server::on(&root.join("data"), &[]);
        let mut connection = server.connect();
        let mut stands = HashMap::new();
        for chain in &self.chains {
            let answer = connection.get(&chain.path).send();
            let stand = self.stand(chain, end, &answer);
            stands.insert(chain.path.as_str(), stand);
        }
        for stand in &stands {
            let pair = stand.0.strip_suffix('a').map(|path| format!("{path}b"));
            if let Some(other) = pair {
                let body = |stand: &Option<(String, String)>| stand.clone().map(|(body, _)| body);
                assert!(
                    body(stand.1) == body(&stands[other.as_str()]),
                    "half of a batch is there: {stands:?}"
                );
            }
        }
        let list = connection.get("/power?_limit=100").send();
        let items = list.status(200).json()["items"].as_array().unwrap().clone();
        let listed = items.iter().map(|item| {
            let member = |name: &str| item[name].as_str().unwrap();
            assert!(
                stands[member("path")].as_ref().unwrap().1 == member("etag"),
                "{list}"
            );
        });
        let there = stands.values().flatten();
        assert_eq!(listed.count(), there.clone().count(), "{list}");
        let tag = connection.put("/power/new", "1").send();
        let tag = tag.status(201).tag();
        assert!(!self.tags.contains(&tag), "{tag} is given again");
        let last = there.map(|(_, tag)| revision(tag)).max();
        assert!(Some(revision(&tag)) > last, "{tag} goes back");
    }

    /// The document's body and tag, if it is there and may be.
    fn stand(&self, chain: &Chain, end: u64, answer: &Answer) -> Option<(String, String)> {
        let allowed = self.allowed(chain, end);
        let nothing_acknowledged = chain
            .steps
            .first()
            .is_none_or(|step| step.acknowledged > end);
        let path = &chain.path;
        if answer.code == 404 {
            let is_gone = allowed.iter().any(|step| step.body.is_none());
            assert!(is_gone || nothing_acknowledged, "{path} is lost");
            return None;
        }
        let tag = answer.status(200).tag();
        let body = String::from_utf8(answer.body.clone()).unwrap();
        let step = allowed
            .iter()
            .find(|step| step.body.as_ref() == Some(&body))
            .unwrap_or_else(|| panic!("{path} is not what it may be: {answer}"));
        assert_eq!(step.tag.as_ref(), Some(&tag), "another tag for the same");
        Some((body, tag))
    }
}

/// `"epoch-17"` → 17
fn revision(tag: &str) -> u64 {
    let (_, number) = tag.trim_matches('"').split_once('-').unwrap();
    number.parse().unwrap()
}

/// Tells which state of the disk it was, should the test fail.
struct Told(String);

impl Drop for Told {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the power went {}", self.0);
        }
    }
}

/// Looks at these prefixes, on all processors, and answers how many states of the disk that
/// were.
fn look_at(recorded: &Recorded, prefixes: &BTreeSet<usize>) -> usize {
    let of = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..of)
            .map(|first| {
                let own = prefixes.iter().copied().skip(first).step_by(of);
                let own: BTreeSet<usize> = own.collect();
                scope.spawn(move || look(recorded, &own))
            })
            .collect();
        let looked = threads.into_iter().map(|thread| thread.join().unwrap());
        looked.sum()
    })
}

fn look(recorded: &Recorded, prefixes: &BTreeSet<usize>) -> usize {
    let place = disk::temporary();
    let root = place.path().join("root");
    let mut files = Files::default();
    let mut before = [const { None }; 2];
    let mut looked = 0;
    for (number, entry) in recorded.entries.iter().enumerate() {
        files.apply(entry);
        if !prefixes.contains(&number) {
            continue;
        }
        let look_after = |image: &Image, loss: Loss| {
            let _told = Told(format!("after operation {number}, {entry}; lost: {loss:?}"));
            put_down(image, &root);
            recorded.verify(&root, entry.end);
        };
        let acknowledged = recorded.acknowledged(entry.end);
        for (loss, before) in [Loss::None, Loss::All].into_iter().zip(&mut before) {
            let now = Some((acknowledged, files.after(loss)));
            if now != *before {
                look_after(&now.as_ref().unwrap().1, loss);
                looked += 1;
                *before = now;
            }
        }
        for seed in 0..seeds() {
            let loss = Loss::Some(seed << 32 | number as u64);
            look_after(&files.after(loss), loss);
            looked += 1;
        }
    }
    looked
}

#[test]
fn section_5_1_what_was_acknowledged_survives_a_power_loss_at_any_moment() {
    let recorded = record(SHORT);
    let entries = recorded.entries.len();
    let looked = look_at(&recorded, &(0..entries).collect());
    println!("{entries} operations, {looked} states of the disk");
    assert!(looked > entries, "states are missing");
}

#[test]
fn section_5_1_a_power_loss_while_the_log_is_copied_back() {
    let recorded = record(LONG);
    let (entries, mut prefixes) = (&recorded.entries, BTreeSet::new());
    for (place, entry) in entries.iter().enumerate() {
        let is_special = match entry.operation {
            Operation::Sync => entry.path.ends_with(".db"),
            Operation::Write { at, .. } => at == 0 && entry.path.ends_with("-wal"),
            _ => false,
        };
        if is_special {
            prefixes.extend([place - 1, place, (place + 1).min(entries.len() - 1)]);
        }
    }
    let mut random = Random::new(seeds());
    let copied = (0..entries.len()).filter(|place| entries[*place].path.ends_with(".db"));
    let copied: Vec<usize> = copied.collect();
    prefixes.extend((0..SAMPLES * seeds()).map(|_| *random.pick(&copied)));
    let looked = look_at(&recorded, &prefixes);
    let (of, at) = (entries.len(), prefixes.len());
    println!("{of} operations, {at} prefixes, {looked} states of the disk");
    let begun = entries.iter().filter(|entry| {
        matches!(entry.operation, Operation::Write { at: 0, .. }) && entry.path.ends_with("-wal")
    });
    assert!(begun.count() > 2, "the log was not begun anew");
}

/// What would be found if the log were not synced: else the test above would show nothing.
#[test]
fn a_disk_that_does_not_sync_is_found_out() {
    let recorded = record(&SHORT[..1]);
    let mut files = Files::default();
    let mut entries = recorded.entries.iter();
    let end = loop {
        let entry = entries.next().unwrap();
        let is_sync = matches!(entry.operation, Operation::Sync);
        if !(is_sync && entry.path.ends_with("-wal")) {
            files.apply(entry);
        }
        if recorded.acknowledged(entry.end) > 0 {
            break entry.end;
        }
    };
    let place = disk::temporary();
    let root = place.path().join("root");
    put_down(&files.after(Loss::All), &root);
    let looked = catch_unwind(AssertUnwindSafe(|| recorded.verify(&root, end)));
    let said = looked.unwrap_err();
    let said = said.downcast_ref::<String>().unwrap();
    assert!(said.contains("is lost"), "{said}");
}
