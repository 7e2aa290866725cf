//! Event triggers fire when we make our schema, switch a trigger, or change a type.

use super::super::case::{Case, warns};
use super::super::model::{Finding, Unit, UnitMode};
use super::super::units;
use super::{changes, facts, sheets};
use crate::catalog::postgres::{EventTrigger, PostgresCatalog};
use crate::policy::TableName;

const PITFALL: &str = "event_trigger";

/// Something that a run does to objects: when, and by which commands.
struct Deed {
    when: &'static str,
    commands: &'static [&'static str],
}

const SCHEMA: Deed = Deed {
    when: "the schema `sealift` is made and removed",
    commands: &["CREATE SCHEMA", "CREATE TABLE", "COMMENT", "DROP TABLE", "DROP SCHEMA"],
};

const SUPPRESSED: Deed =
    Deed { when: "triggers are switched off and on for each batch", commands: &["ALTER TABLE"] };

const LOOSENED: Deed = Deed {
    when: "foreign keys are put off or taken off for the rewrite",
    commands: &["ALTER TABLE"],
};

const CHANGED: Deed = Deed {
    when: "types of columns are changed, and what hangs on them is made anew",
    commands: &[
        "ALTER TABLE",
        "ALTER INDEX",
        "DROP VIEW",
        "CREATE VIEW",
        "ALTER VIEW",
        "DROP MATERIALIZED VIEW",
        "CREATE MATERIALIZED VIEW",
        "ALTER MATERIALIZED VIEW",
        "REFRESH MATERIALIZED VIEW",
        "CREATE INDEX",
        "CREATE RULE",
        "DROP RULE",
        "CREATE TRIGGER",
        "DROP TRIGGER",
        "CREATE POLICY",
        "DROP POLICY",
        "GRANT",
        "REVOKE",
        "COMMENT",
    ],
};

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    let deeds = deeds(case, postgres);
    postgres.event_triggers.iter().filter_map(|trigger| of_trigger(trigger, &deeds)).collect()
}

fn of_trigger(trigger: &EventTrigger, deeds: &[Deed]) -> Option<Finding> {
    let meets = |deed: &&Deed| match trigger.event.as_str() {
        "sql_drop" => any(trigger, deed, |command| command.starts_with("DROP")),
        "table_rewrite" => deed.when == CHANGED.when && any(trigger, deed, |_| true),
        _ => any(trigger, deed, |_| true),
    };
    let met: Vec<&str> = deeds.iter().filter(meets).map(|deed| deed.when).collect();
    (!met.is_empty()).then(|| {
        warns(
            PITFALL,
            format!("event trigger {}", trigger.name),
            format!("it fires when {}", met.join(", and when ")),
            format!(
                "check that it lets that pass, because one that refuses stops the run; or \
                 `ALTER EVENT TRIGGER \"{}\" DISABLE` for the time of the run",
                trigger.name.replace('"', "\"\"")
            ),
        )
    })
}

fn any(trigger: &EventTrigger, deed: &Deed, is_meant: impl Fn(&str) -> bool) -> bool {
    let is_named = |command: &str| {
        trigger.tags.is_empty() || trigger.tags.iter().any(|tag| tag.eq_ignore_ascii_case(command))
    };
    deed.commands.iter().any(|command| is_meant(command) && is_named(command))
}

/// What this run will do.
fn deeds(case: &Case<'_>, postgres: &PostgresCatalog) -> Vec<Deed> {
    let mut deeds = vec![SCHEMA];
    if sheets(case).iter().any(|sheet| !case.suppressed(&sheet.name).is_empty()) {
        deeds.push(SUPPRESSED);
    }
    let is_tied = |unit: &Unit| {
        unit.mode == UnitMode::Window
            && unit.tables.iter().any(|table| {
                let is_meant = |name: &TableName, columns: &[String]| {
                    name == &table.table && columns.iter().any(|one| case.covers(name, one))
                };
                postgres.tables.iter().any(|sheet| {
                    sheet.foreign_keys.iter().any(|key| {
                        is_meant(&sheet.name, &key.columns)
                            || is_meant(&key.parent, &key.parent_columns)
                    })
                })
            })
    };
    if units::cut(case).iter().any(is_tied) {
        deeds.push(LOOSENED);
    }
    if !changes(case).is_empty() {
        deeds.push(CHANGED);
    }
    deeds
}
