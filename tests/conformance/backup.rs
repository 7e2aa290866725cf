//! The backup of a run: read through, written down elsewhere, put back in place; and originals that
//! come back after a purge.

use std::fs;

use age::secrecy::ExposeSecret as _;

use super::every_engine;
use super::stage::{COLUMNS, Engine, Stage};
use crate::support::{Db, Postgres, plan_and_approve, to_phase, verified};

every_engine! {
    a_backup_is_read_to_its_end_and_a_changed_byte_is_named,
    a_scratch_database_gets_every_original_with_the_vault_and_without_it,
    single_tables_come_back_in_place_and_the_run_goes_on,
    originals_come_back_after_a_purge_once_approvers_have_signed,
    a_backup_that_is_kept_after_the_purge_goes_when_its_time_is_over,
}

fn with_lines(stage: &Stage, lines: &str) {
    let policy = fs::read_to_string(stage.desk.path("shop.toml")).unwrap();
    stage.desk.write("shop.toml", &format!("{policy}\n{lines}"));
}

#[expect(clippy::needless_pass_by_value, reason = "every promise takes its stage alike")]
fn a_backup_is_read_to_its_end_and_a_changed_byte_is_named(stage: Stage) {
    let run = verified(&stage.desk);
    let sound = stage.desk.json(&["backup", "verify", &run]).done();
    assert_eq!(sound.last()["findings"], serde_json::json!([]), "{sound}");
    assert!(sound.number("/originals") > 100, "{sound}");
    let listed = stage.desk.json(&["backup", "list"]).done().objects();
    assert!(listed.iter().all(|file| file["state"] == "there" && file["recipients"] == 1));
    assert!(listed.iter().any(|file| file["table"].as_str().unwrap().ends_with("notes")));

    let folder = stage.desk.path("sealift-backup").join(&run);
    let name = listed[0]["file"].as_str().unwrap();
    let good = fs::read(folder.join(name)).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    fs::write(folder.join(name), bad).unwrap();
    stage.desk.run(&["backup", "verify", &run]).fails(1, &[name, "altered"]);

    fs::write(folder.join(name), good).unwrap();
    stage.desk.run(&["backup", "verify", &run]).done();
    fs::remove_file(folder.join(name)).unwrap();
    stage.desk.run(&["backup", "verify", &run]).fails(1, &[name, "missing"]);
    stage.desk.run(&["backup", "list", &run]).ends(1).mentions(&["missing"]);
}

fn a_scratch_database_gets_every_original_with_the_vault_and_without_it(mut stage: Stage) {
    let identity = age::x25519::Identity::generate();
    stage.desk.write("offline.txt", identity.to_string().expose_secret());
    with_lines(&stage, &format!("[backup]\nrecipients = [\"{}\"]\n", identity.to_public()));
    let originals = stage.all_cells();
    let run = verified(&stage.desk);

    let restore = ["backup", "restore", &run, "--into", "sqlite:look.db"];
    stage.desk.json(&restore).done();
    holds(&stage, "look.db", &originals);
    stage.desk.run(&restore).fails(3, &["already"]);

    // The vault is lost; who holds the offline key has the folder.
    let folder = format!("sealift-backup/{run}");
    let offline = ["--folder", &folder, "--identity-file", "offline.txt"];
    let mut verify = vec!["--vault", "sqlite:gone.db", "--format", "json", "backup", "verify"];
    verify.extend(offline);
    let read = stage.desk.run(&verify).done();
    assert_eq!(read.last()["findings"], serde_json::json!([]), "{read}");
    let mut again = vec!["--vault", "sqlite:gone.db", "backup", "restore"];
    again.extend(offline);
    again.extend(["--into", "sqlite:offline.db"]);
    stage.desk.run(&again).done();
    holds(&stage, "offline.db", &originals);

    // Nobody else opens it.
    let other = age::x25519::Identity::generate();
    stage.desk.write("offline.txt", other.to_string().expose_secret());
    stage.desk.run(&verify).fails(2, &["recipients"]);

    if let Engine::Postgres(_) = &stage.engine {
        let mut scratch = Postgres::with("");
        let url = scratch.url();
        stage.desk.run(&["backup", "restore", &run, "--into", &url, "--table", "notes"]).done();
        let cells = scratch.column("SELECT coalesce(body, '∅') FROM public.notes");
        assert_eq!(sorted(cells), sorted(originals[4].clone()));
        let people = "SELECT count(*)::text FROM pg_tables WHERE tablename = 'people'";
        assert_eq!(scratch.value(people), "0", "only the table that was named");
    }
}

fn sorted(mut cells: Vec<String>) -> Vec<String> {
    cells.sort();
    cells
}

/// Holds that a scratch file has the originals of every column.
#[track_caller]
fn holds(stage: &Stage, file: &str, originals: &[Vec<String>]) {
    let mut db = Db::reading(&stage.desk.path(file));
    for ((table, _, column), originals) in COLUMNS.into_iter().zip(originals) {
        let name = match &stage.engine {
            Engine::Sqlite(_) => table.to_owned(),
            Engine::Postgres(_) => db.value(format!(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('{table}', 'public.{table}')"
            )),
        };
        let cells = db.column(format!("SELECT ifnull({column}, '∅') FROM \"{name}\""));
        assert_eq!(sorted(cells), sorted(originals.clone()), "{table}.{column}");
    }
}

fn single_tables_come_back_in_place_and_the_run_goes_on(mut stage: Stage) {
    let originals = stage.all_cells();
    let run = to_phase(&stage.desk, "purge_approved");
    let notes = COLUMNS[4];

    let together = ["backup", "restore", &run, "--in-place"];
    stage.desk.run(&together).fails(3, &["people", "together", "sealift rollback"]);
    // A token that an application has moved to another row is left where it is.
    let tokens = stage.cells(notes);
    let moved = tokens.iter().find(|cell| cell.starts_with("slr")).unwrap().clone();
    stage.exec(format!("UPDATE notes SET body = '{moved}' WHERE body IS NULL"));
    let moved_to = stage.cells(notes).iter().filter(|cell| **cell == moved).count() - 1;

    let table = ["backup", "restore", &run, "--in-place", "--table", "notes"];
    let answer = stage.desk.json(&table).done();
    assert_eq!(answer.number("/left"), u64::try_from(moved_to).unwrap(), "{answer}");
    stage.exec(format!("UPDATE notes SET body = NULL WHERE body = '{moved}'"));
    assert_eq!(stage.cells(notes), originals[4]);
    assert_ne!(stage.cells(COLUMNS[0]), originals[0], "other tables keep their tokens");
    let status = stage.desk.json(&["status", &run]).done();
    assert_eq!(status.text("phase"), "rewritten", "nothing can be purged now: {status}");

    stage.desk.run(&["run", &run]).done();
    assert_eq!(stage.desk.json(&["status", &run]).done().text("phase"), "verified");
    stage.desk.run(&["rollback", &run]).done();
    assert_eq!(stage.all_cells(), originals);
    stage.is_left_clean();
}

fn originals_come_back_after_a_purge_once_approvers_have_signed(mut stage: Stage) {
    let before = stage.all_cells();
    let purged = to_phase(&stage.desk, "verified");
    stage.desk.run(&["restore", &purged, "--reason", "too early"]).fails(3, &["sealift rollback"]);
    stage.desk.run_as("bob", &["approve", &purged, "--purge"]).done();
    stage.desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    stage.desk.run(&["purge", &purged, "--confirm", &purged]).done();
    let tokens = stage.all_cells();
    assert_ne!(tokens, before);

    stage.desk.run(&["restore", &purged]).fails(2, &["reason"]);
    // One that was given up has put nothing back, and is no obstacle.
    let made = stage.desk.json(&["restore", &purged, "--reason", "too early"]).done();
    let given_up = made.text("run");
    stage.desk.run(&["rollback", &given_up]).done();
    stage.desk.run(&["restore", &given_up]).fails(3, &["was given up", "sealift restore"]);
    let made = stage.desk.json(&["restore", &purged, "--reason", "case 4711"]).done();
    let run = made.text("run");
    stage.desk.run(&["restore", &run]).fails(3, &["not approved", "sealift approve"]);
    stage.desk.run(&["run", &run]).fails(3, &["sealift restore"]);
    assert_eq!(stage.all_cells(), tokens, "nothing was written yet");
    stage.desk.run_as("bob", &["approve", &run]).done().mentions(&["sealift restore"]);
    // What the purge has proven does not hold any more once the first originals are back, and its
    // certificate says so.
    let certificate = |stage: &Stage| {
        let report = stage.desk.run(&["report", &purged, "--format", "json"]).done();
        let report: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
        let certificate = report["certificate"].clone();
        assert_eq!(certificate["status"], "came_back", "{certificate}");
        certificate["came_back"].clone()
    };
    for place in ["rollback.after_commit", "rollback.after_phase"] {
        let mut command = stage.desk.command(&["restore", &run]);
        command.env("SEALIFT_DIE_AT", place);
        stage.desk.finish(command, "").ends(-1);
        let back = certificate(&stage);
        assert!(back[0]["column"].as_str().unwrap().contains("has not ended"), "{back}");
    }
    let answer = stage.desk.json(&["restore", &purged]).done();
    assert!(answer.number("/restored") > 200, "{answer}");

    assert_eq!(stage.all_cells(), before);
    stage.is_left_clean();
    let back = certificate(&stage);
    assert_eq!(back[0]["cells"], answer.number("/restored"), "{back}");
    assert_eq!(back.as_array().map(Vec::len), Some(1), "{back}");
    stage.desk.run(&["restore", &purged, "--reason", "again"]).fails(3, &["back already"]);
    assert!(!stage.desk.path("sealift-backup").join(&run).exists());

    // And the columns are free for another run.
    let next = plan_and_approve(&stage.desk);
    stage.desk.run(&["run", &next]).done();
}

#[expect(clippy::needless_pass_by_value, reason = "every promise takes its stage alike")]
fn a_backup_that_is_kept_after_the_purge_goes_when_its_time_is_over(stage: Stage) {
    with_lines(&stage, "[backup]\nretention_days = 30\n");
    let run = to_phase(&stage.desk, "purge_approved");
    stage.desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    stage.desk.run(&["backup", "prune", &run]).fails(3, &["needs its backup"]);
    stage.desk.run(&["purge", &run, "--confirm", &run]).done();

    stage.desk.run(&["backup", "verify", &run]).done();
    stage.desk.run(&["backup", "list", &run]).done().mentions(&["kept until"]);
    stage.desk.run(&["backup", "prune", &run]).fails(3, &["is kept until"]);
    stage.desk.run(&["backup", "prune"]).done().mentions(&["no backup is past its time"]);
    assert!(stage.desk.path("sealift-backup").join(&run).exists());
}
