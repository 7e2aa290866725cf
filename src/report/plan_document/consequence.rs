//! What is accepted by signing, and what the change does not protect against.

use serde::{Deserialize, Serialize};

use super::scope::equal_values_show;
use super::{PlanFacts, counted, listed};
use crate::catalog::TableKind;
use crate::plan::{ColumnPlan, Unit, UnitMode, Verdict, Walk};
use crate::policy::TokenKind;

/// Names in a sentence; the rest is in the tables above it.
const NAMES_MAX: usize = 8;

/// The scan over the files cannot search for what is shorter.
const SEARCHED_BYTES_MIN: u64 = 8;

/// Something that somebody chose, and that a signature accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// What it is about.
    pub about: String,
    /// What is accepted.
    pub statement: String,
    /// Who chose it.
    pub chosen_by: String,
}

/// Something that this change does not protect against, here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitLine {
    /// What it is about.
    pub about: String,
    /// What remains.
    pub statement: String,
}

pub(super) fn accepted(facts: &PlanFacts<'_>) -> Vec<Acceptance> {
    let policy = facts.policy;
    let mut accepted = Vec::new();
    let mut add = |about: &str, statement: String| {
        accepted.push(Acceptance {
            about: about.to_owned(),
            statement,
            chosen_by: "the policy".to_owned(),
        });
    };
    if policy.approval.plan == 0 {
        add("approval of the plan", "none is asked for: one person alone starts the run".into());
    }
    if policy.approval.purge == 0 {
        add(
            "approval of the purge",
            "none is asked for: one person alone ends the way back".into(),
        );
    }
    for column in facts.plan.columns.iter().filter(|column| !column.waived.is_empty()) {
        add(
            &column.name.to_string(),
            format!(
                "the leakage gate is waived: {} in {}, the most frequent in up to {:.1} % of them",
                counted(column.distinct, "distinct value"),
                counted(column.cells, "cell"),
                column.top_share * 100.0
            ),
        );
    }
    for rule in policy.columns.iter().filter(|rule| rule.lossy_ok) {
        add(
            &rule.name.to_string(),
            "values with one normal form open to one of them: a rollback brings each back as it \
             was spelled, from the backup, and once that is gone nothing does"
                .into(),
        );
    }
    for table in policy.tables.iter().filter(|table| !table.suppress_triggers.is_empty()) {
        add(
            &table.name.to_string(),
            format!(
                "triggers do not fire for the rewrite: {}",
                listed(&table.suppress_triggers, NAMES_MAX)
            ),
        );
    }
    if policy.backup.retention_days > 0 {
        add(
            "backup",
            format!(
                "the encrypted originals are kept for {} after the purge",
                counted(u64::from(policy.backup.retention_days), "day")
            ),
        );
    }
    if !policy.backup.recipients.is_empty() {
        let keys = policy.backup.recipients.len() as u64;
        add("backup", format!("{} outside the vault can open it", counted(keys, "further key")));
    }
    if policy.limits.quarantine_max > 0 {
        add(
            "quarantine",
            format!(
                "up to {} may keep their originals until somebody deals with them",
                counted(policy.limits.quarantine_max, "row")
            ),
        );
    }
    for purpose in policy.purposes.iter().filter(|purpose| purpose.pass_originals) {
        add(
            &format!("purpose {}", purpose.name),
            "a value that is no token is returned as it is".into(),
        );
    }
    accepted.extend(warned(facts));
    accepted
}

/// A warning that is signed is accepted, whoever chose what it warns of.
fn warned(facts: &PlanFacts<'_>) -> Option<Acceptance> {
    let warnings = facts.plan.findings.iter().filter(|found| found.verdict == Verdict::Warns);
    let warnings = warnings.count() as u64;
    (warnings > 0).then(|| Acceptance {
        about: "findings".to_owned(),
        statement: format!("{} that stand under Findings", counted(warnings, "warning")),
        chosen_by: "who signs".to_owned(),
    })
}

pub(super) fn limits(facts: &PlanFacts<'_>) -> Vec<LimitLine> {
    let mut limits = of_columns(facts);
    limits.extend(of_tables(facts));
    limits.extend(not_compared(facts));
    limits.extend(of_policy(facts));
    let remaining = REMAINING.iter().map(|(about, statement)| line(about, *statement));
    limits.extend(remaining);
    limits
}

fn of_columns(facts: &PlanFacts<'_>) -> Vec<LimitLine> {
    let mut limits = Vec::new();
    let mut add = |about: &str, which: &dyn Fn(&ColumnPlan) -> bool, statement: &str| {
        let columns: Vec<&ColumnPlan> =
            facts.plan.columns.iter().filter(|column| which(column)).collect();
        if !columns.is_empty() {
            let names = listed(columns.iter().map(|column| &column.name), NAMES_MAX);
            limits.push(line(about, format!("{names}: {statement}")));
        }
    };
    add(
        "equality shows",
        &equal_values_show,
        "equal values have equal tokens, so whoever reads the table sees how often each value \
         occurs and which rows share one",
    );
    add(
        "not recognisable",
        &|column| !column.recognisable,
        "a token cannot be told from an original by its shape, so an original that comes later is \
         not noticed, and the column can be put in scope only once",
    );
    add(
        "short values",
        &|column| column.cells > 0 && column.bytes_max < SEARCHED_BYTES_MIN,
        "no value is long enough to be searched for byte by byte; that they are gone is proven by \
         the structure of the pages alone",
    );
    add(
        "health data",
        &|column| column.class == "health" && column.token != TokenKind::Random,
        "tokens derived from the value are no re-identification codes in the sense of HIPAA \
         164.514(c); `random` tokens can be",
    );
    add(
        "payment data",
        &|column| column.class == "payment" && column.token != TokenKind::Random,
        "PCI DSS keeps tokens that are cryptographic and reversible in scope; `random` ones can \
         leave it",
    );
    limits
}

fn of_tables(facts: &PlanFacts<'_>) -> Vec<LimitLine> {
    let names = |which: &dyn Fn(&Unit, &Walk) -> bool| -> Vec<String> {
        let tables =
            facts.plan.units.iter().flat_map(|unit| unit.tables.iter().map(move |t| (unit, t)));
        tables.filter(|(unit, t)| which(unit, &t.walk)).map(|(_, t)| t.table.to_string()).collect()
    };
    let windows = names(&|unit, _| unit.mode == UnitMode::Window);
    let keyless = names(&|_, walk| !matches!(walk, Walk::Key(_)));
    let mut limits = Vec::new();
    if !windows.is_empty() {
        limits.push(line(
            "one transaction",
            format!(
                "{}: rewritten under the write lock as a whole; who writes meanwhile waits, and \
                 gives up where it has a shorter timeout",
                listed(windows, NAMES_MAX)
            ),
        ));
    }
    if !keyless.is_empty() {
        limits.push(line(
            "no usable key",
            format!(
                "{}: verified as a multiset, so that each token opens to an original of the table \
                 is proven, and in which row it stands is not",
                listed(keyless, NAMES_MAX)
            ),
        ));
    }
    limits
}

/// Columns out of scope whose values the search for copies cannot recognise.
fn not_compared(facts: &PlanFacts<'_>) -> Option<LimitLine> {
    let catalog = facts.catalog;
    let mut names = Vec::new();
    for table in catalog.tables.iter().filter(|table| table.kind == TableKind::Ordinary) {
        let sheet = catalog.postgres.as_ref().and_then(|postgres| postgres.table(&table.name));
        for column in table.columns.iter().filter(|column| column.generated.is_none()) {
            let is_other_form = match sheet.and_then(|sheet| sheet.column(&column.name)) {
                Some(known) => matches!(known.base_type.as_str(), "bytea" | "tsvector"),
                None => column.declared.to_ascii_lowercase().contains("blob"),
            };
            let is_covered = catalog.rule_of(facts.policy, &table.name, &column.name).is_some();
            if is_other_form && !is_covered {
                names.push(format!("{}.{}", table.name, column.name));
            }
        }
    }
    (!names.is_empty()).then(|| {
        line(
            "copies in other forms",
            format!(
                "{}: texts inside bytes are not searched for, and search words are no whole values; \
                 that no copy was reported says nothing of them",
                listed(names, NAMES_MAX)
            ),
        )
    })
}

fn of_policy(facts: &PlanFacts<'_>) -> Vec<LimitLine> {
    let mut limits = Vec::new();
    if facts.policy.checks.is_empty() {
        limits.push(line(
            "no checks of your own",
            "the policy has no `[[check]]`: what the application relies on, beyond the cells \
             themselves, is not asked before and after",
        ));
    }
    limits.push(line(
        "values written later",
        "nothing keeps an application from writing originals into these columns after the run: a \
         run may be planned again, and a purge that meets one does not call the file clean",
    ));
    limits
}

/// What remains after every run, however well it went.
const REMAINING: [(&str, &str); 6] = [
    (
        "other copies of the source",
        "dumps, replicas, snapshots and exports made before the run hold the originals, and are \
         not looked at",
    ),
    (
        "media",
        "blocks of the medium below the file system are never covered; encrypt or sanitise it",
    ),
    (
        "copies of the backup folder",
        "a copy taken elsewhere stays openable by who holds the root key and its wrapped keys",
    ),
    (
        "tokens",
        "a token is a reference, not an authorisation: who may write a column may write another \
         row's token into it",
    ),
    (
        "the holder of the root key",
        "can open every value of the vault outside the purposes; the ledger proves order and \
         integrity, not the holder's honesty",
    ),
    (
        "the vault",
        "after the purge it is the only copy of the values: back it up, and keep two ways to \
         unlock it",
    ),
];

fn line(about: &str, statement: impl Into<String>) -> LimitLine {
    LimitLine { about: about.to_owned(), statement: statement.into() }
}
