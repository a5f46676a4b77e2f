//! What must hold for any input, whoever sends it: one property a module, which panics
//! where it does not hold.
//!
//! The fuzzer looks for such inputs (`fuzz/`, which is a workspace of its own). What it
//! has found worth keeping is in `fuzz/corpus/`, and the tests of this crate try all of it
//! again.
//!
//! What is right is found out in another way than the code does that is judged: by
//! `oracle`, which knows nothing of it.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "to panic is how a property says that it does not hold"
)]

mod cursor;
mod data;
mod diff;
mod edit;
mod events;
mod filter;
mod input;
mod json;
mod oracle;
mod patch;
mod prefer;
mod server;
mod tag_list;
mod target;

pub use cursor::cursor;
pub use data::data;
pub use diff::diff;
pub use edit::edit;
pub use events::events;
pub use filter::filter;
pub use json::json;
pub use patch::patch;
pub use prefer::prefer;
pub use server::{Fault, faulty_server, server};
pub use tag_list::tag_list;
pub use target::target;

/// A property: it panics where it does not hold for these bytes.
pub type Property = fn(&[u8]);

/// All properties, by the names of their targets and corpora.
pub const ALL: [(&str, Property); 12] = [
    ("cursor", cursor),
    ("data", data),
    ("diff", diff),
    ("edit", edit),
    ("events", events),
    ("filter", filter),
    ("json", json),
    ("patch", patch),
    ("prefer", prefer),
    ("server", server),
    ("tag_list", tag_list),
    ("target", target),
];
