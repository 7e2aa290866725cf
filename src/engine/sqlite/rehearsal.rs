//! A copy of a SQLite file for a rehearsal: made by SQLite itself, without what is ours.
//!
//! The copy is one state of the source, and its writers go on meanwhile as beside any reader. It
//! knows nothing of what is rehearsed.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Connection, Row as _};

use super::error::source_error;
use super::{catalog, connect, source};
use crate::catalog::{Catalog, Table, TableKind};
use crate::engine::ident::{IdentError, quote, quote_list};
use crate::plan::row_id_name;
use crate::ports::{Copied, CopyError, Progress, SourceCopy, SourceError, TableStanding};

/// What may lie beside a database file.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// How often rows without a parent are looked for: chains of foreign keys are shorter.
const ROUNDS_MAX: usize = 64;

/// A copy of a SQLite file.
pub struct SqliteCopy {
    path: PathBuf,
    url: String,
}

impl SqliteCopy {
    /// Copies a source into a file that is not there yet, only for its owner to read. With `rows`
    /// each table keeps that many of its rows at the most.
    ///
    /// # Errors
    ///
    /// [`CopyError`]; nothing is left of the copy then.
    pub async fn make(
        url: &str,
        path: &Path,
        rows: Option<u64>,
        progress: &dyn Progress,
    ) -> Result<(Self, Copied), CopyError> {
        let from = source::existing(url)?;
        let shown = format!("sqlite:{}", path.display());
        if path.exists() {
            return Err(CopyError::NotEmpty { place: shown });
        }
        let copy = Self { path: path.to_owned(), url: shown };
        progress.begin("copy", "files", 1);
        let copied = copy.fill(&from, url, rows).await;
        progress.end();
        match copied {
            Ok(copied) => Ok((copy, copied)),
            Err(error) => {
                let _ = remove(path);
                Err(error.into())
            }
        }
    }

    async fn fill(&self, from: &Path, url: &str, rows: Option<u64>) -> Result<Copied, SourceError> {
        let failed = |error| source_error(error, url, "copying it");
        connect::make_private(&self.path).map_err(sqlx::Error::Io).map_err(failed)?;
        let mut reader = connect::reader(from).await.map_err(failed)?;
        let mode: String = sqlx::query_scalar("PRAGMA main.journal_mode")
            .fetch_one(&mut reader)
            .await
            .map_err(failed)?;
        // The file is open for reading only; what SQLite writes is the copy.
        sqlx::raw_sql("PRAGMA query_only = OFF").execute(&mut reader).await.map_err(failed)?;
        sqlx::query("VACUUM main INTO ?")
            .bind(self.path.display().to_string())
            .execute(&mut reader)
            .await
            .map_err(failed)?;
        let _ = reader.close().await;
        let mut writer = self.open().await?;
        let tidied = async {
            without_ours(&mut writer).await?;
            if let Some(rows) = rows {
                thin_out(&mut writer, rows).await?;
            }
            if mode.eq_ignore_ascii_case("wal") {
                sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut writer).await?;
            }
            counted(&mut writer).await
        };
        let copied = tidied.await.map_err(|error| self.failed(error, "copying it"));
        let _ = writer.close().await;
        copied
    }

    async fn open(&self) -> Result<SqliteConnection, SourceError> {
        connect::writer(&self.path, 64).await.map_err(|error| self.failed(error, "opening a copy"))
    }

    fn failed(&self, error: sqlx::Error, doing: &'static str) -> SourceError {
        source_error(error, &self.url, doing)
    }
}

/// Removes a copy that nobody holds, with what lies beside it; says whether nothing is left.
#[must_use]
pub fn remove(path: &Path) -> bool {
    let mut is_gone = true;
    for end in [""].into_iter().chain(BESIDE) {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        let _ = std::fs::remove_file(&name);
        is_gone &= !Path::new(&name).exists();
    }
    is_gone
}

#[async_trait]
impl SourceCopy for SqliteCopy {
    fn url(&self) -> &str {
        &self.url
    }

    async fn standing(&self) -> Result<Vec<TableStanding>, SourceError> {
        let mut reader = self.open().await?;
        let read = async {
            let mut found = Vec::new();
            for table in &ordinary(&mut reader).await?.tables {
                if table.kind == TableKind::Ordinary {
                    found.push(standing(&mut reader, table).await?);
                }
            }
            Ok(found)
        };
        let found = read.await.map_err(|error| self.failed(error, "reading a copy"));
        let _ = reader.close().await;
        found
    }

    async fn keep(self: Box<Self>) -> Result<(), SourceError> {
        Ok(())
    }

    async fn destroy(self: Box<Self>) -> Result<(), SourceError> {
        if remove(&self.path) {
            return Ok(());
        }
        let error = std::io::Error::other("the file is still there");
        Err(SourceError::Engine { doing: "removing a copy", source: Box::new(error) })
    }
}

/// The catalog of a copy.
async fn ordinary(connection: &mut SqliteConnection) -> Result<Catalog, sqlx::Error> {
    catalog::read(connection).await.map_err(|error| match error {
        catalog::CatalogError::Query { source, .. } => source,
    })
}

fn unsound(error: IdentError) -> sqlx::Error {
    sqlx::Error::Encode(Box::new(error))
}

fn quoted(name: &str) -> Result<String, sqlx::Error> {
    quote(name).map_err(unsound)
}

/// Takes out what a run of the real vault has left in the source, and a vault that lies in the same
/// file: the copy belongs to nobody yet.
async fn without_ours(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    // language=SQLite
    const OURS: &str = r"SELECT type, name FROM main.sqlite_schema
        WHERE type IN ('trigger', 'view', 'table') AND name LIKE 'sealift\_%' ESCAPE '\'
        ORDER BY type = 'table'";
    for row in sqlx::query(OURS).fetch_all(&mut *connection).await? {
        let (kind, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let sql = format!("DROP {kind} IF EXISTS main.{}", quoted(&name)?);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Leaves so many rows in each table, and of these only those whose parents are among them.
/// Triggers sleep meanwhile: what they do to a row that goes is no part of the sample.
async fn thin_out(connection: &mut SqliteConnection, rows: u64) -> Result<(), sqlx::Error> {
    let catalog = ordinary(connection).await?;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    for trigger in &catalog.triggers {
        run(connection, format!("DROP TRIGGER main.{}", quoted(&trigger.name)?)).await?;
    }
    for table in catalog.tables.iter().filter(|table| table.kind == TableKind::Ordinary) {
        let name = quoted(&table.name.name)?;
        let Some(keys) = address(table)? else { continue };
        let sql = format!(
            "DELETE FROM main.{name} WHERE ({keys}) NOT IN
                (SELECT {keys} FROM main.{name} ORDER BY {keys} LIMIT {rows})"
        );
        run(connection, sql).await?;
    }
    for _ in 0..ROUNDS_MAX {
        if without_parents(connection, &catalog).await? == 0 {
            break;
        }
    }
    for trigger in &catalog.triggers {
        run(connection, trigger.sql.clone()).await?;
    }
    sqlx::raw_sql("COMMIT").execute(&mut *connection).await?;
    for table in &catalog.tables {
        let is_index =
            matches!(&table.kind, TableKind::Virtual(module) if module.starts_with("fts"));
        if is_index {
            let name = quoted(&table.name.name)?;
            // One that keeps no text of its own cannot be made anew; it finds a little too much.
            let _ = run(connection, format!("INSERT INTO main.{name}({name}) VALUES ('rebuild')"))
                .await;
        }
    }
    run(connection, "VACUUM main".to_owned()).await.map(|_| ())
}

/// What tells the rows of a table apart, for a statement: its row id, or its key where it has none.
fn address(table: &Table) -> Result<Option<String>, sqlx::Error> {
    if !table.without_rowid {
        return Ok(row_id_name(table).map(str::to_owned));
    }
    let keys = key_of(table);
    if keys.is_empty() {
        return Ok(None);
    }
    quote_list(keys).map(Some).map_err(unsound)
}

fn key_of(table: &Table) -> Vec<&str> {
    let mut keys: Vec<(u32, &str)> = table
        .columns
        .iter()
        .filter_map(|column| Some((column.primary_key?, column.name.as_str())))
        .collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, name)| name).collect()
}

/// Takes out rows whose parent is not there; says how many.
async fn without_parents(
    connection: &mut SqliteConnection,
    catalog: &Catalog,
) -> Result<u64, sqlx::Error> {
    let mut gone = 0;
    for table in catalog.tables.iter().filter(|table| table.kind == TableKind::Ordinary) {
        let name = quoted(&table.name.name)?;
        for key in &table.foreign_keys {
            if catalog.table(&key.parent).is_none() || key.columns.len() != key.parent_columns.len()
            {
                continue;
            }
            let mut set = Vec::new();
            let mut same = Vec::new();
            for (own, theirs) in key.columns.iter().zip(&key.parent_columns) {
                let own = format!("main.{name}.{}", quoted(own)?);
                set.push(format!("{own} IS NOT NULL"));
                same.push(format!("parent.{} = {own}", quoted(theirs)?));
            }
            let sql = format!(
                "DELETE FROM main.{name} WHERE {} AND NOT EXISTS
                    (SELECT 1 FROM main.{} AS parent WHERE {})",
                set.join(" AND "),
                quoted(&key.parent.name)?,
                same.join(" AND ")
            );
            gone += run(connection, sql).await?;
        }
    }
    Ok(gone)
}

async fn run(connection: &mut SqliteConnection, sql: String) -> Result<u64, sqlx::Error> {
    Ok(sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?.rows_affected())
}

async fn counted(connection: &mut SqliteConnection) -> Result<Copied, sqlx::Error> {
    let mut copied = Copied::default();
    for table in &ordinary(connection).await?.tables {
        if table.kind == TableKind::Ordinary {
            let sql = format!("SELECT count(*) FROM main.{}", quoted(&table.name.name)?);
            let rows: i64 =
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
            copied.rows += u64::try_from(rows).unwrap_or_default();
            copied.tables += 1;
        }
    }
    Ok(copied)
}

/// Reads a table through. Types count: `1`, `1.0` and `'1'` are three cells.
async fn standing(
    connection: &mut SqliteConnection,
    table: &Table,
) -> Result<TableStanding, sqlx::Error> {
    let keys = key_of(table);
    let columns: Vec<&str> =
        table.columns.iter().filter(|c| !c.hidden).map(|c| c.name.as_str()).collect();
    let mut parts = Vec::new();
    for column in keys.iter().chain(&columns) {
        let name = quoted(column)?;
        parts.push(format!("typeof({name})"));
        parts.push(format!(
            "CAST(CASE typeof({name}) WHEN 'real' THEN quote({name}) ELSE {name} END AS BLOB)"
        ));
    }
    let sql = format!("SELECT {} FROM main.{}", parts.join(", "), quoted(&table.name.name)?);
    let mut rows = 0;
    let mut sums = vec![0_u128; columns.len()];
    let mut read = sqlx::query(AssertSqlSafe(sql)).fetch(connection);
    while let Some(row) = read.try_next().await? {
        rows += 1;
        let mut of_key = Sha256::new();
        for at in 0..keys.len() {
            add(&mut of_key, &row, at)?;
        }
        for (at, sum) in sums.iter_mut().enumerate() {
            let mut hash = of_key.clone();
            add(&mut hash, &row, keys.len() + at)?;
            // The order of rows does not count: what is added up is the same in any.
            *sum = sum.wrapping_add(first_half(&hash.finalize()));
        }
    }
    let columns =
        columns.into_iter().zip(sums).map(|(name, sum)| (name.to_owned(), format!("{sum:032x}")));
    Ok(TableStanding { table: table.name.clone(), rows, columns: columns.collect() })
}

fn add(hash: &mut Sha256, row: &SqliteRow, at: usize) -> Result<(), sqlx::Error> {
    let kind: String = row.try_get(at * 2)?;
    let bytes: Option<Vec<u8>> = row.try_get(at * 2 + 1)?;
    let bytes = bytes.unwrap_or_default();
    hash.update(kind.as_bytes());
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(&bytes);
    Ok(())
}

fn first_half(digest: &[u8]) -> u128 {
    digest.iter().take(16).fold(0, |sum, byte| (sum << 8) | u128::from(*byte))
}
