//! Originals that came back: cells of a purged run's columns that are no tokens of the vault's.
//!
//! It reads every row of the run's tables and changes nothing. Rows in quarantine that were waived
//! held originals when the run was purged; the certificate has them, and they do not count here.
//!
//! **Invariant:** a token's shape is not enough: a cell counts as a token only where the vault has
//! an entry for it.

use std::collections::{BTreeMap, HashSet};

use crate::lifecycle::RunId;
use crate::plan::{Assessment, UnitTable};
use crate::policy::Policy;
use crate::ports::{Limit, QuarantineRow, QuarantineState, Row, Source, Vault, WalkFilter};
use crate::run::error::RunError;
use crate::token::{DomainId, TokenBody, Treatment};
use crate::value::{Original, RowKey};

/// Rows and bytes that are read together.
const AT_ONCE: Limit = Limit { rows: 2_000, bytes: 4 << 20 };

/// What stands in the columns of a purged run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CameBack {
    /// Rows that were read.
    pub rows: u64,
    /// Cells that are tokens of the vault's.
    pub tokens: u64,
    /// Cells that are neither NULL, nor empty by policy, nor tokens: column → cells.
    pub originals: BTreeMap<String, u64>,
}

/// Reads the columns of a purged run.
///
/// # Errors
///
/// [`RunError`] where the source or the vault cannot be read. Nothing was changed.
pub async fn came_back(
    source: &dyn Source,
    vault: &dyn Vault,
    (run, policy, plan): (RunId, &Policy, &Assessment),
) -> Result<CameBack, RunError> {
    let waiting = vault.quarantine(run).await?;
    let mut found = CameBack::default();
    for unit in &plan.units {
        for (at, table) in unit.tables.iter().enumerate() {
            let is_of_table = |row: &&QuarantineRow| {
                row.unit == unit.id
                    && usize::from(row.table) == at
                    && row.state != QuarantineState::Replayed
            };
            let set_apart: HashSet<Vec<u8>> =
                waiting.iter().filter(is_of_table).map(|row| row.key.encode()).collect();
            let treatments = treatments(vault, policy, table).await?;
            let mut after: Option<RowKey> = None;
            loop {
                let read =
                    source.walk(table, after.as_ref(), None, AT_ONCE, &WalkFilter::All).await?;
                let Some(last) = read.last() else { break };
                after = Some(last.key.clone());
                found.rows += read.len() as u64;
                let rows: Vec<&Row> =
                    read.iter().filter(|row| !set_apart.contains(&row.key.encode())).collect();
                for (place, treatment) in treatments.iter().enumerate() {
                    let cells = rows.iter().filter_map(|row| row.cells.get(place)?.as_ref());
                    let (tokens, originals) = told_apart(vault, treatment, cells).await?;
                    found.tokens += tokens;
                    if originals > 0 {
                        let column = &table.columns[place].column;
                        let name = format!("{}.{column}", table.table);
                        *found.originals.entry(name).or_default() += originals;
                    }
                }
            }
        }
    }
    Ok(found)
}

async fn treatments(
    vault: &dyn Vault,
    policy: &Policy,
    table: &UnitTable,
) -> Result<Vec<Treatment>, RunError> {
    let domains = vault.domains().await?;
    let of_column = |column: &crate::plan::UnitColumn| {
        let rule = policy.columns.get(column.rule).ok_or_else(|| {
            RunError::Inconsistent("the plan names a column that the policy does not".into())
        })?;
        let domain: DomainId = domains
            .iter()
            .find(|row| row.name == column.domain)
            .map(|row| row.domain)
            .ok_or_else(|| RunError::NoKey(format!("domain `{}`", column.domain)))?;
        Treatment::from_rule(rule, domain)
            .map_err(|error| RunError::Inconsistent(error.to_string()))
    };
    table.columns.iter().map(of_column).collect()
}

/// How many cells of a column are tokens, and how many are originals.
async fn told_apart<'c>(
    vault: &dyn Vault,
    treatment: &Treatment,
    cells: impl Iterator<Item = &'c Original>,
) -> Result<(u64, u64), RunError> {
    let mut shaped: Vec<TokenBody> = Vec::new();
    let mut originals = 0;
    for cell in cells.filter(|cell| !treatment.keeps(cell)) {
        match cell.as_text().and_then(|text| treatment.accept(text)) {
            Some(token) => shaped.push(token),
            None => originals += 1,
        }
    }
    let entries = vault.entries(treatment.domain(), &shaped).await?;
    let tokens = entries.iter().flatten().count() as u64;
    Ok((tokens, originals + (shaped.len() as u64 - tokens)))
}
