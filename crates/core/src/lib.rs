//! What Matchbook decides, without doing any of it: names, validators,
//! preconditions, the answer to each request, JSON as it was sent, patches and
//! queries.
//!
//! Pure and synchronous: no sockets, files, clock, randomness or runtime. Whatever
//! is hard to get right is here, because here it can be tested from a table. The
//! sections cited as `§` are those of `docs/contract.md`.

pub mod clock;
pub mod decide;
pub mod edit;
pub mod feed;
pub mod field;
pub mod form;
pub mod json;
pub mod limits;
pub mod name;
pub mod precondition;
pub mod problem;
pub mod query;
pub mod request;
pub mod tag;
