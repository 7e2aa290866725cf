//! Indexes and extended statistics of tables whose columns change their type.
//!
//! The server makes them anew by itself, and forgets what is not part of their definition: what the
//! index of a partition was called, what it says of itself, what a table is clustered on, how much
//! of it is sampled, whose the statistics are. Here that is read before, and given back where it is
//! not as it was.

use std::collections::HashMap;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _};

use super::run;

/// Everything that is said of these indexes and statistics, by which of them is meant: its table,
/// and the name of the topmost index that it belongs to, which the server keeps.
pub(super) struct Known(HashMap<(i64, String), Said>);

/// What is said of one of them.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    /// Its schema and its name, quoted; the table, quoted and with its schema.
    schema: String,
    name: String,
    table: String,
    /// `INDEX` or `STATISTICS`.
    kind: String,
    comment: Option<String>,
    /// Of the constraint that it keeps, which is called as it is.
    constraint_comment: Option<String>,
    is_clustered: bool,
    is_replica_identity: bool,
    /// `name = value`, each.
    options: Vec<String>,
    /// Which column of it is sampled how much; 0: the whole.
    targets: Vec<String>,
    /// Whose they are, quoted; an index is whose its table is.
    owner: Option<String>,
}

/// Reads what there is over the tables of these columns.
pub(super) async fn read(
    connection: &mut PgConnection,
    columns: &[(i64, i16)],
) -> Result<Known, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT i.indrelid::int8,
            coalesce(pg_catalog.pg_partition_root(i.indexrelid), i.indexrelid::regclass)::text,
            pg_catalog.quote_ident(n.nspname), pg_catalog.quote_ident(c.relname),
            i.indrelid::pg_catalog.regclass::text, 'INDEX',
            pg_catalog.obj_description(c.oid, 'pg_class'),
            (SELECT pg_catalog.obj_description(k.oid, 'pg_constraint')
             FROM pg_catalog.pg_constraint k
             WHERE k.conindid = c.oid AND k.conrelid = i.indrelid
               AND k.contype IN ('p', 'u', 'x')),
            i.indisclustered, i.indisreplident,
            ARRAY(SELECT pg_catalog.quote_ident(o.option_name) || ' = ' ||
                      pg_catalog.quote_literal(o.option_value)
                  FROM pg_catalog.pg_options_to_table(c.reloptions) o ORDER BY 1),
            ARRAY(SELECT a.attnum || ' ' || a.attstattarget FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = c.oid AND coalesce(a.attstattarget, -1) <> -1
                  ORDER BY a.attnum), NULL::text
        FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE i.indrelid::int8 = ANY ($1)
        UNION ALL
        SELECT e.stxrelid::int8, 'statistics ' || n.nspname || '.' || e.stxname,
            pg_catalog.quote_ident(n.nspname), pg_catalog.quote_ident(e.stxname),
            e.stxrelid::pg_catalog.regclass::text, 'STATISTICS',
            pg_catalog.obj_description(e.oid, 'pg_statistic_ext'), NULL, false, false, '{}',
            CASE WHEN coalesce(e.stxstattarget, -1) <> -1
                 THEN ARRAY['0 ' || e.stxstattarget] ELSE '{}' END,
            -- As far as the role may give them to somebody else.
            CASE WHEN pg_catalog.current_setting('is_superuser') = 'on'
                      OR (pg_catalog.pg_has_role(e.stxowner, 'MEMBER') AND
                          pg_catalog.has_schema_privilege(e.stxowner, e.stxnamespace, 'CREATE'))
                 THEN pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.stxowner)) END
        FROM pg_catalog.pg_statistic_ext e
        JOIN pg_catalog.pg_namespace n ON n.oid = e.stxnamespace
        WHERE e.stxrelid::int8 = ANY ($1)";
    let mut tables: Vec<i64> = columns.iter().map(|(table, _)| *table).collect();
    tables.sort_unstable();
    tables.dedup();
    let rows = sqlx::query(AssertSqlSafe(SQL)).bind(tables).fetch_all(connection).await?;
    let known = rows.iter().map(|row| Ok(((row.try_get(0)?, row.try_get(1)?), said(row)?)));
    Ok(Known(known.collect::<Result<_, sqlx::Error>>()?))
}

fn said(row: &PgRow) -> Result<Said, sqlx::Error> {
    Ok(Said {
        schema: row.try_get(2)?,
        name: row.try_get(3)?,
        table: row.try_get(4)?,
        kind: row.try_get(5)?,
        comment: row.try_get(6)?,
        constraint_comment: row.try_get(7)?,
        is_clustered: row.try_get(8)?,
        is_replica_identity: row.try_get(9)?,
        options: row.try_get(10)?,
        targets: row.try_get(11)?,
        owner: row.try_get(12)?,
    })
}

/// Makes what is said now what was said before.
pub(super) async fn give_back(
    connection: &mut PgConnection,
    columns: &[(i64, i16)],
    before: &Known,
) -> Result<(), sqlx::Error> {
    let now = read(connection, columns).await?;
    let mut pairs: Vec<(&Said, &Said)> = before
        .0
        .iter()
        .filter_map(|(which, was)| Some((was, now.0.get(which)?)))
        .filter(|(was, is)| was != is)
        .collect();
    pairs.sort_by(|(one, _), (other, _)| {
        (&one.schema, &one.name).cmp(&(&other.schema, &other.name))
    });
    // ORDER: two may have each other's name; so each gives up its own before one is given.
    let renamed: Vec<_> = pairs.iter().filter(|(was, is)| was.name != is.name).collect();
    for (number, (_, is)) in renamed.iter().enumerate() {
        let sql = format!("ALTER INDEX {}.{} RENAME TO sealift_{number}", is.schema, is.name);
        run(connection, &sql).await?;
    }
    for (number, (was, _)) in renamed.iter().enumerate() {
        let sql = format!("ALTER INDEX {}.sealift_{number} RENAME TO {}", was.schema, was.name);
        run(connection, &sql).await?;
    }
    for (was, is) in pairs {
        for sql in statements(was, is) {
            run(connection, &sql).await?;
        }
    }
    Ok(())
}

/// What makes one of them what it was; its name is right already.
fn statements(was: &Said, is: &Said) -> Vec<String> {
    let Said { schema, name, table, kind, .. } = was;
    let mut all = Vec::new();
    if was.comment != is.comment {
        all.push(format!(
            "COMMENT ON {kind} {schema}.{name} IS {}",
            literal(was.comment.as_deref())
        ));
    }
    if was.constraint_comment != is.constraint_comment {
        let comment = literal(was.constraint_comment.as_deref());
        all.push(format!("COMMENT ON CONSTRAINT {name} ON {table} IS {comment}"));
    }
    if was.is_clustered && !is.is_clustered {
        all.push(format!("ALTER TABLE ONLY {table} CLUSTER ON {name}"));
    }
    if was.is_replica_identity && !is.is_replica_identity {
        all.push(format!("ALTER TABLE ONLY {table} REPLICA IDENTITY USING INDEX {name}"));
    }
    if was.options != is.options {
        let names: Vec<&str> =
            is.options.iter().filter_map(|option| option.split(" = ").next()).collect();
        if !names.is_empty() {
            all.push(format!("ALTER INDEX {schema}.{name} RESET ({})", names.join(", ")));
        }
        if !was.options.is_empty() {
            all.push(format!("ALTER INDEX {schema}.{name} SET ({})", was.options.join(", ")));
        }
    }
    for target in was.targets.iter().filter(|target| !is.targets.contains(target)) {
        let Some((column, target)) = target.split_once(' ') else { continue };
        let column = if column == "0" { String::new() } else { format!(" ALTER COLUMN {column}") };
        all.push(format!("ALTER {kind} {schema}.{name}{column} SET STATISTICS {target}"));
    }
    // ORDER: last, while they are still ours to alter.
    if let Some(owner) = was.owner.as_ref().filter(|_| was.owner != is.owner) {
        all.push(format!("ALTER {kind} {schema}.{name} OWNER TO {owner}"));
    }
    all
}

/// A text as SQL writes it under `standard_conforming_strings`, which our sessions have.
fn literal(text: Option<&str>) -> String {
    text.map_or_else(|| "NULL".to_owned(), |text| format!("'{}'", text.replace('\'', "''")))
}
