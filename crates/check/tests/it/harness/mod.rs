//! A server process, a client that sees every byte, and assertions about answers.

pub(crate) mod answer;
pub(crate) mod binary;
pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod data;
#[cfg(target_os = "linux")]
pub(crate) mod disk;
pub(crate) mod events;
pub(crate) mod exact;
pub(crate) mod gzip;
pub(crate) mod operations;
pub(crate) mod programs;
pub(crate) mod random;
pub(crate) mod replica;
pub(crate) mod request;
pub(crate) mod server;
pub(crate) mod token;

pub(crate) use answer::Answer;
pub(crate) use events::{Event, Events};
pub(crate) use replica::Replica;
pub(crate) use server::Server;
