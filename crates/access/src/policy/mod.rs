//! Policies: who may do what to which document (contract §11), written in Cedar.
//!
//! [`Schema`] says what policies can speak of, [`Policies`] are policies that were
//! validated against it, and a [`Caller`] is a principal as they see it. A decision needs
//! a [`Place`] and, if the policies look at it, the document.

mod caller;
mod conform;
#[cfg(test)]
mod documented;
mod evaluate;
mod fault;
mod look;
mod needs;
mod parse;
mod place;
mod policies;
mod prepared;
#[cfg(test)]
mod properties;
mod rewrite;
mod schema;
pub mod sets;
mod tokens;
mod types;
mod view;

pub use caller::Caller;
pub use fault::Fault;
pub use needs::Needs;
pub use place::{Action, Place};
pub use policies::Policies;
pub use schema::{Schema, SchemaFault};
pub use types::Type;
pub use view::View;
