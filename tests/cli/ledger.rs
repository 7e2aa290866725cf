//! The ledger's export: whatever is done to it is named, without a database.

use std::fs;

use crate::support::{Answer, Db, Desk, Journal, actions, exported, shop, verified};

fn with_export() -> (Desk, String) {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    verified(&desk);
    let folder = exported(&desk);
    (desk, folder.file_name().unwrap().to_str().unwrap().to_owned())
}

/// Verifies an export with nothing else at hand.
fn check(desk: &Desk, folder: &str, more: &[&str]) -> Answer {
    let mut arguments = vec!["--format", "json", "ledger", "verify", folder];
    arguments.extend(more);
    let mut command = desk.command(&arguments);
    for name in ["VAULT", "SOURCE", "PASSPHRASE", "CREDENTIAL_FILE"] {
        command.env_remove(format!("SEALIFT_{name}"));
    }
    desk.finish(command, "")
}

#[test]
fn a_sound_export_passes_with_its_key_and_warns_without() {
    let (desk, folder) = with_export();
    let unkeyed = check(&desk, &folder, &[]).done();
    assert!(!unkeyed.last()["notes"].as_array().unwrap().is_empty(), "{unkeyed}");
    let fingerprint = unkeyed.text("fingerprint");

    let keyed = check(&desk, &folder, &["--key", &fingerprint]).done();

    assert_eq!(keyed.last()["findings"].as_array().unwrap().len(), 0, "{keyed}");
    let lines = fs::read_to_string(desk.path(&folder).join("entries.jsonl")).unwrap();
    assert_eq!(keyed.number("/size"), lines.lines().count() as u64);
}

#[test]
fn another_key_is_noticed() {
    let (desk, folder) = with_export();

    check(&desk, &folder, &["--key", &"0".repeat(64)]).ends(1);
}

#[test]
fn altered_removed_reordered_and_truncated_entries_are_noticed() {
    let (desk, folder) = with_export();
    let fingerprint = check(&desk, &folder, &[]).done().text("fingerprint");
    let path = desk.path(&folder).join("entries.jsonl");
    let sound = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = sound.lines().collect();
    let (second, last) = (1, lines.len() - 1);

    let mut altered = lines.clone();
    let with_other_actor = lines[second].replacen("alice", "mabel", 1);
    altered[second] = &with_other_actor;
    let mut removed = lines.clone();
    removed.remove(second);
    let mut reordered = lines.clone();
    reordered.swap(second, second + 1);
    let mut doubled = lines.clone();
    doubled.insert(second, lines[second]);
    let truncated = &lines[..last];

    for (what, lines) in [
        ("altered", altered.as_slice()),
        ("removed", &removed),
        ("reordered", &reordered),
        ("doubled", &doubled),
        ("truncated", truncated),
    ] {
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        let answer = check(&desk, &folder, &["--key", &fingerprint]).ends(1);
        let findings = answer.last()["findings"].clone();
        assert!(!findings.as_array().unwrap().is_empty(), "{what}: {answer}");
    }
    fs::write(&path, sound).unwrap();
    check(&desk, &folder, &["--key", &fingerprint]).done();
}

#[test]
fn an_entry_altered_in_the_vault_shows_in_the_export() {
    let (desk, folder) = with_export();
    let fingerprint = check(&desk, &folder, &[]).done().text("fingerprint");
    let mut vault = Db::open(&desk.vault());
    vault.exec(
        "UPDATE sealift_ledger SET body = CAST(replace(CAST(body AS TEXT), 'bob', 'rob') AS BLOB)
         WHERE instr(CAST(body AS TEXT), '\"bob\"') > 0",
    );
    assert!(
        vault.number("SELECT count(*) FROM sealift_ledger WHERE instr(body, CAST('rob' AS BLOB))")
            > 0
    );
    drop(vault);

    let exported = desk.run(&["ledger", "export", "--output", "tampered"]);

    // Either the vault's own check refuses to sign over it, or the auditor's finds it.
    if exported.code == 0 {
        check(&desk, "tampered", &["--key", &fingerprint]).ends(1);
    }
}

#[test]
fn a_removed_entry_of_the_vault_shows_in_the_export() {
    let (desk, folder) = with_export();
    let fingerprint = check(&desk, &folder, &[]).done().text("fingerprint");
    Db::open(&desk.vault()).exec("DELETE FROM sealift_ledger WHERE sequence = 2");

    let exported = desk.run(&["ledger", "export", "--output", "tampered"]);

    if exported.code == 0 {
        check(&desk, "tampered", &["--key", &fingerprint]).ends(1);
    }
}

#[test]
fn python_alone_can_verify_an_export() {
    let (desk, folder) = with_export();
    let script = desk.path(&folder).join("verify.py");

    let output =
        std::process::Command::new("python3").arg(&script).current_dir(desk.path(&folder)).output();

    let output = output.expect("python3 is there; tests/all.sh installs it");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn each_step_of_a_run_is_an_entry() {
    let (desk, _) = with_export();
    let actions = actions(&desk);
    for event in ["approved", "backed_up", "sealed", "rewritten", "verified"] {
        let count = actions.iter().filter(|action| action.as_str() == event).count();
        assert_eq!(count, 1, "`{event}` in {actions:?}");
    }
}

#[test]
fn the_parts_of_a_ledger_need_no_passphrase() {
    let (desk, _) = with_export();
    for arguments in [&["status"][..], &["ledger", "export", "--output", "signed"]] {
        let mut command = desk.command(arguments);
        command.env_remove("SEALIFT_PASSPHRASE").env_remove("SEALIFT_CREDENTIAL_FILE");
        desk.finish(command, "").done();
    }
}

#[test]
fn one_entry_is_proven_without_the_others() {
    let (desk, folder) = with_export();
    let fingerprint = check(&desk, &folder, &[]).done().text("fingerprint");
    let kept = format!("{folder}/checkpoint.txt");
    desk.run(&["ledger", "heartbeat"]).done();

    let typed = ["ledger", "prove", "3", "--since", &kept, "--output", "proof.json"];
    desk.run(&typed).done().mentions(&["sealift ledger verify proof.json --key"]);

    let keyed = ["--key", &fingerprint, "--since", &kept];
    let sound = check(&desk, "proof.json", &keyed).done();
    assert_eq!(sound.last()["notes"], serde_json::json!([]), "{sound}");
    let proof = fs::read_to_string(desk.path("proof.json")).unwrap();
    let parsed: serde_json::Value = serde_json::from_str(&proof).unwrap();
    assert_eq!(parsed["entries"].as_array().unwrap().len(), 1, "{proof}");
    fs::write(
        desk.path("proof.json"),
        proof.replacen("\\\"actor\\\":\\\"", "\\\"actor\\\":\\\"x", 1),
    )
    .unwrap();
    check(&desk, "proof.json", &keyed).ends(1);
    fs::write(desk.path("proof.json"), "{}").unwrap();
    check(&desk, "proof.json", &keyed).fails(2, &["proof.json", "hint:"]);
    desk.run(&["ledger", "prove", "99999"]).fails(2, &["99999", "ledger checkpoint"]);
}

#[test]
fn a_new_key_of_the_ledger_is_introduced_by_the_old_one() {
    let (desk, folder) = with_export();
    let old = check(&desk, &folder, &[]).done().text("fingerprint");
    let kept = format!("{folder}/checkpoint.txt");

    let new = desk.json(&["keys", "rotate", "--ledger"]).done().text("fingerprint");
    desk.run(&["ledger", "heartbeat"]).done();
    desk.run(&["ledger", "export", "--output", "rotated"]).done();

    assert_ne!(old, new);
    for key in [&old, &new] {
        check(&desk, "rotated", &["--key", key, "--since", &kept]).done();
    }
    check(&desk, "rotated", &["--key", &"0".repeat(64)]).ends(1);
    // The old key is gone: nobody can sign another history with it.
    let mut vault = Db::open(&desk.vault());
    let sql = "SELECT count(*) FROM sealift_key WHERE purpose = 'ledger' AND wrapped IS NOT NULL";
    assert_eq!(vault.number(sql), 1);
    // A copy of the vault knows the new key, and the run goes on.
    desk.run(&["vault", "check"]).done();
    desk.run(&["verify"]).done();
}

#[test]
fn a_reason_is_shown_to_who_reviews_and_can_be_erased() {
    let (desk, _) = with_export();
    let token = Db::open(&desk.source()).value("SELECT email FROM customers WHERE id = 3");
    let arguments = ["detokenize", "--purpose", "support_case", "--reason", "case 4711", &token];
    desk.run_as("carol", &arguments).done();
    let entries = actions(&desk);
    let seq = entries.iter().position(|action| action == "detokenize").unwrap().to_string();

    desk.run_as("carol", &["access", "reason", &seq]).ends(3);
    desk.run(&["access", "reason", &seq]).ends(3);
    let shown = desk.json_as("dave", &["access", "reason", &seq]).done();
    assert_eq!(shown.text("reason"), "case 4711");
    desk.run_as("dave", &["access", "reason", "0"]).fails(2, &["has no reason", "hint:"]);
    desk.run_as("dave", &["access", "forget", "--entry", &seq]).ends(3);

    let erased = desk.json(&["access", "forget", "--entry", &seq]).done();
    assert_eq!(erased.number("/erased"), 1);
    desk.run_as("dave", &["access", "reason", &seq]).fails(1, &["was erased"]);
    assert_eq!(Db::open(&desk.vault()).number("SELECT count(*) FROM sealift_reason"), 0);
    let fingerprint = {
        let folder = exported(&desk);
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        check(&desk, &name, &[]).done().text("fingerprint")
    };
    assert_eq!(fingerprint.len(), 64, "the ledger still adds up");
    desk.run_as("carol", &arguments).done();
    let none = desk.json(&["access", "forget", "--before", "2020-01-01T00:00:00Z"]).done();
    assert_eq!(none.number("/erased"), 0);
    let all = desk.json(&["access", "forget", "--before", "2099-01-01T00:00:00Z"]).done();
    assert_eq!(all.number("/erased"), 1);
}
