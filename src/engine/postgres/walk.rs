//! Walks of a table: by its key, or by where its rows lie.
//!
//! A table without a key is read in spans of pages. Where nobody is locked out, all of them are read
//! in one snapshot: a row that an application changes moves to another page, and would be met twice
//! or not at all.

use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::connect::{Address, close};
use super::queries::MARK;
use super::shape::{Shape, schema_of, table_sql};
use super::statement::{self, Cutting, OWN_ROW, Span};
use crate::engine::read_pace::ReadPace;
use crate::plan::{UnitTable, Walk};
use crate::policy::TableName;
use crate::ports::{Limit, Row, WalkFilter};
use crate::value::RowKey;

/// Pages of the first span: some thousand rows.
const PAGES: u64 = 128;

/// Rows of the first read of a table.
const ROWS_AT_FIRST: usize = 250;

/// How many reads are cut row by row after one that could not be sent as a whole: where one row in
/// thousands is large, it is not found out anew with each read.
const CAREFUL_READS: usize = 16;

/// A snapshot that outlives its statement may lie idle while others work.
// language=PostgreSQL
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL idle_in_transaction_session_timeout = '10min'";

/// Whether the rows of a table are found by where they lie.
pub(super) fn is_by_place(table: &UnitTable) -> bool {
    matches!(table.walk, Walk::RowId)
}

/// What a walk reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'r> {
    /// Rows behind this key.
    pub(super) after: Option<&'r RowKey>,
    /// Rows up to this key.
    pub(super) upto: Option<&'r RowKey>,
    /// How much at once.
    pub(super) limit: Limit,
    /// Which rows.
    pub(super) filter: &'r WalkFilter,
    /// Whether rows that this transaction has written are left out.
    pub(super) leaves_own: bool,
}

/// Reads the next rows of a table.
pub(super) async fn read(
    connection: &mut PgConnection,
    table: &UnitTable,
    shape: &Shape,
    reading: Reading<'_>,
) -> Result<Vec<Row>, sqlx::Error> {
    let Reading { after, upto, limit, filter, leaves_own } = reading;
    let mut span = Span { after, upto, pages: (0, 0), leaves_own };
    if !is_by_place(table) {
        return rows(connection, table, shape, span, limit, filter).await;
    }
    let mut from = after.map_or(0, page_of);
    let mut width = PAGES;
    loop {
        let to = from.saturating_add(width);
        span.pages = (from, to);
        let found = rows(connection, table, shape, span, limit, filter).await?;
        if !found.is_empty() || to >= pages(connection, &table.table).await? {
            return Ok(found);
        }
        from = to;
        // Many empty pages in a row are passed over quickly.
        width = width.saturating_mul(2);
    }
}

async fn rows(
    connection: &mut PgConnection,
    table: &UnitTable,
    shape: &Shape,
    span: Span<'_>,
    limit: Limit,
    filter: &WalkFilter,
) -> Result<Vec<Row>, sqlx::Error> {
    let has_stamps = matches!(filter, WalkFilter::Stamped { .. });
    let asked = shape.pace.rows(limit);
    let limit = Limit { rows: asked, ..limit };
    loop {
        let cutting = shape.pace.cutting();
        let (sql, arguments) = statement::walk(table, shape, span, limit, filter, cutting)?;
        let answer =
            sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_one(&mut *connection).await?;
        if let Some(rows) = statement::read_rows(&answer, table, &table.columns, shape, has_stamps)?
        {
            let bytes = statement::bytes_of(&answer, table, rows.len(), has_stamps)?;
            shape.pace.saw(asked, rows.len(), bytes);
            return Ok(rows);
        }
        if cutting == Cutting::ByRow {
            return Err(sqlx::Error::Protocol("rows were counted and not sent".to_owned()));
        }
        shape.pace.refused();
    }
}

/// How the rows of a table are read: how many at once, and how they are kept within a limit of bytes.
#[derive(Debug)]
pub(super) struct WalkPace {
    reads: ReadPace,
    /// Reads that are still cut row by row.
    careful: AtomicUsize,
}

impl Default for WalkPace {
    /// Of how large its rows are, nothing is known: the first read is cut row by row.
    fn default() -> Self {
        Self { reads: ReadPace::new(ROWS_AT_FIRST), careful: AtomicUsize::new(1) }
    }
}

impl WalkPace {
    /// How many rows the next read may ask for: fewer than may be sent, because some are larger than
    /// those before them.
    fn rows(&self, limit: Limit) -> usize {
        self.reads.rows(Limit { bytes: limit.bytes / 4 * 3, ..limit })
    }

    /// How the next read is cut.
    fn cutting(&self) -> Cutting {
        if self.careful.load(Ordering::Relaxed) > 0 { Cutting::ByRow } else { Cutting::Whole }
    }

    /// A read of all or none has brought none.
    fn refused(&self) {
        self.careful.store(CAREFUL_READS, Ordering::Relaxed);
    }

    /// Takes in what a read that asked for so many rows has brought.
    fn saw(&self, asked: usize, rows: usize, bytes: usize) {
        if rows > 0 {
            let careful = self.careful.load(Ordering::Relaxed);
            self.careful.store(careful.saturating_sub(1), Ordering::Relaxed);
        }
        self.reads.saw(asked, rows, bytes);
    }
}

/// Reads stamps of the next rows of a table; `None` where its rows are found by where they lie.
pub(super) async fn stamps(
    connection: &mut PgConnection,
    table: &UnitTable,
    shape: &Shape,
    (after, upto): (Option<&RowKey>, Option<&RowKey>),
    rows: usize,
    seed: i64,
) -> Result<Option<Vec<Row>>, sqlx::Error> {
    if is_by_place(table) {
        return Ok(None);
    }
    let span = Span { after, upto, pages: (0, 0), leaves_own: false };
    let (sql, arguments) = statement::stamps(table, shape, span, rows, seed)?;
    let answer = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_one(connection).await?;
    statement::read_rows(&answer, table, &[], shape, true)
}

/// Whether a table has any row that a filter lets through: a look at all of it as it lies, which needs
/// neither an order nor a limit.
pub(super) async fn may_hold(
    connection: &mut PgConnection,
    table: &UnitTable,
    shape: &Shape,
    filter: &WalkFilter,
) -> Result<bool, sqlx::Error> {
    let (sql, arguments) = statement::any(table, shape, filter)?;
    sqlx::query_scalar_with(AssertSqlSafe(sql), arguments).fetch_one(connection).await
}

/// The page that a row lies on: the first number of its `ctid`.
fn page_of(place: &RowKey) -> u64 {
    let text = place.0.first().map(|part| String::from_utf8_lossy(&part.bytes));
    let page = text.as_deref().and_then(|text| text.trim_start_matches('(').split(',').next());
    page.and_then(|page| page.parse().ok()).unwrap_or(0)
}

/// How many pages a table has.
async fn pages(connection: &mut PgConnection, table: &TableName) -> Result<u64, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT pg_catalog.pg_relation_size(c.oid)
            / pg_catalog.current_setting('block_size')::int8
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2";
    let pages: Option<i64> = sqlx::query_scalar(SQL)
        .bind(schema_of(table))
        .bind(&table.name)
        .fetch_optional(connection)
        .await?;
    Ok(pages.and_then(|pages| u64::try_from(pages).ok()).unwrap_or(0))
}

/// How many rows of a table this transaction has written.
pub(super) async fn written(
    connection: &mut PgConnection,
    table: &TableName,
) -> Result<u64, sqlx::Error> {
    let sql =
        format!("SELECT {MARK} count(*) FROM ONLY {} AS t WHERE {OWN_ROW}", table_sql(table)?);
    let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await?;
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// A walk of one table in one snapshot, from its first call to its last.
pub(super) struct Standing {
    table: TableName,
    shape: Shape,
    connection: PgConnection,
}

impl Standing {
    /// Goes on with a walk that stands, or begins one; an end or an error ends it.
    pub(super) async fn walk(
        standing: &mut Option<Self>,
        address: &Address,
        table: &UnitTable,
        reading: Reading<'_>,
    ) -> Result<Vec<Row>, sqlx::Error> {
        let goes_on = reading.after.is_some();
        let mut walk = match standing.take() {
            Some(walk) if goes_on && walk.table == table.table => walk,
            other => {
                if let Some(walk) = other {
                    close(walk.connection).await;
                }
                Self::begin(address, &table.table).await?
            }
        };
        let found = read(&mut walk.connection, table, &walk.shape, reading).await?;
        if found.is_empty() {
            close(walk.connection).await;
        } else {
            *standing = Some(walk);
        }
        Ok(found)
    }

    async fn begin(address: &Address, table: &TableName) -> Result<Self, sqlx::Error> {
        let mut connection = address.connect().await?;
        sqlx::raw_sql(SNAPSHOT).execute(&mut connection).await?;
        let shape = Shape::read(&mut connection, table).await?;
        Ok(Self { table: table.clone(), shape, connection })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::KeyPart;

    #[test]
    fn reads_are_cut_row_by_row_until_none_has_been_refused_for_a_while() {
        let pace = WalkPace::default();
        let limit = Limit { rows: 5_000, bytes: 4 << 20 };
        assert_eq!((pace.rows(limit), pace.cutting()), (ROWS_AT_FIRST, Cutting::ByRow));
        pace.saw(ROWS_AT_FIRST, 0, 0);
        assert_eq!(pace.cutting(), Cutting::ByRow, "of no rows, nothing is known");
        pace.saw(ROWS_AT_FIRST, ROWS_AT_FIRST, 10_000);
        assert_eq!((pace.rows(limit), pace.cutting()), (8 * ROWS_AT_FIRST, Cutting::Whole));
        pace.refused();
        for _ in 0..CAREFUL_READS {
            assert_eq!(pace.cutting(), Cutting::ByRow);
            pace.saw(5_000, 5_000, 200_000);
        }
        assert_eq!((pace.rows(limit), pace.cutting()), (5_000, Cutting::Whole));
        pace.saw(5_000, 4, 4 << 20);
        assert_eq!(pace.rows(limit), 3, "room for those that are a little larger");
    }

    #[test]
    fn the_page_of_a_row_is_the_first_number_of_where_it_lies() {
        assert_eq!(page_of(&RowKey(vec![KeyPart::text("(4711,12)")])), 4_711);
    }
}
