//! PostgreSQL: how its catalog and its tables are read and written.
//!
//! Knows no policy beyond the names of columns, and no key.
//!
//! **Invariant:** names are quoted and schema-qualified, values are bound; the search path holds
//! nothing but `pg_catalog`.

mod connect;
mod error;
pub mod vault;

pub use connect::{Address, AddressError, is_postgres};
