//! Files that are sealed while the backup goes on, before the run is `backed_up`.

use super::stage::Stage;

/// More than one range, so that there is something to seal before the backup ends.
const PEOPLE: u32 = 52_000;

/// How often the ledger's last entry of an action has counted something; empty where it has not.
fn count(stage: &mut Stage, action: &str, name: &str) -> String {
    stage.vault.value(format!(
        "SELECT coalesce(convert_from(body, 'UTF8')::json -> 'counts' ->> '{name}', '')
         FROM sealift.ledger WHERE convert_from(body, 'UTF8')::json ->> 'action' = '{action}'
         ORDER BY sequence DESC LIMIT 1"
    ))
}

fn files(stage: &mut Stage, kind: &str) -> String {
    stage.vault.value(format!("SELECT count(*)::text FROM sealift.file WHERE kind = '{kind}'"))
}

/// `run`, which dies at a place.
fn dies_at(stage: &Stage, place: &str) {
    let mut command = stage.desk.command(&["run", &stage.run, "--workers", "2"]);
    command.env("SEALIFT_DIE_AT", place);
    stage.desk.finish(command, "").ends(-1);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn what_is_on_record_is_sealed_while_the_backup_goes_on_and_a_death_there_loses_nothing() {
    let mut stage = Stage::with(PEOPLE, "");
    for place in ["seal.after_token_file", "seal.after_stage_file", "seal.after_record"] {
        dies_at(&stage, place);
        assert_eq!(stage.phase(), "approved", "dead at {place}");
    }
    assert_ne!(files(&mut stage, "token"), "0");
    assert_eq!(stage.vault.value("SELECT count(*)::text FROM sealift.entry"), "0");
    dies_at(&stage, "backup.before_phase");
    assert_eq!(stage.phase(), "approved");

    stage.run(&["--until", "sealed"]).done();
    let ranges = stage.vault.value("SELECT count(*)::text FROM sealift.range");
    assert_eq!(files(&mut stage, "token"), ranges, "each file is sealed once");
    assert_eq!(files(&mut stage, "stage"), "0");
    let entries = (2 * PEOPLE).to_string();
    assert_eq!(stage.vault.value("SELECT count(*)::text FROM sealift.entry"), entries);
    let ahead: u32 = count(&mut stage, "backed_up", "sealed_ahead").parse().unwrap();
    assert!(ahead >= 1);
    assert_eq!(count(&mut stage, "backed_up", "files"), ranges, "of the backup's own files");
    assert_eq!(count(&mut stage, "sealed", "resumed"), "", "the seal itself was not cut off");
    stage.desk.run(&["backup", "verify", &stage.run]).done();
    stage.run(&[]).done();
    stage.is_whole();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_run_that_is_to_stop_at_the_backup_seals_nothing() {
    let mut stage = Stage::with(PEOPLE, "");
    stage.run(&["--workers", "2", "--until", "backed_up"]).done();
    assert_eq!(files(&mut stage, "token"), "0");
    assert_eq!(count(&mut stage, "backed_up", "sealed_ahead"), "");
    dies_at(&stage, "seal.after_record");
    stage.run(&["--until", "sealed"]).done();
    assert_eq!(count(&mut stage, "sealed", "resumed"), "1", "nobody measured all of it");
    stage.run(&[]).done();
    stage.is_whole();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn what_was_sealed_ahead_goes_with_a_rollback_and_the_columns_are_free() {
    let mut stage = Stage::with(PEOPLE, "");
    dies_at(&stage, "seal.after_record");
    stage.desk.run(&["rollback", &stage.run]).done();
    assert_eq!(stage.phase(), "rolled_back");
    assert_eq!(stage.vault.value("SELECT count(*)::text FROM sealift.entry"), "0");
    stage.run = crate::support::plan_and_approve(&stage.desk);
    stage.run(&[]).done();
    stage.is_whole();
}

/// A blind index that is filled ahead would name tokens whose entries never come where the run goes back.
#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn where_equal_values_are_given_one_token_nothing_is_sealed_ahead() {
    let mut stage = Stage::with(PEOPLE, "dedupe = true");
    dies_at(&stage, "seal.after_record");
    assert_eq!(stage.phase(), "backed_up");
    assert_eq!(count(&mut stage, "backed_up", "sealed_ahead"), "");
    stage.run(&[]).done();
    stage.is_whole();
}

/// What a stage file holds is sealed, so the file is not encrypted once more; its hash says that it is the
/// one that was written.
#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_stage_file_holds_no_original_and_one_that_was_altered_is_not_loaded() {
    let mut stage = Stage::with(2_000, "");
    stage.run(&["--until", "backed_up"]).done();
    dies_at(&stage, "seal.after_record");
    let name = stage.vault.value("SELECT name FROM sealift.file WHERE kind = 'stage'");
    let folder = stage.vault.value("SELECT backup_dir FROM sealift.run");
    let path = stage.desk.path(&folder).join(&stage.run).join(name);
    let good = std::fs::read(&path).unwrap();
    for original in ["person1@example.com", "@example.com", "Invented Person"] {
        let found = good.windows(original.len()).any(|part| part == original.as_bytes());
        assert!(!found, "{original} lies in a stage file");
    }
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bad).unwrap();
    stage.run(&[]).fails(2, &["was altered or cut short"]);
    assert_eq!(stage.phase(), "backed_up");
    assert_eq!(stage.vault.value("SELECT count(*)::text FROM sealift.entry"), "0");
    std::fs::write(&path, &good).unwrap();
    stage.run(&[]).done();
    stage.is_whole();
}
