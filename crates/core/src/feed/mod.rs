//! The change feed (contract §7): where a reader is, what it is told, and how that is
//! written.
//!
//! A [`Cursor`] says how far a reader has come. [`Write::seen_by`] says what a write means
//! to one: a [`Change`], or nothing. An [`Event`] is a change, or what is said about the
//! feed itself; both know how they are written. A [`FilterIndex`] finds the live queries
//! that a write may concern.

mod change;
mod content;
mod cursor;
mod event;
mod index;
mod transition;

pub use change::{Change, ChangeKind};
pub use content::{Content, Item, Layout};
pub use cursor::{Cursor, NotACursor, SnapshotPlace, View};
pub use event::{EndReason, Event, ResetReason};
pub use index::FilterIndex;
pub use transition::{Effect, Lens, Write};
