//! What a plan finds, on real databases: one fixture per pitfall, and a zoo of odd names.

mod keys;
mod objects;
mod support;
mod tables;
mod values;
mod zoo;
