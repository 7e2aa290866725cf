//! `scan`: what it finds and says, what it never says, and the policy that it drafts.

mod bad_input;
mod copies;
mod draft;
mod findings;
mod fixture;
mod sample;
