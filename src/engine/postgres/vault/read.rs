//! Reading the vault's rows, one function a table. Texts are ordered by their bytes, whatever the
//! database's own collation.

use sqlx::postgres::PgConnection;

use crate::engine::vault_rows;
use crate::lifecycle::RunId;
use crate::ports::{
    ApprovalRow, CallerRow, CheckRow, DomainRow, FileRow, KeyRow, PurposeRow, QuarantineRow,
    RangeRow, RunRow, SegmentRow, SlotRow, UnlockRow, VaultError, VaultHeader,
};

type Rows<T> = Result<Vec<T>, sqlx::Error>;
type Checked<T> = Result<Vec<Result<T, VaultError>>, sqlx::Error>;

pub(super) async fn header(connection: &mut PgConnection) -> Result<VaultHeader, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM sealift.vault").fetch_one(connection).await?;
    vault_rows::header(&row)
}

pub(super) async fn slots(connection: &mut PgConnection) -> Rows<SlotRow> {
    let rows =
        sqlx::query("SELECT * FROM sealift.slot ORDER BY slot").fetch_all(connection).await?;
    Ok(rows.iter().map(vault_rows::slot).collect())
}

pub(super) async fn keys(connection: &mut PgConnection) -> Rows<KeyRow> {
    let rows = sqlx::query("SELECT * FROM sealift.key ORDER BY key").fetch_all(connection).await?;
    Ok(rows.iter().map(vault_rows::key).collect())
}

pub(super) async fn domains(connection: &mut PgConnection) -> Rows<DomainRow> {
    let rows =
        sqlx::query("SELECT * FROM sealift.domain ORDER BY domain").fetch_all(connection).await?;
    Ok(rows.iter().map(vault_rows::domain).collect())
}

pub(super) async fn callers(connection: &mut PgConnection) -> Rows<CallerRow> {
    let rows = sqlx::query("SELECT * FROM sealift.caller ORDER BY name COLLATE \"C\"")
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(vault_rows::caller).collect())
}

pub(super) async fn purposes(connection: &mut PgConnection) -> Rows<PurposeRow> {
    let rows = sqlx::query("SELECT * FROM sealift.purpose ORDER BY name COLLATE \"C\"")
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(vault_rows::purpose).collect())
}

pub(super) async fn unlocks(connection: &mut PgConnection) -> Rows<UnlockRow> {
    let rows = sqlx::query(
        "SELECT * FROM sealift.unlock ORDER BY caller COLLATE \"C\", purpose COLLATE \"C\"",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(vault_rows::unlock).collect())
}

pub(super) async fn runs(connection: &mut PgConnection) -> Checked<RunRow> {
    let rows = sqlx::query("SELECT * FROM sealift.run ORDER BY planned_at COLLATE \"C\", run")
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(vault_rows::run).collect())
}

pub(super) async fn approvals(connection: &mut PgConnection, run: RunId) -> Rows<ApprovalRow> {
    let rows =
        sqlx::query("SELECT * FROM sealift.approval WHERE run = $1 ORDER BY signed_at COLLATE \"C\", caller COLLATE \"C\"")
            .bind(i64::from(run.0))
            .fetch_all(connection)
            .await?;
    Ok(rows.iter().map(vault_rows::approval).collect())
}

pub(super) async fn ranges(connection: &mut PgConnection, run: RunId) -> Checked<RangeRow> {
    let rows = sqlx::query("SELECT * FROM sealift.range WHERE run = $1 ORDER BY unit, number")
        .bind(i64::from(run.0))
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(vault_rows::range).collect())
}

pub(super) async fn files(connection: &mut PgConnection, run: RunId) -> Checked<FileRow> {
    let rows = sqlx::query(
        "SELECT * FROM sealift.file WHERE run = $1 ORDER BY kind COLLATE \"C\", unit, range, epoch, number",
    )
    .bind(i64::from(run.0))
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(vault_rows::file).collect())
}

pub(super) async fn files_of(
    connection: &mut PgConnection,
    run: RunId,
    unit: u16,
    ranges: &[u32],
) -> Checked<FileRow> {
    let ranges: Vec<i64> = ranges.iter().copied().map(i64::from).collect();
    let rows = sqlx::query(
        "SELECT * FROM sealift.file WHERE run = $1 AND unit = $2 AND range = ANY ($3)
         ORDER BY kind COLLATE \"C\", unit, range, epoch, number",
    )
    .bind(i64::from(run.0))
    .bind(i64::from(unit))
    .bind(ranges)
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(vault_rows::file).collect())
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
    Ok(rows.iter().map(vault_rows::quarantined).collect())
}

pub(super) async fn checks(connection: &mut PgConnection, run: RunId) -> Rows<CheckRow> {
    let rows = sqlx::query("SELECT * FROM sealift.check WHERE run = $1 ORDER BY name COLLATE \"C\", moment COLLATE \"C\"")
        .bind(i64::from(run.0))
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(vault_rows::check).collect())
}

pub(super) async fn segments(connection: &mut PgConnection) -> Rows<SegmentRow> {
    let rows =
        sqlx::query("SELECT * FROM sealift.segment ORDER BY segment").fetch_all(connection).await?;
    Ok(rows.iter().map(vault_rows::segment).collect())
}
