//! The statements by which a table is walked and rewritten. Names are quoted, values are bound.
//!
//! Every cell and every part of a key travels as text, and is cast to the column's own type by the
//! server: what is compared is typed, and an index over the key serves the walk.

use std::borrow::Cow;

use sqlx::Arguments as _;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Row as _, ValueRef as _};

use super::cursor;
use super::queries::MARK;
use super::records::{self, Records};
use super::shape::{CellForm, Shape, quoted, table_sql};
use crate::plan::{UnitColumn, UnitTable, Walk};
use crate::ports::{Limit, Row, RowStamp, RowVersion, RowWrite, SourceError, WalkFilter};
use crate::value::{KeyPart, Original, RowKey};

/// True of a row `t` that this transaction has written, also within a block of its own (`unseen`),
/// which writes under a number of its own. Those numbers come after that of the transaction, and the
/// age of a row is counted from there; while writers are locked out, nobody else's come after it.
pub(super) const OWN_ROW: &str = "(pg_catalog.age(t.xmin) <= 0)";

/// What a record takes beside its fields, with where the row lies and who wrote it.
const FIXED_BYTES: usize = 4 + 6 + 4;

/// What a field of a record takes beside its value.
const FIELD_BYTES: usize = 8;

/// What a digest takes in a record.
const DIGEST_BYTES: usize = FIELD_BYTES + 8;

/// How many times the bytes that may be sent are gathered at most, before it turns out that they may
/// not.
const GATHERED_MAX: i64 = 8;

/// A statement and what is bound to it.
pub(super) type Statement = (String, PgArguments);

/// The columns by which a table is walked; none where its rows are found by where they lie.
pub(super) fn keys(table: &UnitTable) -> Result<&[String], sqlx::Error> {
    match &table.walk {
        Walk::Key(columns) => Ok(columns),
        Walk::RowId => Ok(&[]),
        // INVARIANT: no plan over PostgreSQL walks by a key that is in scope.
        Walk::ScopedKey(_) => {
            Err(sqlx::Error::Protocol("a key that is in scope cannot be walked by".into()))
        }
    }
}

/// Which rows a statement reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span<'s> {
    /// Keys are greater than this one.
    pub(super) after: Option<&'s RowKey>,
    /// Keys are at most this one.
    pub(super) upto: Option<&'s RowKey>,
    /// Without a key: the pages that are looked at, the last not included.
    pub(super) pages: (u64, u64),
    /// Without a key: rows that this transaction has written are left out. They lie elsewhere now,
    /// and would be met a second time.
    pub(super) leaves_own: bool,
}

/// How an answer is kept within the limit of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cutting {
    /// All the rows or none: nothing comes where they may be more than the limit. Keys count too, so
    /// that one length is asked for and not that of each cell.
    Whole,
    /// Row by row: as many as may be sent. It costs the server half as much again.
    ByRow,
}

/// Reads keys, versions and in-scope cells with `after < key ≤ upto`, in key order: all of them in one
/// string (see [`read_rows`]), and how many rows there were.
///
/// The server itself keeps to the limit of bytes: it knows the length of a value without sending it,
/// and what it has begun to send it sends in full.
pub(super) fn walk(
    table: &UnitTable,
    shape: &Shape,
    span: Span<'_>,
    limit: Limit,
    filter: &WalkFilter,
    cutting: Cutting,
) -> Result<Statement, sqlx::Error> {
    let keys = keys(table)?;
    let mut arguments = PgArguments::default();
    let mut digests = Digests::begin(filter, &mut arguments)?;
    let mut told = key_fields(keys)?;
    let mut lengths = Vec::new();
    for column in &table.columns {
        let name = quoted(&column.column)?;
        let cell = shape.told(&column.column, &name)?;
        digests.add(&cell);
        lengths.push(format!("coalesce({}, 0)", shape.length(&column.column, &name)?));
        told.push(cell);
    }
    let digest = digests.end();
    let beside = beside(table, digest.is_some())?;
    told.extend(digest);
    let mut conditions = between(keys, shape, span, &mut arguments)?;
    conditions.extend(let_through(table, shape, filter, &mut arguments)?);
    let rows = i64::try_from(limit.rows).unwrap_or(i64::MAX);
    let bytes = i64::try_from(limit.bytes).unwrap_or(i64::MAX);
    let order = order(keys)?;
    // How long the cells of a row are, and those of the rows before it.
    let (length, before) = (free_name(table, keys, "length")?, free_name(table, keys, "before")?);
    let read = match cutting {
        Cutting::Whole => {
            records(table, &told, &conditions, &order.join(", "), rows, &mut arguments)?
        }
        Cutting::ByRow => {
            let lengths = if lengths.is_empty() { "0".to_owned() } else { lengths.join(" + ") };
            let beside = [format!("({lengths}) AS {length}")];
            cells(table, &beside, &conditions, &order.join(", "), rows, &mut arguments)?
        }
    };
    arguments.add(bytes).map_err(sqlx::Error::Encode)?;
    let most = arguments.len();
    let sql = match cutting {
        Cutting::Whole => {
            // The server does not gather much more than what may be sent, either.
            let of_a_row = bytes.saturating_mul(GATHERED_MAX) / rows.max(1);
            arguments.add(of_a_row).map_err(sqlx::Error::Encode)?;
            let (row, length) = (arguments.len(), format!("(octet_length(r.record) - {beside})"));
            format!(
                "SELECT {MARK} CASE WHEN pg_catalog.sum({length}) <= ${most}
                        AND pg_catalog.max({length}) <= ${row}
                    THEN pg_catalog.string_agg(r.record, ''::bytea)
                        FILTER (WHERE {length} <= ${row}) END, pg_catalog.count(*)
                 FROM ({read}) AS r"
            )
        }
        Cutting::ByRow => {
            // The records of those that are sent, and of no others: to make one, a value is fetched
            // from where large ones lie, and to know the length of most it is not.
            let (order, record) = (order.join(", "), record(&told));
            format!(
                "SELECT {MARK} pg_catalog.string_agg(c.record, ''::bytea), pg_catalog.count(*)
                 FROM (SELECT {record} FROM (
                     SELECT t.*, pg_catalog.sum(t.{length}) OVER (
                         ORDER BY {order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                     ) AS {before} FROM ({read}) AS t) AS t
                     WHERE t.{before} < ${most} OR t.{before} IS NULL ORDER BY {order}) AS c"
            )
        }
    };
    Ok((sql, arguments))
}

/// What a record of a row takes beside its key and its cells.
fn beside(table: &UnitTable, has_stamp: bool) -> Result<usize, sqlx::Error> {
    let fields = keys(table)?.len().max(1) + 2 + table.columns.len();
    let stamp = if has_stamp { DIGEST_BYTES } else { 0 };
    Ok(FIXED_BYTES + FIELD_BYTES * fields + stamp)
}

/// How many bytes of keys and cells so many rows of an answer to [`walk`] have, as limits count them.
pub(super) fn bytes_of(
    answer: &PgRow,
    table: &UnitTable,
    rows: usize,
    has_stamps: bool,
) -> Result<usize, sqlx::Error> {
    let beside = beside(table, has_stamps)?;
    Ok(Records::of(answer, 0)?.bytes_left().saturating_sub(beside * rows))
}

/// Reads keys, versions and stamps of so many rows with `after < key ≤ upto`, in key order (see
/// [`read_rows`]).
pub(super) fn stamps(
    table: &UnitTable,
    shape: &Shape,
    span: Span<'_>,
    rows: usize,
    seed: i64,
) -> Result<Statement, sqlx::Error> {
    let keys = keys(table)?;
    let mut arguments = PgArguments::default();
    let mut digests = Digests::begin(&WalkFilter::Stamped { seed }, &mut arguments)?;
    for column in &table.columns {
        digests.add(&shape.told(&column.column, &quoted(&column.column)?)?);
    }
    let mut told = key_fields(keys)?;
    told.extend(digests.end());
    let conditions = between(keys, shape, span, &mut arguments)?;
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    let order = order(keys)?.join(", ");
    let read = records(table, &told, &conditions, &order, rows, &mut arguments)?;
    let sql = format!(
        "SELECT {MARK} pg_catalog.string_agg(r.record, ''::bytea), pg_catalog.count(*)
         FROM ({read}) AS r"
    );
    Ok((sql, arguments))
}

/// What each record begins with: the parts of the key as text, place and writer.
fn key_fields(keys: &[String]) -> Result<Vec<String>, sqlx::Error> {
    let mut fields = Vec::new();
    for name in keys {
        fields.push(format!("t.{}::text", quoted(name)?));
    }
    if keys.is_empty() {
        fields.push("t.ctid::text".to_owned());
    }
    fields.extend(["t.ctid".to_owned(), "t.xmin".to_owned()]);
    Ok(fields)
}

/// By what the rows are ordered.
fn order(keys: &[String]) -> Result<Vec<String>, sqlx::Error> {
    if keys.is_empty() {
        return Ok(vec!["t.ctid".to_owned()]);
    }
    keys.iter().map(|name| Ok(format!("t.{}", quoted(name)?))).collect()
}

/// The rows as records of these fields.
fn records(
    table: &UnitTable,
    fields: &[String],
    conditions: &[String],
    order: &str,
    rows: i64,
    arguments: &mut PgArguments,
) -> Result<String, sqlx::Error> {
    first_rows(table, &record(fields), conditions, order, rows, arguments)
}

/// The rows as they lie: keys, in-scope columns, place and writer by their own names, and what is kept
/// beside them.
fn cells(
    table: &UnitTable,
    beside: &[String],
    conditions: &[String],
    order: &str,
    rows: i64,
    arguments: &mut PgArguments,
) -> Result<String, sqlx::Error> {
    let mut names: Vec<&str> = keys(table)?.iter().map(String::as_str).collect();
    for column in &table.columns {
        if !names.contains(&column.column.as_str()) {
            names.push(&column.column);
        }
    }
    let mut wanted = names
        .into_iter()
        .map(|name| Ok(format!("t.{}", quoted(name)?)))
        .collect::<Result<Vec<_>, sqlx::Error>>()?;
    wanted.extend(["t.ctid".to_owned(), "t.xmin".to_owned()]);
    wanted.extend_from_slice(beside);
    first_rows(table, &wanted.join(", "), conditions, order, rows, arguments)
}

/// A name beside those of a table's columns.
fn free_name(table: &UnitTable, keys: &[String], name: &str) -> Result<String, sqlx::Error> {
    let mut name = format!("sealift.{name}");
    while keys.contains(&name) || table.columns.iter().any(|column| column.column == name) {
        name.push('_');
    }
    quoted(&name)
}

/// One string of these fields.
fn record(fields: &[String]) -> String {
    format!("pg_catalog.record_send(ROW({})) AS record", fields.join(", "))
}

/// The first rows that meet conditions.
fn first_rows(
    table: &UnitTable,
    wanted: &str,
    conditions: &[String],
    order: &str,
    rows: i64,
    arguments: &mut PgArguments,
) -> Result<String, sqlx::Error> {
    arguments.add(rows).map_err(sqlx::Error::Encode)?;
    let condition =
        if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
    Ok(format!(
        "SELECT {wanted} FROM ONLY {} AS t WHERE {condition} ORDER BY {order} LIMIT ${}",
        table_sql(&table.table)?,
        arguments.len(),
    ))
}

/// The digest of a row's in-scope cells, as the server makes it. Each column has a seed of its own, so
/// that values which change places change the digest.
struct Digests {
    seed: Option<usize>,
    parts: Vec<String>,
}

impl Digests {
    fn begin(filter: &WalkFilter, arguments: &mut PgArguments) -> Result<Self, sqlx::Error> {
        let WalkFilter::Stamped { seed } = filter else {
            return Ok(Self { seed: None, parts: Vec::new() });
        };
        arguments.add(*seed).map_err(sqlx::Error::Encode)?;
        Ok(Self { seed: Some(arguments.len()), parts: Vec::new() })
    }

    /// Takes a cell as text, of which every byte counts, whatever its collation holds for equal.
    fn add(&mut self, told: &str) {
        let Some(seed) = self.seed else { return };
        let place = self.parts.len();
        self.parts.push(format!(
            "coalesce(pg_catalog.hashtextextended({told} COLLATE \"C\", ${seed}::int8 # {place}), 0)"
        ));
    }

    fn end(self) -> Option<String> {
        self.seed.map(|_| format!("({})", self.parts.join(" # ")))
    }
}

/// Whether there is a row that a filter lets through.
pub(super) fn any(
    table: &UnitTable,
    shape: &Shape,
    filter: &WalkFilter,
) -> Result<Statement, sqlx::Error> {
    let mut arguments = PgArguments::default();
    let mut conditions = let_through(table, shape, filter, &mut arguments)?;
    conditions.push("true".to_owned());
    let sql = format!(
        "SELECT {MARK} EXISTS (SELECT FROM ONLY {} AS t WHERE {})",
        table_sql(&table.table)?,
        conditions.join(" AND ")
    );
    Ok((sql, arguments))
}

/// The conditions that a filter sets.
fn let_through(
    table: &UnitTable,
    shape: &Shape,
    filter: &WalkFilter,
    arguments: &mut PgArguments,
) -> Result<Vec<String>, sqlx::Error> {
    match filter {
        WalkFilter::All | WalkFilter::Stamped { .. } => Ok(Vec::new()),
        WalkFilter::Originals { run, globs, keeps_empty } => {
            // The cheap condition first: patterns are looked for in few rows then.
            let not_ours = cursor::not_ours(*run, arguments)?;
            Ok(vec![not_ours, originals(table, shape, globs, keeps_empty, arguments)?])
        }
        WalkFilter::Tokens { globs } => Ok(vec![tokens(table, shape, globs, arguments)?]),
    }
}

/// The conditions that a span sets.
fn between(
    keys: &[String],
    shape: &Shape,
    span: Span<'_>,
    arguments: &mut PgArguments,
) -> Result<Vec<String>, sqlx::Error> {
    let mut conditions = Vec::new();
    if keys.is_empty() {
        for (operator, place) in [(">", span.after), ("<=", span.upto)] {
            let Some(part) = place.and_then(|place| place.0.first()) else { continue };
            arguments.add(part_text(part)?).map_err(sqlx::Error::Encode)?;
            conditions.push(format!("t.ctid {operator} ${}::text::tid", arguments.len()));
        }
        let (from, to) = span.pages;
        conditions.push(format!("t.ctid >= '({from},0)'::tid AND t.ctid < '({to},0)'::tid"));
        if span.leaves_own {
            conditions.push(format!("NOT {OWN_ROW}"));
        }
        return Ok(conditions);
    }
    if let Some(after) = span.after {
        conditions.push(compare(keys, shape, ">", after, arguments)?);
    }
    if let Some(upto) = span.upto {
        conditions.push(compare(keys, shape, "<=", upto, arguments)?);
    }
    Ok(conditions)
}

/// Compares a key as its index does: in the column's own collation, by its type's own operators.
pub(super) fn compare(
    keys: &[String],
    shape: &Shape,
    operator: &str,
    key: &RowKey,
    arguments: &mut PgArguments,
) -> Result<String, sqlx::Error> {
    let mut names = Vec::with_capacity(keys.len());
    let mut marks = Vec::with_capacity(keys.len());
    for (name, part) in keys.iter().zip(&key.0) {
        arguments.add(part_text(part)?).map_err(sqlx::Error::Encode)?;
        names.push(quoted(name)?);
        marks.push(shape.key(name, &format!("${}::text", arguments.len()))?);
    }
    if shape.is_plain(keys)? {
        return Ok(format!("({}) {operator} ({})", names.join(", "), marks.join(", ")));
    }
    // Operators of several schemas do not make a comparison of rows: it is written out.
    let mut greater = Vec::with_capacity(keys.len());
    for (last, name) in keys.iter().enumerate() {
        let mut all = Vec::with_capacity(last + 1);
        for (before, name) in keys.iter().enumerate().take(last) {
            all.push(format!("{} {} {}", names[before], shape.operator(name, "=")?, marks[before]));
        }
        all.push(format!("{} {} {}", names[last], shape.operator(name, ">")?, marks[last]));
        greater.push(format!("({})", all.join(" AND ")));
    }
    let greater = format!("({})", greater.join(" OR "));
    let first = |operator: &str| -> Result<String, sqlx::Error> {
        Ok(format!("{} {} {}", names[0], shape.operator(&keys[0], operator)?, marks[0]))
    };
    // The first comparison says nothing new, but an index serves it.
    Ok(if operator == ">" {
        format!("{} AND {greater}", first(">=")?)
    } else {
        format!("{} AND NOT {greater}", first("<=")?)
    })
}

/// True for a row with a cell that is an original by its shape.
fn originals(
    table: &UnitTable,
    shape: &Shape,
    globs: &[Option<String>],
    keeps_empty: &[bool],
    arguments: &mut PgArguments,
) -> Result<String, sqlx::Error> {
    let mut any = Vec::new();
    for ((column, glob), keeps_empty) in table.columns.iter().zip(globs).zip(keeps_empty) {
        let Some(glob) = glob else { continue };
        let name = quoted(&column.column)?;
        arguments.add(regex_of(glob)).map_err(sqlx::Error::Encode)?;
        let mark = arguments.len();
        let shown = shape.shown(&column.column, &name)?;
        let kept = if *keeps_empty { format!(" AND {shown} <> ''") } else { String::new() };
        any.push(format!("({name} IS NOT NULL{kept} AND {shown} COLLATE \"C\" !~ ${mark}::text)"));
    }
    Ok(if any.is_empty() { "false".to_owned() } else { format!("({})", any.join(" OR ")) })
}

/// True for a row with a cell that is a token by its shape.
fn tokens(
    table: &UnitTable,
    shape: &Shape,
    globs: &[Option<String>],
    arguments: &mut PgArguments,
) -> Result<String, sqlx::Error> {
    let mut any = Vec::new();
    for (column, glob) in table.columns.iter().zip(globs) {
        let Some(glob) = glob else { continue };
        let name = quoted(&column.column)?;
        arguments.add(regex_of(glob)).map_err(sqlx::Error::Encode)?;
        let mark = arguments.len();
        let shown = shape.shown(&column.column, &name)?;
        any.push(format!("{shown} COLLATE \"C\" ~ ${mark}::text"));
    }
    Ok(if any.is_empty() { "false".to_owned() } else { format!("({})", any.join(" OR ")) })
}

/// A pattern of SQLite's `GLOB` as a regular expression over the whole text.
fn regex_of(glob: &str) -> String {
    let mut regex = String::from("^");
    let mut rest = glob.chars();
    while let Some(sign) = rest.next() {
        match sign {
            '?' => regex.push('.'),
            '*' => regex.push_str(".*"),
            '[' => {
                let class: String = rest.by_ref().take_while(|sign| *sign != ']').collect();
                if class.chars().count() == 1 {
                    // A sign of the pattern language that stands for itself.
                    regex.push_str(&escaped(&class));
                } else {
                    regex.extend(["[", &class, "]"]);
                }
            }
            sign => regex.push_str(&escaped(&sign.to_string())),
        }
    }
    regex.push('$');
    regex
}

/// A sign that a regular expression takes for itself.
fn escaped(sign: &str) -> String {
    let is_plain = sign.chars().all(|sign| sign.is_alphanumeric() || sign == '_');
    if is_plain { sign.to_owned() } else { format!("\\{sign}") }
}

/// An UPDATE of some rows: what it says, and the columns of text that it reads.
pub(super) struct Update<'u> {
    /// One list for each name, each as long as there are rows.
    pub(super) columns: Vec<Vec<Option<Cow<'u, str>>>>,
    names: Vec<String>,
    /// What it writes, where.
    head: String,
    /// Which rows it writes.
    found: String,
    /// What comes back of a row that was written.
    told: String,
}

impl Update<'_> {
    /// The statement over a relation that holds the columns. A row comes back for each that was
    /// written.
    pub(super) fn from(&self, relation: &str) -> String {
        format!("{} RETURNING {}", self.untold(relation), self.told)
    }

    /// The same, of which nothing comes back but how many rows were written.
    pub(super) fn untold(&self, relation: &str) -> String {
        let names = self.names.join(", ");
        format!("{} FROM {relation} AS new ({names}) WHERE {}", self.head, self.found)
    }

    /// The columns as arrays, and a relation over them. In a list of a SELECT they are taken apart
    /// row by row; in a FROM the server would keep all rows of each apart first, which makes a tenth
    /// of the whole statement.
    pub(super) fn arrays(&self) -> Result<Statement, sqlx::Error> {
        let mut arguments = PgArguments::default();
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            arguments.add(column).map_err(sqlx::Error::Encode)?;
            columns.push(format!("unnest(${}::text[])", arguments.len()));
        }
        Ok((format!("(SELECT {})", columns.join(", ")), arguments))
    }
}

/// Writes the in-scope cells of some rows, each only where it still is the version that was read.
///
/// One row comes back for each that was written, saying whether it holds what was written: a
/// BEFORE trigger can undo an update without a word.
///
/// **Invariant:** key *and* `ctid` *and* `xmin`, on the table itself and none that inherits from it.
pub(super) fn update<'u>(
    table: &UnitTable,
    shape: &Shape,
    writes: &[(&'u RowWrite, &'u RowVersion)],
) -> Result<Update<'u>, sqlx::Error> {
    let (mut names, mut columns) = (Vec::new(), Vec::new());
    let (mut found, mut sets, mut checks) = (Vec::new(), Vec::new(), Vec::new());
    let mut add = |name: String, values: Vec<Option<Cow<'u, str>>>| {
        names.push(name);
        columns.push(values);
    };
    for (place, key) in keys(table)?.iter().enumerate() {
        let parts = writes
            .iter()
            .map(|(write, _)| write.key.0.get(place).map(part_text).transpose())
            .map(|part| part.map(|part| part.map(Cow::Borrowed)))
            .collect::<Result<Vec<_>, _>>()?;
        add(format!("k{place}"), parts);
        found.push(format!("old.{} = {}", quoted(key)?, shape.key(key, &format!("new.k{place}"))?));
    }
    let versions = |told: fn(&RowVersion) -> String| {
        writes.iter().map(|(_, version)| Some(Cow::Owned(told(version)))).collect()
    };
    add("place".to_owned(), versions(RowVersion::place));
    add("writer".to_owned(), versions(|version| version.writer.to_string()));
    found.push("old.ctid = new.place::tid".to_owned());
    found.push("old.xmin = new.writer::xid".to_owned());
    for (place, column) in table.columns.iter().enumerate() {
        let form = shape.form(&column.column)?;
        let cells = writes
            .iter()
            .map(|(write, _)| {
                let cell = write.cells.get(place).and_then(Option::as_ref);
                cell.map(|cell| form.told(cell)).transpose()
            })
            .collect::<Result<Vec<_>, _>>()?;
        add(format!("c{place}"), cells);
        let name = quoted(&column.column)?;
        let assigned = shape.assign(&column.column, &format!("new.c{place}"))?;
        sets.push(format!("{name} = {assigned}"));
        let told = shape.told(&column.column, &format!("old.{name}"))?;
        checks
            .push(format!("{told} COLLATE \"C\" IS NOT DISTINCT FROM new.c{place} COLLATE \"C\""));
    }
    let head =
        format!("UPDATE ONLY {MARK} {} AS old SET {}", table_sql(&table.table)?, sets.join(", "));
    let (found, told) = (found.join(" AND "), checks.join(" AND "));
    Ok(Update { columns, names, head, found, told })
}

/// The stamp of a version.
fn stamp(version: RowVersion, digest: [u8; 8]) -> RowStamp {
    let mut bytes = [0; RowStamp::BYTES];
    bytes[..4].copy_from_slice(&version.block.to_be_bytes());
    bytes[4..6].copy_from_slice(&version.item.to_be_bytes());
    bytes[6..10].copy_from_slice(&version.writer.to_be_bytes());
    bytes[10..].copy_from_slice(&digest);
    RowStamp(bytes)
}

/// Reads the rows of an answer to [`walk`], or to [`stamps`], which has the cells of no column; `None`
/// where there are some that were not sent.
pub(super) fn read_rows(
    answer: &PgRow,
    table: &UnitTable,
    columns: &[UnitColumn],
    shape: &Shape,
    has_stamps: bool,
) -> Result<Option<Vec<Row>>, sqlx::Error> {
    let mut records = Records::of(answer, 0)?;
    let found = usize::try_from(answer.try_get::<i64, _>(1)?).unwrap_or(0);
    if records.bytes_left() == 0 && found > 0 {
        return Ok(None);
    }
    // Where a row lies is a key of one part.
    let width = keys(table)?.len().max(1);
    let forms =
        columns.iter().map(|column| shape.form(&column.column)).collect::<Result<Vec<_>, _>>()?;
    let fields = width + 2 + columns.len() + usize::from(has_stamps);
    let mut rows = Vec::with_capacity(found);
    while records.next_of(fields)? {
        let key = (0..width).map(|_| Ok(KeyPart::text(records.text()?)));
        let key = RowKey(key.collect::<Result<_, sqlx::Error>>()?);
        let [b0, b1, b2, b3, i0, i1] = records.array()?;
        let version = RowVersion {
            block: u32::from_be_bytes([b0, b1, b2, b3]),
            item: u16::from_be_bytes([i0, i1]),
            writer: u32::from_be_bytes(records.array()?),
        };
        let cells = forms
            .iter()
            .map(|form| {
                let told = records.field()?;
                told.map(|told| form.original(records::text(told)?)).transpose()
            })
            .collect::<Result<_, sqlx::Error>>()?;
        let stamp = if has_stamps { Some(stamp(version, records.array()?)) } else { None };
        rows.push(Row { key, cells, version: Some(version), stamp });
    }
    Ok(Some(rows))
}

/// Reads a cell that was asked for as [`Shape::told`] says.
pub(super) fn original(
    row: &PgRow,
    at: usize,
    form: CellForm,
) -> Result<Option<Original>, sqlx::Error> {
    let value = row.try_get_raw(at)?;
    if value.is_null() {
        return Ok(None);
    }
    let text: &str = row.try_get(at)?;
    form.original(text).map(Some)
}

fn part_text(part: &KeyPart) -> Result<&str, sqlx::Error> {
    std::str::from_utf8(&part.bytes)
        .map_err(|_| sqlx::Error::Protocol("a part of a key is not text".to_owned()))
}

/// Says that rows were not what the lock should have kept them.
pub(super) fn vanished(table: &UnitTable) -> SourceError {
    SourceError::Inconsistent(format!(
        "rows of `{}` changed under the write lock: a trigger writes into the table, or leaves rows \
         out; let the policy suppress it",
        table.table
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_of_the_version_and_the_digest() {
        let version = |block, item, writer| RowVersion { block, item, writer };
        let digest = |number: i64| number.to_be_bytes();
        let one = stamp(version(4_711, 12, 750), digest(-2));
        let bytes = [0, 0, 0x12, 0x67, 0, 12, 0, 0, 2, 0xEE];
        assert_eq!(one.0[..10], bytes);
        assert_eq!(one.0[10..], (-2_i64).to_be_bytes());
        for (other, number) in [
            (version(4_712, 12, 750), -2),
            (version(4_711, 13, 750), -2),
            (version(4_711, 12, 751), -2),
            (version(4_711, 12, 750), 2),
        ] {
            assert_ne!(stamp(other, digest(number)), one);
        }
        assert_eq!(format!("{one:?}"), "RowStamp(..)");
    }

    #[test]
    fn a_glob_is_read_as_sqlite_reads_it() {
        assert_eq!(regex_of("slk[0-9a-z]_?*"), "^slk[0-9a-z]_..*$");
        assert_eq!(regex_of("[*]a.b@[?][[]"), r"^\*a\.b\@\?\[$");
    }
}
