//! Nothing that is printed holds an original, a credential or the passphrase.

use std::fs;

use crate::support::{
    Answer, Db, Desk, Journal, Needle, PASSPHRASE, originals, plan_and_approve, shop,
};

const CUSTOMERS: u64 = 14;

#[track_caller]
fn is_silent_about(said: &[Answer], secrets: &[Needle]) {
    let folder = tempfile::tempdir().unwrap();
    for (at, answer) in said.iter().enumerate() {
        fs::write(
            folder.path().join(at.to_string()),
            format!("{}\n{}", answer.stdout, answer.stderr),
        )
        .unwrap();
    }
    let found = crate::support::found_in(folder.path(), secrets);
    assert_eq!(found, [""; 0], "said where it should not be");
}

#[test]
fn no_verb_prints_an_original_a_credential_or_the_passphrase() {
    // A desk that made its own vault, so that `init` and `caller add` are among what was said.
    let desk = Desk::bare();
    desk.make_vault();
    shop(&desk, Journal::Delete, CUSTOMERS);

    desk.run(&["plan", "--policy", "shop.toml", "--dry-run"]).done();
    let run = plan_and_approve(&desk);
    desk.run(&["status"]).done();
    desk.run(&["run", &run, "--until", "sealed"]).done();
    // A value that the backup does not know.
    Db::open(&desk.source())
        .exec("UPDATE customers SET name = 'in.between@example.net' WHERE id = 2");
    desk.run(&["run", &run]).done();
    desk.json(&["verify", &run]).done();
    let token = Db::open(&desk.source()).value("SELECT email FROM customers WHERE id = 3");
    desk.run_as("carol", &["detokenize", "--purpose", "campaign", "--reason", "r", &token]).ends(3);
    Db::open(&desk.source())
        .exec("UPDATE customers SET name = 'came.back@example.net' WHERE id = 3");
    desk.run(&["verify", &run]).ends(1);
    desk.json(&["verify", &run]).ends(1);
    desk.run(&["run", &run]).done();
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["caller", "list"]).done();
    desk.run(&["keys", "list"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    desk.run(&["purge", &run, "--confirm", &run]).done();
    desk.run(&["report", &run, "--format", "json"]).done();
    desk.run(&["status", "--all"]).done();
    desk.run(&["ledger", "export", "--output", "ledger"]).done();

    let mut secrets = originals(CUSTOMERS);
    secrets.extend(["in.between@example.net", "came.back@example.net"].map(Needle::new));
    secrets.push(Needle::new(PASSPHRASE));
    secrets.push(Needle::new(desk.recovery_code()));
    for name in ["alice", "bob", "carol", "dave"] {
        let credential = fs::read_to_string(desk.path(&format!("{name}.key"))).unwrap();
        secrets.push(Needle::new(credential.trim()));
    }
    is_silent_about(&desk.said(), &secrets);
}

#[test]
fn credentials_and_recovery_code_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let desk = Desk::bare();
    desk.make_vault();
    for file in ["alice.key", "bob.key", "recovery.txt", "vault.db"] {
        let mode = fs::metadata(desk.path(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} has mode {mode:o}");
    }
}

#[test]
fn the_vault_holds_no_credential() {
    let desk = Desk::new();
    let secrets = ["alice", "bob", "carol", "dave"].map(|name| {
        let credential = fs::read_to_string(desk.path(&format!("{name}.key"))).unwrap();
        Needle::new(credential.trim())
    });

    assert_eq!(crate::support::found_in(&desk.vault(), &secrets), [""; 0]);
}
