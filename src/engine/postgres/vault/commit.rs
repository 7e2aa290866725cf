//! Applying one [`Change`] inside a transaction.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::{Broken, lease};
use crate::lifecycle::{Event, Phase, RunId};
use crate::ports::{
    ApprovalRow, CallerRow, Change, CheckRow, DomainRow, FileRow, KeyRow, PurposeRow,
    QuarantineRow, RangeRow, RunRow, SegmentRow, SlotRow, ToldRow, UnlockRow, VaultError,
};
use crate::value::RowKey;

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) async fn apply(connection: &mut PgConnection, change: &Change) -> Result<(), Broken> {
    match change {
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
        Change::InsertRun(row, columns) => return insert_run(connection, row, columns).await,
        Change::RemoveRun(run) => remove_run(connection, *run).await,
        Change::Advance { run, from, event } => {
            return advance(connection, *run, *from, *event).await;
        }
        Change::SetCondition { run, condition, reason } => {
            let condition = condition.map(crate::ports::Condition::name);
            set_condition(connection, *run, condition, reason).await
        }
        Change::SetVerified { run, digest } => {
            set_verified(connection, *run, digest.as_deref()).await
        }
        Change::SetRate { run, rate } => lease::set_rate(connection, *run, *rate).await,
        Change::PieceDone(held) => return lease::done(connection, held).await,
        Change::SplitPiece(held, at) => return lease::split(connection, held, at).await,
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
            return intake_done(connection, writer, rows, *through).await;
        }
    }
    .map_err(Broken::Engine)
}

type Done = Result<(), sqlx::Error>;

async fn put_slot(connection: &mut PgConnection, row: &SlotRow) -> Done {
    sqlx::query("INSERT INTO sealift.slot VALUES ($1, $2, $3, $4)
         ON CONFLICT (slot) DO UPDATE SET body = excluded.body, created_at = excluded.created_at, opened_at = excluded.opened_at")
        .bind(i64::from(row.slot))
        .bind(&row.body)
        .bind(&row.created_at)
        .bind(&row.opened_at)
        .execute(connection)
        .await?;
    Ok(())
}

async fn slot_opened(connection: &mut PgConnection, slot: u32, at: &str) -> Done {
    sqlx::query("UPDATE sealift.slot SET opened_at = $1 WHERE slot = $2")
        .bind(at)
        .bind(i64::from(slot))
        .execute(connection)
        .await?;
    Ok(())
}

async fn remove_slot(connection: &mut PgConnection, slot: u32) -> Done {
    sqlx::query("DELETE FROM sealift.slot WHERE slot = $1")
        .bind(i64::from(slot))
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_key(connection: &mut PgConnection, row: &KeyRow) -> Done {
    sqlx::query("INSERT INTO sealift.key VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (key) DO UPDATE SET purpose = excluded.purpose, subject = excluded.subject, version = excluded.version, state = excluded.state, created_at = excluded.created_at, changed_at = excluded.changed_at, wrapped = excluded.wrapped")
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

async fn put_key_check(connection: &mut PgConnection, check: &[u8]) -> Done {
    sqlx::query("UPDATE sealift.vault SET key_check = $1").bind(check).execute(connection).await?;
    Ok(())
}

/// Adds a domain, and the partition of its entries.
async fn put_domain(connection: &mut PgConnection, row: &DomainRow) -> Done {
    sqlx::query("INSERT INTO sealift.domain VALUES ($1, $2, $3, $4, $5)")
        .bind(i64::from(row.domain.0))
        .bind(&row.name)
        .bind(&row.class)
        .bind(&row.treatment)
        .bind(&row.mac)
        .execute(&mut *connection)
        .await?;
    make_partition(connection, i64::from(row.domain.0)).await?;
    Ok(())
}

/// Makes the place for a domain's entries.
pub(super) async fn make_partition(
    connection: &mut PgConnection,
    domain: i64,
) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    let partition = format!(
        "CREATE TABLE sealift.entry_{domain} PARTITION OF sealift.entry FOR VALUES IN ({domain})"
    );
    sqlx::raw_sql(AssertSqlSafe(partition)).execute(connection).await?;
    Ok(())
}

async fn put_caller(connection: &mut PgConnection, row: &CallerRow) -> Done {
    sqlx::query("INSERT INTO sealift.caller VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (name) DO UPDATE SET role = excluded.role, credential = excluded.credential, credential_hash = excluded.credential_hash, approver_key = excluded.approver_key, created_at = excluded.created_at, expires_at = excluded.expires_at, revoked_at = excluded.revoked_at, mac = excluded.mac")
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

async fn put_purpose(connection: &mut PgConnection, row: &PurposeRow) -> Done {
    sqlx::query("INSERT INTO sealift.purpose VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET body = excluded.body, policy = excluded.policy, mac = excluded.mac")
        .bind(&row.name)
        .bind(&row.body)
        .bind(&row.policy)
        .bind(&row.mac)
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_unlock(connection: &mut PgConnection, row: &UnlockRow) -> Done {
    sqlx::query(
        "INSERT INTO sealift.unlock VALUES ($1, $2, $3, $4, $5)
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

async fn remove_purpose(connection: &mut PgConnection, name: &str) -> Done {
    sqlx::query("DELETE FROM sealift.purpose WHERE name = $1")
        .bind(name)
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_run(
    connection: &mut PgConnection,
    row: &RunRow,
    columns: &[String],
) -> Result<(), Broken> {
    // language=PostgreSQL
    sqlx::query(
        "INSERT INTO sealift.run
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
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
    .await?;
    for column in columns {
        // A refused INSERT would end the transaction before it could be asked who holds the column.
        let claimed =
            sqlx::query("INSERT INTO sealift.claim VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
                .bind(column)
                .bind(&row.source)
                .bind(i64::from(row.run.0))
                .execute(&mut *connection)
                .await?;
        if claimed.rows_affected() == 0 {
            return Err(taken(connection, &row.source, column).await?.into());
        }
    }
    Ok(())
}

/// Says which run holds a column.
async fn taken(
    connection: &mut PgConnection,
    source: &str,
    column: &str,
) -> Result<VaultError, sqlx::Error> {
    let run: Option<i64> =
        sqlx::query_scalar("SELECT run FROM sealift.claim WHERE source = $1 AND column_name = $2")
            .bind(source)
            .bind(column)
            .fetch_optional(connection)
            .await?;
    Ok(VaultError::ColumnTaken {
        column: column.to_owned(),
        run: RunId(run.and_then(|run| u32::try_from(run).ok()).unwrap_or(0)).to_string(),
    })
}

async fn remove_run(connection: &mut PgConnection, run: RunId) -> Done {
    for sql in [
        "DELETE FROM sealift.claim WHERE run = $1",
        "DELETE FROM sealift.approval WHERE run = $1",
        "DELETE FROM sealift.run WHERE run = $1 AND phase = 'planned'",
    ] {
        sqlx::query(sql).bind(i64::from(run.0)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Moves a run along. The claim on its columns ends with the phase that lets go of them.
async fn advance(
    connection: &mut PgConnection,
    run: RunId,
    from: Phase,
    event: Event,
) -> Result<(), Broken> {
    let to = from.after(event).map_err(|illegal| VaultError::Inconsistent(illegal.to_string()))?;
    let moved = sqlx::query(
        "UPDATE sealift.run SET phase = $1,
             condition = CASE WHEN condition = 'paused' AND NOT $4 THEN condition END,
             condition_reason =
                 CASE WHEN condition = 'paused' AND NOT $4 THEN condition_reason ELSE '' END
         WHERE run = $2 AND phase = $3",
    )
    .bind(to.name())
    .bind(i64::from(run.0))
    .bind(from.name())
    .bind(event.ends_a_pause())
    .execute(&mut *connection)
    .await?;
    if moved.rows_affected() != 1 {
        return Err(VaultError::PhaseMoved { run, expected: from }.into());
    }
    if !to.is_open() {
        sqlx::query("DELETE FROM sealift.claim WHERE run = $1")
            .bind(i64::from(run.0))
            .execute(&mut *connection)
            .await?;
    }
    if event == Event::RolledBack {
        super::stage::discard(connection, run).await?;
    }
    Ok(())
}

async fn set_condition(
    connection: &mut PgConnection,
    run: RunId,
    condition: Option<&str>,
    reason: &str,
) -> Done {
    sqlx::query("UPDATE sealift.run SET condition = $1, condition_reason = $2 WHERE run = $3")
        .bind(condition)
        .bind(reason)
        .bind(i64::from(run.0))
        .execute(connection)
        .await?;
    Ok(())
}

async fn set_verified(connection: &mut PgConnection, run: RunId, digest: Option<&str>) -> Done {
    sqlx::query("UPDATE sealift.run SET verified_digest = $1 WHERE run = $2")
        .bind(digest)
        .bind(i64::from(run.0))
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_approval(connection: &mut PgConnection, row: &ApprovalRow) -> Done {
    sqlx::query("INSERT INTO sealift.approval VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (run, kind, caller) DO UPDATE SET digest = excluded.digest, signature = excluded.signature, signed_at = excluded.signed_at")
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

async fn void_approvals(connection: &mut PgConnection, run: RunId, kind: &str) -> Done {
    sqlx::query("DELETE FROM sealift.approval WHERE run = $1 AND kind = $2")
        .bind(i64::from(run.0))
        .bind(kind)
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_range(connection: &mut PgConnection, run: RunId, row: &RangeRow) -> Done {
    sqlx::query("INSERT INTO sealift.range VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
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

async fn put_file(connection: &mut PgConnection, run: RunId, row: &FileRow) -> Done {
    sqlx::query("INSERT INTO sealift.file VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (run, name) DO UPDATE SET kind = excluded.kind, unit = excluded.unit, range = excluded.range, epoch = excluded.epoch, number = excluded.number, sha256 = excluded.sha256, bytes = excluded.bytes, records = excluded.records")
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

async fn forget_files(connection: &mut PgConnection, run: RunId, kind: &str) -> Done {
    sqlx::query("DELETE FROM sealift.file WHERE run = $1 AND kind = $2")
        .bind(i64::from(run.0))
        .bind(kind)
        .execute(connection)
        .await?;
    Ok(())
}

async fn close_segment(connection: &mut PgConnection, row: &SegmentRow) -> Done {
    sqlx::query("INSERT INTO sealift.segment VALUES ($1, $2, $3, $4)
         ON CONFLICT (segment) DO UPDATE SET run = excluded.run, entries = excluded.entries, root = excluded.root")
        .bind(i64::from(row.segment))
        .bind(row.run.map(|run| i64::from(run.0)))
        .bind(signed(row.entries))
        .bind(&row.root)
        .execute(&mut *connection)
        .await?;
    if let Some(run) = row.run {
        sqlx::query("UPDATE sealift.run SET segment = $1 WHERE run = $2 AND segment IS NULL")
            .bind(i64::from(row.segment))
            .bind(i64::from(run.0))
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn put_quarantine(connection: &mut PgConnection, run: RunId, row: &QuarantineRow) -> Done {
    sqlx::query("INSERT INTO sealift.quarantine VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (run, unit, tbl, \"row\") DO UPDATE SET row_key = excluded.row_key, reason = excluded.reason, cells = excluded.cells, state = excluded.state, waived_by = excluded.waived_by")
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

async fn put_check(connection: &mut PgConnection, run: RunId, row: &CheckRow) -> Done {
    sqlx::query(
        "INSERT INTO sealift.check VALUES ($1, $2, $3, $4)
         ON CONFLICT (run, name, moment) DO UPDATE SET digest = excluded.digest",
    )
    .bind(i64::from(run.0))
    .bind(&row.name)
    .bind(&row.moment)
    .bind(&row.digest)
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_reason(connection: &mut PgConnection, digest: &str, sealed: &[u8]) -> Done {
    sqlx::query("INSERT INTO sealift.reason VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(digest)
        .bind(sealed)
        .execute(connection)
        .await?;
    Ok(())
}

async fn erase_reasons(connection: &mut PgConnection, digests: &[String]) -> Done {
    for digest in digests {
        sqlx::query("DELETE FROM sealift.reason WHERE digest = $1")
            .bind(digest)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn put_verifier_key(connection: &mut PgConnection, text: &str) -> Done {
    sqlx::query("UPDATE sealift.vault SET verifier_key = $1")
        .bind(text)
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_told(connection: &mut PgConnection, row: &ToldRow) -> Done {
    sqlx::query(
        "INSERT INTO sealift.told VALUES ($1, $2, $3)
         ON CONFLICT (place) DO UPDATE SET size = excluded.size, at = excluded.at",
    )
    .bind(&row.place)
    .bind(signed(row.size))
    .bind(&row.at)
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_checkpoint(connection: &mut PgConnection, size: u64, note: &str) -> Done {
    sqlx::query("INSERT INTO sealift.checkpoint VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(signed(size))
        .bind(note)
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes what is in the tree now. Where another process was first, nothing of this happens.
async fn intake_done(
    connection: &mut PgConnection,
    writer: &str,
    rows: &[u64],
    through: u64,
) -> Result<(), Broken> {
    let numbers: Vec<i64> = rows.iter().map(|number| signed(*number)).collect();
    let removed = sqlx::query("DELETE FROM sealift.intake WHERE writer = $1 AND number = ANY ($2)")
        .bind(writer)
        .bind(&numbers)
        .execute(&mut *connection)
        .await?;
    if removed.rows_affected() != rows.len() as u64 {
        return Err(VaultError::IntakeMoved.into());
    }
    sqlx::query(
        "INSERT INTO sealift.intake_done VALUES ($1, $2)
         ON CONFLICT (writer) DO UPDATE
         SET number = greatest(intake_done.number, excluded.number)",
    )
    .bind(writer)
    .bind(signed(through))
    .execute(connection)
    .await?;
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

pub(super) async fn grants_changed(connection: &mut PgConnection) -> Done {
    sqlx::raw_sql(
        "INSERT INTO sealift.grants_version VALUES (1, 1)
         ON CONFLICT (one) DO UPDATE SET version = grants_version.version + 1",
    )
    .execute(connection)
    .await?;
    Ok(())
}
