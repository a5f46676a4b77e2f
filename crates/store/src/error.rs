//! Why an operation of a store failed.

use std::fmt;

use matchbook_core::json::Pointer;
use matchbook_core::name::DocumentPath;
use matchbook_core::tag::Revision;

use crate::quota::Excess;

/// Why a read gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The store has not come as far as `at_least` in time.
    NotYet,
    /// What was read is not what was written: a fault of the disk or of memory. The
    /// text is for the log.
    Corrupt(String),
    /// The engine failed. The text is for the log.
    Failed(String),
}

/// Why [`Store::changes`](crate::Store::changes) gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangesError {
    /// The log no longer reaches back so far.
    Compacted,
    /// The position belongs to a history that is not this store's, or lies ahead.
    OtherHistory,
    /// As any read.
    Read(ReadError),
}

impl From<ReadError> for ChangesError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// Why a commit was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitError {
    /// Nothing was applied: these writes did not meet their expectation.
    Rejected(Vec<Rejection>),
    /// Nothing was applied: with these writes, each without those before it in the list, a
    /// collection would have held more than it may.
    Exceeded(Vec<Excess>),
    /// Nothing was applied: all expectations were met, and these writes, without which the
    /// others would apply, give their documents values that others of the collection have.
    Taken(Vec<Taken>),
    /// Nothing was applied: the disk is full.
    Full,
    /// Nothing was applied: the store takes no writes. The text is for the log.
    Unavailable(String),
    /// Whether it was applied is not known. The text is for the log.
    Indeterminate(String),
}

/// A write that did not meet its expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Its place in the batch; that after the last write, where it is no write that fails.
    pub index: usize,
    /// The revision that the document stands at; `None` if it does not exist.
    pub current: Option<Revision>,
}

/// A write that a unique field does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its place in the batch.
    pub index: usize,
    /// Its document.
    pub path: DocumentPath,
    /// The field.
    pub field: Pointer,
}

macro_rules! display_error {
    ($($type:ty),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
        impl std::error::Error for $type {}
    )*};
}
display_error!(ReadError, ChangesError, CommitError);
