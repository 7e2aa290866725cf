//! What happens to a run that cannot go on: it holds, or it goes back, as the policy says; and a way
//! back that fails is told apart from everything else.

use crate::support::{
    Db, Desk, Journal, POLICY, actions, assert_same, dump, plan_and_approve, shop, verified,
};

/// A run up to its rewrite, over a policy with these first lines and a check that does not hold then.
fn with_a_check_that_breaks(first: &str) -> (Desk, String, String) {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 12);
    let check = "
[[check]]
name   = \"addresses at an example\"
sql    = \"select count(*) from customers where email like '%nowhere@example.com'\"
expect = \"unchanged\"
";
    desk.write("shop.toml", &format!("{first}\n{POLICY}\n{check}"));
    let before = dump(&desk.source());
    let run = plan_and_approve(&desk);
    (desk, run, before)
}

#[test]
fn a_run_that_fails_holds_where_it_is_unless_the_policy_says_otherwise() {
    let (desk, run, before) = with_a_check_that_breaks("");
    desk.run(&["run", &run]).fails(1, &["addresses at an example"]);
    assert_eq!(desk.json(&["status", &run]).done().text("phase"), "rewritten");
    desk.run(&["rollback", &run]).done();
    assert_same(&before, &dump(&desk.source()));
}

#[test]
fn a_run_that_fails_goes_back_where_the_policy_says_so() {
    let (desk, run, before) = with_a_check_that_breaks("on_failure = \"rollback\"");
    let answer = desk.run(&["run", &run]).fails(1, &["addresses at an example", "is rolled back"]);
    assert!(!answer.stderr.contains("person00003"), "{answer}");
    assert_eq!(desk.json(&["status", &run]).done().text("phase"), "rolled_back");
    assert_same(&before, &dump(&desk.source()));
    let actions = actions(&desk);
    let failed = actions.iter().position(|action| action == "failed").unwrap();
    let back = actions.iter().position(|action| action == "rolled_back").unwrap();
    assert!(failed < back, "the failure is on the ledger first: {actions:?}");
}

#[test]
fn what_passes_by_itself_is_not_rolled_back() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 12);
    desk.write("shop.toml", &format!("on_failure = \"rollback\"\n{POLICY}"));
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    // Another program writes, and does not end.
    let mut other = Db::open(&desk.source());
    other.exec("BEGIN IMMEDIATE");
    desk.run(&["run", &run]).fails(2, &["locked"]);
    other.exec("ROLLBACK");
    assert_eq!(desk.json(&["status", &run]).done().text("phase"), "sealed");
    desk.run(&["run", &run]).done();
}

#[test]
fn a_rollback_that_fails_is_critical_and_goes_on_when_its_cause_is_mended() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 12);
    let before = dump(&desk.source());
    let run = verified(&desk);
    Db::open(&desk.source()).exec(
        "CREATE TRIGGER only_tokens BEFORE UPDATE ON cards
         BEGIN SELECT RAISE(ABORT, 'no originals here'); END",
    );

    desk.run(&["rollback", &run]).fails(4, &["cards", "`sealift rollback", "Do not purge"]);

    let status = desk.json(&["status", &run]).done();
    assert_eq!(status.text("phase"), "rolling_back", "{status}");
    assert!(actions(&desk).iter().any(|action| action == "rollback_failed"));
    desk.run(&["purge", &run, "--confirm", &run]).ends(3);

    // As the runbook has it: the cause mended, the same command again.
    Db::open(&desk.source()).exec("DROP TRIGGER only_tokens");
    desk.run(&["rollback", &run]).done();
    assert_same(&before, &dump(&desk.source()));
}

#[test]
fn where_the_way_back_is_barred_originals_come_from_the_backup() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 12);
    let emails = Db::reading(&desk.source()).column("SELECT email FROM customers ORDER BY id");
    let run = verified(&desk);
    desk.run(&["backup", "restore", &run, "--into", "sqlite:originals.db"]).done();
    let mut db = Db::reading(&desk.path("originals.db"));
    assert_eq!(db.column("SELECT email FROM customers ORDER BY id"), emails);
}

#[test]
fn a_verification_that_cannot_sort_names_its_scratch_folder_and_what_it_is_for() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 12);
    let run = verified(&desk);
    // A file, where the folder would be made.
    desk.write("vault.db.verify", "");
    let words = ["scratch folder `vault.db.verify`, where a verification sorts", "`--vault`"];
    let answer = desk.run(&["verify", &run]).fails(2, &words);
    assert!(!answer.stderr.contains("backup file"), "{answer}");
    std::fs::remove_file(desk.path("vault.db.verify")).unwrap();
    desk.run(&["verify", &run]).done();
}
