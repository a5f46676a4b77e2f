//! What a history is made of: who asked for what, when, and what came of it. Nothing here
//! knows sockets: a history is recorded from a server or made up by a model.

use std::fmt;

use serde_json::Value as Json;

/// An entity tag as the header field has it, quotes included.
pub(super) type Tag = String;

/// Path, tag and value of a document in a list.
pub(super) type Listed = (String, Tag, Value);

/// A place in the log, as the server names it.
pub(super) type Cursor = String;

/// What tells a document's content from all others: no two writes have the same.
pub(super) type Value = String;

/// The moment of an event in the one process that records them all: a counter, so that
/// 'before' has no doubt.
pub(super) type Tick = u64;

/// Of what a feed tells.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scope {
    All,
    Collection(String),
    Document(String),
}

impl Scope {
    /// Whether it is about this document.
    pub(super) fn holds(&self, path: &str) -> bool {
        match self {
            Self::All => true,
            Self::Collection(collection) => collection_of(path) == collection,
            Self::Document(document) => document == path,
        }
    }
}

/// `/a/1` → `/a`
pub(super) fn collection_of(path: &str) -> &str {
    path.rsplit_once('/').unwrap().0
}

/// Under what condition a write is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    /// None is named: done only where there is no document.
    Free,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match: *`
    Any,
    /// `If-Match`
    Tag(Tag),
}

/// What a write is to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Effect {
    Put(Value),
    /// A merge patch that makes the document what a `Put` would.
    Patch(Value),
    /// A PUT of what the tag in `If-Match` stands for: it changes nothing.
    Same(Value),
    Delete,
}

impl Effect {
    /// The content that only this write makes.
    pub(super) fn value(&self) -> Option<&Value> {
        match self {
            Self::Put(value) | Self::Patch(value) => Some(value),
            Self::Same(_) | Self::Delete => None,
        }
    }

    pub(super) fn changes(&self) -> bool {
        !matches!(self, Self::Same(_))
    }
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) path: String,
    pub(super) condition: Condition,
    pub(super) effect: Effect,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    /// One write, or an atomic batch of writes to different documents.
    Write(Vec<Item>),
    /// GET or HEAD, maybe with `If-None-Match`.
    Read {
        path: String,
        unless: Option<Tag>,
        head: bool,
    },
    /// All of a collection.
    List { collection: String },
    /// The changes since a cursor.
    Changes { scope: Scope, since: Cursor },
    /// The changes from now on.
    Follow,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// Of each write.
    Done(Vec<Done>),
    /// Nothing was done, for the write at this place.
    Refused {
        at: usize,
        why: Refusal,
    },
    /// The value is not told to HEAD.
    Found {
        tag: Tag,
        value: Option<Value>,
    },
    NotModified {
        tag: Tag,
    },
    Missing,
    /// All documents, and the cursor. Without one, it is what an
    /// earlier answer listed, and stands still (304).
    Listed {
        items: Vec<Listed>,
        at: Option<Cursor>,
    },
    /// What was told, the cursor, and whether there is more.
    Changed {
        told: Vec<Told>,
        at: Cursor,
        more: bool,
    },
    /// The cursor after which all is told.
    Following {
        at: Cursor,
    },
}

/// What became of a write that was done.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Done {
    /// 201
    pub(super) created: bool,
    /// `None` of a deletion.
    pub(super) tag: Option<Tag>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Refusal {
    /// 412, with what its problem tells.
    Stale {
        current: Option<Tag>,
        changes: Option<Json>,
        same: bool,
    },
    /// 404
    Missing,
    /// 428
    Required,
}

/// One request.
#[derive(Clone)]
pub(super) struct Operation {
    pub(super) client: usize,
    pub(super) began: Tick,
    pub(super) asked: Asked,
    /// `None`: whether it was done is not known. It may have been, at any time after it
    /// began, or never.
    pub(super) ended: Option<(Tick, Answer)>,
}

impl Operation {
    /// Its writes.
    pub(super) fn items(&self) -> &[Item] {
        match &self.asked {
            Asked::Write(items) => items,
            _ => &[],
        }
    }

    pub(super) fn answer(&self) -> Option<&Answer> {
        self.ended.as_ref().map(|(_, answer)| answer)
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            client,
            began,
            asked,
            ..
        } = self;
        write!(f, "client {client} asked at {began}: {asked:?}")?;
        match &self.ended {
            Some((tick, answer)) => write!(f, ", and was answered at {tick}: {answer:?}"),
            None => f.write_str(", and got no answer"),
        }
    }
}

/// One change, as a feed tells it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) path: String,
    pub(super) previous: Option<Tag>,
    /// `None` of a deletion.
    pub(super) tag: Option<Tag>,
    pub(super) content: Content,
    /// More of the same batch follows.
    pub(super) more: bool,
    /// The revision of the event's id. JSON forms have none.
    pub(super) id: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Document(Json),
    Patch(Json),
    Gone,
}

/// What a follower was told, over all its connections. Of a batch that a connection did
/// not bring to its end there is nothing here: it is told again.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) scope: Scope,
    /// After this revision it was told all.
    pub(super) start: u64,
    /// Each with the moment when it came.
    pub(super) told: Vec<(Tick, Told)>,
    /// The last revision up to which it was said to have been told all.
    pub(super) end: u64,
}

/// Everything that was seen of one store, from its beginning on.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) operations: Vec<Operation>,
    /// The whole feed of all documents, read at the end.
    pub(super) log: Vec<Told>,
    pub(super) streams: Vec<Stream>,
    /// How often the server was killed meanwhile.
    pub(super) kills: usize,
}

/// Makes documents large enough for a feed to tell patches.
const PAD: &str = "The quick brown fox jumps over the lazy dog, and then over the next one.";

/// The content that a value stands for.
pub(super) fn document(value: &str) -> String {
    format!("{{\"value\":\"{value}\",\"pad\":\"{PAD}\"}}")
}

/// The value that a content stands for, if it is one, byte for byte.
pub(super) fn value_in(content: &[u8]) -> Option<Value> {
    let json: Json = serde_json::from_slice(content).ok()?;
    let value = json["value"].as_str()?;
    (document(value).as_bytes() == content).then(|| value.to_owned())
}

/// The value that a parsed content stands for, if it is one.
pub(super) fn value_of(json: &Json) -> Option<Value> {
    let value = json["value"].as_str()?;
    (parsed(value) == *json).then(|| value.to_owned())
}

/// The content that a value stands for, parsed.
pub(super) fn parsed(value: &str) -> Json {
    serde_json::json!({"value": value, "pad": PAD})
}
