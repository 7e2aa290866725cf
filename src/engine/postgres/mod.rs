//! PostgreSQL: how its catalog and its tables are read and written.
//!
//! Knows no policy beyond the names of columns, and no key.
//!
//! **Invariant:** names are quoted and schema-qualified, values are bound; the search path holds
//! nothing but `pg_catalog`.

pub mod catalog;
mod check_trial;
mod connect;
mod cursor;
mod cut;
mod error;
mod facts;
mod files;
mod fit;
mod foreign_keys;
mod integrity;
mod pressure;
mod purge;
mod queries;
mod rebuild;
mod records;
mod refusal;
pub mod rehearsal;
mod sample;
pub mod scratch;
mod session;
mod shape;
pub mod source;
mod statement;
mod statistics;
mod unseen;
pub mod vault;
mod walk;
mod watch;
mod window;
mod write;

pub use connect::{Address, AddressError, is_postgres, lease_time, process_name};
pub use refusal::Refusal;
