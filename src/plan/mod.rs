//! The plan: catalog, policy and figures go in; findings, units of work and an estimate come out.
//!
//! One file per pitfall. Nothing here talks to a database: an engine reads the catalog and counts,
//! and this room judges, so that every judgement can be tested without one.
//!
//! **Invariant:** a finding names objects and figures, never a value.

mod facts;
mod model;

pub use facts::{CheckTrial, ColumnFacts, Facts, TableFacts};
pub use model::{
    Assessment, ColumnPlan, Estimate, Finding, Strategy, TypeCounts, Unit, UnitColumn, UnitMode,
    UnitTable, Verdict, Walk,
};
