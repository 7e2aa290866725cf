//! The engines: what the rest asks of a database, done in the words of each.
//!
//! An engine reads catalogs, counts, reads and writes rows. It decides nothing: what a figure means
//! is said in `plan`, what may happen next in `lifecycle`.

pub mod ident;
pub mod postgres;
mod read_pace;
pub mod scan;
pub mod sqlite;
mod vault_rows;
