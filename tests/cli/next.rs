//! What a verb says at its end: a command that runs as it is shown.

use crate::support::{Db, Desk, Journal, shop, to_phase};

/// What stands after `next: SOMEBODY: `.
fn next(said: &str) -> Option<Vec<String>> {
    let line = said.lines().find(|line| line.starts_with("next: "))?;
    let (_, command) = line.split_once(": sealift ")?;
    let command = command.split("   #").next()?;
    Some(command.split(' ').map(str::to_owned).collect())
}

#[test]
fn every_verb_that_is_no_list_of_values_says_what_is_next() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let run = to_phase(&desk, "verified");
    for typed in [
        &["status"][..],
        &["status", "--all"],
        &["run", &run],
        &["verify", &run],
        &["pause", &run],
        &["resume", &run],
        &["caller", "list"],
        &["caller", "add", "erin", "--role", "auditor", "--credential-file", "erin.key"],
        &["caller", "revoke", "erin"],
        &["keys", "list"],
        &["keys", "slot", "check", "--recovery-file", "recovery.txt"],
        &["keys", "slot", "add", "--key-file", "second.key"],
        &["policy", "check", "shop.toml"],
        &["quarantine", "list", &run],
        &["ledger", "checkpoint"],
        &["ledger", "export", "--output", "ledger"],
        &["report", &run, "--output", "report.html"],
        &["rollback", &run],
    ] {
        let answer = desk.run(typed).done();
        let said = format!("{}{}", answer.stdout, answer.stderr);
        let command = next(&said).unwrap_or_else(|| panic!("no next step: {answer}"));
        // The program itself says whether it would understand the command.
        let mut asked: Vec<&str> = command.iter().map(String::as_str).collect();
        asked.push("--help");
        desk.run(&asked).done();
    }
}

/// A table of invented people, in a source without a vault.
fn people(desk: &Desk) {
    let mut db = Db::open(&desk.source());
    db.exec("CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT NOT NULL, phone TEXT)");
    for row in 0..40 {
        db.exec(format!(
            "INSERT INTO people VALUES ({row}, 'person{row}@example.com', '+44 20 7946 0{row:03}')"
        ));
    }
}

#[test]
fn the_next_steps_alone_lead_from_a_new_vault_to_a_checked_ledger() {
    let desk = Desk::bare();
    people(&desk);
    let first = "init --caller alice --credential-file alice.key --recovery-file recovery.txt \
                 --kdf-memory-mib 64 --kdf-passes 3";
    let mut typed: Vec<String> = first.split_whitespace().map(str::to_owned).collect();
    let mut seen = Vec::new();
    for _ in 0..20 {
        let words: Vec<&str> = typed.iter().map(String::as_str).collect();
        let caller = if words[0] == "approve" { "approver" } else { "alice" };
        let answer = desk.run_as(caller, &words).done();
        let is_two = ["caller", "keys", "ledger"].contains(&words[0]);
        seen.push(words[..if is_two { 2 } else { 1 }].join(" "));
        if seen.last().is_some_and(|verb| verb == "ledger verify") {
            break;
        }
        typed = next(&answer.stdout).unwrap_or_else(|| panic!("no next step: {answer}"));
    }
    // The plan is looked at first and then recorded; a purge asks for the second key slot before.
    let life = [
        "init",
        "caller add",
        "scan",
        "plan",
        "plan",
        "approve",
        "run",
        "approve",
        "keys slot",
        "purge",
        "report",
        "report",
        "ledger export",
        "ledger verify",
    ];
    assert_eq!(seen, life);
    desk.run(&["status", "--all"]).done().mentions(&["closed"]);
}

#[test]
fn before_a_purge_the_second_way_into_the_vault_comes_next() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let run = to_phase(&desk, "verified");
    let approved = desk.run_as("bob", &["approve", &run, "--purge"]).done();
    for said in [&approved, &desk.run(&["status"]).done(), &desk.run(&["report"]).done()] {
        said.clone().mentions(&["next: alice: sealift keys slot check --recovery-file"]);
    }

    let checked = desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();

    let purge = format!("next: alice: sealift purge {run} --confirm {run}");
    for said in [checked, desk.run(&["status"]).done(), desk.run(&["report"]).done()] {
        said.mentions(&[&purge]);
    }
}

#[test]
fn where_nobody_has_to_sign_the_purge_it_comes_next() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let policy = std::fs::read_to_string(desk.path("shop.toml")).unwrap();
    desk.write("shop.toml", &(policy + "\n[approval]\nplan = 0\npurge = 0\n"));
    desk.run(&["plan", "--policy", "shop.toml"]).done();
    desk.run(&["run"]).done().mentions(&["next: alice: sealift keys slot check"]);
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    let run = desk.json(&["status"]).done().text("run");
    let purge = format!("next: alice: sealift purge {run} --confirm {run}");
    desk.run(&["status"]).done().mentions(&[&purge]);
    let report = desk.run(&["report", "--format", "json"]).done();
    report.mentions(&[&format!("\"next\": \"sealift purge {run} --confirm {run}\"")]);
}

#[test]
fn a_blocked_plan_says_so_and_what_to_do() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let policy = std::fs::read_to_string(desk.path("shop.toml")).unwrap();
    desk.write(
        "off.toml",
        &format!("{policy}\n[[column]]\nname = \"nowhere.email\"\nclass = \"contact\"\n"),
    );
    for typed in
        [&["plan", "--policy", "off.toml"][..], &["plan", "--policy", "off.toml", "--dry-run"]]
    {
        desk.run(typed).fails(3, &["the plan is blocked by"]);
    }
}

#[test]
fn queries_of_the_application_are_read_from_files() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    desk.write(
        "q.sql",
        "SELECT 1;\nSELECT id FROM customers WHERE email LIKE '%secret@example.com'\n ORDER BY email;",
    );
    let plan =
        desk.run(&["plan", "--policy", "shop.toml", "--dry-run", "--queries", "q.sql"]).done();
    let plan = plan.mentions(&[
        "What breaks",
        "q.sql:2",
        "1 of 2 queries that were handed in or found in the source break",
    ]);
    assert!(!plan.stdout.contains("secret@"), "{plan}");

    desk.write("empty.sql", "-- nothing\n");
    for (file, words) in [("none.sql", "cannot be read"), ("empty.sql", "holds no statement")] {
        desk.run(&["plan", "--policy", "shop.toml", "--dry-run", "--queries", file])
            .fails(2, &[words]);
    }
}

#[test]
fn shells_and_readers_get_every_verb() {
    let desk = Desk::bare();
    let verbs = ["init", "scan", "plan", "approve", "purge", "detokenize", "ledger", "completions"];
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        desk.run(&["completions", shell]).done().mentions(&verbs);
    }
    desk.run(&["man"]).done().mentions(&[".TH", "sealift"]);
    desk.run(&["man", "--output", "man"]).done().mentions(&["manual pages are in man"]);
    for verb in verbs {
        let page = std::fs::read_to_string(desk.path(&format!("man/sealift-{verb}.1"))).unwrap();
        assert!(page.contains(verb), "{page}");
    }
    assert!(desk.path("man/sealift-keys-slot-add.1").exists());
}
