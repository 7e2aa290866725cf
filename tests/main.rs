//! One binary; this list is the contents page. Tests are named after promises.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a test that cannot go on should stop, and its name is its documentation"
)]

mod access;
mod api;
mod architecture;
mod classify;
mod cli;
mod conformance;
mod crypto;
mod demo;
mod docs;
mod ledger;
mod lifecycle;
mod notify;
mod plan;
mod policy;
mod postgres;
mod protocol;
mod report;
mod residue;
mod scan;
mod support;
mod token;
mod vectors;
mod workers;
