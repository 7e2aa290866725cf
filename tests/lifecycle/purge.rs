//! The purge: originals are gone from the bytes, and only a verified run gets there.

use std::time::Instant;

use crate::support::{
    Db, Desk, Journal, Needle, exported, found_in, originals, plan_and_approve, shop,
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
