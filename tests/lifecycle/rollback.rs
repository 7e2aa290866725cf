//! The way back: from every phase before the purge the source is as it was, byte for byte.

use std::fs;
use std::path::PathBuf;

use crate::support::{
    Db, Desk, Journal, assert_same, dump, dump_beside_vault, exported, shop, to_phase, verified,
};

/// Every phase from which a rollback is possible.
const PHASES: [&str; 7] =
    ["planned", "approved", "backed_up", "sealed", "rewritten", "verified", "purge_approved"];

fn every_phase_leads_back(journal: Journal) {
    let desk = Desk::new();
    shop(&desk, journal, 40);
    let before = dump(&desk.source());
    let beginning = desk.save();
    for phase in PHASES {
        desk.restore(&beginning);
        let run = to_phase(&desk, phase);

        let back = desk.json(&["rollback", &run]).done();

        assert_eq!(back.text("phase"), "rolled_back", "{back}");
        assert_same(&before, &dump(&desk.source()));
    }
}

#[test]
fn every_phase_leads_back_with_a_rollback_journal() {
    every_phase_leads_back(Journal::Delete);
}

#[test]
fn every_phase_leads_back_with_a_write_ahead_log() {
    every_phase_leads_back(Journal::Wal);
}

/// A purge drops the cursors before it rewrites the file. Cut off there, it can still be rolled back.
#[test]
fn a_purge_that_was_cut_off_before_its_marker_leads_back() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 20);
    let before = dump(&desk.source());
    let run = to_phase(&desk, "purge_approved");
    Db::open(&desk.source()).exec("DROP TABLE sealift_cursor");

    // Nobody has lost anything, also where the way back is cut off itself.
    for place in ["rollback.after_begin", "rollback.before_traces"] {
        let mut command = desk.command(&["rollback", &run]);
        command.env("SEALIFT_DIE_AT", place);
        desk.finish(command, "").ends(-1);
    }
    desk.run(&["rollback", &run]).done();

    assert_same(&before, &dump(&desk.source()));
    let ledger = std::fs::read_to_string(exported(&desk).join("entries.jsonl")).unwrap();
    assert!(!ledger.contains(r#""tables":"lost""#), "{ledger}");
}

/// Every shape of table and value, after somebody has dropped our tables.
#[test]
fn a_source_without_our_tables_leads_back() {
    for phase in ["rewritten", "purge_approved"] {
        let desk = Desk::new();
        shop(&desk, Journal::Delete, 20);
        let before = dump(&desk.source());
        let run = to_phase(&desk, phase);
        Db::open(&desk.source()).exec("DROP TABLE sealift_cursor; DROP TABLE sealift_source");

        let answer = desk.run(&["rollback", &run]).done();

        answer.mentions(&["the source has lost tables", "every original is back in its cell"]);
        assert_same(&before, &dump(&desk.source()));
    }
}

/// A copy of the source from before the run has neither tokens nor our tables.
#[test]
fn a_source_that_was_restored_from_before_the_run_leads_back() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 20);
    let before = dump(&desk.source());
    fs::copy(desk.source(), desk.path("copy.db")).unwrap();
    let run = verified(&desk);
    fs::copy(desk.path("copy.db"), desk.source()).unwrap();

    desk.run(&["rollback", &run]).done();

    assert_same(&before, &dump(&desk.source()));
    assert_eq!(desk.json(&["status", &run]).done().text("phase"), "rolled_back");
}

#[test]
fn a_rollback_leaves_the_planner_s_statistics_as_they_were() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 20);
    Db::open(&desk.source()).exec("ANALYZE");
    let before = dump(&desk.source());

    let run = verified(&desk);
    desk.run(&["rollback", &run]).done();

    assert_same(&before, &dump(&desk.source()));
}

#[test]
fn a_rollback_leaves_a_source_as_it_was_where_the_vault_lies_in_it() {
    let desk = Desk::in_one_file();
    shop(&desk, Journal::Delete, 20);
    let before = dump_beside_vault(&desk.source());
    desk.make_vault();

    let run = verified(&desk);
    desk.run(&["rollback", &run]).done();

    assert_same(&before, &dump_beside_vault(&desk.source()));
}

#[test]
fn what_the_application_wrote_since_is_its_word() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 20);
    let run = verified(&desk);
    let mut db = Db::open(&desk.source());
    db.exec("UPDATE customers SET email = 'moved.house@example.net', phone = NULL WHERE id = 3");
    db.exec("DELETE FROM patients WHERE id = 4");
    // A token that the application copied to another row opens there as well.
    db.exec("UPDATE orders SET email = (SELECT email FROM customers WHERE id = 5) WHERE id = 1");

    desk.run(&["rollback", &run]).done();

    assert_eq!(db.value("SELECT email FROM customers WHERE id = 3"), "moved.house@example.net");
    assert_eq!(db.number("SELECT count(*) FROM customers WHERE id = 3 AND phone IS NULL"), 1);
    assert_eq!(db.number("SELECT count(*) FROM patients"), 19);
    assert_eq!(
        db.value("SELECT email FROM orders WHERE id = 1"),
        db.value("SELECT email FROM customers WHERE id = 5")
    );
    assert_eq!(db.number("SELECT count(*) FROM customers WHERE email LIKE 'slk%'"), 0);
}

#[test]
fn nothing_leads_back_from_a_purge() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 5);
    let run = to_phase(&desk, "purge_approved");
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    desk.run(&["purge", &run, "--confirm", &run]).done();

    desk.run(&["rollback", &run]).fails(3, &["purged"]);
}

#[test]
fn after_a_rollback_the_same_columns_can_be_run_again() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 10);
    let first = verified(&desk);
    let mut db = Db::open(&desk.source());
    let token = db.value("SELECT email FROM customers WHERE id = 1");
    desk.run(&["rollback", &first]).done();

    let second = verified(&desk);

    assert_ne!(first, second);
    let again = db.value("SELECT email FROM customers WHERE id = 1");
    assert_eq!(again, token, "the domain's keys are the same");
}

/// The folder of the backups, and where it is moved to.
fn moved_away(desk: &Desk) -> (PathBuf, PathBuf) {
    let (folder, away) = (desk.path("sealift-backup"), desk.path("away"));
    fs::rename(&folder, &away).unwrap();
    (folder, away)
}

#[test]
fn a_run_that_has_written_nothing_is_rolled_back_without_its_backup() {
    for phase in ["backed_up", "sealed"] {
        let desk = Desk::new();
        shop(&desk, Journal::Delete, 10);
        let before = dump(&desk.source());
        let run = to_phase(&desk, phase);
        let (folder, _) = moved_away(&desk);
        desk.run(&["run", &run]).fails(2, &["holds no marker of this run", "sealift rollback"]);
        desk.run(&["plan", "--policy", "shop.toml"]).ends(3);

        desk.run(&["rollback", &run]).done().mentions(&["nothing of it was in the source"]);

        assert_same(&before, &dump(&desk.source()));
        assert!(!folder.exists(), "nothing was made in its place");
        assert_eq!(desk.json(&["status", &run]).done().text("phase"), "rolled_back");
        desk.run(&["plan", "--policy", "shop.toml"]).done();
    }
}

#[test]
fn a_run_that_has_written_nothing_is_rolled_back_with_half_its_backup() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 10);
    let before = dump(&desk.source());
    let run = to_phase(&desk, "sealed");
    let files = fs::read_dir(desk.path("sealift-backup").join(&run)).unwrap();
    let mut files = files.flatten().map(|entry| entry.path());
    let file = files.find(|path| path.extension().is_some_and(|end| end == "backup")).unwrap();
    fs::remove_file(file).unwrap();

    desk.run(&["rollback", &run]).done();

    assert_same(&before, &dump(&desk.source()));
}

#[test]
fn a_run_that_has_written_is_not_rolled_back_without_its_backup() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 10);
    let before = dump(&desk.source());
    let run = to_phase(&desk, "rewritten");
    let (folder, away) = moved_away(&desk);

    desk.run(&["rollback", &run]).fails(2, &["holds no marker of this run", "from a copy"]);

    assert_eq!(desk.json(&["status", &run]).done().text("phase"), "rewritten");
    fs::rename(away, folder).unwrap();
    desk.run(&["rollback", &run]).done();
    assert_same(&before, &dump(&desk.source()));
}

/// No cursor says that the run has written; the cells do.
#[test]
fn tokens_that_nothing_accounts_for_keep_a_run_from_being_given_up() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 10);
    let first = to_phase(&desk, "rewritten");
    let token = Db::open(&desk.source()).value("SELECT email FROM customers WHERE id = 3");
    desk.run(&["rollback", &first]).done();
    let run = to_phase(&desk, "sealed");
    Db::open(&desk.source()).exec(format!("UPDATE customers SET email = '{token}' WHERE id = 3"));
    moved_away(&desk);

    desk.run(&["rollback", &run]).fails(2, &["holds no marker of this run", "from a copy"]);

    assert_eq!(desk.json(&["status", &run]).done().text("phase"), "sealed");
}

/// Before the backup of a run is whole it has written nothing: the tokens that stand in its columns are
/// those of the run before, whose purge is proven, and stay.
#[test]
fn a_run_that_is_given_up_opens_no_token_of_the_run_before() {
    let desk = Desk::new();
    Db::open(&desk.source()).exec(
        "CREATE TABLE people (id integer PRIMARY KEY, email text);
         INSERT INTO people VALUES (1, 'alice@example.com'), (2, 'bob@example.com')",
    );
    let column = "[[column]]\nname = \"people.email\"\nclass = \"contact\"\ntoken = \"keyed\"";
    desk.write("shop.toml", &format!("[source]\nname = \"crm\"\n\n{column}\n"));
    let run = to_phase(&desk, "purge_approved");
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    desk.run(&["purge", &run, "--confirm", &run]).done();
    let cells = || Db::reading(&desk.source()).column("SELECT email FROM people ORDER BY id");
    let before = cells();
    let beginning = desk.save();
    for phase in ["approved", "backed_up", "sealed", "verified"] {
        desk.restore(&beginning);
        let next = to_phase(&desk, phase);

        desk.run(&["rollback", &next]).done();

        assert_eq!(cells(), before, "after a rollback from `{phase}`");
    }
}
