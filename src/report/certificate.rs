//! The purge certificate: what is proven to be gone, at which level, and what was not covered.
//!
//! **Invariant:** [`CertificateStatus::Clean`], and with it the word CLEAN, needs all of it: a purge
//! on the ledger, the scan's verdict beside its control, cells that add up, a verification without
//! a mismatch, and nothing uncovered. [`status`] is the only place that decides it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::counts::{Reconciliation, VerificationPart};
use super::elsewhere::{self, ElsewhereLine};
use super::evidence::{
    BackupFate, ClaimLevel, PurgeFacts, PurgeStep, QuarantineFact, QuarantineState,
};
use super::grounds::Grounds;
use super::places::{self, PlaceLine};
use super::summary::Tone;
use crate::ledger::Entry;
use crate::lifecycle::Phase;
use crate::residue::{self, Doubt, FileClass, ScanReport, Verdict};
use crate::words::counted;

/// The action of the ledger entry of a scan that looked whether originals came back after a purge.
pub const CAME_BACK: &str = "came_back_scanned";

/// The action of the ledger entry of a restore: the originals of the run were put back on purpose.
pub const RESTORED: &str = "originals_restored";

/// The action of the ledger entry of a restore that begins: some originals of the run may be back.
pub const RESTORING: &str = "originals_restoring";

/// How many files that were not read are named.
const SKIPPED_MAX: usize = 40;

/// What a purge proves, and what not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Certificate {
    /// The outcome.
    pub status: CertificateStatus,
    /// The outcome as readers see it.
    pub word: &'static str,
    /// The outcome in a sentence.
    pub statement: String,
    /// The three claim levels.
    pub claims: Vec<Claim>,
    /// The steps of the purge.
    pub steps: Vec<PurgeStep>,
    /// The scan before the purge.
    pub scan_before: Option<ScanFigures>,
    /// The scan after it.
    pub scan_after: Option<ScanFigures>,
    /// Originals found by both, by the kind of place they lay in.
    pub places: Vec<PlaceLine>,
    /// Why a zero would not be evidence.
    pub doubts: Vec<String>,
    /// In-scope values in columns outside the policy.
    pub uncovered_copies: Vec<CopyLine>,
    /// Originals that later scans of the run found in its own columns.
    pub came_back: Vec<CopyLine>,
    /// Copies of the vault from between the plan and the end of the purge: each holds the wrapped key
    /// that opened the run's backup.
    pub vault_copies: Vec<VaultCopyLine>,
    /// Copies of the source that lie elsewhere, each with its owner, its last day, and how it is known.
    /// One that nobody is named for is not covered.
    pub elsewhere: Vec<ElsewhereLine>,
    /// What was not covered, a sentence each.
    pub not_covered: Vec<String>,
}

/// The outcome of a purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateStatus {
    /// There was none.
    NotPurged,
    /// Originals survive.
    Residue,
    /// Nothing was found, and that proves nothing.
    NotEvidence,
    /// No residue, but copies in columns outside the policy.
    UncoveredCopies,
    /// Originals stand in the run's columns again: written since, found by a scan of the run.
    CameBack,
    /// No residue, but something was not covered.
    Limited,
    /// The files are proven to be free of originals, and nothing was left uncovered.
    Clean,
}

/// One claim level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Claim {
    /// The level.
    pub level: ClaimLevel,
    /// Whether it is proven.
    pub state: ClaimState,
    /// What is claimed, or why nothing is.
    pub statement: String,
}

/// Whether a claim is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// It is.
    Proven,
    /// It is, but for what is listed as not covered.
    Limited,
    /// It is not.
    NotProven,
    /// It cannot be yet.
    Pending,
    /// It never is: nobody could prove it from here.
    NotClaimed,
}

/// The figures of one residue scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScanFigures {
    /// Values that were searched for.
    pub values_searched: u64,
    /// Values that no byte scan can search for.
    pub not_byte_searchable: u64,
    /// Hits outside live content.
    pub residue: u64,
    /// Hits inside live content.
    pub live: u64,
    /// The files that were read.
    pub files: Vec<ScannedFile>,
}

/// One file of a scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScannedFile {
    /// Its name, without folders.
    pub name: String,
    /// What kind of file it is.
    pub class: FileClass,
    /// How many bytes were read: all of them.
    pub bytes: u64,
    /// SHA-256 of them.
    pub sha256: String,
    /// Hits outside live content.
    pub residue: u64,
    /// Hits inside live content.
    pub live: u64,
    /// All hits by the table or index that they lie in, where that is known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub owners: BTreeMap<String, u64>,
}

/// In-scope values in a column outside the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CopyLine {
    /// The column.
    pub column: String,
    /// How many cells hold one.
    pub cells: u64,
}

/// A copy of the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VaultCopyLine {
    /// When it was on the ledger.
    pub at: String,
    /// Its file, as it was named then.
    pub file: String,
    /// Its hash, in hex.
    pub sha256: String,
}

impl Certificate {
    pub(super) fn of(
        grounds: &Grounds<'_>,
        counts: &Reconciliation,
        verification: &VerificationPart,
    ) -> Self {
        let purge = purged(grounds);
        let verdict = match (grounds.residue_before, grounds.residue_after) {
            (Some(before), Some(after)) => Some(residue::Evidence::weigh(before, after)),
            _ => None,
        };
        let not_covered = purge
            .map(|purge| not_covered(grounds, purge, counts, verification))
            .unwrap_or_default();
        // A purge that found residue has not moved the run along.
        let residue_left = if purge.is_none() { grounds.residue_left } else { 0 };
        let came_back = purge.map(|_| came_back(grounds.entries)).unwrap_or_default();
        let status = match status(purge, residue_left, verdict.as_ref(), &not_covered) {
            // What was found since does not make worse what was bad already.
            status @ (CertificateStatus::Residue | CertificateStatus::NotPurged) => status,
            _ if !came_back.is_empty() => CertificateStatus::CameBack,
            status => status,
        };
        Self {
            status,
            word: status.word(),
            statement: status.statement(grounds),
            claims: ClaimLevel::ALL
                .map(|level| claim(grounds, level, status, counts, verification))
                .to_vec(),
            steps: purge.map(|purge| purge.steps.clone()).unwrap_or_default(),
            scan_before: grounds.residue_before.map(ScanFigures::of),
            scan_after: grounds.residue_after.map(ScanFigures::of),
            places: places::lines(grounds.residue_before, grounds.residue_after),
            doubts: doubts(verdict.as_ref()),
            uncovered_copies: purge.map(copies).unwrap_or_default(),
            came_back,
            vault_copies: purge.map(|purge| purge.vault_copies.clone()).unwrap_or_default(),
            elsewhere: purge.map(|it| elsewhere::lines(grounds, it)).unwrap_or_default(),
            not_covered,
        }
    }
}

/// The most that any scan of the run found in each of its columns, and what was put back on purpose.
fn came_back(entries: &[Entry]) -> Vec<CopyLine> {
    let mut columns = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.action == CAME_BACK) {
        let found = entry.details.get("columns").and_then(|columns| columns.as_object());
        for (column, cells) in found.into_iter().flatten() {
            let most = columns.entry(column.clone()).or_insert(0);
            *most = cells.as_u64().unwrap_or(0).max(*most);
        }
    }
    let mut lines: Vec<CopyLine> =
        columns.into_iter().map(|(column, cells)| CopyLine { column, cells }).collect();
    let mut restores: BTreeMap<&str, (bool, u64)> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| [RESTORING, RESTORED].contains(&&*entry.action)) {
        let by = entry.details.get("by").and_then(|by| by.as_str()).unwrap_or_default();
        let cells = entry.counts.get("restored").copied().unwrap_or_default();
        restores.insert(by, (entry.action == RESTORED, cells));
    }
    for (by, (has_ended, cells)) in restores {
        let how_far = if has_ended { "" } else { ", which has not ended, up to" };
        let column = format!("every column of the run, by restore {by}{how_far}");
        lines.push(CopyLine { column, cells });
    }
    lines
}

/// The facts of a purge that the ledger knows of.
fn purged<'e>(grounds: &Grounds<'e>) -> Option<&'e PurgeFacts> {
    let is_past = matches!(grounds.phase, Phase::Purged | Phase::Closed);
    grounds.purge.filter(|_| is_past)
}

fn status(
    purge: Option<&PurgeFacts>,
    residue_left: u64,
    verdict: Option<&Verdict>,
    not_covered: &[String],
) -> CertificateStatus {
    use CertificateStatus as Status;
    if residue_left > 0 {
        return Status::Residue;
    }
    let Some(purge) = purge else { return Status::NotPurged };
    match verdict {
        Some(Verdict::Residue { .. }) => Status::Residue,
        None | Some(Verdict::NotEvidence { .. }) => Status::NotEvidence,
        Some(Verdict::UncoveredCopies { .. }) => Status::UncoveredCopies,
        Some(Verdict::Clean { .. }) if !purge.uncovered_copies.is_empty() => {
            Status::UncoveredCopies
        }
        Some(Verdict::Clean { .. }) if !not_covered.is_empty() => Status::Limited,
        Some(Verdict::Clean { .. }) => Status::Clean,
    }
}

fn not_covered(
    grounds: &Grounds<'_>,
    purge: &PurgeFacts,
    counts: &Reconciliation,
    verification: &VerificationPart,
) -> Vec<String> {
    let mut list = purge.not_covered.clone();
    if let Some(scan) = grounds.residue_after {
        let named = scan.skipped.iter().take(SKIPPED_MAX);
        list.extend(named.map(|skipped| format!("{}: {}", skipped.name, skipped.why)));
        let more = scan.skipped.len().saturating_sub(SKIPPED_MAX) as u64;
        if more > 0 {
            list.push(format!("{} more", counted(more, "file", "files")));
        }
    }
    let left: Vec<_> = grounds
        .quarantine
        .iter()
        .filter(|row| !matches!(row.state, QuarantineState::Replayed))
        .collect();
    if !left.is_empty() {
        let cells: u64 = left.iter().map(|row| row.cells).sum();
        list.push(format!(
            "{} left in quarantine, with {} in {}",
            counted(left.len() as u64, "row", "rows"),
            counted(cells, "original", "originals"),
            if left.len() == 1 { "it" } else { "them" }
        ));
    }
    if let BackupFate::KeptUntil(until) = &purge.backup {
        list.push(format!("the encrypted backup of the originals, kept until {until}"));
    }
    let unsearched = grounds.residue_after.map_or(0, |scan| scan.not_byte_searchable.total());
    match purge.structure {
        Some(facts) if facts.pages_with_remains > 0 => list.push(format!(
            "pages whose unused part is not empty: {} of {}",
            facts.pages_with_remains, facts.pages
        )),
        None if unsearched > 0 => list.push(format!(
            "values too short, or of a type whose bytes are not searched for, without a proof by \
             structure: {unsearched}"
        )),
        Some(_) | None => {}
    }
    // What can be searched for was searched for there; the rest could have gone by this step alone.
    let short = purge.steps.iter().filter(|step| step.falls_short && unsearched > 0);
    list.extend(short.map(|step| {
        format!(
            "{}: {}; of the values that cannot be searched for, {unsearched} in all, some may be \
             there",
            step.name, step.outcome
        )
    }));
    list.extend(elsewhere::unnamed(purge));
    if counts.reconciles != Some(true) {
        list.push("cells: their counts do not add up".to_owned());
    }
    if verification.passed != Some(true) {
        list.push("cells: no verification without a mismatch is on record".to_owned());
    }
    list
}

fn claim(
    grounds: &Grounds<'_>,
    level: ClaimLevel,
    status: CertificateStatus,
    counts: &Reconciliation,
    verification: &VerificationPart,
) -> Claim {
    let (state, conclusion) = match level {
        ClaimLevel::Logical => logical(status, counts, verification),
        ClaimLevel::DatabaseFiles => database_files(grounds, status),
        ClaimLevel::Media => (
            ClaimState::NotClaimed,
            "never claimed: file systems, solid-state disks and snapshots keep blocks that no \
             database can reach; encrypt or sanitise the medium"
                .to_owned(),
        ),
    };
    let added = purged(grounds).and_then(|purge| purge.statements.get(&level));
    let statement = match added {
        Some(added) => format!("{conclusion}. {added}"),
        None => conclusion,
    };
    Claim { level, state, statement }
}

fn logical(
    status: CertificateStatus,
    counts: &Reconciliation,
    verification: &VerificationPart,
) -> (ClaimState, String) {
    let (state, conclusion) = if status == CertificateStatus::NotPurged {
        (ClaimState::Pending, "nothing is claimed before the purge")
    } else if status == CertificateStatus::CameBack {
        (ClaimState::NotProven, "originals stand in columns of the run again")
    } else if counts.reconciles != Some(true) || verification.passed != Some(true) {
        (ClaimState::NotProven, "the counts or the verification are not in order")
    } else if counts.quarantine.iter().any(|row| row.state != "replayed") {
        (
            ClaimState::Limited,
            "every cell in scope is NULL, empty by policy or a token, but for rows in quarantine",
        )
    } else {
        (ClaimState::Proven, "every cell in scope is NULL, empty by policy or a token that opens")
    };
    (state, conclusion.to_owned())
}

fn database_files(grounds: &Grounds<'_>, status: CertificateStatus) -> (ClaimState, String) {
    use CertificateStatus as Status;
    let (state, conclusion) = match status {
        Status::NotPurged => (ClaimState::Pending, "nothing is claimed before the purge"),
        Status::Residue => (ClaimState::NotProven, "originals survive in the files scanned"),
        Status::NotEvidence => (
            ClaimState::NotProven,
            "there are not two scans that prove anything together: see the doubts",
        ),
        Status::UncoveredCopies => {
            let lives = format!("no residue, but originals live on {}", live_places(grounds));
            return (ClaimState::Limited, lives);
        }
        Status::CameBack => (
            ClaimState::NotProven,
            "originals were written again since the purge, and with them into the files",
        ),
        Status::Limited => {
            (ClaimState::Limited, "no residue in the files scanned, but for what was not covered")
        }
        Status::Clean => (
            ClaimState::Proven,
            "the same scan found originals before and finds none now, in any file of the database",
        ),
    };
    (state, conclusion.to_owned())
}

/// Where originals that SQL still sees can be: what is known of them, and no more.
pub(super) fn live_places(grounds: &Grounds<'_>) -> &'static str {
    let has_copies = purged(grounds).is_some_and(|purge| !purge.uncovered_copies.is_empty());
    let is_left = |row: &QuarantineFact| !matches!(row.state, QuarantineState::Replayed);
    match (has_copies, grounds.quarantine.iter().any(is_left)) {
        (true, false) => "in columns outside the policy",
        (true, true) => "in columns outside the policy and in rows left in quarantine",
        (false, true) => "in rows left in quarantine, or inside longer values of other columns",
        (false, false) => {
            "inside longer values of columns outside the policy, or as words of the server's own \
             catalogs and settings"
        }
    }
}

/// Whether somebody keeps copies elsewhere.
fn has_copies(grounds: &Grounds<'_>) -> bool {
    purged(grounds).is_some_and(|purge| !purge.elsewhere.is_empty())
}

fn doubts(verdict: Option<&Verdict>) -> Vec<String> {
    let reasons = match verdict {
        Some(Verdict::NotEvidence { reasons }) => reasons.as_slice(),
        Some(Verdict::Clean { .. } | Verdict::UncoveredCopies { .. } | Verdict::Residue { .. })
        | None => &[],
    };
    reasons
        .iter()
        .map(|doubt| match doubt {
            Doubt::OtherConfig => "the two scans did not look in the same way".to_owned(),
            Doubt::OtherValues => "the two scans did not look for the same values".to_owned(),
            Doubt::NoValues => "no value was searched for".to_owned(),
            Doubt::NoDatabase => "the database file is not among the files scanned".to_owned(),
            Doubt::NoControl(class) => format!(
                "the scan before found nothing in files of class {}, so a zero there now is no \
                 evidence",
                class_title(*class)
            ),
        })
        .collect()
}

fn copies(purge: &PurgeFacts) -> Vec<CopyLine> {
    purge
        .uncovered_copies
        .iter()
        .map(|copy| CopyLine { column: copy.column.to_string(), cells: copy.cells })
        .collect()
}

/// What readers call a class of files.
pub(super) fn class_title(class: FileClass) -> &'static str {
    match class {
        FileClass::Database => "database",
        FileClass::Wal => "write-ahead log",
        FileClass::SharedMemory => "shared memory",
        FileClass::Journal => "journal",
        FileClass::SuperJournal => "super-journal",
        FileClass::Other => "other",
        FileClass::ServerLog => "server log",
        FileClass::ServerFiles => "other files of the server",
    }
}

impl ScanFigures {
    fn of(scan: &ScanReport) -> Self {
        let files: Vec<ScannedFile> = scan
            .files
            .iter()
            .map(|file| ScannedFile {
                name: file.name.clone(),
                class: file.class,
                bytes: file.bytes,
                sha256: file.sha256.clone(),
                residue: file.hits.residue(),
                live: file.hits.live,
                owners: file.by_owner.clone(),
            })
            .collect();
        Self {
            values_searched: scan.values_searched,
            not_byte_searchable: scan.not_byte_searchable.total(),
            residue: files.iter().map(|file| file.residue).sum(),
            live: files.iter().map(|file| file.live).sum(),
            files,
        }
    }

    /// All hits.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.residue + self.live
    }
}

impl CertificateStatus {
    /// The outcome in a word or three.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NotPurged => "NOT PURGED",
            Self::Residue => "RESIDUE",
            Self::NotEvidence => "PURGED, NOT PROVEN",
            Self::UncoveredCopies => "PURGED, COPIES REMAIN",
            Self::CameBack => "PURGED, ORIGINALS CAME BACK",
            Self::Limited => "PURGED, WITH LIMITS",
            Self::Clean => "CLEAN",
        }
    }

    /// How the outcome is to be taken.
    #[must_use]
    pub fn tone(self) -> Tone {
        match self {
            Self::NotPurged => Tone::Quiet,
            Self::Residue | Self::CameBack => Tone::Bad,
            Self::NotEvidence | Self::UncoveredCopies | Self::Limited => Tone::Warn,
            Self::Clean => Tone::Good,
        }
    }

    fn statement(self, grounds: &Grounds<'_>) -> String {
        let statement = match self {
            Self::NotPurged => "originals have not been purged; nothing is claimed about them",
            Self::Residue => "originals survive in the files of the database",
            Self::NotEvidence => "the purge ran, and no scan proves that the originals are gone",
            Self::UncoveredCopies => {
                let places = live_places(grounds);
                return format!("no residue was found, but originals live on {places}");
            }
            Self::CameBack => {
                "the purge is on record, and originals were found in its columns since"
            }
            Self::Limited => "no residue was found, but not everything was covered",
            Self::Clean if has_copies(grounds) => {
                "no original in scope is left in the files of the database; copies elsewhere are \
                 with the owners that are listed, and the medium below is not covered by any claim"
            }
            Self::Clean => {
                "no original in scope is left in the files of the database; the medium below them \
                 is not covered by any claim"
            }
        };
        statement.to_owned()
    }
}

impl ClaimState {
    /// What readers call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Limited => "proven, with limits",
            Self::NotProven => "not proven",
            Self::Pending => "pending",
            Self::NotClaimed => "not claimed",
        }
    }
}
