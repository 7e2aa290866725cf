//! What stands in the way of a rebuild of a table, as its catalog tells: whatever could not be put
//! back exactly as it was, or would see what it must not see.
//!
//! The plan asks for all tables, the rebuild once more under its lock; it does not know the policy.

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

/// Each obstacle as (oid of the table, what is said of it). `$1` is the one table that is looked at,
/// or NULL for all.
// language=PostgreSQL
const SQL: &str = "
WITH t AS MATERIALIZED (
    SELECT c.oid, c.relispartition, c.relowner, c.relrowsecurity, c.relforcerowsecurity
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^pg_'
      AND n.nspname NOT IN ('information_schema', 'sealift') AND ($1::int8 IS NULL OR c.oid = $1::int8::oid)
),
-- What is taken off the table and put back: its indexes, the constraints that rest on them.
own AS MATERIALIZED (
    SELECT t.oid AS t, 'pg_catalog.pg_class'::pg_catalog.regclass AS classid, i.indexrelid AS objid
    FROM t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
    UNION ALL
    SELECT t.oid, 'pg_catalog.pg_constraint'::pg_catalog.regclass, con.oid
    FROM t JOIN pg_catalog.pg_constraint con ON con.conrelid = t.oid AND con.contype IN ('p', 'u', 'x')
),
keys AS MATERIALIZED (
    SELECT t.oid AS t, t.relowner, con.oid, con.conname, con.conrelid, con.confrelid
    FROM t JOIN pg_catalog.pg_constraint con
        ON con.contype = 'f' AND (con.conrelid = t.oid OR con.confrelid = t.oid)
)
SELECT t.oid::int8, 'it is a partition' FROM t WHERE t.relispartition
UNION ALL
SELECT DISTINCT t.oid::int8, 'it inherits from a table, or a table inherits from it' FROM t
JOIN pg_catalog.pg_inherits h ON (h.inhrelid = t.oid OR h.inhparent = t.oid) AND NOT t.relispartition
UNION ALL
SELECT t.oid::int8, 'its row security binds its owner too' FROM t
WHERE t.relrowsecurity AND t.relforcerowsecurity
UNION ALL
SELECT t.oid::int8, pg_catalog.format('its index `%s` is not valid', ic.relname)
FROM t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid AND NOT (i.indisvalid AND i.indisready)
JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
UNION ALL
SELECT t.oid::int8,
    pg_catalog.format('its rows were never checked against `%s`, which is NOT VALID', con.conname)
FROM t JOIN pg_catalog.pg_constraint con
    ON con.conrelid = t.oid AND con.contype = 'c' AND NOT con.convalidated
UNION ALL
SELECT DISTINCT own.t::int8, pg_catalog.format('%s depends on %s',
    pg_catalog.pg_describe_object(d.classid, d.objid, 0),
    pg_catalog.pg_describe_object(d.refclassid, d.refobjid, 0))
FROM own JOIN pg_catalog.pg_depend d ON d.refclassid = own.classid AND d.refobjid = own.objid
WHERE d.deptype <> 'i'
  AND NOT (d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND EXISTS (
      SELECT FROM keys WHERE keys.t = own.t AND keys.oid = d.objid))
  AND NOT EXISTS (SELECT FROM own AS mine
      WHERE mine.t = own.t AND mine.classid = d.classid AND mine.objid = d.objid)
UNION ALL
SELECT DISTINCT own.t::int8, pg_catalog.format('%s depends on %s',
    pg_catalog.pg_describe_object(d.classid, d.objid, 0),
    pg_catalog.pg_describe_object(d.refclassid, d.refobjid, 0))
FROM own JOIN pg_catalog.pg_depend d ON d.classid = own.classid AND d.objid = own.objid
WHERE d.deptype IN ('x', 'e')
UNION ALL
SELECT DISTINCT keys.t::int8,
    pg_catalog.format('the checks of foreign key `%s` are switched off', keys.conname)
FROM keys JOIN pg_catalog.pg_trigger off ON off.tgconstraint = keys.oid AND off.tgenabled <> 'O'
UNION ALL
SELECT DISTINCT keys.t::int8,
    pg_catalog.format('foreign key `%s` joins it to a table of another owner', keys.conname)
FROM keys JOIN pg_catalog.pg_class other ON other.oid IN (keys.conrelid, keys.confrelid)
WHERE NOT pg_catalog.pg_has_role(other.relowner, 'USAGE')
UNION ALL
SELECT DISTINCT t.oid::int8, pg_catalog.format('publication `%s` leaves out inserts or truncations', p.pubname)
FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_publication_tables pt ON pt.schemaname = n.nspname AND pt.tablename = c.relname
JOIN pg_catalog.pg_publication p ON p.pubname = pt.pubname AND NOT (p.pubinsert AND p.pubtruncate)
UNION ALL
SELECT t.oid::int8, pg_catalog.format('event trigger `%s` would fire when its indexes are made anew', e.evtname)
FROM t, pg_catalog.pg_event_trigger e WHERE e.evtenabled <> 'D' AND e.evtevent <> 'login'
UNION ALL
SELECT t.oid::int8, 'the role may not make temporary tables' FROM t
WHERE NOT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMP')
ORDER BY 1, 2";

/// What stands in the way: of one table, or of all. Each as (oid of the table, what).
pub(in super::super) async fn find(
    connection: &mut PgConnection,
    table: Option<i64>,
) -> Result<Vec<(i64, String)>, sqlx::Error> {
    let rows = sqlx::query(SQL).bind(table).fetch_all(connection).await?;
    rows.iter().map(|row: &PgRow| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
