//! JSON as it was sent: exact numbers, strings by code point, values found in a text
//! without building a tree (contract §2, §6).
//!
//! What is read here has passed the strict parser. Other text gives a meaningless
//! answer, never a panic.

pub mod number;
pub mod text;
