//! Requests: tokens to values and values to tokens.
//!
//! The order is a promise: authenticate (whoever calls this room has), decide, **record the
//! decision**, open, answer. If the entry cannot be written, no value leaves.
//!
//! A request of the command line becomes an entry at once; a [`Service`] writes the records of many
//! requests together and brings them into the tree later. What is asked and decided is the same.
//!
//! **Invariant:** unknown, denied and altered tokens get one and the same answer: `refused`.

mod at_once;
mod callers;
mod checkpoint;
mod domains;
mod evidence;
mod grants;
mod honeytoken;
mod intake;
mod keys;
mod look_up;
mod open;
mod period;
mod reasons;
mod recorder;
mod request;
mod search;
mod service;
mod standing;
mod tokenize;
mod tree;
mod uses;

pub use callers::{Callers, KnownCaller, caller_mac, is_genuine, stored_id};
pub use checkpoint::{Signed, checkpoint, signed, verifier_key};
pub use domains::{Domain, domains};
pub use evidence::evidence;
pub use grants::{Grants, InForce, purposes};
pub use honeytoken::{Honeytoken, honeytoken};
pub use intake::integrate;
pub use keys::{KeysError, header_of, key_ring};
pub use open::{Answer, Opening, Piece, open};
pub use period::period_evidence;
pub use reasons::{opened_reason, opened_reasons, sealed_reason};
pub use request::{Request, ServeError};
pub use search::search;
pub use service::{Asked, Service, Sessions};
pub use standing::Unlock;
pub use tokenize::tokenize;
pub use uses::note_use;

/// An error and its causes, in one line for the log. Errors of this program hold no value.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut last = text.clone();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if next != last {
            text.push_str(": ");
            text.push_str(&next);
        }
        last = next;
        cause = error.source();
    }
    text
}
