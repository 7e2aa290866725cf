//! The first load of a domain: by binary `COPY` into a table without an index, which becomes the
//! partition of the domain once it is complete.
//!
//! Rows come sorted, so the one index that is built in the end grows straight, and costs a third of
//! what it costs to put each row into an index that is there. This file does not know what a row
//! says; where a load stands is said by its cursor, which commits with each batch.
//!
//! **Invariant:** a stage belongs to one run and one domain, and nothing reads it but its load. It
//! takes the place of the partition only where nothing has come into the domain meanwhile.

use std::collections::HashSet;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};
use tokio::task::JoinSet;

use super::super::connect::{Address, close};
use super::Broken;
use crate::lifecycle::RunId;
use crate::ports::{EntryRow, VaultError};
use crate::token::DomainId;

/// Entries of a first batch for which making a table pays.
const ENTRIES_MIN: usize = 5_000;

/// Bytes that are sent to the server at a time.
const CHUNK_BYTES: usize = 1 << 18;

/// How a binary COPY begins: its signature, no flags, no extension.
const COPY_HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// How it ends.
const COPY_END: [u8; 2] = (-1_i16).to_be_bytes();

/// Columns of an entry, in the order of the table.
const COLUMNS: i16 = 5;

/// Indexes of loaded domains that are being built, each in a session of its own.
#[derive(Default)]
pub(super) struct Builds {
    /// The domain at which the load stood when it was last looked.
    at: Option<DomainId>,
    begun: HashSet<(RunId, DomainId)>,
    running: JoinSet<Result<(), sqlx::Error>>,
}

impl Builds {
    /// Whether a batch tells that domains are complete, and which: those before the one that is
    /// named, or all.
    #[expect(clippy::option_option, reason = "whether, and before which")]
    pub(super) fn look(&mut self, batch: &[EntryRow], is_end: bool) -> Option<Option<DomainId>> {
        let at = batch.first().map(|entry| entry.domain);
        if is_end {
            return Some(None);
        }
        let is_news = at.is_some() && self.at != at;
        self.at = at.or(self.at);
        is_news.then_some(at)
    }

    /// Builds the indexes of these stages while the load goes on.
    pub(super) fn begin(&mut self, address: &Address, run: RunId, complete: Vec<DomainId>) {
        for domain in complete {
            if self.begun.insert((run, domain)) {
                let address = address.clone();
                self.running.spawn(async move {
                    let mut session = address.connect().await?;
                    let built = index(&mut session, run, domain).await;
                    close(session).await;
                    built
                });
            }
        }
    }

    /// Waits for all of them. What failed is built by the next attempt.
    pub(super) async fn wait(&mut self) -> Result<(), sqlx::Error> {
        while let Some(built) = self.running.join_next().await {
            let built = built.unwrap_or(Err(sqlx::Error::WorkerCrashed));
            if built.is_err() {
                self.begun.clear();
            }
            built?;
        }
        Ok(())
    }
}

fn name(run: RunId, domain: DomainId) -> String {
    format!("stage_{}_{run}", domain.0)
}

/// Whether a batch of a run's load goes into a stage: one is there already, or the load of the
/// domain begins with this batch and the vault has nothing of it yet. Makes it then.
pub(super) async fn takes(
    connection: &mut PgConnection,
    run: RunId,
    domain: DomainId,
    entries: usize,
) -> Result<bool, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT
        pg_catalog.to_regclass('sealift.' || pg_catalog.quote_ident($1)) IS NOT NULL,
        EXISTS (SELECT FROM sealift.load WHERE run = $2 AND domain >= $3),
        EXISTS (SELECT FROM sealift.entry WHERE domain = $3)";
    let row = sqlx::query(SQL)
        .bind(name(run, domain))
        .bind(i64::from(run.0))
        .bind(i64::from(domain.0))
        .fetch_one(&mut *connection)
        .await?;
    let (is_there, has_begun, is_filled): (bool, bool, bool) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if is_there || has_begun || is_filled || entries < ENTRIES_MIN {
        return Ok(is_there);
    }
    make(connection, run, domain).await?;
    Ok(true)
}

async fn make(
    connection: &mut PgConnection,
    run: RunId,
    domain: DomainId,
) -> Result<(), sqlx::Error> {
    // What a run left that never came to its end: none of its tokens was ever written.
    // language=PostgreSQL
    const LEFT: &str = "SELECT c.relname::text FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'sealift'::pg_catalog.regnamespace AND c.relkind = 'r'
          AND c.relname LIKE 'stage\\_' || $1 || '\\_%'";
    let left: Vec<String> =
        sqlx::query_scalar(LEFT).bind(domain.0.to_string()).fetch_all(&mut *connection).await?;
    for table in left {
        run_sql(connection, format!("DROP TABLE sealift.{table}")).await?;
    }
    // The CHECK spares the server a look at every row when the table becomes a partition.
    let stage = name(run, domain);
    let sql = format!(
        "CREATE TABLE sealift.{stage} (LIKE sealift.entry, CONSTRAINT {stage}_domain CHECK (domain = '{}'::smallint))",
        domain.0
    );
    run_sql(connection, sql).await
}

/// Adds entries of one domain to its stage.
pub(super) async fn copy(
    connection: &mut PgConnection,
    run: RunId,
    rows: &[EntryRow],
) -> Result<(), sqlx::Error> {
    let Some(first) = rows.first() else { return Ok(()) };
    let statement = format!("COPY sealift.{} FROM STDIN (FORMAT binary)", name(run, first.domain));
    let mut copy = connection.copy_in_raw(&statement).await?;
    let mut chunk = Vec::with_capacity(CHUNK_BYTES + 1_024);
    chunk.extend_from_slice(COPY_HEAD);
    for row in rows {
        encode(&mut chunk, row)?;
        if chunk.len() >= CHUNK_BYTES {
            copy.send(chunk.as_slice()).await?;
            chunk.clear();
        }
    }
    chunk.extend_from_slice(&COPY_END);
    copy.send(chunk.as_slice()).await?;
    let copied = copy.finish().await?;
    if copied == rows.len() as u64 {
        Ok(())
    } else {
        Err(sqlx::Error::Protocol("the server took another number of rows than it was sent".into()))
    }
}

/// `columns 2 | (length 4 | bytes) …`, numbers in two and in four bytes, as the table has them.
fn encode(chunk: &mut Vec<u8>, row: &EntryRow) -> Result<(), sqlx::Error> {
    let too_large = |what: &str| sqlx::Error::Protocol(format!("{what} is too large for a vault"));
    let field = |chunk: &mut Vec<u8>, bytes: &[u8]| {
        let length = i32::try_from(bytes.len()).map_err(|_| too_large("a sealed value"))?;
        chunk.extend_from_slice(&length.to_be_bytes());
        chunk.extend_from_slice(bytes);
        Ok::<(), sqlx::Error>(())
    };
    let domain = i16::try_from(row.domain.0).map_err(|_| too_large("the number of a domain"))?;
    let segment = i32::try_from(row.segment).map_err(|_| too_large("the number of a segment"))?;
    chunk.extend_from_slice(&COLUMNS.to_be_bytes());
    field(chunk, &domain.to_be_bytes())?;
    field(chunk, &i16::from(row.kind.code()).to_be_bytes())?;
    field(chunk, &segment.to_be_bytes())?;
    field(chunk, row.token.as_bytes())?;
    field(chunk, &row.envelope)
}

/// The run's stages of domains before this one (of all, where none is named): their rows are
/// complete, because a load goes through the domains in order.
pub(super) async fn complete(
    connection: &mut PgConnection,
    run: RunId,
    before: Option<DomainId>,
) -> Result<Vec<DomainId>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT d.domain FROM sealift.domain d
        JOIN pg_catalog.pg_class c ON c.relname = 'stage_' || d.domain || '_' || $1
        WHERE c.relnamespace = 'sealift'::pg_catalog.regnamespace AND d.domain < $2
        ORDER BY d.domain";
    let numbers: Vec<i64> = sqlx::query_scalar(SQL)
        .bind(run.to_string())
        .bind(before.map_or(i64::MAX, |domain| i64::from(domain.0)))
        .fetch_all(connection)
        .await?;
    Ok(numbers.into_iter().filter_map(|n| u16::try_from(n).ok()).map(DomainId).collect())
}

/// How many entries of a load's segment there are, in its stages and in their place.
pub(super) async fn loaded(
    connection: &mut PgConnection,
    run: RunId,
    segment: i64,
) -> Result<i64, sqlx::Error> {
    let mut loaded: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sealift.entry WHERE segment = $1")
            .bind(segment)
            .fetch_one(&mut *connection)
            .await?;
    for domain in complete(connection, run, None).await? {
        let sql = format!("SELECT count(*) FROM sealift.{}", name(run, domain));
        let staged: i64 =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
        loaded += staged;
    }
    Ok(loaded)
}

/// Builds the index of a complete stage, where it has none. May go on beside everything else.
pub(super) async fn index(
    connection: &mut PgConnection,
    run: RunId,
    domain: DomainId,
) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    const HAS_INDEX: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_index
        WHERE indrelid = ('sealift.' || $1)::pg_catalog.regclass AND indisprimary)";
    let stage = name(run, domain);
    // One process: the rows come sorted, and to sort their parts and merge them costs half as much
    // again (400,000 rows: 150 ms of processor time instead of 110) and is no sooner done.
    sqlx::raw_sql(
        "BEGIN; SET LOCAL maintenance_work_mem = '256MB'; SET LOCAL lock_timeout = 0;
         SET LOCAL max_parallel_maintenance_workers = 0;",
    )
    .execute(&mut *connection)
    .await?;
    // Whoever builds it already is waited for.
    run_sql(connection, format!("LOCK TABLE sealift.{stage} IN ACCESS EXCLUSIVE MODE")).await?;
    let is_there: bool =
        sqlx::query_scalar(HAS_INDEX).bind(&stage).fetch_one(&mut *connection).await?;
    if !is_there {
        let sql = format!(
            "ALTER TABLE sealift.{stage} ADD CONSTRAINT {stage}_pkey PRIMARY KEY (domain, token)"
        );
        run_sql(connection, sql).await?;
    }
    sqlx::raw_sql("COMMIT").execute(connection).await?;
    Ok(())
}

/// Makes every stage of a run the partition of its domain. Each has its index by now.
///
/// # Errors
///
/// [`VaultError::Inconsistent`] where a token has come into a domain that the load has too: it
/// cannot be said here whether both stand for one value.
pub(super) async fn publish(connection: &mut PgConnection, run: RunId) -> Result<(), Broken> {
    let domains = complete(connection, run, None).await?;
    if domains.is_empty() {
        return Ok(());
    }
    // ORDER: nothing comes into a partition between the look at it and its end.
    run_sql(connection, "LOCK TABLE sealift.entry IN ACCESS EXCLUSIVE MODE".to_owned()).await?;
    for domain in domains {
        let stage = name(run, domain);
        let is_filled: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM sealift.entry WHERE domain = $1)")
                .bind(i64::from(domain.0))
                .fetch_one(&mut *connection)
                .await?;
        if is_filled {
            pour(connection, &stage, domain).await?;
        } else {
            swap(connection, &stage, domain).await?;
        }
    }
    Ok(())
}

/// The stage takes the place of the empty partition.
async fn swap(
    connection: &mut PgConnection,
    stage: &str,
    domain: DomainId,
) -> Result<(), sqlx::Error> {
    let number = domain.0;
    let sql = format!(
        "DROP TABLE sealift.entry_{number};
         ALTER TABLE sealift.entry ATTACH PARTITION sealift.{stage} FOR VALUES IN ({number});
         ALTER TABLE sealift.{stage} DROP CONSTRAINT {stage}_domain;
         ALTER TABLE sealift.{stage} RENAME TO entry_{number};
         ALTER TABLE sealift.entry_{number} RENAME CONSTRAINT {stage}_pkey TO entry_{number}_pkey;"
    );
    run_sql(connection, sql).await
}

/// Somebody added to the domain while it was loaded: the stage's rows are added to theirs.
async fn pour(connection: &mut PgConnection, stage: &str, domain: DomainId) -> Result<(), Broken> {
    let staged: i64 =
        sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM sealift.{stage}")))
            .fetch_one(&mut *connection)
            .await?;
    let sql = format!(
        "INSERT INTO sealift.entry SELECT * FROM sealift.{stage} ORDER BY token
         ON CONFLICT DO NOTHING"
    );
    let poured = sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?.rows_affected();
    if i64::try_from(poured) != Ok(staged) {
        let fact = format!("tokens of domain {} came in while it was loaded", domain.0);
        return Err(VaultError::Inconsistent(fact).into());
    }
    run_sql(connection, format!("DROP TABLE sealift.{stage}")).await?;
    Ok(())
}

/// Removes what a run has staged: it will not be loaded any more.
pub(super) async fn discard(connection: &mut PgConnection, run: RunId) -> Result<(), sqlx::Error> {
    for domain in complete(connection, run, None).await? {
        run_sql(connection, format!("DROP TABLE sealift.{}", name(run, domain))).await?;
    }
    Ok(())
}

async fn run_sql(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::TokenBody;
    use crate::value::ValueType;

    #[test]
    fn a_row_is_written_as_the_server_reads_it() {
        let row = EntryRow {
            domain: DomainId(3),
            token: TokenBody::new(b"ab"),
            segment: 7,
            kind: ValueType::Text,
            envelope: vec![9],
        };
        let mut chunk = Vec::new();
        encode(&mut chunk, &row).unwrap();
        let expected = [
            &[0, 5][..],
            &[0, 0, 0, 2, 0, 3],
            &[0, 0, 0, 2, 0, 1],
            &[0, 0, 0, 4, 0, 0, 0, 7],
            &[0, 0, 0, 2, b'a', b'b'],
            &[0, 0, 0, 1, 9],
        ]
        .concat();
        assert_eq!(chunk, expected);
    }
}
