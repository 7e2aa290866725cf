#![doc = include_str!("ARCHITECTURE.md")]

// Core: no I/O, no async, no clock, no randomness of its own.
pub mod access;
pub mod alert;
pub mod catalog;
pub mod classify;
pub mod crypto;
pub mod ledger;
pub mod lifecycle;
pub mod plan;
pub mod policy;
pub mod report;
pub mod residue;
pub mod token;
pub mod value;
pub mod words;

// Middle: the work, in order, against traits.
pub mod ports;
pub mod run;
pub mod serve;
pub mod upkeep;

// Edge: everything that touches the world.
pub mod api;
pub mod backup;
pub mod cli;
pub mod client;
pub mod demo;
pub mod engine;
pub mod keystore;
pub mod notify;
pub mod synth;

pub use client::{Client, ClientError, Opened, Vault};
