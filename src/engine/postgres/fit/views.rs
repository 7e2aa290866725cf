//! Views, written down so that they come back as they were.

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use super::{Make, Script, grants};

/// A view that reads a column, directly or by way of others.
pub(super) struct View {
    pub(super) oid: i64,
    /// Its name, quoted and with its schema.
    pub(super) name: String,
    /// Its query.
    pub(super) text: String,
    is_materialised: bool,
    is_populated: bool,
    owner: String,
    /// `WITH (…)` and what else stands before AS.
    options: String,
}

impl View {
    fn kind(&self) -> &'static str {
        if self.is_materialised { "MATERIALIZED VIEW" } else { "VIEW" }
    }

    /// Takes it down; refused where something hangs on it that is not written down.
    pub(super) fn drop_sql(&self) -> String {
        format!("DROP {} {}", self.kind(), self.name)
    }
}

/// The views over these columns, each after those that it reads.
pub(super) async fn read(
    connection: &mut PgConnection,
    columns: &[(i64, i16)],
) -> Result<Vec<View>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "WITH RECURSIVE reached (oid, depth) AS (
            SELECT r.ev_class, 1 FROM pg_catalog.pg_depend d
            JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.rulename = '_RETURN'
            JOIN unnest($1::int8[], $2::int2[]) AS k (table_oid, number)
                ON d.refobjid = k.table_oid::oid AND d.refobjsubid = k.number
            WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
              AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
            UNION
            SELECT r.ev_class, reached.depth + 1 FROM reached
            JOIN pg_catalog.pg_depend d ON d.refobjid = reached.oid
                AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
            JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.rulename = '_RETURN'
            WHERE r.ev_class <> reached.oid),
        deepest AS (SELECT oid, max(depth) AS depth FROM reached GROUP BY oid)
        SELECT c.oid::int8, pg_catalog.quote_ident(n.nspname) || '.' ||
                pg_catalog.quote_ident(c.relname),
            pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), ';'), c.relkind = 'm',
            c.relispopulated, pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)),
            CASE WHEN c.relkind = 'm' AND am.amname IS NOT NULL
                 THEN ' USING ' || pg_catalog.quote_ident(am.amname) ELSE '' END,
            ARRAY(SELECT pg_catalog.quote_ident(o.option_name) || ' = ' ||
                      pg_catalog.quote_literal(o.option_value)
                  FROM pg_catalog.pg_options_to_table(c.reloptions) o
                  UNION ALL
                  SELECT 'toast.' || pg_catalog.quote_ident(o.option_name) || ' = ' ||
                      pg_catalog.quote_literal(o.option_value)
                  FROM pg_catalog.pg_class toast,
                      pg_catalog.pg_options_to_table(toast.reloptions) o
                  WHERE toast.oid = c.reltoastrelid),
            ts.spcname::text
        FROM deepest JOIN pg_catalog.pg_class c ON c.oid = deepest.oid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
        LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = c.reltablespace
        ORDER BY deepest.depth, 2";
    let (tables, numbers): (Vec<i64>, Vec<i16>) = columns.iter().copied().unzip();
    let rows = sqlx::query(SQL).bind(tables).bind(numbers).fetch_all(connection).await?;
    rows.iter().map(of_row).collect()
}

fn of_row(row: &PgRow) -> Result<View, sqlx::Error> {
    let mut options: String = row.try_get(6)?;
    let with: Vec<String> = row.try_get(7)?;
    if !with.is_empty() {
        options.push_str(" WITH (");
        options.push_str(&with.join(", "));
        options.push(')');
    }
    if let Some(tablespace) = row.try_get::<Option<String>, _>(8)? {
        options.push_str(" TABLESPACE \"");
        options.push_str(&tablespace.replace('"', "\"\""));
        options.push('"');
    }
    Ok(View {
        oid: row.try_get(0)?,
        name: row.try_get(1)?,
        text: row.try_get(2)?,
        is_materialised: row.try_get(3)?,
        is_populated: row.try_get(4)?,
        owner: row.try_get(5)?,
        options,
    })
}

/// The queries of views as they are now; `None` for one that is gone.
pub(super) async fn texts(
    connection: &mut PgConnection,
    views: &[View],
) -> Result<Vec<Option<String>>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT pg_catalog.rtrim(pg_catalog.pg_get_viewdef(
            pg_catalog.to_regclass($1)), ';')";
    let mut texts = Vec::with_capacity(views.len());
    for view in views {
        texts.push(sqlx::query_scalar(SQL).bind(&view.name).fetch_one(&mut *connection).await?);
    }
    Ok(texts)
}

/// Writes down one view with everything of its own.
pub(super) async fn capture(
    connection: &mut PgConnection,
    view: &View,
    script: &mut Script,
) -> Result<(), sqlx::Error> {
    let View { name, text, options, .. } = view;
    let data = if view.is_materialised { " WITH NO DATA" } else { "" };
    // ORDER: the line break ends a comment that the query may close with.
    script.make(format!("CREATE {} {name}{options} AS {text}\n{data}", view.kind()));
    script.make(format!("ALTER {} {name} OWNER TO {}", view.kind(), view.owner));
    columns(connection, view, script).await?;
    indexes(connection, view, script).await?;
    rules_and_triggers(connection, view, script).await?;
    comments(connection, view, script).await?;
    script.make.push(Make::Ungrant(name.clone()));
    grants::capture(connection, view.oid, name, &view.owner, script).await?;
    if view.is_materialised && view.is_populated {
        // ORDER: filled once it has its owner, so that its functions run with the owner's rights
        // and not with ours.
        script.make(format!("REFRESH MATERIALIZED VIEW {name}"));
    }
    Ok(())
}

/// Runs a query that writes statements, over one view.
async fn statements(
    connection: &mut PgConnection,
    sql: &'static str,
    view: &View,
    script: &mut Script,
) -> Result<(), sqlx::Error> {
    let rows: Vec<Option<String>> =
        sqlx::query_scalar(sql).bind(view.oid).bind(&view.name).fetch_all(connection).await?;
    rows.into_iter().flatten().for_each(|sql| script.make(sql));
    Ok(())
}

async fn columns(
    connection: &mut PgConnection,
    view: &View,
    script: &mut Script,
) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT s.sql FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        CROSS JOIN LATERAL pg_catalog.concat('ALTER ',
            CASE c.relkind WHEN 'm' THEN 'MATERIALIZED ' END, 'VIEW ', $2::text, ' ALTER COLUMN ',
            pg_catalog.quote_ident(a.attname)) AS alter (sql)
        CROSS JOIN LATERAL (VALUES
            (1, alter.sql || ' SET DEFAULT ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid)),
            (2, CASE WHEN c.relkind = 'm' AND coalesce(a.attstattarget, -1) <> -1
                     THEN alter.sql || ' SET STATISTICS ' || a.attstattarget END),
            (3, CASE WHEN c.relkind = 'm' AND a.attstorage <> t.typstorage
                     THEN alter.sql || ' SET STORAGE ' || CASE a.attstorage
                        WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL'
                        WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END),
            (4, CASE WHEN c.relkind = 'm' AND a.attoptions IS NOT NULL
                     THEN alter.sql || ' SET (' ||
                          pg_catalog.array_to_string(a.attoptions, ', ') || ')' END)
            ) AS s (at, sql)
        WHERE a.attrelid = $1::int8::oid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum, s.at";
    statements(connection, SQL, view, script).await
}

async fn indexes(
    connection: &mut PgConnection,
    view: &View,
    script: &mut Script,
) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT s.sql FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = c.reltablespace
        CROSS JOIN LATERAL pg_catalog.concat(pg_catalog.quote_ident(n.nspname), '.',
            pg_catalog.quote_ident(c.relname)) AS own (name)
        CROSS JOIN LATERAL (VALUES
            (1, pg_catalog.pg_get_indexdef(i.indexrelid)),
            (2, 'ALTER INDEX ' || own.name || ' SET TABLESPACE ' ||
                pg_catalog.quote_ident(ts.spcname)),
            (3, CASE WHEN i.indisclustered THEN 'ALTER MATERIALIZED VIEW ' || $2::text ||
                ' CLUSTER ON ' || pg_catalog.quote_ident(c.relname) END),
            (4, 'COMMENT ON INDEX ' || own.name || ' IS ' || pg_catalog.quote_literal(
                pg_catalog.obj_description(i.indexrelid, 'pg_class'))),
            (5, (SELECT pg_catalog.string_agg(pg_catalog.concat('ALTER INDEX ', own.name,
                        ' ALTER COLUMN ', a.attnum, ' SET STATISTICS ', a.attstattarget), '; ')
                 FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = i.indexrelid AND coalesce(a.attstattarget, -1) <> -1))
            ) AS s (at, sql)
        WHERE i.indrelid = $1::int8::oid ORDER BY c.relname, s.at";
    // language=PostgreSQL
    const STATISTICS: &str = "SELECT s.sql FROM pg_catalog.pg_statistic_ext e
        JOIN pg_catalog.pg_namespace n ON n.oid = e.stxnamespace
        CROSS JOIN LATERAL pg_catalog.concat(pg_catalog.quote_ident(n.nspname), '.',
            pg_catalog.quote_ident(e.stxname)) AS own (name)
        CROSS JOIN LATERAL (VALUES
            (1, pg_catalog.pg_get_statisticsobjdef(e.oid)),
            (2, 'ALTER STATISTICS ' || own.name || ' OWNER TO ' ||
                pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.stxowner))),
            (3, 'COMMENT ON STATISTICS ' || own.name || ' IS ' || pg_catalog.quote_literal(
                pg_catalog.obj_description(e.oid, 'pg_statistic_ext'))),
            (4, CASE WHEN coalesce(e.stxstattarget, -1) <> -1
                     THEN 'ALTER STATISTICS ' || own.name || ' SET STATISTICS ' || e.stxstattarget
                     END)) AS s (at, sql)
        WHERE e.stxrelid = $1::int8::oid AND $2::text IS NOT NULL ORDER BY e.stxname, s.at";
    statements(connection, SQL, view, script).await?;
    statements(connection, STATISTICS, view, script).await
}

async fn rules_and_triggers(
    connection: &mut PgConnection,
    view: &View,
    script: &mut Script,
) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    const RULES: &str = "SELECT s.sql FROM pg_catalog.pg_rewrite r
        CROSS JOIN LATERAL (VALUES
            (1, pg_catalog.pg_get_ruledef(r.oid)),
            (2, 'COMMENT ON RULE ' || pg_catalog.quote_ident(r.rulename) || ' ON ' || $2::text ||
                ' IS ' || pg_catalog.quote_literal(
                pg_catalog.obj_description(r.oid, 'pg_rewrite')))) AS s (at, sql)
        WHERE r.ev_class = $1::int8::oid AND r.rulename <> '_RETURN' ORDER BY r.rulename, s.at";
    // language=PostgreSQL
    const TRIGGERS: &str = "SELECT s.sql FROM pg_catalog.pg_trigger t
        CROSS JOIN LATERAL (VALUES
            (1, pg_catalog.pg_get_triggerdef(t.oid)),
            (2, 'COMMENT ON TRIGGER ' || pg_catalog.quote_ident(t.tgname) || ' ON ' || $2::text ||
                ' IS ' || pg_catalog.quote_literal(
                pg_catalog.obj_description(t.oid, 'pg_trigger')))) AS s (at, sql)
        WHERE t.tgrelid = $1::int8::oid AND NOT t.tgisinternal ORDER BY t.tgname, s.at";
    statements(connection, RULES, view, script).await?;
    statements(connection, TRIGGERS, view, script).await
}

async fn comments(
    connection: &mut PgConnection,
    view: &View,
    script: &mut Script,
) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT 'COMMENT ON ' || CASE
            WHEN d.objsubid > 0 THEN 'COLUMN ' || $2::text || '.' || pg_catalog.quote_ident(a.attname)
            WHEN c.relkind = 'm' THEN 'MATERIALIZED VIEW ' || $2::text
            ELSE 'VIEW ' || $2::text END || ' IS ' || pg_catalog.quote_literal(d.description)
        FROM pg_catalog.pg_description d
        JOIN pg_catalog.pg_class c ON c.oid = d.objoid
        LEFT JOIN pg_catalog.pg_attribute a
            ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid > 0
        WHERE d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
          AND d.objoid = $1::int8::oid ORDER BY d.objsubid";
    statements(connection, SQL, view, script).await
}
