//! The server: connections, handlers and their answers around a [`Store`].
//!
//! A handler loads what its request is about, asks [`matchbook_core::decide`] what to
//! do, commits, and answers. It never chooses a status by itself.
//!
//! [`Store`]: matchbook_store::Store

pub mod app;
pub mod auth;
pub mod config;
pub mod connection;
#[cfg(feature = "testing")]
pub mod inside;
pub mod metrics;
pub mod operations;
pub mod rate;
pub mod receipts;
pub mod retention;
pub mod setup;

mod answer;
mod batch;
mod body;
mod collections;
mod content;
mod cors;
mod create;
mod document;
mod evaluate;
mod feed;
mod forms;
mod list;
mod openapi;
mod pages;
mod rebase;
mod representation;
mod request_id;
mod rights;
mod routes;
mod write;
