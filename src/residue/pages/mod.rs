//! The page formats of database files: what part of a page is in use.
//!
//! Bytes in, facts out, like the room around it. It knows formats on disk and no database
//! connection.

pub mod postgres;
pub mod sqlite;
