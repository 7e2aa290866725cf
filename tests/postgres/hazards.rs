//! What goes on in a server beside a run, and how rows may lie: keys far apart, deadlocks, snapshots,
//! values stored apart from their rows, event triggers, sessions that act as a replica's.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Desk, Postgres, plan_and_approve, to_phase};

const POLICY: &str = "[source]\nname = \"crm\"\n
    [[column]]\nname = \"people.email\"\nclass = \"contact\"\ntoken = \"keyed\"\n";

const PEOPLE: &str = "CREATE TABLE people (id bigint PRIMARY KEY, email text);";

const TOKENS: &str = "SELECT count(*)::text FROM people WHERE email LIKE 'slk%'";

fn desk(db: &Postgres, policy: &str) -> Desk {
    let desk = Desk::over(&db.url());
    desk.write("shop.toml", policy);
    desk
}

fn start(desk: &Desk, run: &str) -> Child {
    let mut command = desk.command(&["run", run]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

#[track_caller]
fn ends_well(mut child: Child) {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_mins(1) {
            let _ = child.kill();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(child.wait().unwrap().success());
}

/// Whoever walked by arithmetic over these keys would not come to an end.
#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn keys_from_one_end_of_their_type_to_the_other_are_walked_in_a_few_batches() {
    let mut db = Postgres::with(&format!(
        "{PEOPLE} INSERT INTO people SELECT id, 'person' || n || '@example.com' FROM unnest(ARRAY[
             -9223372036854775808, -9223372036854775807, -1, 0, 1, 4611686018427387904,
             9223372036854775806, 9223372036854775807]) WITH ORDINALITY AS x (id, n);"
    ));
    let before = db.dump();
    let desk = desk(&db, POLICY);
    let begun = Instant::now();
    let run = to_phase(&desk, "verified");
    assert_eq!(db.value(TOKENS), "8");
    desk.run(&["rollback", &run]).done();
    assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", begun.elapsed());
    assert_eq!(db.dump(), before);
}

/// An application that takes the rows of a batch in another order is in each other's way with it.
#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_deadlock_with_an_application_is_tried_again_and_both_get_through() {
    let mut db = Postgres::with(&format!(
        "{PEOPLE} INSERT INTO people SELECT i, 'person' || i || '@example.com' FROM generate_series(1, 200) AS i;
         CREATE TABLE log (id integer);"
    ));
    let desk = desk(&db, POLICY);
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    // The last row is held; the batch waits for it and holds the first.
    let mut holder = Postgres::beside(&db);
    holder.exec("SET deadlock_timeout = '100ms'");
    holder.exec("BEGIN");
    holder.exec("UPDATE people SET id = id WHERE id = 200");
    let child = start(&desk, &run);
    let waits = "SELECT count(*)::text FROM pg_stat_activity WHERE application_name LIKE 'sealift%'
        AND wait_event_type = 'Lock' AND datname = current_database()";
    let begun = Instant::now();
    while db.value(waits) == "0" {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody waits");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Whoever of the two the server chooses, the other goes on.
    let taken = holder.try_exec("UPDATE people SET id = id WHERE id = 1").is_ok();
    let kept = taken && holder.try_exec("INSERT INTO log VALUES (1)").is_ok();
    let _ = holder.try_exec(if kept { "COMMIT" } else { "ROLLBACK" });
    ends_well(child);
    assert_eq!(db.value(TOKENS), "200");
    assert_eq!(db.value("SELECT count(*)::text FROM log"), if kept { "1" } else { "0" });
}

/// Somebody keeps a table that the run has nothing to do with, longer than one lock is waited for.
#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_lock_on_another_table_is_waited_for_where_the_catalog_is_read() {
    let mut db = Postgres::with(&format!(
        "{PEOPLE} INSERT INTO people SELECT i, 'person' || i || '@example.com' FROM generate_series(1, 200) AS i;
         CREATE TABLE log (id integer DEFAULT 1 + 1, at timestamptz DEFAULT now());
         CREATE INDEX ON log ((id + 1)) WHERE id > 7;"
    ));
    let desk = desk(&db, POLICY);
    let run = plan_and_approve(&desk);
    let mut holder = Postgres::beside(&db);
    holder.exec("BEGIN");
    holder.exec("LOCK TABLE log IN ACCESS EXCLUSIVE MODE");
    let child = start(&desk, &run);
    std::thread::sleep(Duration::from_secs(4));
    holder.exec("COMMIT");
    ends_well(child);
    assert_eq!(db.value(TOKENS), "200");
}

/// Old rows can be cleared up while a run goes on: no transaction of ours is as long as the run.
#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn no_transaction_and_no_snapshot_lasts_longer_than_a_batch() {
    let mut db = Postgres::with(&format!(
        "{PEOPLE} INSERT INTO people SELECT i, 'person' || i || '@example.com' FROM generate_series(1, 900) AS i;"
    ));
    let desk = desk(&db, &format!("{POLICY}[throttle]\nrows_per_s_max = 300\n"));
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    let begun = Instant::now();
    let mut child = start(&desk, &run);
    let open = "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8::text
        FROM pg_stat_activity WHERE application_name LIKE 'sealift%' AND datname = current_database()
          AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)";
    let mut longest: f64 = 0.0;
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_mins(1), "it does not end");
        longest = longest.max(db.value(open).parse().unwrap());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    let whole = begun.elapsed().as_secs_f64();
    assert!(whole > 2.0, "the rate was not kept: {whole} s");
    assert!(longest < whole / 3.0, "a transaction was open for {longest} of {whole} s");
}

/// Values beyond a page lie in pieces in a table of their own; those of the purge are rewritten too.
#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn values_that_are_stored_apart_come_back_and_their_pieces_go_with_the_purge() {
    let mut db = Postgres::with(
        "CREATE TABLE people (id bigint PRIMARY KEY, email text, beside text);
         ALTER TABLE people ALTER email SET STORAGE EXTERNAL;
         INSERT INTO people SELECT i, 'needle-' || i || '@example.com ' || repeat(md5(i::text), i * 40),
                repeat(md5(i::text || 'beside'), 200) FROM generate_series(1, 60) AS i;
         INSERT INTO people VALUES (0, repeat('needle-', 300000), NULL);",
    );
    let before = db.dump();
    let desk = desk(&db, POLICY);
    let run = to_phase(&desk, "verified");
    desk.run(&["rollback", &run]).done();
    assert_eq!(db.dump(), before);

    let pieces = db
        .value("SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = 'people'::regclass");
    let found = format!(
        "SELECT count(*)::text FROM {pieces} WHERE position(convert_to('needle-', 'UTF8') IN chunk_data) > 0"
    );
    assert_ne!(db.value(&found), "0");
    let run = to_phase(&desk, "purge_approved");
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    desk.run(&["purge", &run, "--confirm", &run]).done();
    assert_eq!(db.value(&found), "0");
    let kept =
        "SELECT count(*)::text FROM people WHERE beside = repeat(md5(id::text || 'beside'), 200)";
    assert_eq!(db.value(kept), "60", "what is not in scope stays");
}

/// An event trigger that refuses `ALTER TABLE` is in the way where triggers are suppressed.
#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn an_event_trigger_that_refuses_is_named_by_the_plan_and_by_the_run_and_no_row_is_blamed() {
    let mut db = Postgres::with(&format!(
        "{PEOPLE} INSERT INTO people SELECT i, 'person' || i || '@example.com' FROM generate_series(1, 9) AS i;
         CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER stamp BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION stamp();
         CREATE FUNCTION frozen() RETURNS event_trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION 'nobody changes tables: %', tg_tag; END $$;
         CREATE EVENT TRIGGER \"the freeze\" ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION frozen();"
    ));
    let before = db.dump();
    let untouched = desk(&db, POLICY);
    let plan = untouched.json(&["plan", "--policy", "shop.toml", "--dry-run"]).done();
    let findings = plan.last()["findings"].to_string();
    assert!(!findings.contains("event_trigger"), "nothing alters a table: {findings}");

    let suppressed =
        format!("{POLICY}[[table]]\nname = \"people\"\nsuppress_triggers = [\"stamp\"]\n");
    let desk = desk(&db, &suppressed);
    desk.run(&["plan", "--policy", "shop.toml", "--dry-run"])
        .done()
        .mentions(&["event trigger the freeze", "switched off and on"]);
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run]).fails(2, &["an event trigger?", "ALTER EVENT TRIGGER"]);
    let status = desk.run(&["quarantine", "list", &run]).done().stdout;
    assert!(!status.contains("people"), "{status}");
    db.exec("ALTER EVENT TRIGGER \"the freeze\" DISABLE");
    desk.run(&["run", &run]).done();
    assert_eq!(db.value(TOKENS), "9");
    desk.run(&["rollback", &run]).done();
    assert_eq!(db.dump(), before);
}

/// Sessions of a role may have been told to act as a replica's: its foreign keys would not hold.
#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_session_in_which_triggers_and_foreign_keys_do_not_hold_is_not_worked_in() {
    let mut db = Postgres::with(PEOPLE);
    let role = format!("mover_{}", std::process::id());
    db.exec(format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'invented'; GRANT SELECT, UPDATE ON people TO {role};
         ALTER ROLE {role} SET session_replication_role = replica"
    ));
    let desk = desk(&db, POLICY);
    let theirs = db.url_of(&role, "invented");
    let answer = desk.run(&["plan", "--policy", "shop.toml", "--dry-run", "--source", &theirs]);
    db.exec(format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    answer.fails(2, &["`session_replication_role` is `replica`", "RESET"]);
}
