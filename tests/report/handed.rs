//! A report that somebody hands over is checked without a vault, and without trusting who made it.

use std::fs;

use sealift::report::Report;
use serde_json::Value;

use super::fixture::closed;
use crate::support::{Answer, Desk, Journal, plan_and_approve, shop};

/// A verified run, its report issued as a page and as JSON, and the ledger exported after that.
pub(super) fn handed() -> (Desk, String, String) {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run]).done();
    for form in ["html", "json"] {
        desk.run(&["report", &run, "--output", &format!("report.{form}"), "--issue"]).done();
    }
    let key = desk.json(&["ledger", "export", "--output", "ledger"]).done().text("fingerprint");
    (desk, run, key)
}

/// Checks with nothing else at hand.
pub(super) fn check(desk: &Desk, file: &str, more: &[&str]) -> Answer {
    let mut command =
        desk.command(&[&["--format", "json", "report", "verify", file], more].concat());
    for name in ["VAULT", "SOURCE", "PASSPHRASE", "CREDENTIAL_FILE"] {
        command.env_remove(format!("SEALIFT_{name}"));
    }
    desk.finish(command, "")
}

pub(super) fn kinds(answer: &Answer) -> Vec<String> {
    let findings = answer.last()["findings"].as_array().unwrap().clone();
    findings.iter().map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect()
}

/// The file with a change in its data, wherever that stands.
fn changed(desk: &Desk, file: &str, from: &str, to: &str) -> String {
    let text = fs::read_to_string(desk.path(file)).unwrap();
    assert!(text.contains(from), "{from}");
    let name = format!("changed-{file}");
    fs::write(desk.path(&name), text.replacen(from, to, 1)).unwrap();
    name
}

#[test]
fn an_issued_report_is_known_by_its_hash() {
    let (desk, _, key) = handed();
    for file in ["report.html", "report.json"] {
        let alone = check(&desk, file, &["--key", &key]).done();
        assert!(alone.stdout.contains("no ledger was given"), "{alone}");
        let whole = check(&desk, file, &["--key", &key, "--ledger", "ledger"]).done();
        assert!(whole.stdout.contains("it was issued by alice"), "{whole}");
    }
    check(&desk, "report.json", &["--key", &"0".repeat(64)]).ends(1);
    check(&desk, "ledger/README.txt", &[]).fails(2, &["no report", "hint:"]);
}

#[test]
fn the_ledgers_verifiers_check_the_proofs_of_a_report() {
    let (desk, _, key) = handed();
    let script = desk.path("ledger/verify.py");
    for file in ["report.html", "report.json"] {
        let output = std::process::Command::new("python3")
            .arg(&script)
            .arg(desk.path(file))
            .args(["--key", &key])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        desk.run(&["ledger", "verify", file, "--key", &key]).done();
    }
}

#[test]
fn a_figure_that_is_not_what_the_entries_say_is_named() {
    let (desk, _, key) = handed();
    let report: Value =
        serde_json::from_str(&fs::read_to_string(desk.path("report.json")).unwrap()).unwrap();
    let entry = |actor: &str| {
        let entries = report["proofs"]["entries"].as_array().unwrap();
        let at =
            entries.iter().position(|it| it["entry"].as_str().unwrap().contains("bob")).unwrap();
        let text = entries[at]["entry"].as_str().unwrap().replace("bob", actor);
        (format!("/proofs/entries/{at}/entry"), Value::from(text))
    };
    let (place, forged) = entry("rob");
    for (place, value, kind) in [
        ("/header/phase", "purged".into(), "differs"),
        ("/counts/cells", 1.into(), "differs"),
        ("/counts/parts/0/cells", 1.into(), "differs"),
        ("/verification/counts/opened", 9_999_999.into(), "differs"),
        ("/timeline/1/actor", "rob".into(), "differs"),
        (place.as_str(), forged, "not_in_ledger"),
    ] {
        let mut other = report.clone();
        *other.pointer_mut(place).unwrap() = value;
        fs::write(desk.path("changed.json"), other.to_string()).unwrap();
        let answer = check(&desk, "changed.json", &["--key", &key]).ends(1);
        assert!(kinds(&answer).iter().any(|found| found == kind), "{place}: {answer}");
    }
}

#[test]
fn a_report_whose_proofs_were_taken_out_is_not_called_checked() {
    let (desk, _, key) = handed();
    let mut report: Value =
        serde_json::from_str(&fs::read_to_string(desk.path("report.json")).unwrap()).unwrap();
    report["proofs"] = Value::Null;
    report["header"]["checkpoint"] = Value::Null;
    fs::write(desk.path("bare.json"), report.to_string()).unwrap();
    for key in [&["--key", key.as_str()][..], &[]] {
        let typed = [&["report", "verify", "bare.json"][..], key].concat();
        desk.run(&typed).fails(2, &["carries no proofs", "--ledger"]);
    }
}

#[test]
fn a_page_whose_words_were_changed_is_not_the_one_that_was_issued() {
    let (desk, _, key) = handed();
    let file = changed(&desk, "report.html", "<h1>Run", "<h1>A run");
    let answer = check(&desk, &file, &["--key", &key, "--ledger", "ledger"]).ends(1);
    assert_eq!(kinds(&answer), ["other_file"]);
}

#[test]
fn an_entry_that_is_left_out_shows_beside_the_ledger() {
    let (desk, run, key) = handed();
    let mut report: Value =
        serde_json::from_str(&fs::read_to_string(desk.path("report.json")).unwrap()).unwrap();
    // A check that was held is no phase: without it the life of the run still adds up.
    let lines = report["timeline"].as_array_mut().unwrap();
    let at = lines.iter().position(|line| line["action"] == "check_held").unwrap();
    let seq = lines.remove(at)["seq"].clone();
    let proven = report["proofs"]["entries"].as_array_mut().unwrap();
    proven.retain(|entry| entry["seq"] != seq);
    fs::write(desk.path("less.json"), report.to_string()).unwrap();

    check(&desk, "less.json", &["--key", &key]).done();
    let answer = check(&desk, "less.json", &["--key", &key, "--ledger", "ledger"]).ends(1);
    assert_eq!(kinds(&answer), ["left_out", "other_report"]);

    desk.run(&["verify", &run]).done();
    desk.run(&["ledger", "export", "--output", "later"]).done();
    let later = check(&desk, "report.json", &["--key", &key, "--ledger", "later"]).done();
    assert!(later.stdout.contains("the run has gone on since"), "{later}");
}

#[test]
fn a_closed_report_names_its_own_file() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run]).done();
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    desk.run(&["purge", &run, "--confirm", &run]).done();
    desk.run(&["report", &run, "--output", "closed.html", "--close"]).done();
    desk.run(&["ledger", "export", "--output", "ledger"]).done();

    let answer = check(&desk, "closed.html", &["--ledger", "ledger"]).done();
    assert!(answer.stdout.contains("it was issued by alice"), "{answer}");
}

#[test]
fn controls_say_what_is_missing_and_point_at_entries() {
    let report = Report::of(&closed());
    let control = |rule: &str, name: &str| {
        report.controls.iter().find(|it| it.rule == rule && it.control == name).unwrap()
    };
    let purged = control("GDPR", "Art. 5(1)(e)");
    assert!(purged.missing.iter().any(|it| it.contains("medium")), "{purged:?}");
    let proven: Vec<u64> =
        report.proofs.as_ref().unwrap().entries.iter().map(|entry| entry.seq).collect();
    for line in &report.controls {
        assert!(line.entries.iter().all(|seq| proven.contains(seq)), "{line:?}");
        assert!(!line.sections.is_empty(), "{line:?}");
    }
    assert!(report.controls.iter().any(|line| line.rule == "HIPAA"));
    let said = report.to_html().to_lowercase();
    for word in ["complian", "is certified", "certifies that", "fulfils"] {
        assert!(!said.contains(word), "{word}");
    }

    let mut without = closed();
    without.plan.columns.retain(|column| column.class == "contact");
    let rules: Vec<&str> = Report::of(&without).controls.iter().map(|line| line.rule).collect();
    assert!(!rules.contains(&"HIPAA") && !rules.contains(&"PCI DSS 4.0.1"));
}
