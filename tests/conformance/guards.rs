//! Guards that no accident of a test shows: something is made wrong on purpose, and has to be found.

use super::every_engine;
use super::stage::Stage;
use crate::support::{Db, plan_and_approve};

every_engine! {
    a_token_derived_wrong_is_found_by_the_derivation_of_verify_itself,
    a_value_that_went_and_came_back_around_a_death_is_backed_up_anew,
}

/// Seal and rewrite share one derivation. If it is wrong they agree with each other, and only code that
/// shares nothing with it can tell.
fn a_token_derived_wrong_is_found_by_the_derivation_of_verify_itself(mut stage: Stage) {
    let before = stage.all_cells();
    let run = plan_and_approve(&stage.desk);
    stage.desk.run(&["run", &run, "--until", "backed_up"]).done();
    let mut command = stage.desk.command(&["run", &run]);
    command.env("SEALIFT_BEND", "mac.bent");
    let answer = stage.desk.finish(command, "").fails(1, &["mismatch"]);
    assert!(!answer.stderr.contains("@example.com"), "{answer}");
    stage.desk.run(&["verify", &run]).ends(1);
    let phase = stage.desk.json(&["status", &run]).done().text("phase");
    assert_eq!(phase, "rewritten", "nothing is purged from there");
    stage.desk.run(&["rollback", &run]).done();
    assert_eq!(stage.all_cells(), before);
}

/// The backup knows `a`, an increment of a batch that never was knows `b`, and the cell holds `a` again:
/// its newest entry is not its value, though every token would open.
fn a_value_that_went_and_came_back_around_a_death_is_backed_up_anew(mut stage: Stage) {
    let body = |body: &str| format!("UPDATE notes SET body = '{body}' WHERE code = 'N1'");
    stage.exec(body("A note as it was"));
    let before = stage.all_cells();
    let run = plan_and_approve(&stage.desk);
    stage.desk.run(&["run", &run, "--until", "sealed"]).done();
    stage.exec(body("Another note"));
    let mut command = stage.desk.command(&["run", &run]);
    command.env("SEALIFT_DIE_AT", "rewrite.after_vault_commit");
    stage.desk.finish(command, "").ends(-1);
    stage.exec(body("A note as it was"));
    // Until what the dead process held is free.
    let mut answer = stage.desk.run(&["run", &run]);
    for _ in 0..60 {
        if answer.code != 2 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(250));
        answer = stage.desk.run(&["run", &run]);
    }
    answer.done();
    stage.desk.run(&["verify", &run]).done();
    // The way back without the vault: what the backup itself takes for the newest.
    stage.desk.run(&["backup", "restore", &run, "--into", "sqlite:look.db"]).done();
    let mut look = Db::reading(&stage.desk.path("look.db"));
    assert_eq!(look.column("SELECT body FROM notes WHERE code = 'N1'"), ["A note as it was"]);
    stage.desk.run(&["rollback", &run]).done();
    assert_eq!(stage.all_cells(), before);
}
