//! The change feed (contract §7): where a reader is, what it is told, and how that is
//! written.
//!
//! A [`Cursor`] says how far a reader has come.

mod cursor;

pub use cursor::{Cursor, NotACursor, SnapshotPlace, View};
