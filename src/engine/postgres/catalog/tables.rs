//! Tables: columns, indexes, constraints, and what else hangs on them.

use std::collections::HashMap;

use sqlx::postgres::{PgConnection, PgDatabaseError, PgRow};
use sqlx::{AssertSqlSafe, Row as _};

use super::super::rebuild::obstacles;
use super::super::shape::{quoted, table_sql};
use super::{CatalogError, ask, failed, name_at, text};
use crate::catalog::postgres::{
    PostgresColumn, PostgresForeignKey, PostgresTable, PublicationFilter, ReplicaIdentity,
};
use crate::catalog::{
    Affinity, CheckConstraint, Column, ForeignKey, Generated, Index, IndexKey, IndexOrigin, Table,
    TableKind,
};

/// Reads every table, with its fact sheet.
pub(super) async fn read(
    conn: &mut PgConnection,
) -> Result<(Vec<Table>, Vec<PostgresTable>), CatalogError> {
    let mut found = Found::read(conn).await?;
    found.columns(conn).await?;
    found.dependents(conn).await?;
    found.indexes(conn).await?;
    found.constraints(conn).await?;
    found.foreign_keys(conn).await?;
    found.inheritance(conn).await?;
    found.policies(conn).await?;
    found.publications(conn).await?;
    found.publication_filters(conn).await?;
    found.obstacles(conn).await?;
    Ok(found.tables.into_iter().map(Entry::finish).unzip())
}

/// A table as it is put together.
struct Entry {
    table: Table,
    sheet: PostgresTable,
    /// Lines of its canonical text.
    lines: Vec<String>,
    /// How `REPLICA IDENTITY` stands in the catalog.
    replica_identity: String,
    /// Columns of the index that `REPLICA IDENTITY USING INDEX` names.
    identity_index: Vec<String>,
    /// Indexes that do not tell each row from every other.
    other_indexes: Vec<String>,
}

/// All tables, and where each is by its oid.
struct Found {
    tables: Vec<Entry>,
    places: HashMap<i64, usize>,
}

impl Found {
    async fn read(conn: &mut PgConnection) -> Result<Self, CatalogError> {
        // language=PostgreSQL
        const SQL: &str = "SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text,
                c.relpersistence::text, c.relrowsecurity, c.relforcerowsecurity,
                c.relreplident::text,
                CASE c.relkind WHEN 'r' THEN pg_catalog.age(c.relfrozenxid)::int8 ELSE 0 END,
                pg_catalog.pg_has_role(c.relowner, 'USAGE'),
                coalesce(pg_catalog.pg_get_partkeydef(c.oid), ''),
                coalesce(pg_catalog.pg_get_expr(c.relpartbound, c.oid), ''),
                pg_catalog.has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE'),
                EXISTS (SELECT FROM unnest(c.reloptions) AS o (said)
                        WHERE o.said ~* '^autovacuum_enabled=(of?f?|fa?l?s?e?|no?|0)$'),
                -- Rows are read where they lie: what a partitioned table says holds for none of them.
                c.relkind = 'r' AND pg_catalog.row_security_active(c.oid),
                pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
                pg_catalog.has_table_privilege(c.oid, 'SELECT')
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'f') AND {theirs} AND c.relpersistence <> 't'
            ORDER BY n.nspname, c.relname";
        let what = "the tables";
        let rows = ask(conn, what, SQL).await?;
        let (mut tables, mut places) = (Vec::with_capacity(rows.len()), HashMap::new());
        for row in &rows {
            let oid: i64 = row.try_get(0).map_err(failed(what))?;
            places.insert(oid, tables.len());
            tables.push(Entry::read(row).map_err(failed(what))?);
        }
        Ok(Self { tables, places })
    }

    /// What stands in the way of a rebuild, and how much there would be to build.
    async fn obstacles(&mut self, conn: &mut PgConnection) -> Result<(), CatalogError> {
        // language=PostgreSQL
        const SQL: &str = "SELECT c.oid::int8, pg_catalog.pg_table_size(c.oid),
                pg_catalog.pg_indexes_size(c.oid)
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND {theirs}";
        let what = "what stands in the way of a rebuild";
        for (oid, fact) in obstacles::find(conn, None).await.map_err(failed(what))? {
            if let Some(place) = self.places.get(&oid) {
                self.tables[*place].sheet.unrebuildable.push(fact);
            }
        }
        for row in ask(conn, what, SQL).await? {
            if let Some(entry) = self.of(&row).map_err(failed(what))? {
                let bytes = |at| -> Result<u64, sqlx::Error> {
                    // A table that is dropped meanwhile has no size.
                    Ok(row
                        .try_get::<Option<i64>, _>(at)?
                        .and_then(|b| b.try_into().ok())
                        .unwrap_or(0))
                };
                entry.sheet.row_bytes = bytes(1).map_err(failed(what))?;
                entry.sheet.index_bytes = bytes(2).map_err(failed(what))?;
            }
        }
        Ok(())
    }

    fn of(&mut self, row: &PgRow) -> Result<Option<&mut Entry>, sqlx::Error> {
        let oid: i64 = row.try_get(0)?;
        Ok(self.places.get(&oid).map(|place| &mut self.tables[*place]))
    }

    async fn columns(&mut self, conn: &mut PgConnection) -> Result<(), CatalogError> {
        // language=PostgreSQL
        const SQL: &str = "WITH RECURSIVE down (oid, base, typmod) AS (
                SELECT oid, oid, -1 FROM pg_catalog.pg_type WHERE typtype <> 'd'
                UNION ALL
                SELECT t.oid, d.base,
                    CASE WHEN t.typtypmod <> -1 THEN t.typtypmod ELSE d.typmod END
                FROM pg_catalog.pg_type t JOIN down d ON t.typbasetype = d.oid
                WHERE t.typtype = 'd')
            SELECT a.attrelid::int8, a.attname::text,
                pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
                a.attgenerated::text, a.attidentity::text,
                coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), ''),
                CASE WHEN bn.nspname = 'pg_catalog' OR b.typname = 'citext' THEN b.typname::text
                     ELSE bn.nspname || '.' || b.typname END,
                CASE WHEN b.typname IN ('varchar', 'bpchar', '_varchar', '_bpchar')
                     THEN nullif(CASE WHEN a.atttypmod <> -1 THEN a.atttypmod
                                      ELSE down.typmod END, -1) - 4 END,
                CASE WHEN t.typtype = 'd'
                     THEN pg_catalog.format_type(a.atttypid, NULL) END,
                coalesce(NOT co.collisdeterministic, false), co.collname::text,
                pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'UPDATE'),
                a.attinhcount > 0
            FROM pg_catalog.pg_attribute a
            JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
            JOIN down ON down.oid = a.atttypid
            JOIN pg_catalog.pg_type b ON b.oid = down.base
            JOIN pg_catalog.pg_namespace bn ON bn.oid = b.typnamespace
            LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
            WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f') AND {theirs}
            ORDER BY a.attrelid, a.attnum";
        let what = "the columns";
        for row in ask(conn, what, SQL).await? {
            if let Some(entry) = self.of(&row).map_err(failed(what))? {
                entry.add_column(&row).map_err(failed(what))?;
            }
        }
        Ok(())
    }

    /// What reads a column so that its type cannot be changed beneath it.
    async fn dependents(&mut self, conn: &mut PgConnection) -> Result<(), CatalogError> {
        // language=PostgreSQL
        const SQL: &str = "SELECT d.refobjid::int8, a.attname::text,
                d.classid IN ('pg_catalog.pg_policy'::pg_catalog.regclass,
                              'pg_catalog.pg_trigger'::pg_catalog.regclass,
                              'pg_catalog.pg_rewrite'::pg_catalog.regclass),
                pg_catalog.pg_describe_object(d.classid, d.objid, 0)
            FROM pg_catalog.pg_depend d
            JOIN pg_catalog.pg_class c ON c.oid = d.refobjid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
            LEFT JOIN pg_catalog.pg_trigger t
                ON d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND t.oid = d.objid
            LEFT JOIN pg_catalog.pg_rewrite r
                ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid
            WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
              AND c.relkind IN ('r', 'p', 'f') AND {theirs}
              AND (d.classid IN ('pg_catalog.pg_proc'::pg_catalog.regclass,
                                 'pg_catalog.pg_publication_rel'::pg_catalog.regclass,
                                 'pg_catalog.pg_policy'::pg_catalog.regclass)
                   OR (t.oid IS NOT NULL AND NOT t.tgisinternal)
                   OR r.rulename <> '_RETURN')
            GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 4";
        let what = "what reads the columns";
        for row in ask(conn, what, SQL).await? {
            let (column, is_dependent, name) = (|| -> Result<_, sqlx::Error> {
                Ok((text(&row, 1)?, row.try_get::<bool, _>(2)?, text(&row, 3)?))
            })()
            .map_err(failed(what))?;
            if let Some(entry) = self.of(&row).map_err(failed(what))?
                && let Some(facts) = entry.sheet.columns.iter_mut().find(|one| one.name == column)
            {
                if is_dependent { &mut facts.dependents } else { &mut facts.holders }.push(name);
            }
        }
        self.row_types(conn).await
    }

    /// What keeps the row type of a table as it is, and with it the type of every column: columns that
    /// hold whole rows of it, and a type that the table was made of.
    async fn row_types(&mut self, conn: &mut PgConnection) -> Result<(), CatalogError> {
        // language=PostgreSQL
        const SQL: &str = "SELECT c.oid::int8,
                pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_type ty ON ty.oid = c.reltype
            JOIN pg_catalog.pg_depend d
                ON d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
                AND d.refobjid IN (c.reltype, ty.typarray)
                AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objsubid > 0
            JOIN pg_catalog.pg_class o ON o.oid = d.objid AND o.relkind IN ('r', 'p', 'm', 'f')
            WHERE c.relkind IN ('r', 'p') AND {theirs}
            UNION ALL
            SELECT c.oid::int8, pg_catalog.pg_describe_object(
                'pg_catalog.pg_type'::pg_catalog.regclass, c.reloftype, 0)
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p') AND c.reloftype <> 0 AND {theirs}
            ORDER BY 1, 2";
        let what = "what uses the row types of tables";
        for row in ask(conn, what, SQL).await? {
            let holder = text(&row, 1).map_err(failed(what))?;
            if let Some(entry) = self.of(&row).map_err(failed(what))? {
                for column in &mut entry.sheet.columns {
                    column.holders.push(holder.clone());
                }
            }
        }
        Ok(())
    }

    async fn indexes(&mut self, conn: &mut PgConnection) -> Result<(), CatalogError> {
        // language=PostgreSQL
        const SQL: &str = "SELECT i.indrelid::int8, ic.relname::text,
                i.indisunique AND i.indisvalid, i.indisprimary, i.indisreplident,
                pg_catalog.pg_get_indexdef(i.indexrelid),
                pg_catalog.pg_get_expr(i.indpred, i.indrelid),
                EXISTS (SELECT FROM pg_catalog.pg_constraint con
                        WHERE con.conindid = i.indexrelid AND con.contype = 'u'),
                a.attname::text,
                CASE WHEN ty.typname = 'citext' THEN 'citext'
                     WHEN coalesce(co.collisdeterministic, true) THEN 'BINARY'
                     ELSE co.collname::text END,
                (i.indoption[k.at - 1] & 1) = 1,
                pg_catalog.pg_get_indexdef(i.indexrelid, k.at, true),
                i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
                    AND coalesce(a.attnotnull, false) AND oc.opcdefault
                    AND i.indcollation[k.at - 1] = a.attcollation
            FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
            JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            CROSS JOIN LATERAL pg_catalog.generate_series(1, i.indnkeyatts::int4) AS k (at)
            LEFT JOIN pg_catalog.pg_attribute a
                ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.at - 1] AND a.attnum > 0
            LEFT JOIN pg_catalog.pg_type ty ON ty.oid = a.atttypid
            LEFT JOIN pg_catalog.pg_collation co ON co.oid = i.indcollation[k.at - 1]
            JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[k.at - 1]
            WHERE c.relkind IN ('r', 'p') AND {theirs}
            ORDER BY i.indrelid, ic.relname, k.at";
        let what = "the indexes";
        for row in ask(conn, what, SQL).await? {
            if let Some(entry) = self.of(&row).map_err(failed(what))? {
                entry.add_index_key(&row).map_err(failed(what))?;
            }
        }
        Ok(())
    }

    async fn constraints(&mut self, conn: &mut PgConnection) -> Result<(), CatalogError> {
        // language=PostgreSQL
        const SQL: &str = "SELECT con.conrelid::int8, con.conname::text, con.contype::text,
                pg_catalog.pg_get_constraintdef(con.oid),
                pg_catalog.pg_get_expr(con.conbin, con.conrelid)
            FROM pg_catalog.pg_constraint con
            JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE con.contype IN ('c', 'f', 'p', 'u', 'x') AND {theirs}
              -- What follows from the foreign key of a partitioned table has a name of the server's.
              AND NOT (con.contype = 'f' AND con.conparentid <> 0)
            ORDER BY con.conrelid, con.conname";
        let what = "the constraints";
        for row in ask(conn, what, SQL).await? {
            if let Some(entry) = self.of(&row).map_err(failed(what))? {
                entry.add_constraint(&row).map_err(failed(what))?;
            }
        }
        Ok(())
    }

    async fn foreign_keys(&mut self, conn: &mut PgConnection) -> Result<(), CatalogError> {
        // language=PostgreSQL
        const SQL: &str = "SELECT con.conrelid::int8, con.conname::text, pn.nspname::text,
                p.relname::text, con.confupdtype::text, con.confdeltype::text, con.condeferrable,
                ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(con.conkey)
                          WITH ORDINALITY AS k (att, at)
                      JOIN pg_catalog.pg_attribute a
                          ON a.attrelid = con.conrelid AND a.attnum = k.att ORDER BY k.at),
                ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(con.confkey)
                          WITH ORDINALITY AS k (att, at)
                      JOIN pg_catalog.pg_attribute a
                          ON a.attrelid = con.confrelid AND a.attnum = k.att ORDER BY k.at),
                con.convalidated, con.conparentid <> 0
            FROM pg_catalog.pg_constraint con
            JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_class p ON p.oid = con.confrelid
            JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
            WHERE con.contype = 'f' AND {theirs}
            ORDER BY con.conrelid, con.conname";
        let what = "the foreign keys";
        for row in ask(conn, what, SQL).await? {
            if let Some(entry) = self.of(&row).map_err(failed(what))? {
                entry.add_foreign_key(&row).map_err(failed(what))?;
            }
        }
        Ok(())
    }

    async fn inheritance(&mut self, conn: &mut PgConnection) -> Result<(), CatalogError> {
        // language=PostgreSQL
        const CHILDREN: &str = "SELECT i.inhparent::int8, n.nspname::text, c.relname::text
            FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'f')
            ORDER BY 1, 2, 3";
        // language=PostgreSQL
        const KEYS: &str = "SELECT DISTINCT x.relid::int8, a.attname::text
            FROM pg_catalog.pg_partitioned_table pt
            JOIN pg_catalog.pg_class c ON c.oid = pt.partrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            CROSS JOIN LATERAL pg_catalog.pg_partition_tree(pt.partrelid) AS x
            -- Columns that cannot be dropped while the key needs them: those inside an expression
            -- depend on their table as well.
            JOIN pg_catalog.pg_attribute a ON a.attrelid = pt.partrelid AND a.attnum > 0
                AND (a.attnum = ANY (pt.partattrs) OR EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND d.objid = pt.partrelid AND d.objsubid = a.attnum
                      AND d.refclassid = d.classid AND d.refobjid = pt.partrelid
                      AND d.refobjsubid = 0 AND d.deptype = 'i'))
            WHERE {theirs} ORDER BY 1, 2";
        let what = "the partitions";
        for row in ask(conn, what, CHILDREN).await? {
            let child = name_at(&row, 1).map_err(failed(what))?;
            if let Some(entry) = self.of(&row).map_err(failed(what))? {
                entry.lines.push(format!("child {child}"));
                entry.sheet.children.push(child);
            }
        }
        for row in ask(conn, what, KEYS).await? {
            let column = text(&row, 1).map_err(failed(what))?;
            if let Some(entry) = self.of(&row).map_err(failed(what))? {
                entry.sheet.partition_key.push(column);
            }
        }
        Ok(())
    }

    async fn policies(&mut self, conn: &mut PgConnection) -> Result<(), CatalogError> {
        // language=PostgreSQL
        const POLICIES: &str = "SELECT p.polrelid::int8, p.polname::text, p.polcmd::text,
                p.polpermissive::text, coalesce(pg_catalog.pg_get_expr(p.polqual, p.polrelid), ''),
                coalesce(pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), '')
            FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {theirs} ORDER BY 1, 2";
        // language=PostgreSQL
        const RULES: &str = "SELECT r.ev_class::int8, r.rulename::text, r.ev_type::text,
                pg_catalog.pg_get_ruledef(r.oid), r.ev_enabled::text
            FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE r.rulename <> '_RETURN' AND c.relkind IN ('r', 'p') AND {theirs} ORDER BY 1, 2";
        let what = "the row security and the rules";
        for row in ask(conn, what, POLICIES).await? {
            if let Some(entry) = self.of(&row).map_err(failed(what))? {
                let parts: Vec<String> = (1..6)
                    .map(|at| text(&row, at))
                    .collect::<Result<_, _>>()
                    .map_err(failed(what))?;
                entry.lines.push(format!("policy {}", parts.join(" ")));
            }
        }
        for row in ask(conn, what, RULES).await? {
            if let Some(entry) = self.of(&row).map_err(failed(what))? {
                entry.add_rule(&row).map_err(failed(what))?;
            }
        }
        Ok(())
    }

    async fn publications(&mut self, conn: &mut PgConnection) -> Result<(), CatalogError> {
        // language=PostgreSQL
        const SQL: &str = "SELECT c.oid::int8, p.pubname::text
            FROM pg_catalog.pg_publication_tables p
            JOIN pg_catalog.pg_namespace n ON n.nspname = p.schemaname
            JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
            JOIN pg_catalog.pg_publication pub ON pub.pubname = p.pubname AND pub.pubupdate
            WHERE {theirs} ORDER BY 1, 2";
        let what = "the publications";
        for row in ask(conn, what, SQL).await? {
            let name = text(&row, 1).map_err(failed(what))?;
            if let Some(entry) = self.of(&row).map_err(failed(what))? {
                entry.lines.push(format!("publication {name}"));
                entry.sheet.publications.push(name);
            }
        }
        for entry in self.tables.iter_mut().filter(|entry| !entry.sheet.publications.is_empty()) {
            entry.sheet.update_refused = refusal(conn, &entry.table).await.map_err(failed(what))?;
        }
        Ok(())
    }

    /// Conditions of publications, and which columns they read.
    async fn publication_filters(&mut self, conn: &mut PgConnection) -> Result<(), CatalogError> {
        // The server keeps one dependency for the list of columns and one for the condition: a column
        // that is in the list counts where there are two.
        // language=PostgreSQL
        const SQL: &str = "SELECT c.oid::int8, pub.pubname::text, pub.pubupdate,
                ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                      WHERE a.attrelid = pr.prrelid AND a.attnum > 0
                        AND (SELECT count(*) FROM pg_catalog.pg_depend d
                             WHERE d.classid = 'pg_catalog.pg_publication_rel'::pg_catalog.regclass
                               AND d.objid = pr.oid
                               AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                               AND d.refobjid = pr.prrelid AND d.refobjsubid = a.attnum)
                            > CASE WHEN a.attnum = ANY (pr.prattrs) THEN 1 ELSE 0 END
                      ORDER BY a.attnum),
                pg_catalog.pg_get_expr(pr.prqual, pr.prrelid)
            FROM pg_catalog.pg_publication_rel pr
            JOIN pg_catalog.pg_publication pub ON pub.oid = pr.prpubid
            JOIN pg_catalog.pg_class c ON c.oid = pr.prrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE pr.prqual IS NOT NULL AND {theirs} ORDER BY 1, 2";
        // Before version 15 a publication has no conditions, and the catalog no column for them.
        if conn.server_version_num().is_none_or(|version| version < 150_000) {
            return Ok(());
        }
        let what = "the publications";
        for row in ask(conn, what, SQL).await? {
            let filter = (|| -> Result<_, sqlx::Error> {
                Ok(PublicationFilter {
                    publication: text(&row, 1)?,
                    columns: row.try_get(3)?,
                    is_of_updates: row.try_get(2)?,
                })
            })()
            .map_err(failed(what))?;
            let condition = text(&row, 4).map_err(failed(what))?;
            if let Some(entry) = self.of(&row).map_err(failed(what))? {
                entry.lines.push(format!("publication {} where {condition}", filter.publication));
                entry.sheet.publication_filters.push(filter);
            }
        }
        Ok(())
    }
}

/// Why the server would refuse to update a table that is published; `None` where it would not, and
/// where the role may not.
///
/// The server is asked, by the plan of an UPDATE that is not carried out: it alone knows how lists of
/// columns and conditions of publications go together with what subscribers find rows by. A table that
/// somebody has locked is not waited for: nothing is said of it then.
async fn refusal(conn: &mut PgConnection, table: &Table) -> Result<Option<String>, sqlx::Error> {
    const BEGIN: &str = "SAVEPOINT sealift_published; SET LOCAL lock_timeout = '100ms'";
    // ORDER: back first, which lets go of the table and of the setting.
    const END: &str =
        "ROLLBACK TO SAVEPOINT sealift_published; RELEASE SAVEPOINT sealift_published";
    let Some(column) = table.columns.first() else { return Ok(None) };
    let sql = format!(
        "EXPLAIN UPDATE ONLY {} SET {} = DEFAULT",
        table_sql(&table.name)?,
        quoted(&column.name)?
    );
    sqlx::raw_sql(BEGIN).execute(&mut *conn).await?;
    let asked = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await;
    sqlx::raw_sql(END).execute(conn).await?;
    let refused = asked.err().and_then(sqlx::Error::into_database_error);
    // 42P10: columns; 55000: no identity; 0A000: generated columns among them.
    let refused = refused.filter(|error| {
        error.code().is_some_and(|code| ["42P10", "55000", "0A000"].contains(&&*code))
    });
    let Some(refused) = refused.and_then(|error| error.try_downcast::<PgDatabaseError>().ok())
    else {
        return Ok(None);
    };
    Ok(Some(refused.detail().unwrap_or(refused.message()).trim_end_matches('.').to_owned()))
}

impl Entry {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let name = name_at(row, 1)?;
        let (kind, persistence) = (text(row, 3)?, text(row, 4)?);
        let (secured, forced): (bool, bool) = (row.try_get(5)?, row.try_get(6)?);
        let replica_identity = text(row, 7)?;
        let lines = vec![
            format!("kind {kind}{persistence}"),
            format!("row_security {secured} {forced}"),
            format!("replica_identity {replica_identity}"),
            format!("partition {} {}", text(row, 10)?, text(row, 11)?),
        ];
        let sheet = PostgresTable {
            name: name.clone(),
            columns: Vec::new(),
            children: Vec::new(),
            partition_key: Vec::new(),
            keys: Vec::new(),
            has_row_security: secured,
            forces_row_security: forced,
            hides_rows: row.try_get(14)?,
            may_use_schema: row.try_get(15)?,
            may_select: row.try_get(16)?,
            update_rules: Vec::new(),
            publications: Vec::new(),
            update_refused: None,
            publication_filters: Vec::new(),
            replica_identity: ReplicaIdentity::Nothing,
            is_owned: row.try_get(9)?,
            may_lock: row.try_get(12)?,
            frozen_age: row.try_get(8)?,
            is_unlogged: persistence == "u",
            unrebuildable: Vec::new(),
            row_bytes: 0,
            index_bytes: 0,
            is_not_vacuumed: row.try_get(13)?,
            exclusions: Vec::new(),
            index_expressions: Vec::new(),
            foreign_keys: Vec::new(),
        };
        let table = Table {
            name,
            kind: match kind.as_str() {
                "p" => TableKind::Partitioned,
                "f" => TableKind::Foreign,
                _ => TableKind::Ordinary,
            },
            sql: String::new(),
            strict: false,
            without_rowid: false,
            columns: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
        };
        let (identity_index, other_indexes) = (Vec::new(), Vec::new());
        Ok(Self { table, sheet, lines, replica_identity, identity_index, other_indexes })
    }

    fn add_column(&mut self, row: &PgRow) -> Result<(), sqlx::Error> {
        let (name, declared) = (text(row, 1)?, text(row, 2)?);
        let (not_null, generated, identity) = (row.try_get(3)?, text(row, 4)?, text(row, 5)?);
        let expression = text(row, 6)?;
        let collation: Option<String> = row.try_get(11)?;
        let chars: Option<i32> = row.try_get(8)?;
        let facts = PostgresColumn {
            name: name.clone(),
            base_type: text(row, 7)?,
            chars_max: chars.and_then(|chars| u64::try_from(chars).ok()),
            domain: row.try_get(9)?,
            is_nondeterministic: row.try_get(10)?,
            is_identity: !identity.is_empty(),
            is_inherited: row.try_get(13)?,
            dependents: Vec::new(),
            holders: Vec::new(),
            may_update: row.try_get(12)?,
        };
        self.lines.push(format!(
            "column {name} {declared} not_null={not_null} generated={generated} \
             identity={identity} default={expression} collation={}",
            collation.as_deref().unwrap_or_default()
        ));
        let is_generated = !generated.is_empty();
        self.table.columns.push(Column {
            name,
            declared,
            affinity: if facts.is_text() { Affinity::Text } else { Affinity::Blob },
            not_null,
            primary_key: None,
            generated: is_generated
                .then(|| Generated { stored: generated == "s", expression: expression.clone() }),
            collation: match facts.base_type.as_str() {
                "citext" => Some("citext".to_owned()),
                _ => collation.filter(|_| facts.is_nondeterministic),
            },
            default: (!is_generated && !expression.is_empty()).then_some(expression),
            rowid_alias: false,
            hidden: false,
        });
        self.sheet.columns.push(facts);
        Ok(())
    }

    fn add_index_key(&mut self, row: &PgRow) -> Result<(), sqlx::Error> {
        let name = text(row, 1)?;
        let column: Option<String> = row.try_get(8)?;
        let (is_primary, is_identity): (bool, bool) = (row.try_get(3)?, row.try_get(4)?);
        let tells_rows_apart = row.try_get::<Option<bool>, _>(12)?.unwrap_or(false);
        if self.table.indexes.last().is_none_or(|index| index.name != name) {
            self.table.indexes.push(Index {
                name: name.clone(),
                unique: row.try_get(2)?,
                origin: match (is_primary, row.try_get(7)?) {
                    (true, _) => IndexOrigin::PrimaryKey,
                    (false, true) => IndexOrigin::UniqueConstraint,
                    (false, false) => IndexOrigin::Created,
                },
                keys: Vec::new(),
                predicate: row.try_get(6)?,
                sql: text(row, 5)?,
            });
        }
        // INVARIANT: the index was pushed above if it was not there.
        let Some(index) = self.table.indexes.last_mut() else { return Ok(()) };
        if let Some(column) = &column {
            let place = u32::try_from(index.keys.len() + 1).unwrap_or(u32::MAX);
            let known = self.table.columns.iter_mut().find(|known| &known.name == column);
            if let Some(known) = known.filter(|_| is_primary) {
                known.primary_key = Some(place);
            }
            if is_identity {
                self.identity_index.push(column.clone());
            }
        } else {
            self.sheet.index_expressions.push((name, text(row, 11)?));
        }
        let collation = text(row, 9)?;
        if !tells_rows_apart {
            self.other_indexes.push(index.name.clone());
        }
        index.keys.push(IndexKey { column, collation, descending: row.try_get(10)? });
        Ok(())
    }

    fn add_constraint(&mut self, row: &PgRow) -> Result<(), sqlx::Error> {
        let (name, kind, definition) = (text(row, 1)?, text(row, 2)?, text(row, 3)?);
        self.lines.push(format!("constraint {name} {definition}"));
        match kind.as_str() {
            "c" => self
                .table
                .checks
                .push(CheckConstraint { name: Some(name), expression: text(row, 4)? }),
            "x" => self.sheet.exclusions.push((name, definition)),
            _ => {}
        }
        Ok(())
    }

    fn add_foreign_key(&mut self, row: &PgRow) -> Result<(), sqlx::Error> {
        let key = PostgresForeignKey {
            name: text(row, 1)?,
            columns: row.try_get(7)?,
            parent: name_at(row, 2)?,
            parent_columns: row.try_get(8)?,
            on_update: action(&text(row, 4)?).to_owned(),
            is_deferrable: row.try_get(6)?,
            is_validated: row.try_get(9)?,
            is_inherited: row.try_get(10)?,
        };
        self.table.foreign_keys.push(ForeignKey {
            columns: key.columns.clone(),
            parent: key.parent.clone(),
            parent_columns: key.parent_columns.clone(),
            on_update: key.on_update.clone(),
            on_delete: action(&text(row, 5)?).to_owned(),
        });
        self.sheet.foreign_keys.push(key);
        Ok(())
    }

    fn add_rule(&mut self, row: &PgRow) -> Result<(), sqlx::Error> {
        let (name, event) = (text(row, 1)?, text(row, 2)?);
        let (definition, enabled) = (text(row, 3)?, text(row, 4)?);
        self.lines.push(format!("rule {name} {definition} {enabled}"));
        // 2 is UPDATE (`CmdType` of the server).
        if event == "2" && enabled != "D" {
            self.sheet.update_rules.push(name);
        }
        Ok(())
    }

    fn finish(mut self) -> (Table, PostgresTable) {
        self.sheet.replica_identity = match self.replica_identity.as_str() {
            "f" => ReplicaIdentity::Full,
            "i" => ReplicaIdentity::Key(self.identity_index),
            "d" => ReplicaIdentity::Key(
                self.table
                    .columns
                    .iter()
                    .filter(|column| column.primary_key.is_some())
                    .map(|column| column.name.clone())
                    .collect(),
            ),
            _ => ReplicaIdentity::Nothing,
        };
        let mut keys: Vec<&Index> = self.table.indexes.iter().collect();
        keys.retain(|index| !self.other_indexes.contains(&index.name));
        // The sort is stable, and the catalog's order that of the names.
        keys.sort_by_key(|index| (index.origin != IndexOrigin::PrimaryKey, index.keys.len()));
        self.sheet.keys = keys
            .into_iter()
            .map(|index| index.keys.iter().filter_map(|key| key.column.clone()).collect())
            .collect();
        self.table.sql = self.lines.join("\n");
        (self.table, self.sheet)
    }
}

/// What a foreign key does, as SQL says it.
fn action(letter: &str) -> &'static str {
    match letter {
        "r" => "RESTRICT",
        "c" => "CASCADE",
        "n" => "SET NULL",
        "d" => "SET DEFAULT",
        _ => "NO ACTION",
    }
}
