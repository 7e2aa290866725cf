//! SQLite: the plain statement and Sealift, the vault in a file of its own.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::measure::{Passes, Program, Table, passes};
use crate::{Case, Columns};

pub(crate) fn measure(binary: &Path, case: &Case) -> String {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let base = dir.path().join("base.db");
    runtime.block_on(fill(&base, case));
    let mut plain = Vec::new();
    let mut runs = Vec::new();
    for _ in 0..case.repeat {
        let copy = dir.path().join("plain.db");
        std::fs::copy(&base, &copy).unwrap();
        plain.push(runtime.block_on(update(&copy, case)));
        std::fs::remove_file(&copy).unwrap();
        runs.push(runtime.block_on(async { sealift(binary, &base, case).await }));
    }
    let mut table = Table::begin(&plain);
    table.passes("(c) in place", &runs);
    table.rate(case.rows, &runs);
    table.end()
}

async fn open(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn fill(path: &Path, case: &Case) {
    let mut connection = open(path).await;
    let sql = format!(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE people (
             id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, ssn TEXT, pan TEXT, city TEXT);
         CREATE INDEX people_ssn ON people (ssn);
         INSERT INTO people
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})
         SELECT i, 'person' || i || '@example.com', printf('%09d', i * 977 % 1000000007),
                printf('4%015d', i * 7919 % 1000000000000037), {} FROM n;
         PRAGMA wal_checkpoint(TRUNCATE);",
        case.rows,
        if case.columns == Columns::Large {
            "hex(randomblob(524288))"
        } else {
            case.columns.city()
        }
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// What somebody without a tool would write: one statement, values of a token's kind.
async fn update(path: &Path, case: &Case) -> f64 {
    let mut connection = open(path).await;
    let sets: Vec<String> =
        case.columns.names().iter().map(|name| format!("{name} = hex(randomblob(16))")).collect();
    let sql = format!("UPDATE people SET {}", sets.join(", "));
    let begun = std::time::Instant::now();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    let took = begun.elapsed().as_secs_f64();
    connection.close().await.unwrap();
    took
}

async fn sealift(binary: &Path, base: &Path, case: &Case) -> Passes {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(base, dir.path().join("people.db")).unwrap();
    let program = Program {
        binary,
        dir: dir.path(),
        source: "sqlite:people.db".to_owned(),
        vault: "sqlite:vault.db".to_owned(),
    };
    program.prepare(case.columns, "in-place");
    let (took, peak) = tokio::task::block_in_place(|| program.run(&["run"]));
    let mut vault = open(&dir.path().join("vault.db")).await;
    let bodies: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT CAST(body AS BLOB) FROM sealift_ledger ORDER BY sequence")
            .fetch_all(&mut vault)
            .await
            .unwrap();
    vault.close().await.unwrap();
    passes(&bodies, took, peak)
}
