//! The report in five seconds: a word, a sentence or two, four figures, and what is not said.
//!
//! **Invariant:** nothing here is stronger than the evidence. What became of the originals in the
//! files is worded by the [`Certificate`]'s status alone, and what was not covered stands beside
//! what was done.

use schemars::JsonSchema;
use serde::Serialize;

use super::certificate::{Certificate, CertificateStatus, live_places};
use super::counts::{Reconciliation, VerificationPart};
use super::evidence::Condition;
use super::grounds::Grounds;
use crate::lifecycle::{Event, Phase};
use crate::words::{counted, grouped};

/// The report in five seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// How the run stands, in a word or three.
    pub verdict: &'static str,
    /// How that is to be taken.
    pub tone: Tone,
    /// Whether nothing more will happen to the run.
    pub is_finished: bool,
    /// What happened, a sentence each, as strong as the evidence and no stronger.
    pub statements: Vec<String>,
    /// What comes next, as a command; null where nothing does.
    pub next: Option<String>,
    /// Four figures.
    pub figures: Vec<Figure>,
    /// What all this does not say, a sentence each.
    pub limits: Vec<String>,
}

/// How an outcome is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// As it should be.
    Good,
    /// Worth reading.
    Warn,
    /// Not as it should be.
    Bad,
    /// Neither.
    Quiet,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Figure {
    /// What is counted.
    pub name: &'static str,
    /// How many; null where nobody has counted.
    pub number: Option<u64>,
    /// What to think of it.
    pub remark: String,
}

/// What the sentences are made from.
struct Facts<'a> {
    grounds: &'a Grounds<'a>,
    counts: &'a Reconciliation,
    verification: &'a VerificationPart,
    certificate: &'a Certificate,
}

impl Summary {
    pub(super) fn of(
        grounds: &Grounds<'_>,
        counts: &Reconciliation,
        verification: &VerificationPart,
        certificate: &Certificate,
    ) -> Self {
        let facts = Facts { grounds, counts, verification, certificate };
        let (verdict, tone) = facts.verdict();
        Self {
            verdict,
            tone,
            is_finished: grounds.phase.is_terminal(),
            statements: facts.statements(),
            next: facts.next(),
            figures: facts.figures(),
            limits: facts.limits(),
        }
    }
}

impl Facts<'_> {
    fn verdict(&self) -> (&'static str, Tone) {
        let status = self.certificate.status;
        if status != CertificateStatus::NotPurged {
            return (status.word(), status.tone());
        }
        if self.verification.passed == Some(false) && self.grounds.phase.is_open() {
            return ("MISMATCH", Tone::Bad);
        }
        let word = match self.grounds.phase {
            Phase::Planned => "PLANNED",
            Phase::Approved => "APPROVED, NOTHING CHANGED",
            Phase::BackedUp => "BACKED UP, SOURCE UNCHANGED",
            Phase::Sealed => "SEALED, NOT REWRITTEN",
            Phase::Rewritten => "REWRITTEN, NOT VERIFIED",
            Phase::Verified | Phase::PurgeApproved => "VERIFIED, NOT PURGED",
            Phase::Purged | Phase::Closed => status.word(),
            Phase::RollingBack => "ROLLING BACK",
            Phase::RolledBack => "ROLLED BACK",
        };
        let tone = if self.grounds.condition == Some(Condition::Failed) {
            Tone::Bad
        } else if self.grounds.condition == Some(Condition::Paused) {
            Tone::Warn
        } else {
            Tone::Quiet
        };
        (word, tone)
    }

    fn statements(&self) -> Vec<String> {
        let source = format!("`{}`", self.grounds.source);
        let plan = self.grounds.plan;
        let columns = counted(plan.columns, "column", "columns");
        let planned = counted(plan.cells, "value", "values");
        let mut said = match self.grounds.phase {
            Phase::Planned => vec![
                format!("{planned} of {columns} are to move out of {source} into the vault"),
                "Nothing has been changed; the plan waits for its approval".to_owned(),
            ],
            Phase::Approved => vec![
                format!("{planned} of {columns} are to move out of {source} into the vault"),
                format!("The plan is approved; {source} is unchanged"),
            ],
            Phase::BackedUp => vec![
                format!("The originals of {columns} of {source} lie in an encrypted backup"),
                format!("{source} is unchanged"),
            ],
            Phase::Sealed => vec![
                format!(
                    "The originals of {columns} of {source} are sealed in the vault, read back \
                     from the backup"
                ),
                "How far the rewrite has come is not on the ledger before it is finished"
                    .to_owned(),
            ],
            Phase::Rewritten | Phase::Verified | Phase::PurgeApproved => {
                let mut said = vec![self.moved(&columns), self.verified()];
                if self.certificate.status == CertificateStatus::NotPurged {
                    said.push(
                        "Nothing has been purged: the originals lie in the backup, and may lie in \
                         the files of the database"
                            .to_owned(),
                    );
                }
                said
            }
            Phase::Purged | Phase::Closed => vec![self.moved(&columns), self.verified()],
            Phase::RollingBack => {
                vec![format!("The originals of {columns} are being put back into {source}")]
            }
            Phase::RolledBack => self.put_back(),
        };
        if self.certificate.status != CertificateStatus::NotPurged {
            said.push(self.in_the_files());
        }
        match self.grounds.condition {
            Some(Condition::Paused) => {
                said.push("The run is paused; `sealift status` says why".to_owned());
            }
            Some(Condition::Failed) => said.push(
                "The last attempt to go on failed; `sealift status` says why. What was done \
                 stays done, and the run may be tried again"
                    .to_owned(),
            ),
            None => {}
        }
        said
    }

    fn moved(&self, columns: &str) -> String {
        let values = counted(self.counts.part("tokenized"), "value", "values");
        format!("{values} of {columns} moved out of `{}` into the vault", self.grounds.source)
    }

    fn verified(&self) -> String {
        let opened = self.verification.opened;
        match self.verification.passed {
            None => "Whether each token opens to its original is not proven yet".to_owned(),
            Some(false) => format!(
                "The last verification found {}: not every token is known to open to its original",
                counted(self.verification.mismatches, "mismatch", "mismatches")
            ),
            Some(true) if opened == 0 => "There was no token to open".to_owned(),
            Some(true) => format!(
                "Every token, in {}, was opened and compared with the backup, without a mismatch{}",
                counted(opened, "cell", "cells"),
                self.carried()
            ),
        }
    }

    /// Cells whose token is not the backup's, by the application's own will.
    fn carried(&self) -> String {
        match self.verification.counts.get("carried").copied().unwrap_or_default() {
            0 => String::new(),
            cells => format!(
                "; {} another one than the run had, which the application itself wrote there",
                if cells == 1 {
                    "1 cell holds".to_owned()
                } else {
                    format!("{} cells hold", grouped(cells))
                }
            ),
        }
    }

    fn in_the_files(&self) -> String {
        use CertificateStatus as Status;
        let certificate = self.certificate;
        let before = certificate.scan_before.as_ref().map_or(0, super::ScanFigures::hits);
        let control = format!("the scan that found {} originals before", grouped(before));
        let cells: u64 = certificate.uncovered_copies.iter().map(|copy| copy.cells).sum();
        let live = certificate.scan_after.as_ref().map_or(0, |scan| scan.live);
        match certificate.status {
            Status::Clean => {
                format!("In the files of the database {control} now finds 0")
            }
            Status::Limited => format!(
                "In the files that it read {control} now finds 0, but not everything was covered"
            ),
            Status::CameBack => format!(
                "Since the purge {} with originals again",
                counted(
                    certificate.came_back.iter().map(|column| column.cells).sum(),
                    "cell of its columns was found",
                    "cells of its columns were found"
                )
            ),
            Status::UncoveredCopies if cells > 0 => format!(
                "No residue was found, but {} outside the policy still hold such originals",
                counted(cells, "cell", "cells")
            ),
            Status::UncoveredCopies => format!(
                "No residue was found, but {} found {}",
                counted(live, "original was", "originals were"),
                live_places(self.grounds)
            ),
            Status::Residue => {
                let left = certificate.scan_after.as_ref().map_or(0, |scan| scan.residue);
                let left = left.max(self.grounds.residue_left);
                format!("{} survive in the files", counted(left, "original", "originals"))
            }
            Status::NotEvidence | Status::NotPurged => {
                "No scan proves that the originals are gone from the files".to_owned()
            }
        }
    }

    /// Values that a rollback put back.
    fn restored(&self) -> u64 {
        let entries = self.grounds.entries;
        let last = entries.iter().rfind(|entry| entry.action == Event::RolledBack.name());
        last.and_then(|entry| entry.counts.get("restored").copied()).unwrap_or_default()
    }

    fn put_back(&self) -> Vec<String> {
        let source = self.grounds.source;
        let restored = self.restored();
        let mut said = vec![Self::what_was_put_back(source, restored)];
        let was_done =
            |event: Event| self.grounds.entries.iter().any(|entry| entry.action == event.name());
        if was_done(Event::Sealed) {
            said.push(
                "What was sealed stays in the vault: tokens of it may have travelled".to_owned(),
            );
        }
        if was_done(Event::BackedUp) {
            said.push(
                "The encrypted backup stays in its folder until somebody removes it".to_owned(),
            );
        }
        said
    }

    fn what_was_put_back(source: &str, restored: u64) -> String {
        if restored == 0 {
            return format!("The run was given up before a value of `{source}` was replaced");
        }
        let (values, were) = match restored {
            1 => ("value", "was"),
            _ => ("values", "were"),
        };
        format!(
            "{} {values} {were} put back into `{source}` and compared with the backup",
            grouped(restored)
        )
    }

    fn next(&self) -> Option<String> {
        let run = self.grounds.run;
        if self.grounds.condition == Some(Condition::Paused) {
            return Some(format!("sealift resume {run}"));
        }
        match self.grounds.phase {
            Phase::Planned if self.grounds.plan.is_blocked => None,
            Phase::Planned => Some(format!("sealift approve {run}")),
            Phase::Approved | Phase::BackedUp | Phase::Sealed | Phase::Rewritten => {
                Some(format!("sealift run {run}"))
            }
            Phase::Verified if self.grounds.purge_needs > 0 => {
                Some(format!("sealift approve {run} --purge"))
            }
            Phase::Verified | Phase::PurgeApproved => {
                Some(format!("sealift purge {run} --confirm {run}"))
            }
            Phase::Purged => Some(format!("sealift report {run} --close")),
            Phase::RollingBack => Some(format!("sealift rollback {run}")),
            Phase::Closed | Phase::RolledBack => None,
        }
    }

    fn figures(&self) -> Vec<Figure> {
        let (found, left) = self.found();
        vec![self.values(), self.cells_verified(), found, left]
    }

    fn values(&self) -> Figure {
        if self.grounds.phase == Phase::RolledBack {
            return Figure {
                name: "values put back",
                number: Some(self.restored()),
                remark: "compared with the backup".to_owned(),
            };
        }
        let is_counted = self.counts.reconciles.is_some();
        let planned = self.grounds.plan.cells;
        Figure {
            name: if is_counted { "values moved" } else { "values to move" },
            number: Some(if is_counted { self.counts.part("tokenized") } else { planned }),
            remark: match self.counts.reconciles {
                Some(true) => {
                    format!("of {} in scope; they add up", cells(self.counts.cells))
                }
                Some(false) => {
                    format!("of {} in scope; they do not add up", cells(self.counts.cells))
                }
                None if self.grounds.phase.rank() < Phase::Sealed.rank() => {
                    "by the plan; nothing is rewritten yet".to_owned()
                }
                None => "by the plan; the rewrite is not finished".to_owned(),
            },
        }
    }

    fn cells_verified(&self) -> Figure {
        let passed = self.verification.passed;
        Figure {
            name: "cells verified",
            number: passed.map(|_| self.verification.opened),
            remark: match passed {
                Some(true) => "opened and compared, 0 mismatches".to_owned(),
                Some(false) => counted(self.verification.mismatches, "mismatch", "mismatches"),
                None => "not verified".to_owned(),
            },
        }
    }

    fn found(&self) -> (Figure, Figure) {
        let (before, after) = (&self.certificate.scan_before, &self.certificate.scan_after);
        let hits = |scan: &Option<super::ScanFigures>| scan.as_ref().map(super::ScanFigures::hits);
        let found = Figure {
            name: "originals in the files, before",
            number: hits(before),
            remark: match before {
                Some(_) => "the positive control: the scan can find them".to_owned(),
                None => "not scanned".to_owned(),
            },
        };
        let left = Figure {
            name: "originals in the files, after",
            number: hits(after),
            remark: match after {
                Some(scan) if scan.hits() == 0 => "the same scan, after the purge".to_owned(),
                Some(scan) if scan.residue == 0 => {
                    "all in rows that SQL sees, no residue".to_owned()
                }
                Some(scan) => format!("{} of them residue", grouped(scan.residue)),
                None => "not purged".to_owned(),
            },
        };
        (found, left)
    }

    fn limits(&self) -> Vec<String> {
        let certificate = self.certificate;
        let mut limits = Vec::new();
        if certificate.status == CertificateStatus::NotPurged {
            limits.push("files: nothing is claimed about originals in them".to_owned());
        }
        limits.extend(certificate.uncovered_copies.iter().map(|copy| {
            format!("`{}`: {} outside the policy hold originals", copy.column, cells(copy.cells))
        }));
        limits.extend(certificate.came_back.iter().map(|found| {
            format!("`{}`: {} again", found.column, counted(found.cells, "original", "originals"))
        }));
        limits.extend(certificate.not_covered.iter().cloned());
        limits.extend(certificate.doubts.iter().cloned());
        if let Some(scan) = &certificate.scan_after
            && scan.not_byte_searchable > 0
            && self.grounds.purge.is_some_and(|purge| purge.structure.is_some())
        {
            limits.push(format!(
                "{} too short to be searched for, or kept in bytes of their type: for these the \
                 proof is by structure",
                counted(scan.not_byte_searchable, "value is", "values are")
            ));
        }
        limits.extend(self.grounds.plan.outside.clone());
        limits.push("the medium below the file system is never covered by a claim".to_owned());
        limits.push(
            "dumps, replicas, snapshots and exports made before the run were not looked at, unless \
             they are among the files scanned"
                .to_owned(),
        );
        limits
    }
}

fn cells(number: u64) -> String {
    counted(number, "cell", "cells")
}
