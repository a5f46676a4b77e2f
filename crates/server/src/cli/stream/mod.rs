//! Following a change feed (contract §7) as a client: the event stream is parsed, lost
//! lines are come back from, and what was cut in two by a loss is never seen.

mod backoff;
mod batch;
#[cfg(test)]
pub(crate) mod fake;
mod follower;
mod parser;
mod told;

pub(crate) use follower::{Follower, News, Patience};
pub(crate) use parser::{EVENT_BYTES, Event};
pub(crate) use told::{Change, Content, Kind, Origin, Told, version};
