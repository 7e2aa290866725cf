//! The report over a period in five seconds.
//!
//! **Invariant:** NO FINDING is said only where no run, no gap and no use of a purpose is one; what
//! was not looked at stands beside it.

use std::fmt::Write as _;

use super::header::PeriodHeader;
use super::runs::{PurgeLine, RunLine, Totals};
use super::shared::{GapKind, GapLine};
use super::{Asked, Carried, UseBeyond};
use crate::lifecycle::Phase;
use crate::report::access::PurposeLine;
use crate::report::{CertificateStatus, Condition, Figure, Summary, Tone, Usage};
use crate::words::{counted, grouped};

/// What the sentences are made from.
pub(super) struct Parts<'r> {
    pub(super) header: &'r PeriodHeader,
    pub(super) runs: &'r [RunLine],
    pub(super) totals: &'r Totals,
    pub(super) access: &'r [PurposeLine],
    pub(super) beyond: &'r [UseBeyond],
    pub(super) purges: &'r [PurgeLine],
    pub(super) gaps: &'r [GapLine],
}

impl Parts<'_> {
    pub(super) fn summary(&self) -> Summary {
        let (bad, warn) = (self.bad(), self.warn());
        let (verdict, tone) = match (bad.is_empty(), warn.is_empty()) {
            (false, _) => ("FINDINGS", Tone::Bad),
            (true, false) => ("TO LOOK AT", Tone::Warn),
            (true, true) if self.runs.is_empty() => ("NO RUN", Tone::Quiet),
            (true, true) => ("NO FINDING", Tone::Good),
        };
        let mut statements = vec![self.what_was_done()];
        statements.extend(bad);
        statements.extend(warn);
        Summary {
            verdict,
            tone,
            is_finished: self.runs.iter().all(|run| run.phase.is_terminal()),
            statements,
            next: None,
            figures: self.figures(),
            limits: self.limits(),
        }
    }

    /// What was asked under each purpose, in force or not.
    fn used(&self) -> impl Iterator<Item = &Usage> {
        let beyond = self.beyond.iter().map(|line| &line.used);
        self.access.iter().map(|line| &line.used).chain(beyond)
    }

    fn what_was_done(&self) -> String {
        let runs = counted(self.totals.runs, "run", "runs");
        let values = counted(self.totals.part("tokenized"), "value", "values");
        let purged = self.runs.iter().filter(|run| is_purged(run)).count() as u64;
        let back = self.runs.iter().filter(|run| run.phase == Phase::RolledBack).count() as u64;
        let mut said = format!("{runs} moved {values} into the vault");
        // Writing into a String cannot fail.
        if purged > 0 {
            let _ = write!(said, "; {} purged", counted(purged, "is", "are"));
        }
        if back > 0 {
            let _ = write!(said, "; {} rolled back", counted(back, "was", "were"));
        }
        said
    }

    /// What is not as it should be.
    fn bad(&self) -> Vec<String> {
        let of = |phrase: &str, is: &dyn Fn(&RunLine) -> bool| {
            let runs: Vec<String> =
                self.runs.iter().filter(|run| is(run)).map(|run| run.run.to_string()).collect();
            (!runs.is_empty()).then(|| format!("{phrase}: {}", runs.join(", ")))
        };
        let mut bad: Vec<String> = [
            of("Tokens did not open to their original", &|run| {
                run.mismatches > 0 && run.phase.is_open()
            }),
            of("Counts of cells do not add up", &|run| run.reconciles == Some(false)),
            of("Failed, and nobody has gone on", &|run| run.condition == Some(Condition::Failed)),
        ]
        .into_iter()
        .flatten()
        .collect();
        for purge in self.purges {
            if matches!(purge.status, CertificateStatus::Residue | CertificateStatus::CameBack) {
                bad.push(format!("Run {}: {}", purge.run, purge.statement));
            }
        }
        let altered = self.gaps.iter().filter(|gap| gap.kind == GapKind::Altered).count() as u64;
        if altered > 0 {
            bad.push(format!(
                "Recorded requests are gone or were changed: {}",
                counted(altered, "entry says so", "entries say so")
            ));
        }
        bad
    }

    /// What somebody should look at.
    fn warn(&self) -> Vec<String> {
        let mut warn = Vec::new();
        for purge in self.purges {
            if matches!(
                purge.status,
                CertificateStatus::NotEvidence
                    | CertificateStatus::UncoveredCopies
                    | CertificateStatus::Limited
            ) {
                warn.push(format!("Run {}: {}", purge.run, purge.statement));
            }
        }
        let unreviewed: u64 = self.used().map(|used| used.unreviewed).sum();
        if unreviewed > 0 {
            warn.push(format!(
                "{} for emergencies to be reviewed",
                counted(unreviewed, "use is", "uses are")
            ));
        }
        for line in self.beyond {
            warn.push(format!(
                "Purpose `{}` is not in force, and {} under it",
                line.name,
                counted(line.used.requests, "request was made", "requests were made")
            ));
        }
        let silences = self.gaps.iter().filter(|gap| gap.kind == GapKind::Silence).count() as u64;
        if silences > 0 {
            warn.push(format!("Heartbeats were missed {}", counted(silences, "time", "times")));
        }
        if self.gaps.iter().any(|gap| gap.kind == GapKind::Clock) {
            warn.push("The clock was put back".to_owned());
        }
        warn
    }

    fn figures(&self) -> Vec<Figure> {
        let requests: u64 = self.used().map(|used| used.requests).sum();
        let refused: u64 = self.used().map(|used| used.refused).sum();
        let open = self.runs.iter().filter(|run| !run.phase.is_terminal()).count() as u64;
        vec![
            Figure {
                name: "runs",
                number: Some(self.totals.runs),
                remark: if open == 0 {
                    "none of them is open".to_owned()
                } else {
                    format!("{} of them open", grouped(open))
                },
            },
            Figure {
                name: "values moved",
                number: (self.totals.counted > 0).then(|| self.totals.part("tokenized")),
                remark: match self.totals.reconciles {
                    Some(true) => format!(
                        "of {} in scope; they add up",
                        counted(self.totals.cells, "cell", "cells")
                    ),
                    Some(false) => "the counts do not add up".to_owned(),
                    None => "nothing was rewritten".to_owned(),
                },
            },
            Figure {
                name: "cells verified",
                number: (self.totals.counted > 0).then_some(self.totals.opened),
                remark: counted(self.totals.mismatches, "mismatch", "mismatches"),
            },
            Figure {
                name: "requests in the period",
                number: Some(requests),
                remark: format!("{} of them refused", grouped(refused)),
            },
        ]
    }

    fn limits(&self) -> Vec<String> {
        let mut limits = vec![match self.header.asked {
            Asked::All => "runs of other vaults are not among these".to_owned(),
            Asked::Period => "runs without an entry in the period are not among these".to_owned(),
            Asked::Named => "runs that were not named are not among these".to_owned(),
        }];
        if self.header.until.is_some() {
            limits.push(
                "keys, purposes, rows in quarantine and anchors are those of the moment when the \
                 report was made, not of the end of the period"
                    .to_owned(),
            );
        } else {
            limits.push("purposes are those in force when the report was made".to_owned());
        }
        limits.push("figures of columns are those of the plans".to_owned());
        if self.header.carries == Carried::EntriesOfRuns {
            limits.push(
                "the period has more entries than a report carries: its sums are proven by the \
                 ledger, not by this file"
                    .to_owned(),
            );
        }
        let told = self.gaps.iter().filter(|gap| {
            matches!(gap.kind, GapKind::Unwatched | GapKind::Unanchored | GapKind::Unsigned)
        });
        limits.extend(told.map(|gap| gap.statement.clone()));
        limits.push("the medium below the file system is never covered by a claim".to_owned());
        limits
    }
}

fn is_purged(run: &RunLine) -> bool {
    matches!(run.phase, Phase::Purged | Phase::Closed)
}
