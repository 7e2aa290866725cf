//! What holds a run, what slows it, and who may change that while it works.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::stage::Stage;
use crate::support::{Desk, Postgres};

const SLOW: &str = "[throttle]\nrows_per_s_max = 400";

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_rate_from_another_terminal_is_honoured_within_a_batch_and_on_the_ledger() {
    let mut stage = Stage::with(3_000, SLOW);
    let mut first = stage.start("first.log", &[]);
    stage.wait_until_rewriting();
    let status = stage.desk.json(&["status", &stage.run]).done();
    assert_eq!(status.number("/rows_per_s"), 400);
    // At 400 rows a second the rest would take some seconds; at one row a second, for ever.
    stage.desk.run(&["throttle", &stage.run, "--rate", "1"]).done();
    std::thread::sleep(Duration::from_millis(1_500));
    let tokens = "SELECT count(*)::text FROM people WHERE email LIKE 'slk%'";
    let before: u64 = stage.source.value(tokens).parse().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let after: u64 = stage.source.value(tokens).parse().unwrap();
    assert!(after - before <= 4, "{before} rows became {after} in two seconds");
    stage.desk.run(&["throttle", &stage.run, "--rate", "unlimited"]).done();
    first.ends_well();
    let on_ledger = stage.vault.value(
        "SELECT count(*)::text FROM sealift.ledger
         WHERE convert_from(body, 'UTF8') LIKE '%\"action\":\"throttled\"%'",
    );
    assert_eq!(on_ledger, "2");
    stage.is_whole();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_pause_ends_a_run_at_its_batch_and_it_stays_paused() {
    let mut stage = Stage::with(3_000, SLOW);
    let mut first = stage.start("first.log", &[]);
    stage.wait_until_rewriting();
    stage.desk.run(&["pause", &stage.run]).done();
    let begun = Instant::now();
    while first.is_alive() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it goes on");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(first.said().contains("sealift: the run was paused"), "{}", first.said());
    stage.run(&[]).fails(3, &["is paused"]);
    stage.desk.run(&["resume", &stage.run]).done();
    stage.desk.run(&["throttle", &stage.run, "--rate", "unlimited"]).done();
    stage.run(&[]).done();
    stage.is_whole();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn status_names_who_is_waited_for_with_the_relation() {
    let mut stage = Stage::with(2_000, "");
    stage.run(&["--until", "sealed"]).done();
    stage.source.exec("BEGIN; LOCK TABLE people IN ACCESS EXCLUSIVE MODE");
    let pid = stage.source.value("SELECT pg_backend_pid()::text");
    let mut first = stage.start("first.log", &[]);
    let mut shown = String::new();
    stage.wait_for("status to name the session", |stage| {
        shown = stage.desk.run(&["status", &stage.run]).done().stdout;
        shown.contains(&format!("waits for session {pid}"))
    });
    assert!(shown.contains("for `people`") || shown.contains("for `public.people`"), "{shown}");
    assert!(shown.contains(", since "), "{shown}");
    stage.source.exec("COMMIT");
    first.ends_well();
    stage.is_whole();
}

/// A server of its own with a streaming replica: what is held back there concerns no other test.
struct Pair {
    script: Child,
    primary: String,
    replica: String,
}

impl Pair {
    fn start() -> Self {
        let script = "set -e; . tests/postgres.sh; trap postgres_stop EXIT; postgres_start; \
                      replica_start; echo \"$SEALIFT_TEST_POSTGRES_URL\"; \
                      echo \"$SEALIFT_TEST_REPLICA_URL\"; read -r _ || true";
        let mut script = Command::new("bash")
            .args(["-c", script])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(script.stdout.take().unwrap()).lines();
        let primary = lines.next().expect("the server starts").unwrap();
        let replica = lines.next().expect("the replica starts").unwrap();
        Self { script, primary, replica }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        let _ = self.script.wait();
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_replica_that_is_held_back_or_cannot_be_seen_holds_the_run_and_it_goes_on_by_itself() {
    let pair = Pair::start();
    let mut source = Postgres::on(&pair.primary, "CREATE TABLE people (id bigint PRIMARY KEY, email text);
        INSERT INTO people SELECT n, 'person' || n || '@example.com' FROM generate_series(1, 3000) n;
        CREATE ROLE app LOGIN PASSWORD 'an-invented-password';
        ALTER TABLE people OWNER TO app;
        DO $$ BEGIN EXECUTE 'GRANT CREATE ON DATABASE ' || current_database() || ' TO app'; END $$;
        GRANT EXECUTE ON FUNCTION pg_control_system() TO app");
    let mut replica = Postgres::existing(&pair.replica);
    let as_app = source.url().replace("//sealift:", "//app:");
    let desk = Desk::between(&as_app, "sqlite:vault.db");
    desk.write(
        "shop.toml",
        "[source]\nname = \"shop\"\n
         [[column]]\nname = \"people.email\"\nclass = \"contact\"\ntoken = \"keyed\"\n
         [throttle]\nreplica_lag_ms_max = 1000\n",
    );
    let run = crate::support::plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    replica.exec("SELECT pg_wal_replay_pause()");
    source.exec("SELECT pg_logical_emit_message(true, 'test', repeat('x', 10000))");

    let mut child = desk.command(&["run", &run]);
    child.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child.spawn().unwrap();
    let says = |what: &str| {
        let begun = Instant::now();
        loop {
            let shown = desk.run(&["status", &run]).done().stdout;
            if shown.contains(what) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "nothing says `{what}`: {shown}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    says("cannot be read: the role needs `pg_monitor`");
    source.exec("GRANT pg_monitor TO app");
    says("s behind, and 1.0 s are allowed");
    let tokens = "SELECT count(*)::text FROM people WHERE email LIKE 'slk%'";
    assert_eq!(source.value(tokens), "0", "it writes although the replica is held back");
    assert!(child.try_wait().unwrap().is_none());

    replica.exec("SELECT pg_wal_replay_resume()");
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_mins(1), "it does not go on by itself");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(source.value(tokens), "3000");
}
