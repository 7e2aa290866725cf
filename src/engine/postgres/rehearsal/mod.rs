//! A copy of a PostgreSQL database for a rehearsal: another database, made by what the server says.
//!
//! Nothing but the server is asked: no program of PostgreSQL's has to be there, and the role makes
//! what it may. It knows nothing of what is rehearsed.
//!
//! **Invariant:** the source is only read, in one snapshot.

mod missing;
mod objects;
mod rows;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::connect::{Address, close};
use super::error::{open_error, source_error, state};
use crate::engine::ident::quote;
use crate::ports::{Copied, CopyError, Progress, SourceCopy, SourceError, TableStanding};

/// What the name of a database begins with that we make.
const NAMED: &str = "sealift_rehearsal_";

/// The schema that says whose a database is that was named by somebody.
const MARKER: &str = "sealift_rehearsal";

/// How long sessions of a rehearsal that died may take to end.
const DYING: Duration = Duration::from_secs(5);

/// How long it is tried to drop a copy.
const DROPPED_WITHIN: Duration = Duration::from_mins(1);

/// How often is asked whether they have.
const DYING_ASKED: Duration = Duration::from_millis(250);

/// Where a copy goes.
#[derive(Debug, Clone)]
pub enum Place<'p> {
    /// Into a new database beside the source, named after this run.
    Beside(&'p str),
    /// Into an empty database.
    Into(&'p str),
}

/// A copy of a PostgreSQL database.
pub struct PostgresCopy {
    url: String,
    address: Address,
    /// The source, whose server drops the copy; `None` where somebody named a database of theirs.
    made: Option<(Address, String)>,
    /// A session in the copy for as long as it is worked on: so nobody takes it for left behind.
    #[expect(dead_code, reason = "held, not read")]
    held: PgConnection,
}

impl PostgresCopy {
    /// Copies a source. With `rows` each table has that many of its rows at the most. `vault` marks
    /// what is made, so that what a rehearsal leaves behind that died is cleared by the next.
    ///
    /// # Errors
    ///
    /// [`CopyError`]; nothing is left of the copy then, but where the server went away.
    pub async fn make(
        source: &str,
        place: Place<'_>,
        vault: &str,
        rows: Option<u64>,
        progress: &dyn Progress,
    ) -> Result<(Self, Copied), CopyError> {
        let from = parsed(source)?;
        let mut reader = opened(&from).await?;
        clear(&mut reader, &from, vault).await?;
        let copy = match place {
            Place::Beside(run) => Self::beside(&mut reader, &from, source, run, vault).await?,
            Place::Into(url) => Self::into(&mut reader, url).await?,
        };
        let filled = copy.fill(&mut reader, rows, progress).await;
        close(reader).await;
        match filled {
            Ok(copied) => Ok((copy, copied)),
            Err(error) => {
                let shown = from.shown().to_owned();
                // What went wrong is told; what stays is cleared by the next rehearsal.
                let _ = Box::new(copy).destroy().await;
                Err(source_error(error, &shown, "copying it").into())
            }
        }
    }

    async fn beside(
        reader: &mut PgConnection,
        from: &Address,
        source: &str,
        run: &str,
        vault: &str,
    ) -> Result<Self, CopyError> {
        let name = format!("{NAMED}{run}");
        let url = with_database(source, &name);
        let failed = |error| source_error(error, from.shown(), "making a database for a copy");
        match create(reader, &name, vault).await {
            Ok(()) => {}
            Err(error) if state(&error) == Some("42501") => return Err(CopyError::NotPermitted),
            Err(error) if state(&error) == Some("42P04") => {
                return Err(CopyError::NotEmpty { place: parsed(&url)?.shown().to_owned() });
            }
            Err(error) => return Err(failed(error).into()),
        }
        let address = parsed(&url)?;
        let held = opened(&address).await?;
        Ok(Self { address, url, made: Some((from.clone(), name)), held })
    }

    async fn into(reader: &mut PgConnection, url: &str) -> Result<Self, CopyError> {
        let address = parsed(url)?;
        let shown = address.shown().to_owned();
        let failed = |error| source_error(error, &shown, "looking into the place for a copy");
        let mut scratch = opened(&address).await?;
        if who(reader).await.map_err(failed)? == who(&mut scratch).await.map_err(failed)? {
            return Err(CopyError::Source { place: shown });
        }
        if is_marked(&mut scratch).await.map_err(failed)? {
            if !alone(&mut scratch).await.map_err(failed)? {
                return Err(CopyError::AtWork { place: shown });
            }
            empty(&mut scratch).await.map_err(failed)?;
        }
        if !is_empty(&mut scratch).await.map_err(failed)? {
            return Err(CopyError::NotEmpty { place: shown });
        }
        let marked = format!("CREATE SCHEMA {MARKER}");
        sqlx::raw_sql(AssertSqlSafe(marked)).execute(&mut scratch).await.map_err(failed)?;
        Ok(Self { url: url.to_owned(), address, made: None, held: scratch })
    }

    async fn fill(
        &self,
        reader: &mut PgConnection,
        rows: Option<u64>,
        progress: &dyn Progress,
    ) -> Result<Copied, sqlx::Error> {
        // language=PostgreSQL
        const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
            SET LOCAL idle_in_transaction_session_timeout = 0";
        let mut scratch = self.address.connect().await?;
        let path = search_path(reader).await?;
        sqlx::raw_sql(SNAPSHOT).execute(&mut *reader).await?;
        let statements = objects::read(reader).await?;
        let all = missing::objects(reader).await?;
        let rights = missing::rights_of_others(reader).await?;
        let mut unmade = objects::make(&mut scratch, statements.before, &path).await?;
        let mut copied = rows::copy(reader, &mut scratch, rows, progress).await?;
        if rows.is_some() {
            copied.rows -= rows::without_orphans(reader, &mut scratch).await?.min(copied.rows);
        }
        rows::set_sequences(reader, &mut scratch).await?;
        sqlx::raw_sql("COMMIT").execute(&mut *reader).await?;
        unmade.extend(objects::make(&mut scratch, statements.behind, &path).await?);
        sqlx::raw_sql("ANALYZE").execute(&mut scratch).await?;
        // ORDER: last. They may refuse what comes behind them.
        unmade.extend(objects::make(&mut scratch, statements.last, &path).await?);
        let made = missing::objects(&mut scratch).await?;
        close(scratch).await;
        let mut left_out = missing::missing(all, &made, unmade);
        left_out.extend(rights);
        left_out.append(&mut copied.left_out);
        Ok(Copied { left_out, ..copied })
    }

    fn failed(&self, error: sqlx::Error, doing: &'static str) -> SourceError {
        source_error(error, self.address.shown(), doing)
    }
}

#[async_trait]
impl SourceCopy for PostgresCopy {
    fn url(&self) -> &str {
        &self.url
    }

    async fn standing(&self) -> Result<Vec<TableStanding>, SourceError> {
        rows::standing(&self.address).await.map_err(|error| self.failed(error, "reading a copy"))
    }

    async fn keep(self: Box<Self>) -> Result<(), SourceError> {
        let kept = async {
            let Some((server, name)) = &self.made else {
                let mut scratch = self.address.connect().await?;
                let sql = format!("DROP SCHEMA IF EXISTS {MARKER}");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut scratch).await?;
                close(scratch).await;
                return Ok(());
            };
            let mut connection = server.connect().await?;
            mark(&mut connection, name, "sealift: a rehearsal that somebody kept").await?;
            close(connection).await;
            Ok(())
        };
        kept.await.map_err(|error| self.failed(error, "keeping a copy"))
    }

    async fn destroy(self: Box<Self>) -> Result<(), SourceError> {
        let gone = async {
            if let Some((server, name)) = &self.made {
                let mut connection = server.connect().await?;
                drop_forced(&mut connection, name).await?;
                close(connection).await;
            } else {
                let mut scratch = self.address.connect().await?;
                empty(&mut scratch).await?;
                close(scratch).await;
            }
            Ok(())
        };
        gone.await.map_err(|error| self.failed(error, "removing a copy"))
    }
}

/// Drops a database, with whoever is in it. A copy holds originals: it is not left there because a
/// session took a while to end, or the server was busy.
async fn drop_forced(connection: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    let name = quote(name).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let begun = Instant::now();
    loop {
        let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        match sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await {
            // 55006: somebody is still in it; 55P03: a lock was not to be had.
            Err(error)
                if matches!(state(&error), Some("55006" | "55P03"))
                    && begun.elapsed() < DROPPED_WITHIN =>
            {
                tokio::time::sleep(DYING_ASKED).await;
            }
            dropped => return dropped.map(|_| ()),
        }
    }
}

fn parsed(url: &str) -> Result<Address, SourceError> {
    Address::parse(url)
        .map_err(|error| SourceError::Open { url: "postgres:".to_owned(), source: Box::new(error) })
}

async fn opened(address: &Address) -> Result<PgConnection, SourceError> {
    let opened = address.open().await.map_err(|error| open_error(error, address.shown()))?;
    Ok(opened.connection)
}

/// A URL with another database in it.
fn with_database(url: &str, name: &str) -> String {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = place.split_once("://").unwrap_or((place, ""));
    let host = rest.split('/').next().unwrap_or_default();
    let kept: Vec<&str> =
        query.split('&').filter(|part| !part.is_empty() && !part.starts_with("dbname=")).collect();
    let mark = if kept.is_empty() { "" } else { "?" };
    format!("{scheme}://{host}/{name}{mark}{}", kept.join("&"))
}

/// Which database of which server a session is in.
async fn who(connection: &mut PgConnection) -> Result<(i64, i64), sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str =
        "SELECT (SELECT oid::int8 FROM pg_database WHERE datname = current_database()),
            extract(epoch FROM pg_postmaster_start_time())::int8";
    let row = sqlx::query(SQL).fetch_one(connection).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// The search path that sessions of the application have in a database.
async fn search_path(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT coalesce(
            (SELECT substr(setting, 13) FROM pg_db_role_setting s
             JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = current_database()
             JOIN unnest(s.setconfig) AS setting ON setting LIKE 'search_path=%'
             WHERE s.setrole = 0),
            '\"$user\", public')";
    sqlx::query_scalar(SQL).fetch_one(connection).await
}

/// Makes a database like the one that the session is in: encoding, collation, settings.
async fn create(connection: &mut PgConnection, name: &str, vault: &str) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L%s',
            $1::text, pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
            CASE to_jsonb(d) ->> 'datlocprovider'
                WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L',
                    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'))
                WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', to_jsonb(d) ->> 'datlocale')
                ELSE '' END)
        FROM pg_database d WHERE d.datname = current_database()";
    // language=PostgreSQL
    const SETTINGS: &str = "SELECT format('ALTER DATABASE %I SET %I TO %s', $1::text, split_part(setting, '=', 1),
            CASE WHEN split_part(setting, '=', 1) IN ('search_path', 'DateStyle', 'temp_tablespaces')
                 THEN substr(setting, strpos(setting, '=') + 1)
                 ELSE quote_literal(substr(setting, strpos(setting, '=') + 1)) END)
        FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
        JOIN unnest(s.setconfig) AS setting ON true
        WHERE d.datname = current_database() AND s.setrole = 0";
    let sql: String = sqlx::query_scalar(SQL).bind(name).fetch_one(&mut *connection).await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    mark(connection, name, &note(vault)).await?;
    // The copy holds originals: whoever was let into the source alone is not let in here.
    let closed: String =
        sqlx::query_scalar("SELECT format('REVOKE ALL ON DATABASE %I FROM public', $1::text)")
            .bind(name)
            .fetch_one(&mut *connection)
            .await?;
    sqlx::raw_sql(AssertSqlSafe(closed)).execute(&mut *connection).await?;
    let settings: Vec<String> =
        sqlx::query_scalar(SETTINGS).bind(name).fetch_all(&mut *connection).await?;
    for sql in settings {
        match sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await {
            // What only a superuser may set, our role does without.
            Ok(_) | Err(sqlx::Error::Database(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What is said of a database of ours while it is in use.
fn note(vault: &str) -> String {
    format!("sealift: a rehearsal of vault {vault}; it holds originals, and goes with its end")
}

async fn mark(connection: &mut PgConnection, name: &str, note: &str) -> Result<(), sqlx::Error> {
    let sql: String =
        sqlx::query_scalar("SELECT format('COMMENT ON DATABASE %I IS %L', $1::text, $2::text)")
            .bind(name)
            .bind(note)
            .fetch_one(&mut *connection)
            .await?;
    let begun = Instant::now();
    loop {
        match sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut *connection).await {
            // Whoever makes or drops databases on a busy server holds what this waits for.
            Err(error) if state(&error) == Some("55P03") && begun.elapsed() < DROPPED_WITHIN => {
                tokio::time::sleep(DYING_ASKED).await;
            }
            said => return said.map(|_| ()),
        }
    }
}

/// Drops databases of this vault's rehearsals that died. One that somebody is in is left.
async fn clear(
    connection: &mut PgConnection,
    from: &Address,
    vault: &str,
) -> Result<(), SourceError> {
    // language=PostgreSQL
    const SQL: &str = "SELECT quote_ident(datname) FROM pg_database
        WHERE starts_with(datname::text, $1) AND shobj_description(oid, 'pg_database') = $2";
    let failed = |error| source_error(error, from.shown(), "clearing what a rehearsal left");
    let left: Vec<String> = sqlx::query_scalar(SQL)
        .bind(NAMED)
        .bind(note(vault))
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    for name in left {
        let begun = Instant::now();
        loop {
            let sql = format!("DROP DATABASE IF EXISTS {name}");
            match sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await {
                // 55006: sessions are in it; those of a process that died end within seconds.
                Err(error) if state(&error) == Some("55006") && begun.elapsed() < DYING => {
                    tokio::time::sleep(DYING_ASKED).await;
                }
                // One that lives keeps its own.
                Ok(_) | Err(sqlx::Error::Database(_)) => break,
                Err(error) => return Err(failed(error)),
            }
        }
    }
    Ok(())
}

async fn is_marked(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)")
        .bind(MARKER)
        .fetch_one(connection)
        .await
}

/// Whether nobody else is in the database, or leaves it soon.
async fn alone(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'sealift%')";
    let begun = Instant::now();
    loop {
        if sqlx::query_scalar(SQL).fetch_one(&mut *connection).await? {
            return Ok(true);
        }
        if begun.elapsed() >= DYING {
            return Ok(false);
        }
        tokio::time::sleep(DYING_ASKED).await;
    }
}

/// Whether a database holds nothing that somebody made.
async fn is_empty(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT NOT EXISTS (
            SELECT FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public'))
        AND NOT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = to_regnamespace('public')
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'))
        AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = to_regnamespace('public')
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e'))
        AND NOT EXISTS (SELECT FROM pg_type t WHERE t.typnamespace = to_regnamespace('public')
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e'))
        AND NOT EXISTS (SELECT FROM pg_ts_dict d WHERE d.dictnamespace = to_regnamespace('public'))
        AND NOT EXISTS (SELECT FROM pg_ts_config g WHERE g.cfgnamespace = to_regnamespace('public'))
        AND NOT EXISTS (SELECT FROM pg_publication)
        AND NOT EXISTS (SELECT FROM pg_event_trigger v
            WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = v.oid AND d.deptype = 'e'))";
    sqlx::query_scalar(SQL).fetch_one(connection).await
}

/// Removes everything from a database that was empty when it was named: our mark last.
async fn empty(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT sql FROM (
        SELECT 1, format('DROP EVENT TRIGGER IF EXISTS %I', evtname) FROM pg_event_trigger v
        WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = v.oid AND d.deptype = 'e')
        UNION ALL
        SELECT 2, format('DROP PUBLICATION IF EXISTS %I', pubname) FROM pg_publication
        UNION ALL
        SELECT 3, format('DROP SCHEMA IF EXISTS %I CASCADE', nspname) FROM pg_namespace
        WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public', 'sealift_rehearsal')
        UNION ALL
        SELECT 4, format('DROP %s IF EXISTS public.%I CASCADE',
            CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, relname)
        FROM pg_class WHERE relnamespace = to_regnamespace('public') AND relkind IN ('r', 'p', 'v', 'm', 'S')
        UNION ALL
        SELECT 5, format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure)
        FROM pg_proc p WHERE p.pronamespace = to_regnamespace('public')
        UNION ALL
        SELECT 6, format('DROP TYPE IF EXISTS public.%I CASCADE', typname)
        FROM pg_type WHERE typnamespace = to_regnamespace('public') AND typtype IN ('e', 'd', 'c', 'r') AND typcategory <> 'A'
        UNION ALL
        SELECT 7, format('DROP TEXT SEARCH CONFIGURATION IF EXISTS public.%I CASCADE', cfgname)
        FROM pg_ts_config WHERE cfgnamespace = to_regnamespace('public')
        UNION ALL
        SELECT 8, format('DROP TEXT SEARCH DICTIONARY IF EXISTS public.%I CASCADE', dictname)
        FROM pg_ts_dict WHERE dictnamespace = to_regnamespace('public')
        UNION ALL
        SELECT 9, format('DROP COLLATION IF EXISTS public.%I CASCADE', collname)
        FROM pg_collation WHERE collnamespace = to_regnamespace('public')) AS drops (place, sql) ORDER BY place";
    let statements: Vec<String> = sqlx::query_scalar(SQL).fetch_all(&mut *connection).await?;
    for sql in statements {
        match sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await {
            // What went with something else; or belongs to an extension, which holds no original.
            Ok(_) | Err(sqlx::Error::Database(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let sql = format!("DROP SCHEMA IF EXISTS {MARKER} CASCADE");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gets_another_database_and_keeps_the_rest() {
        let change = |url| with_database(url, "other");
        assert_eq!(
            change("postgres://a:p@h:5433/crm?sslmode=require"),
            "postgres://a:p@h:5433/other?sslmode=require"
        );
        assert_eq!(change("postgres://h"), "postgres://h/other");
        assert_eq!(change("postgres:///crm?host=/run&dbname=crm"), "postgres:///other?host=/run");
    }
}
