//! The application beside a run in a file: how long its writers wait.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Db, Desk, plan_and_approve};

/// So long a writer may wait for the lock, at the 99th percentile.
const WAIT_MAX: Duration = Duration::from_millis(25);

fn file_with(people: u32) -> (Desk, String) {
    let desk = Desk::new();
    let mut db = Db::open(&desk.source());
    db.exec("PRAGMA journal_mode = WAL");
    db.exec(format!(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, city TEXT);
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {people})
         INSERT INTO people SELECT n, 'person' || n || '@example.com', 'X' FROM n"
    ));
    desk.write(
        "shop.toml",
        "[source]\nname = \"shop\"\n
         [[column]]\nname = \"people.email\"\nclass = \"contact\"\ntoken = \"keyed\"\n",
    );
    let run = plan_and_approve(&desk);
    (desk, run)
}

/// Writes every few milliseconds for as long as the run works; how long each waited for the lock.
fn waits_beside_a_run(people: u32) -> Vec<Duration> {
    let (desk, run) = file_with(people);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    let mut db = Db::open(&desk.source());
    let mut command = desk.command(&["run", &run, "--until", "rewritten"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut waits = Vec::new();
    let mut id = 0;
    while child.try_wait().unwrap().is_none() {
        let begun = Instant::now();
        db.exec("BEGIN IMMEDIATE");
        waits.push(begun.elapsed());
        id = (id + 7_919) % people + 1;
        db.exec(format!("UPDATE people SET city = 'Y' WHERE id = {id}; COMMIT"));
        std::thread::sleep(Duration::from_millis(3));
    }
    assert!(child.wait().unwrap().success());
    let status = desk.json(&["status", &run]).done();
    assert_eq!(status.text("phase"), "rewritten");
    waits.sort_unstable();
    waits
}

mod soak {
    #[test]
    #[ignore = "measures time: tests/soak.sh runs it, alone on its machine"]
    fn beside_a_run_99_of_100_writers_of_a_file_wait_25_ms_or_less() {
        let waits = super::waits_beside_a_run(60_000);
        let at = waits[waits.len() * 99 / 100];
        assert!(waits.len() > 200, "too few writes to tell: {}", waits.len());
        assert!(at <= super::WAIT_MAX, "{at:?} of {} writes", waits.len());
    }
}

#[test]
fn beside_a_run_the_writers_of_a_file_get_their_turn() {
    // No figures here, where other tests share the machine: nobody waits for the whole of a run.
    let waits = waits_beside_a_run(4_000);
    let longest = waits.last().copied().unwrap_or_default();
    assert!(longest < Duration::from_secs(3), "{longest:?}");
}
