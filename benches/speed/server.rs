//! A PostgreSQL of the bench's own: settings as a server has them that is meant to keep its data.

use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};

const OPTIONS: [&str; 6] = [
    "shared_buffers=1GB",
    "max_wal_size=8GB",
    "fsync=on",
    "synchronous_commit=on",
    "listen_addresses=",
    "checkpoint_timeout=30min",
];

/// A server that ends with this value.
pub(crate) struct Server {
    folder: tempfile::TempDir,
    binaries: PathBuf,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    pub(crate) fn start() -> Self {
        let binaries = binaries();
        // Under /tmp: the path of a socket has room for some 100 characters.
        let folder = tempfile::Builder::new().prefix("sealift-bench.").tempdir_in("/tmp").unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = Self { folder, binaries, runtime };
        if is_root() {
            run(Command::new("chown").arg("-R").arg("nobody:nogroup").arg(server.dir()));
        }
        run(server.tool("initdb").args(["--pgdata", "data", "--username", "sealift"]).args([
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
        ]));
        let mut options: Vec<String> =
            OPTIONS.iter().map(|option| format!("-c {option}")).collect();
        options.push(format!("-c unix_socket_directories={}", server.dir().display()));
        run(server
            .tool("pg_ctl")
            .args(["start", "--wait", "--silent", "--pgdata", "data", "--log", "log"])
            .args(["--options", &options.join(" ")]));
        server
    }

    pub(crate) fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The address of a database of this server.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://sealift@localhost/{database}?host={}", self.dir().display())
    }

    pub(crate) fn version(&self) -> String {
        let version: String = self.runtime.block_on(async {
            let mut connection = self.connect("postgres").await;
            sqlx::query_scalar("SHOW server_version").fetch_one(&mut connection).await.unwrap()
        });
        format!("{version}, {}", OPTIONS.join(", "))
    }

    async fn connect(&self, database: &str) -> PgConnection {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(self.dir())
            .username("sealift")
            .database(database);
        PgConnection::connect_with(&options).await.unwrap()
    }

    /// Runs statements one by one and returns how long they took, connecting apart.
    pub(crate) fn time(&self, database: &str, statements: &[&str]) -> f64 {
        self.runtime.block_on(async {
            let mut connection = self.connect(database).await;
            let begun = std::time::Instant::now();
            for statement in statements {
                let sql = AssertSqlSafe((*statement).to_owned());
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
            begun.elapsed().as_secs_f64()
        })
    }

    /// A copy of a database, on disk before anything is timed.
    pub(crate) fn copy(&self, of: &str, to: &str) {
        self.drop(to);
        let create = format!("CREATE DATABASE {to} TEMPLATE {of}");
        self.time("postgres", &[&create, "CHECKPOINT"]);
    }

    pub(crate) fn drop(&self, database: &str) {
        self.time("postgres", &[&format!("DROP DATABASE IF EXISTS {database}")]);
    }

    /// The bodies of a vault's ledger.
    pub(crate) fn ledger(&self, database: &str) -> Vec<Vec<u8>> {
        self.runtime.block_on(async {
            let mut connection = self.connect(database).await;
            sqlx::query_scalar("SELECT body FROM sealift.ledger ORDER BY sequence")
                .fetch_all(&mut connection)
                .await
                .unwrap()
        })
    }

    fn tool(&self, name: &str) -> Command {
        let program = self.binaries.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.dir()).env("HOME", self.dir());
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stop = ["stop", "--silent", "--mode", "immediate", "--pgdata", "data"];
        let _ = self.tool("pg_ctl").args(stop).status();
    }
}

fn run(command: &mut Command) {
    // Not `output`: the server keeps the pipes of what has started it.
    let status = command.stdout(std::process::Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?} ended with {status}");
}

/// PostgreSQL refuses to run as root.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// The folder with the server's own programs: of PATH, or the newest that Debian has installed.
fn binaries() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin")).collect();
    installed.sort();
    std::env::split_paths(&path)
        .chain(installed.into_iter().rev())
        .find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
        .unwrap()
}
