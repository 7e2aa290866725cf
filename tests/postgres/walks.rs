//! Walks by keys of every type: each row once, in pages, whatever its key is made of.

use std::fmt::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use sealift::engine::postgres::source::PostgresSource;
use sealift::plan::{UnitColumn, UnitTable, Walk};
use sealift::policy::TableName;
use sealift::ports::{Limit, Row, Source as _, WalkFilter};
use tokio::runtime::Builder;

use crate::support::{Desk, Postgres, plan_and_approve};

/// Rows of each table.
const ROWS: usize = 61;

/// Types of keys, with an expression over `i` that gives each row its own.
const KEYS: [(&str, &str); 30] = [
    ("bigint", "i * 1000003 - 30000000"),
    ("smallint", "i - 30"),
    ("numeric", "(i - 30) * 1.10"),
    ("numeric", "power(10, i % 40) * i"),
    ("double precision", "(i - 30) / 7.0"),
    ("uuid", "md5(i::text)::uuid"),
    ("text", "chr(96 + i) || i"),
    ("text COLLATE \"C\"", "CASE i % 3 WHEN 0 THEN 'é' WHEN 1 THEN 'E' ELSE 'e' END || i"),
    ("text COLLATE \"de-x-icu\"", "CASE i % 3 WHEN 0 THEN 'é' WHEN 1 THEN 'E' ELSE 'e' END || i"),
    ("text COLLATE ci", "CASE i % 2 WHEN 0 THEN 'N' ELSE 'n' END || 'ick' || i"),
    ("varchar(20) COLLATE \"en-x-icu\"", "repeat(' ', i % 3) || '-' || i"),
    ("char(12)", "'k' || i"),
    ("citext", "CASE i % 2 WHEN 0 THEN 'K' ELSE 'k' END || i"),
    ("name", "'n' || i"),
    (
        "date",
        "CASE i WHEN 1 THEN 'infinity' WHEN 2 THEN '0044-03-15 BC' ELSE date '2000-01-01' + i END",
    ),
    ("timestamp", "timestamp '2024-03-31 01:30' + i * interval '7 min'"),
    ("timestamptz", "timestamptz '2024-10-27 00:00+00' + i * interval '7 min'"),
    ("time", "time '00:00' + i * interval '23 min'"),
    ("interval", "i * interval '1 month 3 hours'"),
    ("bytea", "decode(lpad(to_hex(i * 4111), 6, '0'), 'hex')"),
    ("inet", "'10.0.0.0'::inet + i * 77"),
    ("macaddr", "('08:00:2b:01:02:' || lpad(to_hex(i), 2, '0'))::macaddr"),
    ("boxed", "('(' || i % 5 || ',\"' || i || ' \"\"x\"\"\")')::boxed"),
    ("mood", "(enum_range(NULL::mood))[i]"),
    ("integer[]", "ARRAY[i % 4, i]"),
    ("int8range", "int8range(i, i + 2)"),
    ("dint", "i * 3"),
    ("dcode", "'AB' || i"),
    ("dci", "CASE i % 2 WHEN 0 THEN 'K' ELSE 'k' END || i"),
    ("bit varying(40)", "i::bit(12)::bit varying(40)"),
];

/// Keys of several columns, one of them of an extension's type.
const COMPOSITE: [&str; 4] = [
    "a integer, b text COLLATE \"de-x-icu\", c uuid, PRIMARY KEY (a, b, c)",
    "b text, a integer, c uuid, PRIMARY KEY (b, a)",
    "a integer, b citext, c uuid, PRIMARY KEY (a, b, c)",
    "b citext, a integer, c uuid, PRIMARY KEY (b, a)",
];

fn schema() -> String {
    let moods: Vec<String> = (1..=ROWS).map(|n| format!("'mood {}'", (n * 37) % 64)).collect();
    let mut sql = format!(
        "CREATE EXTENSION citext;
         CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TYPE mood AS ENUM ({});
         CREATE TYPE boxed AS (a integer, b text);
         CREATE DOMAIN dint AS bigint CHECK (VALUE > 0);
         CREATE DOMAIN dcode AS varchar(9) COLLATE \"C\" CHECK (VALUE ~ '^AB');
         CREATE DOMAIN dci AS citext;",
        moods.join(", ")
    );
    for (at, (kind, value)) in KEYS.into_iter().enumerate() {
        writeln!(
            sql,
            "CREATE TABLE t{at} (k {kind} PRIMARY KEY, email text);
             INSERT INTO t{at} SELECT {value}, 'p' || i || '@example.com' FROM generate_series(1, {ROWS}) AS i;"
        )
        .unwrap();
    }
    for (at, columns) in COMPOSITE.into_iter().enumerate() {
        writeln!(
            sql,
            "CREATE TABLE c{at} ({columns}, email text);
             INSERT INTO c{at} (a, b, c, email)
             SELECT i % 5, CASE i % 2 WHEN 0 THEN 'K' ELSE 'k' END || i % 13, md5(i::text)::uuid,
                    'p' || i || '@example.com' FROM generate_series(1, {ROWS}) AS i;"
        )
        .unwrap();
    }
    sql
}

/// The tables of [`schema`], with their keys.
fn tables() -> Vec<(String, Vec<String>)> {
    let single = (0..KEYS.len()).map(|at| (format!("t{at}"), vec!["k".to_owned()]));
    let key = |columns: &str| -> Vec<String> {
        let (_, key) = columns.split_once("PRIMARY KEY (").unwrap();
        key.trim_end_matches(')').split(", ").map(str::to_owned).collect()
    };
    let composite = (0..).zip(COMPOSITE).map(|(at, columns)| (format!("c{at}"), key(columns)));
    single.chain(composite).collect()
}

/// A column of the policy.
fn column(name: &str, domain: &str) -> String {
    format!(
        "[[column]]\nname = \"{name}\"\nclass = \"contact\"\ndomain = \"{domain}\"\ntoken = \"keyed\"\n"
    )
}

fn unit(table: &str, walk: Walk) -> UnitTable {
    UnitTable {
        table: TableName::bare(table),
        walk,
        columns: vec![UnitColumn { rule: 0, column: "email".to_owned(), domain: "d".to_owned() }],
        rows: 0,
        suppressed_triggers: Vec::new(),
    }
}

/// Walks a table to its end.
async fn read_out(source: &PostgresSource, table: &UnitTable, limit: Limit) -> Vec<Row> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let read = source.walk(table, after.as_ref(), None, limit, &WalkFilter::All).await;
        let read = read.unwrap_or_else(|error| panic!("{}: {error:?}", table.table));
        let Some(last) = read.last() else { return all };
        after = Some(last.key.clone());
        all.extend(read);
    }
}

/// Walks tables in pages of a few rows.
fn walked(db: &Postgres, tables: &[UnitTable], rows: usize) -> Vec<Vec<Row>> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let url = db.url();
    runtime.block_on(async {
        let source = PostgresSource::open(&url).await.unwrap();
        let mut walks = Vec::new();
        for table in tables {
            let all = read_out(&source, table, Limit { rows, bytes: 1 << 20 }).await;
            // Up to a key is up to it: the other half of each comparison.
            let half = all.get(all.len() / 2).map(|row| row.key.clone());
            if let (Some(half), Walk::Key(_)) = (half, &table.walk) {
                let limit = Limit { rows: 1_000, bytes: 1 << 20 };
                let upto = Some(&half);
                let read = source.walk(table, None, upto, limit, &WalkFilter::All).await.unwrap();
                assert_eq!(read.len(), all.len() / 2 + 1, "{}", table.table);
            }
            walks.push(all);
        }
        walks
    })
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn each_row_is_met_once_whatever_its_key_is_made_of() {
    let db = Postgres::with(&schema());
    let tables: Vec<UnitTable> =
        tables().into_iter().map(|(table, key)| unit(&table, Walk::Key(key))).collect();
    for (table, rows) in tables.iter().zip(walked(&db, &tables, 7)) {
        let mut cells: Vec<&str> =
            rows.iter().filter_map(|row| row.cells[0].as_ref()?.as_text()).collect();
        cells.sort_unstable();
        cells.dedup();
        assert_eq!((rows.len(), cells.len()), (ROWS, ROWS), "{}", table.table);
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_run_over_keys_of_every_type_goes_there_and_back() {
    let mut db = Postgres::with(&schema());
    let desk = Desk::over(&db.url());
    let mut policy = "[source]\nname = \"keys\"\n".to_owned();
    for (table, _) in tables() {
        policy.push_str(&column(&format!("{table}.email"), "email"));
    }
    desk.write("shop.toml", &policy);
    let before = db.dump();
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run]).done();
    let status = desk.json(&["status", &run]).done();
    assert_eq!(status.number("/counts/rows"), (tables().len() * ROWS) as u64);
    assert_eq!(status.number("/counts/without_backup"), 0);
    for (table, _) in tables() {
        let left = format!("SELECT count(*)::text FROM {table} WHERE email LIKE '%@%'");
        assert_eq!(db.value(left), "0", "{table}");
    }
    desk.run(&["rollback", &run]).done();
    assert_eq!(db.dump(), before);
}

/// Blocks beside a table that were looked at since it was made, as soon as the server has counted them.
fn blocks_aside(db: &mut Postgres, more_than: u64) -> u64 {
    let sql = "SELECT (toast_blks_read + toast_blks_hit)::text FROM pg_statio_user_tables WHERE relname = 't'";
    let (mut last, begun) = (0, Instant::now());
    loop {
        let now = db.value(sql).parse().unwrap();
        if now > more_than && now == last {
            return now;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "the server counted nothing");
        last = now;
        sleep(Duration::from_millis(700));
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_large_value_is_fetched_for_the_read_that_sends_it_and_for_no_other() {
    // Of a document the server has to make the text to know its length, for a first read that is cut.
    for (kind, value, quarters) in [
        ("text", "repeat('x', 131072) || i", 5),
        ("bytea", "decode(repeat('5a', 65536), 'hex') || i::text::bytea", 5),
        ("jsonb", "to_jsonb(repeat('x', 131072) || i)", 9),
    ] {
        let mut db = Postgres::with(&format!(
            "CREATE TABLE t (id integer PRIMARY KEY, email {kind});
             ALTER TABLE t ALTER email SET STORAGE EXTERNAL;
             INSERT INTO t SELECT i, {value} FROM generate_series(1, 40) AS i;"
        ));
        let made = blocks_aside(&mut db, 0);
        db.value("SELECT sum(length(md5(email::text)))::text FROM t");
        let looked = blocks_aside(&mut db, made);
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let rows = runtime.block_on(async {
            let source = PostgresSource::open(&db.url()).await.unwrap();
            let limit = Limit { rows: 1_000, bytes: 1 << 20 };
            read_out(&source, &unit("t", Walk::Key(vec!["id".to_owned()])), limit).await.len()
        });
        assert_eq!(rows, 40);
        let (walked, once) = (blocks_aside(&mut db, looked) - looked, looked - made);
        assert!(walked * 4 <= once * quarters, "{kind}: {walked} blocks, and {once} for all once");
    }
}

/// How rows of a table are found, by the plan.
fn walk_of(sql: &str) -> String {
    let db = Postgres::with(sql);
    let desk = Desk::over(&db.url());
    desk.write(
        "shop.toml",
        "[source]\nname = \"t\"\n[[column]]\nname = \"t.email\"\nclass = \"contact\"\ntoken = \"keyed\"\n",
    );
    let plan = desk.json(&["plan", "--policy", "shop.toml", "--dry-run"]).done();
    let walk = plan.last()["units"][0]["tables"][0]["walk"].clone();
    match walk["columns"].as_array() {
        Some(columns) => {
            columns.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join(" ")
        }
        None => walk["by"].as_str().unwrap().to_owned(),
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn only_what_tells_every_row_from_every_other_is_a_key() {
    let t = |columns: &str| format!("CREATE TABLE t (email text, {columns});");
    assert_eq!(walk_of(&t("a int NOT NULL UNIQUE")), "a", "where the primary key is missing");
    assert_eq!(walk_of(&t("a int GENERATED ALWAYS AS IDENTITY UNIQUE")), "a");
    assert_eq!(walk_of(&t("a int, b text, UNIQUE (b), PRIMARY KEY (a, b)")), "a b");
    for none in [
        "a int UNIQUE",
        "a int NOT NULL UNIQUE DEFERRABLE",
        "a int PRIMARY KEY DEFERRABLE",
        "a int NOT NULL, b int, UNIQUE (a, b)",
        "a int",
    ] {
        assert_eq!(walk_of(&t(none)), "row_id", "{none}");
    }
    let indexed =
        |columns: &str, index: &str| format!("{} CREATE UNIQUE INDEX i ON t {index};", t(columns));
    assert_eq!(walk_of(&indexed("a int NOT NULL", "(a) WHERE a > 0")), "row_id");
    assert_eq!(walk_of(&indexed("a text NOT NULL", "(lower(a))")), "row_id");
    assert_eq!(walk_of(&indexed("a int NOT NULL, b int", "(a) INCLUDE (b)")), "a");
    let collated =
        "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TABLE t (email text, a text COLLATE ci NOT NULL);
        CREATE UNIQUE INDEX i ON t (a COLLATE \"C\");";
    assert_eq!(walk_of(collated), "row_id", "what the index tells apart, the column does not");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn rows_without_a_key_are_met_once_also_over_many_empty_pages_and_beside_writers() {
    let mut db = Postgres::with(
        "CREATE TABLE t (n integer, email text);
         INSERT INTO t SELECT i, repeat('x', 900) || i FROM generate_series(1, 9000) AS i;
         DELETE FROM t WHERE n % 1000 <> 0;",
    );
    let table = [unit("t", Walk::RowId)];
    assert_eq!(walked(&db, &table, 2)[0].len(), 9);

    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let source = runtime.block_on(PostgresSource::open(&db.url())).unwrap();
    let walk = |after: Option<&sealift::value::RowKey>| {
        let limit = Limit { rows: 4, bytes: 1 << 20 };
        runtime.block_on(source.walk(&table[0], after, None, limit, &WalkFilter::All)).unwrap()
    };
    let mut met = walk(None);
    // Every row moves to where the walk has been, or to where it has yet to come.
    db.exec("UPDATE t SET email = email || '.'");
    loop {
        let more = walk(met.last().map(|row| &row.key));
        if more.is_empty() {
            break;
        }
        met.extend(more);
    }
    assert_eq!(met.len(), 9, "a row that moves is met once");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_table_of_sixteen_hundred_columns_is_walked_like_any_other() {
    let columns: Vec<String> = (1..1_600).map(|n| format!("c{n} text")).collect();
    let mut db = Postgres::with(&format!(
        "CREATE TABLE wide (id integer PRIMARY KEY, {});
         INSERT INTO wide (id, c1, c800, c1599)
         SELECT i, 'a' || i || '@example.com', 'b' || i, 'c' || i FROM generate_series(1, 50) AS i;",
        columns.join(", ")
    ));
    let desk = Desk::over(&db.url());
    let mut policy = "[source]\nname = \"wide\"\n".to_owned();
    for n in 1..1_600 {
        policy.push_str(&column(&format!("wide.c{n}"), "d"));
    }
    desk.write("shop.toml", &policy);
    let before = db.dump();
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run]).done();
    let left = "SELECT count(*)::text FROM wide WHERE c1 LIKE '%@%' OR c1599 LIKE 'c%'";
    assert_eq!(db.value(left), "0");
    desk.run(&["rollback", &run]).done();
    assert_eq!(db.dump(), before);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn columns_may_be_named_as_what_statements_make() {
    let mut db = Postgres::with(
        "CREATE TABLE t (\"sealift.length\" integer, \"sealift.before\" text, record text, c0 text,
             PRIMARY KEY (\"sealift.length\"));
         INSERT INTO t SELECT i, 'a' || i, 'b' || i, 'c' || i FROM generate_series(1, 600) AS i;",
    );
    let desk = Desk::over(&db.url());
    let columns = ["\\\"sealift.before\\\"", "record", "c0"];
    let columns: String = columns.map(|name| column(&format!("t.{name}"), "d")).concat();
    desk.write("shop.toml", &format!("[source]\nname = \"names\"\n{columns}"));
    let before = db.dump();
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run]).done();
    desk.run(&["rollback", &run]).done();
    assert_eq!(db.dump(), before);
}

/// Tokens that look like originals, in a table without a key: nothing tells what is done but that each
/// row is met once.
#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn tokens_that_look_like_originals_are_written_once_in_a_table_without_a_key() {
    let mut db = Postgres::with(
        "CREATE TABLE t (number text, note text);
         INSERT INTO t SELECT (10000000 + i * 7919)::text, repeat('n', 300) FROM generate_series(1, 400) AS i;
         -- Free places all over the table, so that new versions of rows lie before and behind.
         DELETE FROM t WHERE right(number, 1) = '3';",
    );
    db.exec("VACUUM t");
    let desk = Desk::over(&db.url());
    desk.write(
        "shop.toml",
        "[source]\nname = \"t\"\n[[column]]\nname = \"t.number\"\nclass = \"contact\"\n\
         token = \"format\"\nformat = \"digits\"\nwaive = [\"low_entropy\"]\n",
    );
    let before = db.dump();
    let rows = db.value("SELECT count(*)::text FROM t");
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run]).done();
    let status = desk.json(&["status", &run]).done();
    assert_eq!(status.number("/counts/rows").to_string(), rows);
    assert_ne!(db.dump(), before);
    desk.run(&["rollback", &run]).done();
    assert_eq!(db.dump(), before);
}
