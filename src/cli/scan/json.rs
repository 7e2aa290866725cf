//! What a scan found, for programs: an object a finding, and nothing for a column without one.

use serde_json::{Map, Value, json};

use super::super::output::Output;
use super::Found;
use crate::classify::Finding;
use crate::plan::CopyFacts;
use crate::run::ScannedColumn;

pub(super) fn tell(out: &Output, found: &Found<'_>) {
    for column in found.columns() {
        for finding in &column.findings {
            out.object(&of_values(found, column, finding));
        }
        if found.came_back(column) {
            out.object(&of_originals(found, column));
        }
    }
    for copy in &found.copies {
        out.object(&of_copy(found, copy));
    }
    // Standard output holds findings alone; what may hold something has to be said all the same.
    if let Some(line) = super::unknown(found.catalog) {
        out.note(format!("note: {line}"));
    }
}

/// A kind of value that was found.
fn of_values(found: &Found<'_>, column: &ScannedColumn, finding: &Finding) -> Value {
    let mut object = Map::new();
    object.insert("table".into(), column.name.table.to_string().into());
    object.insert("column".into(), column.name.column.clone().into());
    if let Some(path) = &finding.path {
        object.insert("path".into(), path.clone().into());
    }
    object.insert("class".into(), finding.class.clone().into());
    object.insert("kind".into(), finding.kind.name().into());
    object.insert("confidence".into(), json!(finding.confidence));
    object.insert("evidence".into(), json!(finding.evidence));
    // Without a policy there is nothing to be covered by.
    let covered = found.policy.map(|_| found.is_covered(&column.name));
    object.insert("covered".into(), json!(covered));
    Value::Object(object)
}

/// Originals that stand among the tokens of a covered column.
fn of_originals(found: &Found<'_>, column: &ScannedColumn) -> Value {
    json!({
        "table": column.name.table.to_string(),
        "column": column.name.column,
        "class": found.rule(&column.name).map(|rule| rule.class.clone()),
        "kind": "came_back",
        "confidence": 1.0,
        "evidence": { "tokens": column.tokens, "originals": column.originals },
        "covered": true,
    })
}

/// Values of a covered column in one that is not.
fn of_copy(found: &Found<'_>, copy: &CopyFacts) -> Value {
    json!({
        "table": copy.at.table.to_string(),
        "column": copy.at.column,
        "class": found.rule(&copy.of).map(|rule| rule.class.clone()),
        "kind": "copy",
        "confidence": 1.0,
        "evidence": {
            "of": copy.of.to_string(),
            "distinct": copy.distinct,
            "distinct_exact": copy.distinct_exact,
            "matched": copy.matched,
            "cells": copy.cells,
            "containing": copy.containing,
            "rows_read": copy.rows_read,
            "rows_about": copy.rows_about,
            "is_whole": copy.is_whole,
        },
        "covered": false,
    })
}
