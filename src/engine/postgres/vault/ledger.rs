//! The ledger's rows: appended under the lock of their head, read as they were stored.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::Broken;
use super::commit::signed;
use super::read::unsigned;
use crate::ledger::{Draft, Entry, Head};
use crate::lifecycle::{Phase, RunId};
use crate::ports::{IntakeRow, VaultError};

fn inconsistent(what: &str) -> VaultError {
    VaultError::Inconsistent(what.to_owned())
}

/// Appends entries. The phases before and after are read from the run's row and from its last
/// entry, so that an entry cannot say something else than the tables do.
pub(super) async fn append(
    connection: &mut PgConnection,
    drafts: Vec<Draft>,
) -> Result<Head, Broken> {
    if drafts.is_empty() {
        return head(connection).await;
    }
    // Whoever else appends waits here, and what it has appended by then is read.
    let state: Vec<u8> = sqlx::query_scalar("SELECT state FROM sealift.ledger_head FOR UPDATE")
        .fetch_one(&mut *connection)
        .await?;
    let mut head = decoded(&state)?;
    for mut draft in drafts {
        draft.at = Timestamp::now().to_string();
        concat!("sealift ", env!("CARGO_PKG_VERSION")).clone_into(&mut draft.tool);
        if let Some(run) = draft.run {
            draft.phase_before = last_phase(connection, run).await?;
            draft.phase_after = phase(connection, run).await?.or(draft.phase_before);
        }
        let entered =
            head.enter(draft).map_err(|_| inconsistent("a ledger entry has no canonical form"))?;
        sqlx::query("INSERT INTO sealift.ledger VALUES ($1, $2, $3)")
            .bind(signed(entered.entry.seq))
            .bind(entered.entry.run.map(|run| i64::from(run.0)))
            .bind(&entered.bytes)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query("UPDATE sealift.ledger_head SET state = $1")
        .bind(head.encode())
        .execute(connection)
        .await?;
    Ok(head)
}

async fn phase(connection: &mut PgConnection, run: RunId) -> Result<Option<Phase>, Broken> {
    let phase: Option<String> = sqlx::query_scalar("SELECT phase FROM sealift.run WHERE run = $1")
        .bind(i64::from(run.0))
        .fetch_optional(connection)
        .await?;
    Ok(phase.as_deref().and_then(Phase::from_name))
}

async fn last_phase(connection: &mut PgConnection, run: RunId) -> Result<Option<Phase>, Broken> {
    let last: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT body FROM sealift.ledger WHERE run = $1 ORDER BY sequence DESC LIMIT 1",
    )
    .bind(i64::from(run.0))
    .fetch_optional(connection)
    .await?;
    let Some(last) = last else { return Ok(None) };
    let entry =
        Entry::parse(&last).map_err(|_| inconsistent("a ledger entry is not what was written"))?;
    Ok(entry.phase_after)
}

pub(super) async fn head(connection: &mut PgConnection) -> Result<Head, Broken> {
    let state: Vec<u8> =
        sqlx::query_scalar("SELECT state FROM sealift.ledger_head").fetch_one(connection).await?;
    Ok(decoded(&state)?)
}

fn decoded(state: &[u8]) -> Result<Head, VaultError> {
    Head::decode(state).map_err(|_| inconsistent("the head of the ledger is malformed"))
}

pub(super) async fn bodies(
    connection: &mut PgConnection,
    from: u64,
    limit: usize,
) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT body FROM sealift.ledger WHERE sequence >= $1 ORDER BY sequence LIMIT $2",
    )
    .bind(signed(from))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await
}

pub(super) async fn of_run(
    connection: &mut PgConnection,
    run: RunId,
) -> Result<Vec<Entry>, Broken> {
    let bodies: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT body FROM sealift.ledger WHERE run = $1 ORDER BY sequence")
            .bind(i64::from(run.0))
            .fetch_all(connection)
            .await?;
    Ok(parsed(&bodies)?)
}

fn parsed(bodies: &[Vec<u8>]) -> Result<Vec<Entry>, VaultError> {
    bodies
        .iter()
        .map(|body| {
            Entry::parse(body).map_err(|_| inconsistent("a ledger entry is not what was written"))
        })
        .collect()
}

/// Entries whose action begins with `caller_`. What is looked for is the entry itself, not a column
/// beside it that could say something else.
pub(super) async fn of_callers(connection: &mut PgConnection) -> Result<Vec<Entry>, Broken> {
    let bodies: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT body FROM sealift.ledger
         WHERE run IS NULL AND position('\"action\":\"caller_'::bytea IN body) > 0
         ORDER BY sequence",
    )
    .fetch_all(connection)
    .await?;
    Ok(parsed(&bodies)?)
}

pub(super) async fn checkpoints(
    connection: &mut PgConnection,
) -> Result<Vec<(u64, String)>, sqlx::Error> {
    let rows = sqlx::query("SELECT size, note FROM sealift.checkpoint ORDER BY size")
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(|row| (unsigned(row, "size"), row.get("note"))).collect())
}

pub(super) async fn intake(
    connection: &mut PgConnection,
    row: &IntakeRow,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO sealift.intake VALUES ($1, $2, $3, $4)")
        .bind(&row.writer)
        .bind(signed(row.number))
        .bind(&row.body)
        .bind(&row.mac)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn intake_rows(
    connection: &mut PgConnection,
) -> Result<Vec<IntakeRow>, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM sealift.intake ORDER BY writer COLLATE \"C\", number")
        .fetch_all(connection)
        .await?;
    Ok(rows
        .iter()
        .map(|row| IntakeRow {
            writer: row.get("writer"),
            number: unsigned(row, "number"),
            body: row.get("body"),
            mac: row.get("mac"),
        })
        .collect())
}

pub(super) async fn intake_next(
    connection: &mut PgConnection,
    writer: &str,
) -> Result<u64, sqlx::Error> {
    let last: i64 = sqlx::query_scalar(
        "SELECT greatest(coalesce((SELECT max(number) FROM sealift.intake WHERE writer = $1), 0),
                         coalesce((SELECT number FROM sealift.intake_done WHERE writer = $1), 0))",
    )
    .bind(writer)
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(last).unwrap_or(0) + 1)
}
