//! Pitfall: values of a column in scope also stand where the policy does not reach.

use super::case::{Case, reads_column, token_chars, warns};
use super::check_constraint::{JSON_TEMPLATE, wants_json};
use super::facts::CopyFacts;
use super::model::Finding;
use super::postgres::{Room, room_of, whole_template};
use crate::catalog::Catalog;
use crate::catalog::postgres::PostgresColumn;
use crate::policy::{ColumnName, ColumnRule, Policy, TokenKind};

const PITFALL: &str = "copies";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let copies = case.facts.copies.iter();
    copies
        .filter(|copy| !case.covers(&copy.at.table, &copy.at.column))
        .map(|copy| {
            let remedy = copied_remedy(case.catalog, case.policy, &case.facts.copies, copy);
            warns(PITFALL, copy.of.to_string(), copied_line(copy), remedy)
        })
        .collect()
}

/// What was found, as a sentence: `59 of 59 values also in `Invoice.BillingAddress`, in 412 cells`.
#[must_use]
pub fn copied_line(copy: &CopyFacts) -> String {
    let mut parts = Vec::new();
    if copy.matched > 0 {
        let about = if copy.distinct_exact { "" } else { "about " };
        parts.push(format!(
            "{about}{} of {} values also in `{}`, in {}",
            copy.matched,
            copy.distinct,
            copy.at,
            super::case::counted(copy.cells, "cell")
        ));
    }
    if copy.containing > 0 {
        let verb = if copy.containing == 1 { "holds" } else { "hold" };
        parts.push(format!(
            "{} of `{}` {verb} one inside a longer text",
            super::case::counted(copy.containing, "cell"),
            copy.at
        ));
    }
    let text = parts.join("; ");
    match copy.rows_about {
        _ if copy.is_whole => text,
        Some(rows) => format!("at least {text} ({} of about {rows} rows read)", copy.rows_read),
        None => format!("at least {text} ({} rows read, and there are more)", copy.rows_read),
    }
}

/// The lines of the policy that would cover the copy, or what else to do about it.
///
/// `copies` are all that were found: a column that holds copies of several is proposed with one of
/// them, because a policy names a column once.
#[must_use]
pub fn copied_remedy(
    catalog: &Catalog,
    policy: &Policy,
    copies: &[CopyFacts],
    copy: &CopyFacts,
) -> String {
    let rule = policy.columns.iter().find(|rule| rule.name == copy.of);
    let Some(rule) = rule else { return String::new() };
    let proposed = proposed(copies, copy);
    if proposed.of != copy.of {
        return format!(
            "nothing more: what is said of the copies of `{}` in `{}` is for these too",
            proposed.of, copy.at
        );
    }
    let place = Place::of(catalog, &copy.at);
    // Equal values in a document or an array are no equal texts: there a domain joins nothing.
    let is_apart = copy.matched == 0 || place.template.is_some();
    let token = if is_apart { TokenKind::Random } else { rule.token };
    let template = if is_apart { place.template } else { rule.template.as_deref() };
    let room = place.room(token, template);
    if room == Room::Nowhere {
        return place.no_room();
    }
    let mut lines =
        vec![format!("name = {:?}", copy.at.to_string()), format!("class = {:?}", rule.class)];
    let domain = policy.domain_of(rule);
    if !is_apart {
        lines.push(format!("domain = {domain:?}"));
    }
    lines.push(format!("token = {:?}", token.name()));
    if !is_apart {
        lines.extend(more_of(rule));
    }
    lines.extend(template.map(|template| format!("template = {}", quoted(template))));
    lines.extend((room == Room::Widened).then(|| "fit = \"widen\"".to_owned()));
    let more = if copy.matched == 0 {
        "; or accept that the texts keep them".to_owned()
    } else if is_apart || rule.domain.is_some() {
        String::new()
    } else {
        format!("; and to `{}`: domain = {domain:?}", copy.of)
    };
    format!("add to the policy: [[column]] {}{more}", lines.join(", "))
}

/// Of the copies in one column the one that its lines are written for: where most values were met,
/// and of these the first.
fn proposed<'c>(copies: &'c [CopyFacts], copy: &'c CopyFacts) -> &'c CopyFacts {
    let here = copies.iter().rev().filter(|one| one.at == copy.at);
    // Of equals the last counts, which is the first of them in their own order.
    here.max_by_key(|one| one.matched).unwrap_or(copy)
}

/// A template as TOML writes it: as it is, where that can be.
fn quoted(template: &str) -> String {
    if template.contains('"') && !template.contains(['\'', '\\']) {
        format!("'{template}'")
    } else {
        format!("{template:?}")
    }
}

/// The column that holds copies, as far as a token has to fit into it.
struct Place<'a> {
    /// Its type, as it was declared.
    declared: &'a str,
    /// What only PostgreSQL knows of it.
    facts: Option<&'a PostgresColumn>,
    /// The template without which it takes no token.
    template: Option<&'static str>,
}

impl<'a> Place<'a> {
    fn of(catalog: &'a Catalog, at: &ColumnName) -> Self {
        let table = catalog.table(&at.table);
        let column = table.and_then(|table| table.column(&at.column));
        let declared = column.map_or("", |column| column.declared.as_str());
        let sheet = catalog.postgres.as_ref().and_then(|postgres| postgres.table(&at.table));
        let facts = sheet.and_then(|sheet| sheet.column(&at.column));
        let is_checked_json = table.is_some_and(|table| {
            table.checks.iter().any(|check| {
                wants_json(&check.expression) && reads_column(table, &check.expression, &at.column)
            })
        });
        let template = match facts {
            Some(facts) => whole_template(facts),
            None => is_checked_json.then_some(JSON_TEMPLATE),
        };
        Self { declared, facts, template }
    }

    fn room(&self, token: TokenKind, template: Option<&str>) -> Room {
        // What stands around the token of a whole value is no part of an element.
        let around = template.filter(|_| self.template.is_none());
        self.facts.map_or(Room::Enough, |facts| room_of(facts, token, token_chars(token, around)))
    }

    /// What to do where no token finds room.
    fn no_room(&self) -> String {
        let way = if self.facts.is_some_and(|facts| facts.base_type == "tsvector") {
            "drop the column, or fill it anew from tokens after the run"
        } else {
            "change the column to `text` first and name it in the policy, or drop it"
        };
        format!("type `{}` has no room for a token: {way}", self.declared)
    }
}

/// What the columns of a domain have to have in common beside the kind of token.
fn more_of(rule: &ColumnRule) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(shape) = rule.format {
        let word = match shape {
            crate::policy::FormatShape::Card => "card",
            crate::policy::FormatShape::Digits => "digits",
            crate::policy::FormatShape::Alnum => "alnum",
        };
        lines.push(format!("format = {word:?}"));
    }
    lines.extend(rule.dedupe.then(|| "dedupe = true".to_owned()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy() -> CopyFacts {
        CopyFacts {
            of: ColumnName::parse("people.address").unwrap(),
            at: ColumnName::parse("bills.address").unwrap(),
            distinct: 59,
            distinct_exact: true,
            matched: 59,
            cells: 412,
            containing: 0,
            rows_read: 412,
            rows_about: Some(412),
            is_whole: true,
        }
    }

    #[test]
    fn what_was_read_whole_is_said_without_a_doubt() {
        assert_eq!(copied_line(&copy()), "59 of 59 values also in `bills.address`, in 412 cells");
    }

    #[test]
    fn what_was_sampled_is_a_least_figure() {
        let part = CopyFacts { is_whole: false, rows_about: Some(9_000), ..copy() };
        let line = copied_line(&part);
        assert!(line.starts_with("at least 59 of 59"), "{line}");
        assert!(line.ends_with("(412 of about 9000 rows read)"), "{line}");
    }

    #[test]
    fn texts_that_hold_a_value_are_told_apart_from_copies() {
        let inside = CopyFacts { matched: 0, cells: 0, containing: 1, ..copy() };
        assert_eq!(
            copied_line(&inside),
            "1 cell of `bills.address` holds one inside a longer text"
        );
    }

    #[test]
    fn a_column_with_copies_of_several_is_proposed_once_by_most_of_them() {
        let other = ColumnName::parse("leads.address").unwrap();
        let copies = [
            CopyFacts { matched: 0, containing: 3, ..copy() },
            CopyFacts { of: other.clone(), matched: 7, ..copy() },
            CopyFacts { of: ColumnName::parse("staff.address").unwrap(), matched: 7, ..copy() },
        ];
        assert!(copies.iter().all(|one| proposed(&copies, one).of == other));
    }

    #[test]
    fn a_template_is_written_so_that_toml_takes_it() {
        assert_eq!(quoted(JSON_TEMPLATE), r#"'"{token}"'"#);
        assert_eq!(quoted("{{token}}"), r#""{{token}}""#);
        for template in [JSON_TEMPLATE, "{{token}}", r#"it's "{token}""#] {
            let table: toml::Table = toml::from_str(&format!("x = {}", quoted(template))).unwrap();
            assert_eq!(table["x"].as_str(), Some(template));
        }
    }

    #[test]
    fn a_type_without_room_is_no_line_of_the_policy() {
        let words = PostgresColumn { base_type: "tsvector".into(), ..PostgresColumn::default() };
        let place = Place { declared: "tsvector", facts: Some(&words), template: None };
        assert_eq!(place.room(TokenKind::Random, None), Room::Nowhere);
        assert!(place.no_room().contains("fill it anew from tokens"), "{}", place.no_room());
    }
}
