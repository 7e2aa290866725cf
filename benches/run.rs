//! Rows per second of a whole run, beside a plain `UPDATE` of the same columns in the same run.
//!
//! `cargo bench --bench run [-- ROWS]`: makes a SQLite database of people with three sensitive
//! columns of distinct values and two indexes, times the plain statement on one copy and the passes
//! of a run on another, by the same binary that people use, and prints ratios. What counts is the
//! ratio: both sides share machine, disk and moment.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a bench that cannot go on should stop, and its figures are for people"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};

const POLICY: &str = r#"
[source]
name = "bench"

[[column]]
name  = "people.email"
class = "contact"
token = "keyed"

[[column]]
name  = "people.ssn"
class = "identity"
token = "keyed"

[[column]]
name  = "people.pan"
class = "payment"
token = "keyed"

[approval]
plan  = 0
purge = 0
"#;

fn main() {
    let rows = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(1_000_000_u64);
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let source = dir.path().join("people.db");
    runtime.block_on(fill(&source, rows));
    let plain = dir.path().join("plain.db");
    std::fs::copy(&source, &plain).unwrap();
    let baseline = runtime.block_on(update(&plain));
    std::fs::remove_file(&plain).unwrap();
    println!("{rows} rows, 3 columns of distinct values, 2 indexes");
    line("plain UPDATE", baseline, baseline);
    std::fs::write(dir.path().join("policy.toml"), POLICY).unwrap();
    sealift(
        dir.path(),
        &[
            "init",
            "--caller",
            "alice",
            "--credential-file",
            "alice.key",
            "--recovery-file",
            "recovery.txt",
        ],
    );
    sealift(dir.path(), &["plan", "--policy", "policy.toml"]);
    let mut peak = 0;
    let mut times = Vec::new();
    for phase in ["backed_up", "sealed", "rewritten", "verified"] {
        let (took, memory) = sealift(dir.path(), &["run", "--until", phase]);
        line(phase, took, baseline);
        peak = peak.max(memory);
        times.push(took);
    }
    line("seal + rewrite", times[1] + times[2], baseline);
    println!("peak memory {} MiB, unlocking included", peak / 1024);
}

fn line(what: &str, took: Duration, baseline: Duration) {
    let ratio = took.as_secs_f64() / baseline.as_secs_f64();
    println!("{what:<16} {:>8.2} s  {ratio:>6.2} x", took.as_secs_f64());
}

async fn open(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn fill(path: &Path, rows: u64) {
    let mut connection = open(path).await;
    let sql = format!(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE people (
             id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, ssn TEXT, pan TEXT, city TEXT);
         CREATE INDEX people_ssn ON people (ssn);
         INSERT INTO people
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         SELECT i, 'person' || i || '@example.com', printf('%09d', i * 977 % 1000000007),
                printf('4%015d', i * 7919 % 1000000000000037), 'city ' || i % 1000 FROM n;"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// What somebody without a tool would write: one statement, values of a token's kind.
async fn update(path: &Path) -> Duration {
    let mut connection = open(path).await;
    let begun = Instant::now();
    sqlx::raw_sql(
        "UPDATE people SET email = hex(randomblob(16)), ssn = hex(randomblob(16)),
                           pan = hex(randomblob(16))",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let took = begun.elapsed();
    connection.close().await.unwrap();
    took
}

/// Runs the binary; returns the time that it took and its peak memory in KiB.
fn sealift(dir: &Path, args: &[&str]) -> (Duration, u64) {
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_sealift"))
        .args(args)
        .current_dir(dir)
        .env("SEALIFT_VAULT", "sqlite:vault.db")
        .env("SEALIFT_SOURCE", "sqlite:people.db")
        .env("SEALIFT_PASSPHRASE", "bench only")
        .env("SEALIFT_CREDENTIAL_FILE", "alice.key")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        if let Ok(text) = std::fs::read_to_string(&status) {
            let line = text.lines().find(|line| line.starts_with("VmHWM:"));
            let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
            peak = peak.max(kib.unwrap_or(0));
        }
        if let Some(exit) = child.try_wait().unwrap() {
            assert!(exit.success(), "sealift {args:?} ended with {exit}");
            return (begun.elapsed(), peak);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
