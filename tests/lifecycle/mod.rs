//! The life of a run through the command line: all the way, back again, and through crashes.

mod crash;
mod failure;
mod policy_words;
mod purge;
mod rollback;
mod scale;
mod whole;
mod writers;
