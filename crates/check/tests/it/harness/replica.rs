//! A client that lives on the feed alone, by the rules of §7. It also notices what a
//! right feed never tells it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::events::Event;

/// A document as a client holds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    /// Its entity tag.
    pub(crate) tag: String,
    /// The document, or the media type and length of one that is not JSON.
    pub(crate) content: Value,
}

/// What a client holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replica {
    /// By path.
    pub(crate) held: BTreeMap<String, Held>,
    /// Where it goes on.
    pub(crate) id: Option<String>,
    /// Whether what it does not hold is not there: it began with all there was.
    pub(crate) is_whole: bool,
    /// Whether it has been at the end of the feed since it began. Only before that, what
    /// it is told may be older than what it holds.
    pub(crate) is_synced: bool,
    /// The events of a batch of which more will come.
    waiting: Vec<Event>,
}

/// `"epoch-17"`, `epoch-17` → 17
pub(crate) fn revision(tag: &str) -> u64 {
    let (_, number) = tag.trim_matches('"').split_once('-').unwrap();
    number.parse().unwrap()
}

/// Whether an id is a plain position, and not one in a snapshot.
pub(crate) fn is_plain(id: &str) -> bool {
    !id.contains('~')
}

impl Replica {
    /// One that holds what a list said, and goes on after the list's cursor.
    pub(crate) fn of(items: &[Value], cursor: &str) -> Self {
        let mut replica = Self {
            id: Some(cursor.to_owned()),
            is_whole: true,
            ..Self::default()
        };
        for item in items {
            let path = text(item, "path").to_owned();
            replica.held.insert(path, Held::read(item));
        }
        replica
    }

    /// Takes an event in.
    #[track_caller]
    pub(crate) fn apply(&mut self, event: &Event) {
        if let Err(fault) = self.try_apply(event) {
            panic!("{fault}: {event:?}");
        }
    }

    /// Takes an event in.
    ///
    /// # Errors
    /// What is wrong with it, after all that came before.
    pub(crate) fn try_apply(&mut self, event: &Event) -> Result<(), String> {
        if event.id.is_empty() {
            return match event.name.as_str() {
                "end" => Ok(()),
                _ => Err("an event without an id".to_owned()),
            };
        }
        self.goes_on(event)?;
        match event.name.as_str() {
            "put" | "patch" | "delete" | "leave" => {
                let data = event.exact();
                if data["more"] == true {
                    self.waiting.push(event.clone());
                } else {
                    for waiting in std::mem::take(&mut self.waiting) {
                        self.change(&waiting.name, &waiting.exact())?;
                    }
                    self.change(&event.name, &data)?;
                }
            }
            _ if !self.waiting.is_empty() => return Err("within a batch".to_owned()),
            "reset" => {
                *self = Self {
                    is_whole: true,
                    ..Self::default()
                }
            }
            "synced" if event.json()["cursor"] != event.id.as_str() => {
                return Err("'cursor' is not the id".to_owned());
            }
            "synced" => self.is_synced = true,
            "heartbeat" | "end" => {}
            _ => return Err("an event of no known type".to_owned()),
        }
        self.id = Some(event.id.clone());
        Ok(())
    }

    /// No position is earlier than the one before, and each change has a later one.
    fn goes_on(&self, event: &Event) -> Result<(), String> {
        let Some(id) = self.id.as_deref().filter(|_| event.name != "reset") else {
            return Ok(());
        };
        if !is_plain(id) || !is_plain(&event.id) || !self.waiting.is_empty() {
            return Ok(());
        }
        let (before, now) = (revision(id), revision(&event.id));
        let is_change = ["put", "patch", "delete", "leave"].contains(&event.name.as_str());
        let is_part = is_change && event.exact()["more"] == true;
        if now < before || (now == before && is_change && !is_part) {
            return Err(format!("no position after {id}"));
        }
        Ok(())
    }

    /// Takes a change in.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn change(&mut self, event: &str, data: &Value) -> Result<(), String> {
        // What a client can know only if it holds all there is.
        let knows = self.is_whole && self.is_synced;
        let path = text(data, "path").to_owned();
        let held = self.held.get(&path);
        if let (Some(held), Some(etag)) = (held, data["etag"].as_str())
            && revision(etag) <= revision(&held.tag)
        {
            return allowed(!knows, "it is not later than what is held");
        }
        let previous = data["previous"].as_str();
        match event {
            "put" => {
                if knows {
                    let is_shown = data["entered"] == true || previous.is_none();
                    let follows = match held {
                        Some(held) => previous == Some(&*held.tag) && data["entered"].is_null(),
                        None => data.get("previous").is_some() && is_shown,
                    };
                    allowed(follows, "it does not follow what is held")?;
                }
                self.held.insert(path, Held::read(data));
            }
            "patch" => {
                let Some(held) = self.held.get_mut(&path) else {
                    return allowed(!knows, "a patch for what is not there");
                };
                allowed(previous == Some(&*held.tag), "a patch for another version")?;
                let content = &mut held.content["document"];
                patch(content, &data["patch"])?;
                held.tag = text(data, "etag").to_owned();
            }
            _ => {
                let Some(held) = held else {
                    return allowed(!knows, "what is not there goes");
                };
                let previous = text(data, "previous");
                if revision(previous) < revision(&held.tag) {
                    return allowed(!knows, "something older goes");
                }
                allowed(previous == held.tag, "another version goes")?;
                self.held.remove(&path);
            }
        }
        Ok(())
    }
}

impl Held {
    /// From a `put` or an item of a list.
    pub(crate) fn read(data: &Value) -> Self {
        let members = ["document", "contentType", "length"];
        let members = members.map(|name| (name.to_owned(), data.get(name).cloned()));
        let there = members
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        Self {
            tag: text(data, "etag").to_owned(),
            content: Value::Object(there.collect()),
        }
    }
}

/// Applies a JSON Patch.
fn patch(document: &mut Value, patch: &Value) -> Result<(), String> {
    let operations = serde_json::from_value(patch.clone());
    let operations: json_patch::Patch = operations.map_err(|error| error.to_string())?;
    json_patch::patch(document, &operations).map_err(|error| error.to_string())
}

fn allowed(is_right: bool, fault: &str) -> Result<(), String> {
    is_right.then_some(()).ok_or_else(|| fault.to_owned())
}

#[track_caller]
fn text<'a>(data: &'a Value, member: &str) -> &'a str {
    match data[member].as_str() {
        Some(text) => text,
        None => panic!("no {member} in {data}"),
    }
}
