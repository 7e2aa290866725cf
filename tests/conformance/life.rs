//! All the way, and back again.

use super::every_engine;
use super::stage::{COLUMNS, Engine, PEOPLE, Stage};
use crate::support::{plan_and_approve, to_phase, tokens_open_to, verified};

every_engine! {
    every_cell_becomes_a_token_that_opens_to_what_it_replaced,
    null_stays_null_and_empty_stays_empty_where_the_policy_keeps_it,
    a_rollback_brings_back_what_was_there_and_leaves_nothing_of_ours,
    a_source_that_lost_our_tables_gets_every_original_back,
    each_row_is_read_once_whatever_its_key,
    joins_and_foreign_keys_hold,
    a_purge_ends_and_says_what_it_proves,
    a_pause_holds_through_signatures_and_passes_until_somebody_lifts_it,
}

fn every_cell_becomes_a_token_that_opens_to_what_it_replaced(mut stage: Stage) {
    let originals = stage.all_cells();

    verified(&stage.desk);

    for (column, originals) in COLUMNS.into_iter().zip(originals) {
        // Rows are found by keys out of scope, so that they come in the same order.
        let tokens = stage.cells(column);
        assert_eq!(tokens.len(), originals.len());
        let mut pairs: Vec<(String, String)> = tokens.into_iter().zip(originals).collect();
        pairs.retain(|(_, original)| {
            original != "∅" && !(column.0 == "notes" && original.is_empty())
        });
        for (token, original) in &pairs {
            assert_ne!(token, original, "an original is left in {column:?}");
        }
        tokens_open_to(&stage.desk, None, &pairs);
    }
}

fn null_stays_null_and_empty_stays_empty_where_the_policy_keeps_it(mut stage: Stage) {
    let questions = [
        "SELECT CAST(count(*) AS text) FROM people WHERE phone IS NULL",
        "SELECT CAST(count(*) AS text) FROM orders WHERE email IS NULL",
        "SELECT CAST(count(*) AS text) FROM notes WHERE body IS NULL",
        "SELECT CAST(count(*) AS text) FROM notes WHERE body = ''",
    ];
    let before = questions.map(|question| stage.column(question));

    verified(&stage.desk);

    for (question, before) in questions.into_iter().zip(before) {
        assert_eq!(stage.column(question), before, "{question}");
        assert_ne!(before, ["0"], "{question} asks about something");
    }
    let empty = "SELECT CAST(count(*) AS text) FROM people WHERE phone = ''";
    assert_eq!(stage.column(empty), ["0"], "elsewhere an empty text is a value");
}

fn a_rollback_brings_back_what_was_there_and_leaves_nothing_of_ours(mut stage: Stage) {
    let before = stage.dump();
    for phase in ["backed_up", "sealed", "rewritten", "verified", "purge_approved"] {
        let run = to_phase(&stage.desk, phase);
        stage.desk.run(&["rollback", &run]).done();
        assert_eq!(stage.dump(), before, "after a rollback from `{phase}`");
    }
    stage.is_left_clean();
}

fn a_source_that_lost_our_tables_gets_every_original_back(mut stage: Stage) {
    let before = stage.dump();
    for phase in ["rewritten", "verified", "purge_approved"] {
        let run = to_phase(&stage.desk, phase);
        stage.lose_tables();
        // To verify is to open every token, which takes none of them.
        stage.desk.run(&["verify", &run]).done();

        stage.desk.run(&["rollback", &run]).done().mentions(&["the source has lost tables"]);

        assert_eq!(stage.dump(), before, "after a rollback from `{phase}`");
        assert_eq!(stage.desk.json(&["status", &run]).done().text("phase"), "rolled_back");
    }
    stage.is_left_clean();
}

#[expect(clippy::needless_pass_by_value, reason = "every promise takes its stage alike")]
fn each_row_is_read_once_whatever_its_key(stage: Stage) {
    let run = plan_and_approve(&stage.desk);
    let answer = stage.desk.json(&["run", &run]).done();
    assert_eq!(answer.text("phase"), "verified");
    let status = stage.desk.json(&["status", &run]).done();
    assert_eq!(status.number("/counts/rows"), u64::from(PEOPLE) * 3);
    assert_eq!(status.number("/counts/without_backup"), 0);
}

fn joins_and_foreign_keys_hold(mut stage: Stage) {
    let joined = "SELECT CAST(sum(total) AS text) FROM orders JOIN people USING (email)";
    let before = stage.column(joined);

    verified(&stage.desk);

    assert_eq!(stage.column(joined), before);
    if let Engine::Postgres(db) = &mut stage.engine {
        let refused = db.try_exec("INSERT INTO orders VALUES ('new', 1, 'nobody@example.com', 1)");
        assert!(refused.is_err(), "the foreign key is as strict as before");
        let timing = db.value("SELECT condeferrable::text FROM pg_constraint WHERE contype = 'f' AND conrelid = 'orders'::regclass");
        assert_eq!(timing, "false", "and as immediate");
    }
}

fn a_purge_ends_and_says_what_it_proves(stage: Stage) {
    let mut stage = stage.alone();
    let run = to_phase(&stage.desk, "purge_approved");
    stage.desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();

    stage.desk.run(&["purge", &run, "--confirm", &run]).done();

    let report = stage.desk.run(&["report", &run, "--format", "json"]).done();
    report.mentions(&["\"CLEAN\""]);
    let token = stage.column("SELECT email FROM people ORDER BY id LIMIT 1").remove(0);
    tokens_open_to(&stage.desk, None, &[(token, "person1@example.com".to_owned())]);
}

/// A pause is somebody's word. What happens to the run meanwhile (a signature, the end of the pass that
/// was under way) does not take it back.
fn a_pause_holds_through_signatures_and_passes_until_somebody_lifts_it(mut stage: Stage) {
    let before = stage.all_cells();
    let run = stage.desk.json(&["plan", "--policy", "shop.toml"]).done().text("run");
    stage.desk.run(&["pause", &run]).done();
    stage.desk.run_as("bob", &["approve", &run]).done();
    stage.desk.run(&["run", &run]).fails(3, &["is paused", "sealift resume"]);
    assert_eq!(stage.all_cells(), before);

    stage.desk.run(&["resume", &run]).done();
    stage.desk.run(&["run", &run, "--until", "rewritten"]).done();
    stage.desk.run(&["pause", &run]).done();
    // To verify is to read, and changes nothing about the pause.
    stage.desk.run(&["verify", &run]).done();
    let status = stage.desk.json(&["status", &run]).done();
    assert_eq!((&*status.text("phase"), &*status.text("condition")), ("verified", "paused"));
    let answer = stage.desk.run(&["purge", &run, "--confirm", &run]);
    answer.fails(3, &["is paused", "sealift resume"]);

    // The way back is open.
    stage.desk.run(&["rollback", &run]).done();
    assert_eq!(stage.all_cells(), before);
}
