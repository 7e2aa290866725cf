//! Requests: tokens to values and values to tokens.
//!
//! The order is a promise: authenticate (whoever calls this room has), decide, **record the
//! decision**, open, answer. If the entry cannot be written, no value leaves.
//!
//! **Invariant:** unknown, denied and altered tokens get one and the same answer: `refused`.

mod checkpoint;
mod domains;
mod intake;
mod open;
mod request;
mod tokenize;

pub use checkpoint::{checkpoint, verifier_key};
pub use domains::{Domain, domains};
pub use intake::integrate;
pub use open::{Answer, open};
pub use request::{Request, ServeError, sealed_reason};
pub use tokenize::tokenize;
