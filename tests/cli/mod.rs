//! The command line: what it refuses and how it says so, what it shows to whom, what it never shows.

mod access;
mod backup;
mod bad_input;
mod files;
mod help;
mod hints;
mod ledger;
mod next;
mod plan_document;
mod quarantine;
mod rehearse;
mod secrets;
mod tampered;
mod vault;
