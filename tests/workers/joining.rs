//! Workers of one process, and processes that join.

use super::stage::Stage;

/// A rate at which the rewrite of some thousand rows takes seconds.
const SLOW: &str = "[throttle]\nrows_per_s_max = 1500";

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn four_workers_share_the_ranges_and_every_row_is_met_once() {
    let mut stage = Stage::with(80_000, "");
    stage.run(&["--workers", "4"]).done();
    let ranges = stage.vault.value("SELECT count(*)::text FROM sealift.range");
    assert!(ranges.parse::<u32>().unwrap() >= 4, "the table is more than one piece: {ranges}");
    let covered = stage.vault.value("SELECT sum(row_count)::text FROM sealift.range");
    assert_eq!(covered, "80000", "ranges neither overlap nor leave a gap");
    stage.is_whole();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_second_process_joins_in_every_pass_and_both_end_well() {
    let mut stage = Stage::with(55_000, "");
    let mut first = stage.start("first.log", &["--workers", "1"]);
    let mut second = stage.start("second.log", &["--workers", "1"]);
    first.ends_well();
    second.ends_well();
    stage.is_whole();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_process_that_joins_does_ranges_and_status_names_both() {
    let mut stage = Stage::with(60_000, "[throttle]\nrows_per_s_max = 6000");
    let mut first = stage.start("first.log", &["--workers", "1"]);
    stage.wait_until_rewriting();
    let mut second = stage.start("second.log", &["--workers", "1"]);
    let second_pid = second.pid();
    let mut workers = Vec::new();
    stage.wait_for("both to rewrite", |stage| {
        let status = stage.desk.json(&["status", &stage.run]).done();
        workers = status.last()["workers"].as_array().unwrap().clone();
        workers.len() == 2 && workers.iter().all(|worker| worker["doing"] == "rewrites")
    });
    assert!(workers.iter().any(|worker| worker["pid"] == second_pid), "{workers:?}");
    let holders = "SELECT count(DISTINCT worker)::text FROM sealift.lease WHERE task = 'rewrite'";
    stage.wait_for("both to hold ranges", |stage| stage.vault.value(holders) == "2");
    stage.desk.run(&["throttle", &stage.run, "--rate", "unlimited"]).done();
    first.ends_well();
    second.ends_well();
    stage.is_whole();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_process_that_joins_without_the_folder_is_refused_and_disturbs_nobody() {
    let mut stage = Stage::with(4_000, SLOW);
    let mut first = stage.start("first.log", &[]);
    stage.wait_until_rewriting();
    let elsewhere = stage.vault.value("SELECT backup_dir FROM sealift.run");
    let (here, away) = (stage.desk.path(&elsewhere), stage.desk.path("away"));
    std::fs::rename(&here, &away).unwrap();
    let refused = stage.run(&[]);
    std::fs::rename(&away, &here).unwrap();
    refused.fails(2, &["holds no marker of this run"]);
    stage.desk.run(&["throttle", &stage.run, "--rate", "unlimited"]).done();
    first.ends_well();
    stage.is_whole();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_rollback_is_refused_while_a_process_works() {
    let mut stage = Stage::with(4_000, SLOW);
    let mut first = stage.start("first.log", &[]);
    stage.wait_until_rewriting();
    let pid = first.pid().to_string();
    let refused = stage.desk.run(&["rollback", &stage.run]);
    refused.fails(3, &["another process works on a run of this vault", &pid]);
    stage.desk.run(&["throttle", &stage.run, "--rate", "unlimited"]).done();
    first.ends_well();
    stage.is_whole();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn values_larger_than_a_file_split_their_range_and_none_is_lost() {
    let mut stage = Stage::with(400, "");
    // 400 rows of 200 KB are three files.
    stage.source.exec("UPDATE people SET name = repeat(md5(id::text), 6250)");
    stage.run(&["--workers", "2", "--until", "backed_up"]).done();
    let ranges = stage.vault.value("SELECT count(*)::text FROM sealift.range");
    assert!(ranges.parse::<u32>().unwrap() >= 3, "{ranges}");
    assert_eq!(stage.vault.value("SELECT sum(row_count)::text FROM sealift.range"), "400");
    stage.run(&["--workers", "2"]).done();
    assert_eq!(stage.phase(), "verified");
}
