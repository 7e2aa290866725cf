//! The policy: which columns are sensitive, how they are treated, and who may see them for what.
//!
//! A policy is written by a steward and reviewed by a privacy officer. This room parses it and
//! refuses what it does not understand; it knows no database, so it cannot say whether a named
//! column exists (that is `plan`'s part).
//!
//! A policy can also be drafted ([`Draft`]); the draft is text, and is parsed like any other.
//!
//! **Invariant:** a [`Policy`] exists only in valid form; [`Policy::parse`] is the only way to one.

mod column_name;
mod draft;
mod elsewhere;
mod errors;
mod measure;
mod model;
mod parse;
mod reader;

pub use column_name::{ColumnName, ColumnNameError, TableName};
pub use draft::{Candidate, Draft, because};
pub use elsewhere::{CopyKind, CopyRule};
pub use errors::{PolicyError, PolicyErrors, PolicyProblem};
pub use model::{
    Approval, BackupRule, ChangeRule, Check, ColumnRule, EmptyRule, Expect, Fit, Form, FormatShape,
    GeneratedRule, Limits, Normalise, OnFailure, PatternRule, Permission, Policy, PurgeRule,
    Purpose, TableRule, Throttle, TokenKind, Waiver, Window,
};
