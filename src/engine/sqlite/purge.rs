//! The purge of a SQLite file: what is left of originals when SQL no longer sees them.
//!
//! The order was found by experiment: `secure_delete`, full-text indexes, statistics before the
//! rewrite (they hold samples of columns), `VACUUM`, then the log, which holds the rewrite itself.
//!
//! **Invariant:** nothing here prints or returns a value of the source.

use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::error::source_error;
use super::files::{self, FileScan};
use super::value;
use crate::catalog::{Catalog, TableKind};
use crate::engine::ident::{quote, quote_table};
use crate::engine::scan::{Named, planted};
use crate::policy::{ColumnName, Policy, TableName};
use crate::ports::{Originals, PageFacts, ScanDepth, ScrubStep, SourceError, Visitor};
use crate::residue::{Filter, ScanReport};
use crate::value::ValueType;

/// Takes the exclusive lock and keeps it over every COMMIT.
///
/// Where the vault lies in the same file its own connection has to go on working, so nothing is
/// locked there: what is verified is verified again by whoever verifies next.
pub(super) async fn seize(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let is_shared: bool = sqlx::query_scalar(
        "SELECT count(*) > 0 FROM main.sqlite_schema WHERE name = 'sealift_vault'",
    )
    .fetch_one(&mut *connection)
    .await?;
    if is_shared {
        return Ok(());
    }
    sqlx::raw_sql("PRAGMA locking_mode = EXCLUSIVE").execute(&mut *connection).await?;
    // The mode is taken with the first write.
    sqlx::raw_sql("BEGIN EXCLUSIVE; COMMIT").execute(&mut *connection).await?;
    Ok(())
}

/// Lets go: the mode ends with the next read.
pub(super) async fn release(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("PRAGMA locking_mode = NORMAL").execute(&mut *connection).await?;
    // The lock ends with the next transaction, and its journal with it.
    sqlx::raw_sql("BEGIN IMMEDIATE; COMMIT").execute(&mut *connection).await?;
    sqlx::raw_sql("SELECT count(*) FROM main.sqlite_schema").execute(&mut *connection).await?;
    Ok(())
}

/// Rewrites the file so that it holds nothing but what SQL sees.
pub(super) async fn scrub(
    connection: &mut SqliteConnection,
    url: &str,
    tables: &[TableName],
) -> Result<Vec<ScrubStep>, SourceError> {
    let failed = |error| source_error(error, url, "rewriting the file");
    let mut steps = Vec::new();
    let mut began = Timestamp::now();
    let mut ended = |step: &str, outcome: String, falls_short: bool| {
        let now = Timestamp::now();
        let (started_at, finished_at) = (began.to_string(), now.to_string());
        let step = step.to_owned();
        steps.push(ScrubStep { step, outcome, falls_short, started_at, finished_at });
        began = now;
    };
    let level: i64 = sqlx::query_scalar("PRAGMA secure_delete = ON")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if level != 1 {
        return Err(SourceError::Inconsistent("`secure_delete` cannot be switched on".to_owned()));
    }
    ended("PRAGMA secure_delete = ON", "on".to_owned(), false);
    for (table, commands) in full_text(connection, tables).await.map_err(failed)? {
        let name = quote_table(&table).map_err(unsound)?;
        let bare = quote(&table.name).map_err(unsound)?;
        for &command in commands {
            let sql = format!("INSERT INTO main.{name} ({bare}) VALUES ('{command}')");
            let result = sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await;
            // One that keeps no text cannot be built anew; merged it can be.
            let falls_short = result.is_err() && command == "optimize";
            let outcome = if result.is_ok() { "done" } else { "not possible for this table" };
            ended(&format!("{command} {table}"), outcome.to_owned(), falls_short);
        }
    }
    sqlx::raw_sql("DROP TABLE IF EXISTS main.sealift_cursor")
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    let statistics: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM main.sqlite_schema WHERE name LIKE 'sqlite_stat_' ESCAPE '\\'",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    if statistics > 0 {
        sqlx::raw_sql("ANALYZE").execute(&mut *connection).await.map_err(failed)?;
        ended("ANALYZE", "statistics taken from tokens".to_owned(), false);
    }
    sqlx::raw_sql("VACUUM").execute(&mut *connection).await.map_err(failed)?;
    ended("VACUUM", "the file is rewritten".to_owned(), false);
    for (step, outcome) in settle(connection).await.map_err(failed)? {
        ended(step, outcome, false);
    }
    Ok(steps)
}

/// The log is emptied, no journal is left, nothing is on the free list, the file is sound.
async fn settle(
    connection: &mut SqliteConnection,
) -> Result<Vec<(&'static str, String)>, sqlx::Error> {
    let mut done = Vec::new();
    let mode: String =
        sqlx::query_scalar("PRAGMA main.journal_mode").fetch_one(&mut *connection).await?;
    if mode == "wal" {
        let row =
            sqlx::query("PRAGMA main.wal_checkpoint(TRUNCATE)").fetch_one(&mut *connection).await?;
        let (busy, log): (i64, i64) = (row.get(0), row.get(1));
        if busy != 0 || log > 0 {
            return Err(sqlx::Error::Protocol(format!(
                "the log could not be emptied (busy {busy}, {log} frames left)"
            )));
        }
        done.push(("PRAGMA wal_checkpoint(TRUNCATE)", "the log is empty".to_owned()));
    } else if mode == "persist" || mode == "truncate" {
        // A journal that is kept between transactions keeps what it held: DELETE removes it.
        let set: String = sqlx::query_scalar("PRAGMA main.journal_mode = DELETE")
            .fetch_one(&mut *connection)
            .await?;
        sqlx::raw_sql("BEGIN IMMEDIATE; COMMIT").execute(&mut *connection).await?;
        sqlx::query_scalar::<_, String>(AssertSqlSafe(format!(
            "PRAGMA main.journal_mode = {mode}"
        )))
        .fetch_one(&mut *connection)
        .await?;
        done.push(("PRAGMA journal_mode = DELETE", format!("was {mode}, became {set}, put back")));
    }
    let free: i64 =
        sqlx::query_scalar("PRAGMA main.freelist_count").fetch_one(&mut *connection).await?;
    if free != 0 {
        return Err(sqlx::Error::Protocol(format!("{free} pages are on the free list")));
    }
    done.push(("PRAGMA freelist_count", "0".to_owned()));
    let sound: String =
        sqlx::query_scalar("PRAGMA main.integrity_check(1)").fetch_one(connection).await?;
    if sound != "ok" {
        return Err(sqlx::Error::Protocol("the integrity check found damage".into()));
    }
    done.push(("PRAGMA integrity_check", sound));
    Ok(done)
}

/// Full-text tables, with what is asked of each. One that names one of these tables is built anew from
/// it. Every other one is merged: triggers may have carried originals into it, and a word that was
/// deleted stays in its segments until they are.
async fn full_text(
    connection: &mut SqliteConnection,
    tables: &[TableName],
) -> Result<Vec<(TableName, &'static [&'static str])>, sqlx::Error> {
    let virtuals: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, sql FROM main.sqlite_schema
         WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%' ORDER BY name",
    )
    .fetch_all(connection)
    .await?;
    let asked = |(name, sql): (String, String)| {
        let sql = sql.to_ascii_lowercase();
        let names = |table: &TableName| sql.contains(&table.name.to_ascii_lowercase());
        let commands: &[&str] = match (sql.contains("fts"), tables.iter().any(names)) {
            (false, _) => return None,
            (true, true) => &["rebuild", "optimize"],
            (true, false) => &["optimize"],
        };
        Some((TableName::bare(name), commands))
    };
    Ok(virtuals.into_iter().filter_map(asked).collect())
}

fn unsound(error: crate::engine::ident::IdentError) -> SourceError {
    SourceError::Engine { doing: "making a statement", source: Box::new(error) }
}

/// Scans the files of the database for what the filter was built from.
pub(super) fn scan(
    path: &Path,
    filter: &Filter,
    digest_key: [u8; 32],
    originals: &(dyn Originals + Sync),
    depth: ScanDepth,
) -> Result<ScanReport, SourceError> {
    tokio::task::block_in_place(|| {
        let listed = files::list(path).map_err(|error| failed_scan(Box::new(error)))?;
        let candidates_max = match depth {
            ScanDepth::Control => 100_000,
            ScanDepth::Whole => 400_000,
        };
        let mut scan = FileScan::open(listed, filter, digest_key)
            .map_err(|error| failed_scan(Box::new(error)))?
            .with_candidates_max(candidates_max);
        while scan.next_round().map_err(|error| failed_scan(Box::new(error)))? {
            let mut outcome = Ok(());
            originals
                .each(&mut |original| {
                    if outcome.is_ok() {
                        outcome = scan.check(original);
                    }
                })
                .map_err(failed_scan)?;
            outcome.map_err(|error| failed_scan(Box::new(error)))?;
            scan.end_round().map_err(|error| failed_scan(Box::new(error)))?;
            if depth == ScanDepth::Control {
                break;
            }
        }
        Ok(scan.finish())
    })
}

/// Scans the files that the policy names beside those of the database.
pub(super) fn scan_named(
    report: &mut ScanReport,
    named: &[String],
    (filter, digest_key): (&Filter, [u8; 32]),
    originals: &(dyn Originals + Sync),
    depth: ScanDepth,
) -> Result<(), SourceError> {
    if named.is_empty() {
        return Ok(());
    }
    let paths: Vec<PathBuf> = named.iter().map(PathBuf::from).collect();
    let scanned = tokio::task::block_in_place(|| {
        Named::list(&paths)?.scan(filter, digest_key, originals, depth)
    });
    let scanned = scanned.map_err(|error| failed_scan(Box::new(error)))?;
    report.files.extend(scanned.files);
    report.skipped.extend(scanned.skipped);
    // No original has to lie there: that the scan sees these files is shown by what it plants.
    report.planted.extend(planted());
    Ok(())
}

fn failed_scan(source: Box<dyn std::error::Error + Send + Sync>) -> SourceError {
    SourceError::Engine { doing: "scanning its files", source }
}

/// Shows every text and blob of the columns that the policy leaves out.
pub(super) async fn uncovered(
    connection: &mut SqliteConnection,
    url: &str,
    catalog: &Catalog,
    policy: &Policy,
    visitor: &mut dyn Visitor,
) -> Result<(), SourceError> {
    let failed = |error| source_error(error, url, "looking for copies");
    for table in catalog.tables.iter().filter(|table| table.kind == TableKind::Ordinary) {
        let names: Vec<ColumnName> = table
            .columns
            .iter()
            .filter(|column| column.generated.as_ref().is_none_or(|generated| generated.stored))
            .map(|column| ColumnName { table: table.name.clone(), column: column.name.clone() })
            .filter(|name| !policy.columns.iter().any(|rule| rule.name == *name))
            .collect();
        if names.is_empty() {
            continue;
        }
        let wanted = names
            .iter()
            .map(|name| quote(&name.column))
            .collect::<Result<Vec<_>, _>>()
            .map_err(unsound)?;
        let table_name = quote_table(&table.name).map_err(unsound)?;
        let sql = format!("SELECT {} FROM main.{table_name}", wanted.join(", "));
        let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *connection);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            for (at, name) in names.iter().enumerate() {
                let cell = value::original(&row, at).map_err(failed)?;
                if let Some(cell) = cell
                    && matches!(cell.kind(), ValueType::Text | ValueType::Blob)
                {
                    visitor.visit(name, &cell);
                }
            }
        }
    }
    Ok(())
}

/// Takes the pages of the file apart.
pub(super) fn structure(path: &Path) -> Result<Option<PageFacts>, SourceError> {
    let found = tokio::task::block_in_place(|| files::structure(path))
        .map_err(|error| failed_scan(Box::new(error)))?;
    Ok(found.map(|found| PageFacts {
        pages: found.pages,
        pages_with_remains: found.free_pages
            + found.unreached_pages_set
            + found.pages_with_unused_set,
    }))
}
