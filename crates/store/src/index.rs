//! Indexes of a collection's members by the value of a field (contract §12).

use matchbook_core::json::Pointer;

/// What a collection's members are to be found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The field.
    pub field: Pointer,
    /// Whether no two members may have equal values. Who has none is not counted; `null`
    /// is a value.
    pub unique: bool,
}

/// An index, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexState {
    /// It.
    pub index: Index,
    /// Whether all members are in it. Until then it is not used, and a unique one refuses
    /// nothing.
    pub ready: bool,
}

/// What a piece of work on a collection's indexes came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Built {
    /// More is left.
    Part {
        /// Members that were brought into an index.
        members: u64,
    },
    /// Nothing is left: the unique ones in which members have equal values, because they
    /// had them before.
    All(Vec<Duplicates>),
}

/// Members that a unique index would not have let come into being.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicates {
    /// The field in which they have equal values.
    pub field: Pointer,
    /// How many would have to change.
    pub members: u64,
}
