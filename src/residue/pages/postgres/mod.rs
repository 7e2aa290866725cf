//! The pages of PostgreSQL: which bytes SQL still sees, and which nobody does.
//!
//! Pages of PostgreSQL 13 to 18 have one layout: header, line pointers, a hole, items, and what the
//! access method keeps at the end. `VACUUM` moves items and lets bytes lie; `VACUUM FULL` writes new
//! pages. This room tells the two apart, and reads the log of changes record by record.
//!
//! **Invariant:** only bytes inside an item that a line pointer shows, and that no transaction has
//! deleted, count as live. What is not understood is never live.

mod btree;
mod heap;
mod page;
mod wal;

pub use btree::Repeats;
pub use heap::{Copied, PageFacts, RelationKind, examine, holds_live};
pub use page::{Item, ItemState, PAGE_BYTES_MAX, PAGE_BYTES_MIN, Page};
pub use wal::{Image, LogReader, LogRecord};
