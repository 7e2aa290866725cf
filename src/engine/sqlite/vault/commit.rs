//! Applying one [`Change`] inside a transaction.

use sqlx::sqlite::SqliteConnection;

use super::lease;
use crate::engine::sqlite::error::{code, vault_error};
use crate::lifecycle::{Event, Phase, RunId};
use crate::ports::{
    ApprovalRow, CallerRow, Change, CheckRow, DomainRow, FileRow, KeyRow, PurposeRow,
    QuarantineRow, RangeRow, RunRow, SegmentRow, SlotRow, ToldRow, UnlockRow, VaultError,
};
use crate::value::RowKey;

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) async fn apply(
    connection: &mut SqliteConnection,
    url: &str,
    change: &Change,
) -> Result<(), VaultError> {
    let result = match change {
        Change::PutSlot(row) => put_slot(connection, row).await,
        Change::SlotOpened { slot, at } => slot_opened(connection, *slot, at).await,
        Change::RemoveSlot(slot) => remove_slot(connection, *slot).await,
        Change::PutKey(row) => put_key(connection, row).await,
        Change::PutKeyCheck(check) => put_key_check(connection, check).await,
        Change::PutDomain(row) => put_domain(connection, row).await,
        Change::PutCaller(row) => put_caller(connection, row).await,
        Change::PutPurpose(row) => put_purpose(connection, row).await,
        Change::PutUnlock(row) => put_unlock(connection, row).await,
        Change::RemovePurpose(name) => remove_purpose(connection, name).await,
        Change::InsertRun(row, columns) => return insert_run(connection, url, row, columns).await,
        Change::RemoveRun(run) => remove_run(connection, *run).await,
        Change::Advance { run, from, event } => {
            return advance(connection, url, *run, *from, *event).await;
        }
        Change::SetCondition { run, condition, reason } => {
            let condition = condition.map(crate::ports::Condition::name);
            set_condition(connection, *run, condition, reason).await
        }
        Change::SetVerified { run, digest } => {
            set_verified(connection, *run, digest.as_deref()).await
        }
        Change::SetRate { run, rate } => lease::set_rate(connection, *run, *rate).await,
        Change::PieceDone(held) => match lease::done(connection, held).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let (unit, range) = (held.piece.unit, held.piece.range);
                return Err(VaultError::LeaseLost { unit, range });
            }
            Err(error) => Err(error),
        },
        Change::SplitPiece(held, at) => lease::split(connection, held, at).await,
        Change::AddPiece(piece) => lease::add_pieces(connection, &[(piece.clone(), 0)]).await,
        Change::PutApproval(row) => put_approval(connection, row).await,
        Change::VoidApprovals(run, kind) => void_approvals(connection, *run, kind.name()).await,
        Change::PutRange(run, row) => put_range(connection, *run, row).await,
        Change::PutFile(run, row) => put_file(connection, *run, row).await,
        Change::ForgetFiles(run, kind) => forget_files(connection, *run, kind.name()).await,
        Change::CloseSegment(row) => close_segment(connection, row).await,
        Change::PutQuarantine(run, row) => put_quarantine(connection, *run, row).await,
        Change::PutCheck(run, row) => put_check(connection, *run, row).await,
        Change::PutReason { digest, sealed } => put_reason(connection, digest, sealed).await,
        Change::EraseReasons(digests) => erase_reasons(connection, digests).await,
        Change::PutVerifierKey(text) => put_verifier_key(connection, text).await,
        Change::PutTold(row) => put_told(connection, row).await,
        Change::PutCheckpoint { size, note } => put_checkpoint(connection, *size, note).await,
        Change::IntakeDone { writer, rows, through } => {
            return intake_done(connection, url, writer, rows, *through).await;
        }
    };
    result.map_err(|error| vault_error(error, url, "recording a change"))
}

type Done = Result<(), sqlx::Error>;

async fn put_slot(connection: &mut SqliteConnection, row: &SlotRow) -> Done {
    sqlx::query("INSERT OR REPLACE INTO sealift_slot VALUES (?, ?, ?, ?)")
        .bind(i64::from(row.slot))
        .bind(&row.body)
        .bind(&row.created_at)
        .bind(&row.opened_at)
        .execute(connection)
        .await?;
    Ok(())
}

async fn slot_opened(connection: &mut SqliteConnection, slot: u32, at: &str) -> Done {
    sqlx::query("UPDATE sealift_slot SET opened_at = ? WHERE slot = ?")
        .bind(at)
        .bind(i64::from(slot))
        .execute(connection)
        .await?;
    Ok(())
}

async fn remove_slot(connection: &mut SqliteConnection, slot: u32) -> Done {
    sqlx::query("DELETE FROM sealift_slot WHERE slot = ?")
        .bind(i64::from(slot))
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_key(connection: &mut SqliteConnection, row: &KeyRow) -> Done {
    sqlx::query("INSERT OR REPLACE INTO sealift_key VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(i64::from(row.key))
        .bind(&row.purpose)
        .bind(&row.subject)
        .bind(i64::from(row.version))
        .bind(&row.state)
        .bind(&row.created_at)
        .bind(&row.changed_at)
        .bind(&row.wrapped)
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_key_check(connection: &mut SqliteConnection, check: &[u8]) -> Done {
    sqlx::query("UPDATE sealift_vault SET key_check = ?").bind(check).execute(connection).await?;
    Ok(())
}

async fn put_domain(connection: &mut SqliteConnection, row: &DomainRow) -> Done {
    sqlx::query("INSERT INTO sealift_domain VALUES (?, ?, ?, ?, ?)")
        .bind(i64::from(row.domain.0))
        .bind(&row.name)
        .bind(&row.class)
        .bind(&row.treatment)
        .bind(&row.mac)
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_caller(connection: &mut SqliteConnection, row: &CallerRow) -> Done {
    sqlx::query("INSERT OR REPLACE INTO sealift_caller VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(&row.name)
        .bind(&row.role)
        .bind(&row.credential)
        .bind(&row.credential_hash)
        .bind(&row.approver_key)
        .bind(&row.created_at)
        .bind(&row.expires_at)
        .bind(&row.revoked_at)
        .bind(&row.mac)
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_purpose(connection: &mut SqliteConnection, row: &PurposeRow) -> Done {
    sqlx::query("INSERT OR REPLACE INTO sealift_purpose VALUES (?, ?, ?, ?)")
        .bind(&row.name)
        .bind(&row.body)
        .bind(&row.policy)
        .bind(&row.mac)
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_unlock(connection: &mut SqliteConnection, row: &UnlockRow) -> Done {
    sqlx::query(
        "INSERT INTO sealift_unlock VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (caller, purpose) DO UPDATE SET until = excluded.until, given_by = excluded.given_by, mac = excluded.mac",
    )
    .bind(&row.caller)
    .bind(&row.purpose)
    .bind(&row.until)
    .bind(&row.given_by)
    .bind(&row.mac)
    .execute(connection)
    .await?;
    Ok(())
}

async fn remove_purpose(connection: &mut SqliteConnection, name: &str) -> Done {
    sqlx::query("DELETE FROM sealift_purpose WHERE name = ?")
        .bind(name)
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_run(
    connection: &mut SqliteConnection,
    url: &str,
    row: &RunRow,
    columns: &[String],
) -> Result<(), VaultError> {
    let failed = |error| vault_error(error, url, "recording a run");
    sqlx::query("INSERT INTO sealift_run VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(i64::from(row.run.0))
        .bind(&row.source)
        .bind(&row.policy)
        .bind(&row.policy_hash)
        .bind(&row.plan)
        .bind(&row.fingerprint)
        .bind(row.phase.name())
        .bind(row.condition.map(crate::ports::Condition::name))
        .bind(&row.condition_reason)
        .bind(&row.planned_by)
        .bind(&row.planned_at)
        .bind(&row.backup_dir)
        .bind(&row.verified_digest)
        .bind(row.segment.map(i64::from))
        .bind(&row.mac)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    for column in columns {
        let claimed = sqlx::query("INSERT INTO sealift_claim VALUES (?, ?, ?)")
            .bind(column)
            .bind(&row.source)
            .bind(i64::from(row.run.0))
            .execute(&mut *connection)
            .await;
        match claimed {
            Ok(_) => {}
            Err(error) if code(&error) == Some(19) => {
                return Err(taken(connection, url, &row.source, column).await);
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// Says which run holds a column.
async fn taken(
    connection: &mut SqliteConnection,
    url: &str,
    source: &str,
    column: &str,
) -> VaultError {
    let holder: Result<i64, sqlx::Error> =
        sqlx::query_scalar("SELECT run FROM sealift_claim WHERE source = ? AND column_name = ?")
            .bind(source)
            .bind(column)
            .fetch_one(connection)
            .await;
    match holder {
        Ok(run) => VaultError::ColumnTaken {
            column: column.to_owned(),
            run: RunId(u32::try_from(run).unwrap_or(0)).to_string(),
        },
        Err(error) => vault_error(error, url, "looking for the run that holds a column"),
    }
}

async fn remove_run(connection: &mut SqliteConnection, run: RunId) -> Done {
    for sql in [
        "DELETE FROM sealift_claim WHERE run = ?",
        "DELETE FROM sealift_approval WHERE run = ?",
        "DELETE FROM sealift_run WHERE run = ? AND phase = 'planned'",
    ] {
        sqlx::query(sql).bind(i64::from(run.0)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Moves a run along. The claim on its columns ends with the phase that lets go of them.
async fn advance(
    connection: &mut SqliteConnection,
    url: &str,
    run: RunId,
    from: Phase,
    event: Event,
) -> Result<(), VaultError> {
    let failed = |error| vault_error(error, url, "moving a run along");
    let to = from.after(event).map_err(|illegal| VaultError::Inconsistent(illegal.to_string()))?;
    let moved = sqlx::query(
        "UPDATE sealift_run SET phase = ?1,
             condition = CASE WHEN condition = 'paused' AND NOT ?4 THEN condition END,
             condition_reason =
                 CASE WHEN condition = 'paused' AND NOT ?4 THEN condition_reason ELSE '' END
         WHERE run = ?2 AND phase = ?3",
    )
    .bind(to.name())
    .bind(i64::from(run.0))
    .bind(from.name())
    .bind(event.ends_a_pause())
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    if moved.rows_affected() != 1 {
        return Err(VaultError::PhaseMoved { run, expected: from });
    }
    if !to.is_open() {
        sqlx::query("DELETE FROM sealift_claim WHERE run = ?")
            .bind(i64::from(run.0))
            .execute(connection)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

async fn set_condition(
    connection: &mut SqliteConnection,
    run: RunId,
    condition: Option<&str>,
    reason: &str,
) -> Done {
    sqlx::query("UPDATE sealift_run SET condition = ?, condition_reason = ? WHERE run = ?")
        .bind(condition)
        .bind(reason)
        .bind(i64::from(run.0))
        .execute(connection)
        .await?;
    Ok(())
}

async fn set_verified(connection: &mut SqliteConnection, run: RunId, digest: Option<&str>) -> Done {
    sqlx::query("UPDATE sealift_run SET verified_digest = ? WHERE run = ?")
        .bind(digest)
        .bind(i64::from(run.0))
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_approval(connection: &mut SqliteConnection, row: &ApprovalRow) -> Done {
    sqlx::query("INSERT OR REPLACE INTO sealift_approval VALUES (?, ?, ?, ?, ?, ?)")
        .bind(i64::from(row.run.0))
        .bind(row.kind.name())
        .bind(&row.caller)
        .bind(&row.digest)
        .bind(&row.signature)
        .bind(&row.signed_at)
        .execute(connection)
        .await?;
    Ok(())
}

async fn void_approvals(connection: &mut SqliteConnection, run: RunId, kind: &str) -> Done {
    sqlx::query("DELETE FROM sealift_approval WHERE run = ? AND kind = ?")
        .bind(i64::from(run.0))
        .bind(kind)
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_range(connection: &mut SqliteConnection, run: RunId, row: &RangeRow) -> Done {
    sqlx::query("INSERT INTO sealift_range VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(i64::from(run.0))
        .bind(i64::from(row.unit))
        .bind(i64::from(row.table))
        .bind(i64::from(row.number))
        .bind(row.lower.as_ref().map(RowKey::encode))
        .bind(row.upper.as_ref().map(RowKey::encode))
        .bind(signed(row.rows))
        .bind(signed(row.originals))
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_file(connection: &mut SqliteConnection, run: RunId, row: &FileRow) -> Done {
    sqlx::query("INSERT OR REPLACE INTO sealift_file VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(i64::from(run.0))
        .bind(&row.seal.name)
        .bind(row.kind.name())
        .bind(i64::from(row.unit))
        .bind(i64::from(row.range))
        .bind(signed(row.epoch))
        .bind(i64::from(row.number))
        .bind(row.seal.sha256.to_vec())
        .bind(signed(row.seal.bytes))
        .bind(signed(row.seal.records))
        .execute(connection)
        .await?;
    Ok(())
}

async fn forget_files(connection: &mut SqliteConnection, run: RunId, kind: &str) -> Done {
    sqlx::query("DELETE FROM sealift_file WHERE run = ? AND kind = ?")
        .bind(i64::from(run.0))
        .bind(kind)
        .execute(connection)
        .await?;
    Ok(())
}

async fn close_segment(connection: &mut SqliteConnection, row: &SegmentRow) -> Done {
    sqlx::query("INSERT OR REPLACE INTO sealift_segment VALUES (?, ?, ?, ?)")
        .bind(i64::from(row.segment))
        .bind(row.run.map(|run| i64::from(run.0)))
        .bind(signed(row.entries))
        .bind(&row.root)
        .execute(&mut *connection)
        .await?;
    if let Some(run) = row.run {
        sqlx::query("UPDATE sealift_run SET segment = ? WHERE run = ? AND segment IS NULL")
            .bind(i64::from(row.segment))
            .bind(i64::from(run.0))
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn put_quarantine(
    connection: &mut SqliteConnection,
    run: RunId,
    row: &QuarantineRow,
) -> Done {
    sqlx::query("INSERT OR REPLACE INTO sealift_quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(i64::from(run.0))
        .bind(i64::from(row.unit))
        .bind(i64::from(row.table))
        .bind(&row.row)
        .bind(row.key.encode())
        .bind(&row.reason)
        .bind(signed(row.cells))
        .bind(row.state.name())
        .bind(&row.waived_by)
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_check(connection: &mut SqliteConnection, run: RunId, row: &CheckRow) -> Done {
    sqlx::query("INSERT OR REPLACE INTO sealift_check VALUES (?, ?, ?, ?)")
        .bind(i64::from(run.0))
        .bind(&row.name)
        .bind(&row.moment)
        .bind(&row.digest)
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_reason(connection: &mut SqliteConnection, digest: &str, sealed: &[u8]) -> Done {
    sqlx::query("INSERT OR IGNORE INTO sealift_reason VALUES (?, ?)")
        .bind(digest)
        .bind(sealed)
        .execute(connection)
        .await?;
    Ok(())
}

async fn erase_reasons(connection: &mut SqliteConnection, digests: &[String]) -> Done {
    for digest in digests {
        sqlx::query("DELETE FROM sealift_reason WHERE digest = ?")
            .bind(digest)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn put_verifier_key(connection: &mut SqliteConnection, text: &str) -> Done {
    sqlx::query("UPDATE sealift_vault SET verifier_key = ?").bind(text).execute(connection).await?;
    Ok(())
}

async fn put_told(connection: &mut SqliteConnection, row: &ToldRow) -> Done {
    sqlx::query("INSERT OR REPLACE INTO sealift_told VALUES (?, ?, ?)")
        .bind(&row.place)
        .bind(signed(row.size))
        .bind(&row.at)
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_checkpoint(connection: &mut SqliteConnection, size: u64, note: &str) -> Done {
    sqlx::query("INSERT OR IGNORE INTO sealift_checkpoint VALUES (?, ?)")
        .bind(signed(size))
        .bind(note)
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes what is in the tree now. Where another process was first, nothing of this happens.
async fn intake_done(
    connection: &mut SqliteConnection,
    url: &str,
    writer: &str,
    rows: &[u64],
    through: u64,
) -> Result<(), VaultError> {
    let failed = |error| vault_error(error, url, "recording a change");
    for number in rows {
        let removed = sqlx::query("DELETE FROM sealift_intake WHERE writer = ? AND number = ?")
            .bind(writer)
            .bind(signed(*number))
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        if removed.rows_affected() != 1 {
            return Err(VaultError::IntakeMoved);
        }
    }
    sqlx::query(
        "INSERT INTO sealift_intake_done VALUES (?, ?)
         ON CONFLICT DO UPDATE SET number = max(number, excluded.number)",
    )
    .bind(writer)
    .bind(signed(through))
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Whether a change is of rows that grant, so that whoever has read them reads them again.
pub(super) fn changes_grants(change: &Change) -> bool {
    matches!(
        change,
        Change::PutKey(_)
            | Change::PutKeyCheck(_)
            | Change::PutDomain(_)
            | Change::PutCaller(_)
            | Change::PutPurpose(_)
            | Change::RemovePurpose(_)
            | Change::PutUnlock(_)
    )
}

pub(super) async fn grants_changed(connection: &mut SqliteConnection) -> Done {
    sqlx::raw_sql(
        "INSERT INTO sealift_grants_version VALUES (1, 1)
         ON CONFLICT DO UPDATE SET version = version + 1",
    )
    .execute(connection)
    .await?;
    Ok(())
}
