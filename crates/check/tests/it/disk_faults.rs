//! A disk that fails under load: what is answered is what the contract says (§3 line 20,
//! §5.1), nothing is acknowledged after a sync that failed, and whatever was acknowledged
//! is there after the next start, also if the power went then.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::thread;

use crate::harness::client::Connection;
use crate::harness::disk::{self, Disk};
use crate::harness::{Answer, Server};
use crate::power_loss::files::{Files, Image, Loss, image_of, put_down};
use crate::power_loss::log;

const WRITERS: usize = 4;

/// Writes that each writer tries after the first that was refused.
const AFTERWARDS: usize = 3;

/// A writer's own document.
#[derive(Clone, Default)]
pub(crate) struct Known {
    path: String,
    /// Content and tag of the last acknowledged write.
    acknowledged: Option<(String, String)>,
    /// What was answered with 500 since: it may be there.
    unknown: Vec<String>,
    /// The code of each refusal.
    refusals: Vec<u16>,
    /// Each tag that an answer gave it.
    given: HashSet<String>,
}

/// What a fault is to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nobody notices.
    Nothing,
    /// Some writes are refused, and later ones are not.
    Full,
    /// No write is acknowledged until the server starts again.
    Stopped,
}

impl Known {
    fn acknowledge(&mut self, body: String, tag: String) {
        assert!(self.given.insert(tag.clone()), "{tag} was given before");
        self.acknowledged = Some((body, tag));
    }
}

struct Load {
    address: SocketAddr,
    writes: usize,
    body_bytes: usize,
    known: Known,
}

impl Load {
    /// Writes one version after the other, until so many are written or it goes no
    /// further.
    fn run(mut self) -> Known {
        let mut connection = Connection::open(self.address);
        let known = &mut self.known;
        let mut refused = 0;
        for count in 0..self.writes {
            let body = format!("\"{count} {}\"", "x".repeat(self.body_bytes));
            let request = connection.put(&known.path, &body);
            let request = match &known.acknowledged {
                Some((_, tag)) => request.if_match(tag),
                None => request.if_none_match("*"),
            };
            let answer = request.send();
            match answer.code {
                201 | 204 => {
                    let stopped = known.refusals.iter().any(|code| *code != 507);
                    assert!(!stopped, "acknowledged after a failed commit: {answer}");
                    known.acknowledge(body, answer.tag());
                    continue;
                }
                // Before it writes, the server may have to read.
                500 if is_unreadable(&answer) => {}
                500 => {
                    answer.problem("indeterminate");
                    known.unknown.push(body);
                }
                503 => drop(answer.problem("store-unavailable")),
                507 => drop(answer.problem("storage-full")),
                _ => panic!("not documented: {answer}"),
            }
            known.refusals.push(answer.code);
            refused += 1;
            if refused > AFTERWARDS {
                break;
            }
        }
        self.known
    }
}

fn is_unreadable(answer: &Answer) -> bool {
    answer.json()["type"] == "/_/problems/internal"
}

pub(crate) fn load(
    server: &Server,
    all: Vec<Known>,
    writes: usize,
    body_bytes: usize,
) -> Vec<Known> {
    let threads = all.into_iter().map(|known| {
        let address = server.address();
        let load = Load {
            address,
            writes,
            body_bytes,
            known,
        };
        thread::spawn(move || load.run())
    });
    let threads: Vec<_> = threads.collect();
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect()
}

/// Nothing acknowledged is lost, nothing is there that nobody wrote, and writing goes on.
pub(crate) fn verify(server: &Server, all: &mut [Known]) {
    for known in all {
        known.refusals.clear();
        let unknown = std::mem::take(&mut known.unknown);
        let answer = server.get(&known.path).send();
        if answer.code == 404 {
            assert!(known.acknowledged.is_none(), "{} is lost", known.path);
            continue;
        }
        let tag = answer.status(200).tag();
        match &known.acknowledged {
            Some((body, last)) if *last == tag => drop(answer.is_body(body)),
            _ => {
                let body = String::from_utf8(answer.body.clone()).unwrap();
                assert!(unknown.contains(&body), "nobody wrote {answer}");
                known.acknowledge(body, tag);
            }
        }
        // What equals the stored one is no new version.
        let anew = format!("\"anew {}\"", known.given.len());
        let tag = server.replace(&known.path, &anew);
        known.acknowledge(anew, tag);
    }
}

/// Starts on a copy of what a disk holds.
fn verify_image(image: &Image, all: &[Known]) {
    let place = disk::temporary();
    let root = place.path().join("root");
    put_down(image, &root);
    verify(&Server::on(&root.join("data"), &[]), &mut all.to_vec());
}

pub(crate) fn documents() -> Vec<Known> {
    let known = |writer| Known {
        path: format!("/faults/{writer}"),
        ..Known::default()
    };
    (0..WRITERS).map(known).collect()
}

/// Runs a load, has the fault happen in the middle, and looks what has come of it.
fn fails(fault: &str, outcome: Outcome, writes: usize, body_bytes: usize) {
    eprintln!("{fault}");
    let disk = Disk::new();
    let mut server = disk.serve();
    let before = load(&server, documents(), 5, 100);
    disk.plan(fault);
    let after = load(&server, before, writes, body_bytes);
    assert!(disk.was_hit(), "the fault did not happen: {fault}");
    let refusals: Vec<u16> = after
        .iter()
        .flat_map(|known| known.refusals.clone())
        .collect();
    let one_more = server.put("/faults/more", "1").send();
    match outcome {
        Outcome::Nothing => assert!(refusals.is_empty(), "{fault}: {refusals:?}"),
        Outcome::Full => assert!(refusals.iter().all(|code| *code == 507), "{refusals:?}"),
        Outcome::Stopped => assert!(refusals.iter().all(|code| *code != 507), "{refusals:?}"),
    }
    if outcome == Outcome::Stopped {
        one_more.status(503).problem("store-unavailable");
        server.get("/_/ready").send().status(503);
    } else {
        one_more.status(201);
        server.get("/_/ready").send().status(200);
    }
    server.get("/_/health").send().status(200);
    for known in &after {
        let (body, tag) = known.acknowledged.as_ref().unwrap();
        server.holds(&known.path, body, tag);
    }
    server.stop();
    after_a_power_loss(&disk, &after);
    server.forget_variables();
    server.start_again();
    verify(&server, &mut after.clone());
}

/// A sync that failed has synced nothing, so the recorded disk has lost it.
fn after_a_power_loss(disk: &Disk, all: &[Known]) {
    let mut files = Files::default();
    let entries = log::read(&disk.log());
    entries.iter().for_each(|entry| files.apply(entry));
    for loss in [Loss::All, Loss::Some(1), Loss::Some(2)] {
        verify_image(&files.after(loss), all);
    }
}

/// Pages of the log are some kilobytes; a load of this many is not copied back yet.
const LITTLE: (usize, usize) = (40, 3_000);

/// Enough for the log to be copied back, several times.
const MUCH: (usize, usize) = (300, 64 * 1_024);

#[test]
fn section_5_1_nothing_is_acknowledged_after_a_failed_sync() {
    for times in ["once", "forever"] {
        let fault = format!("sync matchbook.db-wal 7 {times} EIO");
        fails(&fault, Outcome::Stopped, LITTLE.0, LITTLE.1);
        let fault = format!("write matchbook.db-wal 40 {times} EIO");
        fails(&fault, Outcome::Stopped, LITTLE.0, LITTLE.1);
    }
    let fault = "sync matchbook.db-wal 7 once ENOSPC";
    fails(fault, Outcome::Stopped, LITTLE.0, LITTLE.1);
}

#[test]
fn section_5_1_a_disk_that_fails_while_the_log_is_copied_back() {
    for fault in [
        "sync matchbook.db 1 once EIO",
        "write matchbook.db 100 once EIO",
    ] {
        fails(fault, Outcome::Stopped, MUCH.0, MUCH.1);
    }
}

#[test]
fn section_3_line_20_no_space_for_some_time() {
    fails(
        "write matchbook.db-wal 40 once ENOSPC",
        Outcome::Full,
        LITTLE.0,
        LITTLE.1,
    );
    fails(
        "write matchbook.db 100 once ENOSPC",
        Outcome::Nothing,
        MUCH.0,
        MUCH.1,
    );
}

#[test]
fn writes_that_are_cut_short_are_continued() {
    for fault in ["write * 10 once short", "write * 1 forever short"] {
        fails(fault, Outcome::Nothing, LITTLE.0, LITTLE.1);
    }
}

/// What a server leaves that is killed: with a log that is not copied back.
fn killed(all: &mut Vec<Known>) -> Image {
    let disk = Disk::new();
    let mut server = disk.serve();
    *all = load(&server, std::mem::take(all), 5, 5_000);
    server.kill();
    image_of(disk.root())
}

/// Each call of a start fails once, in a start of its own.
fn each_call_of_a_start_fails(image: &Image, all: &[Known]) {
    for call in 1.. {
        let effect = if call % 2 == 0 { "EIO" } else { "ENOSPC" };
        let disk = Disk::new();
        put_down(image, disk.root());
        disk.plan(&format!("any * {call} once {effect}"));
        let started = disk.try_serve();
        if !disk.was_hit() {
            println!("{} calls of a start failed", call - 1);
            assert!(call > 20, "a start makes more calls than that");
            return;
        }
        match started {
            Ok(server) => drop(server),
            Err(said) => assert!(!said.contains("panicked"), "call {call}: {said}"),
        }
        disk.plan_nothing();
        let server = Server::on(&disk.data(), &[]);
        verify(&server, &mut all.to_vec());
    }
}

#[test]
fn section_5_1_a_start_whose_disk_fails_at_any_call() {
    each_call_of_a_start_fails(&Image::new(), &documents());
    let mut all = documents();
    let image = killed(&mut all);
    each_call_of_a_start_fails(&image, &all);
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let disk = Disk::new();
    let mut server = disk.serve();
    let bodies = |n: usize| format!("\"{}\"", format!("{n} ").repeat(3_000));
    let tags: Vec<_> = (0..50)
        .map(|n| server.create(&format!("/c/{n}"), bodies(n)))
        .collect();
    let all_are_there = |server: &Server| {
        for (n, tag) in tags.iter().enumerate() {
            server.holds(&format!("/c/{n}"), bodies(n), tag);
        }
    };
    disk.plan("read * 1 forever short");
    server.restart();
    all_are_there(&server);
    assert!(disk.was_hit(), "nothing was cut short");
    disk.plan_nothing();
    server.restart();
    disk.plan("read matchbook.db 3 forever EIO");
    let mut failed = 0;
    for (n, tag) in tags.iter().enumerate() {
        let answer = server.get(&format!("/c/{n}")).send();
        if answer.code == 500 {
            answer.problem("internal");
            failed += 1;
        } else {
            answer.status(200).has("etag", tag).is_body(bodies(n));
        }
    }
    assert!(failed > 0, "nothing failed");
    server.get("/c").send().status(500).problem("internal");
    let refused = server.put("/c/new", "1").send();
    assert!([500, 503].contains(&refused.code), "{refused}");
    server.forget_variables();
    server.restart();
    all_are_there(&server);
}
