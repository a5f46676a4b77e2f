//! Clients that follow: event streams, cut anywhere and resumed.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::rc::Rc;

use flate2::write::MultiGzDecoder;
use http::Method;
use http_body_util::BodyExt;
use matchbook::inside::Answer;
use matchbook_core::tag::Version;
use serde_json::Value;

use crate::archive::Archive;
use crate::ask::{Asked, open, version};
use crate::sse::{Event, Parser};
use crate::world::World;

/// What may be followed, and whether it is filtered.
const FEEDS: [(&str, bool); 5] = [
    ("/a", false),
    ("/b", false),
    ("/_/changes", false),
    ("/a/0", false),
    ("/a?even=true", true),
];

pub(crate) struct Reader {
    pub(crate) world: Rc<World>,
    pub(crate) client: usize,
    /// What is followed.
    pub(crate) path: String,
    is_filtered: bool,
    begins_with_snapshot: bool,
    /// It asks for pages and not for a stream.
    polls: bool,
    /// It takes gzip.
    decodes: bool,
    pub(crate) last_id: Option<String>,
    /// What is held of each document; the content is `None` where it has to be fetched.
    held: BTreeMap<String, (Version, Option<Value>)>,
    /// It holds what is in a snapshot, and not yet all that was changed meanwhile.
    pub(crate) is_in_snapshot: bool,
    /// The changes since this revision, where no snapshot came in between.
    told: Option<(u64, Vec<Change>)>,
    /// The changes of a batch of which not all came yet.
    begun: Vec<Change>,
    /// Those that came before the line was cut: they come again.
    again: VecDeque<Change>,
    seen: Vec<(String, Version, Value)>,
}

/// The document, and its new version and the one before.
type Change = (String, Option<Version>, Option<Version>);

/// Why a connection is left.
pub(crate) enum Left {
    /// It ended, or was cut.
    Cut,
    /// All was told.
    Even,
}

impl Reader {
    pub(crate) fn new(world: Rc<World>, client: usize) -> Self {
        let (path, is_filtered) = *world.one_of(&FEEDS);
        let is_list = matches!(path, "/a" | "/b" | "/a?even=true");
        let polls = is_list && world.happens(300);
        let begins_with_snapshot = polls || world.happens(400);
        Self {
            client,
            path: path.to_owned(),
            is_filtered,
            begins_with_snapshot,
            polls,
            decodes: world.happens(300),
            last_id: None,
            held: BTreeMap::new(),
            is_in_snapshot: false,
            told: None,
            begun: Vec::new(),
            again: VecDeque::new(),
            seen: Vec::new(),
            world,
        }
    }

    pub(crate) async fn run(mut self) -> Self {
        // Who does not begin with a snapshot begins before the first write.
        if self.begins_with_snapshot {
            self.world.pause(self.world.plan.pause_ms * 8).await;
        }
        loop {
            let is_last = self.world.finished.is_given();
            let left = if self.polls {
                self.poll().await
            } else {
                self.connect(is_last).await
            };
            if matches!(left, Left::Even) && is_last {
                return self;
            }
            if !self.world.finished.is_given() {
                self.world.pause(self.world.plan.pause_ms * 2).await;
            }
        }
    }

    async fn connect(&mut self, is_last: bool) -> Left {
        let server = self.world.server().await;
        let snapshot = self.begins_with_snapshot && self.last_id.is_none();
        let mut target = self.path.clone();
        if snapshot {
            target.push(if target.contains('?') { '&' } else { '?' });
            target.push_str("_snapshot=true");
        }
        let mut asked = Asked::new(Method::GET, target).field("accept", "text/event-stream");
        if let Some(id) = &self.last_id {
            asked = asked.field("last-event-id", id);
        }
        if self.decodes {
            asked = asked.field("accept-encoding", "gzip");
        }
        let Some(answer) = open(&self.world, &server, &asked).await else {
            return Left::Cut;
        };
        assert!(answer.status() == 200, "a feed answers {}", answer.status());
        let is_coded = answer.headers().contains_key("content-encoding");
        assert_eq!(is_coded, self.decodes);
        let mut body = answer.into_body();
        // Without an id there is nothing to go on from but a snapshot.
        let is_safe = snapshot || self.last_id.is_some();
        let pieces = match self.world.below(3) {
            0 if !is_last && is_safe => self.world.below(6),
            _ => u64::MAX,
        };
        self.again = self.begun.clone().into();
        let mut stream = Stream {
            parser: Parser::default(),
            decoder: is_coded.then(|| MultiGzDecoder::new(Vec::new())),
            position: self.last_id.as_deref().map_or(0, position),
        };
        for piece in 0.. {
            let is_cut = piece >= pieces;
            let next = tokio::select! {
                biased;
                next = server.while_up(next(&mut body)) => next.flatten(),
                // The last connection is one that begins after all was written.
                () = self.world.finished.given(), if !is_last => None,
            };
            let Some(mut bytes) = next else {
                return Left::Cut;
            };
            if is_cut {
                let length = self.world.below(bytes.len() as u64 + 1);
                bytes.truncate(usize::try_from(length).unwrap());
            }
            stream.decode(&mut bytes);
            let text = || String::from_utf8_lossy(&bytes).into_owned();
            self.world
                .note(|| format!("reader {} of {}: {}", self.client, self.path, text()));
            for event in stream.parser.take(&bytes) {
                if self.take(&event, &mut stream.position) && is_last {
                    return Left::Even;
                }
            }
            if is_cut {
                return Left::Cut;
            }
        }
        Left::Cut
    }

    /// Takes an event; whether all was told.
    fn take(&mut self, event: &Event, at: &mut u64) -> bool {
        let data: Value = serde_json::from_str(&event.data).unwrap();
        match event.name.as_str() {
            "put" | "patch" | "delete" | "leave" => self.change(event, &data, at),
            "synced" => {
                if self.told.is_none() && self.last_id.is_none() {
                    self.told = Some((position(&event.id), Vec::new()));
                }
            }
            "reset" => {
                self.forget();
            }
            "heartbeat" | "end" => {}
            other => panic!("an event of type {other}"),
        }
        if !event.id.is_empty() {
            self.last_id = Some(event.id.clone());
            self.is_in_snapshot = event.id.contains('~');
        }
        event.name == "synced"
    }

    /// What is held counts no more.
    pub(crate) fn forget(&mut self) {
        self.held.clear();
        self.begun.clear();
        self.again.clear();
        self.told = None;
        self.last_id = None;
        self.is_in_snapshot = true;
    }

    pub(crate) fn hold(&mut self, path: String, etag: Version, content: Option<Value>) {
        if let Some(content) = &content {
            self.seen.push((path.clone(), etag, content.clone()));
        }
        self.held.insert(path, (etag, content));
    }

    pub(crate) fn change(&mut self, event: &Event, data: &Value, at: &mut u64) {
        let path = data["path"].as_str().unwrap().to_owned();
        let tag = |name: &str| data.get(name).and_then(|tag| version(tag.as_str()?));
        let (etag, previous) = (tag("etag"), tag("previous"));
        let is_of_snapshot = data.get("previous").is_none();
        if !is_of_snapshot {
            // The id of the last of a batch is its revision.
            let is_within = data.get("more").is_some() || event.id.is_empty();
            let revision = etag.map(|version| version.revision.get());
            let revision = revision.or((!is_within).then(|| position(&event.id)));
            if let Some(revision) = revision {
                if revision <= *at {
                    self.fault(format!("{path}: {event:?} after {at}"));
                }
                *at = revision;
            }
        }
        let change = (path.clone(), etag, previous);
        let is_repeat = self.again.front() == Some(&change);
        if is_repeat {
            self.again.pop_front();
        }
        if data.get("more").is_none() {
            self.begun.clear();
        } else if !is_repeat {
            self.begun.push(change);
        }
        if is_repeat {
            return;
        }
        let held = self.held.get(&path).cloned();
        let held_at = held.as_ref().map(|(version, _)| *version);
        if let (Some(held), Some(etag)) = (held_at, etag)
            && held.revision >= etag.revision
        {
            // Of a snapshot that was later than its begin, or of a batch that is repeated.
            return;
        }
        if let (Some(held), None) = (held_at, etag)
            && previous.is_some_and(|previous| previous.revision < held.revision)
        {
            return;
        }
        let follows = is_of_snapshot || held_at == previous;
        if !follows && !self.is_filtered && !self.is_in_snapshot && !event.id.contains('~') {
            self.fault(format!("{path}: {event:?} where {held_at:?} is held"));
        }
        if let Some((_, told)) = &mut self.told {
            told.push((path.clone(), etag, previous));
        }
        let Some(etag) = etag else {
            self.held.remove(&path);
            return;
        };
        let content = match data.get("patch") {
            None => Some(data["document"].clone()),
            Some(patch) => held
                .filter(|(version, _)| Some(*version) == previous)
                .and_then(|(_, content)| content)
                .map(|mut content| {
                    let patch: json_patch::Patch = serde_json::from_value(patch.clone()).unwrap();
                    json_patch::patch(&mut content, &patch).unwrap();
                    content
                }),
        };
        self.hold(path, etag, content);
    }

    fn fault(&self, what: String) {
        self.world
            .fault(format!("reader {} of {}: {what}", self.client, self.path));
    }

    fn holds(&self, path: &str) -> bool {
        let scope = self.path.split('?').next().unwrap();
        let below = path.strip_prefix(scope);
        scope == "/_/changes" || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Holds what was told against the log.
    pub(crate) fn check(&self, archive: &Archive) {
        for (path, version, content) in &self.seen {
            let written = archive.content(path, *version);
            if written != Some(content) {
                self.fault(format!(
                    "{path} {version} is {content}, written {written:?}"
                ));
            }
        }
        let mut end = archive.end(|path| self.holds(path));
        if self.is_filtered {
            end.retain(|_, (_, content)| content["even"] == true);
        }
        let held = self.held.iter().map(|(path, (version, content))| {
            let unread = || archive.content(path, *version).cloned().unwrap_or_default();
            let content = content.clone().unwrap_or_else(unread);
            (path.clone(), (*version, content))
        });
        let held: BTreeMap<_, _> = held.collect();
        if held != end {
            self.fault(format!("holds {held:?} and not {end:?}"));
        }
        if let (Some((since, told)), false) = (&self.told, self.is_filtered) {
            let entries = archive.entries.iter();
            let entries = entries.filter(|entry| {
                !entry.path.is_own()
                    && entry.version.revision.get() > *since
                    && self.holds(entry.path.as_str())
            });
            let written = entries.map(|entry| {
                let is_there = matches!(entry.effect, matchbook_store::Effect::Put { .. });
                let path = entry.path.as_str().to_owned();
                (path, is_there.then_some(entry.version), entry.previous)
            });
            let written: Vec<_> = written.collect();
            if *told != written {
                self.fault(format!("told {told:?} of {written:?}"));
            }
        }
    }
}

/// One connection.
struct Stream {
    parser: Parser,
    decoder: Option<MultiGzDecoder<Vec<u8>>>,
    /// The last revision that was told.
    position: u64,
}

impl Stream {
    fn decode(&mut self, bytes: &mut Vec<u8>) {
        if let Some(decoder) = &mut self.decoder {
            decoder.write_all(bytes).unwrap();
            decoder.flush().unwrap();
            *bytes = std::mem::take(decoder.get_mut());
        }
    }
}

async fn next(body: &mut Answer) -> Option<Vec<u8>> {
    let frame = body.frame().await?.unwrap();
    Some(frame.into_data().ok()?.to_vec())
}

/// The revision in an id.
fn position(id: &str) -> u64 {
    let version = id.split(['~', '.']).next().unwrap_or_default();
    let revision = version.split('-').next_back().unwrap_or_default();
    revision.parse().unwrap_or(0)
}
