//! The ledger's rows: appended under the lock of their head, read as they were stored.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::commit::signed;
use crate::engine::sqlite::error::vault_error;
use crate::engine::vault_rows::{self, Columns as _};
use crate::ledger::{Draft, Entry, Head};
use crate::lifecycle::{Phase, RunId};
use crate::ports::{CredentialUse, IntakeRow, Quota, SealedReason, Taken, ToldRow, VaultError};

fn inconsistent(what: &str) -> VaultError {
    VaultError::Inconsistent(what.to_owned())
}

/// Appends entries. The phases before and after are read from the run's row and from its last
/// entry, so that an entry cannot say something else than the tables do.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    url: &str,
    drafts: Vec<Draft>,
) -> Result<Head, VaultError> {
    let failed = |error| vault_error(error, url, "appending to the ledger");
    let mut head = head(connection, url).await?;
    if drafts.is_empty() {
        return Ok(head);
    }
    for mut draft in drafts {
        // A request is of the time at which it was recorded.
        if draft.at.is_empty() {
            draft.at = Timestamp::now().to_string();
        }
        concat!("sealift ", env!("CARGO_PKG_VERSION")).clone_into(&mut draft.tool);
        if let Some(run) = draft.run {
            draft.phase_before = last_phase(connection, url, run).await?;
            draft.phase_after = phase(connection, url, run).await?.or(draft.phase_before);
        }
        let entered =
            head.enter(draft).map_err(|_| inconsistent("a ledger entry has no canonical form"))?;
        sqlx::query("INSERT INTO sealift_ledger VALUES (?, ?, ?)")
            .bind(signed(entered.entry.seq))
            .bind(entered.entry.run.map(|run| i64::from(run.0)))
            .bind(&entered.bytes)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    sqlx::query("UPDATE sealift_ledger_head SET state = ?")
        .bind(head.encode())
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(head)
}

async fn phase(
    connection: &mut SqliteConnection,
    url: &str,
    run: RunId,
) -> Result<Option<Phase>, VaultError> {
    let phase: Option<String> = sqlx::query_scalar("SELECT phase FROM sealift_run WHERE run = ?")
        .bind(i64::from(run.0))
        .fetch_optional(connection)
        .await
        .map_err(|error| vault_error(error, url, "reading the phase of a run"))?;
    Ok(phase.as_deref().and_then(Phase::from_name))
}

async fn last_phase(
    connection: &mut SqliteConnection,
    url: &str,
    run: RunId,
) -> Result<Option<Phase>, VaultError> {
    let last: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT body FROM sealift_ledger WHERE run = ? ORDER BY sequence DESC LIMIT 1",
    )
    .bind(i64::from(run.0))
    .fetch_optional(connection)
    .await
    .map_err(|error| vault_error(error, url, "reading the ledger"))?;
    let Some(last) = last else { return Ok(None) };
    let entry =
        Entry::parse(&last).map_err(|_| inconsistent("a ledger entry is not what was written"))?;
    Ok(entry.phase_after)
}

pub(super) async fn head(connection: &mut SqliteConnection, url: &str) -> Result<Head, VaultError> {
    let state: Vec<u8> = sqlx::query_scalar("SELECT state FROM sealift_ledger_head")
        .fetch_one(connection)
        .await
        .map_err(|error| vault_error(error, url, "reading the head of its ledger"))?;
    Head::decode(&state).map_err(|_| inconsistent("the head of the ledger is malformed"))
}

pub(super) async fn bodies(
    connection: &mut SqliteConnection,
    from: u64,
    limit: usize,
) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT body FROM sealift_ledger WHERE sequence >= ? ORDER BY sequence LIMIT ?",
    )
    .bind(signed(from))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await
}

pub(super) async fn of_run(
    connection: &mut SqliteConnection,
    url: &str,
    run: RunId,
) -> Result<Vec<Entry>, VaultError> {
    let bodies: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT body FROM sealift_ledger WHERE run = ? ORDER BY sequence")
            .bind(i64::from(run.0))
            .fetch_all(connection)
            .await
            .map_err(|error| vault_error(error, url, "reading its ledger"))?;
    parsed(&bodies)
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
pub(super) async fn of_callers(
    connection: &mut SqliteConnection,
    url: &str,
) -> Result<Vec<Entry>, VaultError> {
    let bodies: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT body FROM sealift_ledger
         WHERE run IS NULL AND instr(body, CAST('\"action\":\"caller_' AS BLOB)) > 0
         ORDER BY sequence",
    )
    .fetch_all(connection)
    .await
    .map_err(|error| vault_error(error, url, "reading its ledger"))?;
    parsed(&bodies)
}

pub(super) async fn checkpoints(
    connection: &mut SqliteConnection,
) -> Result<Vec<(u64, String)>, sqlx::Error> {
    let rows = sqlx::query("SELECT size, note FROM sealift_checkpoint ORDER BY size")
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(|row| (row.unsigned("size"), row.get("note"))).collect())
}

/// Entries whose action begins with `policy_`.
pub(super) async fn of_policies(
    connection: &mut SqliteConnection,
    url: &str,
) -> Result<Vec<Entry>, VaultError> {
    let bodies: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT body FROM sealift_ledger
         WHERE run IS NULL AND instr(body, CAST('\"action\":\"policy_' AS BLOB)) > 0
         ORDER BY sequence",
    )
    .fetch_all(connection)
    .await
    .map_err(|error| vault_error(error, url, "reading its ledger"))?;
    parsed(&bodies)
}

pub(super) async fn newest_checkpoint(
    connection: &mut SqliteConnection,
) -> Result<Option<(u64, String)>, sqlx::Error> {
    let row = sqlx::query("SELECT size, note FROM sealift_checkpoint ORDER BY size DESC LIMIT 1")
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| (row.unsigned("size"), row.get("note"))))
}

pub(super) async fn reason(
    connection: &mut SqliteConnection,
    digest: &str,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT sealed FROM sealift_reason WHERE digest = ?")
        .bind(digest)
        .fetch_optional(connection)
        .await
}

pub(super) async fn told(connection: &mut SqliteConnection) -> Result<Vec<ToldRow>, sqlx::Error> {
    let rows =
        sqlx::query("SELECT * FROM sealift_told ORDER BY place").fetch_all(connection).await?;
    Ok(rows.iter().map(vault_rows::told).collect())
}

pub(super) async fn grants_version(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let version: Option<i64> = sqlx::query_scalar("SELECT version FROM sealift_grants_version")
        .fetch_optional(connection)
        .await?;
    Ok(version.and_then(|version| u64::try_from(version).ok()).unwrap_or(0))
}

pub(super) async fn intake(
    connection: &mut SqliteConnection,
    row: &IntakeRow,
    reasons: &[SealedReason],
) -> Result<(), sqlx::Error> {
    for reason in reasons {
        sqlx::query("INSERT OR IGNORE INTO sealift_reason VALUES (?, ?)")
            .bind(&reason.digest)
            .bind(&reason.sealed)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query("INSERT INTO sealift_intake VALUES (?, ?, ?, ?)")
        .bind(&row.writer)
        .bind(signed(row.number))
        .bind(&row.body)
        .bind(&row.mac)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn intake_rows(
    connection: &mut SqliteConnection,
    limit: usize,
) -> Result<Vec<IntakeRow>, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM sealift_intake ORDER BY writer, number LIMIT ?")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    Ok(rows
        .iter()
        .map(|row| IntakeRow {
            writer: row.get("writer"),
            number: row.unsigned("number"),
            body: row.get("body"),
            mac: row.get("mac"),
        })
        .collect())
}

pub(super) async fn intake_through(
    connection: &mut SqliteConnection,
    writer: &str,
) -> Result<u64, sqlx::Error> {
    let last: Option<i64> =
        sqlx::query_scalar("SELECT number FROM sealift_intake_done WHERE writer = ?")
            .bind(writer)
            .fetch_optional(connection)
            .await?;
    Ok(last.and_then(|last| u64::try_from(last).ok()).unwrap_or(0))
}

/// Counts tokens against quotas, all or none of them.
pub(super) async fn take_quota(
    connection: &mut SqliteConnection,
    quotas: &[Quota],
    count: u64,
) -> Result<Taken, sqlx::Error> {
    for quota in quotas {
        let row: Option<(i64, i64)> = sqlx::query_as(
            "SELECT began_s, used FROM sealift_quota WHERE caller = ? AND purpose = ? AND per = ?",
        )
        .bind(&quota.caller)
        .bind(&quota.purpose)
        .bind(quota.per)
        .fetch_optional(&mut *connection)
        .await?;
        let used =
            quota.used(row.map(|(began_s, used)| (began_s, u64::try_from(used).unwrap_or(0))));
        if quota.is_past(used, count) {
            return Ok(Taken::Past { per: quota.per, used });
        }
    }
    for quota in quotas {
        sqlx::query(
            "INSERT INTO sealift_quota VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (caller, purpose, per) DO UPDATE
             SET used = iif(began_s >= ?4, used, 0) + ?5, began_s = max(began_s, ?4)",
        )
        .bind(&quota.caller)
        .bind(&quota.purpose)
        .bind(quota.per)
        .bind(quota.began_s)
        .bind(signed(count))
        .execute(&mut *connection)
        .await?;
    }
    Ok(Taken::All)
}

/// Sealed reasons by their digests, in order.
pub(super) async fn reasons(
    connection: &mut SqliteConnection,
    digests: &[String],
) -> Result<Vec<Option<Vec<u8>>>, sqlx::Error> {
    let mut found = Vec::with_capacity(digests.len());
    for digest in digests {
        let sealed = sqlx::query_scalar("SELECT sealed FROM sealift_reason WHERE digest = ?")
            .bind(digest)
            .fetch_optional(&mut *connection)
            .await?;
        found.push(sealed);
    }
    Ok(found)
}

/// Notes when credentials were used. A clock that went back changes nothing.
pub(super) async fn note_uses(
    connection: &mut SqliteConnection,
    uses: &[CredentialUse],
) -> Result<(), sqlx::Error> {
    for used in uses {
        sqlx::query(
            "INSERT INTO sealift_credential_use VALUES (?, ?)
             ON CONFLICT (credential) DO UPDATE SET used_at = max(used_at, excluded.used_at)",
        )
        .bind(&used.credential)
        .bind(&used.used_at)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

pub(super) async fn credential_uses(
    connection: &mut SqliteConnection,
) -> Result<Vec<CredentialUse>, sqlx::Error> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT credential, used_at FROM sealift_credential_use ORDER BY 1")
            .fetch_all(connection)
            .await?;
    let of_row = |(credential, used_at)| CredentialUse { credential, used_at };
    Ok(rows.into_iter().map(of_row).collect())
}
