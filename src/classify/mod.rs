//! Detectors: what kind of value does a column hold?
//!
//! A [`Profile`] is fed the values of one column and answers with [`Finding`]s: a kind, a
//! confidence, and the evidence as counts. It looks at the column's name (`heading`), at the
//! values (`values`), and weighs the two in one place (`weigh`). This room knows no database
//! and no policy's columns.
//!
//! **Invariant:** no value outlives the call that brought it, and none is in a finding: what a
//! profile keeps are counts and hashes.

mod counts;
mod decode;
mod document;
mod finding;
mod free_text;
mod hash;
mod heading;
mod kind;
mod pattern;
mod profile;
mod values;
mod weigh;
mod words;

pub use finding::{CONFIDENCE_MIN, Contained, Evidence, Finding};
pub use kind::Kind;
pub use pattern::{Detectors, Pattern, PatternError};
pub use profile::Profile;

/// Which column is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The table's name, without its schema.
    pub table: &'a str,
    /// The column's name.
    pub column: &'a str,
    /// The declared type, as the catalog has it; empty where there is none.
    pub declared: &'a str,
    /// The names of the table's other columns.
    pub siblings: &'a [&'a str],
}
