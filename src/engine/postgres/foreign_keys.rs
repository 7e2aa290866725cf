//! Foreign keys over rewritten columns, for the time of a window.
//!
//! One whose check can wait for the end of the transaction is made to wait. One that acts on its own
//! (`CASCADE`, `SET NULL`, …), that refuses at once (`RESTRICT`), or that rows were never checked
//! against (`NOT VALID`) is taken off, and put back as it was: the server checks it anew.
//!
//! **Invariant:** all of it commits with the rows or not at all. Nobody else ever sees the tables
//! without their foreign keys.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _};

use super::shape::{qualified_parts, quoted, schema_of};
use super::unseen;
use crate::plan::UnitTable;

/// The planner may join as it likes while the server checks what is put back.
// language=PostgreSQL
const CHECKING: &str = "SET LOCAL enable_hashjoin = DEFAULT; SET LOCAL enable_mergejoin = DEFAULT;
    SET LOCAL enable_seqscan = DEFAULT";

/// A foreign key that is changed for the time of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForeignKey {
    oid: i64,
    /// How it stands on its table.
    top: Named,
    /// The table that it points to, quoted.
    parent: String,
    /// How it stands on partitions that know it by another name, or where something is said about it;
    /// the deepest first.
    below: Vec<Named>,
    /// It only has to wait.
    waits: bool,
}

/// A foreign key on one table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    /// The table that has it, quoted.
    owner: String,
    /// Its name, quoted.
    name: String,
    /// What it says, as SQL; how it is put back where it is taken off.
    definition: String,
    /// What is said about it.
    comment: Option<String>,
}

impl ForeignKey {
    /// The tables that nobody else may look at while it is changed.
    pub(super) fn tables(&self) -> Vec<&str> {
        if self.waits { vec![&self.top.owner] } else { vec![&self.top.owner, &self.parent] }
    }
}

/// The foreign keys over rewritten columns of these tables, on either side, that cannot stay as they
/// are. Of partitions it is the foreign key of the table that they belong to.
///
/// What somebody has switched off (`DISABLE TRIGGER ALL`) neither acts nor checks, and stays so.
pub(super) async fn find(
    connection: &mut PgConnection,
    tables: &[UnitTable],
) -> Result<Vec<ForeignKey>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "WITH RECURSIVE touched (oid, above) AS (
            SELECT con.oid, con.conparentid FROM pg_catalog.pg_constraint con
            WHERE con.contype = 'f' AND EXISTS (
                SELECT FROM pg_catalog.pg_class me
                JOIN pg_catalog.pg_namespace mine ON mine.oid = me.relnamespace
                JOIN pg_catalog.pg_attribute a ON a.attrelid = me.oid
                WHERE mine.nspname = $1 AND me.relname = $2 AND a.attname = ANY ($3)
                  AND ((con.conrelid = me.oid AND a.attnum = ANY (con.conkey))
                    OR (con.confrelid = me.oid AND a.attnum = ANY (con.confkey))))
            UNION
            SELECT con.oid, con.conparentid
            FROM touched JOIN pg_catalog.pg_constraint con ON con.oid = touched.above)
        SELECT n.nspname::text, c.relname::text, con.conname::text,
            pg_catalog.pg_get_constraintdef(con.oid),
            pg_catalog.obj_description(con.oid, 'pg_constraint'),
            con.oid::int8, pn.nspname::text, p.relname::text, con.confupdtype = 'a' AND con.convalidated, con.condeferrable
        FROM touched JOIN pg_catalog.pg_constraint con ON con.oid = touched.oid
        JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_class p ON p.oid = con.confrelid
        JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
        WHERE con.conparentid = 0
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger off
                          WHERE off.tgconstraint = con.oid AND off.tgenabled = 'D')";
    let mut found: Vec<ForeignKey> = Vec::new();
    for table in tables {
        let columns: Vec<&str> = table.columns.iter().map(|c| c.column.as_str()).collect();
        let rows = sqlx::query(SQL)
            .bind(schema_of(&table.table))
            .bind(&table.table.name)
            .bind(&columns)
            .fetch_all(&mut *connection)
            .await?;
        for row in &rows {
            let (key, is_deferrable) = (read(row)?, row.try_get::<bool, _>(9)?);
            let stays = key.waits && is_deferrable;
            if !stays && !found.contains(&key) {
                found.push(key);
            }
        }
    }
    // In the order in which they were made: so they are made again.
    found.sort_by_key(|key| key.oid);
    for key in found.iter_mut().filter(|key| !key.waits) {
        key.below = below(connection, key.oid).await?;
    }
    Ok(found)
}

/// What the server would not make again of itself: a partition that was attached keeps the name that
/// its foreign key had before.
async fn below(connection: &mut PgConnection, oid: i64) -> Result<Vec<Named>, sqlx::Error> {
    // A partition of the table that is pointed to has an entry too, on the same owner.
    // language=PostgreSQL
    const SQL: &str = "WITH RECURSIVE below (oid, depth) AS (
            SELECT $1::oid, 0
            UNION ALL
            SELECT con.oid, below.depth + 1
            FROM below JOIN pg_catalog.pg_constraint up ON up.oid = below.oid
            JOIN pg_catalog.pg_constraint con
              ON con.conparentid = up.oid AND con.conrelid <> up.conrelid)
        SELECT n.nspname::text, c.relname::text, con.conname::text,
            pg_catalog.pg_get_constraintdef(con.oid),
            pg_catalog.obj_description(con.oid, 'pg_constraint')
        FROM below JOIN pg_catalog.pg_constraint con ON con.oid = below.oid
        JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE below.depth > 0
          AND (con.conname <> (SELECT top.conname FROM pg_catalog.pg_constraint top
                               WHERE top.oid = $1::oid)
            OR pg_catalog.obj_description(con.oid, 'pg_constraint') IS NOT NULL)
        ORDER BY below.depth DESC, con.oid";
    let rows = sqlx::query(SQL).bind(oid).fetch_all(connection).await?;
    rows.iter().map(standing).collect()
}

/// A foreign key on the table of a row's first five columns.
fn standing(row: &PgRow) -> Result<Named, sqlx::Error> {
    Ok(Named {
        owner: table_at(row, 0)?,
        name: quoted(&row.try_get::<String, _>(2)?)?,
        definition: row.try_get(3)?,
        comment: row.try_get(4)?,
    })
}

/// The table whose schema and name stand from this column on, quoted.
fn table_at(row: &PgRow, at: usize) -> Result<String, sqlx::Error> {
    let (schema, name): (String, String) = (row.try_get(at)?, row.try_get(at + 1)?);
    qualified_parts(&schema, &name).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

fn read(row: &PgRow) -> Result<ForeignKey, sqlx::Error> {
    Ok(ForeignKey {
        oid: row.try_get(5)?,
        top: standing(row)?,
        parent: table_at(row, 6)?,
        below: Vec::new(),
        waits: row.try_get(8)?,
    })
}

/// Has foreign keys wait, or takes them off.
pub(super) async fn loosen(
    connection: &mut PgConnection,
    keys: &[ForeignKey],
) -> Result<(), sqlx::Error> {
    for ForeignKey { top: Named { owner, name, .. }, waits, .. } in keys {
        let sql = if *waits {
            format!("ALTER TABLE {owner} ALTER CONSTRAINT {name} DEFERRABLE INITIALLY DEFERRED")
        } else {
            format!("ALTER TABLE {owner} DROP CONSTRAINT {name}")
        };
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Makes foreign keys what they were; the server checks them here. Nothing may wait to be checked
/// any more.
pub(super) async fn fasten(
    connection: &mut PgConnection,
    keys: &[ForeignKey],
) -> Result<(), sqlx::Error> {
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::raw_sql(CHECKING).execute(&mut *connection).await?;
    for ForeignKey { top, below, waits, .. } in keys {
        if *waits {
            let Named { owner, name, .. } = top;
            let sql = format!("ALTER TABLE {owner} ALTER CONSTRAINT {name} NOT DEFERRABLE");
            unseen::run(connection, &sql).await?;
            continue;
        }
        // The server takes what a partition has already for its part of what is added above it.
        for named in below.iter().chain([top]) {
            add(connection, named).await?;
        }
    }
    Ok(())
}

async fn add(connection: &mut PgConnection, named: &Named) -> Result<(), sqlx::Error> {
    let Named { owner, name, definition, comment } = named;
    let sql = format!("ALTER TABLE {owner} ADD CONSTRAINT {name} {definition}");
    // A row without a parent would be named with its value.
    unseen::run(connection, &sql).await?;
    let Some(comment) = comment else { return Ok(()) };
    let literal: String = sqlx::query_scalar("SELECT pg_catalog.quote_literal($1)")
        .bind(comment)
        .fetch_one(&mut *connection)
        .await?;
    let sql = format!("COMMENT ON CONSTRAINT {name} ON {owner} IS {literal}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}
