//! Pitfall: a value has no room for a `format` token.

use super::case::{Case, InScope, blocks};
use super::model::Finding;
use crate::policy::{FormatShape, TokenKind};

const PITFALL: &str = "format_fit";

/// SPEC: NIST SP 800-38G r1 asks for a domain of at least 10⁶: six digits, or four of 62 signs.
const DIGITS_MIN: u64 = 6;
const ALNUM_MIN: u64 = 4;

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.columns.iter().filter_map(of_column).collect()
}

fn of_column(column: &InScope<'_>) -> Option<Finding> {
    let shape = (column.rule.token == TokenKind::Format).then_some(column.rule.format?)?;
    let facts = &column.facts;
    let tokenised_empties = facts.empties > 0 && column.cells() == facts.types.total();
    if tokenised_empties {
        return Some(blocks(
            PITFALL,
            column.name(),
            "empty texts have no room for a `format` token",
            "set `empty = \"keep\"`, or use `token = \"keyed\"`",
        ));
    }
    let fact = match shape {
        FormatShape::Card => {
            let misfits = column.cells().saturating_sub(facts.luhn_valid);
            (misfits > 0).then(|| {
                format!(
                    "{misfits} of {} values are no card numbers with a correct check digit",
                    column.cells()
                )
            })
        }
        FormatShape::Digits => short(facts.digits_min, DIGITS_MIN, "digits"),
        FormatShape::Alnum => short(facts.alnum_min, ALNUM_MIN, "letters and digits"),
    };
    let numbers = facts.types.total() - facts.types.text;
    let fact = fact.or_else(|| {
        (numbers > 0).then(|| format!("{numbers} values are not text, and `format` tokens are"))
    });
    fact.map(|fact| {
        blocks(
            PITFALL,
            column.name(),
            fact,
            "use `token = \"keyed\"`, or correct these values first",
        )
    })
}

fn short(fewest: Option<u64>, needed: u64, what: &str) -> Option<String> {
    let fewest = fewest.filter(|&fewest| fewest < needed)?;
    Some(format!("a value has only {fewest} {what}; a `format` token needs {needed}"))
}
