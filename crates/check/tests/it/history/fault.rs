//! What can be wrong with a history.

use std::fmt;

/// What was promised and did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The log's revisions do not grow.
    LogOrder,
    /// An entry of the log does not follow what stood before it.
    LogChain,
    /// An entry of the log makes no document that was ever sent.
    LogContent,
    /// A tag was given twice.
    TagReused,
    /// The log has what nobody asked for.
    Unasked,
    /// A write was done more than once.
    DoneTwice,
    /// A write was refused, and done.
    DoneThoughRefused,
    /// A part of a batch was done, or other parts stand between.
    Torn,
    /// A write was acknowledged, and is not in the log.
    Lost,
    /// A write was done although its condition did not hold.
    Condition,
    /// An answer says what cannot be said of this request.
    Answer,
    /// A tag that was never given, or content that is not the tag's.
    Content,
    /// What was seen never stood at one moment.
    Never,
    /// What was seen had been superseded before the request began.
    Stale,
    /// What a write made was seen before it began.
    Early,
    /// A feed tells what is not in the log.
    FeedInvents,
    /// A feed tells something again, or something earlier.
    FeedRepeats,
    /// A feed leaves something out.
    FeedSkips,
    /// A feed tells a change wrongly.
    FeedContent,
    /// A feed does not tell a batch as one.
    FeedTorn,
}

/// What is wrong with a history.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    what: String,
}

impl Kind {
    /// A fault of this kind.
    pub(super) fn of(self, what: impl Into<String>) -> Fault {
        Fault {
            kind: self,
            what: what.into(),
        }
    }

    /// Unless it is right, a fault of this kind.
    pub(super) fn unless(self, is_right: bool, what: impl FnOnce() -> String) -> Result<(), Fault> {
        if is_right {
            Ok(())
        } else {
            Err(self.of(what()))
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}
