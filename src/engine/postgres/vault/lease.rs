//! Who works on a run, and the leases on pieces of its work.
//!
//! Time is the server's, so that no two machines have to agree about it. A lease is taken with
//! `SKIP LOCKED`: whoever looks for work never waits for somebody else's.

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use super::Broken;
use super::commit::signed;
use crate::engine::vault_rows::Columns as _;
use crate::lifecycle::{Phase, RunId};
use crate::ports::{
    Beat, Condition, CutState, Holder, Lease, Piece, PieceCounts, Rate, RunState, Task, VaultError,
    WorkerRow,
};
use crate::value::RowKey;

type Done = Result<(), sqlx::Error>;

/// Milliseconds of the server's clock.
macro_rules! now_ms {
    () => {
        "(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::bigint"
    };
}

/// Refuses a transaction whose lease is somebody else's now.
///
/// INVARIANT: the row stays locked to the end of the transaction, so that nobody takes the piece
/// over between this look and the COMMIT.
pub(super) async fn still_held(
    connection: &mut PgConnection,
    lease: Option<&Lease>,
) -> Result<(), Broken> {
    let Some(lease) = lease else { return Ok(()) };
    let held: Option<i32> = sqlx::query_scalar(
        "SELECT 1 FROM sealift.lease
         WHERE run = $1 AND task = $2 AND unit = $3 AND range = $4
           AND epoch = $5 AND worker = $6 AND slot = $7 FOR SHARE",
    )
    .bind(i64::from(lease.piece.run.0))
    .bind(lease.piece.task.name())
    .bind(i64::from(lease.piece.unit))
    .bind(i64::from(lease.piece.range))
    .bind(signed(lease.epoch))
    .bind(&lease.holder.worker)
    .bind(i64::from(lease.holder.slot))
    .fetch_optional(connection)
    .await?;
    if held.is_some() { Ok(()) } else { Err(lost(lease).into()) }
}

fn lost(lease: &Lease) -> VaultError {
    VaultError::LeaseLost { unit: lease.piece.unit, range: lease.piece.range }
}

pub(super) async fn run_state(
    connection: &mut PgConnection,
    run: RunId,
) -> Result<RunState, Broken> {
    let row = sqlx::query(
        "SELECT r.phase, r.condition, t.rows_per_s
         FROM sealift.run AS r LEFT JOIN sealift.rate AS t ON t.run = r.run WHERE r.run = $1",
    )
    .bind(i64::from(run.0))
    .fetch_one(connection)
    .await?;
    let phase: String = row.get("phase");
    let condition: Option<String> = row.get("condition");
    let rate: Option<i64> = row.get("rows_per_s");
    Ok(RunState {
        phase: Phase::from_name(&phase)
            .ok_or_else(|| VaultError::Inconsistent("a run has no known phase".to_owned()))?,
        condition: condition.map(|word| match word.as_str() {
            "paused" => Condition::Paused,
            _ => Condition::Failed,
        }),
        rate: rate.map(|rows| match u64::try_from(rows) {
            Ok(rows) if rows > 0 => Rate::RowsPerS(rows),
            _ => Rate::Unlimited,
        }),
    })
}

pub(super) async fn set_rate(connection: &mut PgConnection, run: RunId, rate: Rate) -> Done {
    sqlx::query(
        "INSERT INTO sealift.rate VALUES ($1, $2)
         ON CONFLICT (run) DO UPDATE SET rows_per_s = excluded.rows_per_s",
    )
    .bind(i64::from(run.0))
    .bind(signed(rate.limit().unwrap_or(0)))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn enter(
    connection: &mut PgConnection,
    worker: &WorkerRow,
    lease_ms: u64,
) -> Result<(), Broken> {
    // Whoever enters waits for whoever enters just now, so that two runs never begin together.
    sqlx::raw_sql("LOCK TABLE sealift.worker IN SHARE ROW EXCLUSIVE MODE")
        .execute(&mut *connection)
        .await?;
    sqlx::raw_sql(concat!("DELETE FROM sealift.worker WHERE expires_ms < ", now_ms!()))
        .execute(&mut *connection)
        .await?;
    let other = sqlx::query("SELECT run, host, pid FROM sealift.worker WHERE run <> $1 LIMIT 1")
        .bind(i64::from(worker.run.0))
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(row) = other {
        let (run, host) = (RunId(row.small("run")), row.get("host"));
        return Err(VaultError::RunAtWork { run, host, pid: row.small("pid") }.into());
    }
    sqlx::query(concat!(
        "INSERT INTO sealift.worker VALUES ($1, $2, $3, $4, $5, $6, $7, $8, ",
        now_ms!(),
        " + $9) ON CONFLICT (worker) DO UPDATE SET expires_ms = excluded.expires_ms"
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

/// Renews what a process holds. A lease that a transaction of its own looks at just now is left for
/// the next time: nobody can take it meanwhile.
pub(super) async fn beat(
    connection: &mut PgConnection,
    worker: &str,
    lease_ms: u64,
    beat: &Beat,
) -> Result<u64, sqlx::Error> {
    let run: Option<i64> = sqlx::query_scalar(concat!(
        "UPDATE sealift.worker SET doing = $2, waits = $3, expires_ms = ",
        now_ms!(),
        " + $4 WHERE worker = $1 RETURNING run"
    ))
    .bind(worker)
    .bind(&beat.doing)
    .bind(&beat.waits)
    .bind(signed(lease_ms))
    .fetch_optional(&mut *connection)
    .await?;
    let Some(run) = run else { return Ok(0) };
    sqlx::query(concat!(
        "UPDATE sealift.lease AS l SET expires_ms = ",
        now_ms!(),
        " + $2
         FROM (SELECT run, task, unit, range FROM sealift.lease WHERE worker = $1
               FOR NO KEY UPDATE SKIP LOCKED) AS mine
         WHERE l.run = mine.run AND l.task = mine.task AND l.unit = mine.unit
           AND l.range = mine.range"
    ))
    .bind(worker)
    .bind(signed(lease_ms))
    .execute(&mut *connection)
    .await?;
    let live: i64 = sqlx::query_scalar(concat!(
        "SELECT count(*) FROM sealift.worker WHERE run = $1 AND expires_ms >= ",
        now_ms!()
    ))
    .bind(run)
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(live).unwrap_or(1).max(1))
}

pub(super) async fn evict(connection: &mut PgConnection, worker: &str) -> Done {
    // A session of a dead process may hold the very rows that are freed next.
    end_sessions(connection, worker).await?;
    sqlx::query(
        "UPDATE sealift.lease SET worker = NULL, slot = NULL, expires_ms = 0 WHERE worker = $1",
    )
    .bind(worker)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM sealift.worker WHERE worker = $1")
        .bind(worker)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends the sessions of a process that is gone. A process that leaves by itself calls this too, and
/// keeps the session that it calls through.
pub(crate) async fn end_sessions(connection: &mut PgConnection, worker: &str) -> Done {
    // language=PostgreSQL
    sqlx::query(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
         WHERE application_name = $1 AND usename = current_user
           AND pid <> pg_catalog.pg_backend_pid()
           AND application_name <> pg_catalog.current_setting('application_name')",
    )
    .bind(worker)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn workers(connection: &mut PgConnection) -> Result<Vec<WorkerRow>, sqlx::Error> {
    let rows = sqlx::query(concat!(
        "SELECT *, expires_ms >= ",
        now_ms!(),
        " AS is_live FROM sealift.worker ORDER BY since COLLATE \"C\", worker COLLATE \"C\""
    ))
    .fetch_all(connection)
    .await?;
    let worker = |row: &PgRow| WorkerRow {
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

pub(super) async fn add_pieces(
    connection: &mut PgConnection,
    pieces: &[(Piece, u64)],
) -> Result<(), sqlx::Error> {
    let numbers = |number: fn(&(Piece, u64)) -> i64| pieces.iter().map(number).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO sealift.lease AS l
         SELECT p.run, p.task, p.unit, p.tbl, p.range, NULL, NULL, false, false, p.epoch, NULL, NULL, 0
         FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
              AS p (run, task, unit, tbl, range, epoch)
         ORDER BY 1, 2, 3, 5
         ON CONFLICT (run, task, unit, range) DO UPDATE SET epoch = excluded.epoch
             WHERE l.epoch < excluded.epoch",
    )
    .bind(numbers(|(piece, _)| i64::from(piece.run.0)))
    .bind(pieces.iter().map(|(piece, _)| piece.task.name()).collect::<Vec<_>>())
    .bind(numbers(|(piece, _)| i64::from(piece.unit)))
    .bind(numbers(|(piece, _)| i64::from(piece.table)))
    .bind(numbers(|(piece, _)| i64::from(piece.range)))
    .bind(numbers(|(_, epoch)| signed(*epoch)))
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes a piece. One that this very worker holds already counts as free: the answer to an earlier
/// try was lost.
pub(super) async fn take(
    connection: &mut PgConnection,
    run: RunId,
    task: Task,
    holder: &Holder,
    lease_ms: u64,
) -> Result<Option<Lease>, Broken> {
    let row = sqlx::query(concat!(
        "UPDATE sealift.lease AS l SET worker = $3, slot = $4, epoch = l.epoch + 1, expires_ms = ",
        now_ms!(),
        " + $5
         FROM (SELECT run, task, unit, range FROM sealift.lease
               WHERE run = $1 AND task = $2 AND NOT done
                 AND (worker IS NULL OR (worker = $3 AND slot = $4) OR expires_ms < ",
        now_ms!(),
        ") ORDER BY unit, range LIMIT 1 FOR UPDATE SKIP LOCKED) AS free
         WHERE l.run = free.run AND l.task = free.task AND l.unit = free.unit
           AND l.range = free.range
         RETURNING l.unit, l.tbl, l.range, l.lower, l.upper, l.epoch"
    ))
    .bind(i64::from(run.0))
    .bind(task.name())
    .bind(&holder.worker)
    .bind(i64::from(holder.slot))
    .bind(signed(lease_ms))
    .fetch_optional(connection)
    .await?;
    row.map(|row| lease(&row, run, task, holder)).transpose()
}

fn lease(row: &PgRow, run: RunId, task: Task, holder: &Holder) -> Result<Lease, Broken> {
    let tiny = |column| u16::try_from(row.get::<i64, _>(column)).unwrap_or(u16::MAX);
    let piece = Piece {
        run,
        task,
        unit: tiny("unit"),
        table: tiny("tbl"),
        range: row.small("range"),
        lower: key(row, "lower")?,
        upper: key(row, "upper")?,
    };
    Ok(Lease { piece, epoch: row.unsigned("epoch"), holder: holder.clone() })
}

fn key(row: &PgRow, column: &str) -> Result<Option<RowKey>, Broken> {
    let bytes: Option<Vec<u8>> = row.get(column);
    let malformed = |_| VaultError::Inconsistent("a bound of a piece is malformed".to_owned());
    bytes.map(|bytes| RowKey::decode(&bytes)).transpose().map_err(|error| malformed(error).into())
}

pub(super) async fn cut_state(
    connection: &mut PgConnection,
    run: RunId,
    unit: u16,
    table: u16,
) -> Result<CutState, Broken> {
    let next: i64 = sqlx::query_scalar(
        "SELECT coalesce(max(range) + 1, 0) FROM sealift.lease
         WHERE run = $1 AND task = 'backup' AND unit = $2",
    )
    .bind(i64::from(run.0))
    .bind(i64::from(unit))
    .fetch_one(&mut *connection)
    .await?;
    let next = u32::try_from(next).unwrap_or(u32::MAX);
    let last = sqlx::query(
        "SELECT range, upper FROM sealift.lease
         WHERE run = $1 AND task = 'backup' AND unit = $2 AND tbl = $3 AND is_last",
    )
    .bind(i64::from(run.0))
    .bind(i64::from(unit))
    .bind(i64::from(table))
    .fetch_optional(connection)
    .await?;
    let Some(row) = last else { return Ok(CutState::Untouched { next }) };
    Ok(match key(&row, "upper")? {
        Some(upper) => CutState::Upto { last: row.small("range"), upper, next },
        None => CutState::Whole,
    })
}

pub(super) async fn cut(
    connection: &mut PgConnection,
    piece: &Piece,
    after: Option<u32>,
    holder: &Holder,
    lease_ms: u64,
) -> Result<Option<Lease>, Broken> {
    if let Some(after) = after {
        let moved = sqlx::query(
            "UPDATE sealift.lease SET is_last = false
             WHERE run = $1 AND task = 'backup' AND unit = $2 AND tbl = $3 AND range = $4 AND is_last",
        )
        .bind(i64::from(piece.run.0))
        .bind(i64::from(piece.unit))
        .bind(i64::from(piece.table))
        .bind(i64::from(after))
        .execute(&mut *connection)
        .await?;
        if moved.rows_affected() != 1 {
            return Ok(None);
        }
    }
    let added = sqlx::query(concat!(
        "INSERT INTO sealift.lease
         VALUES ($1, 'backup', $2, $3, $4, $5, $6, true, false, 1, $7, $8, ",
        now_ms!(),
        " + $9) ON CONFLICT DO NOTHING"
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
    if added.rows_affected() == 0 {
        // Nothing of this may stay: the mark of the last cut least of all.
        return Err(VaultError::LeaseLost { unit: piece.unit, range: piece.range }.into());
    }
    Ok(Some(Lease { piece: piece.clone(), epoch: 1, holder: holder.clone() }))
}

pub(super) async fn done(connection: &mut PgConnection, lease: &Lease) -> Result<(), Broken> {
    let marked = sqlx::query(
        "UPDATE sealift.lease SET done = true, worker = NULL, slot = NULL, expires_ms = 0
         WHERE run = $1 AND task = $2 AND unit = $3 AND range = $4
           AND epoch = $5 AND worker = $6 AND slot = $7",
    )
    .bind(i64::from(lease.piece.run.0))
    .bind(lease.piece.task.name())
    .bind(i64::from(lease.piece.unit))
    .bind(i64::from(lease.piece.range))
    .bind(signed(lease.epoch))
    .bind(&lease.holder.worker)
    .bind(i64::from(lease.holder.slot))
    .execute(connection)
    .await?;
    if marked.rows_affected() == 1 { Ok(()) } else { Err(lost(lease).into()) }
}

/// Splits a piece at a key: the end of it becomes a piece of its own.
pub(super) async fn split(
    connection: &mut PgConnection,
    lease: &Lease,
    at: &RowKey,
) -> Result<(), Broken> {
    let (run, unit) = (i64::from(lease.piece.run.0), i64::from(lease.piece.unit));
    let added = sqlx::query(
        "INSERT INTO sealift.lease
         SELECT l.run, l.task, l.unit, l.tbl,
                (SELECT max(range) + 1 FROM sealift.lease
                 WHERE run = l.run AND task = l.task AND unit = l.unit),
                $5, l.upper, l.is_last, false, 0, NULL, NULL, 0
         FROM sealift.lease AS l
         WHERE l.run = $1 AND l.task = $2 AND l.unit = $3 AND l.range = $4
         ON CONFLICT DO NOTHING",
    )
    .bind(run)
    .bind(lease.piece.task.name())
    .bind(unit)
    .bind(i64::from(lease.piece.range))
    .bind(at.encode())
    .execute(&mut *connection)
    .await?;
    if added.rows_affected() != 1 {
        // Somebody has just cut a range under that number: the next try finds the one behind it.
        return Err(VaultError::Locked { waited_ms: 0 }.into());
    }
    sqlx::query(
        "UPDATE sealift.lease SET upper = $5, is_last = false
         WHERE run = $1 AND task = $2 AND unit = $3 AND range = $4",
    )
    .bind(run)
    .bind(lease.piece.task.name())
    .bind(unit)
    .bind(i64::from(lease.piece.range))
    .bind(at.encode())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn give_back(connection: &mut PgConnection, lease: &Lease) -> Done {
    sqlx::query(
        "UPDATE sealift.lease SET worker = NULL, slot = NULL, expires_ms = 0
         WHERE run = $1 AND task = $2 AND unit = $3 AND range = $4
           AND epoch = $5 AND worker = $6 AND slot = $7",
    )
    .bind(i64::from(lease.piece.run.0))
    .bind(lease.piece.task.name())
    .bind(i64::from(lease.piece.unit))
    .bind(i64::from(lease.piece.range))
    .bind(signed(lease.epoch))
    .bind(&lease.holder.worker)
    .bind(i64::from(lease.holder.slot))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn counts(
    connection: &mut PgConnection,
    run: RunId,
    task: Task,
) -> Result<PieceCounts, sqlx::Error> {
    let row = sqlx::query(
        "SELECT count(*) FILTER (WHERE NOT done) AS open, count(*) FILTER (WHERE done) AS done
         FROM sealift.lease WHERE run = $1 AND task = $2",
    )
    .bind(i64::from(run.0))
    .bind(task.name())
    .fetch_one(connection)
    .await?;
    Ok(PieceCounts { open: row.unsigned("open"), done: row.unsigned("done") })
}

pub(super) async fn fence(connection: &mut PgConnection, run: RunId) -> Done {
    sqlx::query(
        "UPDATE sealift.lease
         SET epoch = epoch + 1, worker = NULL, slot = NULL, expires_ms = 0 WHERE run = $1",
    )
    .bind(i64::from(run.0))
    .execute(connection)
    .await?;
    Ok(())
}
