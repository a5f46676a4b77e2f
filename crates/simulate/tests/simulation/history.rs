//! What clients did and saw, and when.

use matchbook_core::tag::Version;
use serde_json::Value;

/// All that happened to all clients, in the order of their requests.
#[derive(Debug, Default)]
pub(crate) struct History {
    now: u64,
    next_mark: u64,
    next_batch: u64,
    pub(crate) done: Vec<Done>,
}

/// Something that a client did to one document.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) path: String,
    pub(crate) began: u64,
    /// `None`: no answer came.
    pub(crate) ended: Option<u64>,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// It saw this version, or none; and its content, where that was shown.
    Saw(Option<Version>, Option<Value>),
    Wrote(Wrote, Fate),
}

/// A write that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wrote {
    pub(crate) effect: Effect,
    pub(crate) expected: Expected,
    /// All with this number were in one atomic batch.
    pub(crate) batch: Option<u64>,
}

/// Each put and patch leaves a number in the document that no other does.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Put { mark: u64, document: Value },
    Patch { mark: u64, merge: Value },
    Delete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Absent,
    At(Version),
    Present,
}

/// What the client knows of its write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Acknowledged; deletions have no version.
    Applied(Option<Version>),
    /// Nothing was changed.
    Refused,
    Unknown,
}

impl Effect {
    pub(crate) const fn mark(&self) -> Option<u64> {
        match self {
            Self::Put { mark, .. } | Self::Patch { mark, .. } => Some(*mark),
            Self::Delete => None,
        }
    }
}

impl History {
    /// The moment: later than all before.
    pub(crate) fn moment(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    /// A number that no document has.
    pub(crate) fn mark(&mut self) -> u64 {
        self.next_mark += 1;
        self.next_mark
    }

    pub(crate) fn batch(&mut self) -> u64 {
        self.next_batch += 1;
        self.next_batch
    }
}
