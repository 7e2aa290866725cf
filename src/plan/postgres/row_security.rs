//! Row security: an UPDATE that leaves out rows and says nothing.

use super::super::case::{Case, blocks, handled};
use super::super::model::Finding;
use super::{facts, sheets, sql_name};

const PITFALL: &str = "row_security";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    let role = &postgres.role;
    sheets(case)
        .into_iter()
        .filter(|sheet| sheet.has_row_security)
        .map(|sheet| {
            let object = format!("table {}", sheet.name);
            if !sheet.hides_rows {
                return handled(
                    PITFALL,
                    object,
                    "row security is on",
                    format!("it does not hold for role `{}`, which sees every row", role.name),
                );
            }
            let otherwise = match (sheet.is_owned, sheet.forces_row_security) {
                (true, _) => format!("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY", sheet.name),
                (false, true) => "run as the owner of the table, without FORCE".to_owned(),
                (false, false) => "run as the owner of the table".to_owned(),
            };
            blocks(
                PITFALL,
                object,
                format!("row security hides rows from role `{}`", role.name),
                format!(
                    "as a superuser: ALTER ROLE {} BYPASSRLS; or {otherwise}",
                    sql_name(&role.name)
                ),
            )
        })
        .collect()
}
