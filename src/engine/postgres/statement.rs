//! The statements by which a table is walked and rewritten. Names are quoted, values are bound.
//!
//! Every cell and every part of a key travels as text, and is cast to the column's own type by the
//! server: what is compared is typed, and an index over the key serves the walk.

use std::borrow::Cow;

use sqlx::Arguments as _;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Row as _, ValueRef as _};

use super::arrays::{self, Elements};
use super::cursor;
use super::queries::MARK;
use super::shape::{CellForm, Shape, quoted, table_sql};
use crate::plan::{UnitColumn, UnitTable, Walk};
use crate::ports::{Limit, Row, RowStamp, RowVersion, RowWrite, SourceError, WalkFilter};
use crate::value::{KeyPart, Original, RowKey};

/// True of a row `t` that this transaction has written, also within a block of its own (`unseen`),
/// which writes under a number of its own. Those numbers come after that of the transaction, and the
/// age of a row is counted from there; while writers are locked out, nobody else's come after it.
pub(super) const OWN_ROW: &str = "(pg_catalog.age(t.xmin) <= 0)";

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

/// Reads keys, versions and in-scope cells with `after < key ≤ upto`, in key order: one row of arrays,
/// each the values of all rows (see [`read_rows`]).
///
/// The server itself cuts the answer at the limit of bytes: it knows the length of a value without
/// sending it, and what it has begun to send it sends in full.
pub(super) fn walk(
    table: &UnitTable,
    shape: &Shape,
    span: Span<'_>,
    limit: Limit,
    filter: &WalkFilter,
) -> Result<Statement, sqlx::Error> {
    let keys = keys(table)?;
    let mut arguments = PgArguments::default();
    let (mut wanted, mut named, mut order) = (Vec::new(), Vec::new(), Vec::new());
    let mut told = Vec::new();
    let mut lengths = Vec::new();
    let mut digests = Digests::begin(filter, &mut arguments)?;
    let mut key = |place: usize, key: &str| {
        wanted.push(format!("{key} AS o{place}"));
        // A name of its own: ORDER BY would take the text for the key, and sort `10` before `9`.
        named.push(format!("s.o{place}::text AS k{place}"));
        told.push(format!("k{place}"));
        order.push((format!("t.{key}"), format!("o{place}")));
    };
    for (place, name) in keys.iter().enumerate() {
        key(place, &quoted(name)?);
    }
    if keys.is_empty() {
        key(0, "ctid");
    }
    wanted.push("ctid::text AS place, xmin::text AS writer".to_owned());
    named.push("place, writer".to_owned());
    told.extend(["place".to_owned(), "writer".to_owned()]);
    for (place, column) in table.columns.iter().enumerate() {
        let cell = shape.told(&column.column, &quoted(&column.column)?)?;
        wanted.push(format!("{cell} AS c{place}"));
        named.push(format!("c{place}"));
        told.push(format!("c{place}"));
        lengths.push(format!("coalesce(octet_length(c{place}), 0)"));
        digests.add(&format!("c{place}"));
    }
    if let Some(digest) = digests.end() {
        named.push(format!("{digest} AS digest"));
        told.push("digest".to_owned());
    }
    let mut conditions = between(keys, shape, span, &mut arguments)?;
    conditions.extend(let_through(table, shape, filter, &mut arguments)?);
    let condition =
        if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
    let rows = i64::try_from(limit.rows).unwrap_or(i64::MAX);
    let bytes = i64::try_from(limit.bytes).unwrap_or(i64::MAX);
    arguments.add(rows).map_err(sqlx::Error::Encode)?;
    let rows = arguments.len();
    arguments.add(bytes).map_err(sqlx::Error::Encode)?;
    let (inside, outside): (Vec<String>, Vec<String>) = order.into_iter().unzip();
    let last: Vec<String> = outside.iter().map(|key| format!("s.{key}")).collect();
    let (inside, outside, last) = (inside.join(", "), outside.join(", "), last.join(", "));
    let told: Vec<String> =
        told.iter().map(|name| format!("pg_catalog.array_agg(a.{name})")).collect();
    let sql = format!(
        "SELECT {MARK} {} FROM (SELECT {} FROM (
            SELECT *, sum({lengths}) OVER (ORDER BY {outside} ROWS BETWEEN UNBOUNDED PRECEDING
                                           AND 1 PRECEDING) AS before
            FROM (SELECT {} FROM ONLY {} AS t WHERE {condition} ORDER BY {inside} LIMIT ${rows}) AS r
         ) AS s WHERE s.before < ${} OR s.before IS NULL ORDER BY {last}) AS a",
        told.join(", "),
        named.join(", "),
        wanted.join(", "),
        table_sql(&table.table)?,
        arguments.len(),
        lengths = if lengths.is_empty() { "0".to_owned() } else { lengths.join(" + ") },
    );
    Ok((sql, arguments))
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
    let (mut wanted, mut told, mut order) = (Vec::new(), Vec::new(), Vec::new());
    for (place, name) in keys.iter().enumerate() {
        let name = quoted(name)?;
        wanted.push(format!("{name}::text AS k{place}"));
        told.push(format!("k{place}"));
        order.push(format!("t.{name}"));
    }
    wanted.push("ctid::text AS place, xmin::text AS writer".to_owned());
    told.extend(["place".to_owned(), "writer".to_owned()]);
    wanted.extend(digests.end().map(|digest| format!("{digest} AS digest")));
    told.push("digest".to_owned());
    let conditions = between(keys, shape, span, &mut arguments)?;
    let condition =
        if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    arguments.add(rows).map_err(sqlx::Error::Encode)?;
    let told: Vec<String> =
        told.iter().map(|name| format!("pg_catalog.array_agg(a.{name})")).collect();
    let sql = format!(
        "SELECT {MARK} {} FROM (SELECT {} FROM ONLY {} AS t WHERE {condition}
                                ORDER BY {} LIMIT ${}) AS a",
        told.join(", "),
        wanted.join(", "),
        table_sql(&table.table)?,
        order.join(", "),
        arguments.len(),
    );
    Ok((sql, arguments))
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
    let WalkFilter::Originals { run, globs, keeps_empty } = filter else { return Ok(Vec::new()) };
    // The cheap condition first: patterns are looked for in few rows then.
    let not_ours = cursor::not_ours(*run, arguments)?;
    Ok(vec![not_ours, originals(table, shape, globs, keeps_empty, arguments)?])
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
    head: String,
    tail: String,
}

impl Update<'_> {
    /// The statement over a relation that holds the columns.
    pub(super) fn from(&self, relation: &str) -> String {
        format!("{} FROM {relation} AS new ({}) {}", self.head, self.names.join(", "), self.tail)
    }

    /// The statement with its columns bound.
    pub(super) fn bound(&self) -> Result<Statement, sqlx::Error> {
        let mut arguments = PgArguments::default();
        let mut marks = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            arguments.add(column).map_err(sqlx::Error::Encode)?;
            marks.push(format!("${}::text[]", arguments.len()));
        }
        Ok((self.from(&format!("unnest({})", marks.join(", "))), arguments))
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
    add("place".to_owned(), writes.iter().map(|(_, v)| Some(Cow::Borrowed(&*v.place))).collect());
    add("writer".to_owned(), writes.iter().map(|(_, v)| Some(Cow::Borrowed(&*v.writer))).collect());
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
    let tail = format!("WHERE {} RETURNING {}", found.join(" AND "), checks.join(" AND "));
    Ok(Update { columns, names, head, tail })
}

/// The stamp of a version; none where its place or its writer do not read as such.
fn stamp(version: &RowVersion, digest: i64) -> Option<RowStamp> {
    let place = version.place.strip_prefix('(')?.strip_suffix(')')?;
    let (block, item) = place.split_once(',')?;
    let (block, item): (u32, u16) = (block.parse().ok()?, item.parse().ok()?);
    let mut bytes = [0; RowStamp::BYTES];
    bytes[..4].copy_from_slice(&block.to_be_bytes());
    bytes[4..6].copy_from_slice(&item.to_be_bytes());
    bytes[6..10].copy_from_slice(&version.writer_number()?.to_be_bytes());
    bytes[10..].copy_from_slice(&digest.to_be_bytes());
    Some(RowStamp(bytes))
}

/// Reads the rows of an answer to [`walk`], or to [`stamps`], which has the cells of no column.
pub(super) fn read_rows(
    answer: &PgRow,
    table: &UnitTable,
    columns: &[UnitColumn],
    shape: &Shape,
    has_stamps: bool,
) -> Result<Vec<Row>, sqlx::Error> {
    // Where a row lies is a key of one part.
    let width = keys(table)?.len().max(1);
    let elements = |at: usize| Elements::of(answer, at);
    let mut keys = (0..width).map(elements).collect::<Result<Vec<_>, _>>()?;
    let (mut places, mut writers) = (elements(width)?, elements(width + 1)?);
    let mut cells = Vec::with_capacity(columns.len());
    for (column, at) in columns.iter().zip(width + 2..) {
        cells.push((elements(at)?, shape.form(&column.column)?));
    }
    let mut digests = has_stamps.then(|| elements(width + 2 + columns.len())).transpose()?;
    let mut rows = Vec::with_capacity(places.left());
    while places.left() > 0 {
        let key = keys.iter_mut().map(|parts| Ok(KeyPart::text(parts.text()?)));
        let key = RowKey(key.collect::<Result<_, sqlx::Error>>()?);
        let (place, writer) = (places.text()?.to_owned(), writers.text()?.to_owned());
        let cells = cells
            .iter_mut()
            .map(|(cells, form)| {
                let told = cells.next()?;
                told.map(|told| form.original(arrays::text(told)?)).transpose()
            })
            .collect::<Result<_, sqlx::Error>>()?;
        let version = RowVersion { place, writer };
        let digest = digests.as_mut().map(Elements::bigint).transpose()?;
        let stamp = digest.and_then(|digest| stamp(&version, digest));
        rows.push(Row { key, cells, version: Some(version), stamp });
    }
    Ok(rows)
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
        let version = |place: &str, writer: &str| RowVersion {
            place: place.to_owned(),
            writer: writer.to_owned(),
        };
        let one = stamp(&version("(4711,12)", "750"), -2).unwrap();
        let bytes = [0, 0, 0x12, 0x67, 0, 12, 0, 0, 2, 0xEE];
        assert_eq!(one.0[..10], bytes);
        assert_eq!(one.0[10..], (-2_i64).to_be_bytes());
        for other in [("(4711,13)", "750", -2), ("(4711,12)", "751", -2), ("(4711,12)", "750", 2)] {
            assert_ne!(stamp(&version(other.0, other.1), other.2).unwrap(), one);
        }
        assert!(stamp(&version("here", "750"), 0).is_none());
        assert_eq!(format!("{one:?}"), "RowStamp(..)");
    }

    #[test]
    fn a_glob_is_read_as_sqlite_reads_it() {
        assert_eq!(regex_of("slk[0-9a-z]_?*"), "^slk[0-9a-z]_..*$");
        assert_eq!(regex_of("[*]a.b@[?][[]"), r"^\*a\.b\@\?\[$");
    }
}
