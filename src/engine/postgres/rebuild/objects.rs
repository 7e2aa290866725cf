//! What hangs on a table that is rebuilt and cannot stay while it is filled: indexes, the constraints
//! that rest on them, foreign keys in both directions, triggers that would fire.
//!
//! Each is read as the statements that put it back. Everything else (privileges, comments, views,
//! policies, publications, statistics objects, settings) hangs on the table itself, which stays.
//!
//! **Invariant:** read and taken off under the lock of the table, and put back in the same
//! transaction: nobody else ever sees the table without them.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _};

use super::super::shape::{qualified_parts, quoted};

/// What is taken off, and how it is put back.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// In this order, before the table is emptied.
    off: Vec<String>,
    /// In this order, when it is filled.
    back: Vec<String>,
}

impl Objects {
    /// Reads what hangs on a table.
    pub(super) async fn read(
        connection: &mut PgConnection,
        oid: i64,
        table: &str,
    ) -> Result<Self, sqlx::Error> {
        let mut objects = Self::default();
        let keys = foreign_keys(connection, oid).await?;
        // Foreign keys go first: those of others rest on our indexes.
        for key in &keys {
            objects.off.push(format!("ALTER TABLE {} DROP CONSTRAINT {}", key.owner, key.name));
        }
        objects.indexes(connection, oid, table).await?;
        for key in keys {
            let ForeignKey { owner, name, definition, comment } = key;
            objects.back.push(format!("ALTER TABLE {owner} ADD CONSTRAINT {name} {definition}"));
            objects.back.extend(
                comment.map(|said| format!("COMMENT ON CONSTRAINT {name} ON {owner} IS {said}")),
            );
        }
        objects.triggers(connection, oid, table).await?;
        Ok(objects)
    }

    /// Takes everything off.
    pub(super) async fn take_off(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        run(connection, &self.off).await
    }

    /// Puts everything back.
    pub(super) async fn put_back(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        run(connection, &self.back).await
    }

    async fn indexes(
        &mut self,
        connection: &mut PgConnection,
        oid: i64,
        table: &str,
    ) -> Result<(), sqlx::Error> {
        // language=PostgreSQL
        const SQL: &str = "SELECT n.nspname::text, ic.relname::text,
                pg_catalog.pg_get_indexdef(i.indexrelid), am.amname::text,
                con.conname::text, con.contype::text, pg_catalog.pg_get_constraintdef(con.oid),
                con.condeferrable, con.condeferred, i.indisclustered, i.indisreplident,
                coalesce(pg_catalog.quote_ident(ts.spcname), ''''''),
                pg_catalog.quote_literal(pg_catalog.obj_description(i.indexrelid, 'pg_class')),
                pg_catalog.quote_literal(pg_catalog.obj_description(con.oid, 'pg_constraint')),
                ARRAY(SELECT pg_catalog.format('ALTER COLUMN %s SET STATISTICS %s', a.attnum, a.attstattarget)
                      FROM pg_catalog.pg_attribute a
                      WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0 ORDER BY a.attnum)
            FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
            JOIN pg_catalog.pg_am am ON am.oid = ic.relam
            JOIN pg_catalog.pg_namespace n ON n.oid = ic.relnamespace
            LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = ic.reltablespace
            LEFT JOIN pg_catalog.pg_constraint con ON con.conindid = i.indexrelid
                AND con.conrelid = i.indrelid AND con.contype IN ('p', 'u', 'x')
            WHERE i.indrelid = $1::int8::oid ORDER BY i.indexrelid";
        let rows = sqlx::query(SQL).bind(oid).fetch_all(connection).await?;
        for row in &rows {
            self.index(row, table)?;
        }
        Ok(())
    }

    fn index(&mut self, row: &PgRow, table: &str) -> Result<(), sqlx::Error> {
        let (schema, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let whole = qualified_parts(&schema, &name)
            .map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        let (name, definition) = (quoted(&name)?, row.try_get::<String, _>(2)?);
        let method: String = row.try_get(3)?;
        let constraint: Option<String> = row.try_get(4)?;
        let tablespace: String = row.try_get(11)?;
        self.back.push(format!("SET LOCAL default_tablespace = {tablespace}"));
        let Some(constraint) = constraint else {
            self.off.push(format!("DROP INDEX {whole}"));
            self.back.push(definition);
            return self.of_index(row, table, &whole, &name);
        };
        let constraint = quoted(&constraint)?;
        self.off.push(format!("ALTER TABLE ONLY {table} DROP CONSTRAINT {constraint}"));
        let kind: String = row.try_get(5)?;
        let kind = if kind == "p" { "PRIMARY KEY" } else { "UNIQUE" };
        let is_exclusion = row.try_get::<String, _>(5)? == "x" || method != "btree";
        if is_exclusion {
            let said: String = row.try_get(6)?;
            self.back.push(format!("ALTER TABLE ONLY {table} ADD CONSTRAINT {constraint} {said}"));
        } else {
            // The index first, by its own definition: it has settings that the constraint's lacks.
            self.back.push(definition);
            let waits = match (row.try_get(7)?, row.try_get(8)?) {
                (true, true) => " DEFERRABLE INITIALLY DEFERRED",
                (true, false) => " DEFERRABLE",
                (false, _) => "",
            };
            self.back.push(format!(
                "ALTER TABLE ONLY {table} ADD CONSTRAINT {constraint} {kind} USING INDEX {name}{waits}"
            ));
        }
        let comment: Option<String> = row.try_get(13)?;
        self.back.extend(
            comment.map(|said| format!("COMMENT ON CONSTRAINT {constraint} ON {table} IS {said}")),
        );
        self.of_index(row, table, &whole, &name)
    }

    /// What hangs on an index itself.
    fn of_index(
        &mut self,
        row: &PgRow,
        table: &str,
        whole: &str,
        name: &str,
    ) -> Result<(), sqlx::Error> {
        if row.try_get(9)? {
            self.back.push(format!("ALTER TABLE ONLY {table} CLUSTER ON {name}"));
        }
        if row.try_get(10)? {
            self.back.push(format!("ALTER TABLE ONLY {table} REPLICA IDENTITY USING INDEX {name}"));
        }
        let comment: Option<String> = row.try_get(12)?;
        self.back.extend(comment.map(|said| format!("COMMENT ON INDEX {whole} IS {said}")));
        let targets: Vec<String> = row.try_get(14)?;
        self.back.extend(targets.iter().map(|target| format!("ALTER INDEX {whole} {target}")));
        Ok(())
    }

    /// Triggers fire neither for the emptying nor for the filling: no row changes by it but for what
    /// the policy names, and the plan has refused those that would want to know of that.
    async fn triggers(
        &mut self,
        connection: &mut PgConnection,
        oid: i64,
        table: &str,
    ) -> Result<(), sqlx::Error> {
        // language=PostgreSQL
        const SQL: &str = "SELECT tgname::text, CASE tgenabled WHEN 'A' THEN 'ENABLE ALWAYS'
                WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE' END
            FROM pg_catalog.pg_trigger
            WHERE tgrelid = $1::int8::oid AND NOT tgisinternal AND tgenabled <> 'D' ORDER BY oid";
        for row in sqlx::query(SQL).bind(oid).fetch_all(connection).await? {
            let (name, again): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let name = quoted(&name)?;
            self.off.push(format!("ALTER TABLE ONLY {table} DISABLE TRIGGER {name}"));
            self.back.push(format!("ALTER TABLE ONLY {table} {again} TRIGGER {name}"));
        }
        Ok(())
    }
}

/// A foreign key from the table or to it.
struct ForeignKey {
    owner: String,
    name: String,
    definition: String,
    /// Quoted.
    comment: Option<String>,
}

/// In the order in which they were made: so they are made again. Of partitions it is the foreign key
/// of the table that they belong to.
async fn foreign_keys(
    connection: &mut PgConnection,
    oid: i64,
) -> Result<Vec<ForeignKey>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT n.nspname::text, c.relname::text, con.conname::text,
            pg_catalog.pg_get_constraintdef(con.oid),
            pg_catalog.quote_literal(pg_catalog.obj_description(con.oid, 'pg_constraint'))
        FROM pg_catalog.pg_constraint con
        JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE con.contype = 'f' AND con.conparentid = 0
          AND (con.conrelid = $1::int8::oid OR con.confrelid = $1::int8::oid)
        ORDER BY con.oid";
    let mut keys = Vec::new();
    for row in sqlx::query(SQL).bind(oid).fetch_all(connection).await? {
        let (schema, table): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        keys.push(ForeignKey {
            owner: qualified_parts(&schema, &table)
                .map_err(|error| sqlx::Error::Encode(Box::new(error)))?,
            name: quoted(&row.try_get::<String, _>(2)?)?,
            definition: row.try_get(3)?,
            comment: row.try_get(4)?,
        });
    }
    Ok(keys)
}

/// The table and those that foreign keys join it to, quoted and in one order for everybody: all of
/// them are locked before anything is read.
pub(super) async fn neighbours(
    connection: &mut PgConnection,
    oid: i64,
) -> Result<Vec<String>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT DISTINCT n.nspname::text, c.relname::text
        FROM pg_catalog.pg_constraint con
        JOIN pg_catalog.pg_class c ON c.oid IN (con.conrelid, con.confrelid)
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE con.contype = 'f' AND $1::int8::oid IN (con.conrelid, con.confrelid)
          AND c.oid <> $1::int8::oid
        ORDER BY 1, 2";
    let mut tables = Vec::new();
    for row in sqlx::query(SQL).bind(oid).fetch_all(connection).await? {
        let (schema, table): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        tables.push(
            qualified_parts(&schema, &table)
                .map_err(|error| sqlx::Error::Encode(Box::new(error)))?,
        );
    }
    Ok(tables)
}

async fn run(connection: &mut PgConnection, statements: &[String]) -> Result<(), sqlx::Error> {
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut *connection).await?;
    }
    Ok(())
}
