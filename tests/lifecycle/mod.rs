//! The life of a run through the command line: all the way, back again, and through crashes.

mod crash;
mod failure;
mod full_disk;
mod policy_words;
mod purge;
mod rollback;
mod runbook;
mod scale;
mod sqlite_guard;
mod whole;
mod writers;
