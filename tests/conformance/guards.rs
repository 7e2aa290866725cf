//! Guards that no accident of a test shows: something is made wrong on purpose, and has to be found.

use super::every_engine;
use super::stage::Stage;
use crate::support::plan_and_approve;

every_engine! {
    a_token_derived_wrong_is_found_by_the_derivation_of_verify_itself,
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
