//! Who asks, and what they may (contract §11).
//!
//! `identity` turns the credentials of a request into a [`Principal`]; `policy` says what
//! a principal may do. Both are pure: they know no HTTP, no store, no files and no clock;
//! keys, policies and the time are given to them.

pub mod identity;
pub mod policy;
mod principal;

pub use principal::{Kind, Principal};
