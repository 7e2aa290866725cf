//! Who works on a run, and which pieces of its work are done.
//!
//! One process works on the runs of a vault in a file, and its lock dies with it: what another one
//! held is free, and no lease of ours can be lost. The rows let the workers of the process share
//! the work, and say what is done.

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::commit::signed;
use crate::engine::vault_rows::Columns as _;
use crate::lifecycle::{Phase, RunId};
use crate::ports::{
    Beat, Condition, CutState, Holder, Lease, Piece, PieceCounts, Rate, RunState, Task, VaultError,
    WorkerRow,
};
use crate::value::RowKey;

type Done = Result<(), sqlx::Error>;

/// Milliseconds of this machine's clock.
macro_rules! now_ms {
    () => {
        "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
    };
}

pub(super) async fn run_state(
    connection: &mut SqliteConnection,
    run: RunId,
) -> Result<Option<RunState>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT r.phase, r.condition, t.rows_per_s FROM sealift_run AS r
         LEFT JOIN sealift_rate AS t ON t.run = r.run WHERE r.run = ?",
    )
    .bind(i64::from(run.0))
    .fetch_one(connection)
    .await?;
    let phase: String = row.get("phase");
    let condition: Option<String> = row.get("condition");
    let rate: Option<i64> = row.get("rows_per_s");
    Ok(Phase::from_name(&phase).map(|phase| RunState {
        phase,
        condition: condition.map(|word| match word.as_str() {
            "paused" => Condition::Paused,
            _ => Condition::Failed,
        }),
        rate: rate.map(|rows| match u64::try_from(rows) {
            Ok(rows) if rows > 0 => Rate::RowsPerS(rows),
            _ => Rate::Unlimited,
        }),
    }))
}

pub(super) async fn set_rate(connection: &mut SqliteConnection, run: RunId, rate: Rate) -> Done {
    sqlx::query("INSERT OR REPLACE INTO sealift_rate VALUES (?, ?)")
        .bind(i64::from(run.0))
        .bind(signed(rate.limit().unwrap_or(0)))
        .execute(connection)
        .await?;
    Ok(())
}

/// Enters the process. Whoever else has a row is dead: the lock of the file says so.
pub(super) async fn enter(
    connection: &mut SqliteConnection,
    worker: &WorkerRow,
    lease_ms: u64,
) -> Done {
    sqlx::query("DELETE FROM sealift_worker WHERE worker <> ?")
        .bind(&worker.worker)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE sealift_lease SET worker = NULL, slot = NULL, expires_ms = 0 WHERE worker <> ?",
    )
    .bind(&worker.worker)
    .execute(&mut *connection)
    .await?;
    sqlx::query(concat!(
        "INSERT OR REPLACE INTO sealift_worker VALUES (?, ?, ?, ?, ?, ?, ?, ?, ",
        now_ms!(),
        " + ?)"
    ))
    .bind(&worker.worker)
    .bind(i64::from(worker.run.0))
    .bind(&worker.host)
    .bind(i64::from(worker.pid))
    .bind(&worker.born)
    .bind(&worker.since)
    .bind(&worker.doing)
    .bind(&worker.waits)
    .bind(signed(lease_ms))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn beat(
    connection: &mut SqliteConnection,
    worker: &str,
    lease_ms: u64,
    beat: &Beat,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(concat!(
        "UPDATE sealift_worker SET doing = ?, waits = ?, expires_ms = ",
        now_ms!(),
        " + ? WHERE worker = ?"
    ))
    .bind(&beat.doing)
    .bind(&beat.waits)
    .bind(signed(lease_ms))
    .bind(worker)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

pub(super) async fn evict(connection: &mut SqliteConnection, worker: &str) -> Done {
    sqlx::query(
        "UPDATE sealift_lease SET worker = NULL, slot = NULL, expires_ms = 0 WHERE worker = ?",
    )
    .bind(worker)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM sealift_worker WHERE worker = ?")
        .bind(worker)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn workers(
    connection: &mut SqliteConnection,
) -> Result<Vec<WorkerRow>, sqlx::Error> {
    let rows = sqlx::query(concat!(
        "SELECT *, expires_ms >= ",
        now_ms!(),
        " AS is_live FROM sealift_worker ORDER BY since, worker"
    ))
    .fetch_all(connection)
    .await?;
    let worker = |row: &SqliteRow| WorkerRow {
        worker: row.get("worker"),
        run: RunId(row.small("run")),
        host: row.get("host"),
        pid: row.small("pid"),
        born: row.get("born"),
        since: row.get("since"),
        doing: row.get("doing"),
        waits: row.get("waits"),
        is_live: row.get("is_live"),
    };
    Ok(rows.iter().map(worker).collect())
}

pub(super) async fn add_pieces(connection: &mut SqliteConnection, pieces: &[(Piece, u64)]) -> Done {
    for (piece, epoch) in pieces {
        sqlx::query(
            "INSERT INTO sealift_lease VALUES (?, ?, ?, ?, ?, NULL, NULL, 0, 0, ?, NULL, NULL, 0)
             ON CONFLICT DO UPDATE SET epoch = max(epoch, excluded.epoch)",
        )
        .bind(i64::from(piece.run.0))
        .bind(piece.task.name())
        .bind(i64::from(piece.unit))
        .bind(i64::from(piece.table))
        .bind(i64::from(piece.range))
        .bind(signed(*epoch))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

pub(super) async fn take(
    connection: &mut SqliteConnection,
    run: RunId,
    task: Task,
    holder: &Holder,
    lease_ms: u64,
) -> Result<Option<Lease>, VaultError> {
    let failed = |error| VaultError::Engine { doing: "taking a lease", source: Box::new(error) };
    let row = sqlx::query(concat!(
        "UPDATE sealift_lease SET worker = ?3, slot = ?4, epoch = epoch + 1, expires_ms = ",
        now_ms!(),
        " + ?5
         WHERE (run, task, unit, range) = (SELECT run, task, unit, range FROM sealift_lease
               WHERE run = ?1 AND task = ?2 AND NOT done
                 AND (worker IS NULL OR (worker = ?3 AND slot = ?4))
               ORDER BY unit, range LIMIT 1)
         RETURNING unit, tbl, range, lower, upper, epoch"
    ))
    .bind(i64::from(run.0))
    .bind(task.name())
    .bind(&holder.worker)
    .bind(i64::from(holder.slot))
    .bind(signed(lease_ms))
    // To the end: the statement commits behind its only row.
    .fetch_all(connection)
    .await
    .map_err(failed)?
    .pop();
    let Some(row) = row else { return Ok(None) };
    let tiny = |column| u16::try_from(row.get::<i64, _>(column)).unwrap_or(u16::MAX);
    let piece = Piece {
        run,
        task,
        unit: tiny("unit"),
        table: tiny("tbl"),
        range: row.small("range"),
        lower: key(&row, "lower")?,
        upper: key(&row, "upper")?,
    };
    Ok(Some(Lease { piece, epoch: row.unsigned("epoch"), holder: holder.clone() }))
}

fn key(row: &SqliteRow, column: &str) -> Result<Option<RowKey>, VaultError> {
    let bytes: Option<Vec<u8>> = row.get(column);
    bytes
        .map(|bytes| RowKey::decode(&bytes))
        .transpose()
        .map_err(|_| VaultError::Inconsistent("a bound of a piece is malformed".to_owned()))
}

/// The next free number of a unit's ranges, and the last range that was cut of a table, with its end.
pub(super) async fn cut_state(
    connection: &mut SqliteConnection,
    run: RunId,
    unit: u16,
    table: u16,
) -> Result<CutState, VaultError> {
    let failed = |error| VaultError::Engine {
        doing: "reading how far a table is cut",
        source: Box::new(error),
    };
    let next: i64 = sqlx::query_scalar(
        "SELECT coalesce(max(range) + 1, 0) FROM sealift_lease
         WHERE run = ? AND task = 'backup' AND unit = ?",
    )
    .bind(i64::from(run.0))
    .bind(i64::from(unit))
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    let next = u32::try_from(next).unwrap_or(u32::MAX);
    let last = sqlx::query(
        "SELECT range, upper FROM sealift_lease
         WHERE run = ? AND task = 'backup' AND unit = ? AND tbl = ? AND is_last",
    )
    .bind(i64::from(run.0))
    .bind(i64::from(unit))
    .bind(i64::from(table))
    .fetch_optional(connection)
    .await
    .map_err(failed)?;
    let Some(row) = last else { return Ok(CutState::Untouched { next }) };
    Ok(match key(&row, "upper")? {
        Some(upper) => CutState::Upto { last: row.small("range"), upper, next },
        None => CutState::Whole,
    })
}

/// Adds the next range of a table; `false` where another worker was first, and nothing may stay.
pub(super) async fn cut(
    connection: &mut SqliteConnection,
    piece: &Piece,
    after: Option<u32>,
    holder: &Holder,
    lease_ms: u64,
) -> Result<bool, sqlx::Error> {
    if let Some(after) = after {
        let moved = sqlx::query(
            "UPDATE sealift_lease SET is_last = 0
             WHERE run = ? AND task = 'backup' AND unit = ? AND tbl = ? AND range = ? AND is_last",
        )
        .bind(i64::from(piece.run.0))
        .bind(i64::from(piece.unit))
        .bind(i64::from(piece.table))
        .bind(i64::from(after))
        .execute(&mut *connection)
        .await?;
        if moved.rows_affected() != 1 {
            return Ok(false);
        }
    }
    let added = sqlx::query(concat!(
        "INSERT INTO sealift_lease VALUES (?, 'backup', ?, ?, ?, ?, ?, 1, 0, 1, ?, ?, ",
        now_ms!(),
        " + ?) ON CONFLICT DO NOTHING"
    ))
    .bind(i64::from(piece.run.0))
    .bind(i64::from(piece.unit))
    .bind(i64::from(piece.table))
    .bind(i64::from(piece.range))
    .bind(piece.lower.as_ref().map(RowKey::encode))
    .bind(piece.upper.as_ref().map(RowKey::encode))
    .bind(&holder.worker)
    .bind(i64::from(holder.slot))
    .bind(signed(lease_ms))
    .execute(connection)
    .await?;
    Ok(added.rows_affected() == 1)
}

/// The piece that a lease names, by its key and by who holds it under which epoch.
const HELD: &str = "run = ?1 AND task = ?2 AND unit = ?3 AND range = ?4
    AND epoch = ?5 AND worker = ?6 AND slot = ?7";

async fn change(
    connection: &mut SqliteConnection,
    set: &'static str,
    lease: &Lease,
) -> Result<bool, sqlx::Error> {
    let sql = format!("UPDATE sealift_lease SET {set} WHERE {HELD}");
    let changed = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(i64::from(lease.piece.run.0))
        .bind(lease.piece.task.name())
        .bind(i64::from(lease.piece.unit))
        .bind(i64::from(lease.piece.range))
        .bind(signed(lease.epoch))
        .bind(&lease.holder.worker)
        .bind(i64::from(lease.holder.slot))
        .execute(connection)
        .await?;
    Ok(changed.rows_affected() == 1)
}

pub(super) async fn done(
    connection: &mut SqliteConnection,
    lease: &Lease,
) -> Result<bool, sqlx::Error> {
    change(connection, "done = 1, worker = NULL, slot = NULL, expires_ms = 0", lease).await
}

pub(super) async fn give_back(connection: &mut SqliteConnection, lease: &Lease) -> Done {
    change(connection, "worker = NULL, slot = NULL, expires_ms = 0", lease).await?;
    Ok(())
}

/// Splits a piece at a key: the end of it becomes a piece of its own.
pub(super) async fn split(connection: &mut SqliteConnection, lease: &Lease, at: &RowKey) -> Done {
    for sql in [
        "INSERT INTO sealift_lease
         SELECT l.run, l.task, l.unit, l.tbl,
                (SELECT max(range) + 1 FROM sealift_lease
                 WHERE run = l.run AND task = l.task AND unit = l.unit),
                ?5, l.upper, l.is_last, 0, 0, NULL, NULL, 0
         FROM sealift_lease AS l WHERE l.run = ?1 AND l.task = ?2 AND l.unit = ?3 AND l.range = ?4",
        "UPDATE sealift_lease SET upper = ?5, is_last = 0
         WHERE run = ?1 AND task = ?2 AND unit = ?3 AND range = ?4",
    ] {
        sqlx::query(sql)
            .bind(i64::from(lease.piece.run.0))
            .bind(lease.piece.task.name())
            .bind(i64::from(lease.piece.unit))
            .bind(i64::from(lease.piece.range))
            .bind(at.encode())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn counts(
    connection: &mut SqliteConnection,
    run: RunId,
    task: Task,
) -> Result<PieceCounts, sqlx::Error> {
    let row = sqlx::query(
        "SELECT count(*) FILTER (WHERE NOT done) AS open, count(*) FILTER (WHERE done) AS done
         FROM sealift_lease WHERE run = ? AND task = ?",
    )
    .bind(i64::from(run.0))
    .bind(task.name())
    .fetch_one(connection)
    .await?;
    Ok(PieceCounts { open: row.unsigned("open"), done: row.unsigned("done") })
}

pub(super) async fn fence(connection: &mut SqliteConnection, run: RunId) -> Done {
    sqlx::query(
        "UPDATE sealift_lease
         SET epoch = epoch + 1, worker = NULL, slot = NULL, expires_ms = 0 WHERE run = ?",
    )
    .bind(i64::from(run.0))
    .execute(connection)
    .await?;
    Ok(())
}
