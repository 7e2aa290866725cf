//! SQLite: how its catalog, its tables and its files are read and written.
//!
//! Knows no policy beyond the names of columns, and no key.

pub mod catalog;
mod check_trial;
pub mod facts;
mod foreign_keys;
