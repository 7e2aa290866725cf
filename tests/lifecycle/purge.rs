//! The purge: originals are gone from the bytes, and only a verified run gets there.

use std::time::Instant;

use crate::support::{
    Db, Desk, Journal, Needle, POLICY, exported, found_in, originals, plan_and_approve, shop,
    tokens_open_to, verified,
};

const CUSTOMERS: u64 = 40;

/// Takes a verified run over its purge.
fn purge(desk: &Desk, run: &str) {
    desk.run_as("bob", &["approve", run, "--purge"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    let purged = desk.json(&["purge", run, "--confirm", run]).done();
    assert_eq!(purged.text("phase"), "purged", "{purged}");
    assert!(purged.number("/hits_before") > 0, "the same scan found originals before: {purged}");
    assert_eq!(purged.number("/hits_after"), 0, "{purged}");
}

#[track_caller]
fn is_sound(db: &mut Db) {
    assert_eq!(db.column("PRAGMA integrity_check"), ["ok"]);
    assert_eq!(db.rows("SELECT 1 FROM pragma_foreign_key_check").len(), 0);
}

fn no_original_is_left(journal: Journal) {
    let desk = Desk::new();
    shop(&desk, journal, CUSTOMERS);
    let mut needles = originals(CUSTOMERS);
    let before: Vec<Needle> = needles
        .iter()
        .filter(|needle| found_in(&desk.source(), &[(*needle).clone()]).is_empty())
        .filter(|_| journal == Journal::Delete)
        .cloned()
        .collect();
    assert_eq!(before, [], "each original is there before");
    // What was deleted long ago lies on free pages.
    let long_gone = "long.gone.person@example.com";
    {
        let mut db = Db::open(&desk.source());
        db.exec(format!("INSERT INTO nobody VALUES (1, '{long_gone}')"));
        db.exec("DELETE FROM nobody");
        db.exec("ANALYZE");
    }
    needles.push(Needle::new(long_gone));
    let mut db = Db::open(&desk.source());
    let questions = [
        "SELECT count(*) FROM orders JOIN customers USING (email)",
        "SELECT count(*) FROM visits JOIN members ON member = tax_id",
        "SELECT count(*) FROM spending",
        "PRAGMA journal_mode",
    ];
    let answers = questions.map(|question| db.value(question));
    let email = db.value("SELECT email FROM customers WHERE id = 9");
    drop(db);

    let run = verified(&desk);
    purge(&desk, &run);
    exported(&desk);
    desk.run(&["report", &run, "--format", "html", "--output", "report.html"]).done();

    assert_eq!(found_in(desk.folder(), &needles), [""; 0], "no original in any file");
    let mut db = Db::open(&desk.source());
    is_sound(&mut db);
    for (question, answer) in questions.into_iter().zip(answers) {
        assert_eq!(db.value(question), answer, "{question}");
    }
    let token = db.value("SELECT email FROM customers WHERE id = 9");
    tokens_open_to(&desk, None, &[(token, email)]);
    let journals = ["shop.db-wal", "shop.db-journal"].map(|name| desk.path(name));
    let longest =
        journals.iter().filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).max();
    assert_eq!(longest.unwrap_or(0), 0, "no journal is left");
}

#[test]
fn no_original_is_left_in_any_file_with_a_rollback_journal() {
    no_original_is_left(Journal::Delete);
}

#[test]
fn no_original_is_left_in_any_file_with_a_write_ahead_log() {
    no_original_is_left(Journal::Wal);
}

#[test]
fn no_original_is_left_where_vault_and_source_are_one_file() {
    let desk = Desk::in_one_file();
    shop(&desk, Journal::Delete, CUSTOMERS);
    desk.make_vault();

    let run = verified(&desk);
    purge(&desk, &run);

    assert_eq!(found_in(desk.folder(), &originals(CUSTOMERS)), [""; 0]);
    is_sound(&mut Db::open(&desk.source()));
}

#[test]
fn a_purge_killed_at_any_moment_is_finished_by_the_next() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, CUSTOMERS);
    let run = verified(&desk);
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    let approved = desk.save();
    let start = Instant::now();
    desk.run(&["purge", &run, "--confirm", &run]).done();
    let whole = start.elapsed();
    for tenths in 2..10 {
        desk.restore(&approved);
        let mut child = desk.command(&["purge", &run, "--confirm", &run]).spawn().unwrap();
        std::thread::sleep(whole * tenths / 10);
        child.kill().unwrap();
        child.wait().unwrap();

        if desk.json(&["status", "--all", &run]).done().text("phase") != "purged" {
            desk.run(&["purge", &run, "--confirm", &run]).done();
        }

        assert_eq!(found_in(desk.folder(), &originals(CUSTOMERS)), [""; 0]);
        is_sound(&mut Db::open(&desk.source()));
    }
}

#[test]
fn a_purge_needs_every_step_before_it() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 5);
    let run = plan_and_approve(&desk);
    desk.run(&["purge", &run, "--confirm", &run]).fails(3, &["approved"]);
    desk.run(&["run", &run]).done();
    desk.run(&["purge", &run, "--confirm", &run]).fails(3, &["verified"]);
    desk.run(&["approve", &run, "--purge"]).fails(3, &[]);
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["purge", &run, "--confirm", &run]).fails(3, &["slot"]);
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    let other = if run.starts_with('0') { "1f2e3d4c" } else { "0f2e3d4c" };
    assert_ne!(desk.run(&["purge", &run, "--confirm", other]).code, 0, "the id is typed");
    desk.run(&["purge", &run, "--confirm", &run]).done();
}

#[test]
fn what_a_purge_destroys_is_said_in_numbers_before() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 5);
    let run = verified(&desk);
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["purge", &run]).fails(3, &["for good", " cells in ", " files of ", "--confirm"]);
}

/// A policy's `[approval]` with something added.
fn approved_by(desk: &Desk, approval: &str) -> String {
    shop(desk, Journal::Delete, 5);
    desk.write("shop.toml", &format!("{POLICY}\n[approval]\n{approval}\n"));
    let run = verified(desk);
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    run
}

/// Nothing of a run is destroyed where its purge is refused.
#[track_caller]
fn refuses(desk: &Desk, run: &str, why: &str) {
    let before = crate::support::dump(&desk.source());
    desk.run(&["purge", run, "--confirm", run]).fails(3, &[why, "hint:"]);
    assert_eq!(crate::support::dump(&desk.source()), before);
    desk.run(&["verify", run]).done();
}

#[test]
fn a_legal_hold_stops_the_purge() {
    let desk = Desk::new();
    let run = approved_by(&desk, "legal_hold = true");
    refuses(&desk, &run, "legal hold");
}

#[test]
fn a_purge_waits_as_long_as_its_policy_says() {
    let desk = Desk::new();
    let run = approved_by(&desk, "purge_wait = \"7d\"");
    refuses(&desk, &run, "to wait another 6");
}

#[test]
fn a_purge_needs_as_many_signatures_as_its_policy_says() {
    let desk = Desk::new();
    let run = approved_by(&desk, "purge = 2");
    refuses(&desk, &run, "approve");
    desk.run(&["caller", "add", "erin", "--role", "approver", "--credential-file", "erin.key"])
        .done();
    desk.run_as("erin", &["approve", &run, "--purge"]).done();
    desk.run(&["purge", &run, "--confirm", &run]).done();
}

#[test]
fn a_slot_that_was_opened_before_the_run_does_not_count() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 5);
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    let run = verified(&desk);
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    refuses(&desk, &run, "no second way");
}

#[test]
fn the_vault_is_copied_and_the_copy_tried_before_anything_of_a_run_is_destroyed() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 5);
    let run = verified(&desk);
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    // An entry that does not open: a copy of it is none that anything can be opened from.
    let backup = desk.path("sealift-backup");
    let blocked = backup.join(format!("vault-{run}-1.copy.unfinished"));
    std::fs::create_dir_all(&blocked).unwrap();
    std::fs::write(blocked.join("in the way"), "").unwrap();
    desk.run(&["purge", &run, "--confirm", &run]).fails(2, &["the only copy", "hint:"]);
    assert!(backup.join(&run).join("RUN").exists(), "the backup is still there");
    std::fs::remove_dir_all(&blocked).unwrap();

    desk.run(&["purge", &run, "--confirm", &run]).done();
    let copy = backup.join(format!("vault-{run}-1.copy"));
    desk.run(&["vault", "restore", copy.to_str().unwrap(), "--vault", "sqlite:back.db"]).done();
}

#[test]
fn an_original_that_comes_back_after_the_purge_downgrades_the_certificate() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 5);
    let run = verified(&desk);
    desk.run(&["scan", "--run", &run]).fails(3, &["not purged", "sealift verify"]);
    purge(&desk, &run);
    let word = |desk: &Desk| {
        let report = desk.run(&["report", &run, "--format", "json"]).done();
        let report: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
        report["certificate"]["word"].as_str().unwrap().to_owned()
    };
    desk.run(&["scan", "--run", &run]).done();
    assert_eq!(word(&desk), "CLEAN");

    let mut db = Db::open(&desk.source());
    db.exec("UPDATE customers SET name = 'back.again of Nowhere' WHERE id = 3");
    let found = desk.json(&["scan", "--run", &run]).ends(1);
    assert_eq!(found.objects().len(), 1, "{found}");
    assert_eq!(found.last()["column"], "name");
    assert_eq!(found.last()["evidence"]["originals"], 1);
    assert!(!found.stdout.contains("back.again"), "{found}");
    assert_eq!(word(&desk), "PURGED, ORIGINALS CAME BACK");

    // What has been in the file once may still be in it.
    db.exec("UPDATE customers SET name = (SELECT name FROM customers WHERE id = 4) WHERE id = 3");
    desk.run(&["scan", "--run", &run]).done();
    assert_eq!(word(&desk), "PURGED, ORIGINALS CAME BACK");
}

#[test]
fn an_original_that_came_back_stops_the_purge() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 5);
    let run = verified(&desk);
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    Db::open(&desk.source())
        .exec("UPDATE customers SET name = 'back.again of Nowhere' WHERE id = 3");

    let answer = desk.run(&["purge", &run, "--confirm", &run]);

    assert_ne!(answer.code, 0, "{answer}");
    assert!(!answer.stderr.contains("back.again"), "{answer}");
    assert_ne!(desk.json(&["status", &run]).done().text("phase"), "purged");
    let dump = crate::support::dump(&desk.source());
    assert!(dump.contains("sealift_"), "nothing was rewritten");
}

#[test]
fn a_copy_in_a_column_out_of_scope_is_named_and_stops_nothing() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 10);
    Db::open(&desk.source()).exec(
        "CREATE TABLE mailings (id INTEGER PRIMARY KEY, body TEXT);
         INSERT INTO mailings VALUES (1, 'person00004.of.nowhere@example.com')",
    );
    let run = verified(&desk);
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();

    let purged = desk.json(&["purge", &run, "--confirm", &run]).done();

    let copies = purged.last()["uncovered_copies"].to_string();
    assert!(copies.contains("mailings"), "{purged}");
    assert!(!copies.contains("person00004"), "named by place, not by value: {purged}");
    assert!(!purged.stdout.to_uppercase().contains("\"CLEAN\""), "{purged}");
}
