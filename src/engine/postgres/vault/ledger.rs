//! The ledger's rows: appended under the lock of their head, read as they were stored.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::commit::signed;
use super::{Broken, INTAKE_LOCK};
use crate::engine::vault_rows::{self, Columns as _};
use crate::ledger::{Draft, Entered, Entry, Head};
use crate::lifecycle::{Phase, RunId};
use crate::ports::{CredentialUse, IntakeRow, Quota, SealedReason, Taken, ToldRow, VaultError};

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
    let mut waiting: Vec<Entered> = Vec::new();
    for mut draft in drafts {
        // A request is of the time at which it was recorded.
        if draft.at.is_empty() {
            draft.at = Timestamp::now().to_string();
        }
        concat!("sealift ", env!("CARGO_PKG_VERSION")).clone_into(&mut draft.tool);
        if let Some(run) = draft.run {
            insert(connection, &mut waiting).await?;
            draft.phase_before = last_phase(connection, run).await?;
            draft.phase_after = phase(connection, run).await?.or(draft.phase_before);
        }
        let entered =
            head.enter(draft).map_err(|_| inconsistent("a ledger entry has no canonical form"))?;
        waiting.push(entered);
    }
    insert(connection, &mut waiting).await?;
    sqlx::query("UPDATE sealift.ledger_head SET state = $1")
        .bind(head.encode())
        .execute(connection)
        .await?;
    Ok(head)
}

/// Inserts entries that have their places, in one statement.
async fn insert(
    connection: &mut PgConnection,
    waiting: &mut Vec<Entered>,
) -> Result<(), sqlx::Error> {
    let entries = std::mem::take(waiting);
    if entries.is_empty() {
        return Ok(());
    }
    let places: Vec<i64> = entries.iter().map(|entered| signed(entered.entry.seq)).collect();
    let runs: Vec<Option<i64>> =
        entries.iter().map(|entered| entered.entry.run.map(|run| i64::from(run.0))).collect();
    let bodies: Vec<&[u8]> = entries.iter().map(|entered| entered.bytes.as_slice()).collect();
    // language=PostgreSQL
    sqlx::query(
        "INSERT INTO sealift.ledger (sequence, run, body)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])",
    )
    .bind(&places)
    .bind(&runs)
    .bind(&bodies)
    .execute(connection)
    .await?;
    Ok(())
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
    Ok(rows.iter().map(|row| (row.unsigned("size"), row.get("note"))).collect())
}

/// Entries whose action begins with `policy_`.
pub(super) async fn of_policies(connection: &mut PgConnection) -> Result<Vec<Entry>, Broken> {
    let bodies: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT body FROM sealift.ledger
         WHERE run IS NULL AND position('\"action\":\"policy_'::bytea IN body) > 0
         ORDER BY sequence",
    )
    .fetch_all(connection)
    .await?;
    Ok(parsed(&bodies)?)
}

pub(super) async fn newest_checkpoint(
    connection: &mut PgConnection,
) -> Result<Option<(u64, String)>, sqlx::Error> {
    let row = sqlx::query("SELECT size, note FROM sealift.checkpoint ORDER BY size DESC LIMIT 1")
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| (row.unsigned("size"), row.get("note"))))
}

pub(super) async fn reason(
    connection: &mut PgConnection,
    digest: &str,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT sealed FROM sealift.reason WHERE digest = $1")
        .bind(digest)
        .fetch_optional(connection)
        .await
}

pub(super) async fn told(connection: &mut PgConnection) -> Result<Vec<ToldRow>, sqlx::Error> {
    let rows =
        sqlx::query("SELECT * FROM sealift.told ORDER BY place").fetch_all(connection).await?;
    Ok(rows.iter().map(vault_rows::told).collect())
}

pub(super) async fn grants_version(connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let version: Option<i64> = sqlx::query_scalar("SELECT version FROM sealift.grants_version")
        .fetch_optional(connection)
        .await?;
    Ok(version.and_then(|version| u64::try_from(version).ok()).unwrap_or(0))
}

/// One statement, so that it is one round trip and commits by itself.
pub(super) async fn intake(
    connection: &mut PgConnection,
    row: &IntakeRow,
    reasons: &[SealedReason],
) -> Result<(), sqlx::Error> {
    let digests: Vec<&str> = reasons.iter().map(|reason| reason.digest.as_str()).collect();
    let sealed: Vec<&[u8]> = reasons.iter().map(|reason| reason.sealed.as_slice()).collect();
    // language=PostgreSQL
    sqlx::query(
        "WITH kept AS (
             INSERT INTO sealift.reason
             SELECT * FROM unnest($5::text[], $6::bytea[]) ON CONFLICT DO NOTHING)
         INSERT INTO sealift.intake VALUES ($1, $2, $3, $4)",
    )
    .bind(&row.writer)
    .bind(signed(row.number))
    .bind(&row.body)
    .bind(&row.mac)
    .bind(&digests)
    .bind(&sealed)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn intake_rows(
    connection: &mut PgConnection,
    limit: usize,
) -> Result<Vec<IntakeRow>, sqlx::Error> {
    let rows =
        sqlx::query("SELECT * FROM sealift.intake ORDER BY writer COLLATE \"C\", number LIMIT $1")
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
    connection: &mut PgConnection,
    writer: &str,
) -> Result<u64, sqlx::Error> {
    let last: Option<i64> =
        sqlx::query_scalar("SELECT number FROM sealift.intake_done WHERE writer = $1")
            .bind(writer)
            .fetch_optional(connection)
            .await?;
    Ok(last.and_then(|last| u64::try_from(last).ok()).unwrap_or(0))
}

/// The lock belongs to the session: the server lets go of it when the session ends.
pub(super) async fn leads_intake(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // language=PostgreSQL
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT FROM pg_locks
             WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted
               AND classid::bigint << 32 | objid::bigint = $1)
             OR pg_try_advisory_lock($1)",
    )
    .bind(INTAKE_LOCK)
    .fetch_one(connection)
    .await
}

/// Counts tokens against quotas, all or none of them.
pub(super) async fn take_quota(
    connection: &mut PgConnection,
    quotas: &[Quota],
    count: u64,
) -> Result<Taken, sqlx::Error> {
    for quota in quotas {
        // Locked, so that whoever counts at the same time waits and sees what was counted here.
        let row: Option<(i64, i64)> = sqlx::query_as(
            "INSERT INTO sealift.quota VALUES ($1, $2, $3, $4, 0)
             ON CONFLICT (caller, purpose, per) DO UPDATE SET used = quota.used
             RETURNING began_s, used",
        )
        .bind(&quota.caller)
        .bind(&quota.purpose)
        .bind(quota.per)
        .bind(quota.began_s)
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
            "UPDATE sealift.quota
             SET used = CASE WHEN began_s >= $4 THEN used ELSE 0 END + $5,
                 began_s = greatest(began_s, $4)
             WHERE caller = $1 AND purpose = $2 AND per = $3",
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
    connection: &mut PgConnection,
    digests: &[String],
) -> Result<Vec<Option<Vec<u8>>>, sqlx::Error> {
    let rows: Vec<(String, Vec<u8>)> =
        sqlx::query_as("SELECT digest, sealed FROM sealift.reason WHERE digest = ANY ($1)")
            .bind(digests)
            .fetch_all(connection)
            .await?;
    let found: HashMap<String, Vec<u8>> = rows.into_iter().collect();
    Ok(digests.iter().map(|digest| found.get(digest).cloned()).collect())
}

/// Notes when credentials were used. A clock that went back changes nothing.
pub(super) async fn note_uses(
    connection: &mut PgConnection,
    uses: &[CredentialUse],
) -> Result<(), sqlx::Error> {
    let credentials: Vec<&str> = uses.iter().map(|used| used.credential.as_str()).collect();
    let times: Vec<&str> = uses.iter().map(|used| used.used_at.as_str()).collect();
    // ORDER: by credential, so that two services that note at once wait for each other in one order.
    // language=PostgreSQL
    sqlx::query(
        "INSERT INTO sealift.credential_use
         SELECT * FROM unnest($1::text[], $2::text[]) ORDER BY 1
         ON CONFLICT (credential) DO UPDATE
         SET used_at = greatest(credential_use.used_at, excluded.used_at)",
    )
    .bind(&credentials)
    .bind(&times)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn credential_uses(
    connection: &mut PgConnection,
) -> Result<Vec<CredentialUse>, sqlx::Error> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT credential, used_at FROM sealift.credential_use ORDER BY 1")
            .fetch_all(connection)
            .await?;
    let of_row = |(credential, used_at)| CredentialUse { credential, used_at };
    Ok(rows.into_iter().map(of_row).collect())
}
