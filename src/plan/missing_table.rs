//! Pitfall: the policy names a table that the database does not have.

use super::case::{Case, blocks, nearest};
use super::model::Finding;
use crate::catalog::EngineKind;
use crate::policy::TableName;

const PITFALL: &str = "missing_table";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let columns = case.policy.columns.iter().map(|rule| &rule.name.table);
    let tables = case.policy.tables.iter().map(|rule| &rule.name);
    let mut seen: Vec<&TableName> = Vec::new();
    for name in columns.chain(tables) {
        let exists = case.catalog.table(name).is_some()
            || case.catalog.views.iter().any(|view| &view.name == name);
        if !exists && !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen.into_iter().map(|name| missing(case, name)).collect()
}

fn missing(case: &Case<'_>, name: &TableName) -> Finding {
    if case.catalog.engine == EngineKind::Sqlite && name.schema.is_some() {
        return blocks(
            PITFALL,
            name.to_string(),
            format!("SQLite has no schemas, so there is no table `{name}`"),
            format!("name the table `{}`, without a schema", TableName::bare(&name.name)),
        );
    }
    let near = nearest(&name.name, case.catalog.tables.iter().map(|t| t.name.name.as_str()));
    let schema = match (case.catalog.engine, &name.schema) {
        (EngineKind::Postgres, None) => " in schema `public`",
        (EngineKind::Sqlite | EngineKind::Postgres, _) => "",
    };
    blocks(
        PITFALL,
        name.to_string(),
        format!("there is no table `{name}`{schema}"),
        format!("write the name letter for letter as the catalog has it{near}"),
    )
}
