//! The texts that a server keeps of what applications ask: functions, procedures, rules, and the
//! statements that `pg_stat_statements` has counted.
//!
//! Views and materialised views are part of the catalog. Judges nothing; `plan` says what breaks.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::catalog::{THEIRS, table_name};
use super::shape::quoted;
use crate::plan::{Language, QueryText};

/// How many statements of `pg_stat_statements` are read, those that are called most.
const STATEMENTS_MAX: i32 = 5_000;

/// A longer text is none that somebody wrote.
const TEXT_BYTES_MAX: i32 = 1 << 16;

/// A statement over rows, behind comments and parentheses; definitions are counted too.
const READS_OR_WRITES: &str = r"^(\s|/\*.*?\*/|--[^\n]*\n|\()*(select|insert|update|delete|with|merge|values|table|declare|copy)\y";

/// Stands in every statement of ours over a table of the application, so that it is not taken for one
/// of the application's. Behind its first word: servers from 18 on cut off what stands before it.
pub(super) const MARK: &str = "/* sealift */";

/// Reads everything.
pub(super) async fn read(connection: &mut PgConnection) -> Result<Vec<QueryText>, sqlx::Error> {
    let mut queries = functions(connection).await?;
    queries.extend(rules(connection).await?);
    queries.extend(statements(connection).await?);
    Ok(queries)
}

/// Bodies of functions and procedures, trigger functions once for each table that they serve.
/// Those of extensions are not the application's.
async fn functions(connection: &mut PgConnection) -> Result<Vec<QueryText>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT
            CASE p.prokind WHEN 'p' THEN 'procedure ' ELSE 'function ' END
                || CASE WHEN n.nspname = 'public' THEN '' ELSE n.nspname || '.' END || p.proname,
            l.lanname = 'plpgsql', {body}, coalesce(p.proargnames, '{}')::text[],
            tn.nspname::text, t.relname::text
        FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        JOIN pg_catalog.pg_language l ON l.oid = p.prolang
        LEFT JOIN (SELECT DISTINCT tgfoid, tgrelid FROM pg_catalog.pg_trigger
                   WHERE NOT tgisinternal AND tgparentid = 0) AS g ON g.tgfoid = p.oid
        LEFT JOIN pg_catalog.pg_class t ON t.oid = g.tgrelid
        LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
        WHERE l.lanname IN ('sql', 'plpgsql') AND {theirs}
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
              WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
                AND d.deptype = 'e')
        ORDER BY 1, 5, 6";
    // A body in the standard's form is kept parsed; servers before 14 know none. A trigger's parent
    // has been known since 13.
    let has_bodies: bool = sqlx::query_scalar(
        "SELECT pg_catalog.current_setting('server_version_num')::int >= 140000",
    )
    .fetch_one(&mut *connection)
    .await?;
    let body = if has_bodies {
        "coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc)"
    } else {
        "p.prosrc"
    };
    let sql = SQL.replace("{body}", body).replace("{theirs}", THEIRS);
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let language = if row.try_get(1)? { Language::PlPgSql } else { Language::Sql };
            let (schema, table): (Option<String>, Option<String>) =
                (row.try_get(4)?, row.try_get(5)?);
            let rows_of = schema.zip(table).map(|(schema, name)| table_name(&schema, &name));
            let mut source: String = row.try_get(0)?;
            if let Some(table) = &rows_of {
                source = format!("{source}, trigger of {table}");
            }
            let parameters: Vec<String> = row.try_get(3)?;
            Ok(QueryText {
                source,
                sql: standard(row.try_get(2)?),
                language,
                parameters: parameters.into_iter().filter(|name| !name.is_empty()).collect(),
                rows_of,
                calls: None,
            })
        })
        .collect()
}

/// A body in the standard's form without the words around its statements.
fn standard(body: String) -> String {
    let trimmed = body.trim();
    let inner = trimmed
        .strip_prefix("BEGIN ATOMIC")
        .and_then(|rest| rest.trim_end().strip_suffix("END"))
        .or_else(|| trimmed.strip_prefix("RETURN ").filter(|_| trimmed.starts_with("RETURN ")));
    match inner {
        Some(inner) if trimmed.starts_with("RETURN ") => format!("SELECT {inner}"),
        Some(inner) => inner.to_owned(),
        None => body,
    }
}

/// What rules do beside or instead of a statement. A view is a rule too, and read as a view.
async fn rules(connection: &mut PgConnection) -> Result<Vec<QueryText>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT r.rulename::text, n.nspname::text, c.relname::text,
            pg_catalog.pg_get_ruledef(r.oid)
        FROM pg_catalog.pg_rewrite r
        JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE r.rulename <> '_RETURN' AND {theirs} ORDER BY 2, 3, 1";
    let sql = SQL.replace("{theirs}", THEIRS);
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let (rule, schema, name, text): (String, String, String, String) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            let table = table_name(&schema, &name);
            Ok(QueryText {
                source: format!("rule {rule} of {table}"),
                sql: actions(&text),
                rows_of: Some(table),
                ..QueryText::default()
            })
        })
        .collect()
}

/// What stands behind `DO ALSO` or `DO INSTEAD`, without the parentheses around several statements.
fn actions(rule: &str) -> String {
    let action = [" DO INSTEAD ", " DO ALSO ", " DO "]
        .into_iter()
        .find_map(|word| rule.split_once(word))
        .map_or(rule, |(_, action)| action)
        .trim()
        .trim_end_matches(';')
        .trim();
    let inner = action.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    inner.unwrap_or(action).trim().to_owned()
}

/// What the server has counted, where its owner has it counted and the role may read it.
async fn statements(connection: &mut PgConnection) -> Result<Vec<QueryText>, sqlx::Error> {
    // language=PostgreSQL
    const WHERE: &str = "SELECT n.nspname::text FROM pg_catalog.pg_extension e
        JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'pg_stat_statements'";
    let schema: Option<String> = sqlx::query_scalar(WHERE).fetch_optional(&mut *connection).await?;
    let Some(schema) = schema else { return Ok(Vec::new()) };
    let sql = format!(
        "SELECT s.queryid, s.query, sum(s.calls)::int8 FROM {}.pg_stat_statements s
         WHERE s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d
                         WHERE d.datname = pg_catalog.current_database())
           AND s.query !~ 'sealift|pg_catalog' AND s.query !~ '^<insufficient privilege>$'
           AND s.query ~* '{READS_OR_WRITES}' AND octet_length(s.query) <= {TEXT_BYTES_MAX}
         GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT {STATEMENTS_MAX}",
        quoted(&schema)?
    );
    let rows = match sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await {
        Ok(rows) => rows,
        // 42501: the role may not; 55000: the extension is there and its library is not loaded.
        Err(error) if matches!(super::error::state(&error), Some("42501" | "55000")) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    rows.iter()
        .map(|row| {
            let (id, calls): (Option<i64>, i64) = (row.try_get(0)?, row.try_get(2)?);
            Ok(QueryText {
                source: format!("pg_stat_statements {}", id.unwrap_or_default()),
                calls: u64::try_from(calls).ok(),
                sql: row.try_get(1)?,
                ..QueryText::default()
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{actions, standard};

    #[test]
    fn what_a_rule_does_stands_behind_its_event() {
        let rule =
            "CREATE RULE r AS\n    ON INSERT TO t DO ALSO  INSERT INTO l VALUES (new.email);";
        assert_eq!(actions(rule), "INSERT INTO l VALUES (new.email)");
        let two = "CREATE RULE r AS ON DELETE TO t DO INSTEAD ( SELECT 1; SELECT 2; );";
        assert_eq!(actions(two), "SELECT 1; SELECT 2;");
    }

    #[test]
    fn a_body_of_the_standard_is_its_statements() {
        let body = "BEGIN ATOMIC\n SELECT 1;\n SELECT 2;\nEND".to_owned();
        assert_eq!(standard(body).trim(), "SELECT 1;\n SELECT 2;");
        assert_eq!(standard("RETURN lower(a)".to_owned()), "SELECT lower(a)");
        assert_eq!(standard("SELECT 1".to_owned()), "SELECT 1");
    }
}
