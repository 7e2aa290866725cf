//! What a column was found to hold, with the evidence as counts.
//!
//! **Invariant:** nothing here can hold a value. Paths are made of keys that read as names,
//! [`super::document`]; the rest are numbers and our own words.

use serde::Serialize;

use super::Kind;

/// A finding is reported from this confidence on.
pub const CONFIDENCE_MIN: f64 = 0.5;

/// What a column, or a place in its documents, holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The kind of value.
    pub kind: Kind,
    /// The data class that a policy would give it.
    pub class: String,
    /// Where in JSON documents it is, as `$.contact.email`; nothing where the cell itself is it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How sure this is, between 0 and 1; `weigh` for how it is made.
    pub confidence: f64,
    /// What it rests on.
    pub evidence: Evidence,
}

/// What a finding rests on: counts, never values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Which rule the column's name fits, such as `email` or `first name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_name: Option<String>,
    /// Cells looked at, NULLs among them.
    pub sampled: u64,
    /// NULLs among them.
    pub nulls: u64,
    /// Empty texts among them.
    pub empties: u64,
    /// Cells that were not looked into: binary, or longer than the bound.
    pub skipped: u64,
    /// Values that the detectors tried.
    pub tested: u64,
    /// Values recognised as this kind by themselves.
    pub matched: u64,
    /// Values that could be of this kind, given the column's name; the recognised ones among them.
    pub plausible: u64,
    /// Values whose check digits hold.
    pub verified: u64,
    /// About how many different values there are; exact for small numbers.
    pub distinct_about: u64,
    /// Which scheme most values follow, such as `us_ssn` or `de_steuer_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// For free text: in how many values what occurs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<Contained>,
}

/// One kind of value within texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contained {
    /// The kind.
    pub kind: Kind,
    /// How many texts hold at least one.
    pub values: u64,
}
