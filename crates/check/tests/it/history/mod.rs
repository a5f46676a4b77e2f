//! Histories of many clients at once, against the real program: recorded, with kill -9 in
//! between, and then checked for one order that explains all of them (contract §1, §3,
//! §5, §7, §8). [`check`] says what exactly is shown.
//!
//! `MATCHBOOK_HISTORY_SECONDS` sets for how long histories are recorded,
//! `MATCHBOOK_HISTORY_SEED` what is asked for:
//!
//! ```sh
//! MATCHBOOK_HISTORY_SECONDS=600 cargo test -p matchbook-check --test it one_order -- --nocapture
//! ```
//!
//! What the threads and the server make of it is a matter of the machine, so that a seed
//! gives the same choices, and not always the same fault.

mod check;
mod client;
mod fault;
mod feed;
mod follower;
mod log;
mod model;
mod place;
mod plan;
mod record;
mod run;
mod seeded;

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::random::Random;
use crate::harness::replica::revision;
use crate::harness::{Answer, Server};
use check::{Checked, check};
use client::Client;
use follower::MARK;
use plan::{PATHS, Planner};
use record::{Asked, Condition, Effect, History, Item};
use run::Run;

/// Requests of one history, at least.
const REQUESTS: usize = 3_000;

/// Histories, where no time is set.
const ROUNDS: usize = 4;

/// Those who follow the changes.
const FOLLOWERS: usize = 6;

/// One history, of a store of its own.
fn record(seed: u64) -> History {
    let mut random = Random::new(seed);
    let clients = 3 + random.below(10);
    let documents = 2 + random.below(PATHS.len() - 1);
    let kills = random.below(3);
    let mut server = Server::start();
    let first = cursor(&server.get("/_/changes").send());
    let run = &Run::new(server.address());
    let mut history = History {
        kills,
        ..History::default()
    };
    thread::scope(|scope| {
        let (count, ended) = mpsc::channel();
        let clients: Vec<_> = (0..clients)
            .map(|number| {
                let planner = Planner::new(number, random.other(), documents);
                let (random, count) = (random.other(), count.clone());
                scope.spawn(move || client::work(run, number, random, planner, &count))
            })
            .collect();
        drop(count);
        let followers: Vec<_> = (0..FOLLOWERS)
            .map(|number| {
                let (followed, random) = (follower::scope(&mut random), random.other());
                scope.spawn(move || follower::follow(run, number + 1_000, random, followed))
            })
            .collect();
        for _ in 0..kills {
            let enough = random.below(REQUESTS / 2);
            ended.iter().take(enough).count();
            server.kill();
            server.start_again();
            run.started(server.address());
        }
        ended.iter().take(REQUESTS).count();
        run.end();
        for client in clients {
            history.operations.extend(client.join().unwrap());
        }
        history.operations.extend(mark(run, &server));
        for follower in followers {
            let (begun, stream) = follower.join().unwrap();
            history.operations.push(begun);
            history.streams.push(stream);
        }
    });
    history.log = log(&server, &first);
    history
}

fn cursor(page: &Answer) -> String {
    page.status(200).json()["cursor"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Writes every document once more, so that followers know when all was told.
fn mark(run: &Run, server: &Server) -> Vec<record::Operation> {
    let mut client = Client::new(run, 2_000, Random::new(0));
    let mut connection = server.connect();
    for (number, path) in PATHS.iter().enumerate() {
        let read = Asked::Read {
            path: (*path).to_owned(),
            unless: None,
            head: false,
        };
        let condition = match client.ask(&mut connection, &read).unwrap() {
            record::Answer::Found { tag, .. } => Condition::Tag(tag),
            _ => Condition::Absent,
        };
        let write = Asked::Write(vec![Item {
            path: (*path).to_owned(),
            condition,
            effect: Effect::Put(format!("{MARK}{number}")),
        }]);
        client.ask(&mut connection, &write).unwrap();
    }
    client.operations
}

/// Everything that happened, as the feed of everything tells it.
fn log(server: &Server, first: &str) -> Vec<record::Told> {
    let mut events = server.events(&format!("/_/changes?_since={first}"));
    let mut log = Vec::new();
    loop {
        let event = events.next();
        if event.name == "synced" {
            return log;
        }
        let id = Some(revision(&event.id));
        log.push(client::told(&event.name, &event.json(), id));
    }
}

fn set(name: &str) -> Option<u64> {
    let set = std::env::var(name).ok();
    set.map(|text| text.parse().unwrap())
}

#[test]
fn section_5_one_order_explains_what_all_clients_saw() {
    let seed = set("MATCHBOOK_HISTORY_SEED").unwrap_or(1);
    let time = set("MATCHBOOK_HISTORY_SECONDS").map(Duration::from_secs);
    let begun = Instant::now();
    let mut all = Checked::default();
    for (round, seed) in (seed..).enumerate() {
        let is_enough = match time {
            Some(time) => begun.elapsed() >= time,
            None => round == ROUNDS,
        };
        if is_enough {
            break;
        }
        let history = record(seed);
        match check(&history) {
            Ok(checked) => all += checked,
            Err(fault) => panic!("MATCHBOOK_HISTORY_SEED={seed}\n{fault}"),
        }
        println!("MATCHBOOK_HISTORY_SEED={seed}: {all:?}");
    }
}
