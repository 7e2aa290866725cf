//! Parsers under bytes that nobody meant. As a part of the tests each target reads its corpus and a
//! second of random input; `tests/fuzz.sh` lets an engine that watches the branches look for more.
//!
//! A target holds more than "no panic": what a parser accepts it writes again byte for byte, and
//! what was altered never opens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a test that cannot go on should stop, and its name is its documentation"
)]

mod bent;

mod backup;
mod crypto;
mod ledger;
mod pages;
mod policy;
mod token;
