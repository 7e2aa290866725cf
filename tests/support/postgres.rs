//! A PostgreSQL database of its own for each test, on the server of `SEALIFT_TEST_POSTGRES_URL`.

use std::str::FromStr as _;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use tokio::runtime::{Builder, Runtime};

/// Databases that this process has made.
static MADE: AtomicU32 = AtomicU32::new(0);

/// A fresh database; it is dropped at the end, with whoever is still in it.
pub(crate) struct Postgres {
    runtime: Runtime,
    name: String,
    options: PgConnectOptions,
    password: String,
    connection: Option<PgConnection>,
}

impl Postgres {
    /// Makes a database and fills it.
    #[track_caller]
    pub(crate) fn with(sql: &str) -> Self {
        let url = std::env::var("SEALIFT_TEST_POSTGRES_URL")
            .expect("SEALIFT_TEST_POSTGRES_URL names a server; tests/all.sh starts one");
        Self::on(&url, sql)
    }

    /// Makes a database on a server of its own, and fills it.
    #[track_caller]
    pub(crate) fn on(url: &str, sql: &str) -> Self {
        let password = password_of(url);
        let server = PgConnectOptions::from_str(url).unwrap().disable_statement_logging();
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("sealift_test_{}_{number}", std::process::id());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut admin = server.clone().connect().await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
                .execute(&mut admin)
                .await
                .unwrap();
            admin.close().await.unwrap();
        });
        let options = server.database(&name);
        let connection = runtime.block_on(options.connect()).unwrap();
        let mut database = Self { runtime, name, options, password, connection: Some(connection) };
        database.exec(sql);
        database
    }

    /// A session with a database that is there, and stays.
    #[track_caller]
    pub(crate) fn existing(url: &str) -> Self {
        let options = PgConnectOptions::from_str(url).unwrap().disable_statement_logging();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let connection = Some(runtime.block_on(options.connect()).unwrap());
        Self { runtime, name: String::new(), options, password: password_of(url), connection }
    }

    /// A copy of the database, as a dump and a restore make one.
    #[track_caller]
    pub(crate) fn copy(&mut self) -> Self {
        let mut copy = Self::on(&self.url(), "");
        copy.be(self);
        // Its session was ended for that.
        self.reconnect();
        copy
    }

    /// Becomes what another database is.
    #[track_caller]
    pub(crate) fn be(&mut self, other: &Self) {
        let (name, template) = (self.name.clone(), other.name.clone());
        if let Some(connection) = self.connection.take() {
            self.runtime.block_on(connection.close()).unwrap();
        }
        let options = self.options.clone().database("postgres");
        self.connection = self.runtime.block_on(async {
            let mut admin = options.connect().await.unwrap();
            // Nobody may be in a database that is copied; whoever is there comes again.
            for sql in [
                format!("DROP DATABASE {name} WITH (FORCE)"),
                format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{template}'"
                ),
                format!("CREATE DATABASE {name} TEMPLATE {template}"),
            ] {
                let mut attempts = 0;
                while let Err(error) =
                    sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut admin).await
                {
                    attempts += 1;
                    assert!(attempts < 40, "{error}");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
            admin.close().await.unwrap();
            Some(self.options.connect().await.unwrap())
        });
    }

    /// A second session with the same database; the first one's drops it.
    pub(crate) fn beside(other: &Self) -> Session {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(other.options.connect()).unwrap();
        Session { runtime, connection }
    }

    /// Its address, password included.
    pub(crate) fn url(&self) -> String {
        format!(
            "postgres://{}:{}@{}:{}/{}",
            self.options.get_username(),
            self.password,
            self.options.get_host(),
            self.options.get_port(),
            self.name
        )
    }

    /// Its address for another role.
    pub(crate) fn url_of(&self, role: &str, password: &str) -> String {
        let url = self.url();
        let (_, place) = url.rsplit_once('@').unwrap();
        format!("postgres://{role}:{password}@{place}")
    }

    /// What may be given to a setting of the server, as it was built: ways of compression.
    #[track_caller]
    pub(crate) fn knows(&mut self, setting: &str, way: &str) -> bool {
        let sql = format!(
            "SELECT count(*)::text FROM pg_settings WHERE name = '{setting}' AND '{way}' = ANY (enumvals)"
        );
        self.value(sql) == "1"
    }

    /// The major version of its server.
    #[track_caller]
    pub(crate) fn version(&mut self) -> u32 {
        let number: u32 = self.value("SHOW server_version_num").parse().unwrap();
        number / 10_000
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The password, which no message may show.
    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// Another session with the same database.
    pub(crate) fn another(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// Opens its session anew, after the server was away.
    pub(crate) fn reconnect(&mut self) {
        self.connection = Some(self.runtime.block_on(self.options.connect()).unwrap());
    }

    /// Runs statements.
    #[track_caller]
    pub(crate) fn exec(&mut self, sql: impl Into<String>) {
        self.try_exec(sql).unwrap();
    }

    /// Runs statements; says whether they were taken.
    pub(crate) fn try_exec(&mut self, sql: impl Into<String>) -> Result<(), sqlx::Error> {
        let connection = self.connection.as_mut().unwrap();
        let query = sqlx::raw_sql(AssertSqlSafe(sql.into()));
        self.runtime.block_on(query.execute(connection)).map(|_| ())
    }

    /// The rows of a query, each column cast to text by the query itself; NULL as `∅`.
    #[track_caller]
    pub(crate) fn rows(&mut self, sql: impl Into<String>) -> Vec<Vec<String>> {
        let connection = self.connection.as_mut().unwrap();
        let query = sqlx::query(AssertSqlSafe(sql.into()));
        let rows = self.runtime.block_on(query.fetch_all(connection)).unwrap();
        let text = |row: &sqlx::postgres::PgRow| {
            (0..row.len())
                .map(|at| row.get::<Option<String>, _>(at).unwrap_or_else(|| "∅".to_owned()))
                .collect()
        };
        rows.iter().map(text).collect()
    }

    /// The first column of a query.
    #[track_caller]
    pub(crate) fn column(&mut self, sql: impl Into<String>) -> Vec<String> {
        self.rows(sql).into_iter().map(|row| row.into_iter().next().unwrap()).collect()
    }

    /// The only value of a query.
    #[track_caller]
    pub(crate) fn value(&mut self, sql: impl Into<String>) -> String {
        let column = self.column(sql);
        assert_eq!(column.len(), 1, "one row is expected");
        column.into_iter().next().unwrap()
    }

    /// Every row of every table, and every object, as text: what a rollback has to bring back. Our
    /// own schema is asked after apart.
    #[track_caller]
    pub(crate) fn dump(&mut self) -> Vec<String> {
        self.wait_for_sessions();
        let mut lines = self.column(
            "SELECT table_schema || '.' || table_name || '.' || column_name || ' ' || data_type
                    || coalesce(character_maximum_length::text, '')
             FROM information_schema.columns
             WHERE table_schema NOT IN ('pg_catalog', 'information_schema', 'sealift') ORDER BY 1",
        );
        lines.extend(self.column(
            "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
             FROM pg_constraint WHERE conrelid <> 0 AND connamespace::regnamespace::text NOT IN
                   ('information_schema', 'sealift')
             ORDER BY 1",
        ));
        lines.extend(self.objects());
        let tables = self.column(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
             WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'sealift') ORDER BY 1",
        );
        for table in tables {
            let rows = self.column(format!("SELECT t::text FROM ONLY {table} AS t ORDER BY 1"));
            lines.extend(rows.into_iter().map(|row| format!("{table} {row}")));
        }
        lines
    }

    /// Waits for the temporary tables of sessions whose process has ended: the server removes them,
    /// a moment later. Such as stay are in the dump.
    fn wait_for_sessions(&mut self) {
        const LEFT: &str = "SELECT relname::text FROM pg_class WHERE relpersistence = 't'";
        for _ in 0..100 {
            if self.column(LEFT).is_empty() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// What is no table: views, rules, triggers, policies, indexes; with owners, grants, options and
    /// comments.
    #[track_caller]
    pub(crate) fn objects(&mut self) -> Vec<String> {
        const OBJECTS: [&str; 8] = [
            // Also those that partitions have by the table above them, which `pg_dump` leaves out.
            "SELECT concat_ws(' ', 'constraint', k.conrelid::regclass, k.conname, k.convalidated,
                    pg_get_constraintdef(k.oid), up.conname)
             FROM pg_constraint k LEFT JOIN pg_constraint up ON up.oid = k.conparentid
             WHERE up.conrelid IS DISTINCT FROM k.conrelid AND k.connamespace::regnamespace::text
                   NOT IN ('pg_catalog', 'information_schema', 'sealift') ORDER BY 1",
            "SELECT concat_ws(' ', 'view', c.oid::regclass, c.relkind, c.relispopulated,
                    pg_get_userbyid(c.relowner), c.reloptions::text, pg_get_viewdef(c.oid),
                    (SELECT string_agg(x::text, ' ' ORDER BY x::text)
                     FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x),
                    (SELECT string_agg(concat_ws(' ', attname, attacl::text,
                                pg_get_expr(adbin, adrelid)), ', ' ORDER BY attnum)
                     FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
                     WHERE attrelid = c.oid AND attnum > 0))
             FROM pg_class c WHERE c.relkind IN ('v', 'm')
               AND relnamespace::regnamespace::text NOT IN
                   ('pg_catalog', 'information_schema', 'sealift') ORDER BY 1",
            "SELECT concat_ws(' ', 'rule', ev_enabled, pg_get_ruledef(r.oid)) FROM pg_rewrite r
             JOIN pg_class c ON c.oid = ev_class WHERE rulename <> '_RETURN'
               AND relnamespace::regnamespace::text NOT IN
                   ('pg_catalog', 'information_schema', 'sealift') ORDER BY 1",
            "SELECT concat_ws(' ', 'trigger', tgenabled, pg_get_triggerdef(oid)) FROM pg_trigger
             WHERE NOT tgisinternal ORDER BY 1",
            "SELECT concat_ws(' ', 'policy', polrelid::regclass, polname, polcmd, polpermissive,
                    polroles::text, pg_get_expr(polqual, polrelid),
                    pg_get_expr(polwithcheck, polrelid)) FROM pg_policy ORDER BY 1",
            "SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), indisclustered,
                    indisreplident) FROM pg_index JOIN pg_class c ON c.oid = indrelid
             WHERE relnamespace::regnamespace::text NOT IN
                   ('pg_catalog', 'pg_toast', 'information_schema', 'sealift') ORDER BY 1",
            "SELECT concat_ws(' ', 'sampled', attrelid::regclass, attnum, attstattarget)
             FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
             WHERE relkind IN ('i', 'I') AND coalesce(attstattarget, -1) <> -1
               AND relnamespace <> 'pg_catalog'::regnamespace ORDER BY 1",
            "SELECT concat_ws(' ', pg_get_statisticsobjdef(oid), stxstattarget,
                    pg_get_userbyid(stxowner)) FROM pg_statistic_ext ORDER BY 1",
        ];
        const COMMENTS: &str = "SELECT concat_ws(' ', 'comment',
                pg_describe_object(classoid, objoid, objsubid), description) FROM pg_description
            WHERE objoid >= 16384 AND pg_describe_object(classoid, objoid, objsubid) !~ '(sealift|table cursor$|table source$)'
            ORDER BY 1";
        const COLUMNS: &str = "SELECT concat_ws(' ', 'column', attrelid::regclass, attname,
                attcollation::regcollation, attstorage, coalesce(attstattarget, -1), attnotnull,
                attacl::text, pg_get_expr(adbin, adrelid))
            FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
            LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
            WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p')
              AND relnamespace::regnamespace::text NOT IN
                  ('pg_catalog', 'information_schema', 'sealift') ORDER BY 1";
        OBJECTS.into_iter().chain([COMMENTS, COLUMNS]).flat_map(|sql| self.column(sql)).collect()
    }
}

impl Postgres {
    /// Where `pg_dump` is: named, or beside the server.
    pub(crate) fn pg_dump_program(&mut self) -> Option<std::path::PathBuf> {
        if let Some(named) = std::env::var_os("SEALIFT_TEST_PG_DUMP") {
            return Some(named.into());
        }
        let folder = self.value("SELECT setting FROM pg_config WHERE name = 'BINDIR'");
        let program = std::path::Path::new(&folder).join("pg_dump");
        program.exists().then_some(program)
    }

    /// The database as `pg_dump` writes it, the rows of each table sorted, without the lines that
    /// hold something random; before it what it leaves out.
    #[track_caller]
    pub(crate) fn pg_dump(&mut self) -> Vec<String> {
        let objects = self.objects();
        let Some(program) = self.pg_dump_program() else {
            // The packages of `tests/matrix.sh` hold the server alone: what it says itself, then.
            let mut all = self.dump();
            all.extend(objects);
            return all;
        };
        let output = std::process::Command::new(&program)
            .arg(self.url())
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let (mut lines, mut rows): (Vec<String>, Option<Vec<String>>) = (objects, None);
        for line in text.lines() {
            let is_random = line.starts_with("\\restrict") || line.starts_with("\\unrestrict");
            match &mut rows {
                _ if is_random => {}
                Some(_) if line == "\\." => {
                    let mut sorted = rows.take().unwrap_or_default();
                    sorted.sort_unstable();
                    lines.extend(sorted);
                }
                Some(rows) => rows.push(line.to_owned()),
                None => {
                    rows = line.starts_with("COPY ").then(Vec::new);
                    lines.push(line.to_owned());
                }
            }
        }
        lines
    }
}

fn password_of(url: &str) -> String {
    let (_, password) = url.split_once("://").unwrap().1.split_once(':').unwrap();
    password.split('@').next().unwrap().to_owned()
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let _ = self.runtime.block_on(connection.close());
        }
        let (options, name) = (self.options.clone().database("postgres"), self.name.clone());
        if name.is_empty() {
            return;
        }
        // A test that has failed already shall not fail a second time.
        self.runtime.block_on(async {
            if let Ok(mut admin) = options.connect().await {
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                let _ = sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut admin).await;
            }
        });
    }
}

/// Another session with a database.
pub(crate) struct Session {
    runtime: Runtime,
    connection: PgConnection,
}

impl Session {
    /// The only value of a query, as text.
    #[track_caller]
    pub(crate) fn value(&mut self, sql: &str) -> String {
        let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
        self.runtime.block_on(query.fetch_one(&mut self.connection)).unwrap()
    }

    /// Runs a statement.
    #[track_caller]
    pub(crate) fn exec(&mut self, sql: &str) {
        self.try_exec(sql).unwrap();
    }

    /// Runs a statement; says whether it was taken.
    pub(crate) fn try_exec(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        self.runtime.block_on(query.execute(&mut self.connection)).map(|_| ())
    }
}
