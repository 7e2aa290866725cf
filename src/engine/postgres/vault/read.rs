//! Reading the vault's rows, one function a table. Texts are ordered by their bytes, whatever the
//! database's own collation.

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use crate::crypto::VaultId;
use crate::ledger::ApprovalKind;
use crate::lifecycle::{Phase, RunId};
use crate::ports::{
    ApprovalRow, CallerRow, CheckRow, Condition, DomainRow, FileKind, FileRow, FileSeal, KeyRow,
    PurposeRow, QuarantineRow, QuarantineState, RangeRow, RunRow, SegmentRow, SlotRow, UnlockRow,
    VaultError, VaultHeader,
};
use crate::token::DomainId;
use crate::value::RowKey;

type Rows<T> = Result<Vec<T>, sqlx::Error>;
type Checked<T> = Result<Vec<Result<T, VaultError>>, sqlx::Error>;

fn inconsistent(what: &str) -> VaultError {
    VaultError::Inconsistent(what.to_owned())
}

pub(super) fn unsigned(row: &PgRow, column: &str) -> u64 {
    u64::try_from(row.get::<i64, _>(column)).unwrap_or(0)
}

pub(super) fn small(row: &PgRow, column: &str) -> u32 {
    u32::try_from(row.get::<i64, _>(column)).unwrap_or(0)
}

fn tiny(row: &PgRow, column: &str) -> u16 {
    u16::try_from(row.get::<i64, _>(column)).unwrap_or(0)
}

pub(super) async fn header(connection: &mut PgConnection) -> Result<VaultHeader, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM sealift.vault").fetch_one(connection).await?;
    let vault: Vec<u8> = row.get("vault");
    let vault = <[u8; 16]>::try_from(vault.as_slice())
        .map_err(|_| sqlx::Error::Protocol("the vault's id is not 16 bytes".into()))?;
    Ok(VaultHeader {
        vault: VaultId(vault),
        format: small(&row, "format"),
        created_at: row.get("created_at"),
        key_check: row.get("key_check"),
        origin: row.get("origin"),
        verifier_key: row.get("verifier_key"),
    })
}

pub(super) async fn slots(connection: &mut PgConnection) -> Rows<SlotRow> {
    let rows =
        sqlx::query("SELECT * FROM sealift.slot ORDER BY slot").fetch_all(connection).await?;
    Ok(rows
        .iter()
        .map(|row| SlotRow {
            slot: small(row, "slot"),
            body: row.get("body"),
            created_at: row.get("created_at"),
            opened_at: row.get("opened_at"),
        })
        .collect())
}

pub(super) async fn keys(connection: &mut PgConnection) -> Rows<KeyRow> {
    let rows = sqlx::query("SELECT * FROM sealift.key ORDER BY key").fetch_all(connection).await?;
    Ok(rows
        .iter()
        .map(|row| KeyRow {
            key: small(row, "key"),
            purpose: row.get("purpose"),
            subject: row.get("subject"),
            version: small(row, "version"),
            state: row.get("state"),
            created_at: row.get("created_at"),
            changed_at: row.get("changed_at"),
            wrapped: row.get("wrapped"),
        })
        .collect())
}

pub(super) async fn domains(connection: &mut PgConnection) -> Rows<DomainRow> {
    let rows =
        sqlx::query("SELECT * FROM sealift.domain ORDER BY domain").fetch_all(connection).await?;
    Ok(rows
        .iter()
        .map(|row| DomainRow {
            domain: DomainId(tiny(row, "domain")),
            name: row.get("name"),
            class: row.get("class"),
            treatment: row.get("treatment"),
            mac: row.get("mac"),
        })
        .collect())
}

pub(super) async fn callers(connection: &mut PgConnection) -> Rows<CallerRow> {
    let rows = sqlx::query("SELECT * FROM sealift.caller ORDER BY name COLLATE \"C\"")
        .fetch_all(connection)
        .await?;
    Ok(rows
        .iter()
        .map(|row| CallerRow {
            name: row.get("name"),
            role: row.get("role"),
            credential: row.get("credential"),
            credential_hash: row.get("credential_hash"),
            approver_key: row.get("approver_key"),
            created_at: row.get("created_at"),
            expires_at: row.get("expires_at"),
            revoked_at: row.get("revoked_at"),
            mac: row.get("mac"),
        })
        .collect())
}

pub(super) async fn purposes(connection: &mut PgConnection) -> Rows<PurposeRow> {
    let rows = sqlx::query("SELECT * FROM sealift.purpose ORDER BY name COLLATE \"C\"")
        .fetch_all(connection)
        .await?;
    Ok(rows
        .iter()
        .map(|row| PurposeRow {
            name: row.get("name"),
            body: row.get("body"),
            policy: row.get("policy"),
            mac: row.get("mac"),
        })
        .collect())
}

pub(super) async fn unlocks(connection: &mut PgConnection) -> Rows<UnlockRow> {
    let rows = sqlx::query(
        "SELECT * FROM sealift.unlock ORDER BY caller COLLATE \"C\", purpose COLLATE \"C\"",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .iter()
        .map(|row| UnlockRow {
            caller: row.get("caller"),
            purpose: row.get("purpose"),
            until: row.get("until"),
            given_by: row.get("given_by"),
            mac: row.get("mac"),
        })
        .collect())
}

pub(super) async fn runs(connection: &mut PgConnection) -> Checked<RunRow> {
    let rows = sqlx::query("SELECT * FROM sealift.run ORDER BY planned_at COLLATE \"C\", run")
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(run).collect())
}

fn run(row: &PgRow) -> Result<RunRow, VaultError> {
    let phase: String = row.get("phase");
    let condition: Option<String> = row.get("condition");
    let segment: Option<i64> = row.get("segment");
    Ok(RunRow {
        run: RunId(small(row, "run")),
        source: row.get("source"),
        policy: row.get("policy"),
        policy_hash: row.get("policy_hash"),
        plan: row.get("plan"),
        fingerprint: row.get("fingerprint"),
        phase: Phase::from_name(&phase).ok_or_else(|| inconsistent("a run has no known phase"))?,
        condition: match condition.as_deref() {
            None => None,
            Some("paused") => Some(Condition::Paused),
            Some(_) => Some(Condition::Failed),
        },
        condition_reason: row.get("condition_reason"),
        planned_by: row.get("planned_by"),
        planned_at: row.get("planned_at"),
        backup_dir: row.get("backup_dir"),
        verified_digest: row.get("verified_digest"),
        segment: segment.and_then(|segment| u32::try_from(segment).ok()),
        mac: row.get("mac"),
    })
}

pub(super) async fn approvals(connection: &mut PgConnection, run: RunId) -> Rows<ApprovalRow> {
    let rows =
        sqlx::query("SELECT * FROM sealift.approval WHERE run = $1 ORDER BY signed_at COLLATE \"C\", caller COLLATE \"C\"")
            .bind(i64::from(run.0))
            .fetch_all(connection)
            .await?;
    Ok(rows
        .iter()
        .map(|row| ApprovalRow {
            run,
            kind: match row.get::<&str, _>("kind") {
                "purge" => ApprovalKind::Purge,
                _ => ApprovalKind::Plan,
            },
            digest: row.get("digest"),
            caller: row.get("caller"),
            signature: row.get("signature"),
            signed_at: row.get("signed_at"),
        })
        .collect())
}

pub(super) async fn ranges(connection: &mut PgConnection, run: RunId) -> Checked<RangeRow> {
    let rows = sqlx::query("SELECT * FROM sealift.range WHERE run = $1 ORDER BY unit, number")
        .bind(i64::from(run.0))
        .fetch_all(connection)
        .await?;
    let key = |row: &PgRow, column: &str| {
        row.get::<Option<Vec<u8>>, _>(column)
            .map(|bytes| RowKey::decode(&bytes))
            .transpose()
            .map_err(|_| inconsistent("a range has a malformed key"))
    };
    Ok(rows
        .iter()
        .map(|row| {
            Ok(RangeRow {
                unit: tiny(row, "unit"),
                table: tiny(row, "tbl"),
                number: small(row, "number"),
                lower: key(row, "lower")?,
                upper: key(row, "upper")?,
                rows: unsigned(row, "row_count"),
                originals: unsigned(row, "originals"),
            })
        })
        .collect())
}

pub(super) async fn files(connection: &mut PgConnection, run: RunId) -> Checked<FileRow> {
    let rows = sqlx::query(
        "SELECT * FROM sealift.file WHERE run = $1 ORDER BY kind COLLATE \"C\", unit, range, epoch, number",
    )
    .bind(i64::from(run.0))
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(file).collect())
}

fn file(row: &PgRow) -> Result<FileRow, VaultError> {
    let kind: &str = row.get("kind");
    let sha256: Vec<u8> = row.get("sha256");
    Ok(FileRow {
        kind: FileKind::ALL
            .into_iter()
            .find(|known| known.name() == kind)
            .ok_or_else(|| inconsistent("a file has no known kind"))?,
        unit: tiny(row, "unit"),
        range: small(row, "range"),
        epoch: unsigned(row, "epoch"),
        number: small(row, "number"),
        seal: FileSeal {
            name: row.get("name"),
            sha256: <[u8; 32]>::try_from(sha256.as_slice())
                .map_err(|_| inconsistent("a file's hash is not 32 bytes"))?,
            bytes: unsigned(row, "bytes"),
            records: unsigned(row, "records"),
        },
    })
}

pub(super) async fn quarantine(
    connection: &mut PgConnection,
    run: RunId,
) -> Checked<QuarantineRow> {
    let rows = sqlx::query(
        "SELECT * FROM sealift.quarantine WHERE run = $1 ORDER BY unit, tbl, \"row\" COLLATE \"C\"",
    )
    .bind(i64::from(run.0))
    .fetch_all(connection)
    .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let key: Vec<u8> = row.get("row_key");
            Ok(QuarantineRow {
                unit: tiny(row, "unit"),
                table: tiny(row, "tbl"),
                row: row.get("row"),
                key: RowKey::decode(&key)
                    .map_err(|_| inconsistent("a quarantined row has a malformed key"))?,
                reason: row.get("reason"),
                cells: unsigned(row, "cells"),
                state: match row.get::<&str, _>("state") {
                    "waived" => QuarantineState::Waived,
                    "replayed" => QuarantineState::Replayed,
                    _ => QuarantineState::Waiting,
                },
                waived_by: row.get("waived_by"),
            })
        })
        .collect())
}

pub(super) async fn checks(connection: &mut PgConnection, run: RunId) -> Rows<CheckRow> {
    let rows = sqlx::query("SELECT * FROM sealift.check WHERE run = $1 ORDER BY name COLLATE \"C\", moment COLLATE \"C\"")
        .bind(i64::from(run.0))
        .fetch_all(connection)
        .await?;
    Ok(rows
        .iter()
        .map(|row| CheckRow {
            name: row.get("name"),
            moment: row.get("moment"),
            digest: row.get("digest"),
        })
        .collect())
}

pub(super) async fn segments(connection: &mut PgConnection) -> Rows<SegmentRow> {
    let rows =
        sqlx::query("SELECT * FROM sealift.segment ORDER BY segment").fetch_all(connection).await?;
    Ok(rows
        .iter()
        .map(|row| SegmentRow {
            segment: small(row, "segment"),
            run: row
                .get::<Option<i64>, _>("run")
                .and_then(|run| u32::try_from(run).ok())
                .map(RunId),
            entries: unsigned(row, "entries"),
            root: row.get("root"),
        })
        .collect())
}
