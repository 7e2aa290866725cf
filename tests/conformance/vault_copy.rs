//! The vault copied, lost, and put back.

use super::every_engine;
use super::stage::{COLUMNS, Stage};
use crate::support::{Answer, Desk, Postgres, verified};

every_engine! {
    a_vault_that_is_lost_and_put_back_from_its_copy_opens_every_token_and_rolls_back,
    a_copy_holds_no_original_and_opens_with_the_passphrase_only,
}

/// Runs a verb as Alice on another vault than the desk's.
fn on(desk: &Desk, vault: &str, arguments: &[&str]) -> Answer {
    let mut all = vec!["--vault", vault, "--format", "json"];
    all.extend(arguments);
    desk.run(&all)
}

fn a_vault_that_is_lost_and_put_back_from_its_copy_opens_every_token_and_rolls_back(
    mut stage: Stage,
) {
    let before = stage.dump();
    let originals = stage.all_cells();
    let run = verified(&stage.desk);
    let made = stage.desk.json(&["vault", "backup", "--output", "vault.backup"]).done();
    assert_eq!(made.last()["findings"], serde_json::json!([]), "{made}");
    assert!(made.number("/entries") > 0, "{made}");

    // Into the engine that the vault was in, or into the other.
    let database = stage.vault_is_postgres().then(|| Postgres::with(""));
    let vault = database.as_ref().map_or("sqlite:restored.db".to_owned(), Postgres::url);
    let back = on(&stage.desk, &vault, &["vault", "restore", "vault.backup"]).done();
    assert_eq!(back.number("/entries"), made.number("/entries"));
    on(&stage.desk, &vault, &["vault", "check"]).done();

    for (column, originals) in COLUMNS.into_iter().zip(originals) {
        let tokens: Vec<String> = stage.cells(column);
        let pairs: Vec<(String, String)> = tokens
            .into_iter()
            .zip(originals)
            .filter(|(token, _)| token.starts_with("slk") || token.starts_with("slr"))
            .collect();
        let typed: Vec<&str> = pairs.iter().map(|(token, _)| token.as_str()).collect();
        let arguments =
            ["--vault", &vault, "--format", "json", "detokenize", "--purpose", "support_case"];
        let answer = stage.desk.tell_as(
            "carol",
            &[&arguments[..], &["--reason", "after the fire"]].concat(),
            &typed.join("\n"),
        );
        let values = answer.done().objects();
        assert_eq!(values.len(), pairs.len());
        for ((token, original), object) in pairs.iter().zip(values) {
            assert_eq!(object["value"].as_str(), Some(original.as_str()), "of token {token}");
        }
    }
    on(&stage.desk, &vault, &["verify", &run]).done();
    if !stage.vault_is_in_its_source() {
        on(&stage.desk, &vault, &["rollback", &run]).done();
        assert_eq!(stage.dump(), before);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "every promise takes its stage alike")]
fn a_copy_holds_no_original_and_opens_with_the_passphrase_only(stage: Stage) {
    verified(&stage.desk);
    stage.desk.run(&["vault", "backup", "--output", "vault.backup"]).done();
    let bytes = std::fs::read(stage.desk.path("vault.backup")).unwrap();
    for word in ["person7@example.com", "Invented Person", "people.email", "support_case"] {
        let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(!found, "`{word}` can be read in the copy");
    }
    let mut command =
        stage.desk.command(&["--vault", "sqlite:no.db", "vault", "restore", "vault.backup"]);
    command.env("SEALIFT_PASSPHRASE", "not the one of this vault");
    stage.desk.finish(command, "").fails(2, &["no passphrase opens this vault", "hint:"]);
    assert!(!stage.desk.path("no.db").exists());
    let again = ["vault", "backup", "--output", "vault.backup"];
    stage.desk.run(&again).fails(2, &["vault.backup", "hint:"]);
    assert_eq!(std::fs::read(stage.desk.path("vault.backup")).unwrap(), bytes);
}
