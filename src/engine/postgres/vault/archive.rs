//! A vault read out row by row, and put back from such rows.

use async_trait::async_trait;
use futures::TryStreamExt;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row};

use super::super::connect::{Address, close};
use super::super::error::vault_error;
use super::{commit, connected, format_of, migrate, unopened};
use crate::ports::{
    ARCHIVE_TABLES, ArchiveCell, ArchiveError, ArchiveSink, ArchiveTable, CellKind, VaultError,
    VaultRebuild,
};

/// Reads every table in one snapshot, over a session of its own.
pub(super) async fn copy_out(
    address: &Address,
    sink: &mut dyn ArchiveSink,
) -> Result<(), ArchiveError> {
    let failed = |error| vault_error(error, "reading it for a copy");
    let opened = address.open_again().await.map_err(|error| unopened(address, error))?;
    let mut session = opened.connection;
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .execute(&mut session)
        .await
        .map_err(failed)?;
    for (at, table) in ARCHIVE_TABLES.iter().enumerate() {
        let mut rows = sqlx::query(AssertSqlSafe(select(table))).fetch(&mut session);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            sink.row(at, &cells(table, &row).map_err(failed)?)?;
        }
    }
    sqlx::raw_sql("COMMIT").execute(&mut session).await.map_err(failed)?;
    close(session).await;
    Ok(())
}

fn select(table: &ArchiveTable) -> String {
    let wanted: Vec<String> = table
        .columns
        .iter()
        .map(|(name, kind)| match kind {
            CellKind::Flag => format!("\"{name}\"::int::bigint"),
            CellKind::Number => format!("\"{name}\"::bigint"),
            CellKind::Text | CellKind::Bytes => format!("\"{name}\""),
        })
        .collect();
    // In byte order, whatever the database's collation: a copy of the same rows is the same copy.
    let order: Vec<String> = table.columns[..table.keys]
        .iter()
        .map(|(name, kind)| match kind {
            CellKind::Text => format!("\"{name}\" COLLATE \"C\""),
            CellKind::Number | CellKind::Bytes | CellKind::Flag => format!("\"{name}\""),
        })
        .collect();
    format!(
        "SELECT {} FROM sealift.\"{}\" ORDER BY {}",
        wanted.join(", "),
        table.name,
        order.join(", ")
    )
}

fn cells(table: &ArchiveTable, row: &PgRow) -> Result<Vec<ArchiveCell>, sqlx::Error> {
    table
        .columns
        .iter()
        .enumerate()
        .map(|(at, (_, kind))| {
            Ok(match kind {
                CellKind::Number | CellKind::Flag => {
                    row.try_get::<Option<i64>, _>(at)?.map(ArchiveCell::Number)
                }
                CellKind::Text => row.try_get::<Option<String>, _>(at)?.map(ArchiveCell::Text),
                CellKind::Bytes => row.try_get::<Option<Vec<u8>>, _>(at)?.map(ArchiveCell::Bytes),
            }
            .unwrap_or(ArchiveCell::Null))
        })
        .collect()
}

/// A vault that is put back; one transaction from the first row to the last.
pub struct PostgresRebuild {
    session: PgConnection,
}

impl PostgresRebuild {
    /// Begins, in the schema `sealift` of a database that may hold other things.
    ///
    /// # Errors
    ///
    /// [`VaultError::Exists`] where the database holds a vault already; nothing is changed then.
    pub async fn begin(url: &str) -> Result<Self, VaultError> {
        let (address, opened) = connected(url).await?;
        let mut session = opened.connection;
        if format_of(&mut session, &address).await.is_ok() {
            return Err(VaultError::Exists { url: address.shown().to_owned() });
        }
        migrate(&mut session).await?;
        sqlx::raw_sql("BEGIN")
            .execute(&mut session)
            .await
            .map_err(|error| vault_error(error, "putting it back"))?;
        Ok(Self { session })
    }

    async fn insert(
        &mut self,
        table: &ArchiveTable,
        rows: &[Vec<ArchiveCell>],
    ) -> Result<(), sqlx::Error> {
        let mut query = sqlx::query(AssertSqlSafe(insert(table)));
        for (at, (_, kind)) in table.columns.iter().enumerate() {
            let column = rows.iter().map(|row| &row[at]);
            query = match kind {
                CellKind::Number | CellKind::Flag => query.bind(
                    column
                        .map(|cell| match cell {
                            ArchiveCell::Number(number) => Some(*number),
                            _ => None,
                        })
                        .collect::<Vec<_>>(),
                ),
                CellKind::Text => query.bind(
                    column
                        .map(|cell| match cell {
                            ArchiveCell::Text(text) => Some(text.clone()),
                            _ => None,
                        })
                        .collect::<Vec<_>>(),
                ),
                CellKind::Bytes => query.bind(
                    column
                        .map(|cell| match cell {
                            ArchiveCell::Bytes(bytes) => Some(bytes.clone()),
                            _ => None,
                        })
                        .collect::<Vec<_>>(),
                ),
            };
        }
        query.execute(&mut self.session).await.map(|_| ())
    }
}

fn insert(table: &ArchiveTable) -> String {
    let names: Vec<String> = table.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let taken: Vec<String> = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, (_, kind))| match kind {
            CellKind::Flag => format!("c{at}::int::boolean"),
            CellKind::Number | CellKind::Text | CellKind::Bytes => format!("c{at}"),
        })
        .collect();
    let arrays: Vec<String> = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, (_, kind))| {
            let of = match kind {
                CellKind::Number | CellKind::Flag => "bigint",
                CellKind::Text => "text",
                CellKind::Bytes => "bytea",
            };
            format!("${}::{of}[]", at + 1)
        })
        .collect();
    let columns: Vec<String> = (0..table.columns.len()).map(|at| format!("c{at}")).collect();
    format!(
        "INSERT INTO sealift.\"{}\" ({}) SELECT {} FROM unnest({}) AS t ({})",
        table.name,
        names.join(", "),
        taken.join(", "),
        arrays.join(", "),
        columns.join(", ")
    )
}

#[async_trait]
impl VaultRebuild for PostgresRebuild {
    async fn add(&mut self, table: usize, rows: Vec<Vec<ArchiveCell>>) -> Result<(), VaultError> {
        let table = &ARCHIVE_TABLES[table];
        let failed = |error| vault_error(error, "putting rows back");
        self.insert(table, &rows).await.map_err(failed)?;
        if table.name == "domain" {
            for row in &rows {
                if let ArchiveCell::Number(domain) = row[0] {
                    commit::make_partition(&mut self.session, domain).await.map_err(failed)?;
                }
            }
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), VaultError> {
        sqlx::raw_sql("COMMIT")
            .execute(&mut self.session)
            .await
            .map_err(|error| vault_error(error, "putting it back"))?;
        close(self.session).await;
        Ok(())
    }
}
