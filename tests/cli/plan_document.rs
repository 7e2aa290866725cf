//! The plan's document at the command line: what is written is what is signed, and nothing else is.

use std::fs;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{Db, Desk, Journal, exported, shop};

fn sha256(desk: &Desk, file: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(fs::read(desk.path(file)).unwrap()))
}

fn planned() -> (Desk, String) {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 4);
    let run =
        desk.json(&["plan", "--policy", "shop.toml", "--output", "plan.html"]).done().text("run");
    (desk, run)
}

fn phase(desk: &Desk, run: &str) -> String {
    desk.json(&["status", run]).done().text("phase")
}

/// What the newest entry with this action says under `details`.
fn details(desk: &Desk, action: &str) -> Value {
    let entries = fs::read_to_string(exported(desk).join("entries.jsonl")).unwrap();
    let newest = entries
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .rfind(|entry| entry["action"] == action);
    newest.unwrap()["details"].clone()
}

#[test]
fn the_hash_of_the_page_is_printed_recorded_signed_and_reported() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 4);
    let plan = desk.run(&["plan", "--policy", "shop.toml", "--output", "plan.html"]).done();
    let hash = sha256(&desk, "plan.html");
    plan.mentions(&[&hash, "--document plan.html"]);
    let run = desk.json(&["status"]).done().text("run");

    let approved = desk.run_as("bob", &["approve", &run, "--document", "plan.html"]).done();
    approved.mentions(&[&hash, "compared with the file"]);
    assert_eq!(phase(&desk, &run), "approved");
    assert_eq!(details(&desk, "planned")["document"], hash.as_str());
    let signed = details(&desk, "approval_signed");
    assert_eq!((&signed["document"], &signed["document_read"]), (&hash.into(), &"html".into()));
    let report = desk.json(&["report", &run]).done();
    report.mentions(&[&sha256(&desk, "plan.html")]);
}

#[test]
fn an_altered_document_is_refused_and_nothing_is_signed() {
    let (desk, run) = planned();
    let page = fs::read_to_string(desk.path("plan.html")).unwrap();
    desk.write("altered.html", &page.replacen("customers.email", "customers.emails", 1));
    desk.write("longer.html", &(page + " "));
    for file in ["altered.html", "longer.html"] {
        desk.run_as("bob", &["approve", &run, "--document", file])
            .fails(3, &[file, &run, "hint:", "--reissue"]);
    }
    desk.run_as("bob", &["approve", &run, "--document", "gone.html"]).fails(2, &["gone.html"]);
    assert_eq!(phase(&desk, &run), "planned");
}

#[test]
fn the_document_of_another_plan_is_refused() {
    let (desk, first) = planned();
    fs::rename(desk.path("plan.html"), desk.path("first.html")).unwrap();
    let second =
        desk.json(&["plan", "--policy", "shop.toml", "--output", "plan.html"]).done().text("run");
    assert_ne!(first, second);
    desk.run_as("bob", &["approve", &second, "--document", "first.html"]).fails(3, &["first.html"]);
    desk.run_as("bob", &["approve", &second, "--document", "plan.html"]).done();
}

#[test]
fn every_form_can_be_made_again_and_signed() {
    for file in ["again.html", "again.json", "again.txt"] {
        let (desk, run) = planned();
        // Whoever compares has neither passphrase nor credential.
        let mut command = desk.command(&["plan", "--reissue", &run, "--output", file]);
        command.env_remove("SEALIFT_PASSPHRASE").env_remove("SEALIFT_CREDENTIAL_FILE");
        desk.finish(command, "").done().mentions(&[&sha256(&desk, file), "as recorded"]);
        if file == "again.html" {
            assert_eq!(sha256(&desk, file), sha256(&desk, "plan.html"));
        }
        desk.run_as("bob", &["approve", &run, "--document", file]).done();
    }
}

/// A later version that draws the page otherwise finds another hash than the one on record.
#[test]
fn a_document_that_is_drawn_otherwise_is_said_to_be() {
    let (desk, run) = planned();
    let hash = sha256(&desk, "plan.html");
    let other = "0".repeat(64);
    Db::open(&desk.vault())
        .exec(format!("UPDATE sealift_run SET plan = replace(plan, '{hash}', '{other}')"));
    desk.run(&["plan", "--reissue", &run, "--output", "again.html"])
        .fails(1, &[&other, "otherwise", "hint:"]);
    desk.run(&["plan", "--reissue", &run, "--output", "again.json"]).done();
    // Nor can what was changed in the vault's tables be signed.
    desk.run_as("bob", &["approve", &run]).fails(3, &["behind our back"]);
}

#[test]
fn who_signs_without_a_file_is_told_what_is_signed() {
    let (desk, run) = planned();
    let hash = sha256(&desk, "plan.html");
    desk.run_as("bob", &["approve", &run]).done().mentions(&[&hash, "not compared with a file"]);
    assert_eq!(details(&desk, "approval_signed")["document_read"], "none");
}

#[test]
fn a_dry_run_writes_a_document_without_a_vault() {
    let desk = Desk::bare();
    shop(&desk, Journal::Delete, 4);
    let typed = ["plan", "--policy", "shop.toml", "--dry-run", "--output", "dry.html"];
    desk.run(&typed).done().mentions(&["Nothing was recorded."]);
    let page = fs::read_to_string(desk.path("dry.html")).unwrap();
    assert!(page.contains("not recorded: a dry run"));
    assert!(!desk.vault().exists());
    let text = desk.run(&["plan", "--policy", "shop.toml", "--dry-run"]).done();
    text.mentions(&["Blast radius", "Known limits", "The way back", "not recorded: a dry run"]);
}

#[test]
fn a_blocked_plan_leaves_a_document_for_whoever_mends_it() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 4);
    let policy = crate::support::POLICY.replace("customers.phone", "customers.telephone");
    desk.write("blocked.toml", &policy);
    desk.run(&["plan", "--policy", "blocked.toml", "--output", "blocked.html"])
        .ends(3)
        .mentions(&["BLOCKED", "customers.telephone", "nothing was recorded"]);
    let page = fs::read_to_string(desk.path("blocked.html")).unwrap();
    assert!(page.contains("BLOCKED") && page.contains("customers.telephone"));
    assert!(!page.contains("sealift approve"));
}

#[test]
fn a_name_that_says_no_form_is_refused_before_anything_is_read() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 4);
    for file in ["plan.pdf", "plan"] {
        desk.run(&["plan", "--policy", "shop.toml", "--output", file])
            .fails(2, &[file, ".html, .json or .txt"]);
    }
    desk.run(&["plan", "--output", "plan.html"]).ends(2).mentions(&["--policy"]);
    desk.run(&["status"]).done().mentions(&["no run is open"]);
}

#[test]
fn a_run_ends_with_what_was_estimated_and_what_it_took() {
    let (desk, run) = planned();
    desk.run_as("bob", &["approve", &run]).done();
    desk.run(&["run", &run]).done().mentions(&["estimated", "took", "in fact"]);
    let status = desk.json(&["status", &run]).done().last();
    let checks = status["estimates"].as_array().unwrap();
    let what: Vec<&str> = checks.iter().map(|check| check["what"].as_str().unwrap()).collect();
    for name in ["backup", "seal", "rewrite", "verify", "longest lock", "vault", "backup files"] {
        assert!(what.contains(&name), "`{name}` is not among {what:?}");
    }
    assert!(checks.iter().all(|check| check["actual"].as_u64().unwrap() > 0), "{checks:?}");
    desk.run(&["report", &run, "--output", "report.html"]).done();
    let report = fs::read_to_string(desk.path("report.html")).unwrap();
    assert!(report.contains("Estimated and measured"));
}
