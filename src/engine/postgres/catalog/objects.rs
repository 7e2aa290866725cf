//! What is no table: triggers, views, event triggers, and the role of the session.

use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::super::shape::qualified;
use super::{CatalogError, ask, failed, name_at, text};
use crate::catalog::postgres::{EventTrigger, PostgresPolicy, PostgresTrigger, PostgresView, Role};
use crate::catalog::{Trigger, View};
use crate::policy::ColumnName;

/// Bits of `pg_trigger.tgtype`.
const ROW: i16 = 1;
const BEFORE: i16 = 2;
const UPDATE: i16 = 16;

/// Reads the triggers that are not the server's own, with their fact sheets.
pub(super) async fn triggers(
    conn: &mut PgConnection,
) -> Result<(Vec<Trigger>, Vec<PostgresTrigger>), CatalogError> {
    // language=PostgreSQL
    const SQL: &str = "SELECT n.nspname::text, c.relname::text, t.tgname::text, t.tgtype,
            t.tgenabled::text, pg_catalog.pg_get_triggerdef(t.oid),
            ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr::int2[])
                  ORDER BY a.attnum),
            t.tgoldtable IS NOT NULL, l.lanname::text, p.proname::text, p.prosrc,
            coalesce(pg_catalog.array_to_string(p.proconfig, ' '), '')
        FROM pg_catalog.pg_trigger t
        JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
        JOIN pg_catalog.pg_language l ON l.oid = p.prolang
        -- Up to version 14 the copy that a partition has of a trigger counts as internal.
        WHERE (NOT t.tgisinternal OR (t.tgparentid <> 0 AND t.tgconstraint = 0)) AND {theirs}
        ORDER BY n.nspname, c.relname, t.tgname";
    let what = "the triggers";
    let rows = ask(conn, what, SQL).await?;
    let read = |row: &sqlx::postgres::PgRow| -> Result<_, sqlx::Error> {
        let (table, name, kind, enabled) =
            (name_at(row, 0)?, text(row, 2)?, row.try_get::<i16, _>(3)?, text(row, 4)?);
        let (language, function, body) = (text(row, 8)?, text(row, 9)?, text(row, 10)?);
        let sql = format!("{} enabled={enabled} {} {body}", text(row, 5)?, text(row, 11)?);
        let sheet = PostgresTrigger {
            name: name.clone(),
            table: table.clone(),
            is_before: kind & BEFORE != 0,
            is_for_each_row: kind & ROW != 0,
            // O: as usual; A: always; R: only where changes are replayed; D: never.
            fires_on_update: kind & UPDATE != 0 && matches!(enabled.as_str(), "O" | "A"),
            update_of: row.try_get(6)?,
            has_old_table: row.try_get(7)?,
            language,
            function,
            body,
        };
        Ok((Trigger { name, table, sql }, sheet))
    };
    let read: Vec<_> = rows.iter().map(read).collect::<Result<_, _>>().map_err(failed(what))?;
    Ok(read.into_iter().unzip())
}

/// Reads views and materialised views, with what they read.
pub(super) async fn views(
    conn: &mut PgConnection,
) -> Result<(Vec<View>, Vec<PostgresView>), CatalogError> {
    // language=PostgreSQL
    const VIEWS: &str = "SELECT n.nspname::text, c.relname::text, c.relkind::text,
            pg_catalog.pg_get_viewdef(c.oid), pg_catalog.pg_has_role(c.relowner, 'USAGE'),
            ARRAY(SELECT pg_catalog.pg_describe_object(d.classid, d.objid, 0)
                  FROM pg_catalog.pg_depend d
                  WHERE (d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                         AND d.refobjid = c.oid
                         AND d.classid NOT IN ('pg_catalog.pg_class'::pg_catalog.regclass,
                             'pg_catalog.pg_rewrite'::pg_catalog.regclass,
                             'pg_catalog.pg_trigger'::pg_catalog.regclass,
                             'pg_catalog.pg_policy'::pg_catalog.regclass,
                             'pg_catalog.pg_attrdef'::pg_catalog.regclass,
                             'pg_catalog.pg_type'::pg_catalog.regclass,
                             'pg_catalog.pg_constraint'::pg_catalog.regclass,
                             'pg_catalog.pg_statistic_ext'::pg_catalog.regclass))
                     OR (d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
                         AND d.deptype <> 'i' AND d.refobjid IN (c.reltype,
                             (SELECT ty.typarray FROM pg_catalog.pg_type ty
                              WHERE ty.oid = c.reltype)))
                  UNION
                  SELECT 'extension ' || e.extname FROM pg_catalog.pg_depend d
                  JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
                  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND d.objid = c.oid AND d.deptype = 'e'
                  UNION
                  SELECT 'a security label' FROM pg_catalog.pg_seclabel s
                  WHERE s.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND s.objoid = c.oid
                  ORDER BY 1)
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('v', 'm') AND {theirs} ORDER BY 1, 2";
    // language=PostgreSQL
    const READS: &str = "SELECT DISTINCT n.nspname::text, c.relname::text,
            rn.nspname::text, r.relname::text, a.attname::text
        FROM pg_catalog.pg_rewrite w
        JOIN pg_catalog.pg_class c ON c.oid = w.ev_class AND c.relkind IN ('v', 'm')
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
            AND d.objid = w.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
            AND d.refobjid <> w.ev_class
        JOIN pg_catalog.pg_class r ON r.oid = d.refobjid
        JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum > 0
            AND (a.attnum = d.refobjsubid OR d.refobjsubid = 0)
        WHERE {theirs} ORDER BY 1, 2, 3, 4, 5";
    let what = "the views";
    let rows = ask(conn, what, VIEWS).await?;
    let (mut views, mut sheets) = (Vec::new(), Vec::<PostgresView>::new());
    for row in &rows {
        let (view, sheet) = read_view(row).map_err(failed(what))?;
        views.push(view);
        sheets.push(sheet);
    }
    for row in ask(conn, what, READS).await? {
        let read = |row| -> Result<_, sqlx::Error> {
            let column = ColumnName { table: name_at(row, 2)?, column: text(row, 4)? };
            Ok((name_at(row, 0)?, column))
        };
        let (view, column) = read(&row).map_err(failed(what))?;
        if let Some(sheet) = sheets.iter_mut().find(|sheet| sheet.name == view) {
            sheet.reads.push(column);
        }
    }
    Ok((views, sheets))
}

fn read_view(row: &sqlx::postgres::PgRow) -> Result<(View, PostgresView), sqlx::Error> {
    let (name, kind) = (name_at(row, 0)?, text(row, 2)?);
    let sheet = PostgresView {
        name: name.clone(),
        is_materialised: kind == "m",
        is_owned: row.try_get(4)?,
        holders: row.try_get(5)?,
        reads: Vec::new(),
    };
    let (word, query) =
        (if sheet.is_materialised { "MATERIALIZED VIEW" } else { "VIEW" }, text(row, 3)?);
    let quoted = qualified(&name).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok((View { name, sql: format!("CREATE {word} {quoted} AS {query}") }, sheet))
}

/// Reads which columns the policies of row security read.
pub(super) async fn policies(conn: &mut PgConnection) -> Result<Vec<PostgresPolicy>, CatalogError> {
    // language=PostgreSQL
    const SQL: &str = "SELECT DISTINCT n.nspname::text, c.relname::text, p.polname::text,
            rn.nspname::text, r.relname::text, a.attname::text
        FROM pg_catalog.pg_policy p
        JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
            AND d.objid = p.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        JOIN pg_catalog.pg_class r ON r.oid = d.refobjid AND r.relkind IN ('r', 'p', 'f')
        JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
            AND a.attnum > 0
        WHERE {theirs} ORDER BY 1, 2, 3, 4, 5, 6";
    let what = "the row security";
    let mut policies: Vec<PostgresPolicy> = Vec::new();
    for row in ask(conn, what, SQL).await? {
        let read = |row| -> Result<_, sqlx::Error> {
            let column = ColumnName { table: name_at(row, 3)?, column: text(row, 5)? };
            Ok((name_at(row, 0)?, text(row, 2)?, column))
        };
        let (table, name, column) = read(&row).map_err(failed(what))?;
        match policies.last_mut() {
            Some(last) if last.table == table && last.name == name => last.reads.push(column),
            _ => policies.push(PostgresPolicy { name, table, reads: vec![column] }),
        }
    }
    Ok(policies)
}

/// The event triggers that are switched on.
pub(super) async fn event_triggers(
    conn: &mut PgConnection,
) -> Result<Vec<EventTrigger>, CatalogError> {
    // R: only where changes are replayed. What fires at the login has let us pass already.
    // language=PostgreSQL
    const SQL: &str = "SELECT evtname::text, evtevent::text, coalesce(evttags, '{}')
        FROM pg_catalog.pg_event_trigger
        WHERE evtenabled NOT IN ('D', 'R') AND evtevent <> 'login' ORDER BY 1";
    let what = "the event triggers";
    let rows = ask(conn, what, SQL).await?;
    let read = |row: &sqlx::postgres::PgRow| -> Result<_, sqlx::Error> {
        Ok(EventTrigger { name: text(row, 0)?, event: text(row, 1)?, tags: row.try_get(2)? })
    };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(failed(what))
}

/// What the role of the session may do.
pub(super) async fn role(conn: &mut PgConnection) -> Result<Role, CatalogError> {
    // language=PostgreSQL
    const SQL: &str = "SELECT r.rolname::text, r.rolsuper, r.rolbypassrls,
            CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'sealift')
                 THEN pg_catalog.has_schema_privilege('sealift', 'CREATE')
                      AND pg_catalog.has_schema_privilege('sealift', 'USAGE')
                 ELSE pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
            END,
            pg_catalog.current_setting('log_parameter_max_length', true)
                IS DISTINCT FROM '0'
                AND (pg_catalog.current_setting('log_statement') IN ('mod', 'all')
                     OR pg_catalog.current_setting('log_min_duration_statement') <> '-1'),
            pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY'),
            EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'sealift')
        FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";
    let what = "the role";
    let rows = ask(conn, what, SQL).await?;
    let Some(row) = rows.first() else { return Ok(Role::default()) };
    let read = || -> Result<_, sqlx::Error> {
        Ok(Role {
            name: text(row, 0)?,
            is_superuser: row.try_get(1)?,
            bypasses_row_security: row.try_get(2)?,
            may_make_schema: row.try_get(3)?,
            is_logged: row.try_get(4)?,
            may_make_temporary: row.try_get(5)?,
            has_schema: row.try_get(6)?,
        })
    };
    read().map_err(failed(what))
}
