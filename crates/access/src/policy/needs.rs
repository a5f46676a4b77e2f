//! What a decision takes to be made.

/// What must be known of a place, beside its collection, before it is decided what may be
/// done there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Needs {
    /// Nothing: one decision holds for the whole collection.
    Nothing,
    /// The document's path.
    Path,
    /// The document itself.
    Document,
}
