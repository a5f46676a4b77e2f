//! JSON as it was sent: a strict check, and patches that leave alone what they do not
//! touch (contract §2, §4.2, §5.3, §7).
//!
//! A document is its text. [`check()`] reads it once, on its way in; all that follows
//! finds its way in the accepted text and copies the untouched parts of it byte for
//! byte: member order, number spelling, escapes and layout. No number becomes a float.
//!
//! The functions that take a document as `&str` expect one that [`check()`] accepted.
//! Other text gives a meaningless answer, never a panic.

mod apply;
mod check;
mod diff;
mod equal;
pub mod key;
mod merge;
pub mod number;
mod patch;
mod pointer;
mod restate;
#[cfg(test)]
pub(crate) mod samples;
mod scan;
pub mod select;
pub mod text;
mod tree;
pub mod value;
#[cfg(test)]
mod vectors;

pub use apply::{ApplyFault, ApplyFaultKind};
pub use check::{Fault, Reason, check};
pub use diff::diff;
pub use equal::equal;
pub use merge::{MergeFault, merge};
pub use patch::{Patch, PatchFault, PatchFaultKind};
pub use pointer::{Pointer, PointerFault};
pub use restate::restate;
pub use scan::compact;
