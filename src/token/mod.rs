//! Tokens that stand in for originals: how they are derived, written, read and recognised.
//!
//! A token says nothing but which domain it belongs to, and some kinds not even that. This room
//! knows no database and holds no key: keys come in as a [`KeyedMac`] or as the bytes of a format
//! key, random bits as bytes, and domains as numbers that the vault gave out.
//!
//! ```text
//! sl k 001 _ 4v0r2m…26 symbols…w 7q
//! │  │ │     │                   └─ checksum: ten bits of SHA-256 over all before it
//! │  │ │     └─ body: 128 bits, the name of the vault's entry
//! │  │ └─ domain, fifteen bits
//! │  └─ kind: k keyed, r random
//! └─ every token of Sealift begins so
//! ```
//!
//! **Invariant:** one text for one token, and that text is lowercase ASCII, so that a collation
//! which ignores case never merges two.
//!
//! **Invariant:** no error of this room carries a value, nor a part of one.

mod body;
mod derive;
mod domain;
mod format;
mod normalise;
pub mod second;
mod template;
mod text;
mod treatment;
mod uuid;

pub use body::TokenBody;
pub use derive::{BLIND_INDEX_LABEL, KeyedMac, TOKEN_LABEL, blind_index, keyed_bits};
pub use domain::DomainId;
pub use format::{FormatCipher, Misfit, SYMBOLS_MAX};
pub use normalise::{normalise, unicode_version};
pub use template::{Template, TemplateError};
pub use text::{PATTERN, TOKEN_CHARS, TextKind, Token, TokenError, has_token_shape, sqlite_glob};
pub use treatment::{Treatment, TreatmentError};
pub use uuid::{UUID_CHARS, UuidToken};
