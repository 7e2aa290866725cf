//! Pitfall: a view shows tokens, and what it filters or computes by the value changes.

use super::case::{Case, listed, warns};
use super::model::Finding;
use crate::catalog::sqlite_text::{Lexeme, lexemes};

const PITFALL: &str = "view";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    reached(case)
        .into_iter()
        .map(|(view, read)| {
            warns(
                PITFALL,
                format!("view {view}"),
                format!("the view reads {}, and after the run tokens", listed(read)),
                "check who reads the view; nothing has to be recreated",
            )
        })
        .collect()
}

/// The views that show a column in scope, each with those columns, also by way of other views.
pub(super) fn reached<'a>(case: &Case<'a>) -> Vec<(&'a str, Vec<String>)> {
    let texts: Vec<(&str, Vec<Lexeme>)> = case
        .catalog
        .views
        .iter()
        .map(|view| (view.name.name.as_str(), lexemes(&view.sql)))
        .collect();
    let mut reached: Vec<(&str, Vec<String>)> = Vec::new();
    for (view, text) in &texts {
        let read = columns_read(case, text);
        if !read.is_empty() {
            reached.push((view, read));
        }
    }
    // A view over such a view shows the same columns under any name.
    let mut at = 0;
    while at < reached.len() {
        let (base, read) = reached[at].clone();
        for (view, text) in &texts {
            let is_known = reached.iter().any(|(known, _)| known == view);
            if !is_known && text.iter().any(|lexeme| lexeme.is_name(base)) {
                reached.push((view, read.clone()));
            }
        }
        at += 1;
    }
    reached
}

fn columns_read(case: &Case<'_>, text: &[Lexeme]) -> Vec<String> {
    let has_star = text.iter().any(|lexeme| lexeme.is_sign("*"));
    case.columns
        .iter()
        .filter(|column| text.iter().any(|lexeme| lexeme.is_name(&column.table.name.name)))
        .filter(|column| has_star || text.iter().any(|l| l.is_name(&column.column.name)))
        .map(super::case::InScope::name)
        .collect()
}
