//! Samples of a SQLite table: blocks of neighbouring rows, spread over its key.
//!
//! Where the blocks begin is found by looking keys up, never by counting: the range between the
//! smallest and the largest key is halved, the widest part first, and the gap around each middle is
//! left out. So a table whose ids have holes is sampled where its rows are, and a table of any size
//! costs the same few hundred reads.
//!
//! **Invariant:** each block is a statement of its own, in key order and with a limit: nothing is
//! sorted, no snapshot is held from one block to the next, and no row is read twice.

use async_trait::async_trait;
use futures::TryStreamExt;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Row as _};

use super::error::source_error;
use super::value;
use crate::catalog::{Affinity, Table};
use crate::engine::ident::{quote, quote_table};
use crate::plan::row_id_name;
use crate::ports::{
    SAMPLE_BYTES_MAX, SAMPLE_BYTES_READ_MAX, SampleExtent, SampleRow, SampleSize, Sampler,
    SourceError,
};
use crate::value::{KeyPart, Original, ValueType};

/// Blocks of a sample.
const BLOCKS: usize = 32;

/// Rows of a block, where the whole table is read.
const BLOCK_ROWS: u64 = 2_048;

/// Bytes after which a block ends, whatever its rows.
const BLOCK_BYTES_MAX: usize = 8 << 20;

/// Bytes after which a sample ends: a table of large values is not worth more.
const SAMPLE_TOTAL_BYTES_MAX: usize = 256 << 20;

/// Rows read of a table without any key, in one go.
const KEYLESS_ROWS_MAX: u64 = 100_000;

/// Reads samples of a SQLite file through a connection that cannot write.
pub(super) struct SqliteSampler {
    url: String,
    connection: SqliteConnection,
    now: Option<Sample>,
}

/// The table that is read just now.
struct Sample {
    name: String,
    /// What is selected after the keys: the cells, then how many were passed over.
    wanted: String,
    cells: usize,
    keys: Vec<String>,
    /// Parts still to be read, the first last.
    parts: Vec<Part>,
    bytes: usize,
    is_partial: bool,
    extent: SampleExtent,
    /// Rows that the parts which were cut short hold beside those read, by the density of these.
    unread_about: Option<u64>,
    /// Bytes that all keys begin with.
    shared: usize,
}

/// A part of a table: first keys from a lowest to a highest, both included.
#[derive(Debug)]
struct Part {
    /// Where its next block begins.
    from: Begin,
    /// Its first keys; `None` where it is the whole table.
    bounds: Option<(KeyPart, KeyPart)>,
    /// Whether it is read from its end: the newest rows of a table are looked at in any case.
    is_tail: bool,
    /// Rows that may still be read of it.
    budget: u64,
    /// Rows that were read of it.
    read: u64,
    /// The first key of the first of them.
    began: Option<KeyPart>,
}

impl Part {
    fn whole(budget: u64) -> Self {
        Self { from: Begin::Edge, bounds: None, is_tail: false, budget, read: 0, began: None }
    }
}

/// Where a block begins.
#[derive(Debug)]
enum Begin {
    /// At the edge of the part.
    Edge,
    /// Beyond this row.
    Beyond(Vec<KeyPart>),
}

impl SqliteSampler {
    pub(super) fn new(url: String, connection: SqliteConnection) -> Self {
        Self { url, connection, now: None }
    }

    fn failed(&self, error: sqlx::Error) -> SourceError {
        source_error(error, &self.url, "reading a sample")
    }

    /// Cuts the table into parts; says how many rows the keys have room for.
    async fn cut(&mut self, sample: &mut Sample, rows: u64) -> Result<u64, SourceError> {
        let Some(key) = sample.keys.first().cloned() else {
            let rows = rows.clamp(1, KEYLESS_ROWS_MAX);
            sample.parts = vec![Part::whole(rows)];
            return Ok(rows);
        };
        let (Some(low), Some(high)) = (
            self.seek(sample, &key, None, Side::Up).await?,
            self.seek(sample, &key, None, Side::Down).await?,
        ) else {
            sample.parts = Vec::new();
            return Ok(0);
        };
        // Where the key has room for no more rows than are wanted anyway, all of them are read.
        let room = span(&low, &high).filter(|_| sample.keys.len() == 1);
        if let Some(room) = room.filter(|room| *room <= u128::from(rows)) {
            return Ok(u64::try_from(room).unwrap_or(rows));
        }
        sample.shared = shared(&low, &high);
        let parts = self.halve(sample, &key, low, high).await?;
        let last = parts.len() - 1;
        let budget = rows.div_ceil(parts.len() as u64).max(1);
        sample.is_partial = true;
        let parts = parts.into_iter().enumerate().map(|(at, bounds)| Part {
            bounds: Some(bounds),
            is_tail: at == last && last > 0,
            ..Part::whole(budget)
        });
        sample.parts = parts.rev().collect();
        Ok(rows)
    }

    /// Halves the widest part until there are enough of them, or none can be halved.
    async fn halve(
        &mut self,
        sample: &Sample,
        key: &str,
        low: KeyPart,
        high: KeyPart,
    ) -> Result<Vec<(KeyPart, KeyPart)>, SourceError> {
        let mut parts = vec![(low, high)];
        while parts.len() < BLOCKS {
            let widest = parts.iter().enumerate().max_by(|(_, one), (_, two)| {
                let width = |(low, high): &(KeyPart, KeyPart)| width(sample.shared, low, high);
                width(one).total_cmp(&width(two))
            });
            let Some((at, (low, high))) = widest else { break };
            let Some(middle) = middle(low, high) else { break };
            let Some(below) = self.seek(sample, key, Some(&middle), Side::Down).await? else {
                break;
            };
            // Strictly beyond, so that no row is in two parts.
            let Some(above) = self.seek(sample, key, Some(&below), Side::Up).await? else { break };
            let (low, high) = parts.swap_remove(at);
            parts.push((low, below));
            parts.push((above, high));
        }
        parts.sort_by(|one, two| order(&one.0, &two.0));
        Ok(parts)
    }

    /// The last key up to a place, or the first one beyond it; without a place, the first or the last
    /// of all.
    async fn seek(
        &mut self,
        sample: &Sample,
        key: &str,
        place: Option<&KeyPart>,
        side: Side,
    ) -> Result<Option<KeyPart>, SourceError> {
        let mut arguments = SqliteArguments::default();
        let (compare, way) = match side {
            Side::Up => (">", "ASC"),
            Side::Down => ("<=", "DESC"),
        };
        let condition = match place {
            Some(place) => {
                value::bind(&mut arguments, place.kind, &place.bytes)
                    .map_err(|error| self.failed(error))?;
                format!("WHERE {key} {compare} {}", mark(place))
            }
            None => format!("WHERE {key} IS NOT NULL"),
        };
        let sql = format!(
            "SELECT {key} FROM main.{} {condition} ORDER BY {key} {way} LIMIT 1",
            sample.name
        );
        let row = sqlx::query_with(AssertSqlSafe(sql), arguments)
            .fetch_optional(&mut self.connection)
            .await
            .map_err(|error| self.failed(error))?;
        row.map(|row| value::key_part(&row, 0)).transpose()
    }

    /// Reads one block of the part that comes next, and puts back what is left of it.
    async fn block(&mut self, sample: &mut Sample) -> Result<Vec<SampleRow>, SourceError> {
        let Some(part) = sample.parts.pop() else { return Ok(Vec::new()) };
        let rows_max =
            part.budget.min(if sample.keys.is_empty() { KEYLESS_ROWS_MAX } else { BLOCK_ROWS });
        let (sql, arguments) =
            statement(sample, &part, rows_max).map_err(|error| self.failed(error))?;
        let url = self.url.clone();
        let failed = |error| source_error(error, &url, "reading a sample");
        let mut rows = Vec::new();
        let mut bytes = 0;
        let mut ends: Option<(Vec<KeyPart>, Vec<KeyPart>)> = None;
        let mut is_cut = false;
        let width = sample.keys.len();
        let mut stream =
            sqlx::query_with(AssertSqlSafe(sql), arguments).fetch(&mut self.connection);
        while let Some(row) = stream.try_next().await.map_err(failed)? {
            let cells = cells(&row, width, sample.cells).map_err(failed)?;
            bytes += cells.iter().flatten().map(Original::len).sum::<usize>();
            sample.extent.passed_over += passed_over(&row, width + sample.cells);
            rows.push(cells);
            is_cut = bytes >= BLOCK_BYTES_MAX || rows.len() as u64 == rows_max;
            // Only the ends of a block are needed again, so only they are kept.
            match &mut ends {
                None => {
                    let key = key(&row, width)?;
                    ends = Some((key.clone(), key));
                }
                Some((_, last)) if is_cut => *last = key(&row, width)?,
                Some(_) => {}
            }
            if is_cut {
                break;
            }
        }
        drop(stream);
        sample.extent.rows_read += rows.len() as u64;
        sample.bytes += bytes;
        if is_cut && let Some((first, last)) = ends {
            go_on(sample, part, rows.len() as u64, first, last);
        }
        Ok(rows)
    }
}

/// Decides what becomes of the rest of a part: it is read on, up to its budget.
fn go_on(sample: &mut Sample, part: Part, read: u64, first: Vec<KeyPart>, last: Vec<KeyPart>) {
    let part = Part {
        budget: part.budget - read,
        read: part.read + read,
        began: part.began.or_else(|| first.into_iter().next()),
        ..part
    };
    if part.budget > 0 && !last.is_empty() {
        sample.parts.push(Part { from: Begin::Beyond(last), ..part });
        return;
    }
    sample.extent.is_whole = false;
    let told = match (&part.bounds, &part.began, last.first()) {
        (Some((low, high)), Some(began), Some(last)) => {
            let (near, far) = if part.is_tail { (last, began) } else { (began, last) };
            let seen = width(sample.shared, near, far).max(1.0);
            let all = width(sample.shared, low, high);
            // Only numbers are spread evenly enough to tell, and not where all rows have one first key.
            (began.kind == ValueType::Integer && all > seen).then(|| rest(part.read, all / seen))
        }
        _ => None,
    };
    sample.unread_about = sample.unread_about.zip(told).map(|(sum, rest)| sum + rest);
}

/// Rows that were not read, where this many times as many are there as were.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate for people"
)]
fn rest(read: u64, times: f64) -> u64 {
    (read as f64 * (times - 1.0)).max(1.0) as u64
}

#[async_trait]
impl Sampler for SqliteSampler {
    async fn begin(
        &mut self,
        table: &Table,
        columns: &[String],
        size: SampleSize,
    ) -> Result<u64, SourceError> {
        let mut sample = begin(table, columns).map_err(unsound)?;
        let about = match size {
            SampleSize::Blocks { rows } => self.cut(&mut sample, rows).await?,
            SampleSize::Whole => self.about(&sample).await?,
        };
        self.now = Some(sample);
        Ok(about)
    }

    async fn next(&mut self) -> Result<Option<Vec<SampleRow>>, SourceError> {
        let Some(mut sample) = self.now.take() else { return Ok(None) };
        let mut rows = Vec::new();
        while rows.is_empty() && !sample.parts.is_empty() {
            if sample.is_partial && sample.bytes > SAMPLE_TOTAL_BYTES_MAX {
                sample.parts.clear();
                sample.extent.is_whole = false;
                break;
            }
            rows = self.block(&mut sample).await?;
        }
        let unread = if sample.extent.is_whole { Some(0) } else { sample.unread_about };
        sample.extent.rows_about = unread.map(|unread| sample.extent.rows_read + unread);
        self.now = Some(sample);
        Ok((!rows.is_empty()).then_some(rows))
    }

    fn extent(&self) -> SampleExtent {
        self.now.as_ref().map(|sample| sample.extent).unwrap_or_default()
    }
}

impl SqliteSampler {
    /// How many rows a table has, by the room between its keys; for progress, not for counting.
    async fn about(&mut self, sample: &Sample) -> Result<u64, SourceError> {
        let Some(key) = sample.keys.first().cloned() else { return Ok(0) };
        let low = self.seek(sample, &key, None, Side::Up).await?;
        let high = self.seek(sample, &key, None, Side::Down).await?;
        let (Some(low), Some(high)) = (low, high) else { return Ok(0) };
        Ok(span(&low, &high).and_then(|span| u64::try_from(span).ok()).unwrap_or(0))
    }
}

fn unsound(error: crate::engine::ident::IdentError) -> SourceError {
    SourceError::Engine { doing: "making a statement", source: Box::new(error) }
}

/// What is read of a table, and by which key.
fn begin(table: &Table, columns: &[String]) -> Result<Sample, crate::engine::ident::IdentError> {
    let mut wanted = Vec::new();
    let mut long = Vec::new();
    for column in columns {
        let affinity = table.column(column).map(|column| column.affinity);
        let name = quote(column)?;
        wanted.push(format!(
            "CASE WHEN typeof({name}) IN ('text', 'blob') AND octet_length({name}) > \
             {SAMPLE_BYTES_MAX} THEN CASE WHEN octet_length({name}) > {SAMPLE_BYTES_READ_MAX} THEN \
             NULL ELSE substr({name}, 1, {SAMPLE_BYTES_MAX}) END ELSE {name} END"
        ));
        // Columns of numbers are not asked: a number would be written out to be measured.
        if matches!(affinity, Some(Affinity::Integer | Affinity::Real)) {
            continue;
        }
        long.push(format!("(octet_length({name}) > {SAMPLE_BYTES_READ_MAX} IS TRUE)"));
    }
    wanted.push(if long.is_empty() { "0".to_owned() } else { long.join(" + ") });
    Ok(Sample {
        name: quote_table(&table.name)?,
        wanted: wanted.join(", "),
        cells: columns.len(),
        keys: keys(table)?,
        parts: vec![Part::whole(u64::MAX)],
        is_partial: false,
        bytes: 0,
        extent: SampleExtent { is_whole: true, ..SampleExtent::default() },
        unread_about: Some(0),
        shared: 0,
    })
}

/// The columns by which a table lies on disk, quoted: the row id, or the primary key of a table
/// without one. Empty where other columns hide the row id.
fn keys(table: &Table) -> Result<Vec<String>, crate::engine::ident::IdentError> {
    if !table.without_rowid {
        let alias = table.columns.iter().find(|column| column.rowid_alias);
        return match alias {
            Some(alias) => Ok(vec![quote(&alias.name)?]),
            None => Ok(row_id_name(table).map(str::to_owned).into_iter().collect()),
        };
    }
    let mut key: Vec<_> =
        table.columns.iter().filter(|column| column.primary_key.is_some()).collect();
    key.sort_by_key(|column| column.primary_key);
    key.into_iter().map(|column| quote(&column.name)).collect()
}

fn statement(
    sample: &Sample,
    part: &Part,
    rows_max: u64,
) -> Result<(String, SqliteArguments), sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    let mut conditions = Vec::new();
    if let (Some((low, high)), Some(first)) = (&part.bounds, sample.keys.first()) {
        for (compare, bound) in [(">=", low), ("<=", high)] {
            value::bind(&mut arguments, bound.kind, &bound.bytes)?;
            conditions.push(format!("{first} {compare} {}", mark(bound)));
        }
    }
    if let Begin::Beyond(row) = &part.from {
        let mut marks = Vec::new();
        for key in row {
            value::bind(&mut arguments, key.kind, &key.bytes)?;
            marks.push(mark(key));
        }
        let compare = if part.is_tail { "<" } else { ">" };
        conditions.push(format!("({}) {compare} ({})", sample.keys.join(", "), marks.join(", ")));
    }
    let condition =
        if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
    let mut wanted = sample.keys.clone();
    wanted.push(sample.wanted.clone());
    let way = if part.is_tail { " DESC" } else { "" };
    let order: Vec<String> = sample.keys.iter().map(|key| format!("{key}{way}")).collect();
    let order =
        if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
    arguments.add(i64::try_from(rows_max).unwrap_or(i64::MAX)).map_err(sqlx::Error::Encode)?;
    let sql = format!(
        "SELECT {} FROM main.{} WHERE {condition}{order} LIMIT ?",
        wanted.join(", "),
        sample.name
    );
    Ok((sql, arguments))
}

fn mark(key: &KeyPart) -> &'static str {
    if value::needs_cast(key.kind, &key.bytes) { "CAST(? AS TEXT)" } else { "?" }
}

fn key(row: &SqliteRow, width: usize) -> Result<Vec<KeyPart>, SourceError> {
    (0..width).map(|at| value::key_part(row, at)).collect()
}

fn cells(row: &SqliteRow, from: usize, count: usize) -> Result<SampleRow, sqlx::Error> {
    (from..from + count).map(|at| value::original(row, at)).collect()
}

fn passed_over(row: &SqliteRow, at: usize) -> u64 {
    row.try_get_unchecked::<i64, _>(at).ok().and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
}

/// Which way a key is looked for.
#[derive(Clone, Copy)]
enum Side {
    Up,
    Down,
}

fn integer(key: &KeyPart) -> Option<i64> {
    (key.kind == ValueType::Integer)
        .then(|| <[u8; 8]>::try_from(key.bytes.as_slice()).ok().map(i64::from_be_bytes))
        .flatten()
}

/// The first bytes of a text or blob, after those that all keys begin with, as a number.
fn head(key: &KeyPart, shared: usize) -> u64 {
    let mut bytes = [0; 8];
    for (place, byte) in bytes.iter_mut().zip(key.bytes.iter().skip(shared)) {
        *place = *byte;
    }
    u64::from_be_bytes(bytes)
}

/// How many bytes two keys begin with alike.
fn shared(low: &KeyPart, high: &KeyPart) -> usize {
    low.bytes.iter().zip(&high.bytes).take_while(|(one, two)| one == two).count()
}

/// How many integers lie between two, both included.
fn span(low: &KeyPart, high: &KeyPart) -> Option<u128> {
    let (low, high) = (i128::from(integer(low)?), i128::from(integer(high)?));
    u128::try_from(high - low + 1).ok()
}

/// How far apart two keys are; of different types, infinitely.
#[expect(clippy::cast_precision_loss, reason = "widths are compared and estimated with")]
fn width(shared: usize, low: &KeyPart, high: &KeyPart) -> f64 {
    match span(low, high) {
        Some(span) => span as f64,
        None if low.kind == high.kind && low.kind != ValueType::Real => {
            head(high, shared).saturating_sub(head(low, shared)) as f64 + 1.0
        }
        None if low.kind == high.kind && low.bytes == high.bytes => 1.0,
        None => f64::MAX,
    }
}

/// A key about half way; `None` where there is none that can be reckoned.
fn middle(low: &KeyPart, high: &KeyPart) -> Option<KeyPart> {
    if low.kind != high.kind {
        return None;
    }
    match low.kind {
        ValueType::Integer => {
            let (low, high) = (i128::from(integer(low)?), i128::from(integer(high)?));
            let middle = i64::try_from(low.midpoint(high)).ok()?;
            (low < high).then(|| KeyPart::integer(middle))
        }
        ValueType::Text | ValueType::Blob => {
            let shared = shared(low, high);
            let (one, two) = (head(low, shared), head(high, shared));
            if two <= one.saturating_add(1) {
                return None;
            }
            let mut bytes = low.bytes[..shared].to_vec();
            bytes.extend(one.midpoint(two).to_be_bytes());
            while bytes.last() == Some(&0) {
                bytes.pop();
            }
            Some(KeyPart { kind: low.kind, bytes })
        }
        ValueType::Real => None,
    }
}

/// The order of keys of one column, as far as parts have to be put in order.
fn order(one: &KeyPart, two: &KeyPart) -> std::cmp::Ordering {
    match (integer(one), integer(two)) {
        (Some(one), Some(two)) => one.cmp(&two),
        _ => one.kind.cmp(&two.kind).then_with(|| one.bytes.cmp(&two.bytes)),
    }
}
