//! Pitfall: a view, a trigger or a query of the application needs originals where tokens will be.
//!
//! What still works is not listed: tokens of one domain are equal where the values were, so that
//! joins, groups and counts go on.
//!
//! **Invariant:** no literal of a text gets into a finding. It may be an original.

use std::collections::HashMap;

use super::case::{Case, InScope, listed, warns};
use super::model::Finding;
use super::sql::{ColumnAt, How, Reader, Reading, Use, With};
use crate::catalog::EngineKind;
use crate::policy::{EmptyRule, Normalise};

const PITFALL: &str = "queries";

/// How many uses a finding spells out; a view of 500 columns is not read to its end.
const USES_MAX: usize = 8;

const ORDER: &str = "the order of tokens says nothing about the order of values: detokenize, then \
                     sort or compare in the application";
const PARTS: &str = "no part of a value can be found behind a token: search by the whole value, \
                     tokenized first, or by another column";
const INSIDE: &str = "compute after detokenizing, or keep what is computed in a column of its own, \
                      filled before the run";
const CASE: &str = "give the domain `normalise = \"casefold\"` where case should not matter, and \
                    compare tokens";
const RANDOM: &str = "equal values have different tokens here: use another column, or treat this \
                      one as `keyed` or with `dedupe = true`";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    if case.columns.is_empty() {
        return Vec::new();
    }
    let judge = Judge::new(case);
    let reader = Reader::new(case.catalog);
    let mut findings = Vec::new();
    for view in &case.catalog.views {
        let object = format!("view {}", view.name);
        let ending = Some(match case.catalog.engine {
            EngineKind::Sqlite => "check who reads the view, nothing has to be recreated",
            EngineKind::Postgres => "check who reads the view",
        });
        findings.extend(judge.finding(object, &reader.view(view), None, ending));
    }
    // A trigger of PostgreSQL says nothing itself: its function does, and comes with the queries.
    let speaks = case.catalog.engine == EngineKind::Sqlite;
    for trigger in case.catalog.triggers.iter().filter(|_| speaks) {
        let object = format!("trigger {}", trigger.name);
        let ending = Some("change the trigger before the run, because it will see tokens");
        findings.extend(judge.finding(object, &reader.trigger(trigger), None, ending));
    }
    for query in &case.facts.queries {
        let reading = reader.query(query);
        findings.extend(judge.finding(query.source.clone(), &reading, query.calls, None));
    }
    findings
}

/// Leaves out what another pitfall says about a view of which more is known here.
pub(super) fn fold(findings: &mut Vec<Finding>) {
    let known: Vec<String> = findings
        .iter()
        .filter(|finding| finding.pitfall == PITFALL)
        .map(|finding| finding.object.clone())
        .collect();
    findings.retain(|finding| finding.pitfall != "view" || !known.contains(&finding.object));
}

/// Says which use of a column in scope changes its meaning.
struct Judge<'a> {
    case: &'a Case<'a>,
    columns: HashMap<ColumnAt, &'a InScope<'a>>,
}

impl<'a> Judge<'a> {
    fn new(case: &'a Case<'a>) -> Self {
        let tables = &case.catalog.tables;
        let place = |column: &InScope<'_>| {
            let table = tables.iter().position(|table| std::ptr::eq(table, column.table))?;
            let columns = &tables[table].columns;
            let column = columns.iter().position(|known| std::ptr::eq(known, column.column))?;
            Some(ColumnAt { table, column })
        };
        let columns = case.columns.iter().filter_map(|column| Some((place(column)?, column)));
        Self { case, columns: columns.collect() }
    }

    fn finding(
        &self,
        object: String,
        reading: &Reading,
        calls: Option<u64>,
        ending: Option<&str>,
    ) -> Option<Finding> {
        let mut facts: Vec<String> = Vec::new();
        let mut remedies: Vec<String> = Vec::new();
        let add = |remedies: &mut Vec<String>, remedy: String| {
            if !remedies.contains(&remedy) {
                remedies.push(remedy);
            }
        };
        let broken = self.broken(&reading.uses);
        let more = broken.iter().skip(USES_MAX).count();
        let mut last: Option<ColumnAt> = None;
        for (used, column) in broken.iter().take(USES_MAX) {
            let phrase = if last == Some(used.column) {
                format!("and {}", self.phrase(&used.how, "it"))
            } else {
                self.phrase(&used.how, &format!("`{}`", column.name()))
            };
            last = Some(used.column);
            facts.push(phrase);
        }
        for (used, column) in &broken {
            add(&mut remedies, self.remedy(&used.how, column));
        }
        if more > 0 {
            facts.push(format!("and uses columns in scope in {more} other ways"));
        }
        let mut named: Vec<String> =
            reading.named.iter().filter_map(|at| Some(self.columns.get(at)?.name())).collect();
        named.dedup();
        if !named.is_empty() {
            facts.push(format!("could not be parsed; it names {}", listed(named)));
            add(
                &mut remedies,
                "read it: does it search, sort or compute by the column, or write to it?".into(),
            );
        }
        if facts.is_empty() {
            return None;
        }
        let mut fact = facts.join(", ").replace(", and ", " and ");
        if let Some(calls) = calls {
            fact = format!("{fact}; the server counted {}", super::case::counted(calls, "call"));
        }
        remedies.extend(ending.map(str::to_owned));
        Some(warns(PITFALL, object, fact, remedies.join("; ")))
    }

    /// The uses that break, those of one column together.
    fn broken<'u>(&self, uses: &'u [Use]) -> Vec<(&'u Use, &'a InScope<'a>)> {
        let mut broken: Vec<(&Use, &InScope<'_>)> = Vec::new();
        for used in uses {
            let Some(column) = self.columns.get(&used.column).copied() else { continue };
            // A join of two columns in scope is said once.
            let mirrored = |known: &Use| match (&used.how, &known.how) {
                (How::Compares(With::Column(that)), How::Compares(With::Column(this))) => {
                    known.column == *that && *this == used.column
                }
                _ => false,
            };
            if self.breaks(used, column) && !broken.iter().any(|(known, _)| mirrored(known)) {
                broken.push((used, column));
            }
        }
        let mut order: Vec<ColumnAt> = Vec::new();
        for (used, _) in &broken {
            if !order.contains(&used.column) {
                order.push(used.column);
            }
        }
        broken.sort_by_key(|(used, _)| order.iter().position(|column| *column == used.column));
        broken
    }

    fn breaks(&self, used: &Use, column: &InScope<'_>) -> bool {
        match &used.how {
            How::Sorts
            | How::Ranges
            | How::Extreme(_)
            | How::Matches(_)
            | How::Calls(_)
            | How::Concatenates
            | How::Calculates
            | How::Casts
            | How::OpensJson
            | How::Compares(With::Literal | With::Parameter | With::Computed)
            | How::Writes(With::Literal | With::Parameter | With::Computed) => true,
            How::Collates => column.rule.normalise != Normalise::Casefold,
            How::Groups(_) => !column.is_deterministic(),
            How::Compares(With::Column(other)) => !self.stays_equal(column, *other),
            How::Writes(With::Column(other)) => !self.shares_tokens(column, *other),
            How::Compares(With::Empty) => column.rule.empty != EmptyRule::Keep,
            // The empty text is nobody's original.
            How::Writes(With::Empty) => false,
        }
    }

    /// Whether what was equal in two columns is equal as tokens.
    fn stays_equal(&self, column: &InScope<'_>, other: ColumnAt) -> bool {
        column.is_deterministic() && self.shares_tokens(column, other)
    }

    fn shares_tokens(&self, column: &InScope<'_>, other: ColumnAt) -> bool {
        self.columns.get(&other).is_some_and(|other| other.domain == column.domain)
    }

    fn name_of(&self, at: ColumnAt) -> String {
        let table = &self.case.catalog.tables[at.table];
        format!("{}.{}", table.name, table.columns[at.column].name)
    }

    /// What a use does, as a part of a sentence.
    fn phrase(&self, how: &How, column: &str) -> String {
        let with = |with: &With| match with {
            With::Literal => "a value written in the text".to_owned(),
            With::Empty => "the empty text".to_owned(),
            With::Parameter => "a parameter".to_owned(),
            With::Computed => "something computed".to_owned(),
            With::Column(at) => format!("`{}`{}", self.name_of(*at), self.cover(*at)),
        };
        match how {
            How::Sorts => format!("sorts by {column} (ORDER BY)"),
            How::Ranges => format!("compares {column} by size (`<`, `>`, BETWEEN)"),
            How::Extreme(name) => format!("takes the {name} of {column}"),
            How::Matches(operator) => format!("searches {column} with {operator}"),
            How::Calls(name) => format!("gives {column} to {}", called(name)),
            How::Concatenates => format!("makes {column} part of a longer text"),
            How::Calculates => format!("calculates with {column}"),
            How::Casts => format!("casts {column} to another type"),
            How::OpensJson => format!("looks into {column} as JSON"),
            How::Collates => format!("compares {column} under another collation"),
            How::Groups(keyword) => format!("brings equal values of {column} together ({keyword})"),
            How::Compares(other) => format!("compares {column} with {}", with(other)),
            How::Writes(other) => format!("writes {column} from {}", with(other)),
        }
    }

    fn cover(&self, at: ColumnAt) -> String {
        match self.columns.get(&at) {
            Some(other) => format!(" of domain `{}`", other.domain),
            None => ", which is not covered".to_owned(),
        }
    }

    fn remedy(&self, how: &How, column: &InScope<'_>) -> String {
        let tokenize = format!(
            "`sealift tokenize --purpose PURPOSE --reason REASON --domain {}`",
            crate::words::shell_word(&column.domain)
        );
        match how {
            How::Sorts | How::Ranges | How::Extreme(_) => ORDER.to_owned(),
            How::Matches(_) => PARTS.to_owned(),
            How::Calls(_) | How::Concatenates | How::Calculates | How::Casts | How::OpensJson => {
                INSIDE.to_owned()
            }
            How::Collates => CASE.to_owned(),
            How::Groups(_) => RANDOM.to_owned(),
            How::Compares(_) if !column.is_deterministic() => RANDOM.to_owned(),
            How::Compares(With::Column(other)) | How::Writes(With::Column(other)) => {
                self.joined(column, *other)
            }
            How::Compares(With::Empty) => {
                "set `empty = \"keep\"` on the column, so that the empty text stays".to_owned()
            }
            How::Compares(With::Literal | With::Parameter | With::Computed) => {
                format!("tokenize what is searched for, then compare with the token: {tokenize}")
            }
            How::Writes(_) => format!(
                "write the token instead ({tokenize}): an original written after the run stays in \
                 the source"
            ),
        }
    }

    fn joined(&self, column: &InScope<'_>, other: ColumnAt) -> String {
        match self.columns.get(&other) {
            Some(_) => "give both columns one `domain`, or go by another column".to_owned(),
            None => format!(
                "cover the other column too: [[column]] name = {:?}, class = {:?}, domain = {:?}, \
                 and the same `domain` on `{}`",
                self.name_of(other),
                column.rule.class,
                column.domain,
                column.name()
            ),
        }
    }
}

fn called(name: &str) -> String {
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_name { format!("{name}()") } else { name.to_owned() }
}
