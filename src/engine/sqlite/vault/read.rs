//! Reading the vault's rows, one function a table.

use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteConnection;

use crate::engine::vault_rows;
use crate::lifecycle::RunId;
use crate::ports::{
    ApprovalRow, CallerRow, CheckRow, DomainRow, FileRow, KeyRow, PurposeRow, QuarantineRow,
    RangeRow, RunRow, SegmentRow, SlotRow, UnlockRow, VaultError, VaultHeader,
};

type Rows<T> = Result<Vec<T>, sqlx::Error>;
type Checked<T> = Result<Vec<Result<T, VaultError>>, sqlx::Error>;

pub(super) async fn header(connection: &mut SqliteConnection) -> Result<VaultHeader, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM sealift_vault").fetch_one(connection).await?;
    vault_rows::header(&row)
}

pub(super) async fn slots(connection: &mut SqliteConnection) -> Rows<SlotRow> {
    let rows =
        sqlx::query("SELECT * FROM sealift_slot ORDER BY slot").fetch_all(connection).await?;
    Ok(rows.iter().map(vault_rows::slot).collect())
}

pub(super) async fn keys(connection: &mut SqliteConnection) -> Rows<KeyRow> {
    let rows = sqlx::query("SELECT * FROM sealift_key ORDER BY key").fetch_all(connection).await?;
    Ok(rows.iter().map(vault_rows::key).collect())
}

pub(super) async fn domains(connection: &mut SqliteConnection) -> Rows<DomainRow> {
    let rows =
        sqlx::query("SELECT * FROM sealift_domain ORDER BY domain").fetch_all(connection).await?;
    Ok(rows.iter().map(vault_rows::domain).collect())
}

pub(super) async fn callers(connection: &mut SqliteConnection) -> Rows<CallerRow> {
    let rows =
        sqlx::query("SELECT * FROM sealift_caller ORDER BY name").fetch_all(connection).await?;
    Ok(rows.iter().map(vault_rows::caller).collect())
}

pub(super) async fn purposes(connection: &mut SqliteConnection) -> Rows<PurposeRow> {
    let rows =
        sqlx::query("SELECT * FROM sealift_purpose ORDER BY name").fetch_all(connection).await?;
    Ok(rows.iter().map(vault_rows::purpose).collect())
}

pub(super) async fn unlocks(connection: &mut SqliteConnection) -> Rows<UnlockRow> {
    let rows = sqlx::query("SELECT * FROM sealift_unlock ORDER BY caller, purpose")
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(vault_rows::unlock).collect())
}

pub(super) async fn runs(connection: &mut SqliteConnection) -> Checked<RunRow> {
    let rows = sqlx::query("SELECT * FROM sealift_run ORDER BY planned_at, run")
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(vault_rows::run).collect())
}

pub(super) async fn approvals(connection: &mut SqliteConnection, run: RunId) -> Rows<ApprovalRow> {
    let rows =
        sqlx::query("SELECT * FROM sealift_approval WHERE run = ? ORDER BY signed_at, caller")
            .bind(i64::from(run.0))
            .fetch_all(connection)
            .await?;
    Ok(rows.iter().map(vault_rows::approval).collect())
}

pub(super) async fn ranges(connection: &mut SqliteConnection, run: RunId) -> Checked<RangeRow> {
    let rows = sqlx::query("SELECT * FROM sealift_range WHERE run = ? ORDER BY unit, number")
        .bind(i64::from(run.0))
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(vault_rows::range).collect())
}

pub(super) async fn files(connection: &mut SqliteConnection, run: RunId) -> Checked<FileRow> {
    let rows = sqlx::query(
        "SELECT * FROM sealift_file WHERE run = ? ORDER BY kind, unit, range, epoch, number",
    )
    .bind(i64::from(run.0))
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(vault_rows::file).collect())
}

pub(super) async fn files_of(
    connection: &mut SqliteConnection,
    run: RunId,
    unit: u16,
    ranges: &[u32],
) -> Checked<FileRow> {
    let mut sql = QueryBuilder::new("SELECT * FROM sealift_file WHERE run = ");
    sql.push_bind(i64::from(run.0)).push(" AND unit = ").push_bind(i64::from(unit));
    sql.push(" AND range IN (");
    let mut listed = sql.separated(", ");
    for range in ranges {
        listed.push_bind(i64::from(*range));
    }
    sql.push(") ORDER BY kind, unit, range, epoch, number");
    let rows = sql.build().fetch_all(connection).await?;
    Ok(rows.iter().map(vault_rows::file).collect())
}

pub(super) async fn quarantine(
    connection: &mut SqliteConnection,
    run: RunId,
) -> Checked<QuarantineRow> {
    let rows =
        sqlx::query("SELECT * FROM sealift_quarantine WHERE run = ? ORDER BY unit, tbl, row")
            .bind(i64::from(run.0))
            .fetch_all(connection)
            .await?;
    Ok(rows.iter().map(vault_rows::quarantined).collect())
}

pub(super) async fn checks(connection: &mut SqliteConnection, run: RunId) -> Rows<CheckRow> {
    let rows = sqlx::query("SELECT * FROM sealift_check WHERE run = ? ORDER BY name, moment")
        .bind(i64::from(run.0))
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(vault_rows::check).collect())
}

pub(super) async fn segments(connection: &mut SqliteConnection) -> Rows<SegmentRow> {
    let rows =
        sqlx::query("SELECT * FROM sealift_segment ORDER BY segment").fetch_all(connection).await?;
    Ok(rows.iter().map(vault_rows::segment).collect())
}
