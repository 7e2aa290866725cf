//! Pitfall: a `CHECK` accepts the originals and refuses their tokens.

use super::case::{Case, blocks, counted, handled, listed, reads_column, warns};
use super::facts::CheckTrial;
use super::model::Finding;
use crate::catalog::sqlite_text::mentions;

const PITFALL: &str = "check_constraint";

/// A token as a whole JSON document.
pub(super) const JSON_TEMPLATE: &str = "\"{token}\"";

/// Whether an expression asks for JSON, which no bare token is.
pub(super) fn wants_json(expression: &str) -> bool {
    mentions(expression, "json_valid")
}

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let changes = super::postgres::changes(case);
    // A column leaves its domain where it has another type for the time of the run.
    let is_left = |trial: &&CheckTrial| {
        changes.iter().any(|change| {
            let column = change.column.replace('"', "\"\"");
            change.table == trial.table
                && trial.expression == format!("(\"{column}\")::{}", change.from)
        })
    };
    let trials = case.facts.check_trials.iter().filter(|trial| !is_left(trial));
    trials.map(|trial| of_trial(case, trial)).collect()
}

fn of_trial(case: &Case<'_>, trial: &CheckTrial) -> Finding {
    let names: Vec<String> = case
        .of_table(&trial.table)
        .filter(|column| reads_column(column.table, &trial.expression, &column.column.name))
        .map(super::case::InScope::name)
        .collect();
    let object = names.first().cloned().unwrap_or_else(|| trial.table.to_string());
    let check = format!("CHECK ({})", trial.expression);
    if !trial.evaluated {
        return warns(
            PITFALL,
            object,
            format!("`{check}` could not be tried with tokens"),
            format!("make sure that it accepts tokens in {}", listed(&names)),
        );
    }
    if trial.refused > 0 {
        let example = if wants_json(&trial.expression) {
            format!("'{JSON_TEMPLATE}'")
        } else {
            "\"{token}@tokens.invalid\"".to_owned()
        };
        return blocks(
            PITFALL,
            object,
            format!(
                "`{check}` refused tokens in {} of {} that were tried",
                trial.refused,
                counted(trial.rows, "row")
            ),
            format!(
                "give {} a `template` that satisfies it (such as `template = {example}`) or another \
                 `token` kind, or relax the constraint",
                listed(&names)
            ),
        );
    }
    handled(
        PITFALL,
        object,
        format!("`{check}` accepted tokens in {}", counted(trial.rows, "row")),
        "nothing to do; it is enforced during the rewrite as well",
    )
}
