//! Tables whose oldest rows wait to be frozen: a vacuum that cannot be put off may meet the run.

use super::super::case::{Case, blocks, warns};
use super::super::model::Finding;
use super::sheets;

const PITFALL: &str = "wraparound";

/// The server vacuums a table by force long before this age.
const WARNS: i64 = 1_000_000_000;

/// The server refuses writes at some 2,146 million.
const BLOCKS: i64 = 1_900_000_000;

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    sheets(case)
        .into_iter()
        .filter(|sheet| sheet.frozen_age >= WARNS)
        .map(|sheet| {
            let object = format!("table {}", sheet.name);
            let fact = format!("its oldest row is {} transactions old", sheet.frozen_age);
            let remedy = format!("`VACUUM (FREEZE) {}` first", sheet.name);
            if sheet.frozen_age >= BLOCKS {
                blocks(PITFALL, object, fact, remedy)
            } else {
                warns(PITFALL, object, fact, remedy)
            }
        })
        .collect()
}
