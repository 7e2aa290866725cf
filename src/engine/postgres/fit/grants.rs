//! What was granted on a view, by whom and to whom, column by column too.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::{Script, run};

/// Takes back what an object was given as it was made: nothing, or what its owner has others given
/// by default.
pub(super) async fn take_back(
    connection: &mut PgConnection,
    name: &str,
) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT DISTINCT CASE x.grantee WHEN 0 THEN 'PUBLIC'
            ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END
        FROM pg_catalog.pg_class c, pg_catalog.aclexplode(coalesce(c.relacl,
            pg_catalog.acldefault('r', c.relowner))) x
        WHERE c.oid = pg_catalog.to_regclass($1)";
    let grantees: Vec<String> =
        sqlx::query_scalar(SQL).bind(name).fetch_all(&mut *connection).await?;
    for grantee in grantees {
        run(connection, &format!("REVOKE ALL ON {name} FROM {grantee} CASCADE")).await?;
    }
    Ok(())
}

/// Writes down every grant, in the order in which they were given.
pub(super) async fn capture(
    connection: &mut PgConnection,
    oid: i64,
    name: &str,
    owner: &str,
    script: &mut Script,
) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT x.privilege_type, '', x.is_grantable,
            CASE x.grantee WHEN 0 THEN 'PUBLIC'
                 ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END,
            pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantor)), 0 AS number, x.at
        FROM pg_catalog.pg_class c, pg_catalog.aclexplode(coalesce(c.relacl,
            pg_catalog.acldefault('r', c.relowner))) WITH ORDINALITY
            AS x (grantor, grantee, privilege_type, is_grantable, at)
        WHERE c.oid = $1::int8::oid
        UNION ALL
        SELECT x.privilege_type, ' (' || pg_catalog.quote_ident(a.attname) || ')', x.is_grantable,
            CASE x.grantee WHEN 0 THEN 'PUBLIC'
                 ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END,
            pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantor)), a.attnum, x.at
        FROM pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) WITH ORDINALITY
            AS x (grantor, grantee, privilege_type, is_grantable, at)
        WHERE a.attrelid = $1::int8::oid AND NOT a.attisdropped
        ORDER BY number, at";
    for row in sqlx::query(AssertSqlSafe(SQL)).bind(oid).fetch_all(connection).await? {
        let (privilege, column): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let (is_grantable, grantee): (bool, String) = (row.try_get(2)?, row.try_get(3)?);
        let grantor: String = row.try_get(4)?;
        let option = if is_grantable { " WITH GRANT OPTION" } else { "" };
        let grant = format!("GRANT {privilege}{column} ON {name} TO {grantee}{option}");
        if grantor == owner {
            script.make(grant);
        } else {
            // Who granted it is part of the grant: the owner could not take it back otherwise.
            script.make(format!("SET LOCAL ROLE {grantor}"));
            script.make(grant);
            script.make("RESET ROLE".to_owned());
        }
    }
    Ok(())
}
