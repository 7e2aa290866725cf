//! How it is done, what it costs, and how to come back.

use serde::{Deserialize, Serialize};

use super::{PlanFacts, counted};
use crate::plan::{Strategy, StrategyCost, Unit, UnitMode, Walk, readable_bytes, readable_ms};
use crate::policy::{CopyKind, CopyRule};

/// One piece of the work: tables that are rewritten together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitLine {
    /// Its place in the order of the work, from 1.
    pub order: u64,
    /// Its tables, parents of foreign keys first.
    pub tables: Vec<String>,
    /// Their rows.
    pub rows: u64,
    /// How it is rewritten.
    pub mode: UnitMode,
    /// Whether its table is filled anew instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_rebuilt: bool,
    /// How rows are found and how much is written at once.
    pub how: String,
    /// What other users of the database notice.
    pub noticed: String,
}

/// What it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EstimatePart {
    /// Each pass, in order.
    pub passes: Vec<PassLine>,
    /// Each place on disk.
    pub disk: Vec<DiskLine>,
    /// Free space that is needed in all, in bytes; the places are not full at the same time.
    pub disk_needed_bytes: u64,
    /// Free space that there is beside the source, where known.
    pub disk_free_bytes: Option<u64>,
    /// What is locked, and for how long.
    pub locks: Vec<LockLine>,
    /// What each strategy would cost; empty where there is only one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strategies: Vec<StrategyLine>,
    /// What the figures rest on.
    pub assumptions: Vec<String>,
}

/// One strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyLine {
    /// Its name on the command line.
    pub strategy: String,
    /// Whether it is the one that is planned.
    pub is_chosen: bool,
    /// Why it is not possible; empty where it is.
    pub refused: Vec<String>,
    /// How long the rewrite takes, in milliseconds.
    pub ms: u64,
    /// What it writes into the write-ahead log, in bytes.
    pub wal_bytes: u64,
    /// What the server needs on disk meanwhile, in bytes.
    pub disk_bytes: u64,
    /// Who waits, and for how long at a stretch.
    pub locks: String,
}

impl StrategyLine {
    fn of(cost: &StrategyCost, chosen: Strategy) -> Self {
        let ms = readable_ms(cost.lock_ms);
        Self {
            strategy: cost.strategy.name().to_owned(),
            is_chosen: cost.strategy == chosen,
            refused: cost.refused.clone(),
            ms: cost.rewrite_ms,
            wal_bytes: cost.wal_bytes,
            disk_bytes: cost.disk_bytes,
            locks: match cost.strategy {
                Strategy::InPlace => format!("writers of the same rows wait up to {ms}"),
                Strategy::Rebuild => format!("readers and writers of a table wait {ms}"),
            },
        }
    }

    /// What it costs, in words.
    #[must_use]
    pub fn sentence(&self) -> String {
        let chosen = if self.is_chosen { ", as planned" } else { "" };
        if !self.refused.is_empty() {
            return format!(
                "`{}`{chosen} is not possible: {}",
                self.strategy,
                self.refused.join("; ")
            );
        }
        format!(
            "`{}`{chosen}: the rewrite takes {}, writes {} of log, needs {} of disk meanwhile; {}",
            self.strategy,
            readable_ms(self.ms),
            readable_bytes(self.wal_bytes),
            readable_bytes(self.disk_bytes),
            self.locks
        )
    }
}

/// One pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassLine {
    /// Its name.
    pub pass: String,
    /// What it does.
    pub does: String,
    /// How long it takes, in milliseconds.
    pub ms: u64,
}

/// One place on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskLine {
    /// Where.
    pub place: String,
    /// How much, in bytes.
    pub bytes: u64,
    /// Until when.
    pub until: String,
}

/// One lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockLine {
    /// When it is held.
    pub when: String,
    /// Who waits.
    pub waits: String,
    /// How long at a stretch, in milliseconds.
    pub ms: u64,
}

/// One step of the way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayBackStep {
    /// Until when it holds.
    pub stage: String,
    /// What brings everything back; empty where nothing has to be brought back, or can be.
    pub command: String,
    /// What it does, what it costs, what is lost.
    pub what: String,
    /// Whether the originals can be put back by it.
    pub is_open: bool,
}

pub(super) fn units(facts: &PlanFacts<'_>) -> Vec<UnitLine> {
    facts.plan.units.iter().zip(1..).map(|(unit, order)| unit_line(unit, order)).collect()
}

fn unit_line(unit: &Unit, order: u64) -> UnitLine {
    let (how, noticed) = match unit.mode {
        UnitMode::Ranges if unit.strategy == Strategy::Rebuild => (
            "filled anew in one transaction: emptied, loaded with tokens, its indexes and foreign \
             keys made again"
                .to_owned(),
            "readers and writers wait until it is done".to_owned(),
        ),
        UnitMode::Ranges => (
            format!(
                "in ranges of {}, in batches of 2,000 rows at first and more while nobody else \
                 writes, each in a short transaction",
                unit.tables.iter().map(|table| walk(&table.walk)).collect::<Vec<_>>().join(", ")
            ),
            "readers go on; a writer waits for one batch at the most; a row that changes meanwhile \
             is read again, never overwritten"
                .to_owned(),
        ),
        UnitMode::Window => (
            format!(
                "in one transaction under the write lock, by {}",
                unit.tables.iter().map(|table| walk(&table.walk)).collect::<Vec<_>>().join(", ")
            ),
            "writers wait until it is done; readers see it all at once".to_owned(),
        ),
    };
    UnitLine {
        order,
        tables: unit.tables.iter().map(|table| table.table.to_string()).collect(),
        rows: unit.tables.iter().map(|table| table.rows).sum(),
        mode: unit.mode,
        is_rebuilt: unit.strategy == Strategy::Rebuild,
        how,
        noticed,
    }
}

fn walk(walk: &Walk) -> String {
    match walk {
        Walk::Key(columns) => {
            columns.iter().map(|column| format!("`{column}`")).collect::<Vec<_>>().join(" and ")
        }
        Walk::RowId => "where each row lies".to_owned(),
        Walk::ScopedKey(_) => "its key, which is itself in scope".to_owned(),
    }
}

impl EstimatePart {
    pub(super) fn of(facts: &PlanFacts<'_>) -> Self {
        let estimate = &facts.plan.estimate;
        Self {
            passes: passes(facts),
            disk: disk(facts),
            disk_needed_bytes: estimate.disk_needed_bytes,
            disk_free_bytes: facts.facts.disk_free_bytes,
            locks: locks(facts),
            strategies: facts
                .plan
                .strategies
                .iter()
                .map(|cost| StrategyLine::of(cost, facts.strategy))
                .collect(),
            assumptions: estimate.assumptions.clone(),
        }
    }
}

fn passes(facts: &PlanFacts<'_>) -> Vec<PassLine> {
    let times = facts.plan.estimate.passes;
    let pass = |pass: &str, does: &str, ms: u64| PassLine {
        pass: pass.to_owned(),
        does: does.to_owned(),
        ms,
    };
    vec![
        pass(
            "backup",
            "originals into encrypted files; the scan that has to find them before they go",
            times.backup_ms,
        ),
        pass("seal", "from those files into the vault; the source is not touched", times.seal_ms),
        pass("rewrite", "tokens into the source", times.rewrite_ms),
        pass("verify", "every cell's token opened and compared with the backup", times.verify_ms),
        pass(
            "purge",
            "later, with an approval of its own: verified once more under the lock, files \
             rewritten and searched",
            times.purge_ms,
        ),
    ]
}

fn disk(facts: &PlanFacts<'_>) -> Vec<DiskLine> {
    let estimate = &facts.plan.estimate;
    let place = |place: &str, bytes: u64, until: &str| DiskLine {
        place: place.to_owned(),
        bytes,
        until: until.to_owned(),
    };
    let days = facts.policy.backup.retention_days;
    let backup_until = if days == 0 {
        "until the purge, which destroys it".to_owned()
    } else {
        format!("until {} after the purge", counted(u64::from(days), "day"))
    };
    vec![
        place("vault", estimate.vault_bytes, "for good"),
        place("backup files", estimate.backup_bytes, &backup_until),
        place("token files", estimate.token_file_bytes, &backup_until),
        place("stage files", estimate.stage_bytes, "while the vault is filled"),
        place("verification buckets", estimate.bucket_bytes, "while it verifies"),
        place(
            "journal of the source",
            estimate.journal_bytes,
            "while it is rewritten, at the most",
        ),
        place("second copy of the source", estimate.purge_bytes, "while it is purged, at the most"),
    ]
}

fn locks(facts: &PlanFacts<'_>) -> Vec<LockLine> {
    let estimate = &facts.plan.estimate;
    let has = |mode: UnitMode| facts.plan.units.iter().any(|unit| unit.mode == mode);
    let lock = |when: &str, waits: &str, ms: u64| LockLine {
        when: when.to_owned(),
        waits: waits.to_owned(),
        ms,
    };
    let mut locks = Vec::new();
    if facts.plan.units.iter().any(|unit| unit.strategy == Strategy::Rebuild) {
        locks.push(lock(
            "rewrite, while a table is filled anew",
            "its readers and writers",
            estimate.lock_ms,
        ));
    } else if has(UnitMode::Window) {
        locks.push(lock(
            "rewrite, the largest piece in one transaction",
            "writers",
            estimate.lock_ms,
        ));
    } else if has(UnitMode::Ranges) {
        locks.push(lock("rewrite, the longest batch", "writers", estimate.lock_ms));
    }
    locks.push(lock(
        "purge, from its verification on",
        "readers and writers",
        estimate.passes.purge_ms,
    ));
    locks
}

/// What brings everything back, stage by stage.
pub(super) fn way_back(facts: &PlanFacts<'_>) -> Vec<WayBackStep> {
    let run = facts.recorded.map_or_else(|| "RUN".to_owned(), |recorded| recorded.run.to_string());
    let rollback = format!("sealift rollback {run}");
    let times = facts.plan.estimate.passes;
    let back_ms = times.rewrite_ms + times.verify_ms;
    let step = |stage: &str, command: &str, what: String, is_open: bool| WayBackStep {
        stage: stage.to_owned(),
        command: command.to_owned(),
        what,
        is_open,
    };
    vec![
        step(
            "until the rewrite begins",
            &rollback,
            "the source has not been written to; the run's files are removed, and what the vault \
             holds stays there"
                .to_owned(),
            true,
        ),
        step(
            "from the rewrite to the purge",
            &rollback,
            format!(
                "every cell that this run changed gets its original from the backup, beside other \
                 users as on the way in, and is verified; about {}. Rows that others changed \
                 meanwhile keep what is newer. Tokens that left the database stay openable",
                readable_ms(back_ms)
            ),
            true,
        ),
        step("the purge itself", "", purge(facts), false),
        step(
            "after the purge",
            &format!("sealift restore {run} --reason REASON"),
            format!(
                "{}the values are read from the vault, under a purpose and one request at a time. \
                 Whole tables come back by a run of its own, which approvers sign; what the purge \
                 has proven does not hold any more then",
                match facts.policy.backup.retention_days {
                    0 => "the backup is destroyed: ".to_owned(),
                    days => format!(
                        "the backup can still be opened for {}; apart from it ",
                        counted(u64::from(days), "day")
                    ),
                }
            ),
            true,
        ),
    ]
}

/// What the purge will do, and what stands before it.
fn purge(facts: &PlanFacts<'_>) -> String {
    let policy = facts.policy;
    let backup = match policy.backup.retention_days {
        0 => "then destroys the backup and the key that opens it".to_owned(),
        days => format!("leaves the backup for {}", counted(u64::from(days), "day")),
    };
    let mut said = match facts.catalog.postgres {
        Some(_) => on_postgres(facts, &backup),
        None => vec![on_sqlite(facts, &backup)],
    };
    if !policy.purge.scan.is_empty() {
        said.push(format!("it searches {} too", policy.purge.scan.join(", ")));
    }
    said.extend(elsewhere(facts));
    said.push(
        "it copies the vault beside the backup and tries the copy out before the backup goes"
            .to_owned(),
    );
    said.push(match policy.approval.purge {
        0 => "the policy asks for no approval of it".to_owned(),
        needed => format!("it needs {} of its own", counted(u64::from(needed), "signature")),
    });
    if policy.approval.purge_wait_s > 0 {
        said.push(format!(
            "it waits {} after that",
            readable_ms(policy.approval.purge_wait_s.saturating_mul(1_000))
        ));
    }
    if policy.approval.legal_hold {
        said.push("the policy has a legal hold: it is refused while that is set".to_owned());
    }
    said.push(
        "it needs a second way to unlock the vault that was tried since this plan".to_owned(),
    );
    said.join("; ")
}

/// Copies that lie elsewhere: who keeps them, and which of those that the server shows nobody keeps.
fn elsewhere(facts: &PlanFacts<'_>) -> Vec<String> {
    let named = &facts.policy.elsewhere;
    let has = |kind: CopyKind| named.iter().any(|copy| copy.kind == kind);
    let setting = |name: &str| {
        let mut settings = facts.catalog.settings.iter();
        settings.find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    };
    let mut said = Vec::new();
    if !named.is_empty() {
        let copies = named.iter().map(|copy| {
            let CopyRule { kind, name, owner, expires } = copy;
            format!("{} `{name}` ({owner}, until {expires})", kind.name())
        });
        let copies: Vec<String> = copies.collect();
        said.push(format!("it lists copies elsewhere with their owners: {}", copies.join(", ")));
    }
    let mut nobody = Vec::new();
    let is_some = |value: Option<&str>, none: &str| value.is_some_and(|value| value != none);
    if is_some(setting("archive_mode"), "off") && !has(CopyKind::Archive) {
        nobody.push("the archive of the server's log");
    }
    if is_some(setting("standbys"), "0") && !has(CopyKind::Replica) {
        nobody.push("replicas");
    }
    if is_some(setting("slots"), "") && !has(CopyKind::Slot) {
        nobody.push("replication slots");
    }
    if !nobody.is_empty() {
        said.push(format!(
            "nobody is named who keeps {}, and until when: the certificate will not say CLEAN unless \
             `[[elsewhere]]` of the policy or `purge --elsewhere` does",
            nobody.join(", ")
        ));
    }
    said
}

fn on_sqlite(facts: &PlanFacts<'_>, backup: &str) -> String {
    let estimate = &facts.plan.estimate;
    format!(
        "it locks the database against readers and writers for about {}, opens every token once \
         more, writes the whole file a second time ({} beside it), empties the journal, searches \
         the bytes for the originals, and {backup}",
        readable_ms(estimate.passes.purge_ms),
        readable_bytes(estimate.purge_bytes),
    )
}

/// Tables are rewritten one after another; each is locked for its share of the time.
fn on_postgres(facts: &PlanFacts<'_>, backup: &str) -> Vec<String> {
    let estimate = &facts.plan.estimate;
    let tables: Vec<_> = facts.plan.units.iter().flat_map(|unit| &unit.tables).collect();
    let rows: u64 = tables.iter().map(|table| table.rows).sum();
    let locks: Vec<String> = tables
        .iter()
        .map(|table| {
            let share = estimate.passes.purge_ms.saturating_mul(table.rows) / rows.max(1);
            format!("`{}` {}", table.table, readable_ms(share.max(1)))
        })
        .collect();
    vec![
        format!(
            "it locks the tables against writers while every token is opened once more, then each \
             against readers too while it is written anew, for about: {}",
            locks.join(", ")
        ),
        "it refreshes materialised views and renews statistics".to_owned(),
        "it has the server write its memory to disk and remove its log of changes: nothing can be \
         restored to a moment before the purge afterwards, and base backups from before it still \
         hold originals"
            .to_owned(),
        format!(
            "it needs {} of free space where the server keeps its data; to read the server's files \
             and to retire its log it needs a superuser, else the certificate says what is missing",
            readable_bytes(estimate.purge_bytes)
        ),
        format!("it searches every file that it can read for the originals, and {backup}"),
    ]
}
