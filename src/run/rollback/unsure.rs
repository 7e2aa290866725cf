//! Units of which no cursor says whether they were rewritten, or put back since: their cells say it.
//!
//! Where every token is told by its shape there is nothing to find out: a token is opened wherever it
//! stands. Of numbers and codes any text of the shape may be one. The vault knows each of them in two
//! ways: as a token that it has an entry for, and as an original whose token it has an entry for. Most
//! are known in one way alone. All tables of a unit are written in one transaction, so what is known in
//! both ways is what the others are.
//!
//! **Invariant:** a text that may be either is opened only where none beside it is an original, and left
//! only where none beside it is a token.

use super::{Look, cell_name, token_in};
use crate::plan::{Unit, UnitTable, Walk};
use crate::ports::{Limit, Row, SourceWindow};
use crate::run::batch::{BYTES_MAX, compute};
use crate::run::column::Column;
use crate::run::error::RunError;
use crate::run::job::Job;
use crate::run::verify::entries_of;
use crate::token::{DomainId, TokenBody};
use crate::value::RowKey;

/// Rows of one read.
const ROWS: usize = 5_000;

/// Cells that are named one by one.
const NAMED_MAX: usize = 20;

/// Says which columns of a unit hold tokens, by what stands in them under its lock.
///
/// # Errors
///
/// [`RunError::Unclear`] where that cannot be known; nothing was written.
pub(super) async fn look(
    job: &Job,
    unit: &Unit,
    window: &mut dyn SourceWindow,
) -> Result<Look, RunError> {
    let mut cells = Cells::default();
    for table in &unit.tables {
        let columns = job.columns(table).await?;
        if columns.iter().all(|column| column.treatment.is_recognisable_by_shape()) {
            continue;
        }
        let mut position: Option<RowKey> = None;
        loop {
            job.may_go_on()?;
            let limit = Limit { rows: ROWS, bytes: BYTES_MAX };
            let rows = window.walk(table, position.as_ref(), limit).await?;
            let Some(last) = rows.last() else { break };
            position = Some(last.key.clone());
            cells.add(job, table, &columns, &rows).await?;
        }
    }
    match (cells.tokens, cells.originals, cells.either) {
        // Each is opened or left as the one thing that it is.
        (_, _, 0) | (1.., 0, _) => Ok(Look::All),
        (0, 1.., _) => Ok(Look::Told),
        (0, 0, _) | (1.., 1.., _) => Err(cells.unclear(job, unit)),
    }
}

/// Cells of columns whose tokens nothing tells from originals, as the vault knows them.
#[derive(Default)]
struct Cells {
    tokens: u64,
    originals: u64,
    either: u64,
    /// The first of the tokens and of the originals, where rows have keys.
    named_tokens: Vec<String>,
    named_originals: Vec<String>,
}

/// A cell and what it would be: a token, and an original with that token.
struct Cell<'r> {
    key: &'r RowKey,
    at: usize,
    domain: DomainId,
    as_token: Option<TokenBody>,
    as_original: Option<TokenBody>,
}

impl Cells {
    async fn add(
        &mut self,
        job: &Job,
        table: &UnitTable,
        columns: &[Column],
        rows: &[Row],
    ) -> Result<(), RunError> {
        let rows: Vec<&Row> = rows.iter().collect();
        let cells: Vec<Cell<'_>> =
            compute(&rows, |&row| cells_of(job, columns, row)).into_iter().flatten().collect();
        let asked = cells.iter().flat_map(|cell| {
            let (domain, both) = (cell.domain, [cell.as_token.clone(), cell.as_original.clone()]);
            both.into_iter().flatten().map(move |token| (domain, token))
        });
        let known = entries_of(job, asked.collect()).await?;
        for Cell { key, at, domain, as_token, as_original } in cells {
            let is_known = |token: Option<TokenBody>| {
                token.is_some_and(|token| known.contains_key(&(domain, token)))
            };
            let named = match (is_known(as_token), is_known(as_original)) {
                (true, false) => {
                    self.tokens += 1;
                    &mut self.named_tokens
                }
                (false, true) => {
                    self.originals += 1;
                    &mut self.named_originals
                }
                (true, true) => {
                    self.either += 1;
                    continue;
                }
                // Somebody else's word: it is not opened, whatever the others are.
                (false, false) => continue,
            };
            if named.len() < NAMED_MAX && matches!(table.walk, Walk::Key(_)) {
                named.push(cell_name(table, at, key));
            }
        }
        Ok(())
    }

    /// Tells which cells are not what the most are: they are what a hand has to mend.
    fn unclear(&self, job: &Job, unit: &Unit) -> RunError {
        let (named, what) = if self.tokens < self.originals {
            (&self.named_tokens, "a token, and most others an original")
        } else {
            (&self.named_originals, "an original, and most others a token")
        };
        for place in named {
            job.watch.notes(&format!("{place} holds {what}"));
        }
        let tables: Vec<String> = unit.tables.iter().map(|table| table.table.to_string()).collect();
        let (tokens, originals, either) = (self.tokens, self.originals, self.either);
        RunError::Unclear { table: tables.join(", "), tokens, originals, either }
    }
}

/// The cells of a row that are asked about.
fn cells_of<'r>(job: &Job, columns: &[Column], row: &'r Row) -> Vec<Cell<'r>> {
    let mut cells = Vec::new();
    for (at, (column, cell)) in columns.iter().zip(&row.cells).enumerate() {
        let Some(original) = cell.as_ref().filter(|cell| !column.treatment.keeps(cell)) else {
            continue;
        };
        if column.treatment.is_recognisable_by_shape() {
            continue;
        }
        cells.push(Cell {
            key: &row.key,
            at,
            domain: column.domain_id(),
            as_token: token_in(column, Some(original)),
            // A value that can have no token is the application's word.
            as_original: column.derive(&job.keys, original).ok(),
        });
    }
    cells
}
