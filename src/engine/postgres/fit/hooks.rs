//! Rules, policies and triggers of tables that read a column or a view, written down so that they
//! come back as they were.

use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::Script;
use super::views::View;

/// Writes down what hangs on these columns, and on these views, and belongs to a table that stays.
pub(super) async fn capture(
    connection: &mut PgConnection,
    columns: &[(i64, i16)],
    views: &[View],
    script: &mut Script,
) -> Result<(), sqlx::Error> {
    let (tables, numbers): (Vec<i64>, Vec<i16>) = columns.iter().copied().unzip();
    let views: Vec<i64> = views.iter().map(|view| view.oid).collect();
    for sql in [RULES, TRIGGERS, COPIES, POLICIES] {
        let rows = sqlx::query(sql)
            .bind(&tables)
            .bind(&numbers)
            .bind(&views)
            .fetch_all(&mut *connection)
            .await?;
        for row in rows {
            if let Some(sql) = row.try_get::<Option<String>, _>(0)? {
                script.drop(sql);
            }
            for at in 1..4 {
                if let Some(sql) = row.try_get::<Option<String>, _>(at)? {
                    script.make(sql);
                }
            }
        }
    }
    Ok(())
}

// What reads one of the columns or one of the views: `d` is `pg_depend`.
// language=PostgreSQL
const RULES: &str = "SELECT DISTINCT
        'DROP RULE ' || pg_catalog.quote_ident(r.rulename) || ' ON ' || own.name,
        pg_catalog.pg_get_ruledef(r.oid),
        'COMMENT ON RULE ' || pg_catalog.quote_ident(r.rulename) || ' ON ' || own.name || ' IS ' ||
            pg_catalog.quote_literal(pg_catalog.obj_description(r.oid, 'pg_rewrite')),
        'ALTER TABLE ' || own.name || CASE r.ev_enabled WHEN 'D' THEN ' DISABLE RULE '
            WHEN 'R' THEN ' ENABLE REPLICA RULE ' WHEN 'A' THEN ' ENABLE ALWAYS RULE ' END ||
            pg_catalog.quote_ident(r.rulename)
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.rulename <> '_RETURN'
    JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL pg_catalog.concat(pg_catalog.quote_ident(n.nspname), '.', pg_catalog.quote_ident(c.relname))
        AS own (name)
    WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND c.oid::int8 <> ALL ($3::int8[])
      AND (d.refobjid::int8 = ANY ($3::int8[])
           OR EXISTS (SELECT FROM unnest($1::int8[], $2::int2[]) AS k (o, a)
                      WHERE d.refobjid::int8 = k.o AND d.refobjsubid = k.a))
    ORDER BY 1";

// A trigger that a partition has from above comes back with the one above.
// language=PostgreSQL
const TRIGGERS: &str = "SELECT DISTINCT
        'DROP TRIGGER ' || pg_catalog.quote_ident(t.tgname) || ' ON ' || own.name,
        pg_catalog.pg_get_triggerdef(t.oid),
        'COMMENT ON TRIGGER ' || pg_catalog.quote_ident(t.tgname) || ' ON ' || own.name || ' IS ' ||
            pg_catalog.quote_literal(pg_catalog.obj_description(t.oid, 'pg_trigger')),
        'ALTER TABLE ' || own.name || CASE t.tgenabled WHEN 'D' THEN ' DISABLE TRIGGER '
            WHEN 'R' THEN ' ENABLE REPLICA TRIGGER ' WHEN 'A' THEN ' ENABLE ALWAYS TRIGGER ' END ||
            pg_catalog.quote_ident(t.tgname)
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_trigger t ON t.oid = d.objid AND NOT t.tgisinternal AND t.tgparentid = 0
    JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL pg_catalog.concat(pg_catalog.quote_ident(n.nspname), '.', pg_catalog.quote_ident(c.relname))
        AS own (name)
    WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND c.oid::int8 <> ALL ($3::int8[])
      AND EXISTS (SELECT FROM unnest($1::int8[], $2::int2[]) AS k (o, a)
                  WHERE d.refobjid::int8 = k.o AND d.refobjsubid = k.a)
    ORDER BY 1";

// What a partition has from above is switched as the one above, unless somebody switched it apart.
// language=PostgreSQL
const COPIES: &str = "WITH RECURSIVE up (copy, oid, parent) AS (
        SELECT t.oid, t.oid, t.tgparentid FROM pg_catalog.pg_trigger t WHERE t.tgparentid <> 0
        UNION ALL
        SELECT up.copy, t.oid, t.tgparentid FROM up
        JOIN pg_catalog.pg_trigger t ON t.oid = up.parent)
    SELECT DISTINCT NULL::text, NULL::text, NULL::text,
        'ALTER TABLE ONLY ' || own.name || CASE t.tgenabled WHEN 'D' THEN ' DISABLE TRIGGER '
            WHEN 'R' THEN ' ENABLE REPLICA TRIGGER ' WHEN 'A' THEN ' ENABLE ALWAYS TRIGGER '
            ELSE ' ENABLE TRIGGER ' END || pg_catalog.quote_ident(t.tgname)
    FROM up JOIN pg_catalog.pg_trigger top ON top.oid = up.oid AND up.parent = 0
    JOIN pg_catalog.pg_trigger t ON t.oid = up.copy AND t.tgenabled <> top.tgenabled
    JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_depend d ON d.objid = top.oid
        AND d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
    CROSS JOIN LATERAL pg_catalog.concat(pg_catalog.quote_ident(n.nspname), '.', pg_catalog.quote_ident(c.relname))
        AS own (name)
    WHERE NOT top.tgisinternal AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND top.tgrelid::int8 <> ALL ($3::int8[])
      AND EXISTS (SELECT FROM unnest($1::int8[], $2::int2[]) AS k (o, a)
                  WHERE d.refobjid::int8 = k.o AND d.refobjsubid = k.a)
    ORDER BY 4";

// language=PostgreSQL
const POLICIES: &str = "SELECT DISTINCT
        'DROP POLICY ' || pg_catalog.quote_ident(p.polname) || ' ON ' || own.name,
        'CREATE POLICY ' || pg_catalog.quote_ident(p.polname) || ' ON ' || own.name || ' AS ' ||
            CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END || ' FOR ' ||
            CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                          WHEN 'd' THEN 'DELETE' ELSE 'ALL' END || ' TO ' ||
            (SELECT pg_catalog.string_agg(CASE r.id WHEN 0 THEN 'PUBLIC'
                        ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r.id)) END, ', ' ORDER BY r.at)
             FROM pg_catalog.unnest(p.polroles) WITH ORDINALITY AS r (id, at)) ||
            coalesce(' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', '') ||
            coalesce(' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')',
                     ''),
        'COMMENT ON POLICY ' || pg_catalog.quote_ident(p.polname) || ' ON ' || own.name || ' IS ' ||
            pg_catalog.quote_literal(pg_catalog.obj_description(p.oid, 'pg_policy')),
        NULL::text
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_policy p ON p.oid = d.objid
    JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL pg_catalog.concat(pg_catalog.quote_ident(n.nspname), '.', pg_catalog.quote_ident(c.relname))
        AS own (name)
    WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND (d.refobjid::int8 = ANY ($3::int8[])
           OR EXISTS (SELECT FROM unnest($1::int8[], $2::int2[]) AS k (o, a)
                      WHERE d.refobjid::int8 = k.o AND d.refobjsubid = k.a))
    ORDER BY 1";
