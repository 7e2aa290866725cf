//! What a run really took, beside what its plan said it would.
//!
//! The figures come from the ledger, where each pass puts them: so anybody who can read a ledger can
//! make the comparison again. This file knows no ledger; it is given a way to ask for a count.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::Estimate;

/// An estimate beside what was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EstimateCheck {
    /// Of what: `rewrite`, `vault`.
    pub what: String,
    /// In which unit.
    pub unit: EstimateUnit,
    /// What the plan said.
    pub estimated: u64,
    /// What was measured.
    pub actual: u64,
}

/// The unit of an [`EstimateCheck`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EstimateUnit {
    /// Milliseconds.
    Ms,
    /// Bytes.
    Bytes,
    /// Entries of the vault.
    Entries,
}

impl EstimateCheck {
    /// Both figures in words: `estimated 12 s, took 9.2 s`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let (estimated, actual) =
            (self.unit.readable(self.estimated), self.unit.readable(self.actual));
        match self.unit {
            EstimateUnit::Ms => format!("estimated {estimated}, took {actual}"),
            EstimateUnit::Bytes | EstimateUnit::Entries => {
                format!("estimated {estimated}, {actual} in fact")
            }
        }
    }
}

impl EstimateUnit {
    /// A figure for people: two significant parts, and never more exact than it is.
    #[must_use]
    pub fn readable(self, figure: u64) -> String {
        match self {
            Self::Ms => readable_ms(figure),
            Self::Bytes => readable_bytes(figure),
            Self::Entries => figure.to_string(),
        }
    }
}

/// What the ledger calls the files that were sealed while the backup went on.
pub const SEALED_AHEAD: &str = "sealed_ahead";

/// Two passes that went side by side.
const BACKUP_AND_SEAL: &str = "backup and seal";

/// A duration for people: `40 ms`, `3.2 s`, `12 min`, `2 h 5 min`.
#[must_use]
pub fn readable_ms(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1_000..=9_999 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        10_000..=119_999 => format!("{} s", ms.div_ceil(1_000)),
        120_000..=7_199_999 => format!("{} min", ms.div_ceil(60_000)),
        _ => {
            let minutes = ms.div_ceil(60_000);
            format!("{} h {} min", minutes / 60, minutes % 60)
        }
    }
}

/// A size for people: `812 B`, `40 KiB`, `3.2 MiB`, `12 GiB`.
#[must_use]
pub fn readable_bytes(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, size)| bytes >= *size) {
        None => format!("{bytes} B"),
        Some((unit, size)) if bytes / size < 10 => {
            format!("{}.{} {unit}", bytes / size, bytes % size * 10 / size)
        }
        Some((unit, size)) => format!("{} {unit}", bytes.div_ceil(*size)),
    }
}

/// Puts beside each estimate what was measured. `count` says the count of that name in the newest
/// ledger entry of that action of the run.
///
/// What was not measured is left out: a pass that was resumed (nobody measured its first part), a
/// pass that is still to come. Where files were sealed while the backup went on, the two passes are one
/// figure: nobody measured them apart.
#[must_use]
pub fn compare(
    estimate: &Estimate,
    count: impl Fn(&str, &str) -> Option<u64>,
) -> Vec<EstimateCheck> {
    let took = |action: &str| {
        let is_whole = count(action, "resumed").unwrap_or(0) == 0;
        count(action, "took_ms").filter(|_| is_whole)
    };
    let passes = &estimate.passes;
    let is_mixed = count("backed_up", SEALED_AHEAD).unwrap_or(0) > 0;
    let (backup, seal) = (took("backed_up"), took("sealed"));
    let both = backup.zip(seal).filter(|_| is_mixed).map(|(backup, seal)| backup + seal);
    let grown = count("sealed", "vault_bytes")
        .zip(count("backed_up", "vault_bytes_before"))
        .map(|(after, before)| after.saturating_sub(before));
    let figures = [
        ("backup", EstimateUnit::Ms, passes.backup_ms, backup.filter(|_| !is_mixed)),
        ("seal", EstimateUnit::Ms, passes.seal_ms, seal.filter(|_| !is_mixed)),
        (BACKUP_AND_SEAL, EstimateUnit::Ms, passes.backup_ms + passes.seal_ms, both),
        ("rewrite", EstimateUnit::Ms, passes.rewrite_ms, took("rewritten")),
        ("verify", EstimateUnit::Ms, passes.verify_ms, took("verified")),
        ("purge", EstimateUnit::Ms, passes.purge_ms, took("purge_scrubbed")),
        ("longest lock", EstimateUnit::Ms, estimate.lock_ms, count("rewritten", "lock_ms_max")),
        ("vault entries", EstimateUnit::Entries, estimate.entries, count("sealed", "entries")),
        ("vault", EstimateUnit::Bytes, estimate.vault_bytes, grown),
        (
            "backup files",
            EstimateUnit::Bytes,
            estimate.backup_bytes,
            count("backed_up", "file_bytes"),
        ),
        (
            "token files",
            EstimateUnit::Bytes,
            estimate.token_file_bytes,
            count("sealed", "file_bytes"),
        ),
        ("stage files", EstimateUnit::Bytes, estimate.stage_bytes, count("sealed", "stage_bytes")),
        (
            "verification buckets",
            EstimateUnit::Bytes,
            estimate.bucket_bytes,
            count("verified", "bucket_bytes"),
        ),
    ];
    figures
        .into_iter()
        // A plan from before this was estimated has zeros there, and nothing to compare.
        .filter(|(_, _, estimated, _)| *estimated > 0)
        .filter_map(|(what, unit, estimated, actual)| {
            Some(EstimateCheck { what: what.to_owned(), unit, estimated, actual: actual? })
        })
        .collect()
}

/// The passes up to verification and the disk that they took, each as one figure; `None` where a
/// part of either was not measured.
#[must_use]
pub fn in_all(checks: &[EstimateCheck]) -> Option<(EstimateCheck, EstimateCheck)> {
    let add = |what: &str, unit: EstimateUnit, names: &[&str]| {
        let found: Vec<&EstimateCheck> =
            checks.iter().filter(|check| names.contains(&check.what.as_str())).collect();
        (found.len() == names.len()).then(|| EstimateCheck {
            what: what.to_owned(),
            unit,
            estimated: found.iter().map(|check| check.estimated).sum(),
            actual: found.iter().map(|check| check.actual).sum(),
        })
    };
    let is_mixed = checks.iter().any(|check| check.what == BACKUP_AND_SEAL);
    let passes: &[&str] = if is_mixed {
        &[BACKUP_AND_SEAL, "rewrite", "verify"]
    } else {
        &["backup", "seal", "rewrite", "verify"]
    };
    let places = ["vault", "backup files", "token files", "stage files", "verification buckets"];
    add("time", EstimateUnit::Ms, passes).zip(add("disk", EstimateUnit::Bytes, &places))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PassTimes;

    fn estimate() -> Estimate {
        let passes = PassTimes {
            backup_ms: 100,
            seal_ms: 200,
            rewrite_ms: 300,
            verify_ms: 400,
            purge_ms: 9,
        };
        Estimate { passes, vault_bytes: 5_000, ..Estimate::default() }
    }

    #[test]
    fn what_was_measured_stands_beside_what_was_estimated() {
        let counts = |action: &str, name: &str| match (action, name) {
            ("backed_up", "took_ms") => Some(90),
            ("backed_up", "vault_bytes_before") => Some(1_000),
            ("sealed", "vault_bytes") => Some(5_500),
            _ => None,
        };
        let checks = compare(&estimate(), counts);
        let pairs: Vec<(&str, u64, u64)> =
            checks.iter().map(|c| (c.what.as_str(), c.estimated, c.actual)).collect();
        assert_eq!(pairs, [("backup", 100, 90), ("vault", 5_000, 4_500)]);
        assert_eq!(checks[0].sentence(), "estimated 100 ms, took 90 ms");
        assert_eq!(in_all(&checks), None);
    }

    #[test]
    fn passes_that_went_side_by_side_are_compared_as_one() {
        let counts = |action: &str, name: &str| match (action, name) {
            ("backed_up", "took_ms") => Some(90),
            ("backed_up", "sealed_ahead") => Some(3),
            ("sealed", "took_ms") => Some(150),
            (_, "took_ms") => Some(1),
            (_, _) => Some(0).filter(|_| name != "resumed"),
        };
        let plan = Estimate { backup_bytes: 1, token_file_bytes: 1, stage_bytes: 1, ..estimate() };
        let checks = compare(&Estimate { bucket_bytes: 1, ..plan }, counts);
        let first = &checks[0];
        assert_eq!(
            (first.what.as_str(), first.estimated, first.actual),
            (BACKUP_AND_SEAL, 300, 240)
        );
        assert!(checks.iter().all(|check| check.what != "seal" && check.what != "backup"));
        assert_eq!(in_all(&checks).unwrap().0.actual, 242);
    }

    #[test]
    fn a_pass_that_was_resumed_is_not_compared() {
        let counts = |_: &str, name: &str| match name {
            "resumed" => Some(1),
            "took_ms" => Some(7),
            _ => None,
        };
        assert_eq!(compare(&estimate(), counts), []);
    }

    #[test]
    fn figures_are_readable() {
        assert_eq!(
            [0, 999, 1_250, 61_001, 130_000, 7_500_000].map(readable_ms),
            ["0 ms", "999 ms", "1.2 s", "62 s", "3 min", "2 h 5 min"]
        );
        assert_eq!(
            [0, 1_023, 1_536, 20_000_000, 5 << 30].map(readable_bytes),
            ["0 B", "1023 B", "1.5 KiB", "20 MiB", "5.0 GiB"]
        );
    }
}
