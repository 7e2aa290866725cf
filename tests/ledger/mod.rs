//! The ledger: altered, removed, inserted, reordered, truncated entries are all noticed, by name.

mod checkpoints;
mod entries;
mod exports;
mod fixture;
mod proofs;
mod replay;
mod stranger;
mod trees;
