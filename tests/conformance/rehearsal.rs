//! A run tried on a copy of its source: it tells what would happen, and leaves nothing.

use super::every_engine;
use super::stage::Stage;
use crate::support::{exported, plan_and_approve, to_phase};

every_engine! {
    a_rehearsal_goes_there_and_back_on_a_copy_and_leaves_nothing,
    a_sample_keeps_rows_whose_parents_it_has,
}

fn a_rehearsal_goes_there_and_back_on_a_copy_and_leaves_nothing(mut stage: Stage) {
    let before = stage.dump();
    let run = to_phase(&stage.desk, "planned");
    let rehearsed = stage.desk.json(&["rehearse", &run]).done();
    assert_eq!(rehearsed.text("result"), "held", "{rehearsed}");
    assert!(rehearsed.number("/rows") >= 180, "{rehearsed}");
    assert_eq!(rehearsed.last()["left_out"], serde_json::json!([]), "{rehearsed}");
    assert_eq!(rehearsed.last()["beside"], serde_json::json!([]), "{rehearsed}");
    assert!(stage.dump() == before, "the source was touched");
    nothing_stays(&mut stage, &run);

    // What each pass took is on the ledger, and is what is expected of the run.
    let entries = std::fs::read_to_string(exported(&stage.desk).join("entries.jsonl")).unwrap();
    let entry = entries.lines().rfind(|line| line.contains("\"rehearsed\"")).unwrap();
    let entry: serde_json::Value = serde_json::from_str(entry).unwrap();
    for pass in ["backup_ms", "seal_ms", "rewrite_ms", "verify_ms", "rollback_ms"] {
        assert!(entry["counts"][pass].is_u64(), "{pass}: {entry}");
    }
    assert_eq!(entry["details"]["copy"], "destroyed");
    let status = stage.desk.json(&["status", &run]).done();
    assert_eq!(status.last()["rehearsals"][0]["held"], true, "{status}");
    stage.desk.run(&["status", &run]).done().mentions(&["rehearsed", "it held"]);

    // The real one goes as it was tried.
    stage.desk.run_as("bob", &["approve", &run]).done();
    stage.desk.run(&["run", &run]).done();
    stage.desk.run(&["rehearse", &run]).fails(3, &["is `verified`", "originals"]);
    stage.desk.run(&["rollback", &run]).done();
    assert!(stage.dump() == before, "the run was no other than its rehearsal");
}

fn a_sample_keeps_rows_whose_parents_it_has(mut stage: Stage) {
    let before = stage.dump();
    let run = plan_and_approve(&stage.desk);
    let rehearsed = stage.desk.json(&["rehearse", &run, "--rows", "20"]).done();
    assert_eq!(rehearsed.text("result"), "held", "{rehearsed}");
    let rows = rehearsed.number("/rows");
    assert!((40..=60).contains(&rows), "20 people, 20 notes, and orders of those people: {rows}");
    assert!(stage.dump() == before, "the source was touched");
    nothing_stays(&mut stage, &run);
}

/// No copy, no folder, no database.
#[track_caller]
fn nothing_stays(stage: &mut Stage, run: &str) {
    let backup = stage.desk.path("sealift-backup");
    assert!(!backup.join(format!("rehearsal-{run}")).exists(), "the folder is there");
    if let super::stage::Engine::Postgres(db) = &mut stage.engine {
        let left = db.value(format!(
            "SELECT count(*)::text FROM pg_database WHERE datname = 'sealift_rehearsal_{run}'"
        ));
        assert_eq!(left, "0", "the database is there");
    }
}
