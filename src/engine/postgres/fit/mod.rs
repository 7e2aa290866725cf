//! Types of columns changed so that tokens fit, and put back: one transaction, all or nothing.
//!
//! Whatever reads a column stands in the way of a change of its type. Views and what hangs on them,
//! rules, policies and triggers are therefore written down, dropped, and made anew inside the same
//! transaction; nobody ever sees the database without them.
//!
//! **Invariant:** after the transaction every view reads as it did before, or there was none.

mod grants;
mod hooks;
mod indexes;
mod views;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _};

use super::cursor;
use super::session::Session;
use super::shape::{qualified_parts, quoted, schema_of};
use crate::catalog::ColumnChange;
use crate::ports::{FitTo, SourceError};

/// A change that may rewrite a table lies idle for nobody; and constraints are checked as they are
/// made.
// language=PostgreSQL
const BEGIN: &str = "SET LOCAL idle_in_transaction_session_timeout = '10min'";

/// What is done to the database, in order.
#[derive(Default)]
pub(super) struct Script {
    /// Takes down what is in the way.
    drop: Vec<String>,
    /// Makes it anew.
    make: Vec<Make>,
}

/// One step of making anew.
enum Make {
    /// A statement.
    Sql(String),
    /// Takes back whatever was granted on a table as it was made: the owner's defaults.
    Ungrant(String),
}

impl Script {
    fn drop(&mut self, sql: String) {
        self.drop.push(sql);
    }

    fn make(&mut self, sql: String) {
        self.make.push(Make::Sql(sql));
    }
}

/// A column as it stands, and as it shall.
struct Wanted {
    /// The table's oid.
    table: i64,
    /// The column's number.
    number: i16,
    /// The table's name, quoted.
    name: String,
    /// The column's name, quoted.
    column: String,
    /// Which type it gets.
    to: String,
    /// It comes from a table above, and changes with it.
    is_inherited: bool,
    /// The type stays of its kind, so that values need no words to be told by.
    is_longer: bool,
    /// `COLLATE …`, where the column has one of its own and keeps it.
    collation: String,
    /// How values are stored, where not as the type has it.
    storage: Option<&'static str>,
    /// How values are compressed, where the column says.
    compression: Option<&'static str>,
    /// The default, as an expression.
    default: Option<String>,
}

impl Wanted {
    fn of(change: &ColumnChange, from: &str, to: &str, row: &PgRow) -> Result<Self, sqlx::Error> {
        let name = qualified_parts(schema_of(&change.table), &change.table.name)
            .map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        let collation: Option<String> = row.try_get(4)?;
        Ok(Self {
            table: row.try_get(0)?,
            number: row.try_get(1)?,
            name,
            column: quoted(&change.column)?,
            to: to.to_owned(),
            is_inherited: row.try_get(3)?,
            is_longer: base(from) == base(to),
            collation: collation
                .filter(|_| has_collation(to))
                .map(|name| format!(" COLLATE {name}"))
                .unwrap_or_default(),
            storage: row.try_get::<Option<String>, _>(5)?.and_then(|sign| storage(&sign)),
            compression: compression(&row.try_get::<String, _>(6)?),
            default: row.try_get(7)?,
        })
    }
}

/// Changes the types of columns. Columns that have their type already are left alone, so that it
/// may be asked for twice. `false` where there was nothing to do.
pub(super) async fn fit(
    session: &mut Session,
    changes: &[ColumnChange],
    to: FitTo,
) -> Result<Result<bool, SourceError>, sqlx::Error> {
    session.begin(BEGIN).await?;
    let done = inside(session.within()?, changes, to).await;
    match done {
        Ok(Ok(true)) => {
            cursor::note_fit(session.within()?).await?;
            session.commit().await?;
            session.forget_shapes();
            Ok(Ok(true))
        }
        Ok(other) => {
            session.roll_back().await;
            Ok(other)
        }
        Err(error) => Err(error),
    }
}

async fn inside(
    connection: &mut PgConnection,
    changes: &[ColumnChange],
    to: FitTo,
) -> Result<Result<bool, SourceError>, sqlx::Error> {
    let wanted = match wanted(connection, changes, to).await? {
        Ok(wanted) if wanted.is_empty() => return Ok(Ok(false)),
        Ok(wanted) => wanted,
        Err(error) => return Ok(Err(error)),
    };
    let mut names: Vec<&str> =
        wanted.iter().filter(|one| !one.is_inherited).map(|one| one.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    // ORDER: the lock comes before what it protects is written down.
    run(connection, &format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", names.join(", "))).await?;
    if let FitTo::Originals = to
        && let Some(name) = too_long(connection, &wanted).await?
    {
        return Ok(Err(SourceError::Inconsistent(format!(
            "{name} holds a value that was written since and is longer than the column was; \
             shorten it, and roll back again"
        ))));
    }
    let columns: Vec<(i64, i16)> = wanted.iter().map(|one| (one.table, one.number)).collect();
    let before = views::read(connection, &columns).await?;
    let mut script = Script::default();
    // ORDER: what hangs on views is taken down before them, and made after them.
    let mut around = Script::default();
    hooks::capture(connection, &columns, &before, &mut around).await?;
    script.drop.append(&mut around.drop);
    for view in &before {
        views::capture(connection, view, &mut script).await?;
    }
    script.drop.extend(before.iter().rev().map(views::View::drop_sql));
    script.make.append(&mut around.make);
    let known = indexes::read(connection, &columns).await?;
    for sql in &script.drop {
        run(connection, sql).await?;
    }
    // ORDER: defaults are each table's own, types go from above to below, and take defaults along.
    for one in &wanted {
        drop_default(connection, one).await?;
    }
    for one in wanted.iter().filter(|one| !one.is_inherited) {
        alter(connection, one).await?;
    }
    for one in &wanted {
        give_back(connection, one, to).await?;
    }
    indexes::give_back(connection, &columns, &known).await?;
    for step in &script.make {
        match step {
            Make::Sql(sql) => run(connection, sql).await?,
            Make::Ungrant(table) => grants::take_back(connection, table).await?,
        }
    }
    let after = views::texts(connection, &before).await?;
    for (view, text) in before.iter().zip(after) {
        if text.as_ref() != Some(&view.text) {
            return Ok(Err(SourceError::Inconsistent(format!(
                "view {} would not come back as it is; drop it for the time of the run",
                view.name
            ))));
        }
    }
    Ok(Ok(true))
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await?;
    Ok(())
}

/// The columns that have yet to change, with what a change of type would lose.
async fn wanted(
    connection: &mut PgConnection,
    changes: &[ColumnChange],
    to: FitTo,
) -> Result<Result<Vec<Wanted>, SourceError>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT c.oid::int8, a.attnum,
            pg_catalog.format_type(a.atttypid, a.atttypmod), a.attinhcount > 0,
            CASE WHEN a.attcollation <> t.typcollation
                 THEN pg_catalog.quote_ident(cn.nspname) || '.' ||
                      pg_catalog.quote_ident(co.collname) END,
            CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END,
            coalesce(pg_catalog.to_jsonb(a) ->> 'attcompression', ''),
            CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END
        FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
        LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3 AND NOT a.attisdropped";
    let mut wanted = Vec::new();
    for change in changes {
        let (from, to) = match to {
            FitTo::Tokens => (&change.from, &change.to),
            FitTo::Originals => (&change.to, &change.from),
        };
        let found = sqlx::query(SQL)
            .bind(schema_of(&change.table))
            .bind(&change.table.name)
            .bind(&change.column)
            .fetch_optional(&mut *connection)
            .await?;
        let declared: Option<String> = found.as_ref().map(|row| row.try_get(2)).transpose()?;
        if declared.as_ref() == Some(to) {
            continue;
        }
        let Some(row) = found.filter(|_| declared.as_ref() == Some(from)) else {
            let declared = declared.unwrap_or_else(|| "gone".to_owned());
            return Ok(Err(SourceError::Inconsistent(format!(
                "column `{}.{}` is {declared}, and neither `{from}` nor `{to}`",
                change.table, change.column
            ))));
        };
        wanted.push(Wanted::of(change, from, to, &row)?);
    }
    Ok(Ok(wanted))
}

/// A type without its length.
fn base(declared: &str) -> (&str, bool) {
    let name = declared.split('(').next().unwrap_or_default();
    (name.trim_end_matches("[]"), declared.ends_with("[]"))
}

fn has_collation(declared: &str) -> bool {
    matches!(base(declared).0, "text" | "character varying" | "character")
}

fn storage(sign: &str) -> Option<&'static str> {
    match sign {
        "p" => Some("PLAIN"),
        "e" => Some("EXTERNAL"),
        "m" => Some("MAIN"),
        "x" => Some("EXTENDED"),
        _ => None,
    }
}

fn compression(sign: &str) -> Option<&'static str> {
    match sign {
        "p" => Some("pglz"),
        "l" => Some("lz4"),
        _ => None,
    }
}

/// The first column whose values no longer fit what it was. A narrower type would cut blanks from
/// their end without a word.
async fn too_long(
    connection: &mut PgConnection,
    wanted: &[Wanted],
) -> Result<Option<String>, sqlx::Error> {
    for one in wanted.iter().filter(|one| base(&one.to) == ("character varying", false)) {
        let Some((_, chars)) = one.to.split_once('(') else { continue };
        let sql = format!(
            "SELECT EXISTS (SELECT FROM {} WHERE pg_catalog.char_length({}) > {})",
            one.name,
            one.column,
            chars.trim_end_matches(')')
        );
        let is_there: bool =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
        if is_there {
            return Ok(Some(format!("{}.{}", one.name, one.column)));
        }
    }
    Ok(None)
}

/// Takes the default off a column whose type becomes another one: the server would not know how to
/// change it.
async fn drop_default(connection: &mut PgConnection, one: &Wanted) -> Result<(), sqlx::Error> {
    let Wanted { name, column, .. } = one;
    if one.is_longer || one.default.is_none() {
        return Ok(());
    }
    run(connection, &format!("ALTER TABLE ONLY {name} ALTER COLUMN {column} DROP DEFAULT")).await
}

/// Changes the type of a column, and of those that come from it.
async fn alter(connection: &mut PgConnection, one: &Wanted) -> Result<(), sqlx::Error> {
    let Wanted { name, column, to: declared, collation, .. } = one;
    let using =
        if one.is_longer { String::new() } else { format!(" USING {column}::text::{declared}") };
    run(
        connection,
        &format!("ALTER TABLE {name} ALTER COLUMN {column} TYPE {declared}{collation}{using}"),
    )
    .await
}

/// Gives a column back what the change of its type took from it. Each table may have its own, so
/// nothing goes from above to below here.
async fn give_back(
    connection: &mut PgConnection,
    one: &Wanted,
    to: FitTo,
) -> Result<(), sqlx::Error> {
    let alter = format!("ALTER TABLE ONLY {} ALTER COLUMN {}", one.name, one.column);
    if let Some(default) = one.default.as_ref().filter(|_| !one.is_longer) {
        let default = match to {
            FitTo::Tokens => format!("({default})::text"),
            FitTo::Originals => uncast(default),
        };
        run(connection, &format!("{alter} SET DEFAULT {default}")).await?;
    }
    if let Some(storage) = one.storage.filter(|_| one.is_longer) {
        run(connection, &format!("{alter} SET STORAGE {storage}")).await?;
    }
    if let Some(method) = one.compression {
        run(connection, &format!("{alter} SET COMPRESSION {method}")).await?;
    }
    Ok(())
}

/// Takes the cast off that [`give_back`] put around a default.
fn uncast(default: &str) -> String {
    let inner = default.strip_suffix("::text").unwrap_or(default);
    let bare = inner.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
    bare.unwrap_or(inner).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_loses_the_cast_that_it_got() {
        assert_eq!(uncast("(CURRENT_DATE)::text"), "CURRENT_DATE");
        assert_eq!(uncast("('2026-01-01'::date)::text"), "'2026-01-01'::date");
    }

    #[test]
    fn a_type_is_known_without_its_length() {
        assert_eq!(base("character varying(20)"), base("character varying(35)"));
        assert_ne!(base("character varying(20)[]"), base("character varying(35)"));
        assert_ne!(base("date"), base("text"));
    }
}
