//! Keeping the process's memory to itself: no core dumps, not readable by other processes.
//!
//! It knows no secret. What it cannot do without `unsafe`, locking pages against swapping, it does
//! not promise; `docs/THREATS.md` says so.

use std::{fmt, io};

/// One thing that keeps secrets within the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// A crash writes no image of the memory to disk.
    NoCoreDump,
    /// Other processes of the same user can neither attach nor read the memory.
    NotDumpable,
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCoreDump => "core dumps could not be switched off",
            Self::NotDumpable => "memory could not be closed to other processes",
        })
    }
}

/// A measure that the platform refused. Not an error: the operator is told and decides.
#[derive(Debug, thiserror::Error)]
#[error("{measure}")]
pub struct Refusal {
    /// What was refused.
    pub measure: Measure,
    /// What the platform said.
    #[source]
    pub source: io::Error,
}

/// Takes every measure, and returns those that the platform refused.
///
/// Called once, before the first secret is read.
#[must_use = "what was refused is told to the operator"]
pub fn harden() -> Vec<Refusal> {
    [(Measure::NoCoreDump, no_core_dump()), (Measure::NotDumpable, not_dumpable())]
        .into_iter()
        .filter_map(|(measure, outcome)| outcome.err().map(|source| Refusal { measure, source }))
        .collect()
}

fn no_core_dump() -> io::Result<()> {
    rlimit::setrlimit(rlimit::Resource::CORE, 0, 0)
}

#[cfg(target_os = "linux")]
fn not_dumpable() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

#[cfg(not(target_os = "linux"))]
fn not_dumpable() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
