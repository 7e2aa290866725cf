//! What a copy has not: every object of the source is looked for there, whatever its kind.
//!
//! Whoever reads what came of a rehearsal learns from it what was not tried. It makes nothing.

use std::collections::HashSet;

use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::objects::Unmade;

// language=PostgreSQL
const OBJECTS: &str = include_str!("missing.sql");

/// An object of a database.
#[derive(Debug)]
pub(super) struct Object {
    id: i64,
    name: String,
    /// Why a copy has it not.
    why: String,
}

/// Every object of a database.
pub(super) async fn objects(connection: &mut PgConnection) -> Result<Vec<Object>, sqlx::Error> {
    let rows = sqlx::query(OBJECTS).fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok(Object { id: row.try_get(0)?, name: row.try_get(1)?, why: row.try_get(2)? }))
        .collect()
}

/// What the copy has not, each with the reason: what could not be made, and what nobody tried to make.
pub(super) fn missing(source: Vec<Object>, copy: &[Object], unmade: Vec<Unmade>) -> Vec<String> {
    let there: HashSet<&str> = copy.iter().map(|object| object.name.as_str()).collect();
    let told: HashSet<i64> = unmade.iter().map(|object| object.id).collect();
    let others = source
        .into_iter()
        .filter(|object| !there.contains(object.name.as_str()) && !told.contains(&object.id))
        .map(|object| format!("{}: {}", object.name, object.why));
    unmade.into_iter().map(|object| object.reason).chain(others).collect()
}

/// What belongs to other roles, or what they may do: in the copy everything belongs to ours.
pub(super) async fn rights_of_others(
    connection: &mut PgConnection,
) -> Result<Option<String>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "WITH space AS (
            SELECT n.* FROM pg_namespace n
            WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'sealift')
        ),
        held (owner, acl) AS (
            SELECT relowner, relacl FROM pg_class WHERE relnamespace IN (SELECT oid FROM space)
            UNION ALL SELECT c.relowner, a.attacl FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                WHERE c.relnamespace IN (SELECT oid FROM space) AND a.attacl IS NOT NULL
            UNION ALL SELECT proowner, proacl FROM pg_proc p WHERE pronamespace IN (SELECT oid FROM space)
                AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                    AND d.objid = p.oid AND d.deptype = 'e')
            UNION ALL SELECT typowner, typacl FROM pg_type WHERE typnamespace IN (SELECT oid FROM space)
            UNION ALL SELECT nspowner, nspacl FROM space WHERE oid >= 16384
        ),
        other (role) AS (
            SELECT owner FROM held
            UNION SELECT granted.grantee FROM held CROSS JOIN LATERAL aclexplode(held.acl) AS granted
        )
        SELECT string_agg(coalesce(r.rolname, 'public'), ', ' ORDER BY r.rolname)
        FROM other LEFT JOIN pg_roles r ON r.oid = other.role
        WHERE r.rolname IS DISTINCT FROM current_user";
    let roles: Option<String> = sqlx::query_scalar(SQL).fetch_one(connection).await?;
    Ok(roles.map(|roles| {
        format!("what others own or may do ({roles}): in the copy everything belongs to this role")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_copy_has_not_is_named_once() {
        let object = |id, name: &str| Object { id, name: name.to_owned(), why: "w".to_owned() };
        let source = vec![object(1, "table a"), object(2, "view b"), object(3, "server c")];
        let unmade = vec![Unmade { id: 2, reason: "view b: no".to_owned() }];
        let told = missing(source, &[object(9, "table a")], unmade);
        assert_eq!(told, ["view b: no", "server c: w"]);
    }
}
