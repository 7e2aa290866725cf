//! A report that says something else than its entries is found out, part by part; one that nobody has
//! touched is not, wherever its run stands.

use std::fs;

use serde_json::{Value, json};

use super::handed::{check, handed, kinds};
use crate::support::{
    Answer, Db, Desk, Journal, PASSES, POLICY, plan_and_approve, shop, to_phase, verified,
};

/// What makes the certificate name something that was not covered.
const KEPT: &str = "\n[backup]\nretention_days = 30\n";

fn read(desk: &Desk, file: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(desk.path(file)).unwrap()).unwrap()
}

/// What was found to be wrong, a sentence each.
fn findings(answer: &Answer) -> Vec<String> {
    let findings = answer.last()["findings"].as_array().unwrap().clone();
    findings.iter().map(|finding| finding["text"].as_str().unwrap().to_owned()).collect()
}

fn purge(desk: &Desk, run: &str) {
    desk.run_as("bob", &["approve", run, "--purge"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    desk.run(&["purge", run, "--confirm", run]).done();
}

/// Writes the report as a page and as JSON, exports the ledger, and holds that nothing is found.
#[track_caller]
fn holds(desk: &Desk, run: &str, when: &str) {
    let ledger = format!("ledger-{when}");
    let files = ["html", "json"].map(|form| format!("{when}.{form}"));
    for file in &files {
        desk.run(&["report", run, "--output", file]).done();
    }
    let key = desk.json(&["ledger", "export", "--output", &ledger]).done().text("fingerprint");
    for file in &files {
        let alone = check(desk, file, &["--key", &key]).done();
        assert!(alone.stdout.contains("no entry speaks of"), "{alone}");
        let whole = check(desk, file, &["--key", &key, "--ledger", &ledger]).done();
        assert!(whole.stdout.contains("not issued"), "{whole}");
    }
}

/// A closed run whose backup is kept: its report, issued as JSON, and the ledger.
fn closed() -> (Desk, String, String) {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 5);
    desk.write("shop.toml", &format!("{POLICY}{KEPT}"));
    let run = verified(&desk);
    purge(&desk, &run);
    desk.run(&["report", &run, "--output", "report.json", "--close"]).done();
    let key = desk.json(&["ledger", "export", "--output", "ledger"]).done().text("fingerprint");
    (desk, run, key)
}

#[test]
fn a_part_that_says_something_else_than_the_entries_is_named() {
    let (desk, _, key) = closed();
    let report = read(&desk, "report.json");
    assert_eq!(report["certificate"]["status"], "limited", "{}", report["certificate"]);
    let none = || json!([]);
    let digest = "0".repeat(64);
    for (place, value, part) in [
        ("/summary/verdict", "CLEAN".into(), "summary"),
        ("/summary/tone", "good".into(), "summary"),
        ("/summary/statements/0", "All is well".into(), "summary"),
        ("/summary/figures/3/number", 7.into(), "summary"),
        ("/summary/limits", none(), "summary"),
        ("/certificate/status", "clean".into(), "certificate"),
        ("/certificate/word", "CLEAN".into(), "certificate"),
        ("/certificate/statement", "all is well".into(), "certificate"),
        ("/certificate/claims/1/state", "proven".into(), "certificate"),
        ("/certificate/steps", none(), "certificate"),
        ("/certificate/scan_before/live", 1.into(), "certificate"),
        ("/certificate/not_covered", none(), "certificate"),
        ("/certificate/elsewhere", none(), "certificate"),
        (
            "/certificate/came_back",
            json!([{"column": "customers.name", "cells": 1}]),
            "certificate",
        ),
        ("/verification/passed", false.into(), "verification"),
        ("/verification/opened", 9_999.into(), "verification"),
        ("/verification/mismatches", 1.into(), "verification"),
        ("/verification/checks", none(), "verification"),
        ("/verification/checks/0/holds", Value::Null, "verification"),
        ("/verification/segments", none(), "segments"),
        ("/verification/segments/0/root", digest.as_str().into(), "segments"),
        ("/counts/reconciles", false.into(), "counts"),
        ("/counts/rows", 9_999.into(), "counts"),
        (
            "/counts/quarantine",
            json!([{
                "row": "0badcafe", "cause": "check", "cells": 1, "state": "waived",
                "waived_by": "bob",
            }]),
            "quarantine",
        ),
        ("/approvals/signatures", none(), "approvals"),
        ("/approvals/signatures/0/caller", "mallory".into(), "approvals"),
        ("/approvals/signatures/0/digest", digest.as_str().into(), "approvals"),
        ("/approvals/signatures/0/signed_at", "2020-01-01T00:00:00Z".into(), "approvals"),
        ("/approvals/plan_required", 9.into(), "approvals"),
        ("/scope/columns/0/verified", 9_999.into(), "scope"),
        ("/scope/columns", none(), "scope"),
        ("/coverage/0/cells", 9_999.into(), "coverage"),
        ("/header/source", "another".into(), "source"),
        ("/header/policy_hash", digest.as_str().into(), "policy"),
        ("/header/vault", digest.as_str().into(), "vault"),
        ("/header/condition", "failed".into(), "condition"),
        ("/header/steps/0/by", "mallory".into(), "steps"),
        ("/header/as_of", "2020-01-01T00:00:00Z".into(), "time"),
        ("/plan/document", Value::Null, "document"),
        ("/stages", none(), "stages"),
        ("/how_to_verify/1/line", "true".into(), "commands"),
    ] {
        let mut other = report.clone();
        *other.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = value;
        assert_ne!(other, report, "{place}");
        desk.write("changed.json", &other.to_string());
        let answer = check(&desk, "changed.json", &["--key", &key]).ends(1);
        let said = format!("differs: the {part} of the report is not what its entries say");
        assert!(findings(&answer).contains(&said), "{place}: {answer}");
    }
}

#[test]
fn a_verdict_that_was_changed_wherever_it_stands_is_found_out() {
    let (desk, run, key) = closed();
    desk.run(&["report", &run, "--output", "report.html", "--issue"]).done();
    desk.run(&["ledger", "export", "--output", "later"]).done();
    for file in ["report.html", "report.json"] {
        let text = fs::read_to_string(desk.path(file)).unwrap();
        let clean = text
            .replace("PURGED, WITH LIMITS", "CLEAN")
            .replace("\"status\": \"limited\"", "\"status\": \"clean\"");
        assert_ne!(clean, text);
        let name = format!("clean-{file}");
        desk.write(&name, &clean);
        let keyed = ["--key", key.as_str(), "--ledger", "later"];
        for more in [&keyed[..2], &keyed[..]] {
            let found = findings(&check(&desk, &name, more).ends(1));
            for part in ["summary", "certificate"] {
                assert!(found.iter().any(|it| it.contains(part)), "{name}: {found:?}");
            }
        }
        check(&desk, file, &["--key", &key, "--ledger", "later"]).done();
    }
}

#[test]
fn a_change_of_what_no_entry_speaks_of_shows_where_the_report_was_issued() {
    let (desk, run, key) = handed();
    let mut report = read(&desk, "report.json");
    report["risks"] = json!([]);
    desk.write("less.json", &report.to_string());

    let alone = check(&desk, "less.json", &["--key", &key]).done();
    assert!(alone.stdout.contains("no entry speaks of"), "{alone}");
    let whole = check(&desk, "less.json", &["--key", &key, "--ledger", "ledger"]).ends(1);
    assert_eq!(kinds(&whole), ["other_report"]);

    // The run goes on, or only the ledger does: a report that was made then is not the issued one, and
    // nothing is wrong with it.
    desk.run(&["ledger", "heartbeat"]).done();
    holds(&desk, &run, "later");
}

#[test]
fn who_asked_is_held_against_the_ledger() {
    let (desk, _, key) = handed();
    let mut report = read(&desk, "report.json");
    report["access"][0]["used"]["requests"] = 7.into();
    desk.write("asked.json", &report.to_string());

    let answer = check(&desk, "asked.json", &["--key", &key, "--ledger", "ledger"]).ends(1);
    assert!(findings(&answer).iter().any(|it| it.contains("the access of the report")), "{answer}");
}

#[test]
fn a_report_that_nobody_has_touched_holds_wherever_its_run_stands() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let run = to_phase(&desk, "planned");
    holds(&desk, &run, "planned");
    desk.run_as("bob", &["approve", &run]).done();
    holds(&desk, &run, "approved");
    for phase in PASSES {
        desk.run(&["run", &run, "--until", phase]).done();
        holds(&desk, &run, phase);
    }
    let token = Db::reading(&desk.source()).value("SELECT email FROM customers WHERE id = 2");
    desk.run_as("carol", &["detokenize", "--purpose", "support_case", "--reason", "r", &token])
        .done();
    desk.run(&["pause", &run]).done();
    holds(&desk, &run, "paused");
    desk.run(&["resume", &run]).done();
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    holds(&desk, &run, "purge_approved");
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    desk.run(&["purge", &run, "--confirm", &run]).done();
    holds(&desk, &run, "purged");
    desk.run(&["report", &run, "--close"]).done();
    holds(&desk, &run, "closed");
    Db::open(&desk.source()).exec("UPDATE customers SET name = 'back.again' WHERE id = 3");
    desk.run(&["scan", "--run", &run]).ends(1);
    holds(&desk, &run, "came_back");
    let restore = desk.json(&["restore", &run, "--reason", "case 4711"]).done().text("run");
    desk.run_as("bob", &["approve", &restore]).done();
    desk.run(&["restore", &restore]).done();
    holds(&desk, &run, "restored");
    holds(&desk, &restore, "restore");
}

#[test]
fn a_report_of_a_run_that_turned_back_holds() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let run = verified(&desk);
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    // What was verified does not hold any more, and nor does the signature under it.
    Db::open(&desk.source()).exec("UPDATE customers SET name = 'in.between' WHERE id = 2");
    desk.run(&["verify", &run]).ends(1);
    holds(&desk, &run, "mismatch");
    desk.run(&["rollback", &run]).done();
    holds(&desk, &run, "rolled_back");
}

#[test]
fn a_row_that_somebody_accepted_cannot_be_left_out() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 8);
    desk.write("shop.toml", &format!("{POLICY}\n[limits]\nquarantine_max = 5\n"));
    let run = verified(&desk);
    Db::open(&desk.source()).exec(
        "INSERT INTO customers (id, name, email)
         VALUES (77, 'Quenby Farthingale the 00077th', 'person00003.of.nowhere@example.com')",
    );
    desk.run(&["verify", &run]).ends(1);
    desk.run(&["run", &run]).ends(1);
    holds(&desk, &run, "waiting");
    let row = desk.json(&["quarantine", "list", &run]).ends(1).text("row");
    desk.run(&["quarantine", "waive", &run, "--row", &row, "--reason", "known"]).done();
    desk.run(&["run", &run]).done();
    holds(&desk, &run, "waived");

    let mut report = read(&desk, "waived.json");
    assert_eq!(report["counts"]["quarantine"][0]["state"], "waived", "{}", report["counts"]);
    report["counts"]["quarantine"] = json!([]);
    desk.write("less.json", &report.to_string());
    let answer = check(&desk, "less.json", &[]).ends(1);
    assert!(findings(&answer).iter().any(|it| it.contains("quarantine")), "{answer}");
}

/// What was found after the purge is cut off, as if the report had been made before.
#[test]
fn a_report_cannot_end_before_its_checkpoint_does() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let run = verified(&desk);
    purge(&desk, &run);
    desk.run(&["report", &run, "--output", "before.json"]).done();
    Db::open(&desk.source()).exec("UPDATE customers SET name = 'back.again' WHERE id = 3");
    desk.run(&["scan", "--run", &run]).ends(1);
    desk.run(&["report", &run, "--output", "after.json"]).done();
    desk.run(&["ledger", "export", "--output", "ledger"]).done();
    check(&desk, "before.json", &["--ledger", "ledger"]).done().mentions(&["has gone on since"]);

    let (mut forged, after) = (read(&desk, "before.json"), read(&desk, "after.json"));
    let found = after["timeline"].as_array().unwrap().last().unwrap()["seq"].clone();
    for part in ["checkpoint", "anchors"] {
        forged["header"][part] = after["header"][part].clone();
    }
    forged["proofs"] = after["proofs"].clone();
    let proven = forged["proofs"]["entries"].as_array_mut().unwrap();
    proven.retain(|entry| entry["seq"] != found);
    desk.write("forged.json", &forged.to_string());

    let answer = check(&desk, "forged.json", &["--ledger", "ledger"]).ends(1);
    assert_eq!(kinds(&answer), ["left_out"], "{answer}");
}

/// A failure is on the ledger, and no checkpoint signs it before the next step does.
#[test]
fn a_report_of_a_run_that_failed_holds_with_its_youngest_line() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 12);
    let check_that_breaks = "
[[check]]
name   = \"addresses at an example\"
sql    = \"select count(*) from customers where email like '%nowhere@example.com'\"
expect = \"unchanged\"
";
    desk.write("shop.toml", &format!("{POLICY}\n{check_that_breaks}"));
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run]).fails(1, &["addresses at an example"]);
    for form in ["html", "json"] {
        desk.run(&["report", &run, "--output", &format!("failed.{form}")]).done();
    }
    desk.run(&["report", &run, "--output", "issued.html", "--issue"]).done();
    desk.run(&["ledger", "export", "--output", "ledger"]).done();

    let alone = check(&desk, "failed.json", &[]).done();
    assert!(alone.stdout.contains("younger than its checkpoint"), "{alone}");
    for file in ["failed.html", "failed.json"] {
        check(&desk, file, &["--ledger", "ledger"]).done();
    }
    let issued = check(&desk, "issued.html", &["--ledger", "ledger"]).done();
    assert!(issued.stdout.contains("it was issued by alice"), "{issued}");

    // What nothing signs yet cannot say anything either, once there is a ledger.
    let report = read(&desk, "failed.json");
    assert_eq!(report["header"]["condition"], "failed");
    let last = report["timeline"].as_array().unwrap().len() - 1;
    let mut other = report.clone();
    other["timeline"][last]["actor"] = "mallory".into();
    desk.write("other.json", &other.to_string());
    let answer = check(&desk, "other.json", &["--ledger", "ledger"]).ends(1);
    assert!(findings(&answer).iter().any(|it| it.contains("timeline")), "{answer}");
    let mut other = report;
    other["summary"]["tone"] = "good".into();
    desk.write("other.json", &other.to_string());
    let answer = check(&desk, "other.json", &["--ledger", "ledger"]).ends(1);
    assert!(findings(&answer).iter().any(|it| it.contains("summary")), "{answer}");
}
