//! Killed at any moment: a run that is started again ends where an undisturbed one does.

use std::time::Duration;

use super::every_engine;
use super::stage::Stage;
use crate::support::plan_and_approve;

every_engine! {
    a_run_killed_at_twelve_moments_ends_as_if_nothing_had_happened,
}

/// Milliseconds after its start at which the program is killed.
const MOMENTS: [u64; 12] = [60, 120, 180, 220, 260, 300, 340, 380, 420, 460, 520, 600];

fn a_run_killed_at_twelve_moments_ends_as_if_nothing_had_happened(mut stage: Stage) {
    let before = stage.dump();
    let run = plan_and_approve(&stage.desk);
    for moment in MOMENTS {
        kill_after(&stage, &["run", &run], moment);
    }
    // What the server still holds for the dead is cleared away or waited for: one run is enough.
    assert_eq!(stage.desk.json(&["run", &run]).done().text("phase"), "verified");
    for moment in MOMENTS {
        kill_after(&stage, &["rollback", &run], moment);
    }
    stage.desk.run(&["rollback", &run]).done();
    let status = stage.desk.json(&["status", &run]).done();
    assert_eq!(status.text("phase"), "rolled_back", "{status}");
    assert_eq!(stage.dump(), before);
    stage.is_left_clean();
}

fn kill_after(stage: &Stage, arguments: &[&str], moment: u64) {
    let mut command = stage.desk.command(arguments);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(moment));
    // It may have ended already.
    let _ = child.kill();
    child.wait().unwrap();
}
