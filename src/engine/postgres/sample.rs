//! Samples of a PostgreSQL table: spans of neighbouring pages, spread evenly over its file.
//!
//! **Invariant:** each block is a statement of its own over a span of pages (`ctid`), in the order in
//! which rows lie: nothing is sorted, no snapshot is held from one block to the next.

use async_trait::async_trait;
use futures::TryStreamExt;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _};

use super::error::source_error;
use super::queries::MARK;
use super::shape::{quoted, schema_of, table_sql};
use crate::catalog::Table;
use crate::ports::{
    SAMPLE_BYTES_MAX, SAMPLE_BYTES_READ_MAX, SampleExtent, SampleRow, SampleSize, Sampler,
    SourceError,
};
use crate::value::{Original, ValueType};

/// Spans of a sample.
const SPANS: u64 = 32;

/// Pages of a block, where the whole table is read.
const BLOCK_PAGES: u64 = 256;

/// Bytes after which a sample ends: a table of large values is not worth more.
const SAMPLE_TOTAL_BYTES_MAX: usize = 256 << 20;

/// Rows on a page where nothing tells.
const ROWS_A_PAGE: u64 = 50;

/// Reads samples of a database through a session that writes nothing.
pub(super) struct PostgresSampler {
    shown: String,
    connection: PgConnection,
    now: Option<Sample>,
}

/// The table that is read just now.
struct Sample {
    name: String,
    /// What is selected: the cells, then how many were passed over.
    wanted: String,
    kinds: Vec<ValueType>,
    /// Spans of pages still to be read, the first last: from, to (not included), rows at most.
    spans: Vec<(u64, u64, u64)>,
    pages: u64,
    pages_read: u64,
    bytes: usize,
    extent: SampleExtent,
}

impl PostgresSampler {
    pub(super) fn new(shown: String, connection: PgConnection) -> Self {
        Self { shown, connection, now: None }
    }

    fn failed(&self, error: sqlx::Error) -> SourceError {
        source_error(error, &self.shown, "reading a sample")
    }

    /// Pages of a table now, about how many rows they hold, and whether the role may read them all:
    /// a block asks where rows lie (`ctid`), which a right to columns does not reach.
    async fn size(&mut self, table: &Table) -> Result<(u64, u64, bool), sqlx::Error> {
        // language=PostgreSQL
        const SQL: &str = "SELECT pg_catalog.pg_relation_size(c.oid)
                / pg_catalog.current_setting('block_size')::int8, c.reltuples::int8, c.relpages,
                pg_catalog.has_schema_privilege(n.oid, 'USAGE')
                    AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
                    AND NOT pg_catalog.row_security_active(c.oid)
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = $1 AND c.relname = $2";
        let row = sqlx::query(SQL)
            .bind(schema_of(&table.name))
            .bind(&table.name.name)
            .fetch_one(&mut self.connection)
            .await?;
        let (pages, rows, counted_pages): (i64, i64, i32) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let pages = u64::try_from(pages).unwrap_or(0);
        let rows = u64::try_from(rows).unwrap_or(0);
        let about = match u64::try_from(counted_pages) {
            Ok(counted) if counted > 0 && rows > 0 => rows.saturating_mul(pages) / counted,
            _ => pages.saturating_mul(ROWS_A_PAGE),
        };
        Ok((pages, about, row.try_get(3)?))
    }

    async fn block(&mut self, sample: &mut Sample) -> Result<Vec<SampleRow>, sqlx::Error> {
        let Some((from, to, rows_max)) = sample.spans.pop() else { return Ok(Vec::new()) };
        let sql = format!(
            "SELECT {MARK} {} FROM ONLY {} WHERE ctid >= $1::text::tid AND ctid < $2::text::tid LIMIT $3",
            sample.wanted, sample.name
        );
        let mut stream = sqlx::query(AssertSqlSafe(sql))
            .bind(format!("({from},0)"))
            .bind(format!("({to},0)"))
            .bind(i64::try_from(rows_max).unwrap_or(i64::MAX))
            .fetch(&mut self.connection);
        let mut rows = Vec::new();
        while let Some(row) = stream.try_next().await? {
            let cells = cells(&row, &sample.kinds)?;
            sample.bytes += cells.iter().flatten().map(Original::len).sum::<usize>();
            let passed: i32 = row.try_get(sample.kinds.len())?;
            sample.extent.passed_over += u64::try_from(passed).unwrap_or(0);
            rows.push(cells);
        }
        sample.extent.is_whole &= (rows.len() as u64) < rows_max;
        sample.extent.rows_read += rows.len() as u64;
        sample.pages_read += to - from;
        Ok(rows)
    }
}

#[async_trait]
impl Sampler for PostgresSampler {
    async fn begin(
        &mut self,
        table: &Table,
        columns: &[String],
        size: SampleSize,
    ) -> Result<u64, SourceError> {
        let (pages, about, is_readable) =
            self.size(table).await.map_err(|error| self.failed(error))?;
        let (wanted, kinds) = wanted(table, columns).map_err(|error| self.failed(error))?;
        let (spans, is_whole) = match size {
            // What the role may not read is as if it were empty; the plan says so.
            _ if !is_readable || columns.is_empty() => (Vec::new(), false),
            SampleSize::Blocks { rows } if about > rows => (spread(pages, about, rows), false),
            SampleSize::Blocks { .. } | SampleSize::Whole => (all(pages), true),
        };
        self.now = Some(Sample {
            name: table_sql(&table.name).map_err(|error| self.failed(error))?,
            wanted,
            kinds,
            spans,
            pages,
            pages_read: 0,
            bytes: 0,
            extent: SampleExtent { is_whole, ..SampleExtent::default() },
        });
        Ok(match size {
            SampleSize::Blocks { rows } => rows.min(about),
            SampleSize::Whole => about,
        })
    }

    async fn next(&mut self) -> Result<Option<Vec<SampleRow>>, SourceError> {
        let Some(mut sample) = self.now.take() else { return Ok(None) };
        let mut rows = Vec::new();
        while rows.is_empty() && !sample.spans.is_empty() {
            if sample.bytes > SAMPLE_TOTAL_BYTES_MAX {
                sample.spans.clear();
                sample.extent.is_whole = false;
                break;
            }
            let block = self.block(&mut sample).await;
            rows = block.map_err(|error| self.failed(error))?;
        }
        let read = sample.extent.rows_read;
        sample.extent.rows_about = Some(match sample.pages_read {
            0 => read,
            _ if sample.extent.is_whole => read,
            pages => read.saturating_mul(sample.pages) / pages,
        });
        self.now = Some(sample);
        Ok((!rows.is_empty()).then_some(rows))
    }

    fn extent(&self) -> SampleExtent {
        self.now.as_ref().map(|sample| sample.extent).unwrap_or_default()
    }
}

/// All pages, in blocks.
fn all(pages: u64) -> Vec<(u64, u64, u64)> {
    let begins = (0..pages).step_by(usize::try_from(BLOCK_PAGES).unwrap_or(1));
    // The table may have grown since it was measured: the last block is open above.
    let mut spans: Vec<_> = begins
        .map(|from| {
            let to = if from + BLOCK_PAGES >= pages { LAST_PAGE } else { from + BLOCK_PAGES };
            (from, to, u64::MAX)
        })
        .collect();
    spans.reverse();
    spans
}

/// Beyond every page that a table can have.
const LAST_PAGE: u64 = u32::MAX as u64 - 1;

/// Spans that hold about so many rows together, the last of them at the end of the table, where the
/// newest rows lie.
fn spread(pages: u64, about: u64, rows: u64) -> Vec<(u64, u64, u64)> {
    let spans = SPANS.min(pages).max(1);
    let rows_a_span = rows.div_ceil(spans);
    let width = (rows_a_span.saturating_mul(pages) / about.max(1)).max(1);
    let last = pages.saturating_sub(width);
    let mut found: Vec<(u64, u64, u64)> = Vec::new();
    for at in 0..spans {
        let from = if spans == 1 { last } else { last * at / (spans - 1) };
        let from = found.last().map_or(from, |(_, to, _)| from.max(*to));
        if from < pages {
            found.push((from, (from + width).min(pages), rows_a_span.saturating_mul(4)));
        }
    }
    found.reverse();
    found
}

/// What is selected, and what type each cell is to have.
fn wanted(table: &Table, columns: &[String]) -> Result<(String, Vec<ValueType>), sqlx::Error> {
    let (mut cells, mut passed, mut kinds) = (Vec::new(), vec!["0".to_owned()], Vec::new());
    for column in columns {
        let name = quoted(column)?;
        let declared = table.column(column).map_or("", |column| column.declared.as_str());
        let kind = match declared {
            "smallint" | "integer" | "bigint" => ValueType::Integer,
            "real" | "double precision" => ValueType::Real,
            "bytea" => ValueType::Blob,
            _ => ValueType::Text,
        };
        let (length, cut) = if kind == ValueType::Blob {
            (format!("octet_length({name})"), format!("substring({name} for {SAMPLE_BYTES_MAX})"))
        } else {
            // A sign has four bytes at most.
            let signs = SAMPLE_BYTES_MAX / 4;
            (format!("octet_length({name}::text)"), format!("left({name}::text, {signs})"))
        };
        cells.push(format!("CASE WHEN {length} <= {SAMPLE_BYTES_READ_MAX} THEN {cut} END"));
        passed.push(format!("CASE WHEN {length} > {SAMPLE_BYTES_READ_MAX} THEN 1 ELSE 0 END"));
        kinds.push(kind);
    }
    cells.push(passed.join(" + "));
    Ok((cells.join(", "), kinds))
}

fn cells(row: &PgRow, kinds: &[ValueType]) -> Result<SampleRow, sqlx::Error> {
    let cell = |(at, kind): (usize, &ValueType)| {
        if *kind == ValueType::Blob {
            let bytes: Option<Vec<u8>> = row.try_get(at)?;
            return Ok(bytes.map(|bytes| Original::new(ValueType::Blob, bytes)));
        }
        let text: Option<&str> = row.try_get(at)?;
        Ok(text.map(|text| match kind {
            ValueType::Integer => {
                text.parse().map_or_else(|_| Original::text(text), Original::integer)
            }
            ValueType::Real => text.parse().map_or_else(|_| Original::text(text), Original::real),
            ValueType::Text | ValueType::Blob => Original::text(text),
        }))
    };
    kinds.iter().enumerate().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_spread_over_the_whole_table_and_do_not_overlap() {
        let spans = spread(10_000, 500_000, 5_000);
        assert_eq!(spans.len(), 32);
        assert_eq!(spans.last().map(|(from, _, _)| *from), Some(0));
        assert_eq!(spans.first().map(|(_, to, _)| *to), Some(10_000));
        assert!(spans.windows(2).all(|pair| pair[1].1 <= pair[0].0));
    }
}
