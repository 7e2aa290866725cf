//! Help, colour, and what a verb says at its end.

use crate::support::{Desk, Journal, shop, to_phase};

#[test]
fn help_opens_with_what_people_type_and_names_every_verb() {
    let help = Desk::bare().run(&["--help"]).done();
    for verb in [
        "init",
        "caller",
        "plan",
        "approve",
        "run",
        "verify",
        "purge",
        "rollback",
        "status",
        "quarantine",
        "detokenize",
        "tokenize",
        "report",
        "ledger",
        "keys",
    ] {
        assert!(help.stdout.contains(verb), "`{verb}` is missing: {help}");
    }
    let example = help.stdout.find("sealift plan").unwrap_or_else(|| panic!("no example: {help}"));
    let options = help.stdout.find("Options:").unwrap_or_else(|| panic!("no options: {help}"));
    assert!(example < options, "examples come first: {help}");
}

#[test]
fn every_verb_has_help_with_an_example() {
    let desk = Desk::bare();
    for verb in ["init", "plan", "approve", "run", "verify", "purge", "rollback", "detokenize"] {
        let help = desk.run(&[verb, "--help"]).done();
        assert!(help.stdout.contains(&format!("sealift {verb}")), "{help}");
        assert!(help.stdout.len() > 200, "{help}");
    }
}

#[test]
fn the_version_is_printed() {
    let version = Desk::bare().run(&["--version"]).done();

    assert!(version.stdout.contains(env!("CARGO_PKG_VERSION")), "{version}");
}

#[test]
fn what_is_piped_has_no_colour() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let mut command = desk.command(&["plan", "--policy", "shop.toml"]);
    command.env("NO_COLOR", "1");
    for answer in [
        desk.finish(command, ""),
        desk.run(&["plan", "--policy", "shop.toml"]),
        desk.run(&["frobnicate"]),
        desk.run(&["--help"]),
    ] {
        assert!(!answer.stdout.contains('\u{1b}') && !answer.stderr.contains('\u{1b}'), "{answer}");
    }
}

#[test]
fn each_step_says_who_does_what_next() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);

    let plan = desk.run(&["plan", "--policy", "shop.toml"]).done();
    plan.mentions(&["sealift approve"]);
    let run = desk.json(&["status"]).done().text("run");
    desk.run_as("bob", &["approve", &run]).done().mentions(&["sealift run"]);
    desk.run(&["run", &run]).done().mentions(&["--purge"]);
    desk.run_as("bob", &["approve", &run, "--purge"]).done().mentions(&["sealift purge"]);
}

#[test]
fn with_json_nothing_else_is_on_standard_output() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let run = to_phase(&desk, "verified");
    for arguments in
        [&["status"][..], &["run", &run], &["verify", &run], &["caller", "list"], &["status", &run]]
    {
        let answer = desk.json(arguments).done();
        assert!(!answer.objects().is_empty(), "{answer}");
    }
}

#[test]
fn the_run_may_be_left_out_or_cut_short_where_only_one_is_open() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let run = desk.json(&["plan", "--policy", "shop.toml"]).done().text("run");
    assert_eq!(run.len(), 8, "eight hexadecimal digits");

    desk.run_as("bob", &["approve"]).done();
    desk.run(&["run", &run[..4]]).done();
    desk.run(&["rollback"]).done();
}
