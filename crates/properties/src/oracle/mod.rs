//! What is right, found out in another way: nothing here knows the code that is judged.
//!
//! - [`value`]: JSON, read by a plain recursive reader, with exact numbers.
//! - [`patches`]: JSON Patch, merge patch, pointers and projections, done to such values.
//! - [`stream`]: an event stream, as the HTML standard reads it.

mod patches;
mod stream;
mod value;

pub(crate) use patches::{Refused, found, merged, patched, path, projected};
pub(crate) use stream::{Told, told};
pub(crate) use value::{Read, Value};
