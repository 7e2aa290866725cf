//! Row security: an UPDATE that leaves out rows and says nothing.

use super::super::case::{Case, blocks, handled};
use super::super::model::Finding;
use super::{facts, sheets};

const PITFALL: &str = "row_security";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    let role = &postgres.role;
    sheets(case)
        .into_iter()
        .filter(|sheet| sheet.has_row_security)
        .map(|sheet| {
            let object = format!("table {}", sheet.name);
            let sees_all = role.is_superuser
                || role.bypasses_row_security
                || (sheet.is_owned && !sheet.forces_row_security);
            if sees_all {
                handled(
                    PITFALL,
                    object,
                    "row security is on",
                    format!("it does not hold for role `{}`, which sees every row", role.name),
                )
            } else {
                blocks(
                    PITFALL,
                    object,
                    format!("row security hides rows from role `{}`", role.name),
                    "run as the owner of the table, or as a role with BYPASSRLS",
                )
            }
        })
        .collect()
}
