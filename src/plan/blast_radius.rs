//! The blast radius: everything in the catalog that a rewrite touches, and how each is dealt with.
//!
//! The pitfalls say what is wrong; this says what is there, also where nothing is wrong. It takes
//! the words of a finding where there is one, so that the two never disagree.

use serde::{Deserialize, Serialize};

use super::case::{Case, InScope, reads_column};
use super::facts::Facts;
use super::model::{Finding, Strategy, Verdict};
use super::view;
use crate::catalog::postgres::PostgresTrigger;
use crate::catalog::sqlite_trigger::TriggerText;
use crate::catalog::{Catalog, ForeignKey, Index, Table, Trigger};
use crate::policy::{ColumnName, Policy, TableName};

/// One object that the rewrite of a table touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// The table that is rewritten.
    pub table: TableName,
    /// What kind of object it is.
    pub kind: TouchedKind,
    /// Its name.
    pub name: String,
    /// The columns in scope that it has to do with; empty where it is the table as a whole.
    pub columns: Vec<String>,
    /// What happens to it, as a sentence without a full stop.
    pub effect: String,
    /// How it is dealt with.
    pub handling: String,
    /// What the plan makes of it; `None` where no pitfall is near.
    pub verdict: Option<Verdict>,
}

/// What kind of object is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TouchedKind {
    /// A view that reads the column.
    View,
    /// A trigger on the table.
    Trigger,
    /// A foreign key of or to the column.
    ForeignKey,
    /// An index over the column.
    Index,
    /// A full-text index that is fed by the column.
    FullText,
    /// A column computed from the column.
    GeneratedColumn,
    /// A constraint that reads the column.
    Check,
    /// What the engine keeps for its planner.
    Statistics,
}

impl TouchedKind {
    /// Every kind, in the order in which they are told.
    pub const ALL: [Self; 8] = [
        Self::View,
        Self::Trigger,
        Self::ForeignKey,
        Self::Index,
        Self::FullText,
        Self::GeneratedColumn,
        Self::Check,
        Self::Statistics,
    ];

    /// What readers call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Trigger => "trigger",
            Self::ForeignKey => "foreign key",
            Self::Index => "index",
            Self::FullText => "full-text index",
            Self::GeneratedColumn => "generated column",
            Self::Check => "CHECK",
            Self::Statistics => "statistics",
        }
    }

    /// What readers call several of them.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::View => "views",
            Self::Trigger => "triggers",
            Self::ForeignKey => "foreign keys",
            Self::Index => "indexes",
            Self::FullText => "full-text indexes",
            Self::GeneratedColumn => "generated columns",
            Self::Check => "CHECKs",
            Self::Statistics => "statistics",
        }
    }
}

/// Lists what the rewrite touches, table by table in the order of the policy. `findings` are those
/// of the plan over the same catalog and policy.
#[must_use]
pub fn blast_radius(
    catalog: &Catalog,
    policy: &Policy,
    facts: &Facts,
    findings: &[Finding],
) -> Vec<Touched> {
    let case = Case::new(catalog, policy, facts, Strategy::InPlace);
    let radius = Radius { case: &case, findings };
    let views = view::reached(&case);
    let mut touched = Vec::new();
    for table in case.named_tables() {
        touched.extend(radius.views(table, &views));
        touched.extend(radius.triggers(table));
        touched.extend(radius.foreign_keys(table));
        touched.extend(radius.indexes(table));
        touched.extend(radius.full_text(table));
        touched.extend(radius.generated(table));
        touched.extend(radius.checks(table));
        touched.extend(radius.statistics(table));
    }
    touched
}

struct Radius<'r> {
    case: &'r Case<'r>,
    findings: &'r [Finding],
}

impl Radius<'_> {
    fn views(&self, table: &Table, views: &[(&str, Vec<String>)]) -> Vec<Touched> {
        let of_table = |columns: &[String]| -> Vec<String> {
            let mine = self.case.of_table(&table.name).map(InScope::name);
            mine.filter(|name| columns.contains(name)).collect()
        };
        views
            .iter()
            .map(|(view, columns)| (view, of_table(columns)))
            .filter(|(_, columns)| !columns.is_empty())
            .map(|(view, columns)| {
                let finding = self.finding(&["view"], &format!("view {view}"));
                told(
                    table,
                    TouchedKind::View,
                    view,
                    columns,
                    finding,
                    "it shows tokens after the run",
                    "nothing has to be recreated",
                )
            })
            .collect()
    }

    fn triggers(&self, table: &Table) -> Vec<Touched> {
        let mine = self.case.catalog.triggers.iter().filter(|trigger| trigger.table == table.name);
        mine.map(|trigger| self.trigger(table, trigger)).collect()
    }

    fn trigger(&self, table: &Table, trigger: &Trigger) -> Touched {
        let names = || self.case.of_table(&table.name);
        if let Some(known) = self.of_server(trigger) {
            let fires = known.fires_on_update_of(names().map(|column| column.column.name.as_str()));
            let is_named = |name: &String| known.update_of.contains(name);
            let columns = names().map(InScope::name).filter(is_named).collect();
            let (effect, handling) = if fires {
                ("it fires for each row that is rewritten", "it is left to fire")
            } else {
                ("it does not fire for the rewrite", "nothing to do")
            };
            let finding = self.finding(&["trigger_function"], &format!("trigger {}", trigger.name));
            let kind = TouchedKind::Trigger;
            return told(table, kind, &trigger.name, columns, finding, effect, handling);
        }
        let text = TriggerText::parse(&trigger.sql);
        let fires = text.as_ref().is_none_or(|text| {
            text.fires_on_update_of(names().map(|column| column.column.name.as_str()))
        });
        let columns = names()
            .filter(|column| text.as_ref().is_some_and(|t| t.reads_new(&column.column.name)))
            .map(InScope::name)
            .collect();
        let object = format!("trigger {}", trigger.name);
        let about = ["trigger_copies", "trigger_refuses", "trigger_fires"];
        let (effect, handling) = match (&text, fires) {
            (None, _) => ("what it does could not be read", "look at it before approving"),
            (Some(_), true) => ("it fires for each row that is rewritten", "it is left to fire"),
            (Some(_), false) => ("it does not fire for the rewrite", "nothing to do"),
        };
        let finding = self.finding(&about, &object);
        told(table, TouchedKind::Trigger, &trigger.name, columns, finding, effect, handling)
    }

    /// What the catalog of a server says of a trigger.
    fn of_server(&self, trigger: &Trigger) -> Option<&PostgresTrigger> {
        let triggers = &self.case.catalog.postgres.as_ref()?.triggers;
        triggers.iter().find(|known| known.table == trigger.table && known.name == trigger.name)
    }

    /// Foreign keys of the table, and those of other tables that point to it.
    fn foreign_keys(&self, table: &Table) -> Vec<Touched> {
        let mut touched = Vec::new();
        for child in &self.case.catalog.tables {
            for key in &child.foreign_keys {
                let is_mine = child.name == table.name;
                if self.follows_from_another(child, key) {
                    continue;
                }
                if (is_mine || key.parent == table.name) && self.is_in_scope(child, key) {
                    touched.push(self.foreign_key(table, child, key));
                }
            }
        }
        touched
    }

    /// Whether a key points to a partition because another points to the table that it belongs to.
    fn follows_from_another(&self, child: &Table, key: &ForeignKey) -> bool {
        let whole = self.case.catalog.whole_of(&key.parent);
        let is_the_other =
            |other: &ForeignKey| &other.parent == whole && other.columns == key.columns;
        whole != &key.parent && child.foreign_keys.iter().any(is_the_other)
    }

    fn is_in_scope(&self, child: &Table, key: &ForeignKey) -> bool {
        let of_child = key.columns.iter().any(|column| self.case.covers(&child.name, column));
        let of_parent =
            key.parent_columns.iter().any(|column| self.case.covers(&key.parent, column));
        of_child || of_parent
    }

    fn foreign_key(&self, table: &Table, child: &Table, key: &ForeignKey) -> Touched {
        let named = |table: &TableName, columns: &[String]| -> Vec<String> {
            let name = |column: &String| {
                ColumnName { table: table.clone(), column: column.clone() }.to_string()
            };
            columns.iter().map(name).collect()
        };
        let (from, to) =
            (named(&child.name, &key.columns), named(&key.parent, &key.parent_columns));
        let about = from.iter().chain(&to);
        let finding = about
            .filter_map(|column| self.finding(&["foreign_key"], column))
            .min_by_key(|f| f.verdict);
        let name = format!("{} → {}", from.join(", "), to.join(", "));
        let columns = from.into_iter().chain(to).collect();
        told(
            table,
            TouchedKind::ForeignKey,
            &name,
            columns,
            finding,
            "both ends hold tokens after the run",
            "they share a domain, so the key holds; both tables are rewritten in one transaction",
        )
    }

    fn indexes(&self, table: &Table) -> Vec<Touched> {
        let touched = |index: &Index| {
            let columns: Vec<String> = self
                .case
                .of_table(&table.name)
                .filter(|column| is_over(index, column))
                .map(InScope::name)
                .collect();
            let finding = self.finding(&["index_expression"], &format!("index {}", index.name));
            if columns.is_empty() && finding.is_none() {
                return None;
            }
            let unique = columns.iter().find_map(|column| self.finding_on_index(column, index));
            Some(told(
                table,
                TouchedKind::Index,
                &index.name,
                columns,
                finding.or(unique),
                "it holds the values in its own pages, and tokens after the run; its order becomes \
                 that of the tokens",
                "its entries change with the rows; the purge rewrites its pages",
            ))
        };
        table.indexes.iter().filter_map(touched).collect()
    }

    fn finding_on_index(&self, column: &str, index: &Index) -> Option<&Finding> {
        let named = format!("`{}`", index.name);
        self.findings.iter().find(|finding| {
            finding.pitfall == "unique" && finding.object == column && finding.fact.contains(&named)
        })
    }

    fn full_text(&self, table: &Table) -> Vec<Touched> {
        let about = self.findings.iter().filter(|finding| finding.pitfall == "full_text");
        about
            .filter_map(|finding| {
                let columns = self.named_in(table, &finding.fact);
                let name = finding.object.strip_prefix("table ").unwrap_or(&finding.object);
                (!columns.is_empty()).then(|| {
                    told(table, TouchedKind::FullText, name, columns, Some(finding), "", "")
                })
            })
            .collect()
    }

    fn generated(&self, table: &Table) -> Vec<Touched> {
        let mine =
            table.columns.iter().filter_map(|column| Some((column, column.generated.as_ref()?)));
        mine.filter_map(|(column, generated)| {
            let columns: Vec<String> = self
                .case
                .of_table(&table.name)
                .filter(|read| reads_column(table, &generated.expression, &read.column.name))
                .map(InScope::name)
                .collect();
            let name =
                ColumnName { table: table.name.clone(), column: column.name.clone() }.to_string();
            let finding = self.finding(&["generated_column"], &name);
            (!columns.is_empty()).then(|| {
                told(
                    table,
                    TouchedKind::GeneratedColumn,
                    &name,
                    columns,
                    finding,
                    "it is computed from tokens after the run",
                    "check who reads it",
                )
            })
        })
        .collect()
    }

    fn checks(&self, table: &Table) -> Vec<Touched> {
        table
            .checks
            .iter()
            .filter_map(|check| {
                let columns: Vec<String> = self
                    .case
                    .of_table(&table.name)
                    .filter(|column| reads_column(table, &check.expression, &column.column.name))
                    .map(InScope::name)
                    .collect();
                let said = format!("`CHECK ({})`", check.expression);
                let finding = self
                    .findings
                    .iter()
                    .filter(|finding| finding.pitfall == "check_constraint")
                    .find(|finding| finding.fact.starts_with(&said));
                let name = check.name.clone().unwrap_or_else(|| format!("on {}", table.name));
                (!columns.is_empty()).then(|| {
                    told(
                        table,
                        TouchedKind::Check,
                        &name,
                        columns,
                        finding,
                        "tokens have to satisfy it",
                        "it is enforced during the rewrite as well",
                    )
                })
            })
            .collect()
    }

    /// Once, with the first table: they are the database's.
    fn statistics(&self, table: &Table) -> Option<Touched> {
        let is_first =
            self.case.named_tables().first().is_some_and(|first| first.name == table.name);
        let finding = self.finding(&["statistics"], "database").filter(|_| is_first)?;
        Some(told(
            table,
            TouchedKind::Statistics,
            "the planner’s statistics",
            Vec::new(),
            Some(finding),
            "",
            "",
        ))
    }

    /// The gravest finding of one of these pitfalls about an object.
    fn finding(&self, pitfalls: &[&str], object: &str) -> Option<&Finding> {
        self.findings
            .iter()
            .filter(|finding| pitfalls.contains(&finding.pitfall.as_str()))
            .filter(|finding| finding.object == object)
            .min_by_key(|finding| finding.verdict)
    }

    /// The columns in scope of a table that a sentence names.
    fn named_in(&self, table: &Table, sentence: &str) -> Vec<String> {
        let names = self.case.of_table(&table.name).map(InScope::name);
        names.filter(|name| sentence.contains(&format!("`{name}`"))).collect()
    }
}

fn is_over(index: &Index, column: &InScope<'_>) -> bool {
    index.keys.iter().any(|key| key.column.as_ref() == Some(&column.column.name))
}

/// A finding speaks for itself; what is said without one stands beside it.
fn told(
    table: &Table,
    kind: TouchedKind,
    name: &str,
    columns: Vec<String>,
    finding: Option<&Finding>,
    effect: &str,
    handling: &str,
) -> Touched {
    let (effect, handling, verdict) = match finding {
        Some(finding) => (finding.fact.as_str(), finding.remedy.as_str(), Some(finding.verdict)),
        None => (effect, handling, None),
    };
    Touched {
        table: table.name.clone(),
        kind,
        name: name.to_owned(),
        columns,
        effect: effect.to_owned(),
        handling: handling.to_owned(),
        verdict,
    }
}
