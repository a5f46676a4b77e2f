//! A reader that comes, goes and comes back in every way that there is.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde_json::Value;

use super::asked::Asked;
use crate::harness::client::Connection;
use crate::harness::random::Random;
use crate::harness::replica::{Held, is_plain, revision};
use crate::harness::{Answer, Event, Events, Replica, exact};

/// Events that are shown when something is wrong.
const SHOWN: usize = 40;

/// What readers and the test tell each other while writes go on.
pub(super) struct Phase {
    pub(super) address: SocketAddr,
    /// The server is there.
    pub(super) is_open: AtomicBool,
    /// The marks are being written, or were.
    pub(super) is_marked: AtomicBool,
    /// What marks the documents that are written last.
    pub(super) mark: String,
    /// Whether the log is trimmed.
    pub(super) is_trimmed: bool,
}

/// Why a reader stops.
pub(super) enum Stop {
    /// The line is lost, and it was no fault.
    Lost,
    /// Something is wrong.
    Wrong(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Self::Wrong("nothing comes any more".to_owned())
            }
            _ => Self::Lost,
        }
    }
}

fn wrong<T>(what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Wrong(what.into()))
}

pub(super) struct Reader {
    pub(super) asked: Asked,
    pub(super) replica: Replica,
    /// It is away.
    pub(super) rests: bool,
    random: Random,
    events: Option<Events>,
    /// What it holds came from a list, and not from a snapshot.
    is_listed: bool,
    /// Its position is one of a history that is lost.
    is_lost: bool,
    /// What the server may begin with, instead of going on.
    expected: Option<&'static str>,
    /// What happened to it last.
    log: VecDeque<String>,
}

impl Reader {
    pub(super) fn random(random: &mut Random) -> Self {
        Self {
            asked: Asked::random(random),
            replica: Replica::default(),
            rests: false,
            random: random.other(),
            events: None,
            is_listed: false,
            is_lost: false,
            expected: None,
            log: VecDeque::new(),
        }
    }

    /// Is away for a round, or comes back.
    pub(super) fn rests(&mut self, rests: bool) {
        self.rests = rests;
        if rests {
            self.events = None;
        }
    }

    fn note(&mut self, what: String) {
        if self.log.len() == SHOWN {
            self.log.pop_front();
        }
        self.log.push_back(what);
    }

    /// All that may help to understand a fault.
    pub(super) fn story(&self) -> String {
        let log: Vec<_> = self.log.iter().map(String::as_str).collect();
        format!("{:?}\n{}", self.asked, log.join("\n"))
    }

    /// An older copy of the data came back, with all up to this revision.
    pub(super) fn history_is_lost_after(&mut self, kept: u64) {
        self.events = None;
        self.note(format!("what came after {kept} is lost"));
        let Some(id) = &self.replica.id else { return };
        // The position, and how late a snapshot's pieces may be.
        let (at, place) = id.split_once('~').unwrap_or((id, ""));
        let shown = place.split('/').next().filter(|shown| !shown.is_empty());
        if [Some(at), shown]
            .into_iter()
            .flatten()
            .any(|at| revision(at) > kept)
        {
            self.is_lost = true;
        }
        let held = self.replica.held.values();
        let has_lost = held.filter(|held| revision(&held.tag) > kept).count() > 0;
        // Nothing in a list says which history it was of.
        if has_lost && self.is_listed && !self.is_lost {
            self.replica = Replica::default();
        }
    }

    /// Reads until it has come to the marks, or the server is gone.
    pub(super) fn read(&mut self, phase: &Phase) -> Result<(), Stop> {
        if self.rests {
            return Ok(());
        }
        let read = self.until_marked(phase);
        if read.is_err() {
            self.events = None;
        }
        read
    }

    fn until_marked(&mut self, phase: &Phase) -> Result<(), Stop> {
        if let Some(events) = &mut self.events {
            events.anew();
        }
        while !self.is_at_the_mark(phase) || self.random.percent(20) {
            if !phase.is_open.load(SeqCst) {
                return Err(Stop::Lost);
            }
            match self.events.take() {
                Some(events) => self.follow(events, phase)?,
                None => self.begin(phase)?,
            }
        }
        Ok(())
    }

    fn is_at_the_mark(&self, phase: &Phase) -> bool {
        let Some(held) = self.replica.held.get(&self.asked.mark_path()) else {
            return false;
        };
        let id = self.replica.id.as_deref().filter(|id| is_plain(id));
        self.replica.is_synced
            && held.content["document"]["mark"] == *phase.mark
            && id.is_some_and(|id| revision(id) >= revision(&held.tag))
    }

    /// Takes some events, or all until the mark.
    fn follow(&mut self, mut events: Events, phase: &Phase) -> Result<(), Stop> {
        let most = match self.random.percent(50) {
            true => self.random.below(100),
            false => usize::MAX,
        };
        for _ in 0..most {
            if self.is_at_the_mark(phase) {
                break;
            }
            let Some(event) = events.try_next()? else {
                self.note("the stream ends".to_owned());
                return Ok(());
            };
            self.take(&event, phase)?;
        }
        if self.random.percent(70) && self.is_at_the_mark(phase) {
            self.events = Some(events);
        } else {
            self.note("drops the line".to_owned());
        }
        Ok(())
    }

    fn take(&mut self, event: &Event, phase: &Phase) -> Result<(), Stop> {
        self.note(format!(
            "{} {} {}",
            event.name,
            event.id,
            shorten(&event.data)
        ));
        if event.name == "reset" {
            let reason = event.text("reason");
            let is_right = match self.expected {
                Some(expected) => reason == expected,
                None => phase.is_trimmed && reason == "too-old",
            };
            if !is_right {
                return wrong("a reset without a reason");
            }
            self.is_listed = false;
            self.is_lost = false;
        } else if self.expected.is_some() && event.name != "end" {
            return wrong(format!("no reset: {:?}", self.expected));
        }
        if event.name == "end" {
            return match event.text("reason").as_str() {
                "draining" => Err(Stop::Lost),
                "busy" if phase.is_trimmed => Ok(()),
                reason => wrong(format!("an end: {reason}")),
            };
        }
        self.expected = None;
        self.misses_nothing(event)?;
        if event.name == "patch" {
            self.get_what_is_not_held(&event.text("path"), phase)?;
        }
        self.replica.try_apply(event).map_err(Stop::Wrong)
    }

    /// One who began now asks for the document of which only a patch is told.
    fn get_what_is_not_held(&mut self, path: &str, phase: &Phase) -> Result<(), Stop> {
        if self.replica.is_whole || self.replica.held.contains_key(path) {
            return Ok(());
        }
        self.note(format!("gets {path}"));
        if let Some(held) = self.asked.stored(phase.address)?.remove(path) {
            self.replica.held.insert(path.to_owned(), held);
        }
        Ok(())
    }

    /// One who asks for everything sees each revision.
    fn misses_nothing(&self, event: &Event) -> Result<(), Stop> {
        let is_change = ["put", "patch", "delete", "leave"].contains(&event.name.as_str());
        let before = self.replica.id.as_deref().filter(|id| is_plain(id));
        if let Some(before) = before
            && self.asked.is_everything()
            && is_change
            && revision(&event.id) != revision(before) + 1
        {
            return wrong("a change is missing");
        }
        Ok(())
    }

    /// Comes back, or comes for the first time.
    fn begin(&mut self, phase: &Phase) -> Result<(), Stop> {
        let id = self.replica.id.clone();
        let Some(id) = id.filter(|_| self.random.percent(93)) else {
            return self.begin_anew(phase);
        };
        let plain = is_plain(&id);
        match self.random.below(100) {
            0..15 if plain => self.pages(phase),
            15..22 if plain => self.lines(phase),
            22..26 => {
                self.expected = Some("malformed");
                self.open(phase, &self.asked.target(""), &format!("x{id}"))
            }
            26..55 => {
                let target = self.asked.target(&format!("_since={id}&_snapshot=true"));
                self.resume(phase, &target, "")
            }
            _ => {
                let more = *self.random.pick(&["", "_snapshot=true", "_since=x"]);
                let target = self.asked.target(more);
                self.resume(phase, &target, &id)
            }
        }
    }

    fn resume(&mut self, phase: &Phase, target: &str, id: &str) -> Result<(), Stop> {
        self.expected = self.is_lost.then_some("foreign");
        self.open(phase, target, id)
    }

    fn open(&mut self, phase: &Phase, target: &str, id: &str) -> Result<(), Stop> {
        let coding = *self.random.pick(&["gzip", "identity"]);
        self.note(format!("GET {target} Last-Event-ID: {id} in {coding}"));
        let fields = [("Accept-Encoding", coding), ("Last-Event-ID", id)];
        let fields = if id.is_empty() { &fields[..1] } else { &fields };
        let events = Events::try_open(phase.address, target, fields)?;
        if events.head.code != 200 {
            return wrong(events.head.to_string());
        }
        self.events = Some(events);
        Ok(())
    }

    fn begin_anew(&mut self, phase: &Phase) -> Result<(), Stop> {
        match self.random.below(10) {
            0..3 => self.list(phase),
            // One who begins after the marks would never see them.
            3..4 if !phase.is_marked.load(SeqCst) => {
                self.expected = None;
                self.open(phase, &self.asked.target(""), "")?;
                let mut events = self.events.take().unwrap();
                let Some(first) = events.try_next()? else {
                    return Ok(());
                };
                if phase.is_marked.load(SeqCst) {
                    return Ok(());
                }
                self.replica = Replica::default();
                self.is_lost = false;
                self.is_listed = false;
                self.take(&first, phase)?;
                self.events = Some(events);
                Ok(())
            }
            _ => {
                self.expected = Some("snapshot");
                self.open(phase, &self.asked.target("_snapshot=true"), "")
            }
        }
    }

    /// Reads the lists page by page, while they change.
    fn list(&mut self, phase: &Phase) -> Result<(), Stop> {
        let mut connection = Connection::try_open(phase.address)?;
        let limit = self.random.pick(&[7, 50, 1_000]).to_owned();
        let mut cursor: Option<String> = None;
        let mut held = BTreeMap::new();
        for collection in self.asked.lists() {
            let mut target = self.asked.list(collection, &format!("_limit={limit}"));
            loop {
                let answer = self.get(&mut connection, &target, "application/json")?;
                if answer.code != 200 {
                    return refused(&answer);
                }
                let page = body(&answer)?;
                cursor.get_or_insert_with(|| page["cursor"].as_str().unwrap().to_owned());
                for item in page["items"].as_array().unwrap() {
                    let path = item["path"].as_str().unwrap().to_owned();
                    if self.asked.covers(&path) {
                        held.insert(path, Held::read(item));
                    }
                }
                match answer.maybe("link") {
                    Some(link) => link[1..].split('>').next().unwrap().clone_into(&mut target),
                    None => break,
                }
            }
        }
        self.replica = Replica::of(&[], &cursor.unwrap());
        self.replica.held = held;
        self.is_listed = true;
        self.is_lost = false;
        Ok(())
    }

    /// Reads changes page by page, to the end or not.
    fn pages(&mut self, phase: &Phase) -> Result<(), Stop> {
        let mut connection = Connection::try_open(phase.address)?;
        let limit = self.random.pick(&[1, 10, 1_000]).to_owned();
        for _ in 0..self.random.below(20) + 1 {
            let id = self.replica.id.clone().unwrap();
            let target = self.asked.target(&format!("_since={id}&_limit={limit}"));
            let answer = self.get(&mut connection, &target, "application/json")?;
            match answer.code {
                200 => {}
                204 => return Ok(()),
                _ => return self.gone(&answer, phase),
            }
            let page = body(&answer)?;
            let changes = page["changes"].as_array().unwrap();
            self.changes(changes, page["cursor"].as_str().unwrap(), phase)?;
            if page["more"] == false {
                self.replica.is_synced = true;
                return Ok(());
            }
            if changes.len() < limit {
                return wrong("a short page before the end");
            }
        }
        Ok(())
    }

    /// Reads all changes as lines.
    fn lines(&mut self, phase: &Phase) -> Result<(), Stop> {
        let mut connection = Connection::try_open(phase.address)?;
        let id = self.replica.id.clone().unwrap();
        let target = self.asked.target(&format!("_since={id}"));
        let answer = match self.get(&mut connection, &target, "application/x-ndjson") {
            // What was to be told next is no longer there: that is no whole answer.
            Err(Stop::Lost) if phase.is_trimmed => return Ok(()),
            answer => answer?,
        };
        if answer.code != 200 {
            return self.gone(&answer, phase);
        }
        let text = std::str::from_utf8(&answer.body).unwrap();
        let mut lines: Vec<Value> = text.lines().map(exact::value).collect();
        let Some(last) = lines.pop() else {
            return wrong("no lines");
        };
        let Some(cursor) = last["cursor"].as_str() else {
            return wrong("the last line is no cursor");
        };
        self.changes(&lines, cursor, phase)?;
        self.replica.is_synced = true;
        Ok(())
    }

    fn changes(&mut self, changes: &[Value], cursor: &str, phase: &Phase) -> Result<(), Stop> {
        let before = revision(self.replica.id.as_deref().unwrap());
        if self.is_lost {
            return wrong("a lost position is gone on with");
        }
        let position = revision(cursor);
        let grown = position.checked_sub(before);
        let count = u64::try_from(changes.len()).unwrap();
        if grown.is_none_or(|grown| grown < count || (self.asked.is_everything() && grown > count))
        {
            return wrong(format!("{count} changes from {before} to {cursor}"));
        }
        for change in changes {
            self.note(format!("page: {}", shorten(&change.to_string())));
            let event = change["event"].as_str().unwrap();
            if event == "patch" {
                self.get_what_is_not_held(change["path"].as_str().unwrap(), phase)?;
            }
            self.replica.change(event, change).map_err(Stop::Wrong)?;
        }
        self.replica.id = Some(cursor.to_owned());
        Ok(())
    }

    /// The answer to changes that are not told.
    fn gone(&mut self, answer: &Answer, phase: &Phase) -> Result<(), Stop> {
        if answer.code == 410 && (self.is_lost || phase.is_trimmed) {
            self.replica = Replica::default();
            self.is_lost = false;
            return Ok(());
        }
        refused(answer)
    }

    fn get(
        &mut self,
        connection: &mut Connection,
        target: &str,
        accept: &str,
    ) -> Result<Answer, Stop> {
        self.note(format!("GET {target}"));
        let wait = *self.random.pick(&["wait=0", "wait=1", "x"]);
        let request = connection.get(target).field("Accept", accept);
        let bytes = request.field("Prefer", wait).bytes();
        connection.try_send(bytes)?;
        Ok(connection.try_read("GET")?)
    }
}

fn refused(answer: &Answer) -> Result<(), Stop> {
    match answer.code {
        503 => Err(Stop::Lost),
        _ => wrong(answer.to_string()),
    }
}

fn body(answer: &Answer) -> Result<Value, Stop> {
    let text = std::str::from_utf8(&answer.body);
    text.map(exact::value)
        .or_else(|_| wrong(answer.to_string()))
}

fn shorten(text: &str) -> String {
    text.chars().take(400).collect()
}
