//! Random writers, and readers that come, go and come back at random: whatever happens to
//! lines, server and data meanwhile, what a reader holds that has come to the end is what
//! is stored, value for value (contract §7).
//!
//! `MATCHBOOK_FEED_SEED` and `MATCHBOOK_FEED_ROUNDS` set what happens and how often.

mod asked;
mod reader;
mod writer;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;

use tempfile::TempDir;

use crate::harness::Server;
use crate::harness::random::Random;
use crate::harness::replica::revision;
use asked::{COLLECTIONS, FOLLOWED, marked};
use reader::{Phase, Reader, Stop};

const WRITERS: usize = 3;
const READERS: usize = 10;

/// What a log keeps that is trimmed as often as can be.
const SHORT: [&str; 4] = ["--retention-seconds", "0", "--retention-changes", "40"];

/// What ends a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// All readers come to the end.
    Compared,
    /// SIGKILL while all are busy.
    Killed,
    /// SIGTERM while all are busy.
    Stopped,
    /// The data are copied.
    Copied,
    /// The copy comes back.
    Restored,
}

const ENDS: [End; 10] = [
    End::Compared,
    End::Compared,
    End::Compared,
    End::Compared,
    End::Compared,
    End::Killed,
    End::Killed,
    End::Stopped,
    End::Copied,
    End::Restored,
];

fn set(name: &str, otherwise: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(otherwise, |text| text.parse().unwrap())
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

struct World {
    server: Server,
    random: Random,
    readers: Vec<Reader>,
    copied: TempDir,
    is_copied: bool,
    is_trimmed: bool,
    round: usize,
}

impl World {
    fn new(seed: u64, is_trimmed: bool) -> Self {
        let mut random = Random::new(seed);
        let server = Server::with(if is_trimmed { &SHORT } else { &[] });
        let mut connection = server.connect();
        // In some worlds a snapshot is more than the sockets between take at once.
        let weight = if seed.is_multiple_of(3) { 12_000 } else { 0 };
        for number in 0..writer::COLD {
            let body = writer::weighed(writer::document(&mut random), weight);
            let put = connection.put(&writer::cold(number), body);
            put.send().status(201);
        }
        Self {
            readers: (0..READERS).map(|_| Reader::random(&mut random)).collect(),
            server,
            random,
            copied: TempDir::new().unwrap(),
            is_copied: false,
            is_trimmed,
            round: 0,
        }
    }

    fn round(&mut self) {
        self.round += 1;
        let end = *self.random.pick(&ENDS);
        let end = match end {
            End::Restored if !self.is_copied => End::Copied,
            end => end,
        };
        if self.random.percent(30) {
            let place = self.random.below(READERS);
            self.readers[place] = Reader::random(&mut self.random);
        }
        println!("round {}: {end:?}", self.round);
        self.run(end);
        match end {
            End::Compared => self.compare(),
            End::Killed | End::Stopped => self.server.start_again(),
            End::Copied => {
                copy(self.server.data(), self.copied.path());
                self.is_copied = true;
                self.server.start_again();
            }
            End::Restored => self.restore(),
        }
    }

    /// Writes and reads, until the marks are read or the server is gone.
    fn run(&mut self, end: End) {
        let phase = Phase {
            address: self.server.address(),
            is_open: AtomicBool::new(true),
            is_marked: AtomicBool::new(false),
            mark: format!("round {}", self.round),
            is_trimmed: self.is_trimmed,
        };
        let accepted = AtomicUsize::new(0);
        let times = 10 + self.random.below(120);
        let enough = self.random.below(times * WRITERS / 2);
        let randoms: Vec<_> = (0..WRITERS).map(|_| self.random.other()).collect();
        let (server, readers) = (&mut self.server, &mut self.readers);
        let stops = thread::scope(|scope| {
            let (phase, accepted) = (&phase, &accepted);
            let write = |random| move || writer::write(phase.address, random, times, accepted);
            let writers: Vec<_> = randoms
                .into_iter()
                .map(|random| scope.spawn(write(random)))
                .collect();
            let readers = readers.iter_mut();
            let readers: Vec<_> = readers
                .map(|reader| scope.spawn(|| reader.read(phase)))
                .collect();
            if end != End::Compared {
                while accepted.load(Relaxed) < enough
                    && !writers.iter().all(thread::ScopedJoinHandle::is_finished)
                {
                    thread::yield_now();
                }
                phase.is_open.store(false, SeqCst);
                match end {
                    End::Killed | End::Restored => server.kill(),
                    _ => drop(server.stop()),
                }
            }
            for writer in writers {
                writer.join().unwrap();
            }
            if end == End::Compared {
                phase.is_marked.store(true, SeqCst);
                mark(server, &phase.mark);
            }
            readers
                .into_iter()
                .map(|reader| reader.join().unwrap())
                .collect::<Vec<_>>()
        });
        for (reader, stop) in stops.into_iter().enumerate() {
            match stop {
                Ok(()) => {}
                Err(Stop::Lost) if end != End::Compared => {}
                Err(Stop::Lost) => self.fails(reader, "the line is lost"),
                Err(Stop::Wrong(what)) => self.fails(reader, &what),
            }
        }
    }

    fn compare(&mut self) {
        for number in 0..READERS {
            let reader = &self.readers[number];
            let stored = reader.asked.stored(self.server.address()).unwrap();
            let held = &reader.replica.held;
            for (path, held) in held {
                if stored.get(path) != Some(held) {
                    self.fails(
                        number,
                        &format!("{path}: {held:?}, not {:?}", stored.get(path)),
                    );
                }
            }
            if reader.replica.is_whole {
                for (path, stored) in &stored {
                    if !held.contains_key(path) {
                        self.fails(number, &format!("{path} is missing: {stored:?}"));
                    }
                }
            }
        }
    }

    fn restore(&mut self) {
        copy(self.copied.path(), self.server.data());
        self.server.start_again();
        let page = self.server.get("/_/changes").send().json();
        let kept = revision(page["cursor"].as_str().unwrap());
        for reader in &mut self.readers {
            reader.history_is_lost_after(kept);
        }
    }

    fn fails(&self, reader: usize, what: &str) -> ! {
        let story = self.readers[reader].story();
        panic!("round {}, reader {reader}: {what}\n{story}", self.round)
    }
}

/// Marks the end of what every reader is to see.
fn mark(server: &Server, mark: &str) {
    let marks = COLLECTIONS.map(|collection| format!("{collection}/mark"));
    let paths = FOLLOWED.into_iter().chain(marks.iter().map(String::as_str));
    for path in paths {
        let put = server.put(path, marked(mark));
        let answer = match server.get(path).send().code {
            404 => put.send(),
            _ => put.field("If-Match", "*").send(),
        };
        assert!([201, 204].contains(&answer.code), "{answer}");
    }
}

fn holds(seed: u64, rounds: u64, is_trimmed: bool) {
    println!("MATCHBOOK_FEED_SEED={seed}");
    let mut world = World::new(seed, is_trimmed);
    for _ in 0..rounds {
        world.round();
    }
    world.round += 1;
    world.run(End::Compared);
    world.compare();
}

#[test]
fn section_7_what_readers_hold_is_what_is_stored() {
    let seed = set("MATCHBOOK_FEED_SEED", 7);
    holds(seed, set("MATCHBOOK_FEED_ROUNDS", 12), false);
}

#[test]
fn section_7_what_readers_hold_is_what_is_stored_while_the_log_is_trimmed() {
    let seed = set("MATCHBOOK_FEED_SEED", 7);
    holds(seed, set("MATCHBOOK_FEED_ROUNDS", 12), true);
}
