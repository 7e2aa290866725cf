//! Pitfall: tokens of a kind cannot be told from originals by their look.

use super::case::{Case, counted, warns};
use super::model::Finding;
use crate::policy::{FormatShape, TokenKind};

const PITFALL: &str = "recognisable";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.columns
        .iter()
        .filter(|column| !column.is_recognisable())
        .map(|column| {
            let fact = match (column.rule.token, column.rule.format) {
                (TokenKind::Uuid, _) => format!(
                    "{} already of version 8, as `uuid` tokens are",
                    counted(column.facts.uuid_v8, "value")
                ),
                (TokenKind::Format, Some(FormatShape::Card)) => format!(
                    "{} of {} have a correct check digit; only where all have it do tokens stand \
                     out",
                    column.facts.luhn_valid,
                    counted(column.cells(), "value")
                ),
                (TokenKind::Format, Some(FormatShape::Digits | FormatShape::Alnum) | None)
                // These always stand out, so they never come here.
                | (TokenKind::Keyed | TokenKind::Random, _) => "`format` tokens look like originals".to_owned(),
            };
            warns(
                PITFALL,
                column.name(),
                fact,
                "the table is rewritten in one transaction, and other writers wait for it; \
                 `token = \"keyed\"` would avoid that",
            )
        })
        .collect()
}
