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
WITH RECURSIVE t AS MATERIALIZED (
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
    SELECT t.oid AS t, t.relowner, con.oid, con.conname, con.conrelid, con.confrelid, con.conparentid
    FROM t JOIN pg_catalog.pg_constraint con
        ON con.contype = 'f' AND (con.conrelid = t.oid OR con.confrelid = t.oid)
),
-- What travels as text: what is generated does not.
told AS MATERIALIZED (
    SELECT t.oid AS t, a.attname, a.atttypid
    FROM t JOIN pg_catalog.pg_attribute a
        ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
),
-- Its types, and those inside them: of elements, of fields, below a domain.
inside (whole, typ) AS (
    SELECT DISTINCT told.atttypid, told.atttypid FROM told
    UNION
    SELECT inside.whole, part.typ
    FROM inside JOIN pg_catalog.pg_type ty ON ty.oid = inside.typ
    CROSS JOIN LATERAL (
        SELECT ty.typelem UNION ALL SELECT ty.typbasetype UNION ALL
        SELECT f.atttypid FROM pg_catalog.pg_attribute f
        WHERE f.attrelid = ty.typrelid AND f.attnum > 0 AND NOT f.attisdropped
    ) AS part (typ)
    WHERE part.typ <> 0
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
-- Made anew, it has the name of the one that it follows from.
SELECT DISTINCT keys.t::int8, pg_catalog.format(
    'foreign key `%s` of `%s` follows from `%s` and has a name or a comment of its own',
    keys.conname, pc.relname, above.conname)
FROM keys JOIN pg_catalog.pg_constraint above ON above.oid = keys.conparentid
JOIN pg_catalog.pg_class pc ON pc.oid = keys.conrelid
WHERE (keys.conrelid <> above.conrelid AND keys.conname <> above.conname)
   OR pg_catalog.obj_description(keys.oid, 'pg_constraint') IS NOT NULL
UNION ALL
-- What is not over a btree is made anew by the definition of the constraint alone.
SELECT t.oid::int8,
    pg_catalog.format('the definition of `%s` leaves out the settings of its index', con.conname)
FROM t JOIN pg_catalog.pg_constraint con ON con.conrelid = t.oid AND con.contype IN ('p', 'u')
JOIN pg_catalog.pg_class ic ON ic.oid = con.conindid AND ic.reloptions IS NOT NULL
JOIN pg_catalog.pg_am am ON am.oid = ic.relam AND am.amname <> 'btree'
UNION ALL
SELECT DISTINCT told.t::int8, pg_catalog.format('its column `%s` holds `%s`, whose text %s',
    told.attname, ty.typname,
    CASE ty.typname WHEN 'xml' THEN 'leaves out the encoding that its declaration names'
        ELSE 'depends on where names are looked for' END)
FROM told JOIN inside ON inside.whole = told.atttypid
JOIN pg_catalog.pg_type ty ON ty.oid = inside.typ
    AND ty.typnamespace = 'pg_catalog'::pg_catalog.regnamespace
WHERE ty.typname IN ('xml', 'regclass', 'regcollation', 'regconfig', 'regdictionary', 'regoper',
    'regoperator', 'regproc', 'regprocedure', 'regtype')
UNION ALL
-- Built-in functions are not noted. Before PostgreSQL 15 it is the column that is noted as depending.
SELECT DISTINCT t.oid::int8, pg_catalog.format(
    'its generated column `%s` calls %s, which may come to another value when it is computed anew',
    a.attname, pg_catalog.pg_describe_object(d.refclassid, d.refobjid, 0))
FROM t JOIN pg_catalog.pg_attribute a
    ON a.attrelid = t.oid AND a.attgenerated = 's' AND NOT a.attisdropped
JOIN pg_catalog.pg_attrdef def ON def.adrelid = a.attrelid AND def.adnum = a.attnum
JOIN pg_catalog.pg_depend d
    ON (d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = def.oid)
    OR (d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = t.oid
        AND d.objsubid = a.attnum)
WHERE d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass,
    'pg_catalog.pg_operator'::pg_catalog.regclass)
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
