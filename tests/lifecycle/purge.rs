//! The purge: originals are gone from the bytes, and only a verified run gets there.

use std::fmt::Write as _;
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

    // What was approved is not what stands there: the run moves it, and the purge is approved anew.
    answer.mentions(&["hint: ", &format!("`sealift run {run}`"), "approved anew"]);
    assert_eq!(desk.json(&["status", &run]).done().text("phase"), "rewritten");
    desk.run(&["run", &run]).done();
    desk.run(&["purge", &run, "--confirm", &run]).fails(3, &["approve"]);
    purge(&desk, &run);
    assert!(found_in(&desk.source(), &[Needle::new("back.again of Nowhere")]).is_empty());
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

#[test]
fn a_table_of_several_ranges_is_proven_to_be_clean() {
    // A range ends after 25,000 rows, and the control looks for the originals of one range.
    let desk = Desk::new();
    desk.write("shop.toml", &policy_over("people.email"));
    Db::open(&desk.source()).exec(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT NOT NULL);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25100)
         INSERT INTO people SELECT i, printf('invented.person%06d@example.com', i) FROM n",
    );

    let run = verified(&desk);
    purge(&desk, &run);

    let report = desk.run(&["report", &run, "--format", "json"]).done();
    let report: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(report["certificate"]["word"], "CLEAN", "{}", report["certificate"]);
    let searched = |scan: &str| report["certificate"][scan]["values_searched"].as_u64().unwrap();
    assert!(searched("scan_before") < searched("scan_after"), "a part was the control");
}

/// A policy over one column.
fn policy_over(column: &str) -> String {
    format!(
        "[source]\nname = \"shop\"\n\n[[column]]\nname = \"{column}\"\nclass = \"contact\"\n\
         token = \"keyed\"\nwaive = [\"low_entropy\"]\n"
    )
}

#[test]
fn words_that_triggers_carried_into_a_full_text_table_go_with_the_purge() {
    let desk = Desk::new();
    desk.write("shop.toml", &policy_over("people.name"));
    // None of these names the table, and the last keeps no text that it could be built from.
    let filled = [("lookup", ""), ("words", ", content = ''")];
    let mut sql = String::from("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL);");
    for (index, options) in filled {
        let remove = match options {
            "" => format!("DELETE FROM {index} WHERE rowid = old.id;"),
            _ => format!(
                "INSERT INTO {index} ({index}, rowid, told) VALUES ('delete', old.id, old.name);"
            ),
        };
        write!(
            sql,
            "CREATE VIRTUAL TABLE {index} USING fts5 (told{options});
             CREATE TRIGGER {index}_new AFTER INSERT ON people BEGIN
                 INSERT INTO {index} (rowid, told) VALUES (new.id, new.name); END;
             CREATE TRIGGER {index}_old AFTER UPDATE OF name ON people BEGIN {remove}
                 INSERT INTO {index} (rowid, told) VALUES (new.id, new.name); END;"
        )
        .unwrap();
    }
    sql += "INSERT INTO people VALUES (1, 'Xylophonistic Zymurgistically'),
        (2, 'Quixotically Jabberwocking');";
    Db::open(&desk.source()).exec(sql);
    // Whole values are not in a full-text index: words are.
    let needles: Vec<Needle> =
        ["xylophonistic", "zymurgistically", "quixotically", "jabberwocking"]
            .map(Needle::new)
            .into();
    assert_eq!(found_in(&desk.source(), &needles).len(), 4, "each is there before");

    let run = verified(&desk);
    assert!(!found_in(&desk.source(), &needles).is_empty(), "the run alone leaves words");
    purge(&desk, &run);

    assert_eq!(found_in(desk.folder(), &needles), [""; 0]);
}

#[test]
fn an_original_that_came_after_the_backup_is_searched_for_too() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 5);
    desk.write("shop.toml", &format!("{POLICY}\n[purge]\nscan = [\"exports\"]\n"));
    std::fs::create_dir(desk.path("exports")).unwrap();
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    let late = "came.late of Nowhere at all";
    Db::open(&desk.source()).exec(format!("UPDATE customers SET name = '{late}' WHERE id = 3"));
    desk.run(&["run", &run]).done();
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    desk.write("exports/names.csv", &format!("id,name\n3,{late}\n"));

    let answer = desk.run(&["purge", &run, "--confirm", &run]);
    answer.fails(1, &["originals survive in", "names.csv", "hint:"]);

    std::fs::remove_file(desk.path("exports/names.csv")).unwrap();
    desk.run(&["purge", &run, "--confirm", &run]).done();
}

#[test]
fn the_slot_that_is_in_use_is_no_second_way_to_the_keys() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 5);
    let run = verified(&desk);
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    // The passphrase opens the vault with every command, and so it does now.
    desk.run(&["status", &run]).done();
    desk.run(&["verify", &run]).done();
    refuses(&desk, &run, "no second way");
    // The recovery code was tried, and is the one in use: nobody knows of the passphrase then.
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    let by_code = ["--unlock-recovery-file", "recovery.txt", "purge", &run, "--confirm", &run];
    desk.run(&by_code).fails(3, &["no second way"]);
}

#[test]
fn a_digest_that_was_changed_in_the_vault_is_no_approval() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 5);
    let run = verified(&desk);
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    let digest = "0".repeat(64);
    Db::open(&desk.vault()).exec(format!("UPDATE sealift_run SET verified_digest = '{digest}'"));
    let before = crate::support::dump(&desk.source());
    let answer = desk.run(&["purge", &run, "--confirm", &run]);
    assert_ne!(answer.code, 0, "{answer}");
    assert_eq!(crate::support::dump(&desk.source()), before);
}

#[test]
fn a_journal_that_is_kept_between_transactions_keeps_no_original() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, CUSTOMERS);
    let run = verified(&desk);
    {
        // Some program of the steward's has left its journal there, with originals in it.
        let journal = desk.path("shop.db-journal");
        let mut bytes = vec![0; 512];
        for needle in originals(CUSTOMERS).iter().take(5) {
            bytes.extend_from_slice(needle.bytes());
        }
        let mut db = Db::open(&desk.source());
        assert_eq!(db.value("PRAGMA journal_mode = PERSIST"), "persist");
        db.exec("CREATE TABLE noise (id INTEGER PRIMARY KEY); DROP TABLE noise");
        drop(db);
        std::fs::write(journal, bytes).unwrap();
    }
    assert!(!found_in(&desk.path("shop.db-journal"), &originals(CUSTOMERS)).is_empty());
    purge(&desk, &run);
    assert_eq!(found_in(desk.folder(), &originals(CUSTOMERS)), [""; 0]);
}
