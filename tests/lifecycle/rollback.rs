//! The way back: from every phase before the purge the source is as it was, byte for byte.

use crate::support::{
    Db, Desk, Journal, assert_same, dump, dump_beside_vault, shop, to_phase, verified,
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

    desk.run(&["rollback", &run]).done();

    assert_same(&before, &dump(&desk.source()));
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
