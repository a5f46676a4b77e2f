//! What the contract promises, seen from outside: every test talks to a process of its
//! own over a socket. Modules are named after what they show; tests after the section
//! of the contract that they hold the server to.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and clippy does not know helpers of tests as such"
)]

mod harness;

mod api_keys;
mod batch;
#[cfg(target_os = "linux")]
mod bit_flips;
mod codings;
mod collections;
mod concurrency;
mod conditional_reads;
mod conditional_writes;
mod content;
mod crash;
mod cross_origin;
#[cfg(target_os = "linux")]
mod disk_faults;
mod documents;
mod drain;
mod event_sources;
mod feed;
mod feed_gzip;
mod feed_http2;
mod feed_json;
mod feed_lines;
mod feed_live;
mod feed_model;
mod feed_resume;
mod feed_start;
mod feed_wait;
mod filters;
mod floods;
mod form_pages;
mod forms;
mod framing;
mod full_disk;
mod history;
mod hosts;
mod imports;
mod indexes;
mod limits;
mod lists;
mod lost_answers;
mod malformed;
mod metadata;
mod methods;
mod model;
mod names;
mod ndjson;
mod openapi;
mod operations;
mod operations_asked;
mod operations_survive;
mod order;
mod origin;
mod pages;
mod patches;
mod policies;
#[cfg(target_os = "linux")]
mod power_cut;
#[cfg(target_os = "linux")]
mod power_loss;
mod problems;
mod protocols;
mod proxies;
mod quotas;
mod ranges;
mod rates;
mod real_data;
mod rebase;
mod repeats;
mod rights_matrix;
mod rolled_back;
mod server_pages;
mod sessions;
mod slow;
mod starting;
mod tags;
mod token_keys;
mod tokens;
mod vectors;
