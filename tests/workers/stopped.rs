//! Processes that are stopped past their lease, or killed.

use std::time::Duration;

use rustix::process::Signal;

use super::stage::{LEASE_MS, Stage};

const SLOW: &str = "[throttle]\nrows_per_s_max = 1500";

/// The last writer of each row: whoever writes a row again shows in it.
const WRITERS: &str = "SELECT id || ' ' || xmin::text FROM people ORDER BY id";

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_process_stopped_past_its_lease_writes_nothing_when_it_goes_on() {
    let mut stage = Stage::with(6_000, SLOW);
    let mut first = stage.start("first.log", &["--workers", "1"]);
    stage.wait_until_rewriting();
    first.signal(Signal::STOP);
    std::thread::sleep(Duration::from_millis(LEASE_MS + 500));
    stage.desk.run(&["throttle", &stage.run, "--rate", "unlimited"]).done();

    stage.run(&["--workers", "1"]).done();
    assert_eq!(stage.phase(), "verified");
    let writers = stage.source.column(WRITERS);
    let epochs = "SELECT range || ' ' || epoch || ' ' || counts FROM sealift.cursor ORDER BY range";
    let cursors = stage.source.column(epochs);
    assert!(cursors.iter().any(|cursor| cursor.contains(" 2 ")), "nobody took over: {cursors:?}");

    first.signal(Signal::CONT);
    first.ends_well();
    assert_eq!(stage.source.column(WRITERS), writers, "it wrote behind the other's back");
    assert_eq!(stage.source.column(epochs), cursors);
    stage.is_whole();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_process_stopped_in_the_backup_leaves_no_file_of_its_own_in_the_run() {
    let mut stage = Stage::with(52_000, "");
    let mut first = stage.start("first.log", &["--workers", "1"]);
    stage.wait_for("the first range", |stage| {
        stage.vault.value("SELECT count(*)::text FROM sealift.range") != "0"
    });
    first.signal(Signal::STOP);
    std::thread::sleep(Duration::from_millis(LEASE_MS + 500));
    stage.run(&["--workers", "2"]).done();
    first.signal(Signal::CONT);
    first.ends_well();
    assert_eq!(stage.vault.value("SELECT sum(row_count)::text FROM sealift.range"), "52000");
    stage.is_whole();
}

/// Backup files in the run's folder, and ranges on record; each range has one file.
fn files_and_ranges(stage: &mut Stage) -> (usize, usize) {
    let base = stage.vault.value("SELECT backup_dir FROM sealift.run");
    let folder = stage.desk.path(&base).join(&stage.run);
    let files = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "backup")).count();
    let ranges = stage.vault.value("SELECT count(*)::text FROM sealift.range");
    (files, ranges.parse().unwrap())
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_backup_that_ends_early_leaves_no_file_that_is_not_on_record() {
    // Stopped by its user, each removes what it was writing; killed, the next one does.
    for signal in [Signal::INT, Signal::KILL] {
        let mut stage = Stage::with(104_000, "");
        let mut first = stage.start("first.log", &["--workers", "1", "--until", "backed_up"]);
        stage.wait_for("the first range", |stage| {
            stage.vault.value("SELECT count(*)::text FROM sealift.range") != "0"
        });
        first.signal(signal);
        stage.wait_for("its end", |_| !first.is_alive());
        if signal == Signal::INT {
            let (files, ranges) = files_and_ranges(&mut stage);
            assert_eq!(files, ranges, "it leaves what it was writing");
        }
        stage.run(&["--until", "backed_up"]).done();
        let (files, ranges) = files_and_ranges(&mut stage);
        assert_eq!(files, ranges, "somebody leaves a file that is not on record");
        stage.run(&[]).done();
        stage.is_whole();
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_batch_whose_process_is_stopped_does_not_hold_its_rows_past_the_lease() {
    let mut stage = Stage::with(2_000, "");
    stage.lease_ms = 6_000;
    stage.run(&["--until", "sealed"]).done();
    // The first batch waits for a row, in the middle of its transaction; there its process is stopped.
    stage.source.exec("BEGIN; SELECT FROM people WHERE id = 7 FOR UPDATE");
    let mut first = stage.start("first.log", &["--workers", "1"]);
    // Asked by a session without a transaction: within one the answer stays the same.
    let ours = format!(
        "FROM pg_stat_activity WHERE application_name LIKE 'sealift%' AND datname = '{}'",
        stage.source.name()
    );
    stage.wait_for("the batch to wait", |stage| {
        let waits = format!("SELECT count(*)::text {ours} AND wait_event_type = 'Lock'");
        stage.vault.value(waits) != "0"
    });
    first.signal(Signal::STOP);
    stage.source.exec("COMMIT");
    let open = format!("SELECT count(*)::text {ours} AND state LIKE 'idle in transaction%'");
    stage.wait_for("its transaction to lie idle", |stage| stage.vault.value(open.as_str()) != "0");
    std::thread::sleep(Duration::from_millis(stage.lease_ms));
    assert_eq!(stage.vault.value(open.as_str()), "0", "it is open beyond the lease");
    stage.source.exec("SET lock_timeout = '1s'; UPDATE people SET id = id");
    first.signal(Signal::CONT);
    first.ends_well();
    stage.is_whole();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_later_run_takes_over_from_a_dead_process_of_its_machine_at_once() {
    let mut stage = Stage::with(4_000, SLOW);
    // With leases of ten minutes, waiting for one to end would not go unnoticed.
    stage.lease_ms = 600_000;
    let first = stage.start("first.log", &["--workers", "1"]);
    stage.wait_until_rewriting();
    first.signal(Signal::KILL);
    let pid = first.pid();
    drop(first);
    stage.desk.run(&["throttle", &stage.run, "--rate", "unlimited"]).done();
    let begun = std::time::Instant::now();
    let answer = stage.run(&[]).done();
    assert!(answer.stderr.contains(&format!("takes over from process {pid}, which is dead")));
    assert!(begun.elapsed() < Duration::from_secs(30));
    stage.is_whole();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn what_a_lease_fences_in_the_vault_a_stopped_worker_cannot_write() {
    // The vault's own fence, without the help of the source's: the lease is somebody else's, and a
    // transaction of the worker that held it is void.
    let mut stage = Stage::with(4_000, SLOW);
    let mut first = stage.start("first.log", &["--workers", "1"]);
    stage.wait_until_rewriting();
    let before = stage.vault.value("SELECT max(sequence)::text FROM sealift.ledger");
    stage.vault.exec("UPDATE sealift.lease SET epoch = epoch + 1 WHERE NOT done");
    // Its range is rewritten, and cannot be marked as done by it; it is taken again, and ends well.
    stage.desk.run(&["throttle", &stage.run, "--rate", "unlimited"]).done();
    first.ends_well();
    assert_ne!(stage.vault.value("SELECT max(sequence)::text FROM sealift.ledger"), before);
    stage.is_whole();
}
