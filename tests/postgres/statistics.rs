//! The server's statistics after a run: queries are planned for what the columns hold.

use crate::support::{Desk, Postgres, plan_and_approve};

const SQL: &str = "CREATE TABLE people (id integer PRIMARY KEY, email text);
    INSERT INTO people SELECT i, 'person' || i || '@example.com' FROM generate_series(1, 300) AS i;
    CREATE TABLE orders (id integer, region smallint, payer text, PRIMARY KEY (id, region))
        PARTITION BY LIST (region);
    CREATE TABLE orders_1 PARTITION OF orders FOR VALUES IN (1);
    CREATE TABLE orders_2 PARTITION OF orders FOR VALUES IN (2);
    INSERT INTO orders SELECT i, 1 + i % 2, 'payer' || i || '@example.com' FROM generate_series(1, 300) AS i;
    ANALYZE;";

const POLICY: &str = "[source]\nname = \"shop\"\n
    [[column]]\nname = \"people.email\"\nclass = \"contact\"\ntoken = \"keyed\"\n
    [[column]]\nname = \"orders.payer\"\nclass = \"contact\"\ntoken = \"keyed\"\n";

/// Tables whose statistics know such values.
fn known(db: &mut Postgres, like: &str) -> Vec<String> {
    db.column(format!(
        "SELECT DISTINCT tablename::text FROM pg_stats WHERE schemaname = 'public'
         AND histogram_bounds::text LIKE '%{like}%' ORDER BY 1"
    ))
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn queries_are_planned_for_tokens_after_a_run_and_for_originals_after_a_rollback() {
    let mut db = Postgres::with(SQL);
    let desk = Desk::over(&db.url());
    desk.write("shop.toml", POLICY);
    let all = ["orders", "orders_1", "orders_2", "people"];
    assert_eq!(known(&mut db, "@example.com"), all);
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "rewritten"]).done();
    assert_eq!(known(&mut db, "slk"), all);
    assert_eq!(known(&mut db, "@example.com"), Vec::<String>::new());
    desk.run(&["rollback", &run]).done();
    assert_eq!(known(&mut db, "@example.com"), all);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn statistics_that_a_role_may_not_take_are_told_and_hinder_nothing() {
    let mut db = Postgres::with(SQL);
    let role = format!("reader_{}", std::process::id());
    let database = db.name().to_owned();
    db.exec(format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'invented'; GRANT CREATE ON DATABASE {database} TO {role};
         GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}"
    ));
    let desk = Desk::over(&db.url_of(&role, "invented"));
    desk.write("shop.toml", POLICY);
    let run = plan_and_approve(&desk);
    let answer = desk.run(&["run", &run]);
    let ledger = desk.run(&["ledger", "export", "--output", "ledger"]);
    let entries = std::fs::read_to_string(desk.path("ledger/entries.jsonl")).unwrap_or_default();
    db.exec(format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    ledger.done();
    answer.done().mentions(&["the statistics of `people` are as they were", "`orders`"]);
    assert!(entries.contains("statistics_left"), "{entries}");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_vacuum_that_holds_a_table_is_not_waited_for() {
    let mut db = Postgres::with(SQL);
    let desk = Desk::over(&db.url());
    desk.write("shop.toml", POLICY);
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    // What a vacuum holds: it lets writers pass, and nobody who takes statistics.
    db.exec("BEGIN");
    db.exec("LOCK TABLE people IN SHARE UPDATE EXCLUSIVE MODE");
    let begun = std::time::Instant::now();
    let answer = desk.run(&["run", &run, "--until", "rewritten"]);
    let took = begun.elapsed();
    db.exec("COMMIT");
    answer.done().mentions(&["the statistics of `people` are as they were", "holds its lock"]);
    assert!(took.as_secs() < 20, "{took:?}");
    assert_eq!(known(&mut db, "slk"), ["orders", "orders_1", "orders_2"]);
}
