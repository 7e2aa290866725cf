//! SQLite: how its catalog, its tables and its files are read and written.
//!
//! Knows no policy beyond the names of columns, and no key.

mod beside;
pub mod catalog;
mod check_trial;
mod connect;
mod cursor;
mod error;
pub mod facts;
pub mod files;
mod foreign_keys;
mod purge;
pub mod rehearsal;
mod sample;
pub mod scratch;
mod session;
pub mod source;
mod statement;
mod value;
pub mod vault;
mod walk;
mod window;
mod write;

pub use connect::path_of;
