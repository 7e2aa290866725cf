//! Requests: open, tokenize. Authenticate, decide, record, open, answer, in this order.

mod checkpoint;

pub use checkpoint::checkpoint;
