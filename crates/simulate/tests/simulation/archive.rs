//! What happened, by the log itself, against what clients were told.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use matchbook_core::tag::Version;
use matchbook_store::{Effect as Stored, Entry};
use serde_json::Value;

use crate::history::{Done, Effect, Expected, Fate, What, Wrote};

/// The whole log, and how each document stood after each of its writes.
pub(crate) struct Archive {
    pub(crate) entries: Vec<Arc<Entry>>,
    documents: BTreeMap<String, Vec<Standing>>,
    faults: Vec<String>,
}

/// A document after a write; the first is before all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    entry: Option<Arc<Entry>>,
    /// `None`: it is not there.
    pub(crate) present: Option<(Version, Value)>,
}

impl Archive {
    /// Reads the log, and checks it alone: it grows, each write follows the one before it,
    /// batches are together, no content was written twice.
    pub(crate) fn new(entries: Vec<Arc<Entry>>) -> Self {
        let mut archive = Self {
            documents: BTreeMap::new(),
            faults: Vec::new(),
            entries,
        };
        let mut operations = HashSet::new();
        let mut before: Option<Arc<Entry>> = None;
        let mut marks = HashSet::new();
        for entry in archive.entries.clone() {
            let operation = before.as_ref().map(|before| before.operation);
            if operation != Some(entry.operation) && !operations.insert(entry.operation) {
                archive.fault(format!("{}: its batch is apart", entry.version));
            }
            if before.is_some_and(|b| b.version.revision >= entry.version.revision) {
                archive.fault(format!("{}: the log goes back", entry.version));
            }
            before = Some(Arc::clone(&entry));
            if entry.path.is_own() {
                continue;
            }
            let present = content(&entry).map(|content| (entry.version, content));
            if let Some(mark) = present.as_ref().and_then(|(_, content)| mark(content))
                && !marks.insert(mark)
            {
                archive.fault(format!("{}: mark {mark} was written twice", entry.version));
            }
            archive.add(entry, present);
        }
        archive
    }

    fn fault(&mut self, what: String) {
        self.faults.push(what);
    }

    fn add(&mut self, entry: Arc<Entry>, present: Option<(Version, Value)>) {
        let path = entry.path.as_str().to_owned();
        let standings = self.documents.entry(path).or_insert_with(first);
        let then = standings.last().and_then(|last| last.present.as_ref());
        let then = then.map(|(version, _)| *version);
        let (previous, version) = (entry.previous, entry.version);
        standings.push(Standing {
            entry: Some(entry),
            present,
        });
        if previous != then {
            self.fault(format!("{version} follows {previous:?} and not {then:?}"));
        }
    }

    /// The documents at the end, of those that the scope holds.
    pub(crate) fn end(&self, holds: impl Fn(&str) -> bool) -> BTreeMap<String, (Version, Value)> {
        let documents = self.documents.iter().filter(|(path, _)| holds(path));
        let present = documents.filter_map(|(path, standings)| {
            let present = standings.last()?.present.clone()?;
            Some((path.clone(), present))
        });
        present.collect()
    }

    /// The content that a version of a document has.
    pub(crate) fn content(&self, path: &str, version: Version) -> Option<&Value> {
        let at = self.place(path, version)?;
        let (_, content) = self.documents.get(path)?.get(at)?.present.as_ref()?;
        Some(content)
    }

    fn place(&self, path: &str, version: Version) -> Option<usize> {
        let mut standings = self.documents.get(path)?.iter();
        standings.position(|standing| {
            let present = standing.present.as_ref();
            present.is_some_and(|(present, _)| *present == version)
        })
    }

    /// Holds what clients did and saw against the log.
    pub(crate) fn check(mut self, history: &[Done]) -> Vec<String> {
        let mut claims = Claims::default();
        for is_certain in [true, false] {
            for (number, done) in history.iter().enumerate() {
                if let What::Wrote(wrote, fate) = &done.what
                    && is_certain == (wrote.effect.mark().is_some() || *fate != Fate::Unknown)
                {
                    self.claim(number, done, wrote, *fate, &mut claims);
                }
            }
        }
        for (path, standings) in self.documents.clone() {
            for (at, standing) in standings.iter().enumerate().skip(1) {
                let version = standing.entry.as_ref().map(|entry| entry.version);
                if !claims.of.contains_key(&(path.clone(), at)) {
                    self.fault(format!("{path} {version:?}: nobody asked for it"));
                }
            }
        }
        self.check_batches(history, &claims);
        let paths: BTreeSet<_> = history.iter().map(|done| done.path.clone()).collect();
        for path in paths {
            self.check_register(&path, history, &claims);
        }
        self.faults
    }

    /// Finds the entry of a write, if it has one.
    fn claim(
        &mut self,
        number: usize,
        done: &Done,
        wrote: &Wrote,
        fate: Fate,
        claims: &mut Claims,
    ) {
        let path = &done.path;
        let standings = self.documents.get(path).cloned().unwrap_or_else(first);
        let at = standings.iter().enumerate().position(|(at, standing)| {
            let Some(entry) = &standing.entry else {
                return false;
            };
            let content = standing.present.as_ref().map(|(_, content)| content);
            match wrote.effect.mark() {
                Some(own) => content.and_then(mark) == Some(own),
                // Others may have tried to delete the same version, and one of them did.
                None => {
                    content.is_none()
                        && entry.previous.map(Expected::At) == Some(wrote.expected)
                        && (fate == Fate::Unknown || !claims.of.contains_key(&(path.clone(), at)))
                }
            }
        });
        let is_ours_alone = wrote.effect.mark().is_some();
        match (at, fate) {
            (None, Fate::Applied(version)) => {
                self.fault(format!("{path}: {version:?} was acknowledged and is lost"));
            }
            (Some(at), Fate::Refused) if is_ours_alone => {
                self.fault(format!("{path}: write {at} was refused and done"));
            }
            (Some(at), Fate::Applied(_) | Fate::Unknown) => {
                let key = (path.clone(), at);
                // Of those who wanted to delete it and were not answered, any may have done it.
                if fate != Fate::Unknown || is_ours_alone {
                    claims.places.insert(number, at);
                    self.check_write(path, &standings, at, wrote, fate);
                }
                claims.of.entry(key).or_insert(number);
            }
            (None, Fate::Refused | Fate::Unknown) | (Some(_), Fate::Refused) => {}
        }
    }

    /// Whether an entry is what its client asked for.
    fn check_write(
        &mut self,
        path: &str,
        standings: &[Standing],
        at: usize,
        wrote: &Wrote,
        fate: Fate,
    ) {
        let (before, after) = (&standings[at - 1].present, &standings[at].present);
        let before_version = before.as_ref().map(|(version, _)| *version);
        let holds = match wrote.expected {
            Expected::Absent => before_version.is_none(),
            Expected::At(version) => before_version == Some(version),
            Expected::Present => before_version.is_some(),
        };
        if !holds {
            let expected = wrote.expected;
            self.fault(format!(
                "{path}: {expected:?}, but it stood at {before_version:?}"
            ));
        }
        let version = after.as_ref().map(|(version, _)| *version);
        if let Fate::Applied(told) = fate
            && told != version
        {
            self.fault(format!(
                "{path}: {told:?} was acknowledged, {version:?} written"
            ));
        }
        let content = after.as_ref().map(|(_, content)| content);
        let expected = match (&wrote.effect, before) {
            (Effect::Put { document, .. }, _) => Some(document.clone()),
            (Effect::Patch { merge, .. }, Some((_, before))) => Some(merged(before, merge)),
            (Effect::Patch { .. }, None) | (Effect::Delete, _) => None,
        };
        if content != expected.as_ref() {
            self.fault(format!(
                "{path} {version:?}: {content:?} and not {expected:?}"
            ));
        }
    }

    /// All of a batch, in one operation, or nothing.
    fn check_batches(&mut self, history: &[Done], claims: &Claims) {
        let mut batches: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (number, done) in history.iter().enumerate() {
            if let What::Wrote(wrote, _) = &done.what
                && let Some(batch) = wrote.batch
            {
                batches.entry(batch).or_default().push(number);
            }
        }
        for (batch, numbers) in batches {
            let places = numbers.iter().map(|number| claims.places.get(number));
            let operations: BTreeSet<_> = places
                .zip(&numbers)
                .filter(|(at, number)| at.is_some() || is_marked(&history[**number]))
                .map(|(at, number)| self.operation(&history[*number].path, *at?))
                .collect();
            let Some(Some(operation)) = operations.first().filter(|_| operations.len() == 1) else {
                if operations.len() > 1 {
                    self.fault(format!("batch {batch} is torn: {operations:?}"));
                }
                continue;
            };
            let has_part = |number: &usize| {
                let standings = self.documents.get(&history[*number].path);
                let mut entries = standings.into_iter().flatten();
                entries.any(|s| {
                    s.entry
                        .as_ref()
                        .is_some_and(|e| e.operation.0 == *operation)
                })
            };
            if !numbers.iter().all(has_part) {
                self.fault(format!(
                    "batch {batch} is torn: a part of {operation} is missing"
                ));
            }
        }
    }

    fn operation(&self, path: &str, at: usize) -> Option<u128> {
        let entry = self.documents.get(path)?.get(at)?.entry.as_ref()?;
        Some(entry.operation.0)
    }

    /// Whether the requests about one document can be put in an order in which each sees
    /// what the one before it made, and none comes before one that had ended when it began
    /// (linearizability). The log gives the order of the writes; so each request has its
    /// place, which may not lie before that of one that had ended.
    fn check_register(&mut self, path: &str, history: &[Done], claims: &Claims) {
        let standings = self.documents.get(path).cloned().unwrap_or_else(first);
        let numbered = history.iter().enumerate().filter(|(_, d)| d.path == path);
        let mut numbered: Vec<_> = numbered.collect();
        numbered.sort_by_key(|(_, done)| done.ended.unwrap_or(u64::MAX));
        // The ends of requests, and the furthest place up to each.
        let mut ended: Vec<(u64, usize)> = Vec::new();
        for (number, done) in numbered {
            let until = ended.partition_point(|(end, _)| *end < done.began);
            let floor = until.checked_sub(1).map_or(0, |last| ended[last].1);
            let place = match &done.what {
                What::Wrote(..) => match claims.places.get(&number) {
                    Some(at) if *at <= floor => {
                        self.fault(format!(
                            "{path}: write {at} after {floor} was seen: {done:?}"
                        ));
                        continue;
                    }
                    Some(at) => *at,
                    None => continue,
                },
                What::Saw(seen, content) => {
                    let found = match seen {
                        Some(version) => self.place(path, *version),
                        None => {
                            (floor..standings.len()).find(|at| standings[*at].present.is_none())
                        }
                    };
                    let Some(at) = found.filter(|at| *at >= floor) else {
                        self.fault(format!("{path}: {done:?} at {found:?}, after {floor}"));
                        continue;
                    };
                    let stands = standings[at].present.as_ref().map(|(_, content)| content);
                    if content.is_some() && content.as_ref() != stands {
                        self.fault(format!(
                            "{path}: {seen:?} is {stands:?} and not {content:?}"
                        ));
                    }
                    let writer = claims.of.get(&(path.to_owned(), at));
                    if writer.is_some_and(|writer| Some(history[*writer].began) > done.ended) {
                        self.fault(format!("{path}: {seen:?} was seen before it was asked for"));
                    }
                    at
                }
            };
            if let Some(end) = done.ended {
                let most = ended.last().map_or(0, |(_, most)| *most);
                ended.push((end, most.max(place)));
            }
        }
    }
}

/// Whether it can be told from all others by what it leaves.
fn is_marked(done: &Done) -> bool {
    matches!(&done.what, What::Wrote(wrote, _) if wrote.effect.mark().is_some())
}

/// Which request made which entry.
#[derive(Default)]
struct Claims {
    of: HashMap<(String, usize), usize>,
    places: HashMap<usize, usize>,
}

fn first() -> Vec<Standing> {
    vec![Standing::default()]
}

fn content(entry: &Entry) -> Option<Value> {
    match &entry.effect {
        Stored::Delete => None,
        Stored::Put { body, .. } => Some(serde_json::from_slice(body).unwrap()),
    }
}

fn mark(content: &Value) -> Option<u64> {
    content["mark"].as_u64()
}

/// RFC 7396, for objects of one level.
fn merged(before: &Value, merge: &Value) -> Value {
    let mut after = before.as_object().unwrap().clone();
    for (name, value) in merge.as_object().unwrap() {
        if value.is_null() {
            after.remove(name);
        } else {
            after.insert(name.clone(), value.clone());
        }
    }
    Value::Object(after)
}
